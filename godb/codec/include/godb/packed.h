/* packed.h - packed counters: one width byte, then little-endian values (godb-format.md 3.4). */
#ifndef GODB_PACKED_H
#define GODB_PACKED_H

#include "gp/bytes.h"

#include <stddef.h>
#include <stdint.h>

/* Width 1..8 if raw is a valid packed column of exactly n values, else 0. Both the single byte 01
 * and no bytes at all are "no values" (width 1) when n is 0. */
unsigned godb_packed_width(const uint8_t *raw, size_t len, size_t n);

/* Append the packed form of n values to out (1 + w n bytes). */
void godb_packed_encode(const uint64_t *values, size_t n, gp_buf *out);

/* Values [from, from + count) to u64. raw was checked with godb_packed_width (w is its result). */
void godb_packed_decode(const uint8_t *raw, unsigned w, size_t from, size_t count,
                        uint64_t *values);

/* Sum (modulo 2^64) of values [from, from + count) without materialising them. */
uint64_t godb_packed_sum(const uint8_t *raw, unsigned w, size_t from, size_t count);

/* One value. */
static inline uint64_t godb_packed_get(const uint8_t *raw, unsigned w, size_t i)
{
    const uint8_t *p = raw + 1 + (size_t)w * i;
    uint64_t v = 0;
    for (unsigned k = 0; k < w; k++)
        v |= (uint64_t)p[k] << (8 * k);
    return v;
}

#endif
