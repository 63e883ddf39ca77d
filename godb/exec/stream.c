/* stream.c - the groups of an interface in key order: partitions are sorted in place of their hash
 * slots (4 bytes a group), then merged while they are sent. */
#include "final.h"

#include "gp/mem.h"
#include "gp/pool.h"

#include <stdlib.h>
#include <string.h>

/* Order of the entries of one partition; `run` is what the merge has reached. */
typedef struct run {
    const uint64_t *head; /* entry at the front; NULL when used up */
    const exec_part *part;
    const uint32_t *order;
    uint32_t at, n;
} run;

typedef struct stream {
    exec_final *f;
    unsigned table;
    uint32_t *order[EXEC_PARTS]; /* entry numbers in key order */
    size_t bytes[EXEC_PARTS];
    run heap[EXEC_PARTS]; /* smallest key at the root */
    unsigned n_heap;
    atomic_uint next;
} stream;

static int key_cmp(const uint64_t *a, const uint64_t *b, unsigned kw)
{
    for (unsigned w = 0; w < kw; w++)
        if (a[w] != b[w])
            return a[w] < b[w] ? -1 : 1;
    return 0;
}

typedef struct sort_item {
    uint64_t k0; /* first key word: most comparisons end here */
    const uint64_t *e;
    uint32_t i;
} sort_item;

static int item_cmp(const void *a, const void *b, void *ctx)
{
    const sort_item *x = a, *y = b;
    const unsigned *kw = ctx;

    if (x->k0 != y->k0)
        return x->k0 < y->k0 ? -1 : 1;
    return key_cmp(x->e + 1, y->e + 1, *kw - 1);
}

/* Fill order[] of one partition. */
static gp_status sort_part(stream *s, unsigned i, gp_err *err)
{
    exec_mem *mem = &s->f->x->mem;
    const exec_table *t = &s->f->x->table[s->table];
    const exec_part *p = &t->part[i];
    void *mem_order = NULL, *mem_items = NULL;
    size_t bytes = p->n * sizeof(sort_item);
    unsigned kw = t->kw;

    if (p->n == 0)
        return GP_OK;
    s->bytes[i] = p->n * sizeof(uint32_t);
    GP_TRY(exec_mem_alloc(mem, s->bytes[i], &mem_order, err));
    s->order[i] = mem_order;
    GP_TRY(exec_mem_alloc(mem, bytes, &mem_items, err));
    sort_item *v = mem_items;
    for (uint32_t j = 0; j < p->n; j++) {
        const uint64_t *e = exec_entry(t, p, j);
        v[j] = (sort_item){.k0 = e[0], .e = e, .i = j};
    }
    qsort_r(v, p->n, sizeof *v, item_cmp, &kw);
    for (uint32_t j = 0; j < p->n; j++)
        s->order[i][j] = v[j].i;
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
        gp_status st = gp_cancel_check(s->f->x->opts->cancel);
        if (st != GP_OK)
            gp_fail(&err, st, 0, "%s", gp_status_name(st));
        else
            st = sort_part(s, i, &err);
        if (st != GP_OK) {
            exec_failed(s->f->x, st, &err);
            return;
        }
    }
}

/* ---- merge ---- */

static void sift(stream *s, unsigned i)
{
    unsigned kw = s->f->x->table[s->table].kw, kid;
    run x = s->heap[i];

    while ((kid = 2 * i + 1) < s->n_heap) {
        if (kid + 1 < s->n_heap && key_cmp(s->heap[kid + 1].head, s->heap[kid].head, kw) < 0)
            kid++;
        if (key_cmp(x.head, s->heap[kid].head, kw) <= 0)
            break;
        s->heap[i] = s->heap[kid];
        i = kid;
    }
    s->heap[i] = x;
}

static void heap_fill(stream *s)
{
    const exec_table *t = &s->f->x->table[s->table];

    s->n_heap = 0;
    for (unsigned i = 0; i < EXEC_PARTS; i++) {
        const exec_part *p = &t->part[i];
        if (p->n)
            s->heap[s->n_heap++] = (run){.head = exec_entry(t, p, s->order[i][0]),
                                         .part = p,
                                         .order = s->order[i],
                                         .n = p->n};
    }
    for (unsigned i = s->n_heap / 2; i-- > 0;)
        sift(s, i);
}

/* The next entry in key order and its counters; NULL at the end. */
static const uint64_t *heap_next(stream *s, uint64_t c[4])
{
    if (s->n_heap == 0)
        return NULL;
    run *r = &s->heap[0];
    const uint64_t *e = r->head;
    exec_entry_counters(&s->f->x->table[s->table], r->part, r->order[r->at], e, c);
    if (++r->at == r->n) {
        s->heap[0] = s->heap[--s->n_heap];
    } else {
        r->head = exec_entry(&s->f->x->table[s->table], r->part, r->order[r->at]);
        if (r->at + 8 < r->n) /* entries lie anywhere */
            __builtin_prefetch(exec_entry(&s->f->x->table[s->table], r->part, r->order[r->at + 8]));
    }
    if (s->n_heap)
        sift(s, 0);
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
        e = heap_next(s, c);
        if (e && exec_keeps(f->x->bin_s ? QUERY_DIR_NONE : f->x->plan.dirfilter, c)) {
            exec_tally_add(&tally, c);
            exec_final_row(f, s->table, e, c, &rows[n++]);
        }
        if (n == EXEC_STREAM_ROWS || (!e && n)) {
            gp_status st = gp_cancel_check(f->x->opts->cancel);
            if (st != GP_OK)
                return gp_fail(err, st, 0, "%s", gp_status_name(st));
            st = sink(sink_ctx, f->out, rows, n);
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
        stream s = {.f = f, .table = t};
        st = gp_parallel(exec_few_groups(f->x) ? 1 : f->x->n_threads, sort_thread, &s, err);
        if (st == GP_OK)
            st = exec_check(f->x, err);
        if (st == GP_OK) {
            heap_fill(&s);
            st = send_all(&s, sink, sink_ctx, rows, err);
        }
        for (unsigned i = 0; i < EXEC_PARTS; i++)
            exec_mem_free(mem, s.order[i], s.bytes[i]);
    }
    exec_mem_free(mem, rows, bytes);
    return st;
}
