/* timed.c - groups of one block whose key has the time: complete when the block is done.
 *
 * Block times are unique, so such groups need no look-up: they are appended. When only the first N
 * rows are wanted (by time, rising) most are not even kept: once N groups up to some time are
 * known, groups after it can only be counted. Wider time bins do need look-ups, after the direction
 * filter (4.6: it acts before binning).
 */
#include "scan.h"

#include "gp/mem.h"

#include <string.h>

enum { CUT_MAX = 4096 }; /* steps kept; more are joined in pairs, which only moves the cut later */

/* Groups known to lie at a time. */
typedef struct cut_step {
    int64_t time_s;
    uint64_t n;
} cut_step;

struct exec_cut {
    uint64_t limit, total; /* groups wanted; groups in the steps */
    size_t n;
    cut_step step[CUT_MAX]; /* rising time */
};

gp_status exec_cut_init(exec_ctx *x, uint64_t limit, gp_err *err)
{
    x->cut = gp_calloc(1, sizeof *x->cut);
    if (!x->cut)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory for the query");
    x->cut->limit = limit;
    exec_cut_reset(x);
    return GP_OK;
}

void exec_cut_reset(exec_ctx *x)
{
    if (x->cut)
        x->cut->n = x->cut->total = 0;
    atomic_store(&x->cut_s, INT64_MAX);
}

static void join_pairs(struct exec_cut *c)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n; i += 2) {
        cut_step s = c->step[i];
        if (i + 1 < c->n) {
            s.time_s = c->step[i + 1].time_s;
            s.n += c->step[i + 1].n;
        }
        c->step[n++] = s;
    }
    c->n = n;
}

/* n groups at time_s are kept; move the cut when that is enough. Called with x->lock held. */
static void cut_note(exec_ctx *x, int64_t time_s, uint64_t n)
{
    struct exec_cut *c = x->cut;
    size_t i = c->n;

    while (i > 0 && c->step[i - 1].time_s >= time_s)
        i--;
    if (i < c->n && c->step[i].time_s == time_s) {
        c->step[i].n += n;
    } else {
        memmove(c->step + i + 1, c->step + i, (c->n - i) * sizeof *c->step);
        c->step[i] = (cut_step){time_s, n};
        c->n++;
    }
    c->total += n;
    while (c->n > 1 && c->total - c->step[c->n - 1].n >= c->limit)
        c->total -= c->step[--c->n].n;
    if (c->total >= c->limit)
        atomic_store(&x->cut_s, c->step[c->n - 1].time_s);
    if (c->n == CUT_MAX)
        join_pairs(c);
}

/* Drop the groups that the direction filter does not keep. */
static void filter_groups(exec_vec *v, unsigned kw, query_dirfilter dir)
{
    size_t m = 0;

    if (dir == QUERY_DIR_NONE)
        return;
    for (size_t i = 0; i < v->n; i++) {
        uint64_t c[4];
        exec_vec_get(v, i, c);
        if (!query_dirfilter_match(dir, c[2], c[3]))
            continue;
        for (unsigned w = 0; w < kw; w++)
            v->k[w][m] = v->k[w][i];
        exec_vec_move(v, m++, i);
    }
    v->n = m;
}

static void tally(exec_worker *w, const exec_vec *v)
{
    w->tally_hits += v->n;
    for (size_t i = 0; i < v->n; i++) {
        uint64_t c[4];
        exec_vec_get(v, i, c);
        for (unsigned j = 0; j < 4; j++)
            w->tally[j] += c[j];
    }
}

/* Blocks are spread over the partitions of a table. */
static unsigned part_of(int64_t time_s)
{
    return (unsigned)((uint64_t)time_s * UINT64_C(0x9e3779b97f4a7c15) >> (64 - EXEC_PARTS_LOG2));
}

gp_status exec_emit_timed(exec_worker *w, int64_t time_s, unsigned t, gp_err *err)
{
    exec_ctx *x = w->x;
    exec_vec *v = w->vec;
    exec_table *table = &x->table[t];
    unsigned kw = table->kw - 1;
    uint64_t stamp = (uint64_t)(x->bin_s ? query_time_bin(time_s, x->bin_s) : time_s);

    if (x->bin_s || x->early)
        filter_groups(v, kw, x->plan.dirfilter);
    if (x->early) {
        tally(w, v);
        if (v->n == 0 || time_s > atomic_load_explicit(&x->cut_s, memory_order_relaxed))
            return GP_OK;
        pthread_mutex_lock(&x->lock);
        cut_note(x, time_s, v->n);
        pthread_mutex_unlock(&x->lock);
    }
    for (size_t i = 0; i < v->n; i++)
        v->k[kw][i] = stamp;
    if (x->append)
        return exec_table_append(table, part_of(time_s), v, err);
    GP_TRY(exec_feed_ready(w, t, err));
    return exec_feed_add(&w->feed[t], v, err);
}
