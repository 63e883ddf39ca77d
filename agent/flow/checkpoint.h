/* checkpoint.h - the running interval of an interface in one file, for after a crash.
 *
 * <database>/<interface>/.checkpoint, a regular file that every reader of the database skips; bytes
 * in docs/godb-format.md, "Checkpoint". It exists while an interval runs and is removed when the
 * interval's block is on disk, so after a clean end there is none.
 */
#ifndef FLOW_CHECKPOINT_H
#define FLOW_CHECKPOINT_H

#include "flow/rows.h"
#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    FLOW_CHECKPOINT_HEAD = 48,     /* bytes before the records */
    FLOW_CHECKPOINT_V4_BYTES = 43, /* a record */
    FLOW_CHECKPOINT_V6_BYTES = 67,
};

typedef struct flow_checkpoint {
    int64_t after_s;     /* newest block of the interface when the interval began, 0 = none: a block
                            later than that holds these flows already */
    int64_t taken_s;     /* wall clock of the snapshot */
    uint64_t drops;      /* packets dropped in this interval */
    uint32_t n_v4, n_v6; /* entries */
    const uint8_t *records; /* after reading: n_v4 + n_v6 of them; borrowed */
} flow_checkpoint;

/* Where the flows come from, slice by slice: *slice is the next frozen bank, for the taker to
 * unref, or stays NULL at the end. A failure ends the checkpoint and is passed on. */
typedef gp_status (*flow_checkpoint_next)(void *ctx, flow_bank **slice, gp_err *err);

/* Replace the checkpoint of iface below root; the interface's directory must exist and be locked by
 * the caller. Only a slice is in memory at a time. Times and drops of *c are read after the last
 * slice, its counts are set. mode: of the file. sync: 1 = on the disk when this returns, and never
 * less than the old one after a power loss. On failure the old one stays. */
gp_status flow_checkpoint_write(const char *root, const char *iface, flow_checkpoint *c,
                                flow_checkpoint_next next, void *ctx, mode_t mode, int sync,
                                gp_err *err) GP_MUST_CHECK;

/* Check n bytes and take them apart; *out borrows from them. GP_ECORRUPT (the text says what)
 * leaves *out untouched. */
gp_status flow_checkpoint_parse(const uint8_t *bytes, size_t n, flow_checkpoint *out,
                                gp_err *err) GP_MUST_CHECK;

/* The flows of a parsed checkpoint as a bank, to make rows of. */
gp_status flow_checkpoint_bank(const flow_checkpoint *c, flow_bank **out,
                               gp_err *err) GP_MUST_CHECK;

/* Forget the checkpoint of iface, and one that a crash left half written; fine if there is none. */
void flow_checkpoint_remove(const char *root, const char *iface);

/* The same below the directory of an interface, wherever that is now. */
void flow_checkpoint_remove_at(int iface_fd);

/* 1 if there is one, or one half written. */
int flow_checkpoint_left(const char *root, const char *iface);

/* Path of the file; gp_free() it. NULL when out of memory. */
char *flow_checkpoint_path(const char *root, const char *iface);

#endif
