/* final.c - rows out of the tables: bounded heaps for the first N, or all of them. */
#include "final.h"

#include "gp/mem.h"
#include "gp/pool.h"

#include <string.h>

gp_status exec_final_init(exec_final *f, exec_ctx *x, result *out, gp_err *err)
{
    *f = (exec_final){.x = x, .out = out, .order = result_order_of(x->stmt)};
    f->limit = x->top_n || x->opts->max_rows <= EXEC_TOP_MAX ? x->opts->max_rows : 0;
    f->top = gp_calloc(x->n_threads, sizeof *f->top);
    f->tally = gp_alloc_aligned(x->n_threads, sizeof *f->tally);
    if (!f->top || !f->tally) {
        exec_final_free(f);
        return gp_fail(err, GP_ENOMEM, 0, "out of memory for rows");
    }
    for (unsigned i = 0; i < x->n_threads; i++)
        f->top[i].limit = (size_t)f->limit;
    return GP_OK;
}

void exec_top_free(exec_final *f, exec_top *t)
{
    exec_mem_free(&f->x->mem, t->v, t->cap * sizeof *t->v);
    *t = (exec_top){0};
}

void exec_final_free(exec_final *f)
{
    for (unsigned i = 0; f->top && i < f->x->n_threads; i++)
        exec_top_free(f, &f->top[i]);
    gp_free(f->top);
    gp_free(f->tally);
    *f = (exec_final){0};
}

void exec_final_row(const exec_final *f, unsigned table, const uint64_t *e, const uint64_t c[4],
                    result_row *row)
{
    memset(row, 0, sizeof *row);
    exec_key_to_row(&f->x->plan, (int)table, e, row);
    row->host = f->host;
    row->iface = f->iface;
    row->c = (result_counters){c[0], c[1], c[2], c[3]};
}

/* ---- the first N ---- */

static uint64_t add_sat(uint64_t a, uint64_t b)
{
    uint64_t s;
    return __builtin_add_overflow(a, b, &s) ? UINT64_MAX : s;
}

uint64_t exec_final_rank(const exec_final *f, unsigned table, const uint64_t *e, const uint64_t *c)
{
    const exec_table *t = &f->x->table[table];
    const result_order *o = &f->order;
    uint64_t v;

    if (o->sort == QUERY_SORT_PACKETS)
        c += 2;

    if (o->sort == QUERY_SORT_TIME)
        v = o->has_time ? e[t->kw - 1] : 0;
    else if (o->direction == QUERY_IN)
        v = c[0];
    else if (o->direction == QUERY_OUT)
        v = c[1];
    else
        v = add_sat(c[0], c[1]);
    return o->ascending ? ~v : v;
}

uint64_t exec_final_row_rank(const exec_final *f, const result_row *r)
{
    const result_order *o = &f->order;
    int packets = o->sort == QUERY_SORT_PACKETS;
    uint64_t in = packets ? r->c.pkts_rcvd : r->c.bytes_rcvd;
    uint64_t out = packets ? r->c.pkts_sent : r->c.bytes_sent, v;

    if (o->sort == QUERY_SORT_TIME)
        v = o->has_time ? (uint64_t)r->time_s : 0;
    else if (o->direction == QUERY_IN)
        v = in;
    else if (o->direction == QUERY_OUT)
        v = out;
    else
        v = add_sat(in, out);
    return o->ascending ? ~v : v;
}

static int better(const exec_final *f, const exec_cand *a, const exec_cand *b)
{
    if (a->rank != b->rank)
        return a->rank > b->rank;
    return result_row_cmp(f->out, &f->order, &a->row, &b->row) < 0;
}

static void sift_up(const exec_final *f, exec_cand *v, size_t i)
{
    exec_cand x = v[i];

    while (i > 0 && better(f, &v[(i - 1) / 2], &x)) {
        v[i] = v[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    v[i] = x;
}

static void sift_down(const exec_final *f, exec_cand *v, size_t n)
{
    exec_cand x = v[0];
    size_t i = 0, kid;

    while ((kid = 2 * i + 1) < n) {
        if (kid + 1 < n && better(f, &v[kid], &v[kid + 1]))
            kid++;
        if (!better(f, &x, &v[kid]))
            break;
        v[i] = v[kid];
        i = kid;
    }
    v[i] = x;
}

static gp_status top_grow(exec_final *f, exec_top *t, gp_err *err)
{
    size_t cap = t->cap ? t->cap * 2 : 1024;
    void *v = NULL;

    if (cap > t->limit)
        cap = t->limit;
    GP_TRY(exec_mem_alloc(&f->x->mem, cap * sizeof *t->v, &v, err));
    if (t->n)
        memcpy(v, t->v, t->n * sizeof *t->v);
    exec_mem_free(&f->x->mem, t->v, t->cap * sizeof *t->v);
    t->v = v;
    t->cap = cap;
    return GP_OK;
}

gp_status exec_top_offer_row(exec_final *f, exec_top *t, const exec_cand *cand, gp_err *err)
{
    if (t->n < t->limit) {
        if (t->n == t->cap)
            GP_TRY(top_grow(f, t, err));
        t->v[t->n] = *cand;
        sift_up(f, t->v, t->n++);
    } else if (better(f, cand, &t->v[0])) {
        t->v[0] = *cand;
        sift_down(f, t->v, t->n);
    }
    return GP_OK;
}

gp_status exec_top_offer(exec_final *f, exec_top *t, unsigned table, const uint64_t *e,
                         const uint64_t c[4], uint64_t rank, gp_err *err)
{
    exec_cand cand = {.rank = rank};

    if (t->n >= t->limit && rank < t->v[0].rank)
        return GP_OK;
    exec_final_row(f, table, e, c, &cand.row);
    return exec_top_offer_row(f, t, &cand, err);
}

/* ---- passes over the partitions ---- */

/* Count (and offer to the heap) the groups of one partition. */
static gp_status part_tally(exec_final *f, unsigned thread, unsigned table, const exec_part *p,
                            gp_err *err)
{
    const exec_table *t = &f->x->table[table];
    exec_top *top = &f->top[thread];
    struct exec_tally *tally = &f->tally[thread];
    query_dirfilter dir = f->dir;

    for (uint32_t i = 0; i < p->n; i++) {
        const uint64_t *e = exec_entry(t, p, i);
        uint64_t c[4];
        exec_entry_counters(t, p, i, e, c);
        if (!exec_keeps(dir, c))
            continue;
        exec_tally_add(tally, c);
        if (f->limit) {
            uint64_t rank = exec_final_rank(f, table, e, c);
            if (top->n < top->limit || rank >= top->v[0].rank)
                GP_TRY(exec_top_offer(f, top, table, e, c, rank, err));
        }
    }
    return GP_OK;
}

gp_status exec_unfilled(const exec_ctx *x, uint64_t rows, gp_err *err)
{
    gp_status st = gp_cancel_check(x->opts->cancel);

    if (st == GP_OK)
        return GP_OK;
    return gp_fail(err, st, 0, "%s before fully filled, %llu/%llu rows",
                   st == GP_EDEADLINE ? "the query's deadline passed" : "cancelled",
                   (unsigned long long)rows, (unsigned long long)exec_groups(x));
}

static void pass_thread(void *ctx, unsigned thread)
{
    exec_final *f = ctx;
    unsigned i;

    while ((i = atomic_fetch_add(&f->next, 1)) < f->x->n_tables * EXEC_PARTS) {
        const exec_part *p = &f->x->table[i / EXEC_PARTS].part[i % EXEC_PARTS];
        gp_err err = {0};
        gp_status st = exec_unfilled(f->x, 0, &err);
        if (st == GP_OK)
            st = part_tally(f, thread, i / EXEC_PARTS, p, &err);
        if (st != GP_OK) {
            exec_failed(f->x, st, &err);
            return;
        }
    }
}

static gp_status run_pass(exec_final *f, gp_err *err)
{
    atomic_store(&f->next, 0);
    GP_TRY(gp_parallel(exec_few_groups(f->x) ? 1 : f->x->n_threads, pass_thread, f, err));
    return exec_check(f->x, err);
}

/* What was counted while scanning replaces what is left in the tables. */
static void take_early(exec_final *f)
{
    for (unsigned i = 0; i < f->x->n_threads; i++) {
        exec_worker *w = &f->x->workers[i];
        f->tally[i] = (struct exec_tally){
            .hits = w->tally_hits, .totals = {w->tally[0], w->tally[1], w->tally[2], w->tally[3]}};
        w->tally_hits = 0;
        memset(w->tally, 0, sizeof w->tally);
    }
}

gp_status exec_final_iface(exec_final *f, gp_err *err)
{
    result *out = f->out;
    uint64_t hits = 0;

    memset(f->tally, 0, f->x->n_threads * sizeof *f->tally);
    f->dir = f->x->bin_s ? QUERY_DIR_NONE : f->x->plan.dirfilter;
    GP_TRY(run_pass(f, err));
    if (f->x->early)
        take_early(f);
    for (unsigned i = 0; i < f->x->n_threads; i++) {
        const struct exec_tally *t = &f->tally[i];
        hits += t->hits;
        out->totals.bytes_rcvd += t->totals.bytes_rcvd;
        out->totals.bytes_sent += t->totals.bytes_sent;
        out->totals.pkts_rcvd += t->totals.pkts_rcvd;
        out->totals.pkts_sent += t->totals.pkts_sent;
    }
    out->hits_total += hits;
    if (f->limit || hits == 0)
        return GP_OK;
    return exec_final_all(f, hits, err);
}

gp_status exec_final_finish(exec_final *f, gp_err *err)
{
    result *out = f->out;

    for (unsigned i = 0; f->limit && i < f->x->n_threads; i++) {
        exec_top *t = &f->top[i];
        GP_TRY(exec_mem_take(&f->x->mem, t->n * sizeof *out->rows, err));
        GP_TRY(result_reserve_rows(out, t->n, err));
        for (size_t j = 0; j < t->n; j++)
            out->rows[out->n_rows++] = t->v[j].row;
    }
    if (f->sorted_parts == 1 && !f->limit)
        return GP_OK; /* all rows are of one interface, and in order */
    return result_sort(out, &f->order, f->x->opts->max_rows, err);
}
