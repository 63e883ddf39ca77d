/* reportpage.c - the parts of a report page; every text of others is escaped. */
#include "reportpage.h"

#include "chart.h"
#include "gp/mem.h"
#include "names.h"
#include "query/timearg.h"
#include "result/print.h"
#include "run.h"

#include <inttypes.h>
#include <string.h>

static const char style[] =
    ":root{color-scheme:light dark;--fg:#1c2024;--bg:#fff;--soft:#5b6470;--line:#d5dae0;"
    "--head:#f3f5f8;--in:#2563a8;--out:#c2571a;--bad:#b3261e}\n"
    "@media (prefers-color-scheme:dark){:root{--fg:#e3e6ea;--bg:#14171b;--soft:#9aa4b0;"
    "--line:#353c45;--head:#1e2329;--in:#6ea8e8;--out:#f0965c;--bad:#ff8a80}}\n"
    "body{font:15px/1.5 system-ui,sans-serif;color:var(--fg);background:var(--bg);margin:0 auto;"
    "padding:1.5rem;max-width:72rem}\n"
    "h1{margin:0 0 .25rem}h2{margin:2.5rem 0 .5rem;border-bottom:1px solid var(--line)}\n"
    "a{color:var(--in)}.meta,footer,dl.fleetprobe{color:var(--soft);font-size:.87rem}\n"
    ".wide{overflow-x:auto}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem;margin:."
    "75rem "
    "0}\n"
    "th,td{padding:.25rem .7rem;text-align:left;white-space:nowrap;border-bottom:1px solid "
    "var(--line)}\n"
    "thead th{background:var(--head)}.n{text-align:right}tfoot td{font-weight:600}\n"
    "tbody tr:hover{background:var(--head)}\n"
    "dl.fleetprobe{display:grid;grid-template-columns:max-content 1fr;gap:0 1rem}dl.fleetprobe "
    "dd{margin:0}\n"
    "svg.chart{max-width:100%;height:auto}svg.chart text{fill:var(--fg)}svg.chart "
    ".grid{stroke:var(--line)}\n"
    "svg.chart rect.in{fill:var(--in)}svg.chart rect.out{fill:var(--out)}\n"
    "svg.chart path.in{fill:var(--in);stroke:var(--in)}svg.chart "
    "path.out{stroke:var(--out)}\n"
    ".failed,.fleetprobe-note{color:var(--bad);white-space:pre-wrap}\n"
    "@media print{:root{color-scheme:light;--fg:#000;--bg:#fff;--soft:#444;--line:#999;"
    "--head:#eee;--in:#2563a8;--out:#c2571a;--bad:#b3261e}body{padding:0;max-width:none}"
    "nav{display:none}.wide{overflow:visible}table{font-size:7.5pt}th,td{padding:.1rem .35rem}"
    "section{break-inside:avoid-page}thead{display:table-header-group}}\n";

/* Markdown: backslash before what could be markup; line breaks become blanks. */
static void put_md(gp_buf *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (strchr("\\`*_{}[]<>#|!&", *p))
            gp_buf_addc(out, '\\');
        gp_buf_addc(out, *p == '\n' ? ' ' : *p);
    }
}

static void put(gp_buf *out, int html, const char *before, const char *text, const char *after)
{
    gp_buf_adds(out, before);
    if (html)
        goquery_html(out, text);
    else
        put_md(out, text);
    gp_buf_adds(out, after);
}

void report_page_begin(const report_file *f, int html, const char *source, int64_t now_s,
                       gp_buf *out)
{
    char when[64];
    query_time_format_rfc3339(now_s, 0, when, sizeof when);
    if (!html) {
        put(out, 0, "# ", f->title, "\n\n");
        if (*f->about)
            put(out, 0, "", f->about, "\n\n");
        gp_buf_printf(out, "Made %s from ", when);
        put(out, 0, "", source, "\n\n");
        return;
    }
    gp_buf_adds(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                     "<meta name=\"generator\" content=\"goquery report\">\n");
    put(out, 1, "<title>", f->title, "</title>\n<style>\n");
    gp_buf_adds(out, style);
    put(out, 1, "</style>\n</head>\n<body>\n<header>\n<h1>", f->title, "</h1>\n");
    if (*f->about)
        put(out, 1, "<p>", f->about, "</p>\n");
    gp_buf_printf(out, "<p class=\"meta\">Made <time datetime=\"%s\">%s</time> from ", when, when);
    put(out, 1, "", source, "</p>\n</header>\n");
    if (f->n > 1) {
        gp_buf_adds(out, "<nav aria-label=\"Contents\"><ol>\n");
        for (size_t i = 0; i < f->n; i++) {
            gp_buf_printf(out, "<li><a href=\"#q%zu\">", i + 1);
            put(out, 1, "", f->v[i].title, "</a></li>\n");
        }
        gp_buf_adds(out, "</ol></nav>\n");
    }
    gp_buf_adds(out, "<main>\n");
}

void report_page_end(int html, const char *summary, gp_buf *out)
{
    if (html)
        put(out, 1, "</main>\n<footer><p>", summary, "</p></footer>\n</body>\n</html>\n");
    else
        put(out, 0, "---\n\n", summary, "\n");
}

static void begin_section(const report_query *q, size_t number, int html, gp_buf *out)
{
    if (html) {
        gp_buf_printf(out, "<section id=\"q%zu\" aria-labelledby=\"t%zu\">\n<h2 id=\"t%zu\">",
                      number, number, number);
        put(out, 1, "", q->title, "</h2>\n");
    } else {
        put(out, 0, "## ", q->title, "\n\n");
    }
    if (*q->about)
        put(out, html, html ? "<p>" : "", q->about, html ? "</p>\n" : "\n\n");
}

static void end_section(int html, gp_buf *out)
{
    gp_buf_adds(out, html ? "</section>\n" : "\n");
}

report_chart report_chart_of(const report_query *q, const query_stmt *s)
{
    if (q->chart != REPORT_AUTO)
        return q->chart;
    return s->labels & QUERY_LABEL_TIME ? REPORT_TIME : REPORT_BARS;
}

gp_status report_render(const result *r, const query_stmt *s, query_format format, gp_buf *out,
                        gp_err *err)
{
    result_print_opts p = {.format = format,
                           .labels = s->labels,
                           .direction = s->direction,
                           .order = result_order_of(s)};
    goquery_names *names = NULL;
    char *text = NULL;
    size_t len = 0;
    if (query_auto_iface_label(s, r->n_ifaces))
        p.labels |= QUERY_LABEL_IFACE;
    if (format != QUERY_JSON && format != QUERY_NDJSON &&
        goquery_names_new(r, s, &names, NULL) == GP_OK && names) {
        p.resolve = goquery_names_get;
        p.resolve_ctx = names;
    }
    FILE *f = open_memstream(&text, &len);
    FILE *notes = fopen("/dev/null", "w"); /* statuses of hosts are shown by the caller */
    gp_status st = f && notes ? result_print(r, &p, f, notes, err)
                              : gp_fail(err, GP_ENOMEM, 0, "report: out of memory");
    if (f && fclose(f) != 0 && st == GP_OK)
        st = gp_fail(err, GP_ENOMEM, 0, "report: out of memory");
    if (notes)
        fclose(notes);
    if (st == GP_OK)
        gp_buf_add(out, text, len);
    gp_free(text);
    goquery_names_free(names);
    return st;
}

/* Instead of a table beside a chart over time, which would be long and say little more. */
static void put_totals(int html, const query_stmt *s, const result *r, gp_buf *out)
{
    char first[32], last[32], in[32], sent[32], text[256], cut[96] = "";
    const result_counters *c = &r->totals;
    int packets = s->sort == QUERY_SORT_PACKETS;
    query_time_format_local(r->time_first_s, first, sizeof first);
    query_time_format_local(r->time_last_s, last, sizeof last);
    if (packets) {
        result_fmt_count_small(c->pkts_rcvd, in, sizeof in);
        result_fmt_count_small(c->pkts_sent, sent, sizeof sent);
    } else {
        result_fmt_size_small(c->bytes_rcvd, in, sizeof in);
        result_fmt_size_small(c->bytes_sent, sent, sizeof sent);
    }
    if (r->n_rows < r->hits_total)
        snprintf(cut, sizeof cut, ". The chart shows %zu of %" PRIu64 " rows", r->n_rows,
                 r->hits_total);
    snprintf(text, sizeof text, "%s to %s: %s received, %s sent (%s)%s.", first, last, in, sent,
             packets ? "packets" : "bytes", cut);
    put(out, html, html ? "<p class=\"meta\">" : "", text, html ? "</p>\n" : "\n");
}

/* Hosts that failed are named by what result_print() puts before a table, so it is used for these
 * cases, too. */
static gp_status put_table(const report_query *q, int html, const query_stmt *s, const result *r,
                           gp_buf *out, gp_err *err)
{
    int table = q->table >= 0 ? q->table : report_chart_of(q, s) != REPORT_TIME;
    if (!table && r->status == RESULT_OK && goquery_missing_hosts(r) == 0) {
        put_totals(html, s, r, out);
        return GP_OK;
    }
    result shown = *r;
    if (!table)
        shown.n_rows = 0;
    if (html)
        gp_buf_adds(out, "<div class=\"wide\">\n");
    gp_status st = report_render(&shown, s, html ? QUERY_HTML : QUERY_MD, out, err);
    if (html)
        gp_buf_adds(out, "</div>\n");
    return st;
}

gp_status report_page_result(const report_query *q, size_t number, int html, const query_stmt *s,
                             const result *r, gp_buf *out, gp_err *err)
{
    begin_section(q, number, html, out);
    switch (report_chart_of(q, s)) {
    case REPORT_TIME:
        goquery_chart_time(r, s, q->title, out);
        break;
    case REPORT_BARS:
        goquery_chart_bars(r, s, q->title, out);
        break;
    default:
        break;
    }
    if (!html)
        gp_buf_addc(out, '\n');
    gp_status st = put_table(q, html, s, r, out, err);
    end_section(html, out);
    return st;
}

void report_page_failure(const report_query *q, size_t number, int html, const char *text,
                         gp_buf *out)
{
    begin_section(q, number, html, out);
    put(out, html, html ? "<p class=\"failed\" role=\"alert\">" : "**This query failed:** ", text,
        html ? "</p>\n" : "\n");
    end_section(html, out);
}
