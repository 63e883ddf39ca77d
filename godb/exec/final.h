/* final.h - from the tables to rows: totals, direction filter, the first N, all rows, streams. */
#ifndef EXEC_FINAL_H
#define EXEC_FINAL_H

#include "scan.h"

enum {
    EXEC_STREAM_ROWS = 8192, /* rows a call of the sink */
    EXEC_TOP_MAX = 1 << 18,  /* bigger limits are sorted in full, which takes less memory */
    EXEC_EARLY_MAX = 1 << 20 /* the same for rows by time, most of which are never kept */
};

/* A row that may be among the first N. rank: greater comes first. */
typedef struct exec_cand {
    uint64_t rank;
    result_row row;
} exec_cand;

/* One worker's best rows over all interfaces: a heap whose root is the worst. */
typedef struct exec_top {
    exec_cand *v;
    size_t n, cap, limit;
} exec_top;

typedef struct exec_final {
    exec_ctx *x;
    result *out;
    result_order order;
    uint64_t limit; /* rows to keep in heaps; 0 = all rows */
    exec_top *top;  /* per thread, limit > 0 */
    uint32_t host, iface;
    query_dirfilter dir; /* still to be applied to groups */
    /* per thread, of this interface */
    struct exec_tally {
        uint64_t hits;
        result_counters totals;
    } __attribute__((aligned(64))) * tally;
    unsigned sorted_parts; /* interfaces whose rows were added in order */
    atomic_uint next;      /* next (table, partition) to work on */
} exec_final;

gp_status exec_final_init(exec_final *f, exec_ctx *x, result *out, gp_err *err) GP_MUST_CHECK;
void exec_final_free(exec_final *f);

/* The interface's groups to heaps or rows; adds hits and totals to *out. */
gp_status exec_final_iface(exec_final *f, gp_err *err) GP_MUST_CHECK;
/* The same when all rows are wanted: `hits` rows, sorted, behind those of *out. (allrows.c) */
gp_status exec_final_all(exec_final *f, uint64_t hits, gp_err *err) GP_MUST_CHECK;
/* After the last interface: sorted rows in *out. */
gp_status exec_final_finish(exec_final *f, gp_err *err) GP_MUST_CHECK;

/* The interface's groups in key order to sink. (stream.c) */
gp_status exec_final_stream(exec_final *f, exec_sink sink, void *sink_ctx,
                            gp_err *err) GP_MUST_CHECK;

/* Offer the group with key e to a heap; its rank is exec_final_rank(). */
gp_status exec_top_offer(exec_final *f, exec_top *t, unsigned table, const uint64_t *e,
                         const uint64_t c[4], uint64_t rank, gp_err *err) GP_MUST_CHECK;
/* The same for a finished row. */
gp_status exec_top_offer_row(exec_final *f, exec_top *t, const exec_cand *cand,
                             gp_err *err) GP_MUST_CHECK;
void exec_top_free(exec_final *f, exec_top *t);

/* Row of a group with key e and counters c. */
void exec_final_row(const exec_final *f, unsigned table, const uint64_t *e, const uint64_t c[4],
                    result_row *row);

/* Sort value of a row. */
uint64_t exec_final_row_rank(const exec_final *f, const result_row *r);
/* Sort value of a group; greater comes first, equal ones are told apart by result_row_cmp(). */
uint64_t exec_final_rank(const exec_final *f, unsigned table, const uint64_t *e, const uint64_t *c);

/* 1 if the direction filter keeps an entry with these four counters. */
static inline int exec_keeps(query_dirfilter d, const uint64_t *c)
{
    return d == QUERY_DIR_NONE || query_dirfilter_match(d, c[2], c[3]);
}

static inline void exec_tally_add(struct exec_tally *t, const uint64_t *c)
{
    t->hits++;
    t->totals.bytes_rcvd += c[0];
    t->totals.bytes_sent += c[1];
    t->totals.pkts_rcvd += c[2];
    t->totals.pkts_sent += c[3];
}

/* When the query is cancelled or late while its groups become rows: a failure that says how many of
 * them have. */
gp_status exec_unfilled(const exec_ctx *x, uint64_t rows, gp_err *err) GP_MUST_CHECK;

#endif
