/* merge_test.c - merging partial results (query.md 11, query-cases.md L), exactness and limits. */
#include "test.h"

#include "build.h"

static query_cond no_cond = {.text = (char *)(uintptr_t) "", .statement_text = NULL};

static query_stmt make_stmt(unsigned labels)
{
    return (query_stmt){.labels = labels,
                        .fields = build_fields("sip,dport"),
                        .cond = &no_cond,
                        .first_s = 1000,
                        .last_s = 2000,
                        .bin_s = 300};
}

typedef struct spec_part {
    spec_row rows[4];
    size_t n;
    uint64_t hits; /* 0 = as many as rows */
    int64_t first_s, last_s;
    const char *ifaces[3], *host;
    int data;
} spec_part;

static void add_part(result_merger *m, const spec_part *p)
{
    result r;
    gp_err err = {0};
    want_ok(result_init(&r, SIZE_MAX, NULL));
    build_rows(&r, p->rows, p->n);
    if (p->hits)
        r.hits_total = p->hits;
    r.time_first_s = p->first_s;
    r.time_last_s = p->last_s;
    r.data_available = p->data;
    r.has_stats = 1;
    r.stats = (result_stats){1, 2, 10, 3, 4, 5};
    for (size_t i = 0; i < COUNT(p->ifaces) && p->ifaces[i]; i++)
        want_ok(result_add_iface(&r, p->ifaces[i], NULL));
    if (p->host)
        want_ok(result_add_host_status(&r, p->host, RESULT_OK, "", NULL));
    want_ok_err(&err, result_merger_add(m, &r, &err));
    result_clear(&r);
}

static void test_cases(void **state)
{
    (void)state;
    static const spec_part a = {
        .rows = {{0, "a", "1", "eth0", "10.0.0.1", NULL, 0, 80, 100, 0, 1, 0},
                 {0, "a", "1", "eth0", "10.0.0.2", NULL, 0, 80, 60, 0, 1, 0}},
        .n = 2,
        .hits = 3,
        .first_s = 1,
        .last_s = 4,
        .ifaces = {"eth0", "eth1"},
        .host = "a",
        .data = 1};
    static const spec_part b = {
        .rows = {{0, "a", "1", "eth0", "10.0.0.1", NULL, 0, 80, 200, 0, 1, 0}, /* L01 */
                 {0, "b", "2", "eth0", "10.0.0.2", NULL, 0, 80, 60, 0, 1, 0},  /* L02 */
                 {0, "a", "1", "eth2", "10.0.0.1", NULL, 0, 80, 60, 0, 1, 0}},
        .n = 3,
        .first_s = 2,
        .last_s = 5,
        .ifaces = {"eth2", "eth0"},
        .host = "b",
        .data = 0};
    query_stmt s = make_stmt(0);
    result_merger *m = NULL;
    result r;
    want_ok(result_merger_new(&s, 0, 0, &m, NULL));
    add_part(m, &a);
    add_part(m, &b);
    want_ok(result_merger_host(m, "c", RESULT_TIMEOUT, "no answer in 5s", NULL));
    want_ok(result_merger_get(m, 0, &r, NULL));
    static const spec_row want[] = {
        {0, "a", "1", "eth0", "10.0.0.1", NULL, 0, 80, 300, 0, 2, 0},
        {0, "b", "2", "eth0", "10.0.0.2", NULL, 0, 80, 60, 0, 1, 0},
        {0, "a", "1", "eth0", "10.0.0.2", NULL, 0, 80, 60, 0, 1, 0},
        {0, "a", "1", "eth2", "10.0.0.1", NULL, 0, 80, 60, 0, 1, 0},
    };
    result w;
    want_ok(result_init(&w, SIZE_MAX, NULL));
    build_rows(&w, want, COUNT(want));
    result_print_opts p = {.format = QUERY_NDJSON};
    char *got = build_print(&r, &p, NULL), *text = build_print(&w, &p, NULL);
    build_want("merged rows", got, text);
    gp_free(got);
    gp_free(text);
    assert_int_equal(r.hits_total, 5);          /* L03 */
    assert_int_equal(r.totals.bytes_rcvd, 480); /* L04 */
    assert_int_equal(r.n_ifaces, 3);            /* L05 */
    assert_string_equal(r.ifaces[2], "eth2");
    assert_int_equal(r.time_first_s, 1); /* L06 */
    assert_int_equal(r.time_last_s, 5);
    assert_int_equal(r.n_host_statuses, 3); /* L08 */
    assert_int_equal(r.host_statuses[2].code, RESULT_TIMEOUT);
    assert_string_equal(r.host_statuses[2].message, "no answer in 5s");
    assert_int_equal(r.status, RESULT_OK);
    assert_int_equal(r.stats.blocks_processed, 20); /* L12 */
    assert_true(r.data_available);
    assert_string_equal(r.hostname, "");
    result_clear(&r);
    result_clear(&w);

    want_ok(result_merger_get(m, 2, &r, NULL)); /* L10, and the merger stays usable */
    assert_int_equal(r.n_rows, 2);
    assert_int_equal(r.hits_total, 5);
    assert_int_equal(r.rows[0].c.bytes_rcvd, 300);
    result_clear(&r);
    result_merger_free(m);
}

/* L11: times in other zones are the same instants. */
static void test_zones(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "{\"rows\":[{\"labels\":{\"timestamp\":\"2024-05-01T02:00:00+02:00\",\"host\":\"a\"},"
        "\"attributes\":{\"sip\":\"10.0.0.1\"},\"counters\":{\"br\":1}}]}",
        "{\"rows\":[{\"labels\":{\"timestamp\":\"2024-05-01T00:00:00Z\",\"host\":\"a\"},"
        "\"attributes\":{\"sip\":\"10.0.0.1\"},\"counters\":{\"br\":2}}]}"};
    query_stmt s = make_stmt(0);
    result_merger *m = NULL;
    gp_err err = {0};
    result r;

    want_ok(result_merger_new(&s, 0, 0, &m, NULL));
    for (size_t i = 0; i < COUNT(parts); i++) {
        want_ok_err(&err, result_from_json(parts[i], strlen(parts[i]), &r, &err));
        want_ok_err(&err, result_merger_add(m, &r, &err));
        result_clear(&r);
    }
    want_ok(result_merger_get(m, 0, &r, NULL));
    assert_int_equal(r.n_rows, 1);
    assert_int_equal(r.rows[0].c.bytes_rcvd, 3);
    assert_int_equal(r.rows[0].time_s, 1714521600);
    result_clear(&r);
    result_merger_free(m);
}

static void test_merge_hosts(void **state)
{
    (void)state;
    static const spec_part a = {
        .rows = {{0, "a", "1", "eth0", "10.0.0.1", NULL, 0, 80, 100, 1, 1, 0},
                 {0, "b", "2", "eth0", "10.0.0.1", NULL, 0, 80, 5, 1, 1, 0}},
        .n = 2,
        .data = 1,
        .ifaces = {"eth0"},
        .host = "a"};
    query_stmt s = make_stmt(0);
    result_merger *m = NULL;
    result r;
    want_ok(result_merger_new(&s, 1, 0, &m, NULL));
    add_part(m, &a);
    add_part(m, &a);
    want_ok(result_merger_get(m, 0, &r, NULL));
    assert_int_equal(r.n_rows, 1);
    assert_int_equal(r.hits_total, 1);
    assert_int_equal(r.rows[0].c.bytes_rcvd, 210);
    assert_int_equal(r.rows[0].c.bytes_sent, 4);
    assert_string_equal(r.hosts[r.rows[0].host].name, "");
    result_clear(&r);
    result_merger_free(m);
}

static void test_status(void **state)
{
    (void)state;
    query_stmt s = make_stmt(0);
    result_merger *m = NULL;
    result r;
    want_ok(result_merger_new(&s, 0, 0, &m, NULL));
    want_ok(result_merger_host(m, "a", RESULT_ERROR, "down", NULL));
    want_ok(result_merger_get(m, 10, &r, NULL)); /* L09 */
    assert_int_equal(r.status, RESULT_MISSING_DATA);
    assert_int_equal(r.time_first_s, 1000); /* nobody answered: the range that was asked for */
    assert_int_equal(r.time_last_s, 2000);
    result_clear(&r);
    static const spec_part a = {.first_s = 5, .last_s = 6, .data = 1};
    add_part(m, &a);
    want_ok(result_merger_get(m, 10, &r, NULL)); /* L07 */
    assert_int_equal(r.status, RESULT_EMPTY);
    assert_int_equal(r.time_first_s, 5);
    result_clear(&r);
    result_merger_free(m);
}

static void test_bins(void **state)
{
    (void)state;
    static const spec_part a = {.rows = {{300, "a", "1", "e", NULL, NULL, 0, 80, 1, 0, 1, 0},
                                         {600, "a", "1", "e", NULL, NULL, 0, 80, 2, 0, 1, 0},
                                         {900, "a", "1", "e", NULL, NULL, 0, 80, 4, 0, 1, 0}},
                                .n = 3,
                                .data = 1};
    query_stmt s = make_stmt(QUERY_LABEL_TIME);
    s.bin_s = 600;
    result_merger *m = NULL;
    result r;
    want_ok(result_merger_new(&s, 0, 0, &m, NULL));
    add_part(m, &a);
    want_ok(result_merger_get(m, 0, &r, NULL));
    assert_int_equal(r.n_rows, 2);
    assert_int_equal(r.hits_total, 2);
    assert_int_equal(r.rows[0].time_s, 600);
    assert_int_equal(r.rows[0].c.bytes_rcvd, 3);
    assert_int_equal(r.rows[1].time_s, 1200);
    result_clear(&r);
    result_merger_free(m);
}

/* Random parts against a sum over all rows sorted by key; padding bytes hold rubbish. */
static void random_part(result *r, test_rng *rng, size_t n, unsigned keys)
{
    want_ok(result_init(r, SIZE_MAX, NULL));
    want_ok(result_reserve_rows(r, n, NULL));
    for (size_t i = 0; i < n; i++) {
        result_row *row = &r->rows[i];
        uint64_t key = test_rng_below(rng, keys);
        memset(row, (int)test_rng_below(rng, 256), sizeof *row);
        memset(row->sip, 0, 34);
        row->time_s = 0;
        row->host = result_host_id(r, key & 1 ? "x" : "y", "");
        row->iface = result_iface_id(r, key & 2 ? "e0" : "e1");
        row->sip_family = 4;
        memcpy(row->sip, &key, 4);
        row->proto = (uint8_t)key;
        row->dport = (uint16_t)key;
        row->c = (result_counters){key, 1, 2, test_rng_below(rng, 1000)};
        r->totals.pkts_sent += row->c.pkts_sent;
        r->totals.bytes_sent++;
    }
    r->n_rows = n;
    r->hits_total = n;
}

static void test_exact(void **state)
{
    (void)state;
    test_rng rng = test_rng_new(5);
    static const unsigned keys[] = {1, 50, 100000};
    for (size_t k = 0; k < COUNT(keys); k++) {
        query_stmt s = make_stmt(0);
        result_merger *m = NULL;
        result r;
        uint64_t sent = 0, rows = 0, *seen = gp_calloc(keys[k], sizeof *seen);
        assert_non_null(seen);
        want_ok(result_merger_new(&s, 0, 0, &m, NULL));
        for (unsigned i = 0; i < 40; i++) {
            result part;
            random_part(&part, &rng, 1 + test_rng_below(&rng, 3000), keys[k]);
            for (size_t j = 0; j < part.n_rows; j++) {
                uint32_t key;
                memcpy(&key, part.rows[j].sip, 4);
                seen[key] += part.rows[j].c.pkts_sent;
                sent += part.rows[j].c.pkts_sent;
                rows++;
            }
            want_ok(result_merger_add(m, &part, NULL));
            result_clear(&part);
        }
        want_ok(result_merger_get(m, 0, &r, NULL));
        assert_int_equal(r.totals.pkts_sent, sent);
        assert_int_equal(r.totals.bytes_sent, rows);
        assert_int_equal(r.hits_total, r.n_rows);
        uint64_t sum_rows = 0;
        for (size_t j = 0; j < r.n_rows; j++) {
            uint32_t key;
            memcpy(&key, r.rows[j].sip, 4);
            assert_int_equal(r.rows[j].c.pkts_sent, seen[key]);
            seen[key] = UINT64_MAX; /* a second row of this key would not match */
            sum_rows += r.rows[j].c.bytes_sent;
        }
        assert_int_equal(sum_rows, rows);
        gp_free(seen);
        result_clear(&r);
        result_merger_free(m);
    }
}

static void test_limits(void **state)
{
    (void)state;
    test_rng rng = test_rng_new(6);
    query_stmt s = make_stmt(0);
    result_merger *m = NULL;
    result part;
    gp_err err = {0};
    random_part(&part, &rng, 50000, 1U << 30);
    want_ok(result_merger_new(&s, 0, 2 << 20, &m, NULL));
    want_err(GP_ELIMIT, &err, "memory allowed", result_merger_add(m, &part, &err));
    result_merger_free(m);
    part.rows[100].host = 9;
    want_ok(result_merger_new(&s, 0, 0, &m, NULL));
    want_err(GP_EINVAL, &err, "row 100", result_merger_add(m, &part, &err));
    result_merger_free(m);
    result_clear(&part);
}

/* Sums stop at the largest value instead of starting again at zero. */
static void test_saturation(void **state)
{
    (void)state;
    static const spec_part a = {
        .rows = {{0, "a", "", "e", NULL, NULL, 0, 80, UINT64_MAX - 1, 0, 1, 0}}, .n = 1, .data = 1};
    query_stmt s = make_stmt(0);
    result_merger *m = NULL;
    result r;
    want_ok(result_merger_new(&s, 0, 0, &m, NULL));
    add_part(m, &a);
    add_part(m, &a);
    want_ok(result_merger_get(m, 0, &r, NULL));
    assert_true(r.rows[0].c.bytes_rcvd == UINT64_MAX);
    assert_true(r.totals.bytes_rcvd == UINT64_MAX);
    result_clear(&r);
    result_merger_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),       cmocka_unit_test(test_zones),
        cmocka_unit_test(test_merge_hosts), cmocka_unit_test(test_status),
        cmocka_unit_test(test_bins),        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_limits),      cmocka_unit_test(test_saturation),
    };
    setenv("TZ", "UTC", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
