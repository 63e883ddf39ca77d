/* events.c - one event, one log line; metrics of capture.md 6.3 under their names of the reference.
 */
#include "events.h"

#include "gp/mem.h"
#include "rt/log.h"

#include <pthread.h>
#include <string.h>

#ifndef FLEETPROBE_VERSION
#define FLEETPROBE_VERSION "unknown"
#endif

#define NS 1e9

/* The counters of one interface (or of all, without label). */
typedef struct series {
    struct series *next;
    char name[CAPTURE_NAME_CAP];
    rt_metric *processed, *dropped, *errors[CAPTURE_N_ERRORS], *bytes[2], *packets[2], *flows;
    rt_metric *lost, *shared, *pause, *buffer;
    flow_worker_counts seen; /* of the current capture; a new one starts at 0 */
    uint64_t capture;        /* which that is */
    uint64_t entries;        /* at the last rotation */
    uint64_t pause_ns;       /* longest of the current capture */
} series;

struct agent_events {
    rt_metrics *metrics;
    int no_iface;
    rt_metric *capturing, *rotation, *writeout, *write_failures, *flows_lost;
    rt_metric *checkpoint, *checkpoint_failures, *recovered;
    pthread_mutex_t mu; /* list, manager */
    series *list;
    flow_manager *manager;
};

static double count_capturing(void *ctx);

static void register_common(agent_events *e)
{
    static const double rotation[] = {.001, .005, .01, .025, .05, .1, .25, .5, .75, 1};
    static const double writeout[] = {.025, .05, .1, .25, .5, 1, 5, 10, 30, 60};
    rt_metrics *m = e->metrics;

    e->capturing = rt_gauge_fn(m, "goprobe_capture_manager_interfaces_capturing_total",
                               "Interfaces that are captured now", NULL, count_capturing, e);
    e->rotation = rt_histogram(m, "goprobe_capture_manager_rotation_duration_seconds",
                               "Rotation of all interfaces", NULL, rotation, GP_COUNT(rotation));
    e->writeout = rt_histogram(m, "goprobe_godb_handler_writeout_duration_seconds",
                               "Writing one block", NULL, writeout, GP_COUNT(writeout));
    e->write_failures = rt_counter(m, "goprobe_godb_handler_write_failures_total",
                                   "Blocks that could not be written and were kept", NULL);
    e->flows_lost = rt_counter(m, "goprobe_godb_handler_flows_lost_total",
                               "Flows given up because they could not be written", NULL);
    e->checkpoint = rt_histogram(m, "goprobe_godb_handler_checkpoint_duration_seconds",
                                 "Saving the running interval (db.checkpoint)", NULL, writeout,
                                 GP_COUNT(writeout));
    e->checkpoint_failures = rt_counter(m, "goprobe_godb_handler_checkpoint_failures_total",
                                        "Times that checkpoints began to fail", NULL);
    e->recovered = rt_counter(m, "goprobe_godb_handler_flows_recovered_total",
                              "Flows of checkpoints that a crash left", NULL);
    rt_metrics_process(m, "goprobe", FLEETPROBE_VERSION);
}

gp_status agent_events_new(int no_iface, agent_events **out, gp_err *err)
{
    agent_events *e = gp_calloc(1, sizeof *e);

    if (!e)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    gp_status st = rt_metrics_new(&e->metrics, err);
    if (st != GP_OK) {
        gp_free(e);
        return st;
    }
    pthread_mutex_init(&e->mu, NULL);
    e->no_iface = no_iface;
    register_common(e);
    *out = e;
    return GP_OK;
}

void agent_events_free(agent_events *e)
{
    if (!e)
        return;
    rt_metrics_free(e->metrics);
    while (e->list) {
        series *s = e->list;
        e->list = s->next;
        gp_free(s);
    }
    pthread_mutex_destroy(&e->mu);
    gp_free(e);
}

rt_metrics *agent_events_metrics(agent_events *e)
{
    return e->metrics;
}

void agent_events_manager(agent_events *e, flow_manager *m)
{
    pthread_mutex_lock(&e->mu);
    e->manager = m;
    pthread_mutex_unlock(&e->mu);
}

/* ---- metrics ---- */

static rt_metric *labelled(agent_events *e, const char *name, const char *help, const char *iface,
                           const char *key, const char *value)
{
    gp_buf labels = {0};

    if (!e->no_iface)
        rt_label(&labels, "iface", iface);
    if (key)
        rt_label(&labels, key, value);
    rt_metric *m = rt_counter(e->metrics, name, help, labels.len ? gp_buf_str(&labels) : NULL);
    gp_buf_free(&labels);
    return m;
}

static rt_metric *gauge(agent_events *e, const char *name, const char *help, const char *iface)
{
    gp_buf labels = {0};

    if (!e->no_iface)
        rt_label(&labels, "iface", iface);
    rt_metric *m = rt_gauge(e->metrics, name, help, labels.len ? gp_buf_str(&labels) : NULL);
    gp_buf_free(&labels);
    return m;
}

/* With e->mu held; NULL if the interface was never opened. */
static series *find_series(agent_events *e, const char *iface)
{
    for (series *s = e->list; s; s = s->next)
        if (strcmp(s->name, iface) == 0)
            return s;
    return NULL;
}

static void register_series(agent_events *e, series *s, const char *iface)
{
    static const char *const dirs[] = {"inbound", "outbound"};

    s->processed = labelled(e, "goprobe_capture_packets_processed_total", "Packets processed",
                            iface, NULL, NULL);
    s->dropped = labelled(e, "goprobe_capture_packets_dropped_total",
                          "Packets dropped because the ring was full", iface, NULL, NULL);
    for (int i = 0; i < CAPTURE_N_ERRORS; i++)
        s->errors[i] = labelled(e, "goprobe_capture_capture_issues_total",
                                "Packets that could not be put in a flow", iface, "issue_type",
                                capture_error_names[i]);
    for (int i = 0; i < 2; i++) {
        s->bytes[i] = labelled(e, "goprobe_capture_bytes_total", "Bytes put in flows", iface,
                               "direction", dirs[i]);
        s->packets[i] = labelled(e, "goprobe_capture_packets_total", "Packets put in flows", iface,
                                 "direction", dirs[i]);
    }
    s->lost = labelled(e, "goprobe_capture_packets_overflow_total",
                       "Packets that found no room in the flow table", iface, NULL, NULL);
    s->shared = labelled(e, "goprobe_capture_packets_shared_total",
                         "Packets in entries without source port, the flow table being full", iface,
                         NULL, NULL);
    s->flows = gauge(e, "goprobe_capture_flows_total", "Flow entries at the last rotation", iface);
    s->buffer = gauge(e, "goprobe_capture_global_packet_buffer_usage",
                      "Always 0: nothing is buffered, rotation does not stop capture", iface);
    s->pause = gauge(
        e, "goprobe_capture_pause_max_seconds",
        "Longest time that capture waited for a rotation, a live query or a checkpoint", iface);
}

/* A scrape calls us with the registry locked, so metrics are registered without e->mu: at the first
 * opening of an interface. */
static void on_opened(agent_events *e, const char *iface)
{
    pthread_mutex_lock(&e->mu);
    int known = find_series(e, iface) != NULL;
    pthread_mutex_unlock(&e->mu);
    series *s = known ? NULL : gp_calloc(1, sizeof *s);
    if (!s)
        return;
    (void)strncpy(s->name, iface, sizeof s->name - 1);
    register_series(e, s, iface);
    pthread_mutex_lock(&e->mu);
    s->next = e->list;
    e->list = s;
    pthread_mutex_unlock(&e->mu);
}

/* Numbers may come a little out of order, from a scrape and from a rotation. */
static void add_since(rt_metric *m, uint64_t now, uint64_t *seen)
{
    if (now <= *seen)
        return;
    rt_metric_add(m, now - *seen);
    *seen = now;
}

/* Gauges of s, or, where they have no label, of all interfaces; e->mu is held. */
static void set_gauges(const agent_events *e, const series *s)
{
    uint64_t entries = e->no_iface ? 0 : s->entries, pause_ns = e->no_iface ? 0 : s->pause_ns;

    for (const series *o = e->no_iface ? e->list : NULL; o; o = o->next) {
        entries += o->entries;
        pause_ns = o->pause_ns > pause_ns ? o->pause_ns : pause_ns;
    }
    rt_metric_set(s->flows, (double)entries);
    rt_metric_set(s->pause, (double)pause_ns / NS);
}

/* Bring the counters of one interface up to date; e->mu is held. */
static void update(agent_events *e, const char *iface, uint64_t capture,
                   const flow_worker_counts *now)
{
    series *s = find_series(e, iface);

    if (!s || capture < s->capture)
        return;
    if (s->capture != capture) {
        memset(&s->seen, 0, sizeof s->seen);
        s->capture = capture;
    }
    flow_worker_counts *seen = &s->seen;
    add_since(s->processed, now->capture.processed, &seen->capture.processed);
    add_since(s->dropped, now->capture.dropped, &seen->capture.dropped);
    for (int i = 0; i < CAPTURE_N_ERRORS; i++)
        add_since(s->errors[i], now->capture.errors[i], &seen->capture.errors[i]);
    add_since(s->lost, now->lost, &seen->lost);
    add_since(s->shared, now->shared, &seen->shared);
    s->pause_ns = now->pause_ns;
    set_gauges(e, s);
}

/* Asked for at every scrape, before the counters are printed: so it brings them up to date. */
static double count_capturing(void *ctx)
{
    agent_events *e = ctx;
    flow_status *st = NULL;
    size_t n = 0, capturing = 0;
    gp_err err;

    pthread_mutex_lock(&e->mu);
    if (e->manager && flow_manager_status(e->manager, NULL, 0, &st, &n, &err) == GP_OK)
        for (size_t i = 0; i < n; i++)
            if (st[i].state == FLOW_CAPTURING) {
                capturing++;
                update(e, st[i].name, st[i].capture, &st[i].total);
            }
    pthread_mutex_unlock(&e->mu);
    gp_free(st);
    return (double)capturing;
}

static void on_rotated(agent_events *e, const flow_event *ev)
{
    pthread_mutex_lock(&e->mu);
    series *s = find_series(e, ev->iface);
    update(e, ev->iface, ev->capture, ev->counts); /* the last chance before it is closed */
    for (int i = 0; s && i < 2; i++) {
        rt_metric_add(s->bytes[i], ev->totals[FLOW_BYTES_IN + i]);
        rt_metric_add(s->packets[i], ev->totals[FLOW_PKTS_IN + i]);
    }
    if (s) {
        s->entries = ev->entries;
        set_gauges(e, s);
    }
    pthread_mutex_unlock(&e->mu);
}

/* Its lines leave the metrics page, or it would grow for ever on a host of containers; where it has
 * none of its own, counters keep its part and gauges lose it. */
static void on_forgotten(agent_events *e, const char *iface)
{
    series *s = NULL;

    pthread_mutex_lock(&e->mu);
    for (series **p = &e->list; *p && !s; p = s ? p : &(*p)->next)
        if (strcmp((*p)->name, iface) == 0) {
            s = *p;
            *p = s->next;
        }
    if (s && e->no_iface)
        set_gauges(e, s);
    pthread_mutex_unlock(&e->mu);
    if (s && !e->no_iface) {
        rt_metric *const all[] = {s->processed,  s->dropped,    s->bytes[0], s->bytes[1],
                                  s->packets[0], s->packets[1], s->flows,    s->lost,
                                  s->shared,     s->pause,      s->buffer};
        for (size_t i = 0; i < GP_COUNT(all); i++)
            rt_metric_drop(e->metrics, all[i]);
        for (int i = 0; i < CAPTURE_N_ERRORS; i++)
            rt_metric_drop(e->metrics, s->errors[i]);
    }
    gp_free(s);
}

/* ---- log ---- */

static void log_event(const flow_event *e)
{
    rt_field f = RT_S("iface", e->iface ? e->iface : "");

    switch (e->kind) {
    case FLOW_EV_OPENED:
        rt_info("interface opened", f);
        break;
    case FLOW_EV_CLOSED:
        rt_info("interface closed", f);
        break;
    case FLOW_EV_FORGOTTEN:
        rt_debug("interface forgotten", f);
        break;
    case FLOW_EV_OPEN_FAILED:
        rt_error("cannot capture; will be opened as soon as that is possible", f,
                 RT_S("error", e->text));
        break;
    case FLOW_EV_FAILED:
        rt_error("capture broke off", f, RT_S("error", e->text));
        break;
    case FLOW_EV_ROTATED:
        rt_debug("interface rotated", f, RT_U("flows", e->entries), RT_U("drops", e->drops));
        break;
    case FLOW_EV_ROTATION:
        rt_info("rotation done", RT_U("ifaces", e->count), RT_D("took", e->took_ns));
        break;
    case FLOW_EV_WRITTEN:
        rt_debug("block written", f, RT_I("time", e->time_s), RT_U("flows", e->count),
                 RT_D("took", e->took_ns));
        break;
    case FLOW_EV_SLOW:
        rt_warn("slow write-out", f, RT_I("time", e->time_s), RT_D("took", e->took_ns),
                RT_U("percent_of_interval", e->count));
        break;
    case FLOW_EV_WRITE_FAILED:
        rt_error("write failed; flows are kept and tried again", f, RT_I("time", e->time_s),
                 RT_S("error", e->text));
        break;
    case FLOW_EV_WRITE_OK:
        rt_info("writing works again", f, RT_I("time", e->time_s));
        break;
    case FLOW_EV_LOST:
        rt_error("flows lost", f, RT_I("time", e->time_s), RT_U("flows", e->count),
                 RT_S("error", e->text));
        break;
    case FLOW_EV_FULL:
        rt_warn("flow table full; writing early", f);
        break;
    case FLOW_EV_CLOCK:
        rt_warn(e->text);
        break;
    case FLOW_EV_CHECKPOINT:
        rt_debug("checkpoint", f, RT_U("flows", e->count), RT_D("took", e->took_ns));
        break;
    case FLOW_EV_CHECKPOINT_FAILED:
        rt_error("no checkpoint; tried again", f, RT_S("error", e->text));
        break;
    case FLOW_EV_RECOVERED:
        rt_info("flows recovered from a checkpoint", f, RT_I("time", e->time_s),
                RT_U("flows", e->count));
        break;
    case FLOW_EV_NOTE:
        rt_warn(e->text, f);
        break;
    }
}

void agent_events_on(void *ctx, const flow_event *ev)
{
    agent_events *e = ctx;

    log_event(ev);
    switch (ev->kind) {
    case FLOW_EV_OPENED:
        on_opened(e, ev->iface);
        break;
    case FLOW_EV_FORGOTTEN:
        on_forgotten(e, ev->iface);
        break;
    case FLOW_EV_ROTATED:
        on_rotated(e, ev);
        break;
    case FLOW_EV_ROTATION:
        rt_metric_observe(e->rotation, (double)ev->took_ns / NS);
        break;
    case FLOW_EV_WRITTEN:
        rt_metric_observe(e->writeout, (double)ev->took_ns / NS);
        break;
    case FLOW_EV_WRITE_FAILED:
        rt_metric_add(e->write_failures, 1);
        break;
    case FLOW_EV_LOST:
        rt_metric_add(e->flows_lost, ev->count);
        break;
    case FLOW_EV_CHECKPOINT:
        rt_metric_observe(e->checkpoint, (double)ev->took_ns / NS);
        break;
    case FLOW_EV_CHECKPOINT_FAILED:
        rt_metric_add(e->checkpoint_failures, 1);
        break;
    case FLOW_EV_RECOVERED:
        rt_metric_add(e->recovered, ev->count);
        break;
    default:
        break;
    }
}
