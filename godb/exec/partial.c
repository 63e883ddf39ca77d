/* partial.c - the first rows of what was scanned so far, while workers go on.
 *
 * Workers share their tables and hold batches, small arrays and a front table of their own. So a
 * snapshot asks them to hand those over, waits a moment without stopping anybody, and then looks at
 * one partition after the other under its lock. It may see a block of one worker and not yet one of
 * another; each row shown is a sum of blocks that were scanned.
 */
#include "final.h"

#include "gp/mem.h"

enum { HAND_OVER_MS = 20, SHARE = 5 };

typedef struct snapshot {
    exec_final *f;
    exec_top top;
    struct exec_tally tally;
    query_dirfilter dir;
} snapshot;

static gp_status look_at_part(snapshot *s, unsigned table, const exec_part *p, gp_err *err)
{
    const exec_table *t = &s->f->x->table[table];

    for (uint32_t i = 0; i < p->n; i++) {
        const uint64_t *e = exec_entry(t, p, i);
        uint64_t c[4];
        exec_entry_counters(t, p, i, e, c);
        if (!exec_keeps(s->dir, c))
            continue;
        exec_tally_add(&s->tally, c);
        GP_TRY(exec_top_offer(s->f, &s->top, table, e, c, exec_final_rank(s->f, table, e, c), err));
    }
    return GP_OK;
}

static gp_status look_at_tables(snapshot *s, gp_err *err)
{
    exec_ctx *x = s->f->x;

    for (unsigned t = 0; t < x->n_tables; t++)
        for (unsigned i = 0; i < EXEC_PARTS; i++) {
            exec_part *p = &x->table[t].part[i];
            pthread_mutex_lock(&p->lock);
            gp_status st = look_at_part(s, t, p, err);
            pthread_mutex_unlock(&p->lock);
            GP_TRY(st);
        }
    return GP_OK;
}

/* Rows of the interfaces before: in heaps, or in the result when all rows are wanted. */
static gp_status look_at_rows(snapshot *s, gp_err *err)
{
    const exec_final *f = s->f;

    for (unsigned i = 0; f->limit && i < f->x->n_threads; i++)
        for (size_t k = 0; k < f->top[i].n; k++)
            GP_TRY(exec_top_offer_row(s->f, &s->top, &f->top[i].v[k], err));
    for (size_t i = 0; i < f->out->n_rows; i++) {
        exec_cand c = {exec_final_row_rank(f, &f->out->rows[i]), f->out->rows[i]};
        GP_TRY(exec_top_offer_row(s->f, &s->top, &c, err));
    }
    return GP_OK;
}

/* Labels at the same positions, summary, rows. */
static gp_status to_result(const snapshot *s, result *r, gp_err *err)
{
    const result *out = s->f->out;

    GP_TRY(result_init(r, 1 << 20, err));
    r->fields = out->fields;
    r->condition = result_strdup(r, out->condition);
    r->time_first_s = s->f->x->stmt->first_s;
    r->time_last_s = s->f->x->stmt->last_s;
    r->data_available = 1;
    r->hits_total = out->hits_total + s->tally.hits;
    r->totals = out->totals;
    r->totals.bytes_rcvd += s->tally.totals.bytes_rcvd;
    r->totals.bytes_sent += s->tally.totals.bytes_sent;
    r->totals.pkts_rcvd += s->tally.totals.pkts_rcvd;
    r->totals.pkts_sent += s->tally.totals.pkts_sent;
    int ok = r->condition != NULL;
    for (size_t i = 0; ok && i < out->n_hosts; i++)
        ok = result_host_id(r, out->hosts[i].name, out->hosts[i].id) == i;
    for (size_t i = 0; ok && i < out->n_names; i++)
        ok = result_iface_id(r, out->names[i]) == i &&
             result_add_iface(r, out->names[i], err) == GP_OK;
    if (!ok)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory for a snapshot");
    GP_TRY(result_reserve_rows(r, s->top.n + 1, err));
    for (size_t i = 0; i < s->top.n; i++)
        r->rows[r->n_rows++] = s->top.v[i].row;
    GP_TRY(result_sort(r, &s->f->order, s->top.limit, err));
    result_finish_status(r);
    return GP_OK;
}

/* A snapshot that does not work out (memory) is left out; the query itself will tell. */
static void take_snapshot(exec_ctx *x)
{
    const exec_opts *o = x->opts;
    snapshot s = {.f = x->final, .dir = x->bin_s ? QUERY_DIR_NONE : x->plan.dirfilter};
    result r = {0};

    s.top.limit = o->partial_rows < EXEC_PARTIAL_MAX ? o->partial_rows : EXEC_PARTIAL_MAX;
    if (s.top.limit == 0)
        return;
    gp_status st = look_at_tables(&s, NULL);
    if (st == GP_OK)
        st = look_at_rows(&s, NULL);
    if (st == GP_OK)
        st = to_result(&s, &r, NULL);
    exec_top_free(s.f, &s.top);
    if (st == GP_OK)
        o->partial(o->partial_ctx, &r);
    result_clear(&r);
}

void exec_partial(exec_ctx *x)
{
    int64_t now = gp_mono_ns(), ms = x->opts->partial_ms;

    if (now < x->next_partial_ns)
        return;
    if (!x->partial_asked) {
        x->partial_asked = 1;
        x->next_partial_ns = now + (ms < HAND_OVER_MS ? ms : HAND_OVER_MS) * 1000000;
        atomic_fetch_add(&x->hand_over, 1);
        return;
    }
    x->partial_asked = 0;
    take_snapshot(x);
    int64_t end = gp_mono_ns(), pause = (end - now) * SHARE;
    x->next_partial_ns = end + (pause > ms * 1000000 ? pause : ms * 1000000);
}
