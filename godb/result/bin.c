/* bin.c - time bins wider than five minutes (query.md 4.6). */
#include "gp/mem.h"
#include "result/result.h"
#include "rowtable.h"

enum { NO_BINNING_S = 300 };

static gp_status fill(rowtable *t, const result *r, int64_t bin_s, gp_err *err)
{
    result_row batch[ROWTABLE_BATCH];
    uint64_t merged = 0;
    int64_t last = 0, last_bin = 0; /* rows of one time come together: divide once */
    for (size_t i = 0; i < r->n_rows;) {
        size_t n = 0;
        for (; n < ROWTABLE_BATCH && i < r->n_rows; n++, i++) {
            const result_row *row = &r->rows[i];
            if (row->time_s != last) {
                last = row->time_s;
                last_bin = last ? query_time_bin(last, bin_s) : 0; /* 0: has no time */
            }
            result_rowtable_stage(&batch[n], row, row->host, row->iface, last_bin);
        }
        GP_TRY(result_rowtable_add(t, batch, n, &merged, err));
    }
    return GP_OK;
}

gp_status result_bin(result *r, const query_stmt *s, gp_err *err)
{
    if (!(s->labels & QUERY_LABEL_TIME) || s->bin_s == NO_BINNING_S || s->bin_s <= 0)
        return GP_OK;
    rowtable t;
    result_rowtable_init(&t, 0);
    gp_status st = fill(&t, r, s->bin_s, err);
    if (st == GP_OK) {
        for (uint32_t i = 0; i < t.n; i++)
            r->rows[i] = *result_rowtable_row(&t, i);
        /* Of rows that were binned and cut before, those cut stay counted (4.6: idempotent). */
        uint64_t folded = r->n_rows - t.n;
        r->hits_total = r->hits_total > r->n_rows ? r->hits_total - folded : t.n;
        r->n_rows = t.n;
    }
    result_rowtable_free(&t);
    if (st != GP_OK)
        return st;
    result_order o = result_order_of(s);
    return result_sort(r, &o, 0, err);
}
