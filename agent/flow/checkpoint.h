/* checkpoint.h - the running interval of an interface in one file, for after a crash.
 *
 * <database>/<interface>/.checkpoint, a regular file that every reader of the database skips; bytes
 * in docs/godb-format.md, "Checkpoint". It exists while an interval runs and is removed when the
 * interval's block is on disk, so after a clean end there is none.
 */
#ifndef FLOW_CHECKPOINT_H
#define FLOW_CHECKPOINT_H

#include "godb/columns.h"
#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { FLOW_CHECKPOINT_HEAD = 48 }; /* bytes before the columns */

typedef struct flow_checkpoint {
    int64_t after_s; /* newest block of the interface when the interval began, 0 = none: a block
                        later than that holds these flows already */
    int64_t taken_s; /* wall clock of the snapshot */
    uint64_t drops;  /* packets dropped in this interval */
    godb_rows rows;  /* sorted as stored; borrowed */
} flow_checkpoint;

/* Replace the checkpoint of iface below root; the interface's directory must exist and be locked by
 * the caller. mode: of the file. sync: 1 = on the disk when this returns, and never less than the
 * old one after a power loss. On failure the old one stays. */
gp_status flow_checkpoint_write(const char *root, const char *iface, const flow_checkpoint *c,
                                mode_t mode, int sync, gp_err *err) GP_MUST_CHECK;

/* Check n bytes, aligned to 8, and take them apart. *out borrows from bytes, whose counters are put
 * into this machine's byte order. GP_ECORRUPT (the text says what) leaves *out untouched. */
gp_status flow_checkpoint_parse(uint8_t *bytes, size_t n, flow_checkpoint *out,
                                gp_err *err) GP_MUST_CHECK;

/* Forget the checkpoint of iface; fine if there is none. */
void flow_checkpoint_remove(const char *root, const char *iface);

/* Path of the file; gp_free() it. NULL when out of memory. */
char *flow_checkpoint_path(const char *root, const char *iface);

#endif
