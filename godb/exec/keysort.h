/* keysort.h - sort references to groups by keys of several words, most significant first. */
#ifndef EXEC_KEYSORT_H
#define EXEC_KEYSORT_H

#include "table.h"

/* A group: where it is, and the word of its key that is being looked at. */
typedef struct exec_item {
    uint64_t k;
    uint32_t ref; /* exec_ref() */
} exec_item;

/* Group i of partition `part` of table `t` in 31 bits. */
static inline uint32_t exec_ref(unsigned t, unsigned part, uint32_t i)
{
    return (uint32_t)t << 30 | (uint32_t)part << 24 | i;
}
static inline unsigned exec_ref_table(uint32_t ref)
{
    return ref >> 30;
}
static inline unsigned exec_ref_part(uint32_t ref)
{
    return ref >> 24 & (EXEC_PARTS - 1);
}
static inline uint32_t exec_ref_entry(uint32_t ref)
{
    return ref & 0xffffff;
}

/* Word `level` of the key of a group. */
typedef uint64_t (*exec_word)(const void *ctx, uint32_t ref, unsigned level);

/* Sort v by words 0, 1, ... levels - 1, rising. v[i].k holds word 0 already and is used up. tmp has
 * room for n items. */
void exec_keysort(exec_item *v, exec_item *tmp, size_t n, unsigned levels, exec_word word,
                  const void *ctx);

#endif
