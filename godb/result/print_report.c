/* print_report.c - Markdown and HTML fragments for reports, everything escaped. */
#include "printers.h"

#include "gp/mem.h"

#include <string.h>

/* "packets in", "bytes %" or just "sip". */
static void head_text(const columns *x, size_t i, char *buf, size_t cap)
{
    column c = x->col[i];
    const char *group = "";
    if (result_column_is_counter(c))
        group = result_column_head1(c);
    else if (result_column_is_pct(c))
        group = c == COLUMN_PKTS_PCT ? "packets" : "bytes";
    snprintf(buf, cap, "%s%s%s", group, *group ? " " : "", result_column_head2(c));
}

/* Without the blanks that align numbers in text. */
static size_t trimmed(const layout_cell *c)
{
    size_t n = c->len;
    while (n && c->s[n - 1] == ' ')
        n--;
    return n;
}

/* Status lines as paragraphs; put escapes one line. */
static gp_status put_notes(const result *r, writer *w, const char *before, const char *after,
                           void (*put)(writer *, const char *, size_t), gp_err *err)
{
    gp_buf b = {0};
    result_footer_status(r, &b);
    const char *s = gp_buf_str(&b);
    for (const char *end; s && (end = strchr(s, '\n')); s = end + 1) {
        result_writer_adds(w, before);
        put(w, s, (size_t)(end - s));
        result_writer_adds(w, after);
    }
    gp_buf_free(&b);
    return s ? GP_OK : gp_fail(err, GP_ENOMEM, 0, "printing: out of memory");
}

/* ---- Markdown ---- */

static void md_line(const columns *x, writer *w)
{
    for (size_t i = 0; i < x->n; i++) {
        result_writer_adds(w, "| ");
        result_writer_markdown(w, x->cell[i].s, trimmed(&x->cell[i]));
        result_writer_addc(w, ' ');
    }
    result_writer_adds(w, "|\n");
}

static void md_head(const columns *x, writer *w)
{
    char text[64];
    for (size_t i = 0; i < x->n; i++) {
        head_text(x, i, text, sizeof text);
        result_writer_adds(w, "| ");
        result_writer_markdown(w, text, strlen(text));
        result_writer_addc(w, ' ');
    }
    result_writer_adds(w, "|\n");
    for (size_t i = 0; i < x->n; i++)
        result_writer_adds(w, x->col[i] < COLUMN_PKTS_IN ? "|---" : "|---:");
    result_writer_adds(w, "|\n");
}

static void md_rows(columns *x, writer *w)
{
    if (x->r->n_rows == 0)
        return;
    md_head(x, w);
    for (size_t i = 0; i < x->r->n_rows && !w->failed; i++) {
        result_columns_row(x, &x->r->rows[i], 0);
        md_line(x, w);
    }
    result_columns_totals(x, 0);
    md_line(x, w);
    result_writer_addc(w, '\n');
}

gp_status result_print_md(const result *r, const result_print_opts *o, writer *w, gp_err *err)
{
    GP_CLEANUP(gp_freep) columns *x = gp_alloc(1, sizeof *x);
    if (!x)
        return gp_fail(err, GP_ENOMEM, 0, "printing: out of memory");
    GP_TRY(put_notes(r, w, "**", "**\n\n", result_writer_markdown, err));
    GP_TRY(result_columns_init(x, r, o, w, 1, err));
    md_rows(x, w);
    result_columns_free(x);

    footer f;
    gp_status st = result_footer_make(&f, r, o, err);
    for (size_t i = 0; st == GP_OK && i < f.n; i++) {
        result_writer_printf(w, "- %s: ", f.key[i]);
        const char *s = result_footer_text(&f, i);
        result_writer_markdown(w, s, strlen(s));
        result_writer_addc(w, '\n');
    }
    result_footer_free(&f);
    return st;
}

/* ---- HTML ---- */

static void html_line(const columns *x, writer *w)
{
    result_writer_adds(w, "<tr>");
    for (size_t i = 0; i < x->n; i++) {
        result_writer_adds(w, x->col[i] < COLUMN_PKTS_IN ? "<td>" : "<td class=\"n\">");
        result_writer_html(w, x->cell[i].s, trimmed(&x->cell[i]));
        result_writer_adds(w, "</td>");
    }
    result_writer_adds(w, "</tr>\n");
}

static void html_rows(columns *x, writer *w)
{
    char text[64];
    if (x->r->n_rows == 0)
        return;
    result_writer_adds(w, "<table class=\"fleetprobe\">\n<thead><tr>");
    for (size_t i = 0; i < x->n; i++) {
        head_text(x, i, text, sizeof text);
        result_writer_adds(w, x->col[i] < COLUMN_PKTS_IN ? "<th>" : "<th class=\"n\">");
        result_writer_html(w, text, strlen(text));
        result_writer_adds(w, "</th>");
    }
    result_writer_adds(w, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < x->r->n_rows && !w->failed; i++) {
        result_columns_row(x, &x->r->rows[i], 0);
        html_line(x, w);
    }
    result_writer_adds(w, "</tbody>\n<tfoot>\n");
    result_columns_totals(x, 0);
    html_line(x, w);
    result_writer_adds(w, "</tfoot>\n</table>\n");
}

gp_status result_print_html(const result *r, const result_print_opts *o, writer *w, gp_err *err)
{
    GP_CLEANUP(gp_freep) columns *x = gp_alloc(1, sizeof *x);
    if (!x)
        return gp_fail(err, GP_ENOMEM, 0, "printing: out of memory");
    GP_TRY(put_notes(r, w, "<p class=\"fleetprobe-note\">", "</p>\n", result_writer_html, err));
    GP_TRY(result_columns_init(x, r, o, w, 1, err));
    html_rows(x, w);
    result_columns_free(x);

    footer f;
    gp_status st = result_footer_make(&f, r, o, err);
    result_writer_adds(w, "<dl class=\"fleetprobe\">\n");
    for (size_t i = 0; st == GP_OK && i < f.n; i++) {
        const char *s = result_footer_text(&f, i);
        result_writer_printf(w, "<dt>%s</dt><dd>", f.key[i]);
        result_writer_html(w, s, strlen(s));
        result_writer_adds(w, "</dd>\n");
    }
    result_writer_adds(w, "</dl>\n");
    result_footer_free(&f);
    return st;
}
