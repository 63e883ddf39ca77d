/* office.h - rows like an office's traffic: 400 local hosts, many remote ones, few services. */
#ifndef BENCH_STORE_OFFICE_H
#define BENCH_STORE_OFFICE_H

#include "godb/columns.h"
#include "godb/writer.h"
#include "gp/bytes.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t office_seed = 88172645463325252u;

static inline uint64_t office_rnd(void)
{
    office_seed ^= office_seed << 13;
    office_seed ^= office_seed >> 7;
    office_seed ^= office_seed << 17;
    return office_seed;
}

/* Clear s and add so many rows. */
static inline void office_block(godb_sorter *s, size_t rows)
{
    godb_sorter_clear(s);
    for (size_t i = 0; i < rows; i++) {
        godb_row r = {.family = 4, .proto = office_rnd() % 4 ? 6 : 17};
        uint64_t x = office_rnd();
        gp_put_be32(r.sip, 10u << 24 | (uint32_t)(x % 400));
        gp_put_be32(r.dip, x >> 60 ? (uint32_t)(x >> 20) % 3000 * 7919 + (80u << 24)
                                   : (uint32_t)(x >> 20));
        r.dport = office_rnd() % 3 ? 443 : (uint16_t)office_rnd();
        for (int k = 0; k < 4; k++)
            r.counter[k] = office_rnd() >> (40 + (k > 1 ? 12u : 0u) + office_rnd() % 10);
        if (godb_sorter_add(s, &r) != GP_OK)
            exit(1);
    }
}

static inline int office_rm_one(const char *p, const struct stat *st, int t, struct FTW *f)
{
    (void)st;
    (void)t;
    (void)f;
    return remove(p);
}

/* Remove a tree. */
static inline void office_rm(const char *path)
{
    (void)nftw(path, office_rm_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
