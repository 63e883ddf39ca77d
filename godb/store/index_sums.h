/* index_sums.h - checksums of consecutive blocks, for a record of the index. */
#ifndef GODB_STORE_INDEX_SUMS_H
#define GODB_STORE_INDEX_SUMS_H

#include "godb/day.h"

/* One thread. Reads the columns ahead: small blocks don't cost a system call each. */
typedef struct godb_index_sums godb_index_sums;

/* d is borrowed. */
gp_status godb_index_sums_new(const godb_day *d, godb_index_sums **out, gp_err *err) GP_MUST_CHECK;
void godb_index_sums_free(godb_index_sums *s);

/* A run begins with the next block added. */
void godb_index_sums_begin(godb_index_sums *s);
/* Add a block, the one behind the last; *sum is its own checksum, as of godb_index_sum_block(). */
gp_status godb_index_sums_add(godb_index_sums *s, size_t block, uint32_t *sum,
                              gp_err *err) GP_MUST_CHECK;
/* Checksum of each column over all blocks since begin. */
void godb_index_sums_get(const godb_index_sums *s, uint32_t sum[GODB_N_COLS]);

#endif
