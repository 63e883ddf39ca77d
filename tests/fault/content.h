/* content.h - blocks whose content follows from their timestamp, so that any reader can verify
 * them. */
#ifndef CONTENT_H
#define CONTENT_H

#include "storetest.h"

enum { CONTENT_MAX_ROWS = 1300 };

/* Rows of the block of time_s: 0 to 80 of them, now and then more than 1,000 random addresses
 * (which the codec cannot shrink: large raw columns). Returns how many. */
static inline size_t content_rows(int64_t time_s, godb_row rows[CONTENT_MAX_ROWS])
{
    test_rng rng = {(uint64_t)time_s * UINT64_C(0x9E3779B97F4A7C15) | 1};
    size_t n = (size_t)(test_rng_u64(&rng) % 81);

    if (test_rng_below(&rng, 12) == 0)
        n = CONTENT_MAX_ROWS - 100 + n;
    for (size_t i = 0; i < n; i++) {
        godb_row *r = &rows[i];
        *r = (godb_row){.family = test_rng_below(&rng, 8) ? 4 : 6, .proto = 6};
        size_t w = r->family == 4 ? 4 : 16;
        r->sip[0] = 10;
        r->sip[w - 1] = (uint8_t)test_rng_below(&rng, 5);
        test_rng_fill(&rng, r->dip, w);
        r->dport = (uint16_t)test_rng_below(&rng, 3);
        for (size_t k = 0; k < GODB_N_COUNTERS; k++)
            r->counter[k] = test_rng_u64(&rng) >> (30 + 4 * k);
    }
    return n;
}

/* The block of time_s in stored order, borrowed from s. */
static inline godb_rows content_block(godb_sorter *s, int64_t time_s)
{
    static godb_row rows[CONTENT_MAX_ROWS];
    godb_rows out = {0};
    size_t n = content_rows(time_s, rows);

    godb_sorter_clear(s);
    for (size_t i = 0; i < n; i++)
        if (godb_sorter_add(s, &rows[i]) != GP_OK)
            abort();
    if (godb_sorter_finish(s, 0, &out, NULL) != GP_OK)
        abort();
    return out;
}

static inline uint64_t content_drops(int64_t time_s)
{
    return (uint64_t)time_s % 7;
}

/* Same rows? */
static inline int content_equal(const godb_rows *a, const godb_rows *b)
{
    size_t n = (size_t)a->n_v4 + a->n_v6, w = 4 * (size_t)a->n_v4 + 16 * (size_t)a->n_v6;

    if (a->n_v4 != b->n_v4 || a->n_v6 != b->n_v6)
        return 0;
    if (n == 0)
        return 1;
    int same = memcmp(a->sip, b->sip, w) == 0 && memcmp(a->dip, b->dip, w) == 0 &&
               memcmp(a->proto, b->proto, n) == 0 && memcmp(a->dport, b->dport, 2 * n) == 0;
    for (size_t k = 0; k < GODB_N_COUNTERS; k++)
        same = same && memcmp(a->counter[k], b->counter[k], n * 8) == 0;
    return same;
}

#endif
