/* index_run.h - addresses and ranges of a run of blocks, collected for one index record. */
#ifndef GODB_STORE_INDEX_RUN_H
#define GODB_STORE_INDEX_RUN_H

#include "godb/day.h"
#include "indexfile.h"

/* Zero-initialise. One thread. */
typedef struct godb_index_run {
    uint32_t first, n;     /* blocks */
    uint64_t stored_bytes; /* of all columns */
    uint8_t flags;
    uint64_t min[2][2], max[2][2]; /* as in godb_index_rec */
    uint64_t *set;                 /* open addressing, 0 = free; hashes are never 0 */
    size_t cap;                    /* slots, a power of two; 0 before the first */
    uint32_t keys;
    int overflow; /* 1: more keys than a record may hold */
    gp_buf sums;  /* u32 for each block */
} godb_index_run;

/* Forget everything, keep the memory. first: block that will come first. */
void godb_index_run_clear(godb_index_run *r, uint32_t first);
void godb_index_run_free(godb_index_run *r);

/* Add the next block: its descriptor, decoded sip and dip columns, and checksum. */
gp_status godb_index_run_add(godb_index_run *r, const godb_block *b, const uint8_t *sip,
                             const uint8_t *dip, uint32_t sum, gp_err *err) GP_MUST_CHECK;

/* Append the record; rec has tie, times and sums, the rest is filled in. */
gp_status godb_index_run_write(godb_index_run *r, godb_index_rec *rec, gp_buf *out,
                               gp_err *err) GP_MUST_CHECK;

#endif
