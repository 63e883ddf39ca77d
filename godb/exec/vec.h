/* vec.h - a vector of rows on its way from columns to the tables: packed keys and counters. */
#ifndef EXEC_VEC_H
#define EXEC_VEC_H

#include "plan.h"

/* A packed counter column of one family's part (godb-format.md 3.4), or plain u64 (width 8). */
typedef struct exec_counter {
    const uint8_t *p; /* first value; 7 bytes past the last may be read unless width is 8 */
    unsigned width;   /* bytes a value, 1..8 */
} exec_counter;

/* Scratch of one worker; arrays of columns ("structure of arrays"), so that loops vectorise. */
typedef struct exec_vec {
    int wide;                          /* 1: use the kernels of vec512.h */
    size_t n;                          /* rows, then groups, in k and c */
    uint64_t k[EXEC_KW_MAX][EXEC_VEC]; /* key words */
    uint64_t c[4][EXEC_VEC];           /* counters */
    uint64_t sum[EXEC_VEC + 1];        /* running sums while runs are folded */
    uint32_t starts[EXEC_VEC + 8];     /* first row of each run of equal keys */
    uint8_t differs[EXEC_VEC];         /* row differs from the one before; wide: a bit a row,
                                          the last of a run */
} exec_vec;

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

/* Counters of the same rows to v->c. Neighbours with equal keys (kw words) are folded into one as
 * `fold` says; sets v->n. */
void exec_vec_counters(exec_vec *v, const exec_counter cnt[4], const uint32_t *sel, size_t from,
                       size_t n, unsigned kw, exec_fold fold);

/* 1 if the keys rise strictly. */
int exec_vec_rising(const exec_vec *v, unsigned kw);

/* Sum of n counter values, of all rows from `from` or of those in sel. */
uint64_t exec_counter_sum(const exec_counter *c, const uint32_t *sel, size_t from, size_t n);

#endif
