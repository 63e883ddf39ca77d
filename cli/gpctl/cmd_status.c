/* cmd_status.c - `gpctl status`: what was received, processed and dropped (capture.md 6.1, 6.2). */
#include "gpctl.h"

#include "query/json.h"
#include "result/print.h"

#include <string.h>

enum { COUNT_TEXT = 32, DROPPED = 6, PLAIN_COLS = 8 };

#define NS INT64_C(1000000000)

/* ---- table ---- */

typedef struct sums {
    uint64_t received, processed, dropped;
} sums;

static void add(sums *s, const wire_iface_counts *c)
{
    s->received += c->received;
    s->processed += c->processed;
    s->dropped += c->dropped;
}

static void add_row(gpctl_box *b, const wire_iface_status *v, int64_t now_ns)
{
    char text[10][COUNT_TEXT];
    const uint64_t n[] = {v->total.received,   v->recent.received, v->total.processed,
                          v->recent.processed, v->total.dropped,   v->recent.dropped,
                          v->total.errors[0],  v->total.errors[1], v->total.errors[2]};
    const char *cells[GPCTL_BOX_COLS] = {v->name};

    for (size_t i = 0; i < DROPPED; i++)
        cells[i + 1] = result_fmt_count(n[i], text[i], COUNT_TEXT);
    if (v->recent.dropped) { /* exactly, because every one of them is an alarm */
        (void)snprintf(text[5], COUNT_TEXT, "%llu", (unsigned long long)v->recent.dropped);
        cells[DROPPED] = text[5];
    }
    cells[7] = gpctl_seconds(now_ns - v->started_ns, text[9], COUNT_TEXT);
    for (size_t i = 0; i < 3; i++)
        cells[PLAIN_COLS + i] = result_fmt_count(n[6 + i], text[6 + i], COUNT_TEXT);
    gpctl_box_row(b, cells, v->recent.dropped ? 1u << DROPPED : 0);
}

static gp_status print_table(const wire_status_reply *r, int detailed, gp_err *err)
{
    static const char *const head[2][GPCTL_BOX_COLS] = {
        {"", "total", "", "total", "", "total", "", "active", "", "", ""},
        {"iface", "received", "+ received", "processed", "+ processed", "dropped", "+ dropped",
         "for", "packet fragmented", "invalid IP header", "packet truncated"}};
    gpctl_box *b = gpctl_box_new("Interface Statuses", detailed ? "LRRRRRRRRRR" : "LRRRRRRL");

    if (!b)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    gpctl_box_head(b, head[0]);
    if (detailed)
        gpctl_box_span(b, PLAIN_COLS, 3, "parsing errors");
    gpctl_box_head(b, head[1]);
    for (size_t i = 0; i < r->n; i++)
        if (r->v[i].capturing)
            add_row(b, &r->v[i], r->daemon.now_ns);
    gp_status st = gpctl_box_print(b, stdout, gpctl_color(), err);
    gpctl_box_free(b);
    return st;
}

static void print_runtime(const wire_daemon *d)
{
    char t[32], ago[32];

    printf("\nRuntime info:\n\n");
    printf("            Running since: %s (%s ago)\n", gpctl_time(d->started_ns / NS, t, sizeof t),
           gpctl_seconds(d->now_ns - d->started_ns, ago, sizeof ago));
    printf("  Last scheduled writeout: %s (%s ago)\n", gpctl_time(d->last_scheduled_s, t, sizeof t),
           d->last_scheduled_s
               ? gpctl_seconds(d->now_ns - d->last_scheduled_s * NS, ago, sizeof ago)
               : "-");
}

static void print_totals(const wire_status_reply *r)
{
    sums total = {0}, recent = {0};
    char a[COUNT_TEXT], b[COUNT_TEXT];

    for (size_t i = 0; i < r->n; i++) {
        add(&total, &r->v[i].total);
        add(&recent, &r->v[i].recent);
    }
    printf("\nTotals:\n\n    Packets\n");
    printf("       Received: %s / + %s\n", result_fmt_count(total.received, a, sizeof a),
           result_fmt_count(recent.received, b, sizeof b));
    printf("      Processed: %s / + %s\n", result_fmt_count(total.processed, a, sizeof a),
           result_fmt_count(recent.processed, b, sizeof b));
    printf("        Dropped: %s / + %s\n\n", result_fmt_count(total.dropped, a, sizeof a),
           result_fmt_count(recent.dropped, b, sizeof b));
}

/* Packets that were read and are in no flow (4.9): drops of their blocks, too. */
static void print_overflow(const wire_status_reply *r)
{
    char a[COUNT_TEXT], b[COUNT_TEXT];
    size_t shown = 0;

    for (size_t i = 0; i < r->n; i++)
        if (r->v[i].total.lost)
            printf("%s    %s: %s / + %s\n",
                   shown++ ? "" : "Packets that found the flow table full (capture.max_flows):\n\n",
                   r->v[i].name, result_fmt_count(r->v[i].total.lost, a, sizeof a),
                   result_fmt_count(r->v[i].recent.lost, b, sizeof b));
    if (shown)
        putchar('\n');
}

/* What the table does not show, and should not go unseen. */
static void print_trouble(const wire_status_reply *r)
{
    size_t waiting = 0;

    for (size_t i = 0; i < r->n; i++)
        if (!r->v[i].capturing)
            printf("%s    %s: %s\n", waiting++ ? "" : "Not captured:\n\n", r->v[i].name,
                   *r->v[i].error ? r->v[i].error : "waiting");
    if (waiting)
        putchar('\n');
    print_overflow(r);
    if (r->daemon.write_failing)
        printf("Writing to the database fails; flows are kept in memory.\n\n");
}

/* ---- JSON, as capture.md 8.2 ---- */

static void json_counts(query_json_object *o, const wire_iface_status *v)
{
    query_json_int(o, "received", (int64_t)v->recent.received);
    query_json_int(o, "received_total", (int64_t)v->total.received);
    query_json_int(o, "processed", (int64_t)v->recent.processed);
    query_json_int(o, "processed_total", (int64_t)v->total.processed);
    query_json_int(o, "dropped", (int64_t)v->recent.dropped);
    query_json_int(o, "dropped_total", (int64_t)v->total.dropped);
    if (v->total.lost) {
        query_json_int(o, "overflow", (int64_t)v->recent.lost);
        query_json_int(o, "overflow_total", (int64_t)v->total.lost);
    }
    query_json_key(o, "parsing_errors");
    gp_buf_printf(o->out, "[%llu,%llu,%llu]", (unsigned long long)v->recent.errors[0],
                  (unsigned long long)v->recent.errors[1], (unsigned long long)v->recent.errors[2]);
}

static int print_json(const wire_status_reply *r)
{
    gp_buf b = {0};
    query_json_object o = query_json_open(&b);

    query_json_int(&o, "status_code", 200);
    query_json_key(&o, "last_writeout");
    gpctl_json_time(&b, r->daemon.last_writeout_s, 0);
    query_json_key(&o, "started_at");
    gpctl_json_time(&b, r->daemon.started_ns / NS, (uint32_t)(r->daemon.started_ns % NS));
    query_json_key(&o, "statuses");
    query_json_object all = query_json_open(&b);
    for (size_t i = 0; i < r->n; i++) {
        if (!r->v[i].capturing)
            continue;
        query_json_key(&all, r->v[i].name);
        query_json_object one = query_json_open(&b);
        query_json_key(&one, "started_at");
        gpctl_json_time(&b, r->v[i].started_ns / NS, (uint32_t)(r->v[i].started_ns % NS));
        json_counts(&one, &r->v[i]);
        query_json_close(&one);
    }
    query_json_close(&all);
    query_json_close(&o);
    return gpctl_print_json(&b);
}

static int run(void *values, const cli_line *line)
{
    const gpctl_opts *o = values;
    wire_status_reply r = {0};
    gp_err err = {0};
    int code = 0;

    if (gpctl_get_status(o, line->words, line->n_words, &r, &err) != GP_OK)
        return gpctl_fail("%s", err.msg);
    if (o->json) {
        code = print_json(&r);
    } else {
        putchar('\n');
        if (print_table(&r, o->detailed, &err) != GP_OK)
            code = gpctl_fail("%s", err.msg);
        print_runtime(&r.daemon);
        print_totals(&r);
        print_trouble(&r);
    }
    wire_status_clear(&r);
    return code;
}

static const cli_opt opts[] = {
    {"detailed", 'v', CLI_BOOL, offsetof(gpctl_opts, detailed), NULL, NULL,
     "Packets that could not be put in a flow, by reason.", "Flags", NULL, 0},
    {0},
};
static const char *const usage[] = {"[flags] [IFACE...]", NULL};

const cli_cmd gpctl_status = {
    .name = "status",
    .usage = usage,
    .summary = "Packets received, processed and dropped",
    .about =
        "Show what each interface received, processed and dropped since its capture began, "
        "and (columns\nwith +) since the last write-out. Below the table, where there are any: "
        "packets that "
        "found the flow\ntable full (capture.max_flows), and interfaces that cannot be captured.\n"
        "\n"
        "Example:\n"
        "  gpctl status eth0 -v",
    .opts = opts,
    .words_from = GPCTL_WORDS,
    .run = run,
};
