/* rowtable.h - hash table of rows by their whole key; counters of equal keys are added up. */
#ifndef RESULT_ROWTABLE_H
#define RESULT_ROWTABLE_H

#include "result/result.h"

/* Rows lie in chunks that never move, in order of their first arrival:
 *
 *   slots  [tag|idx+1][ free ][tag|idx+1] ...   8 bytes each, at most 2/3 full, linear probing
 *                |
 *   chunks [row row row ...] [row row ...]      ROWTABLE_CHUNK rows each
 *
 * The tag (high 32 bits of the hash) gives the position in slots (its top bits), so growing reads
 * the slots only, in order, and writes nearly in order. One thread.
 */
enum {
    ROWTABLE_SHIFT = 13,
    ROWTABLE_CHUNK = 1 << ROWTABLE_SHIFT, /* rows a chunk: 704 KiB */
    ROWTABLE_BATCH = 256,                 /* most rows a call */
};

typedef struct rowtable {
    result_row **chunks;
    uint32_t n_chunks, cap_chunks;
    uint32_t n; /* rows held */
    uint64_t *slots;
    unsigned bits; /* log2 of the number of slots; 0 = none yet */
    uint64_t seed[4];
    size_t mem, mem_limit;     /* bytes held, bytes allowed (0 = no limit) */
    const result_quota *quota; /* where they are taken from as well; may be NULL */
} rowtable;

/* Seeds from the system's random numbers: rows come from strangers, so that nobody can make
 * colliding keys. */
void result_rowtable_init(rowtable *t, size_t mem_limit);
void result_rowtable_free(rowtable *t);

/* Add n rows (at most ROWTABLE_BATCH); *merged is increased by those that met an equal key.
 * Counters stop at their largest value. GP_ELIMIT when mem_limit would be passed, GP_ENOMEM; then
 * none of the rows was added. rows must have zero padding bytes (result_rowtable_stage). */
gp_status result_rowtable_add(rowtable *t, const result_row *rows, size_t n, uint64_t *merged,
                              gp_err *err) GP_MUST_CHECK;

/* Copy a row with other labels; padding bytes of the key become zero. */
void result_rowtable_stage(result_row *dst, const result_row *src, uint32_t host, uint32_t iface,
                           int64_t time_s);

static inline result_row *result_rowtable_row(const rowtable *t, uint32_t i)
{
    return t->chunks[i >> ROWTABLE_SHIFT] + (i & (ROWTABLE_CHUNK - 1));
}

#endif
