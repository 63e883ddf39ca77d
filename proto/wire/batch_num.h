/* batch_num.h - numbers of a batch: a symbol that says the size, and the bits it leaves open.
 *
 * Symbols are few and repeat, so zstd makes them short; the open bits of larger numbers are noise,
 * so they stand apart, uncompressed. Small numbers are their own symbol. */
#ifndef WIRE_BATCH_NUM_H
#define WIRE_BATCH_NUM_H

#include "gp/bytes.h"

#include <stddef.h>
#include <stdint.h>

enum {
    NUM_PLAIN = 128,                                /* numbers below are their own symbol */
    NUM_FIRST = 7,                                  /* highest bit of the first larger number */
    NUM_SYMBOLS = NUM_PLAIN + 2 * (64 - NUM_FIRST), /* two for each highest bit: the next bit */
    NUM_BITS_PAD = 64 /* bytes behind the bits that may be read or written */
};

/* Writer of bits, least significant first; p has room for what is put and NUM_BITS_PAD more. */
typedef struct num_bits_out {
    uint8_t *p;
    uint64_t acc;  /* bits not yet stored */
    unsigned fill; /* how many, 0..7 between calls */
} num_bits_out;

/* k <= 56 bits of v, whose other bits are zero. */
static inline void num_bits_put(num_bits_out *b, uint64_t v, unsigned k)
{
    b->acc |= v << b->fill;
    b->fill += k;
    gp_put_le64(b->p, b->acc);
    b->p += b->fill >> 3;
    b->acc >>= b->fill & ~7u;
    b->fill &= 7;
}

/* The symbol of v; its open bits go to b. */
static inline uint8_t num_put(num_bits_out *b, uint64_t v)
{
    unsigned high = 63 - (unsigned)__builtin_clzll(v | 1);
    unsigned k = v < NUM_PLAIN ? 0 : high - 1;
    uint64_t open = v & ((UINT64_C(1) << k) - 1);
    unsigned size = NUM_PLAIN + 2 * (high - NUM_FIRST) + (unsigned)(v >> k & 1);

    if (__builtin_expect(k > 56, 0)) {
        num_bits_put(b, open & UINT32_MAX, 32);
        open >>= 32;
        num_bits_put(b, open, k - 32);
    } else {
        num_bits_put(b, open, k);
    }
    return (uint8_t)(v < NUM_PLAIN ? v : size);
}

/* Number of bytes written since `start`, the last one filled up with zeros. */
static inline size_t num_bits_end(const num_bits_out *b, const uint8_t *start)
{
    return (size_t)(b->p - start) + (b->fill > 0);
}

/* Reader of bits. Between checks of num_bits_ok() it may run up to NUM_BITS_PAD - 16 bytes past the
 * end. */
typedef struct num_bits_in {
    const uint8_t *p;
    uint64_t at, end; /* in bits */
} num_bits_in;

typedef struct num_table {
    uint64_t base[256];
    uint8_t open[256]; /* number of open bits */
} num_table;

static inline void num_table_init(num_table *t)
{
    *t = (num_table){0};
    for (unsigned s = 0; s < NUM_PLAIN; s++)
        t->base[s] = s;
    for (unsigned s = NUM_PLAIN; s < NUM_SYMBOLS; s++) {
        unsigned high = NUM_FIRST + (s - NUM_PLAIN) / 2;
        t->base[s] = (2 + (uint64_t)(s & 1)) << (high - 1);
        t->open[s] = (uint8_t)(high - 1);
    }
}

static inline uint64_t num_bits_get(num_bits_in *b, unsigned k)
{
    uint64_t v = gp_le64(b->p + (b->at >> 3)) >> (b->at & 7) & ((UINT64_C(1) << k) - 1);
    b->at += k;
    return v;
}

static inline uint64_t num_get(const num_table *t, num_bits_in *b, uint8_t symbol)
{
    unsigned k = t->open[symbol];
    uint64_t low = 0;

    if (__builtin_expect(k > 56, 0)) {
        low = num_bits_get(b, 32);
        return t->base[symbol] | num_bits_get(b, k - 32) << 32 | low;
    }
    return t->base[symbol] | num_bits_get(b, k);
}

static inline int num_bits_ok(const num_bits_in *b)
{
    return b->at <= b->end;
}

#endif
