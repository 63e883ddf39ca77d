/* day.h - one day directory opened for reading: block descriptors and column bytes (2, 3, 6). */
#ifndef GODB_DAY_H
#define GODB_DAY_H

#include "godb/columns.h"
#include "godb/db.h"
#include "gp/err.h"

/* What .blockmeta says about one block; checked as in 2.5. */
typedef struct godb_block {
    int64_t time_s; /* end of the interval covered; 0 when godb_block_unplaced() */
    uint32_t n_v4, n_v6, drops;
    uint8_t usable; /* 0: a check failed; reason says which; readers skip and count it */
    uint8_t codec[GODB_N_COLS];
    uint32_t stored[GODB_N_COLS], raw[GODB_N_COLS]; /* bytes */
    uint64_t offset[GODB_N_COLS];                   /* bytes from the start of the column file */
    const char *reason;                             /* static text when not usable, else NULL */
} godb_block;

/* 1 when not even the time of the block is known (2.5, item 8): it belongs to the day, and may
 * belong to any range in it. From the first such block of a day on all are. */
static inline int godb_block_unplaced(const godb_block *b)
{
    return !b->usable && b->time_s == 0;
}

/* Read-only after opening; threads may share one. Holds the directory open, so a rename of the
 * directory while it is read does no harm (6.5). */
typedef struct godb_day godb_day;

/* Open the directory that ref names. When it is gone (renamed or merged meanwhile) the month is
 * listed again and the day looked up by its number (6.5). Fails with GP_ECORRUPT when .blockmeta
 * is invalid, GP_ENOTFOUND when the day or its .blockmeta is missing. */
gp_status godb_day_open(const godb_db *db, const godb_dayref *ref, godb_day **out,
                        gp_err *err) GP_MUST_CHECK;
void godb_day_close(godb_day *d);
static inline void godb_day_closep(godb_day **d)
{
    godb_day_close(*d);
}

size_t godb_day_n_blocks(const godb_day *d);
const godb_block *godb_day_block(const godb_day *d, size_t i); /* borrowed from d */
/* Blocks before the first one that is unplaced: those of which the time is known. */
size_t godb_day_n_placed(const godb_day *d);
const godb_totals *godb_day_totals(const godb_day *d); /* header of .blockmeta */
int64_t godb_day_start(const godb_day *d);             /* D, Unix seconds */
int godb_day_dirfd(const godb_day *d);
/* 1 when timestamps rise strictly, so blocks may be bisected (not so after defect D4). */
int godb_day_sorted(const godb_day *d);

/* Per-thread reader: decompression contexts and one reused buffer per column. Reads of one column
 * in rising block order are cheapest. */
typedef struct godb_reader godb_reader;
gp_status godb_reader_new(godb_reader **out, gp_err *err) GP_MUST_CHECK;
void godb_reader_free(godb_reader *r);
static inline void godb_reader_freep(godb_reader **r)
{
    godb_reader_free(*r);
}

/* Decoded bytes of one column of block i: exactly block->raw[col] bytes at *bytes (NULL when 0),
 * followed by at least 16 readable bytes of padding (so that kernels may load past the end).
 * Borrowed from r until the next call for the same column. Checks lengths against the row counts,
 * the codec and, for raw blocks, defect D1 (9): displaced blocks are salvaged completely or
 * GP_ECORRUPT. *loaded (may be NULL) is increased by the stored bytes of the block: what was read
 * ahead or again for a checksum depends on which blocks a worker gets, and is not counted. */
gp_status godb_reader_col(godb_reader *r, const godb_day *d, size_t block, godb_col col,
                          const uint8_t **bytes, uint64_t *loaded, gp_err *err) GP_MUST_CHECK;

/* The same for readers that need the front of the column only: at least the first head bytes are
 * decoded (head of block->raw[col] or more: all). What lies behind is not looked at, so damage
 * there goes unnoticed. Measured: half the time for IPv4 conditions on mixed blocks. */
gp_status godb_reader_col_head(godb_reader *r, const godb_day *d, size_t block, godb_col col,
                               size_t head, const uint8_t **bytes, uint64_t *loaded,
                               gp_err *err) GP_MUST_CHECK;

/* All eight columns of block i as rows (counters widened). Borrowed until the next call on r. */
gp_status godb_reader_rows(godb_reader *r, const godb_day *d, size_t block, godb_rows *out,
                           gp_err *err) GP_MUST_CHECK;

#endif
