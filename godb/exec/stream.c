/* stream.c - the groups of an interface in key order: partitions are sorted in place of their hash
 * slots (4 bytes a group), then merged while they are sent. */
#include "final.h"
#include "keysort.h"

#include "gp/mem.h"
#include "gp/pool.h"

#include <stdlib.h>
#include <string.h>

enum { AHEAD = 6 }; /* entries of a run fetched ahead */

/* One partition in key order, and what the merge has reached. */
typedef struct run {
    uint64_t k0;          /* first key word of the head: most comparisons end here */
    const uint64_t *head; /* entry at the front; NULL when used up */
    const exec_part *part;
    const uint32_t *order;
    uint32_t at, n;
} run;

typedef struct stream {
    exec_final *f;
    const exec_table *t;
    unsigned table, kw;
    uint32_t *order[EXEC_PARTS]; /* entry numbers in key order */
    size_t bytes[EXEC_PARTS];
    run run[EXEC_PARTS];
    uint8_t loser[EXEC_PARTS];
    unsigned winner;
    atomic_uint next;
} stream;

static uint64_t word_of(const void *ctx, uint32_t ref, unsigned level)
{
    const exec_table *t = ctx;

    return exec_entry(t, &t->part[exec_ref_part(ref)], exec_ref_entry(ref))[level];
}

/* Fill order[] of one partition. */
static gp_status sort_part(stream *s, unsigned i, gp_err *err)
{
    exec_mem *mem = &s->f->x->mem;
    const exec_table *t = s->t;
    const exec_part *p = &t->part[i];
    void *order = NULL, *items = NULL;
    size_t bytes = 2 * p->n * sizeof(exec_item);

    if (p->n == 0)
        return GP_OK;
    s->bytes[i] = p->n * sizeof(uint32_t);
    GP_TRY(exec_mem_alloc(mem, s->bytes[i], &order, err));
    s->order[i] = order;
    GP_TRY(exec_mem_alloc(mem, bytes, &items, err));
    exec_item *v = items;
    for (uint32_t j = 0; j < p->n; j++)
        v[j] = (exec_item){exec_entry(t, p, j)[0], exec_ref(0, i, j)};
    exec_keysort(v, v + p->n, p->n, t->kw, word_of, t);
    for (uint32_t j = 0; j < p->n; j++)
        s->order[i][j] = exec_ref_entry(v[j].ref);
    exec_mem_free(mem, v, bytes);
    return GP_OK;
}

static void sort_thread(void *ctx, unsigned thread)
{
    stream *s = ctx;
    unsigned i;

    (void)thread;
    while ((i = atomic_fetch_add(&s->next, 1)) < EXEC_PARTS) {
        gp_err err = {0};
        gp_status st = exec_unfilled(s->f->x, 0, &err);
        if (st == GP_OK)
            st = sort_part(s, i, &err);
        if (st != GP_OK) {
            exec_failed(s->f->x, st, &err);
            return;
        }
    }
}

/* ---- merge: a tree of losers; taking the smallest costs one comparison a level ---- */

static inline int run_before(const stream *s, unsigned a, unsigned b)
{
    const run *x = &s->run[a], *y = &s->run[b];

    if (x->k0 != y->k0)
        return x->k0 < y->k0;
    if (!x->head || !y->head)
        return x->head != NULL;
    for (unsigned w = 1; w < s->kw; w++)
        if (x->head[w] != y->head[w])
            return x->head[w] < y->head[w];
    return 0;
}

/* Make the group at r->at the head; a run that is used up comes last. */
static void run_head(const stream *s, run *r)
{
    if (r->at >= r->n) {
        r->head = NULL;
        r->k0 = UINT64_MAX;
        return;
    }
    r->head = exec_entry(s->t, r->part, r->order[r->at]);
    r->k0 = r->head[0];
    if (r->at + AHEAD < r->n) /* entries lie anywhere */
        __builtin_prefetch(exec_entry(s->t, r->part, r->order[r->at + AHEAD]));
}

/* Winner of the matches below node; losers stay in the nodes. */
static unsigned play(stream *s, unsigned node)
{
    if (node >= EXEC_PARTS)
        return node - EXEC_PARTS;
    unsigned a = play(s, 2 * node), b = play(s, 2 * node + 1);
    int first = !run_before(s, b, a);
    s->loser[node] = (uint8_t)(first ? b : a);
    return first ? a : b;
}

static void merge_start(stream *s)
{
    for (unsigned i = 0; i < EXEC_PARTS; i++) {
        const exec_part *p = &s->t->part[i];
        s->run[i] = (run){.part = p, .order = s->order[i], .n = p->n};
        run_head(s, &s->run[i]);
    }
    s->winner = play(s, 1);
}

/* The next entry in key order and its counters; NULL at the end. */
static const uint64_t *merge_next(stream *s, uint64_t c[4])
{
    unsigned win = s->winner;
    run *r = &s->run[win];
    const uint64_t *e = r->head;

    if (!e)
        return NULL;
    exec_entry_counters(s->t, r->part, r->order[r->at], e, c);
    r->at++;
    run_head(s, r);
    for (unsigned node = (win + EXEC_PARTS) / 2; node >= 1; node /= 2) {
        unsigned other = s->loser[node];
        if (run_before(s, other, win)) {
            s->loser[node] = (uint8_t)win;
            win = other;
        }
    }
    s->winner = win;
    return e;
}

static gp_status send_all(stream *s, exec_sink sink, void *sink_ctx, result_row *rows, gp_err *err)
{
    exec_final *f = s->f;
    struct exec_tally tally = {0};
    const uint64_t *e;
    uint64_t c[4];
    size_t n = 0;

    do {
        e = merge_next(s, c);
        if (e && exec_keeps(f->x->bin_s ? QUERY_DIR_NONE : f->x->plan.dirfilter, c)) {
            exec_tally_add(&tally, c);
            exec_final_row(f, s->table, e, c, &rows[n++]);
        }
        if (n == EXEC_STREAM_ROWS || (!e && n)) {
            GP_TRY(exec_unfilled(f->x, tally.hits - n, err));
            gp_status st = sink(sink_ctx, f->out, rows, n);
            if (st != GP_OK)
                return gp_fail(err, st, 0, "the receiver of the rows stopped: %s",
                               gp_status_name(st));
            n = 0;
        }
    } while (e);
    f->out->hits_total += tally.hits;
    f->out->totals.bytes_rcvd += tally.totals.bytes_rcvd;
    f->out->totals.bytes_sent += tally.totals.bytes_sent;
    f->out->totals.pkts_rcvd += tally.totals.pkts_rcvd;
    f->out->totals.pkts_sent += tally.totals.pkts_sent;
    return GP_OK;
}

gp_status exec_final_stream(exec_final *f, exec_sink sink, void *sink_ctx, gp_err *err)
{
    exec_mem *mem = &f->x->mem;
    const size_t bytes = EXEC_STREAM_ROWS * sizeof(result_row);
    gp_status st = GP_OK;
    void *rows = NULL;

    GP_TRY(exec_mem_alloc(mem, bytes, &rows, err));
    for (unsigned t = 0; t < f->x->n_tables && st == GP_OK; t++) {
        stream s = {.f = f, .t = &f->x->table[t], .table = t, .kw = f->x->table[t].kw};
        st = gp_parallel(exec_few_groups(f->x) ? 1 : f->x->n_threads, sort_thread, &s, err);
        if (st == GP_OK)
            st = exec_check(f->x, err);
        if (st == GP_OK) {
            merge_start(&s);
            st = send_all(&s, sink, sink_ctx, rows, err);
        }
        for (unsigned i = 0; i < EXEC_PARTS; i++)
            exec_mem_free(mem, s.order[i], s.bytes[i]);
    }
    exec_mem_free(mem, rows, bytes);
    return st;
}
