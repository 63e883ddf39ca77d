/* order_test.c - order of rows, first N, binning: against a plain comparison sort. */
#include "test.h"

#include "build.h"

static void make_random(result *r, test_rng *rng, size_t n, unsigned spread)
{
    static const char *const hosts[] = {"b", "a", "c"}, *const ifaces[] = {"eth1", "eth0"};
    want_ok(result_init(r, SIZE_MAX, NULL));
    want_ok(result_reserve_rows(r, n, NULL));
    for (size_t i = 0; i < n; i++) {
        result_row *row = &r->rows[i];
        memset(row, 0, sizeof *row);
        row->host = result_host_id(r, hosts[test_rng_below(rng, 3)], "");
        row->iface = result_iface_id(r, ifaces[test_rng_below(rng, 2)]);
        row->time_s = (int64_t)test_rng_below(rng, spread) * 300;
        row->sip_family = (uint8_t)(2 * test_rng_below(rng, 4));
        row->sip_family = row->sip_family == 2 ? 0 : row->sip_family;
        row->dip_family = row->sip_family ? row->sip_family : (uint8_t)(4 * test_rng_below(rng, 2));
        for (unsigned k = 0; k < 2; k++) {
            if (row->sip_family)
                row->sip[row->sip_family == 4 ? 3 * k : 15 * k] =
                    (uint8_t)test_rng_below(rng, spread);
            if (row->dip_family)
                row->dip[row->dip_family == 4 ? 3 * k : 15 * k] =
                    (uint8_t)test_rng_below(rng, spread);
        }
        row->proto = (uint8_t)test_rng_below(rng, spread);
        row->dport = (uint16_t)test_rng_below(rng, spread);
        row->c.bytes_rcvd = test_rng_below(rng, spread);
        row->c.bytes_sent = test_rng_below(rng, spread) << 40;
        row->c.pkts_rcvd = test_rng_below(rng, 3);
        row->c.pkts_sent = test_rng_u64(rng) >> 1;
    }
    r->n_rows = n;
    r->hits_total = n;
}

struct cmp_ctx {
    const result *r;
    const result_order *o;
};

static int cmp(const void *a, const void *b, void *ctx)
{
    struct cmp_ctx *x = ctx;
    return result_row_cmp(x->r, x->o, a, b);
}

/* All orders, sizes around the limits of each algorithm, with and without a limit. */
static void test_like_qsort(void **state)
{
    (void)state;
    test_rng rng = test_rng_new(11);
    static const size_t sizes[] = {0, 1, 2, 63, 64, 1000, 5000};
    static const unsigned spreads[] = {1, 3, 200};
    static const uint64_t limits[] = {0, 1, 7, 100, 4999, 5000, 9999};
    for (size_t i = 0, rounds = test_rounds(400); i < rounds; i++) {
        result r;
        result_order o = {.sort = (query_sort)test_rng_below(&rng, 3),
                          .direction = (query_direction)test_rng_below(&rng, 4),
                          .ascending = (int)test_rng_below(&rng, 2)};
        size_t n = sizes[i % COUNT(sizes)];
        make_random(&r, &rng, n, spreads[test_rng_below(&rng, COUNT(spreads))]);
        result_row *want = gp_alloc(n + 1, sizeof *want);
        assert_non_null(want);
        if (n)
            memcpy(want, r.rows, n * sizeof *want);
        struct cmp_ctx ctx = {&r, &o};
        qsort_r(want, n, sizeof *want, cmp, &ctx);
        uint64_t limit = limits[test_rng_below(&rng, COUNT(limits))];
        size_t keep = limit && limit < n ? (size_t)limit : n;
        want_ok(result_sort(&r, &o, limit, NULL));
        assert_int_equal(r.n_rows, keep);
        assert_int_equal(r.hits_total, n);
        for (size_t k = 0; k < keep; k++)
            if (result_row_cmp(&r, &o, &want[k], &r.rows[k]) != 0)
                fail_msg("round %zu: sort %d direction %d asc %d n %zu limit %zu: row %zu differs",
                         i, (int)o.sort, (int)o.direction, o.ascending, n, (size_t)limit, k);
        gp_free(want);
        result_clear(&r);
    }
}

static void test_ties(void **state)
{
    (void)state;
    /* written in ascending order: absent < IPv4 < IPv6, then numbers, then labels */
    static const spec_row rows[] = {
        {0, "a", "", "e", NULL, NULL, 1, 9, 5, 0, 1, 0},
        {0, "a", "", "e", "0.0.0.1", NULL, 0, 0, 5, 0, 1, 0},
        {0, "a", "", "e", "9.0.0.0", NULL, 0, 0, 5, 0, 1, 0},
        {0, "a", "", "e", "10.0.0.0", NULL, 0, 0, 5, 0, 1, 0},
        {0, "a", "", "e", "10.0.0.0", "1.1.1.1", 6, 80, 5, 0, 1, 0},
        {0, "a", "", "e", "10.0.0.0", "1.1.1.1", 17, 53, 5, 0, 1, 0},
        {0, "a", "", "e", "10.0.0.0", "1.1.1.1", 17, 54, 5, 0, 1, 0},
        {1, "a", "", "e", "10.0.0.0", "1.1.1.1", 17, 54, 5, 0, 1, 0},
        {1, "b", "", "a", "10.0.0.0", "1.1.1.1", 17, 54, 5, 0, 1, 0},
        {1, "b", "", "e", "10.0.0.0", "1.1.1.1", 17, 54, 5, 0, 1, 0},
        {0, "a", "", "e", "::1", NULL, 0, 0, 5, 0, 1, 0},
    };
    for (int ascending = 0; ascending < 2; ascending++) {
        result r;
        result_order o = {.sort = QUERY_SORT_BYTES, .ascending = ascending};
        want_ok(result_init(&r, SIZE_MAX, NULL));
        for (size_t i = 0; i < COUNT(rows); i++) /* shuffled */
            build_rows(&r, &rows[i * 7 % COUNT(rows)], 1);
        want_ok(result_sort(&r, &o, 0, NULL));
        result sorted;
        want_ok(result_init(&sorted, SIZE_MAX, NULL));
        for (size_t i = 0; i < COUNT(rows); i++)
            build_rows(&sorted, &rows[ascending ? i : COUNT(rows) - 1 - i], 1);
        result_print_opts p = {.format = QUERY_NDJSON};
        char *got = build_print(&r, &p, NULL), *want = build_print(&sorted, &p, NULL);
        build_want(ascending ? "ascending" : "descending", got, want);
        gp_free(got);
        gp_free(want);
        result_clear(&r);
        result_clear(&sorted);
    }
}

static void test_keys(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        query_sort sort;
        query_direction direction;
        int ascending;
        uint8_t first; /* proto of the row that comes first */
    } cases[] = {
        {"bytes both", QUERY_SORT_BYTES, QUERY_BOTH, 0, 1},
        {"bytes sum", QUERY_SORT_BYTES, QUERY_SUM, 0, 1},
        {"bytes in", QUERY_SORT_BYTES, QUERY_IN, 0, 2},
        {"bytes out", QUERY_SORT_BYTES, QUERY_OUT, 0, 1},
        {"packets both", QUERY_SORT_PACKETS, QUERY_BOTH, 0, 3},
        {"packets out", QUERY_SORT_PACKETS, QUERY_OUT, 0, 2},
        {"bytes ascending", QUERY_SORT_BYTES, QUERY_BOTH, 1, 3},
        {"time descending", QUERY_SORT_TIME, QUERY_BOTH, 0, 2},
        {"time ascending", QUERY_SORT_TIME, QUERY_BOTH, 1, 1},
    };
    static const spec_row rows[] = {
        {100, "", "", "", NULL, NULL, 1, 0, 5, UINT64_MAX, 1, 1}, /* sum saturates */
        {300, "", "", "", NULL, NULL, 2, 0, 50, 0, 1, 2},
        {200, "", "", "", NULL, NULL, 3, 0, 7, 1, 9, 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        result r;
        result_order o = {cases[i].sort, cases[i].direction, cases[i].ascending, 0};
        want_ok(result_init(&r, SIZE_MAX, NULL));
        build_rows(&r, rows, COUNT(rows));
        want_ok(result_sort(&r, &o, 1, NULL));
        if (r.rows[0].proto != cases[i].first)
            fail_msg("%s: got row %u, want %u", cases[i].what, r.rows[0].proto, cases[i].first);
        result_clear(&r);
    }
}

static void test_order_of(void **state)
{
    (void)state;
    query_stmt s = {.sort = QUERY_SORT_BYTES, .direction = QUERY_IN, .ascending = 0};
    result_order o = result_order_of(&s);
    assert_int_equal(o.sort, QUERY_SORT_BYTES);
    assert_int_equal(o.direction, QUERY_IN);
    assert_int_equal(o.ascending, 0);
    s.labels = QUERY_LABEL_TIME;
    o = result_order_of(&s);
    assert_int_equal(o.sort, QUERY_SORT_TIME);
    assert_int_equal(o.ascending, 1);
    assert_int_equal(o.has_time, 1);
}

static void test_bin(void **state)
{
    (void)state;
    /* E40, G36: two blocks fall into one bin of ten minutes; G43: rows without time stay */
    static const spec_row rows[] = {
        {1456429175, "h", "", "e", NULL, NULL, 6, 0, 1000, 500, 10, 5},
        {0, "h", "", "e", NULL, NULL, 6, 0, 1, 1, 1, 1},
        {1456428875, "h", "", "e", NULL, NULL, 6, 0, 3000, 1, 2, 1},
        {1456428875, "h", "", "f", NULL, NULL, 6, 0, 7, 7, 7, 7},
        {1456429500, "h", "", "e", NULL, NULL, 6, 0, 9, 9, 9, 9},
    };
    static const spec_row want[] = {
        {0, "h", "", "e", NULL, NULL, 6, 0, 1, 1, 1, 1},
        {1456429200, "h", "", "e", NULL, NULL, 6, 0, 4000, 501, 12, 6},
        {1456429200, "h", "", "f", NULL, NULL, 6, 0, 7, 7, 7, 7},
        {1456429800, "h", "", "e", NULL, NULL, 6, 0, 9, 9, 9, 9},
    };
    for (int pass = 0; pass < 2; pass++) {
        result r, w;
        query_stmt s = {.labels = QUERY_LABEL_TIME, .bin_s = pass ? 300 : 600};
        want_ok(result_init(&r, SIZE_MAX, NULL));
        want_ok(result_init(&w, SIZE_MAX, NULL));
        build_rows(&r, rows, COUNT(rows));
        want_ok(result_bin(&r, &s, NULL));
        want_ok(result_bin(&r, &s, NULL)); /* idempotent */
        build_rows(&w, pass ? rows : want, pass ? COUNT(rows) : COUNT(want));
        assert_int_equal(r.hits_total, w.hits_total);
        assert_int_equal(r.totals.bytes_rcvd, 4017);
        if (!pass && r.rows[0].time_s != 0)
            fail_msg("G43: a row without time stamp got %" PRId64, r.rows[0].time_s);
        result_print_opts p = {.format = QUERY_NDJSON};
        char *got = build_print(&r, &p, NULL), *text = build_print(&w, &p, NULL);
        build_want(pass ? "300 s: untouched" : "600 s", got, text);
        gp_free(got);
        gp_free(text);
        result_clear(&r);
        result_clear(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_qsort), cmocka_unit_test(test_ties), cmocka_unit_test(test_keys),
        cmocka_unit_test(test_order_of),   cmocka_unit_test(test_bin),
    };
    setenv("TZ", "UTC", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
