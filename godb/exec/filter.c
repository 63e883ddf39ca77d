/* filter.c - which rows of a block match: one top-level term after the other, columns on demand. */
#include "scan.h"

#include <string.h>

enum { REORDER_BLOCKS = 32 }; /* how often the order of the terms is looked at again */

static const godb_col col_of[QUERY_N_ATTRS] = {
    [QUERY_SIP] = GODB_COL_SIP,
    [QUERY_DIP] = GODB_COL_DIP,
    [QUERY_DPORT] = GODB_COL_DPORT,
    [QUERY_PROTO] = GODB_COL_PROTO,
};

/* Room for masks and row numbers of n rows (both parts of a block). */
static gp_status reserve(exec_worker *w, size_t n, gp_err *err)
{
    exec_mem *mem = &w->x->mem;
    size_t cap = w->cap_rows ? w->cap_rows : 4096;

    if (n <= w->cap_rows)
        return GP_OK;
    while (cap < n)
        cap *= 2;
    exec_mem_free(mem, w->mask, w->cap_rows);
    exec_mem_free(mem, w->sel, (w->cap_rows + EXEC_VEC_ROOM) * sizeof *w->sel);
    w->mask = NULL;
    w->sel = NULL;
    w->cap_rows = 0;
    void *mask = NULL, *sel = NULL;
    GP_TRY(exec_mem_alloc(mem, cap, &mask, err));
    gp_status st = exec_mem_alloc(mem, (cap + EXEC_VEC_ROOM) * sizeof *w->sel, &sel, err);
    if (st != GP_OK) {
        exec_mem_free(mem, mask, cap);
        return st;
    }
    w->mask = mask;
    w->sel = sel;
    w->cap_rows = cap;
    return GP_OK;
}

/* Expected bytes decoded until a block is known to be empty, by what was seen so far. */
static double conj_price(const exec_filter *f, const exec_conj_stat *s, unsigned i)
{
    double p = (s[i].emptied + 0.05) / (s[i].tried + 1.0);

    return f->conj[i].cost / p;
}

static void reorder(exec_worker *w, unsigned f)
{
    const exec_filter *flt = &w->x->plan.filter[f];
    uint8_t *o = w->order[f];

    for (unsigned i = 1; i < flt->n; i++) { /* at most 15: insertion */
        uint8_t x = o[i];
        unsigned j = i;
        for (; j > 0 && conj_price(flt, w->conj[f], o[j - 1]) > conj_price(flt, w->conj[f], x); j--)
            o[j] = o[j - 1];
        o[j] = x;
    }
}

/* mask of all n rows for term c; when `first` is 0 it is and-ed to what is there. */
static size_t eval_term(exec_worker *w, const exec_conj *c, const exec_cols *cols, size_t n,
                        uint8_t *mask, int first, size_t *alone)
{
    size_t ones = 0;

    *alone = 0;
    for (size_t at = 0; at < n; at += EXEC_VEC) {
        size_t m = n - at < EXEC_VEC ? n - at : EXEC_VEC;
        if (first) {
            exec_pred_eval(c->p, cols, at, m, mask + at, w->scratch);
        } else {
            exec_pred_eval(c->p, cols, at, m, w->scratch, w->scratch + EXEC_VEC);
            *alone += exec_k_count(w->scratch, m);
            exec_k_and(mask + at, w->scratch, m);
        }
        ones += exec_k_count(mask + at, m);
    }
    if (first)
        *alone = ones;
    return ones;
}

gp_status exec_filter_block(exec_worker *w, exec_block *b, unsigned f, size_t *n_sel,
                            const uint8_t **matched, gp_err *err)
{
    const exec_filter *flt = &w->x->plan.filter[f];
    size_t n = b->n[f], ones = n;

    *n_sel = flt->never ? 0 : n;
    *matched = NULL;
    if (n == 0 || flt->never || flt->always)
        return GP_OK;
    if (b->ix && flt->probes && !exec_filter_may(flt, b->ix, b->index)) {
        *n_sel = 0;
        return GP_OK;
    }
    GP_TRY(reserve(w, (size_t)b->n[0] + b->n[1], err));
    if (++w->filtered % REORDER_BLOCKS == 0)
        reorder(w, f);
    uint8_t *mask = w->mask + (f ? b->n[0] : 0); /* the parts' masks lie one behind the other */
    for (unsigned i = 0; i < flt->n && ones; i++) {
        unsigned t = w->order[f][i];
        size_t alone;
        exec_cols cols;
        for (unsigned a = 0; a < QUERY_N_ATTRS; a++)
            if (flt->conj[t].attrs >> a & 1)
                GP_TRY(exec_block_col(w, b, col_of[a], err));
        exec_block_cols(b, f, &cols);
        ones = eval_term(w, &flt->conj[t], &cols, n, mask, i == 0, &alone);
        w->conj[f][t].tried++;
        w->conj[f][t].emptied += alone == 0;
    }
    *n_sel = ones;
    if (ones && ones < n)
        *matched = mask;
    return GP_OK;
}
