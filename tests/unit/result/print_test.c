/* print_test.c - every literal output example of the spec byte for byte, and layout rules (M). */
#include "test.h"

#include <time.h>

#include "build.h"
#include "golden.h"

static const spec_row three[] = {
    {0, "edge-7", "5f0c1e7a9b3d4c2688aa10e4d7f20b61", "wan0", "198.51.100.23", "203.0.113.9", 6, 0,
     48120331, 1907455113, 410233, 1391870},
    {0, "edge-7", "5f0c1e7a9b3d4c2688aa10e4d7f20b61", "wan0", "2001:db8:77::15", "2001:db8:1::2", 6,
     0, 903112, 44776, 918, 108},
    {0, "edge-7", "5f0c1e7a9b3d4c2688aa10e4d7f20b61", "wan0", "198.51.100.40", "203.0.113.53", 17,
     0, 1024, 0, 8, 0},
};

static const spec_row timed[] = {
    {1930467600, "h", "1", "lan1", NULL, NULL, 58, 0, 340, 0, 5, 0},
    {1930467600, "h", "1", "wan0", NULL, NULL, 6, 443, 4000, 1500, 31, 24},
    {1930467900, "h", "1", "wan0", NULL, NULL, 6, 443, 3000, 1060, 25, 20},
};

/* The example of 6.4: three rows shown out of five. */
static void make_three(result *r)
{
    want_ok(result_init(r, SIZE_MAX, NULL));
    build_rows(r, three, COUNT(three));
    r->hits_total = 5;
    r->totals = (result_counters){49100000, 1907500000, 411300, 1391990};
    r->fields = build_fields("sip,dip,proto");
    r->condition = "(dport = 443 | dport = 53)";
    r->hostname = "edge-7";
    r->data_available = 1;
    r->time_first_s = 1930377600;
    r->time_last_s = 1930469400;
    r->query_start_ns = INT64_C(1930470072000456000);
    r->query_duration_ns = 18250000;
    r->has_stats = 1;
    r->stats = (result_stats){30211, 88064, 306, 0, 2, 1};
    want_ok(result_add_iface(r, "wan0", NULL));
    want_ok(result_add_host_status(r, "edge-7", RESULT_OK, "", NULL));
}

static void make_timed(result *r)
{
    want_ok(result_init(r, SIZE_MAX, NULL));
    build_rows(r, timed, COUNT(timed));
    r->fields = build_fields("dport,proto");
    r->time_first_s = 1930467300;
    r->time_last_s = 1930467900;
    r->query_duration_ns = 6000000;
    r->hostname = "h";
    want_ok(result_add_iface(r, "wan0", NULL));
    want_ok(result_add_iface(r, "lan1", NULL));
    want_ok(result_add_host_status(r, "h", RESULT_OK, "", NULL));
}

static const result_print_opts both = {.direction = QUERY_BOTH};
static const result_print_opts time_sum = {
    .labels = QUERY_LABEL_TIME | QUERY_LABEL_IFACE,
    .direction = QUERY_SUM,
    .order = {.sort = QUERY_SORT_TIME, .direction = QUERY_SUM, .ascending = 1, .has_time = 1},
};

static void want_print(const char *what, const result *r, result_print_opts o, query_format f,
                       const char *text)
{
    o.format = f;
    o.order.direction = o.direction;
    char *got = build_print(r, &o, NULL);
    build_want(what, got, text);
    gp_free(got);
}

static void test_examples(void **state)
{
    (void)state;
    result r;
    make_three(&r);
    want_print("M03 both", &r, both, QUERY_TXT, golden_txt_both);
    result_print_opts in = both;
    in.direction = QUERY_IN;
    want_print("M04 in", &r, in, QUERY_TXT, golden_txt_in);
    want_print("M08 csv both", &r, both, QUERY_CSV, golden_csv_both);
    want_print("M10 json", &r, both, QUERY_JSON, golden_json_both);
    result_clear(&r);

    make_timed(&r);
    want_print("M05 time, sum", &r, time_sum, QUERY_TXT, golden_txt_sum_time);
    result_print_opts csv = time_sum;
    csv.direction = QUERY_BOTH;
    want_print("M09 csv time", &r, csv, QUERY_CSV, golden_csv_time);
    result_clear(&r);
}

static void test_server_example(void **state)
{
    (void)state;
    static const spec_row rows[] = {
        {0, "edge-8", "8", "wan0", NULL, NULL, 6, 22, 5000, 80000, 64, 100},
        {0, "edge-7", "7", "lan1", NULL, NULL, 1, 0, 200, 1920, 6, 10},
    };
    result r;
    want_ok(result_init(&r, SIZE_MAX, NULL));
    build_rows(&r, rows, COUNT(rows));
    r.fields = build_fields("dport,proto");
    r.time_first_s = 1930377600;
    r.time_last_s = 1930469400;
    r.query_duration_ns = 1204000000;
    want_ok(result_add_iface(&r, "lan1", NULL));
    want_ok(result_add_iface(&r, "wan0", NULL));
    want_ok(result_add_host_status(&r, "edge-9", RESULT_ERROR, "401 Unauthorized", NULL));
    want_ok(result_add_host_status(&r, "edge-7", RESULT_OK, "", NULL));
    want_ok(result_add_host_status(&r, "edge-8", RESULT_OK, "", NULL));
    result_print_opts o = {.labels = QUERY_LABEL_HOST | QUERY_LABEL_IFACE, .direction = QUERY_BOTH};
    want_print("M06 server", &r, o, QUERY_TXT, golden_txt_server);

    /* CSV and NDJSON keep stdout clean: host lines are notes */
    char *notes = NULL;
    o.format = QUERY_CSV;
    char *got = build_print(&r, &o, &notes);
    assert_memory_equal(got, "host,iface,dport,proto,", 23);
    assert_string_equal(notes, "Host edge-9 returned with error \"error\": 401 Unauthorized\n");
    gp_free(got);
    gp_free(notes);
    o.format = QUERY_TXT;
    o.trace_id = "0123456789abcdef0123456789abcdef";
    got = build_print(&r, &o, NULL);
    assert_non_null(strstr(got, "\nTrace ID           : 0123456789abcdef0123456789abcdef\n"));
    gp_free(got);
    result_clear(&r);
}

static void make_empty(result *r)
{
    want_ok(result_init(r, SIZE_MAX, NULL));
    r->fields = build_fields("sip");
    r->condition = "dport = 1";
    r->hostname = "h";
    r->data_available = 1;
    r->time_first_s = 1930377600;
    r->time_last_s = 1930469400;
    r->query_duration_ns = 4000000;
    want_ok(result_add_iface(r, "wan0", NULL));
    want_ok(result_add_host_status(r, "h", RESULT_EMPTY, "", NULL));
    result_finish_status(r);
}

static void test_empty(void **state)
{
    (void)state;
    result r;
    make_empty(&r);
    want_print("M07 empty", &r, both, QUERY_TXT, golden_txt_empty);
    for (unsigned d = QUERY_BOTH; d <= QUERY_OUT; d++) {
        const result_print_opts way = {.direction = (query_direction)d};
        char *text = build_print(&r, &way, NULL);
        size_t status = strcspn(text, "\n"); /* the line about it comes first */
        if (strncmp(text + status, "\n\nTimespan    : ", 16) != 0)
            fail_msg("M23: no rows, direction %u: got '%s'", d, text);
        gp_free(text);
    }
    want_print("J39 csv", &r, both, QUERY_CSV,
               "sip,packets received,packets sent,%,data vol. received,data vol. sent,%\n"
               "Received packets,0\nSent packets,0\nReceived data volume (bytes),0\n"
               "Sent data volume (bytes),0\n"
               "Sorting and flow direction,accumulated data volume (sent and received)\n"
               "Interface,wan0\n");
    char *notes = NULL;
    result_print_opts o = both;
    o.format = QUERY_CSV;
    gp_free(build_print(&r, &o, &notes));
    assert_string_equal(notes, "Status \"empty\": query returned no results\n");
    gp_free(notes);
    want_print("J40 json", &r, both, QUERY_JSON,
               "{\"hostname\":\"h\",\"status\":{\"code\":\"empty\",\"message\":\"query returned no "
               "results\"},\"hosts_statuses\":{\"h\":{\"code\":\"empty\"}},\"summary\":{"
               "\"interfaces\":[\"wan0\"],\"time_first\":\"2031-03-04T08:00:00Z\",\"time_last\":"
               "\"2031-03-05T09:30:00Z\",\"totals\":{},\"timings\":{\"query_start\":"
               "\"1970-01-01T00:00:00Z\",\"query_duration_ns\":4000000},\"hits\":{\"displayed\":0,"
               "\"total\":0},\"data_available\":true},\"query\":{\"attributes\":[\"sip\"],"
               "\"condition\":\"dport = 1\"},\"rows\":[]}\n");
    r.hostname = ""; /* merged */
    o.format = QUERY_JSON;
    char *got = build_print(&r, &o, NULL);
    assert_non_null(strstr(got, ",\"rows\":null}\n"));
    assert_memory_equal(got, "{\"status\"", 9);
    gp_free(got);
    want_print("ndjson", &r, both, QUERY_NDJSON, "");
    r.time_last_s = INT64_C(9223371974719179007); /* U36: the default of the API */
    got = build_print(&r, &o, NULL);
    assert_non_null(strstr(got, "\"time_last\":\"9999-12-31T23:59:59Z\""));
    gp_free(got);
    got = build_print(&r, &both, NULL);
    assert_non_null(strstr(got, "[2031-03-04 08:00:00, 9999-12-31 23:59:59]"));
    gp_free(got);
    static const struct {
        int64_t first, last;
        const char *want;
    } ends[] = {
        {253402300799, 253402300800, "[9999-12-31 23:59:59, 9999-12-31 23:59:59] (0s)"},
        {253402300199, 253402300799, "[9999-12-31 23:49:59, 9999-12-31 23:59:59] (10m0s)"},
        {253402300900, INT64_MAX, "[9999-12-31 23:59:59, 9999-12-31 23:59:59] (0s)"},
    };
    for (size_t i = 0; i < COUNT(ends); i++) {
        r.time_first_s = ends[i].first;
        r.time_last_s = ends[i].last;
        got = build_print(&r, &both, NULL);
        if (!strstr(got, ends[i].want))
            fail_msg("want %s, got %s", ends[i].want, got);
        gp_free(got);
    }
    result_clear(&r);
}

/* ---- layout rules M20 to M30 ---- */

static const char *line_at(const char *text, unsigned n, size_t *len)
{
    while (n--) {
        text = strchr(text, '\n');
        assert_non_null(text);
        text++;
    }
    *len = strcspn(text, "\n");
    return text;
}

static void test_layout(void **state)
{
    (void)state;
    static const spec_row rows[] = {{0, "h", "1", "i", NULL, NULL, 6, 0, 10, 20, 1, 2}};
    result r;
    want_ok(result_init(&r, SIZE_MAX, NULL));
    build_rows(&r, rows, COUNT(rows));
    r.fields = build_fields("proto");
    want_ok(result_add_iface(&r, "eth1", NULL));
    want_ok(result_add_iface(&r, "eth0", NULL));
    result_print_opts o = both;
    char *got = build_print(&r, &o, NULL);
    size_t head, row, sep, totals, spacer, sums;
    line_at(got, 2, &head);
    const char *p = line_at(got, 3, &row);
    assert_int_equal(strncmp(p, "      TCP", 9), 0); /* M24: as wide as "Totals:" */
    p = line_at(got, 4, &sep);
    assert_int_equal(strspn(p, " "), sep); /* M22 */
    assert_int_equal(sep, head);
    line_at(got, 5, &totals);
    line_at(got, 6, &spacer);
    assert_int_equal(totals - spacer, strlen("100.00") + 2); /* M20 */
    p = line_at(got, 7, &sums);
    assert_int_equal(sums, spacer + 2); /* M21 */
    assert_memory_equal(p + sums - 7, "30     ", 7);
    assert_memory_equal(p, "  Totals:", 9);
    assert_non_null(strstr(got, "Interface   : eth0,eth1\n")); /* M27 */
    gp_free(got);

    r.has_stats = 1;
    r.stats = (result_stats){340, 2048, 3, 0, 2, 1};
    o.show_stats = 1;
    got = build_print(&r, &o, NULL); /* M25, M26 */
    assert_non_null(strstr(got, "\nBytes loaded          : 340\n"
                                "Bytes decompressed    : 2.00 kB\n"
                                "Blocks processed      : 3.00  \n"
                                "Blocks corrupted      : 0\n"
                                "Directories processed : 2\n"
                                "Workloads             : 1\n\n"));
    gp_free(got);
    result_clear(&r);
}

static const char *fake_dns(void *ctx, const gp_addr *a)
{
    (void)ctx;
    return a->family == 4 && a->bytes[0] == 10 ? "a,\033[31m.example." : NULL;
}

static void test_values(void **state)
{
    (void)state;
    static const spec_row rows[] = {
        {0, "h", "1", "i", "2001:db8::", "::1", 143, 0, UINT64_C(300000000000000000), 0, 1, 0},
        {0, "h", "1", "i", "10.0.0.1", NULL, 0, 65535, UINT64_C(100000000000000000), 0, 1, 0},
    };
    result r;
    want_ok(result_init(&r, SIZE_MAX, NULL));
    build_rows(&r, rows, COUNT(rows));
    static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 9};
    memcpy(r.rows[0].dip, mapped, 16);
    r.fields = build_fields("sip,dip,proto,dport");
    r.hostname = "h";
    result_print_opts o = {.direction = QUERY_SUM, .labels = QUERY_LABEL_TIME};
    want_print("U27, U28, U29, U38, M29, M30", &r, o, QUERY_CSV,
               "time,sip,dip,proto,dport,packets,%,data vol.,%\n"
               ",2001:db8::,::ffff:10.0.0.9,143,0,1,50.00,300000000000000000,75.00\n"
               ",10.0.0.1,invalid IP,HOPOPT,65535,1,50.00,100000000000000000,25.00\n"
               "Overall packets,2\nOverall data volume (bytes),400000000000000000\n"
               "Sorting and flow direction,accumulated data volume (sent and received)\n"
               "Interface,\n");
    want_print("M28 zero members left out", &r, o, QUERY_NDJSON,
               "{\"labels\":{\"iface\":\"i\",\"host\":\"h\",\"host_id\":\"1\"},\"attributes\":{"
               "\"sip\":\"2001:db8::\",\"dip\":\"::ffff:10.0.0.9\",\"proto\":143},\"counters\":{"
               "\"br\":300000000000000000,\"pr\":1}}\n"
               "{\"labels\":{\"iface\":\"i\",\"host\":\"h\",\"host_id\":\"1\"},\"attributes\":{"
               "\"sip\":\"10.0.0.1\",\"dport\":65535},\"counters\":{\"br\":100000000000000000,"
               "\"pr\":1}}\n");
    o.labels = 0;
    o.resolve = fake_dns;
    o.format = QUERY_CSV;
    char *got = build_print(&r, &o, NULL);
    assert_non_null(strstr(got, "\n\"a,?[31m.example.\",invalid IP,HOPOPT,")); /* no escapes */
    gp_free(got);
    result_clear(&r);
}

static void test_json_escapes(void **state)
{
    (void)state;
    static const spec_row rows[] = {
        {1700000100, "a\"b\\<c>&\x01\t\n\xff", "", "", NULL, NULL, 0, 0, 0, 0, 0, 0},
        {0, "", "id", "", NULL, NULL, 0, 0, 0, 0, 0, UINT64_MAX},
        {0, "", "", "\xe2\x80\xa8\xc3\xa9", NULL, NULL, 0, 0, 0, 0, 0, 0},
    };
    result r;
    want_ok(result_init(&r, SIZE_MAX, NULL));
    build_rows(&r, rows, COUNT(rows));
    want_print("escapes", &r, both, QUERY_NDJSON,
               "{\"labels\":{\"timestamp\":\"2023-11-14T22:15:00Z\",\"host\":\"a\\\"b\\\\\\u003cc"
               "\\u003e\\u0026\\u0001\\t\\n\\ufffd\"},\"attributes\":{},\"counters\":{}}\n"
               "{\"labels\":{\"host_id\":\"id\"},\"attributes\":{},\"counters\":{\"ps\":"
               "18446744073709551615}}\n"
               "{\"labels\":{\"iface\":\"\\u2028\xc3\xa9\"},\"attributes\":{},\"counters\":{}}\n");
    result_clear(&r);
}

static void test_fragments(void **state)
{
    (void)state;
    static const spec_row rows[] = {
        {0, "a|b<i>", "1", "w_1", "10.0.0.1", NULL, 0, 0, 2048, 0, 5, 0},
        {0, "ok", "2", "w_1", "10.0.0.2", NULL, 0, 0, 2048, 0, 5, 0},
    };
    result r;
    want_ok(result_init(&r, SIZE_MAX, NULL));
    build_rows(&r, rows, COUNT(rows));
    r.fields = build_fields("sip");
    r.condition = "dport < 5";
    r.status = RESULT_ERROR;
    r.status_message = "<script>";
    want_ok(result_add_iface(&r, "w_1", NULL));
    result_print_opts o = {.direction = QUERY_IN, .labels = QUERY_LABEL_HOST};
    want_print("markdown", &r, o, QUERY_MD,
               "**Status \"error\": &lt;script&gt;**\n\n"
               "| host | sip | packets in | packets % | bytes in | bytes % |\n"
               "|---|---|---:|---:|---:|---:|\n"
               "| a\\|b&lt;i&gt; | 10.0.0.1 | 5 | 50.00 | 2.00 kB | 50.00 |\n"
               "| ok | 10.0.0.2 | 5 | 50.00 | 2.00 kB | 50.00 |\n"
               "|  |  | 10 |  | 4.00 kB |  |\n\n"
               "- Timespan: \\[1970-01-01 00:00:00, 1970-01-01 00:00:00\\] (0s)\n"
               "- Interface: w\\_1\n"
               "- Sorted by: accumulated data volume (received only)\n"
               "- Conditions: dport &lt; 5\n"
               "- Query stats: displayed top 2 hits out of 2 in 0s\n");
    want_print("html", &r, o, QUERY_HTML,
               "<p class=\"fleetprobe-note\">Status &quot;error&quot;: &lt;script&gt;</p>\n"
               "<table class=\"fleetprobe\">\n<thead><tr><th>host</th><th>sip</th>"
               "<th class=\"n\">packets in</th><th class=\"n\">packets %</th>"
               "<th class=\"n\">bytes in</th><th class=\"n\">bytes %</th></tr></thead>\n<tbody>\n"
               "<tr><td>a|b&lt;i&gt;</td><td>10.0.0.1</td><td class=\"n\">5</td>"
               "<td class=\"n\">50.00</td><td class=\"n\">2.00 kB</td><td class=\"n\">50.00</td>"
               "</tr>\n<tr><td>ok</td><td>10.0.0.2</td><td class=\"n\">5</td>"
               "<td class=\"n\">50.00</td><td class=\"n\">2.00 kB</td><td class=\"n\">50.00</td>"
               "</tr>\n</tbody>\n<tfoot>\n<tr><td></td><td></td><td class=\"n\">10</td>"
               "<td class=\"n\"></td><td class=\"n\">4.00 kB</td><td class=\"n\"></td></tr>\n"
               "</tfoot>\n</table>\n<dl class=\"fleetprobe\">\n"
               "<dt>Timespan</dt><dd>[1970-01-01 00:00:00, 1970-01-01 00:00:00] (0s)</dd>\n"
               "<dt>Interface</dt><dd>w_1</dd>\n"
               "<dt>Sorted by</dt><dd>accumulated data volume (received only)</dd>\n"
               "<dt>Conditions</dt><dd>dport &lt; 5</dd>\n"
               "<dt>Query stats</dt><dd>displayed top 2 hits out of 2 in 0s</dd>\n</dl>\n");
    result_clear(&r);
}

static void test_wide_and_color(void **state)
{
    (void)state;
    static const spec_row rows[] = {
        {0, "\xe6\x9d\xb1\xe4\xba\xac", "", "", NULL, NULL, 0, 0, 1, 0, 1,
         0}, /* two wide characters */
        {0, "tokyo", "", "", NULL, NULL, 0, 0, 1, 0, 1, 0},
    };
    result r;
    want_ok(result_init(&r, SIZE_MAX, NULL));
    build_rows(&r, rows, COUNT(rows));
    result_print_opts o = {.direction = QUERY_IN, .labels = QUERY_LABEL_HOST};
    char *got = build_print(&r, &o, NULL);
    assert_non_null(strstr(got, "\n   \xe6\x9d\xb1\xe4\xba\xac      1    50.00"));
    assert_non_null(strstr(got, "\n  tokyo      1    50.00"));
    assert_null(strchr(got, '\033'));
    gp_free(got);
    o.color = 1;
    got = build_print(&r, &o, NULL);
    assert_non_null(strstr(got, "\n\033[1m   host       in      %"));
    gp_free(got);
    result_clear(&r);
}

static void test_write_error(void **state)
{
    (void)state;
    result r;
    gp_err err = {0};
    make_three(&r);
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    want_status(GP_EIO, result_print(&r, &both, full, NULL, &err));
    assert_int_equal(err.sys, ENOSPC);
    fclose(full);
    r.rows[1].host = 7;
    want_status(GP_EINVAL, result_print(&r, &both, stderr, NULL, &err));
    result_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),    cmocka_unit_test(test_server_example),
        cmocka_unit_test(test_empty),       cmocka_unit_test(test_layout),
        cmocka_unit_test(test_values),      cmocka_unit_test(test_json_escapes),
        cmocka_unit_test(test_fragments),   cmocka_unit_test(test_wide_and_color),
        cmocka_unit_test(test_write_error),
    };
    setenv("TZ", "UTC", 1);
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
