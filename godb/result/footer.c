/* footer.c - status lines and footer lines of results. */
#include "footer.h"

#include "gp/mem.h"
#include "width.h"

#include <string.h>

/* Names from hosts and files, made safe for a terminal. */
static void add_clean(gp_buf *out, const char *s)
{
    size_t cap = strlen(s) + 1;
    uint8_t *p = gp_buf_reserve(out, cap);
    if (p)
        out->len += result_width_clean(s, (char *)p, cap);
}

void result_footer_status(const result *r, gp_buf *out)
{
    if (r->status != RESULT_OK) {
        gp_buf_printf(out, "Status \"%s\": ", result_code_name(r->status));
        add_clean(out, r->status_message);
        gp_buf_addc(out, '\n');
    }
    for (size_t i = 0; i < r->n_host_statuses; i++) {
        const result_host_status *h = &r->host_statuses[i];
        /* The status of the whole says that a lone host has nothing, but not that it failed (U32)
         */
        int said =
            r->n_host_statuses == 1 && (h->code == RESULT_EMPTY || h->code == RESULT_MISSING_DATA);
        if (h->code == RESULT_OK || said)
            continue;
        gp_buf_adds(out, "Host ");
        add_clean(out, h->host);
        gp_buf_printf(out, " returned with error \"%s\": ", result_code_name(h->code));
        add_clean(out, h->message);
        gp_buf_addc(out, '\n');
    }
}

const char *result_footer_sorted_by(const result_order *o)
{
    static const char *const texts[2][4] = {
        {[QUERY_BOTH] = "accumulated data volume (sent and received)",
         [QUERY_SUM] = "accumulated data volume (sent and received)",
         [QUERY_IN] = "accumulated data volume (received only)",
         [QUERY_OUT] = "accumulated data volume (sent only)"},
        {[QUERY_BOTH] = "accumulated packets (sent and received)",
         [QUERY_SUM] = "accumulated packets (sent and received)",
         [QUERY_IN] = "accumulated packets (received only)",
         [QUERY_OUT] = "accumulated packets (sent only)"},
    };
    if (o->sort == QUERY_SORT_TIME || o->has_time)
        return "first packet time";
    return texts[o->sort == QUERY_SORT_PACKETS][o->direction];
}

void result_footer_ifaces(const result *r, gp_buf *out)
{
    for (size_t i = 0; i < r->n_ifaces; i++) {
        if (i)
            gp_buf_addc(out, ',');
        add_clean(out, r->ifaces[i]);
    }
}

/* Begin a line: its text is what is appended to f->buf until the next call. */
static void line(footer *f, const char *key)
{
    if (f->n)
        gp_buf_addc(&f->buf, '\0');
    f->key[f->n] = key;
    f->text[f->n] = f->buf.len;
    f->n++;
}

/* last - first in whole minutes, half away from zero, as a duration. */
static void add_span(gp_buf *out, int64_t first_s, int64_t last_s)
{
    const int64_t max_s = INT64_MAX / 1000000000 / 60 * 60;
    char buf[64];
    int64_t s;
    if (__builtin_sub_overflow(last_s, first_s, &s) || s > max_s - 30)
        s = max_s - 60;
    if (s < 0)
        s = s < -max_s + 60 ? -max_s + 60 : s - 30;
    else
        s += 30;
    s = s / 60 * 60;
    gp_buf_adds(out, result_fmt_duration(s * 1000000000, buf, sizeof buf));
}

/* Where a span without an end is counted to; beyond that, to what is shown as the last second. */
static int64_t span_end(const result *r)
{
    const int64_t shown = INT64_C(253402300799); /* 9999-12-31 23:59:59 */
    int64_t end = result_time_clamp(r->time_last_s);
    if (end >= r->time_first_s || r->time_last_s < r->time_first_s)
        return end;
    end = r->time_last_s < shown ? r->time_last_s : shown;
    return end < r->time_first_s ? r->time_first_s : end;
}

static void add_timespan(footer *f, const result *r)
{
    char first[40], last[40];
    query_time_format_local(r->time_first_s, first, sizeof first);
    query_time_format_local(r->time_last_s, last, sizeof last);
    line(f, "Timespan");
    gp_buf_printf(&f->buf, "[%s, %s] (", first, last);
    add_span(&f->buf, r->time_first_s, span_end(r));
    gp_buf_addc(&f->buf, ')');
}

/* Codes of the reference are counted as it does; our own failure codes count as errors. */
static void add_hosts(gp_buf *out, const result *r)
{
    size_t n[RESULT_N_CODES] = {0};
    for (size_t i = 0; i < r->n_host_statuses; i++)
        if ((unsigned)r->host_statuses[i].code < RESULT_N_CODES)
            n[r->host_statuses[i].code]++;
    gp_buf_printf(out, " on %zu hosts: %zu ok / %zu empty / %zu error", r->n_host_statuses,
                  n[RESULT_OK], n[RESULT_EMPTY],
                  n[RESULT_ERROR] + n[RESULT_TIMEOUT] + n[RESULT_UNREACHABLE] + n[RESULT_DENIED] +
                      n[RESULT_NOT_FOUND]);
}

static void add_ifaces(footer *f, const result *r, const result_print_opts *o)
{
    int hosts = r->n_host_statuses > 1;
    line(f, !hosts ? "Interface" : r->n_ifaces > 1 ? "Interfaces / Hosts" : "Interface / Hosts");
    if (o->labels & QUERY_LABEL_IFACE)
        gp_buf_printf(&f->buf, "%zu queried", r->n_ifaces);
    else
        result_footer_ifaces(r, &f->buf);
    if (hosts)
        add_hosts(&f->buf, r);
}

static void add_stats(footer *f, const result *r)
{
    const result_stats *s = &r->stats;
    const struct {
        const char *key;
        uint64_t v;
        char *(*fmt)(uint64_t, char *, size_t);
    } lines[] = {
        {"Bytes loaded", s->bytes_loaded, result_fmt_size_small},
        {"Bytes decompressed", s->bytes_decompressed, result_fmt_size_small},
        {"Blocks processed", s->blocks_processed, result_fmt_count},
        {"Blocks corrupted", s->blocks_corrupted, result_fmt_count_small},
        {"Directories processed", s->directories_processed, result_fmt_count_small},
        {"Workloads", s->workloads, result_fmt_count_small},
    };
    for (size_t i = 0; i < GP_COUNT(lines); i++) {
        char buf[32];
        line(f, lines[i].key);
        gp_buf_adds(&f->buf, lines[i].fmt(lines[i].v, buf, sizeof buf));
    }
}

gp_status result_footer_make(footer *f, const result *r, const result_print_opts *o, gp_err *err)
{
    char shown[32], total[32], took[64];
    *f = (footer){0};
    add_timespan(f, r);
    add_ifaces(f, r, o);
    line(f, "Sorted by");
    gp_buf_adds(&f->buf, result_footer_sorted_by(&o->order));
    if (r->condition && *r->condition) {
        line(f, "Conditions");
        add_clean(&f->buf, r->condition);
    }
    line(f, "Query stats");
    gp_buf_printf(&f->buf, "displayed top %s hits out of %s in %s",
                  result_fmt_count_small(r->n_rows, shown, sizeof shown),
                  result_fmt_count_small(r->hits_total, total, sizeof total),
                  result_fmt_duration(r->query_duration_ns, took, sizeof took));
    if (o->show_stats && r->has_stats)
        add_stats(f, r);
    if (r->n_host_statuses > 1 && o->trace_id && *o->trace_id) {
        line(f, "Trace ID");
        add_clean(&f->buf, o->trace_id);
    }
    gp_buf_addc(&f->buf, '\0');
    return f->buf.failed ? gp_fail(err, GP_ENOMEM, 0, "printing: out of memory") : GP_OK;
}

void result_footer_free(footer *f)
{
    gp_buf_free(&f->buf);
}
