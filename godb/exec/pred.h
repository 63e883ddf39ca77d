/* pred.h - a condition made ready for one address family: constants folded, tables precomputed. */
#ifndef EXEC_PRED_H
#define EXEC_PRED_H

#include "godb/index.h"
#include "gp/arena.h"
#include "gp/err.h"
#include "query/cond.h"

#include <stddef.h>
#include <stdint.h>

enum {
    EXEC_VEC = 2048,    /* rows handled at a time: masks and keys stay in the nearest caches */
    EXEC_CONJ_MAX = 15, /* one top-level "&" term per set of columns */
    EXEC_LUT_LEAVES = 8 /* port or protocol terms from which a bit table beats comparing */
};

typedef enum exec_pred_kind {
    EXEC_P_FALSE,
    EXEC_P_TRUE,
    EXEC_P_AND,
    EXEC_P_OR,
    EXEC_P_RANGE16, /* lo <= dport <= hi, or not (neg) */
    EXEC_P_RANGE8,  /* the same for proto */
    EXEC_P_LUT16,   /* bit dport of lut */
    EXEC_P_LUT8,    /* bit proto of lut */
    EXEC_P_NET4,    /* (address & mask) == value, or not (neg) */
    EXEC_P_NET6,
    EXEC_P_SET, /* address (16 bytes) in a sorted set, or not (neg) */
    EXEC_P_SET4
} exec_pred_kind;

/* What an address leaf asks of a day's index. */
typedef struct exec_probe {
    godb_col col;
    gp_net net;
    const godb_index_key *keys; /* single addresses; NULL: net */
    size_t n_keys;
} exec_probe;

typedef struct exec_pred exec_pred;
struct exec_pred {
    exec_pred_kind kind;
    uint8_t attr; /* query_attr of a leaf */
    uint8_t neg;
    uint16_t lo, hi;
    uint64_t mask[2],
        value[2];          /* as loaded from memory (network order); NET4 uses 32 bits of [0] */
    const uint64_t *lut;   /* bits */
    const uint8_t *set;    /* set_n sorted addresses of 4 or 16 bytes */
    const uint64_t *bloom; /* 65,536 bits: hash of each address of the set */
    size_t set_n;
    unsigned attrs;          /* 1 << query_attr below this node */
    unsigned leaves;         /* comparisons below this node, saturating */
    unsigned depth;          /* 1 for a leaf */
    const exec_probe *probe; /* leaves that a block index may rule out; else NULL */
    const exec_pred *l, *r;
};

/* Columns of the rows at hand; NULL where the predicate does not look. */
typedef struct exec_cols {
    const uint8_t *addr[2]; /* sip, dip of the first row of the family's part */
    const uint8_t *dport;   /* big-endian, of the first row of the part */
    const uint8_t *proto;
} exec_cols;

/* One top-level "&" term. */
typedef struct exec_conj {
    const exec_pred *p;
    unsigned attrs; /* columns it needs, 1 << query_attr */
    unsigned cost;  /* bytes a row of those columns: the start of the adaptive order */
} exec_conj;

/* What of a condition concerns one family. */
typedef struct exec_filter {
    int never, always; /* nothing or everything matches */
    unsigned n;
    int probes;     /* 1: an index may show that no row of a block matches */
    unsigned depth; /* deepest predicate: scratch masks needed */
    exec_conj conj[EXEC_CONJ_MAX];
} exec_filter;

/* Prepare cond for rows of family 4 or 6; the U20 rule is applied here (a condition on addresses of
 * one family never takes rows of the other). Memory comes from arena. GP_ENOMEM. */
gp_status exec_filter_build(const query_cond *cond, int family, gp_arena *arena, exec_filter *out,
                            gp_err *err) GP_MUST_CHECK;

/* 0: by its index, no row of the block can match. 1: unknown. (probe.c) */
int exec_filter_may(const exec_filter *f, const godb_index *ix, size_t block);
/* Give an address leaf its probe, where an index can help. GP_ENOMEM. */
gp_status exec_probe_attach(exec_pred *p, int family, gp_arena *a) GP_MUST_CHECK;
/* 1 if exec_filter_may() can ever be 0. */
int exec_pred_probes(const exec_pred *p);

/* mask[i] = 1 if row from + i matches, else 0, for i < n <= EXEC_VEC. scratch: p->depth * EXEC_VEC
 * bytes. */
void exec_pred_eval(const exec_pred *p, const exec_cols *c, size_t from, size_t n, uint8_t *mask,
                    uint8_t *scratch);

/* ---- kernels (predkern.c) ---- */
void exec_k_range16(const uint8_t *v, size_t n, uint16_t lo, uint16_t hi, uint8_t neg,
                    uint8_t *mask);
void exec_k_range8(const uint8_t *v, size_t n, uint8_t lo, uint8_t hi, uint8_t neg, uint8_t *mask);
void exec_k_lut16(const uint8_t *v, size_t n, const uint64_t *lut, uint8_t *mask);
void exec_k_lut8(const uint8_t *v, size_t n, const uint64_t *lut, uint8_t *mask);
void exec_k_net4(const uint8_t *v, size_t n, uint32_t m, uint32_t value, uint8_t neg,
                 uint8_t *mask);
void exec_k_net6(const uint8_t *v, size_t n, const uint64_t m[2], const uint64_t value[2],
                 uint8_t neg, uint8_t *mask);
void exec_k_set(const uint8_t *v, size_t n, const exec_pred *p, size_t width, uint8_t *mask);
void exec_k_and(uint8_t *a, const uint8_t *b, size_t n);
void exec_k_or(uint8_t *a, const uint8_t *b, size_t n);
/* Number of rows with mask 1. */
size_t exec_k_count(const uint8_t *mask, size_t n);
/* Row numbers base + i of the ones, in order; out has room for n + 8. Returns how many. */
size_t exec_k_select(const uint8_t *mask, size_t n, uint32_t base, uint32_t *out);
/* Bit of exec_pred.bloom for an address. */
unsigned exec_set_hash(const uint8_t *addr, size_t width);

#endif
