/* keysort.c - radix sort by one key word, then the runs of ties by the next. */
#include "keysort.h"

#include <stdlib.h>
#include <string.h>

enum { RADIX_MIN = 512 }; /* fewer items are sorted by comparing */

typedef struct by_words {
    exec_word word;
    const void *ctx;
    unsigned level, levels; /* level: word in exec_item.k */
} by_words;

static int cmp_items(const void *pa, const void *pb, void *ctx)
{
    const exec_item *a = pa, *b = pb;
    const by_words *s = ctx;

    if (a->k != b->k)
        return a->k < b->k ? -1 : 1;
    for (unsigned l = s->level + 1; l < s->levels; l++) {
        uint64_t x = s->word(s->ctx, a->ref, l), y = s->word(s->ctx, b->ref, l);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

/* Least significant byte first; bytes that are all the same cost nothing. Result in v. */
static void radix(exec_item *v, exec_item *tmp, size_t n)
{
    size_t count[8][256] = {{0}};
    exec_item *from = v, *to = tmp;

    for (size_t i = 0; i < n; i++)
        for (unsigned b = 0; b < 8; b++)
            count[b][v[i].k >> (8 * b) & 0xff]++;
    for (unsigned b = 0; b < 8; b++) {
        size_t at = 0;
        if (count[b][v[0].k >> (8 * b) & 0xff] == n)
            continue;
        for (unsigned d = 0; d < 256; d++) {
            size_t c = count[b][d];
            count[b][d] = at;
            at += c;
        }
        for (size_t i = 0; i < n; i++)
            to[count[b][from[i].k >> (8 * b) & 0xff]++] = from[i];
        exec_item *x = from;
        from = to;
        to = x;
    }
    if (from != v)
        memcpy(v, from, n * sizeof *v);
}

static void sort_level(exec_item *v, exec_item *tmp, size_t n, by_words s)
{
    if (n < RADIX_MIN) {
        qsort_r(v, n, sizeof *v, cmp_items, &s);
        return;
    }
    radix(v, tmp, n);
    if (++s.level == s.levels)
        return;
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && v[j].k == v[i].k; j++)
            ;
        if (j - i < 2)
            continue;
        for (size_t k = i; k < j; k++)
            v[k].k = s.word(s.ctx, v[k].ref, s.level);
        sort_level(v + i, tmp, j - i, s);
    }
}

void exec_keysort(exec_item *v, exec_item *tmp, size_t n, unsigned levels, exec_word word,
                  const void *ctx)
{
    if (n > 1)
        sort_level(v, tmp, n, (by_words){.word = word, .ctx = ctx, .levels = levels});
}
