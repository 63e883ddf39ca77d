/* local.c - a worker's own tables, without locks and batches: the groups of one block when the key
 * has the time, else a small table in front of the shared ones; before that, pages of addresses.
 *
 * A result of up to FRONT_GROUPS groups a worker never touches the shared tables before the end, so
 * its memory stays in the caches of that worker's core. When there are more, the front is emptied
 * into the shared tables and left out from then on.
 */
#include "scan.h"

enum { FRONT_GROUPS = 1 << 17 };

static gp_status ready(exec_worker *w, unsigned t, gp_err *err)
{
    if (w->local[t].part)
        return GP_OK;
    return exec_table_init(&w->local[t], w->x->table[t].kw - (w->x->plan.timed ? 1 : 0), 1,
                           &w->x->mem, &w->local_slabs, w->x->seed, err);
}

/* Empty the local table through w->vec: to the shared table, or as complete groups of a block. */
static gp_status drain(exec_worker *w, unsigned t, const int64_t *time_s, gp_err *err)
{
    exec_vec *v = w->vec;
    exec_table *l = &w->local[t];

    for (uint32_t i = 0; i < l->part[0].n;) {
        v->has_high = 0;
        for (v->n = 0; v->n < EXEC_VEC && i < l->part[0].n; v->n++, i++) {
            const uint64_t *e = exec_entry(l, &l->part[0], i);
            for (unsigned k = 0; k < l->kw; k++)
                v->k[k][v->n] = e[k];
            uint64_t c[4];
            exec_entry_counters(l, &l->part[0], i, e, c);
            exec_vec_set(v, v->n, c);
        }
        GP_TRY(time_s ? exec_emit_timed(w, *time_s, t, err) : exec_feed_add(&w->feed[t], v, err));
    }
    return GP_OK;
}

gp_status exec_local_add(exec_worker *w, unsigned t, gp_err *err)
{
    GP_TRY(ready(w, t, err));
    return exec_table_absorb(&w->local[t], w->vec, err);
}

gp_status exec_local_flush(exec_worker *w, int64_t time_s, unsigned t, gp_err *err)
{
    if (!w->local[t].part)
        return GP_OK;
    GP_TRY(drain(w, t, &time_s, err));
    exec_table_clear(&w->local[t]);
    return GP_OK;
}

gp_status exec_front_add(exec_worker *w, unsigned t, gp_err *err)
{
    if (w->x->plan.one_address && t == 0) {
        exec_leaves_add(&w->leaves, w->vec);
        if (w->vec->n == 0)
            return GP_OK;
    }
    if (w->past_front[t])
        return exec_feed_add(&w->feed[t], w->vec, err);
    GP_TRY(exec_local_add(w, t, err));
    if (w->local[t].part[0].n <= FRONT_GROUPS)
        return GP_OK;
    w->past_front[t] = 1;
    GP_TRY(exec_feed_ready(w, t, err));
    GP_TRY(drain(w, t, NULL, err));
    exec_table_clear(&w->local[t]); /* kept: the next interface may need it */
    return GP_OK;
}

gp_status exec_front_flush(exec_worker *w, unsigned t, gp_err *err)
{
    w->past_front[t] = 0;
    GP_TRY(exec_feed_ready(w, t, err));
    if (t == 0)
        GP_TRY(exec_leaves_flush(&w->leaves, w->vec, &w->feed[t], err));
    if (!w->local[t].part)
        return GP_OK;
    GP_TRY(drain(w, t, NULL, err));
    exec_table_clear(&w->local[t]);
    return GP_OK;
}

void exec_local_forget(exec_worker *w, unsigned t)
{
    w->past_front[t] = 0;
    if (t == 0)
        exec_leaves_clear(&w->leaves);
    if (w->local[t].part)
        exec_table_clear(&w->local[t]);
}
