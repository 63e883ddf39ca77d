/* vec512.h - kernels of vec.c for x86-64 processors with AVX-512 VBMI: eight rows at a time, and no
 * branch on the data. */
#ifndef EXEC_VEC512_H
#define EXEC_VEC512_H

#include "vec.h"

#ifdef __x86_64__
#define EXEC_VEC512 1
/* 1 when this processor can run what follows. */
int exec_v512_ok(void);

/* n values of w bytes each from p to out. Reads and writes nothing behind them. */
void exec_v512_unpack(const uint8_t *p, unsigned w, size_t n, uint64_t *out);

/* Counters of n rows, widths up to 4, to v->low. */
void exec_v512_quads(exec_vec *v, const exec_counter cnt[4], size_t n);

/* Bit i % 8 of ends[i / 8]: row i is the last of a run of equal keys (kw words, n >= 1 rows).
 * Returns the number of runs. */
size_t exec_v512_runs(const exec_vec *v, size_t n, unsigned kw, uint8_t *ends);

/* Fold the runs marked in ends: their keys and the sums of the counters of their rows to the front
 * of v->k and v->c. A counter may lie in v->c itself (width 8). */
void exec_v512_fold(exec_vec *v, const exec_counter cnt[4], size_t n, unsigned kw,
                    const uint8_t *ends);

/* The same for counters of widths up to 4, to v->low. 0: sums do not fit 32 bits; keys are as
 * before, v->low is lost. */
int exec_v512_fold_quads(exec_vec *v, const exec_counter cnt[4], size_t n, unsigned kw,
                         const uint8_t *ends);
/* And for counters in v->low. */
int exec_v512_fold_low(exec_vec *v, size_t n, unsigned kw, const uint8_t *ends);

/* Rows picked by a mask, a bit a row; n <= EXEC_VEC for the last two. */
/* Bits of a mask of bytes that are 0 or 1; those behind the n-th are 0. */
void exec_v512_bits(const uint8_t *mask, size_t n, uint64_t *bits);
/* Numbers base + i of the rows, in order; out has room for EXEC_VEC_ROOM more. Returns how many. */
size_t exec_v512_list(const uint64_t *bits, size_t n, uint32_t base, uint32_t *out);
/* Those with this port (unless dport is NULL) and protocol (unless proto is); returns how many. */
size_t exec_v512_equal(const uint64_t *bits, size_t n, const uint8_t *dport, unsigned port,
                       const uint8_t *proto, unsigned value, uint64_t *equal);
/* Sum of their counters. */
uint64_t exec_v512_sum(const exec_counter *c, size_t n, const uint64_t *bits);
#endif

#endif
