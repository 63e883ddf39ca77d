/* table.h - hash tables of packed keys, cut into partitions that the workers share.
 *
 *   worker: keys, counters --hash--> one batch per partition --when full, under its lock--> table
 *
 *   partition:  slots (u32: 8-bit tag, 24-bit entry number)  ->  entries in chunks, dense, in order
 *               of arrival: key words (u64), low halves of 4 counters (u32);  high halves, where
 *               they are not 0: a small map by entry number
 *
 * What a big query costs is touching memory, so entries are small: 24 bytes for (sip, dip) of IPv4.
 * A batch is worked off in three passes (prefetch slots, prefetch entries, add), so that cache
 * misses overlap. Entries never move; growing rebuilds only the slots. There is nothing to merge
 * when the scan ends, and the sums do not depend on the order of the batches.
 */
#ifndef EXEC_TABLE_H
#define EXEC_TABLE_H

#include "mem.h"
#include "vec.h"

enum {
    EXEC_PARTS_LOG2 = 6,
    EXEC_PARTS = 1 << EXEC_PARTS_LOG2,
    EXEC_CHUNK = 256,                     /* entries of a chunk */
    EXEC_BATCH = 128,                     /* records of a batch */
    EXEC_PART_ENTRIES_MAX = (1 << 24) - 2 /* entry numbers are 24 bits, 0 means free */
};

/* High halves of an entry's counters. */
typedef struct exec_wide {
    uint32_t entry; /* number + 1; 0 = free */
    uint32_t hi[4];
} exec_wide;

/* Locked inside (lock). */
typedef struct exec_part {
    pthread_mutex_t lock;
    uint32_t *slots; /* tag << 24 | entry + 1; 0 = free */
    uint8_t **chunks;
    exec_wide *wide; /* open addressing; NULL while all counters fit 32 bits */
    uint32_t slots_log2, n, n_chunks, cap_chunks, n_wide, wide_log2;
} __attribute__((aligned(64))) exec_part;

typedef struct exec_table {
    exec_mem *mem;
    exec_slabs *slabs;
    uint64_t seed[EXEC_KW_MAX]; /* random per query: keys come from strangers */
    unsigned kw;                /* key words, 1..EXEC_KW_MAX */
    unsigned n_parts;           /* 1 or EXEC_PARTS */
    exec_part *part;            /* NULL until used */
} exec_table;

/* Records on their way to one partition. */
typedef struct exec_batch {
    uint32_t n;
    uint32_t hash[EXEC_BATCH]; /* bits 26..57 of the hash; the partition is bits 58..63 */
    uint64_t rec[];            /* as entries: key, low halves of the counters */
} exec_batch;

/* One worker's batches for one table. */
typedef struct exec_feed {
    exec_table *t;
    uint8_t *mem; /* all batches */
    size_t mem_bytes;
    exec_batch *b[EXEC_PARTS];
} exec_feed;

gp_status exec_table_init(exec_table *t, unsigned kw, unsigned n_parts, exec_mem *mem,
                          exec_slabs *slabs, const uint64_t seed[EXEC_KW_MAX],
                          gp_err *err) GP_MUST_CHECK;
void exec_table_free(exec_table *t);
/* Forget all entries. Tables that share slabs are reset together, then the slabs. */
void exec_table_reset(exec_table *t);
/* Free the slots: entries can still be read, nothing can be added. */
void exec_table_drop_slots(exec_table *t);
/* Forget all entries but keep the memory: for a table with slabs of its own, once a block. */
void exec_table_clear(exec_table *t);

/* Add the high halves of entry i to c, if it has any. (wide.c) */
void exec_wide_get(const exec_part *p, uint32_t i, uint64_t c[4]);
/* Add hi[j] * 2^32 to the counters of entry i. */
gp_status exec_wide_add(exec_table *t, exec_part *p, uint32_t i, const uint64_t hi[4],
                        gp_err *err) GP_MUST_CHECK;
/* Forget all (and free, unless keep). */
void exec_wide_reset(exec_table *t, exec_part *p, int keep);

static inline size_t exec_entry_words(const exec_table *t)
{
    return t->kw + 2;
}
/* Key words of entry i of a partition. */
static inline uint64_t *exec_entry(const exec_table *t, const exec_part *p, uint32_t i)
{
    void *chunk = p->chunks[i / EXEC_CHUNK];
    return (uint64_t *)chunk + (size_t)(i % EXEC_CHUNK) * exec_entry_words(t);
}

/* Counters of entry i, which is at e: bytes rcvd, bytes sent, packets rcvd, packets sent. */
static inline void exec_entry_counters(const exec_table *t, const exec_part *p, uint32_t i,
                                       const uint64_t *e, uint64_t c[4])
{
    const uint32_t *lo = (const uint32_t *)(const void *)(e + t->kw);

    for (unsigned j = 0; j < 4; j++)
        c[j] = lo[j];
    if (p->n_wide)
        exec_wide_get(p, i, c);
}

gp_status exec_feed_init(exec_feed *s, exec_table *t, gp_err *err) GP_MUST_CHECK;
void exec_feed_free(exec_feed *s);
/* Add the v->n groups of v to the table (GP_ELIMIT, GP_ENOMEM). */
gp_status exec_feed_add(exec_feed *s, const exec_vec *v, gp_err *err) GP_MUST_CHECK;
/* Work off what is still in the batches. */
gp_status exec_feed_flush(exec_feed *s, gp_err *err) GP_MUST_CHECK;
/* Drop what is still in the batches. */
void exec_feed_forget(exec_feed *s);
/* Add the groups of v to a table of one partition that no other thread uses: no batches, no lock.
 */
gp_status exec_table_absorb(exec_table *t, const exec_vec *v, gp_err *err) GP_MUST_CHECK;
/* Put the groups of v at the end of partition `part` without looking for equal keys: for groups
 * that are known to be new. Never mixed with exec_feed_add() on one table. */
gp_status exec_table_append(exec_table *t, unsigned part, const exec_vec *v,
                            gp_err *err) GP_MUST_CHECK;

/* Room for another chunk; internal to table*.c. */
gp_status exec_part_chunk(exec_table *t, exec_part *p, gp_err *err) GP_MUST_CHECK;

#endif
