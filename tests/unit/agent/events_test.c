/* events_test.c - what the manager tells becomes metrics under the names of capture.md 6.3. */
#include "events.h"
#include "gp/mem.h"
#include "netns.h"

#define NS 1000000000

static char *page(agent_events *e)
{
    gp_buf b = {0};
    rt_metrics_text(agent_events_metrics(e), &b);
    return gp_buf_take(&b);
}

/* The value behind name{labels}, as printed. */
static void want_line(const char *text, const char *line)
{
    GP_CLEANUP(gp_freep) char *whole = gp_asprintf("\n%s\n", line);
    if (!strstr(text, whole))
        fail_msg("no line %s in\n%s", line, text);
}

static agent_events *opened(int no_iface, const char *const *ifaces, size_t n)
{
    agent_events *e = NULL;
    gp_err err = {0};

    want_ok_err(&err, agent_events_new(no_iface, &e, &err));
    for (size_t i = 0; i < n; i++)
        agent_events_on(e, &(flow_event){.kind = FLOW_EV_OPENED, .iface = ifaces[i], .text = ""});
    return e;
}

/* Type, name and labels of everything in 6.3 that is not of the API, and the buckets of its
 * histograms. */
static void test_names(void **state)
{
    (void)state;
    static const char *const iface = "eth0.100";
    static const struct {
        const char *type, *name, *labels;
    } all[] = {
        {"counter", "goprobe_capture_packets_processed_total", "{iface=\"eth0.100\"}"},
        {"counter", "goprobe_capture_packets_dropped_total", "{iface=\"eth0.100\"}"},
        {"counter", "goprobe_capture_capture_issues_total",
         "{iface=\"eth0.100\",issue_type=\"packet fragmented\"}"},
        {"counter", "goprobe_capture_capture_issues_total",
         "{iface=\"eth0.100\",issue_type=\"invalid IP header\"}"},
        {"counter", "goprobe_capture_capture_issues_total",
         "{iface=\"eth0.100\",issue_type=\"packet truncated\"}"},
        {"counter", "goprobe_capture_bytes_total", "{iface=\"eth0.100\",direction=\"inbound\"}"},
        {"counter", "goprobe_capture_bytes_total", "{iface=\"eth0.100\",direction=\"outbound\"}"},
        {"counter", "goprobe_capture_packets_total", "{iface=\"eth0.100\",direction=\"inbound\"}"},
        {"counter", "goprobe_capture_packets_total", "{iface=\"eth0.100\",direction=\"outbound\"}"},
        {"gauge", "goprobe_capture_flows_total", "{iface=\"eth0.100\"}"},
        {"gauge", "goprobe_capture_global_packet_buffer_usage", "{iface=\"eth0.100\"}"},
        {"gauge", "goprobe_capture_manager_interfaces_capturing_total", ""},
    };
    static const char *const buckets[] = {"0.001", "0.005", "0.01", "0.025", "0.05", "0.1",
                                          "0.25",  "0.5",   "0.75", "1",     "+Inf"};
    agent_events *e = opened(0, &iface, 1);
    GP_CLEANUP(gp_freep) char *text = page(e);

    for (size_t i = 0; i < COUNT(all); i++) {
        GP_CLEANUP(gp_freep) char *type = gp_asprintf("# TYPE %s %s", all[i].name, all[i].type);
        GP_CLEANUP(gp_freep) char *line = gp_asprintf("%s%s 0", all[i].name, all[i].labels);
        want_line(text, type);
        want_line(text, line);
    }
    for (size_t i = 0; i < COUNT(buckets); i++) {
        GP_CLEANUP(gp_freep)
        char *line = gp_asprintf(
            "goprobe_capture_manager_rotation_duration_seconds_bucket{le=\"%s\"} 0", buckets[i]);
        want_line(text, line);
    }
    agent_events_free(e);
}

/* D-31: how long write-outs take is on the page. */
static void test_d31_writeout_histogram(void **state)
{
    (void)state;
    static const char *const iface = "v0";
    static const struct {
        double le;
        int count;
    } want[] = {{.025, 1}, {.05, 1}, {.1, 1}, {.25, 2}, {.5, 2},
                {1, 2},    {5, 3},   {10, 3}, {30, 3},  {60, 4}};
    static const double took_s[] = {.02, .2, 4, 59};
    agent_events *e = opened(0, &iface, 1);

    for (size_t i = 0; i < COUNT(took_s); i++)
        agent_events_on(e, &(flow_event){.kind = FLOW_EV_WRITTEN,
                                         .iface = iface,
                                         .text = "",
                                         .took_ns = (int64_t)(took_s[i] * NS)});
    GP_CLEANUP(gp_freep) char *text = page(e);
    for (size_t i = 0; i < COUNT(want); i++) {
        GP_CLEANUP(gp_freep)
        char *line =
            gp_asprintf("goprobe_godb_handler_writeout_duration_seconds_bucket{le=\"%g\"} %d",
                        want[i].le, want[i].count);
        want_line(text, line);
    }
    want_line(text, "goprobe_godb_handler_writeout_duration_seconds_count 4");
    agent_events_free(e);
}

static void on_event(void *ctx, const flow_event *e)
{
    agent_events_on(ctx, e);
}

/* D-31: the gauge counts what is captured now, not what the last write-out was about. */
static void test_d31_interfaces_capturing(void **state)
{
    (void)state;
    static const char *const names[] = {"lo", "v0", "v1", "nosuch0"};
    static const capture_conf ring = {.block_size = 1 << 20, .num_blocks = 4};
    GP_CLEANUP(test_tmpdirp) char *db = test_tmpdir();
    agent_events *e = opened(0, NULL, 0);
    flow_ruleset *rs = NULL;
    flow_manager *m = NULL;
    gp_err err = {0};

    want_ok_err(&err, flow_manager_new(&(flow_manager_opts){.db = db,
                                                            .writer = GODB_WRITER_OPTS_INIT,
                                                            .interval_s = 1000000000,
                                                            .event = on_event,
                                                            .ctx = e},
                                       &m, &err));
    agent_events_manager(e, m);
    want_ok_err(&err, flow_ruleset_new(&rs, &err));
    for (size_t i = 0; i < COUNT(names); i++)
        want_ok_err(&err, flow_ruleset_add(rs, names[i], &ring, &err));
    want_ok_err(&err, flow_manager_apply(m, rs, NULL, NULL, &err));
    for (size_t n = 1; n <= 3; n++) { /* interfaces written out */
        want_ok_err(&err, flow_manager_flush(m, names, n, 20000, &err));
        GP_CLEANUP(gp_freep) char *text = page(e);
        want_line(text, "goprobe_capture_manager_interfaces_capturing_total 3");
    }
    want_ok_err(&err, flow_manager_finish(m, &err));
    GP_CLEANUP(gp_freep) char *text = page(e);
    want_line(text, "goprobe_capture_manager_interfaces_capturing_total 0");
    agent_events_manager(e, NULL);
    want_ok_err(&err, flow_manager_close(m, &err));
    agent_events_free(e);
}

/* Without label all interfaces add up. */
static void test_no_iface_label(void **state)
{
    (void)state;
    static const char *const ifaces[] = {"v0", "v1"};
    agent_events *e = opened(1, ifaces, COUNT(ifaces));
    static const flow_worker_counts counts[] = {
        {.capture = {.processed = 7}, .pause_ns = 5000000},
        {.capture = {.processed = 7}, .pause_ns = 3000000},
    };

    for (size_t i = 0; i < COUNT(ifaces); i++)
        agent_events_on(e, &(flow_event){.kind = FLOW_EV_ROTATED,
                                         .iface = ifaces[i],
                                         .text = "",
                                         .counts = &counts[i],
                                         .capture = 5,
                                         .entries = 3,
                                         .totals = {100, 200, 1, 2}});
    GP_CLEANUP(gp_freep) char *text = page(e);
    want_line(text, "goprobe_capture_packets_processed_total 14");
    want_line(text, "goprobe_capture_bytes_total{direction=\"outbound\"} 400");
    want_line(text, "goprobe_capture_packets_total{direction=\"inbound\"} 2");
    want_line(text, "goprobe_capture_flows_total 6");
    want_line(text, "goprobe_capture_pause_max_seconds 0.005"); /* the longest of all */
    assert_null(strstr(text, "iface="));
    /* an interface that is gone: what was counted stays, what is now does not */
    static const char *const left[][2] = {
        {"goprobe_capture_flows_total 3", "goprobe_capture_pause_max_seconds 0.003"},
        {"goprobe_capture_flows_total 0", "goprobe_capture_pause_max_seconds 0"},
    };
    for (size_t i = 0; i < COUNT(left); i++) {
        agent_events_on(e,
                        &(flow_event){.kind = FLOW_EV_FORGOTTEN, .iface = ifaces[i], .text = ""});
        GP_CLEANUP(gp_freep) char *now = page(e);
        want_line(now, left[i][0]);
        want_line(now, left[i][1]);
        want_line(now, "goprobe_capture_packets_processed_total 14");
    }
    agent_events_free(e);
}

/* Events that are counted, and numbers of a rotation that have a metric of their own. */
static void test_counted(void **state)
{
    (void)state;
    static const char *const iface = "v0";
    static const flow_worker_counts counts = {
        .capture = {.processed = 5, .dropped = 4, .errors = {1, 2, 3}}, .lost = 6, .shared = 7};
    static const flow_event events[] = {
        {.kind = FLOW_EV_ROTATED, .iface = "v0", .text = "", .counts = &counts, .capture = 1},
        {.kind = FLOW_EV_WRITE_FAILED, .iface = "v0", .text = "disk full"},
        {.kind = FLOW_EV_LOST, .iface = "v0", .text = "no memory", .count = 30},
        {.kind = FLOW_EV_CHECKPOINT, .iface = "v0", .text = "", .took_ns = NS / 5},
        {.kind = FLOW_EV_CHECKPOINT_FAILED, .iface = "v0", .text = "disk full"},
        {.kind = FLOW_EV_RECOVERED, .iface = "v0", .text = "", .count = 40},
    };
    static const char *const lines[] = {
        "goprobe_capture_packets_processed_total{iface=\"v0\"} 5",
        "goprobe_capture_packets_dropped_total{iface=\"v0\"} 4",
        "goprobe_capture_capture_issues_total{iface=\"v0\",issue_type=\"packet fragmented\"} 1",
        "goprobe_capture_capture_issues_total{iface=\"v0\",issue_type=\"packet truncated\"} 3",
        "goprobe_capture_packets_overflow_total{iface=\"v0\"} 6",
        "goprobe_capture_packets_shared_total{iface=\"v0\"} 7",
        "goprobe_godb_handler_write_failures_total 1",
        "goprobe_godb_handler_flows_lost_total 30",
        "goprobe_godb_handler_checkpoint_duration_seconds_sum 0.2",
        "goprobe_godb_handler_checkpoint_failures_total 1",
        "goprobe_godb_handler_flows_recovered_total 40",
    };
    agent_events *e = opened(0, &iface, 1);

    for (size_t i = 0; i < COUNT(events); i++)
        agent_events_on(e, &events[i]);
    GP_CLEANUP(gp_freep) char *text = page(e);
    for (size_t i = 0; i < COUNT(lines); i++)
        want_line(text, lines[i]);
    /* gone for good: it has no lines any more, and new ones when it comes back */
    agent_events_on(e, &(flow_event){.kind = FLOW_EV_FORGOTTEN, .iface = iface, .text = ""});
    GP_CLEANUP(gp_freep) char *gone = page(e);
    assert_null(strstr(gone, "iface=\"v0\""));
    agent_events_on(e, &(flow_event){.kind = FLOW_EV_OPENED, .iface = iface, .text = ""});
    GP_CLEANUP(gp_freep) char *back = page(e);
    want_line(back, "goprobe_capture_packets_overflow_total{iface=\"v0\"} 0");
    agent_events_free(e);
}

/* A capture that was opened anew counts from 0, and what is late of the one before is left out. */
static void test_opened_again(void **state)
{
    (void)state;
    static const char *const iface = "v0";
    static const struct {
        uint64_t capture, processed;
        const char *line;
    } cases[] = {
        {3, 10, "goprobe_capture_packets_processed_total{iface=\"v0\"} 10"},
        {3, 15, "goprobe_capture_packets_processed_total{iface=\"v0\"} 15"},
        {3, 14, "goprobe_capture_packets_processed_total{iface=\"v0\"} 15"},
        {4, 2, "goprobe_capture_packets_processed_total{iface=\"v0\"} 17"},
        {3, 16, "goprobe_capture_packets_processed_total{iface=\"v0\"} 17"},
        {4, 20, "goprobe_capture_packets_processed_total{iface=\"v0\"} 35"},
    };
    agent_events *e = opened(0, &iface, 1);

    for (size_t i = 0; i < COUNT(cases); i++) {
        const flow_worker_counts counts = {.capture = {.processed = cases[i].processed}};
        agent_events_on(e, &(flow_event){.kind = FLOW_EV_ROTATED,
                                         .iface = iface,
                                         .text = "",
                                         .counts = &counts,
                                         .capture = cases[i].capture});
        GP_CLEANUP(gp_freep) char *text = page(e);
        want_line(text, cases[i].line);
    }
    agent_events_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_d31_writeout_histogram),
        cmocka_unit_test(test_d31_interfaces_capturing),
        cmocka_unit_test(test_opened_again),
        cmocka_unit_test(test_counted),
        cmocka_unit_test(test_no_iface_label),
    };
    if (!netns_enter())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
