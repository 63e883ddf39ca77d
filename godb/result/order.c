/* order.c - the order of rows (query.md 5.5), full sorts and the first N by a bounded heap. */
#include "order.h"

#include "gp/bytes.h"
#include "gp/mem.h"
#include "number.h"

#include <stdlib.h>
#include <string.h>

result_order result_order_of(const query_stmt *s)
{
    int time = (s->labels & QUERY_LABEL_TIME) != 0;
    return (result_order){
        .sort = time ? QUERY_SORT_TIME : s->sort,
        .direction = s->direction,
        .ascending = time ? 1 : s->ascending,
        .has_time = (uint8_t)time,
    };
}

static uint64_t counter_key(const result_order *o, const result_counters *c)
{
    uint64_t in = o->sort == QUERY_SORT_BYTES ? c->bytes_rcvd : c->pkts_rcvd;
    uint64_t out = o->sort == QUERY_SORT_BYTES ? c->bytes_sent : c->pkts_sent;
    switch (o->direction) {
    case QUERY_IN:
        return in;
    case QUERY_OUT:
        return out;
    case QUERY_BOTH:
    case QUERY_SUM:
        break;
    }
    return result_number_add(in, out);
}

/* First word of the order: smaller comes first. */
static uint64_t first_key(const result_order *o, const result_row *r)
{
    uint64_t k = o->sort == QUERY_SORT_TIME ? (uint64_t)r->time_s ^ (UINT64_C(1) << 63)
                                            : counter_key(o, &r->c);
    return o->ascending ? k : ~k;
}

/* Second word: a prefix of (sip, dip, proto, dport) in which smaller never means later. Ties are
 * left to the full comparison. 2 bits of family come before each address. */
static uint64_t second_key(const result_order *o, const result_row *r)
{
    uint64_t s = gp_be64(r->sip), d = gp_be64(r->dip), k;
    if (r->sip_family == 6)
        k = UINT64_C(2) << 62 | s >> 2;
    else if (r->sip_family == 4)
        k = UINT64_C(1) << 62 | s >> 32 << 30 | (uint64_t)(r->dip_family / 2) << 28 | d >> 36;
    else if (r->dip_family == 6)
        k = UINT64_C(2) << 60 | d >> 4;
    else if (r->dip_family == 4)
        k = UINT64_C(1) << 60 | d >> 32 << 28 | (uint64_t)r->proto << 20 | (uint64_t)r->dport << 4;
    else
        k = (uint64_t)r->proto << 16 | r->dport;
    return o->ascending ? k : ~k;
}

static int cmp_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int cmp_addr(uint8_t fa, const uint8_t a[16], uint8_t fb, const uint8_t b[16])
{
    return fa != fb ? (fa > fb) - (fa < fb) : memcmp(a, b, 16);
}

/* What decides when the counters are equal, up to the time stamp. */
static int cmp_tie(const result_row *a, const result_row *b)
{
    int c = cmp_addr(a->sip_family, a->sip, b->sip_family, b->sip);
    if (!c)
        c = cmp_addr(a->dip_family, a->dip, b->dip_family, b->dip);
    if (!c)
        c = (a->proto > b->proto) - (a->proto < b->proto);
    if (!c)
        c = (a->dport > b->dport) - (a->dport < b->dport);
    if (!c)
        c = (a->time_s > b->time_s) - (a->time_s < b->time_s);
    return c;
}

static int cmp_host(const result_host *a, const result_host *b)
{
    int c = strcmp(a->name, b->name);
    return c ? c : strcmp(a->id, b->id);
}

int result_row_cmp(const result *r, const result_order *o, const result_row *a, const result_row *b)
{
    int c = cmp_u64(first_key(o, a), first_key(o, b));
    if (c)
        return c;
    c = cmp_tie(a, b);
    if (!c) {
        const result_host *x = &r->hosts[a->host], *y = &r->hosts[b->host];
        c = strcmp(x->name, y->name);
        if (!c)
            c = strcmp(r->names[a->iface], r->names[b->iface]);
        if (!c)
            c = strcmp(x->id, y->id);
    }
    return o->ascending ? c : -c;
}

/* ---- ranks: names as numbers, so that sorting compares no text ---- */

typedef struct order_ctx {
    const order_view *view;
    const result_order *o;
    uint32_t *host_rank, *iface_rank;
} order_ctx;

static int cmp_host_pp(const void *a, const void *b, void *ctx)
{
    const result_host *t = ctx;
    return cmp_host(&t[*(const uint32_t *)a], &t[*(const uint32_t *)b]);
}

static int cmp_name_pp(const void *a, const void *b, void *ctx)
{
    const char *const *t = ctx;
    return strcmp(t[*(const uint32_t *)a], t[*(const uint32_t *)b]);
}

/* rank[i] = place of entry i; equal entries get the same rank. NULL if out of memory. */
static uint32_t *make_ranks(void *table, size_t n, int (*cmp)(const void *, const void *, void *))
{
    uint32_t *rank = gp_alloc(2 * n + 1, sizeof *rank);
    if (!rank)
        return NULL;
    uint32_t *order = rank + n;
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    qsort_r(order, n, sizeof *order, cmp, table);
    uint32_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (i && cmp(&order[i - 1], &order[i], table) != 0)
            at++;
        rank[order[i]] = at;
    }
    return rank;
}

static int cmp_full(const order_ctx *x, uint32_t i, uint32_t j)
{
    const result_row *a = result_order_row(x->view, i), *b = result_order_row(x->view, j);
    int c = cmp_tie(a, b);
    if (!c)
        c = cmp_u64(x->host_rank[a->host], x->host_rank[b->host]);
    if (!c)
        c = cmp_u64(x->iface_rank[a->iface], x->iface_rank[b->iface]);
    return x->o->ascending ? c : -c;
}

static int cmp_entry(const void *a, const void *b, void *ctx)
{
    return cmp_full(ctx, ((const order_entry *)a)->idx, ((const order_entry *)b)->idx);
}

/* ---- full sort: radix by the first key, then runs of ties by the second, then by comparison ----
 */

static void sort_run(order_ctx *x, order_entry *v, order_entry *tmp, size_t n)
{
    if (n < 64) {
        qsort_r(v, n, sizeof *v, cmp_entry, x);
        return;
    }
    for (size_t i = 0; i < n; i++)
        v[i].key = second_key(x->o, result_order_row(x->view, v[i].idx));
    result_radix_sort(v, tmp, n);
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && v[j].key == v[i].key; j++)
            ;
        if (j - i > 1)
            qsort_r(v + i, j - i, sizeof *v, cmp_entry, x);
    }
}

static void sort_all(order_ctx *x, order_entry *v, order_entry *tmp, size_t n)
{
    result_radix_sort(v, tmp, n);
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && v[j].key == v[i].key; j++)
            ;
        if (j - i > 1)
            sort_run(x, v + i, tmp, j - i);
    }
}

/* ---- the first N: a heap whose root is the last row that still belongs to them ---- */

static int later(const order_ctx *x, const order_entry *a, const order_entry *b)
{
    if (a->key != b->key)
        return a->key > b->key;
    return cmp_full(x, a->idx, b->idx) > 0;
}

static void sift_down(const order_ctx *x, order_entry *heap, size_t n, size_t i)
{
    order_entry e = heap[i];
    for (;;) {
        size_t kid = 2 * i + 1;
        if (kid >= n)
            break;
        if (kid + 1 < n && later(x, &heap[kid + 1], &heap[kid]))
            kid++;
        if (!later(x, &heap[kid], &e))
            break;
        heap[i] = heap[kid];
        i = kid;
    }
    heap[i] = e;
}

static void select_heap(const order_ctx *x, order_entry *heap, size_t limit)
{
    const order_view *view = x->view;
    for (size_t i = 0; i < limit; i++)
        heap[i] = (order_entry){first_key(x->o, result_order_row(view, (uint32_t)i)), (uint32_t)i};
    for (size_t i = limit / 2; i-- > 0;)
        sift_down(x, heap, limit, i);
    for (size_t i = limit; i < view->n; i++) {
        order_entry e = {first_key(x->o, result_order_row(view, (uint32_t)i)), (uint32_t)i};
        if (e.key > heap[0].key || !later(x, &heap[0], &e))
            continue;
        heap[0] = e;
        sift_down(x, heap, limit, 0);
    }
}

gp_status result_order_select(const result *r, const order_view *view, const result_order *o,
                              uint64_t limit, order_entry **out, size_t *n, gp_err *err)
{
    if (view->n >= UINT32_MAX)
        return gp_fail(err, GP_ELIMIT, 0, "sorting is limited to 4,294,967,294 rows");
    order_ctx x = {.view = view, .o = o};
    size_t keep = limit && limit < view->n ? (size_t)limit : view->n;
    int heap = keep < view->n / 8;
    size_t room = heap ? keep : view->n;
    order_entry *v = gp_alloc(2 * room + 1, sizeof *v);
    x.host_rank = make_ranks(r->hosts, r->n_hosts, cmp_host_pp);
    x.iface_rank = make_ranks(r->names, r->n_names, cmp_name_pp);
    if (!v || !x.host_rank || !x.iface_rank) {
        gp_free(v);
        gp_free(x.host_rank);
        gp_free(x.iface_rank);
        return gp_fail(err, GP_ENOMEM, 0, "sorting: out of memory for %zu rows", room);
    }
    if (heap)
        select_heap(&x, v, keep);
    else
        for (size_t i = 0; i < view->n; i++)
            v[i] = (order_entry){first_key(o, result_order_row(view, (uint32_t)i)), (uint32_t)i};
    sort_all(&x, v, v + room, room);
    gp_free(x.host_rank);
    gp_free(x.iface_rank);
    *out = v;
    *n = keep;
    return GP_OK;
}

/* Put rows into the order of v by following the cycles of the permutation: no second array. */
static void permute(result_row *rows, order_entry *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (v[i].idx == i)
            continue;
        result_row first = rows[i];
        size_t at = i;
        while (v[at].idx != i) {
            size_t from = v[at].idx;
            rows[at] = rows[from];
            v[at].idx = (uint32_t)at;
            at = from;
        }
        rows[at] = first;
        v[at].idx = (uint32_t)at;
    }
}

gp_status result_sort(result *r, const result_order *o, uint64_t limit, gp_err *err)
{
    order_view view = {.chunks = &r->rows, .shift = 63, .n = r->n_rows};
    order_entry *v = NULL;
    size_t n = 0;
    if (r->n_rows == 0)
        return GP_OK;
    GP_TRY(result_order_select(r, &view, o, limit, &v, &n, err));
    if (n == r->n_rows) {
        permute(r->rows, v, n);
    } else {
        result_row *kept = gp_alloc(n, sizeof *kept);
        if (!kept) {
            gp_free(v);
            return gp_fail(err, GP_ENOMEM, 0, "sorting: out of memory for %zu rows", n);
        }
        for (size_t i = 0; i < n; i++)
            kept[i] = r->rows[v[i].idx];
        gp_free(r->rows);
        r->rows = kept;
        r->n_rows = r->cap_rows = n;
    }
    gp_free(v);
    return GP_OK;
}
