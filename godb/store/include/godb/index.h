/* index.h - optional per-day file `.index`: which addresses a block can hold, checksums of columns.
 *
 * The file is a cache beside .blockmeta (docs/godb-format.md 7). Each record covers one block, or a
 * run of small ones, and is tied to their descriptors, so records of a day that another program
 * appended to or rewrote are ignored: a missing or stale index is slower, never wrong.
 */
#ifndef GODB_INDEX_H
#define GODB_INDEX_H

#include "godb/columns.h"
#include "godb/day.h"
#include "godb/db.h"
#include "gp/addr.h"
#include "gp/err.h"

/* Read-only after opening; threads may share one. Independent of the day once opened. */
typedef struct godb_index godb_index;

/* Read the index of an open day. GP_ENOTFOUND when it has none; damaged records are left out. */
gp_status godb_index_open(const godb_day *d, godb_index **out, gp_err *err) GP_MUST_CHECK;
void godb_index_close(godb_index *ix);
static inline void godb_index_closep(godb_index **ix)
{
    godb_index_close(*ix);
}

/* 1 if there is a valid record for the block (without one everything is possible). A record whose
 * times differ from .blockmeta counts as none here: it may be of blocks that a power loss took. */
int godb_index_covers(const godb_index *ix, size_t block);

/* An address asked for in column sip or dip, hashed once and probed against many blocks. */
typedef struct godb_index_key {
    uint64_t hash;
    gp_addr addr;
    godb_col col; /* GODB_COL_SIP or GODB_COL_DIP */
} godb_index_key;
godb_index_key godb_index_key_of(godb_col col, const gp_addr *addr);

/* 0: no row of the block has that address in that column, for certain. 1: it may have. */
int godb_index_may_have(const godb_index *ix, size_t block, const godb_index_key *key);
/* The same for a network. */
int godb_index_may_overlap(const godb_index *ix, size_t block, godb_col col, const gp_net *net);

/* Compare the stored bytes of one column of a block (or of the run it is indexed with) with their
 * checksum. GP_ENOTFOUND: not indexed, or the record is of other blocks than those that are there.
 * GP_ECORRUPT: bytes, time or drops have changed since they were written. */
gp_status godb_index_verify(const godb_index *ix, const godb_day *d, size_t block, godb_col col,
                            gp_err *err) GP_MUST_CHECK;

/* The index of an open day, read at the first call; NULL without one. Borrowed until d is closed.
 */
const godb_index *godb_day_index(const godb_day *d);

/* Reads of a day are compared with its checksums: godb_reader_col() fails with GP_ECORRUPT when
 * stored bytes have changed since they were written, also where they would decode (a flipped bit,
 * or zeros after a power loss). Blocks without a record are read as ever. Measured: 10 to
 * 30 % of the time to decode. On from godb_day_open() on; to be switched before d is shared. */
void godb_day_verify(godb_day *d, int on);

/* What building did. */
typedef struct godb_index_stats {
    uint64_t days, days_changed; /* looked at; index written */
    uint64_t blocks;             /* indexed by this call */
    uint64_t data_bytes;         /* column files of the days looked at */
    uint64_t index_bytes;        /* their index files afterwards */
    uint64_t days_failed;        /* could not be read or written; see the first text in err */
} godb_index_stats;

/* Make or complete the index of every day of iface in [first_s, last_s]. With rebuild existing ones
 * are made anew. Takes the writer's lock: GP_EEXIST while another process writes to iface. Blocks
 * that cannot be decoded stay without a record. */
gp_status godb_index_build(const char *root, const char *iface, int64_t first_s, int64_t last_s,
                           int rebuild, godb_index_stats *stats, gp_err *err) GP_MUST_CHECK;

#endif
