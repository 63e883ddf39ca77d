/* vec.h - a vector of rows on its way from columns to the tables: packed keys and counters. */
#ifndef EXEC_VEC_H
#define EXEC_VEC_H

#include "plan.h"

/* A packed counter column of one family's part (godb-format.md 3.4), or plain u64 (width 8). */
typedef struct exec_counter {
    const uint8_t *p; /* first value; 7 bytes past the last may be read unless width is 8 */
    unsigned width;   /* bytes a value, 1..8 */
} exec_counter;

/* 32 bits of each counter of a row or group: bytes rcvd, bytes sent, packets rcvd, packets sent. */
typedef uint32_t exec_quad __attribute__((vector_size(16)));

/* 1 unless all are 0. */
static inline int exec_quad_any(exec_quad x)
{
    typedef uint64_t halves __attribute__((vector_size(16)));
    halves h = (halves)x;

    return (h[0] | h[1]) != 0;
}

enum { EXEC_VEC_ROOM = 16 }; /* elements that kernels may write behind a vector's end */

/* Scratch of one worker. Keys lie in columns, so that loops over them vectorise; the counters of a
 * row side by side, so that adding them to a group takes one load, one addition and one store. */
typedef struct exec_vec {
    int wide;                                /* 1: use the kernels of vec512.h */
    int has_high;                            /* 0: all counters fit 32 bits, high is not written */
    size_t n;                                /* rows, then groups, in k, low and high */
    uint64_t k[EXEC_KW_MAX][EXEC_VEC];       /* key words */
    exec_quad low[EXEC_VEC + EXEC_VEC_ROOM]; /* low halves of the counters */
    exec_quad high[EXEC_VEC];                /* high halves */
    uint64_t c[4][EXEC_VEC];                 /* counters in columns: while they are made */
    uint64_t sum[EXEC_VEC + 1];              /* running sums while runs are folded */
    uint32_t starts[EXEC_VEC + EXEC_VEC_ROOM]; /* first row of each run; wide: rows of a mask */
    uint8_t differs[EXEC_VEC];                 /* row differs from the one before; wide: a bit a
                                                  row, the last of a run */
} exec_vec;

/* Counters of group i. */
static inline void exec_vec_get(const exec_vec *v, size_t i, uint64_t c[4])
{
    for (unsigned j = 0; j < 4; j++)
        c[j] = v->low[i][j] | (v->has_high ? (uint64_t)v->high[i][j] << 32 : 0);
}

/* Set them; has_high is 0 before the first. */
static inline void exec_vec_set(exec_vec *v, size_t i, const uint64_t c[4])
{
    uint64_t any = 0;

    for (unsigned j = 0; j < 4; j++) {
        v->low[i][j] = (uint32_t)c[j];
        v->high[i][j] = (uint32_t)(c[j] >> 32);
        any |= c[j] >> 32;
    }
    v->has_high |= any != 0;
}

/* Group `from` to place `to` (the keys are not moved). */
static inline void exec_vec_move(exec_vec *v, size_t to, size_t from)
{
    v->low[to] = v->low[from];
    if (v->has_high)
        v->high[to] = v->high[from];
}

/* Before first use: the rest of *v may be anything. */
void exec_vec_init(exec_vec *v);

/* Pack the keys of n rows: rows from, from + 1, ... of the part, or sel[0..n) when sel is not NULL.
 * The time word is not written. */
void exec_vec_keys(exec_vec *v, const exec_keylayout *l, unsigned f, const exec_cols *cols,
                   const uint32_t *sel, size_t from, size_t n);

typedef enum exec_fold {
    EXEC_FOLD_NO,
    EXEC_FOLD_PAYS, /* when it removes at least an eighth of the rows */
    EXEC_FOLD_ALL
} exec_fold;

/* Counters of the same rows to v->low and v->high; sel rises. Neighbours with equal keys (kw words)
 * are folded into one as `fold` says; sets v->n. */
void exec_vec_counters(exec_vec *v, const exec_counter cnt[4], const uint32_t *sel, size_t from,
                       size_t n, unsigned kw, exec_fold fold);

/* 1 if the keys rise strictly. */
int exec_vec_rising(const exec_vec *v, unsigned kw);

/* Sum of n counter values, of all rows from `from` or of those in sel. */
uint64_t exec_counter_sum(const exec_counter *c, const uint32_t *sel, size_t from, size_t n);

#endif
