/* print_csv.c - comma-separated values (query.md 6.5). */
#include "printers.h"

#include "gp/mem.h"

static void put_header(const columns *x, writer *w)
{
    for (size_t i = 0; i < x->n; i++) {
        if (i)
            result_writer_addc(w, ',');
        result_writer_adds(w, result_column_csv(x, x->col[i]));
    }
    result_writer_addc(w, '\n');
}

static void put_row(const columns *x, writer *w)
{
    for (size_t i = 0; i < x->n; i++) {
        const layout_cell *c = &x->cell[i];
        if (i)
            result_writer_addc(w, ',');
        /* Only labels and resolved names can hold what needs quotes. */
        if (x->col[i] <= COLUMN_DIP && x->col[i] != COLUMN_TIME)
            result_writer_csv(w, c->s, c->len);
        else
            result_writer_add(w, c->s, c->len);
    }
    result_writer_addc(w, '\n');
}

static void put_total(writer *w, const char *key, uint64_t v)
{
    result_writer_adds(w, key);
    result_writer_addc(w, ',');
    result_writer_u64(w, v);
    result_writer_addc(w, '\n');
}

static void put_totals(const columns *x, writer *w)
{
    const result_counters *t = &x->r->totals;
    if (x->o->direction == QUERY_BOTH) {
        put_total(w, "Received packets", t->pkts_rcvd);
        put_total(w, "Sent packets", t->pkts_sent);
        put_total(w, "Received data volume (bytes)", t->bytes_rcvd);
        put_total(w, "Sent data volume (bytes)", t->bytes_sent);
    } else {
        put_total(w, "Overall packets", x->pkts_total);
        put_total(w, "Overall data volume (bytes)", x->bytes_total);
    }
}

gp_status result_print_csv(const result *r, const result_print_opts *o, writer *w, gp_err *err)
{
    GP_CLEANUP(gp_freep) columns *x = gp_alloc(1, sizeof *x);
    if (!x)
        return gp_fail(err, GP_ENOMEM, 0, "printing: out of memory");
    GP_TRY(result_columns_init(x, r, o, w, 0, err));
    put_header(x, w);
    for (size_t i = 0; i < r->n_rows && !w->failed; i++) {
        result_columns_row(x, &r->rows[i], 1);
        put_row(x, w);
    }
    put_totals(x, w);
    result_writer_adds(w, "Sorting and flow direction,");
    result_writer_adds(w, result_footer_sorted_by(&o->order));
    result_writer_adds(w, "\nInterface,");
    gp_buf names = {0};
    result_footer_ifaces(r, &names);
    result_writer_csv(w, names.len ? (const char *)names.data : "", names.len);
    result_writer_addc(w, '\n');
    int failed = names.failed;
    gp_buf_free(&names);
    result_columns_free(x);
    return failed ? gp_fail(err, GP_ENOMEM, 0, "printing: out of memory") : GP_OK;
}
