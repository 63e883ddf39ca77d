/* print_txt.c - the text table and its footer (query.md 6.3, 6.4). */
#include "printers.h"

#include "gp/mem.h"
#include "number.h"

#include <string.h>

enum { CELL_PAD = 2 };

/* One pass over all lines: measuring when w is NULL, printing otherwise. */
typedef struct pass {
    columns x;
    layout l;
    writer *w;
    int color;
} pass;

static gp_status put(pass *p, const layout_cell *cells, size_t n, const char *sgr)
{
    if (!p->w)
        return result_layout_measure(&p->l, cells, n);
    if (p->color && sgr)
        result_writer_printf(p->w, "\033[%sm", sgr);
    result_layout_put(&p->l, cells, n, p->w);
    result_writer_adds(p->w, p->color && sgr ? "\033[0m\n" : "\n");
    return GP_OK;
}

static layout_cell text_cell(const char *s)
{
    size_t n = strlen(s);
    return (layout_cell){s, (uint32_t)n, (uint32_t)n};
}

static gp_status put_headers(pass *p)
{
    layout_cell one[COLUMNS_MAX], two[COLUMNS_MAX];
    for (size_t i = 0; i < p->x.n; i++) {
        one[i] = text_cell(result_column_head1(p->x.col[i]));
        two[i] = text_cell(result_column_head2(p->x.col[i]));
    }
    GP_TRY(put(p, one, p->x.n, "1"));
    return put(p, two, p->x.n, "1");
}

/* Blank, or dots below the counters when rows are left out. */
static gp_status put_separator(pass *p)
{
    layout_cell cells[COLUMNS_MAX];
    int cut = p->x.r->n_rows < p->x.r->hits_total;
    for (size_t i = 0; i < p->x.n; i++)
        cells[i] = text_cell(cut && result_column_is_counter(p->x.col[i]) ? "..." : "");
    return put(p, cells, p->x.n, NULL);
}

/* For both directions: a spacer that is one cell short, and the sums of received and sent. */
static gp_status put_sums(pass *p)
{
    columns *x = &p->x;
    layout_cell cells[COLUMNS_MAX];
    for (size_t i = 0; i < x->n; i++)
        cells[i] = text_cell("");
    GP_TRY(put(p, cells, x->n - 1, NULL));

    char pkts[32], bytes[32];
    size_t n_pkts =
        result_number_count_small(pkts, result_column_value(COLUMN_PKTS_SUM, &x->r->totals), 1);
    size_t n_bytes =
        result_number_size_small(bytes, result_column_value(COLUMN_BYTES_SUM, &x->r->totals), 1);
    cells[0] = text_cell("Totals:");
    for (size_t i = 0; i < x->n; i++) {
        if (x->col[i] == COLUMN_PKTS_OUT)
            cells[i] = (layout_cell){pkts, (uint32_t)n_pkts, (uint32_t)n_pkts};
        if (x->col[i] == COLUMN_BYTES_OUT)
            cells[i] = (layout_cell){bytes, (uint32_t)n_bytes, (uint32_t)n_bytes};
    }
    return put(p, cells, x->n, "1");
}

static gp_status all_lines(pass *p)
{
    columns *x = &p->x;
    if (x->r->hits_total == 0 && x->r->n_rows == 0)
        return GP_OK;
    GP_TRY(put_headers(p));
    for (size_t i = 0; i < x->r->n_rows; i++) {
        result_columns_row(x, &x->r->rows[i], 0);
        GP_TRY(put(p, x->cell, x->n, NULL));
    }
    if (x->r->n_rows)
        GP_TRY(put_separator(p));
    result_columns_totals(x, 0);
    GP_TRY(put(p, x->cell, x->n, "1"));
    return x->o->direction == QUERY_BOTH ? put_sums(p) : GP_OK;
}

static gp_status put_footer(const result *r, const result_print_opts *o, writer *w, gp_err *err)
{
    footer f;
    size_t width = 0;
    gp_status st = result_footer_make(&f, r, o, err);
    for (size_t i = 0; i < f.n; i++)
        width = strlen(f.key[i]) > width ? strlen(f.key[i]) : width;
    for (size_t i = 0; st == GP_OK && i < f.n; i++) {
        result_writer_adds(w, f.key[i]);
        result_writer_fill(w, ' ', width + 1 - strlen(f.key[i]));
        result_writer_adds(w, ": ");
        result_writer_adds(w, result_footer_text(&f, i));
        result_writer_addc(w, '\n');
    }
    result_footer_free(&f);
    return st;
}

gp_status result_print_txt(const result *r, const result_print_opts *o, writer *w, gp_err *err)
{
    pass *p = gp_calloc(1, sizeof *p);
    if (!p)
        return gp_fail(err, GP_ENOMEM, 0, "printing: out of memory");
    p->l.pad = CELL_PAD;
    p->color = o->color;
    gp_status st = result_columns_init(&p->x, r, o, w, 1, err);
    if (st == GP_OK) {
        st = all_lines(p);
        p->w = w;
        result_layout_rewind(&p->l);
        result_writer_addc(w, '\n');
        if (st == GP_OK)
            st = all_lines(p);
        if (r->n_rows || r->hits_total)
            result_writer_addc(w, '\n');
        if (st != GP_OK)
            gp_fail(err, st, 0, "printing: out of memory");
    }
    result_columns_free(&p->x);
    result_layout_free(&p->l);
    gp_free(p);
    if (st != GP_OK)
        return st;
    GP_TRY(put_footer(r, o, w, err));
    result_writer_addc(w, '\n');
    return GP_OK;
}
