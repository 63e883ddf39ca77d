/* checkday.h - check of one day, and of the names in one interface's tree. */
#ifndef GODB_STORE_CHECKDAY_H
#define GODB_STORE_CHECKDAY_H

#include "day.h"
#include "findings.h"

/* What was verified in one day. */
typedef struct godb_checked {
    uint64_t blocks, rows, stored_bytes, raw_bytes;
} godb_checked;

/* A block's state after checking: may its rows be used? */
typedef struct godb_block_sums {
    int ok;
    uint64_t sum[GODB_N_COUNTERS];
} godb_block_sums;

/* Verify everything of the day that ref names. sums (may be NULL): one for each block, for callers
 * that rebuild. Findings go to f; GP_OK also when there are some. Fails on out of memory only. */
gp_status godb_check_day(const godb_db *db, godb_reader *r, const godb_dayref *ref, int no_rows,
                         godb_findings *f, godb_checked *done, gp_err *err) GP_MUST_CHECK;

/* Decode and verify one block of an open day; findings go to f. */
void godb_check_block(const godb_day *d, godb_reader *r, size_t block, int no_rows,
                      const char *path, godb_findings *f, godb_block_sums *out);

/* Day directories of an interface with every name looked at: stray ones, leftovers and duplicates
 * go to f, days in range to *out (free with godb_days_free()), duplicates included. */
gp_status godb_check_names(const godb_db *db, const char *iface, int64_t first_s, int64_t last_s,
                           godb_days *out, godb_findings *f, gp_err *err) GP_MUST_CHECK;

#endif
