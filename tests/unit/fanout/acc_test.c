/* acc_test.c - rows of many hosts: the best N kept in bounded memory equal the best N of all;
 * shards equal one merger. */
#include "acc.h"

#include "test.h"

/* Bytes taken, and how many may be. */
struct account {
    atomic_uint_fast64_t bytes;
    uint64_t limit;
};

static int take(void *ctx, uint64_t n)
{
    struct account *a = ctx;
    if (atomic_fetch_add(&a->bytes, n) + n <= a->limit)
        return 1;
    atomic_fetch_sub(&a->bytes, n);
    return 0;
}

static void give(void *ctx, uint64_t n)
{
    struct account *a = ctx;
    assert_true(atomic_fetch_sub(&a->bytes, n) >= n);
}

static query_stmt *prepare(const char *query, uint64_t limit, const char *sort_by, int ascending,
                           int in, int merge, const char *bin)
{
    query_args a = {0};
    query_stmt *s = NULL;
    query_problems p = {0};
    gp_err err = {0};
    query_env env = {.now_s = 1750000000};
    want_ok(query_args_init(&a));
    want_ok(query_args_set(&a.query, query));
    want_ok(query_args_set(&a.ifaces, "eth0"));
    want_ok(query_args_set(&a.sort_by, sort_by));
    want_ok(query_args_set(&a.time_resolution, bin));
    a.num_results = limit;
    a.sort_ascending = ascending;
    a.in = in;
    a.merge_hosts = merge;
    if (query_prepare(&a, &env, &s, &p, &err) != GP_OK)
        fail_msg("%s: %s", query, p.n ? p.v[0].message : err.msg);
    query_args_clear(&a);
    return s;
}

static void make_part(result *r, test_rng *g, const query_stmt *s, size_t host, size_t n)
{
    char name[32];
    want_ok(result_init(r, 1 << 20, NULL));
    r->fields = s->fields;
    r->condition = "";
    snprintf(name, sizeof name, "host-%zu", host);
    result_host_id(r, name, name);
    result_iface_id(r, "eth0");
    result_iface_id(r, "eth1");
    want_ok(result_add_iface(r, "eth0", NULL));
    want_ok(result_reserve_rows(r, n + 1, NULL));
    for (size_t i = 0; i < n; i++) {
        result_row *x = &r->rows[r->n_rows];
        *x = (result_row){.iface = (uint32_t)(i & 1), .sip_family = 4, .dip_family = 4};
        gp_put_be32(x->sip, (uint32_t)i); /* unique within the part */
        gp_put_be32(x->dip, (uint32_t)test_rng_below(g, 3));
        if (s->labels & QUERY_LABEL_TIME)
            x->time_s = 1749000000 + (int64_t)(i % 7) * 300;
        x->c.bytes_rcvd = test_rng_below(g, 50); /* many ties */
        x->c.bytes_sent = test_rng_below(g, 50);
        x->c.pkts_rcvd = test_rng_below(g, 5);
        x->c.pkts_sent = 1;
        r->totals.bytes_rcvd += x->c.bytes_rcvd;
        r->totals.pkts_sent++;
        r->n_rows++;
    }
    r->hits_total = r->n_rows;
    r->data_available = 1;
    r->status = RESULT_OK;
    want_ok(result_add_host_status(r, name, RESULT_OK, "", NULL));
}

static void same(const char *what, const result *a, const result *b)
{
    if (a->n_rows != b->n_rows || a->hits_total != b->hits_total)
        fail_msg("%s: %zu rows of %zu, want %zu of %zu", what, a->n_rows, (size_t)a->hits_total,
                 b->n_rows, (size_t)b->hits_total);
    for (size_t i = 0; i < a->n_rows; i++) {
        const result_row *x = &a->rows[i], *y = &b->rows[i];
        if (memcmp(x->sip, y->sip, 32) != 0 || x->time_s != y->time_s ||
            memcmp(&x->c, &y->c, sizeof x->c) != 0 ||
            strcmp(a->hosts[x->host].name, b->hosts[y->host].name) != 0 ||
            strcmp(a->names[x->iface], b->names[y->iface]) != 0)
            fail_msg("%s: row %zu differs", what, i);
    }
    assert_true(a->totals.bytes_rcvd == b->totals.bytes_rcvd);
    assert_int_equal(a->n_host_statuses, b->n_host_statuses);
    assert_int_equal(a->status, b->status);
}

static void test_equals_merger(void **state)
{
    (void)state;
    static const struct {
        const char *what, *query, *sort_by, *bin;
        uint64_t limit;
        int ascending, in, merge;
        size_t parts, rows;
    } cases[] = {
        {"best ten", "sip,dip", "bytes", NULL, 10, 0, 0, 0, 40, 300},
        {"best one", "sip,dip", "packets", NULL, 1, 0, 0, 0, 40, 300},
        {"smallest five", "sip,dip", "bytes", NULL, 5, 1, 0, 0, 40, 300},
        {"received only", "sip,dip", "bytes", NULL, 100, 0, 1, 0, 40, 300},
        {"more than a cut holds", "sip,dip", "bytes", NULL, 3000, 0, 0, 0, 60, 500},
        {"all", "sip,dip", "bytes", NULL, 1000000, 0, 0, 0, 20, 100},
        {"by time", "time,sip,dip", "bytes", NULL, 50, 0, 0, 0, 30, 300},
        {"empty parts", "sip,dip", "bytes", NULL, 10, 0, 0, 0, 5, 0},
        {"merged, best ten", "sip,dip", "bytes", NULL, 10, 0, 0, 1, 40, 300},
        {"merged, all", "sip,dip", "packets", NULL, 1000000, 0, 0, 1, 40, 300},
        {"merged, bins", "time,sip,dip", "bytes", "1h", 40, 0, 0, 1, 20, 200},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        test_rng g = test_rng_new(i + 1);
        query_stmt *s = prepare(cases[i].query, cases[i].limit, cases[i].sort_by,
                                cases[i].ascending, cases[i].in, cases[i].merge, cases[i].bin);
        fanout_acc *a = NULL;
        result_merger *m = NULL;
        gp_err err = {0};
        struct account bytes = {.limit = 1 << 28};
        result_quota quota = {take, give, &bytes};
        want_ok_err(&err, fanout_acc_new(s, &quota, &a, &err));
        want_ok_err(&err, result_merger_new(s, s->merge_hosts, 1 << 28, &m, &err));
        for (size_t k = 0; k < cases[i].parts; k++) {
            result part = {0}, early = {0};
            make_part(&part, &g, s, k, cases[i].rows);
            want_ok_err(&err, result_merger_add(m, &part, &err));
            want_ok_err(&err, fanout_acc_claim(a, part.hosts[0].name, &err));
            want_ok_err(&err, fanout_acc_add(a, &part, &err));
            if (k == cases[i].parts / 2) { /* a snapshot must not disturb what follows */
                want_ok_err(&err, fanout_acc_get(a, 3, &early, &err));
                result_clear(&early);
            }
        }
        result x = {0}, y = {0};
        want_ok_err(&err, fanout_acc_get(a, s->limit, &x, &err));
        want_ok_err(&err, result_merger_get(m, s->limit, &y, &err));
        same(cases[i].what, &x, &y);
        result_clear(&x);
        result_clear(&y);
        fanout_acc_free(a);
        assert_int_equal(atomic_load(&bytes.bytes), 0);
        result_merger_free(m);
        query_stmt_free(s);
    }
}

static void test_limits(void **state)
{
    (void)state;
    for (int merge = 0; merge < 2; merge++) {
        test_rng g = test_rng_new(9);
        query_stmt *s = prepare("sip,dip", 1000000, "bytes", 0, 0, merge, NULL);
        fanout_acc *a = NULL;
        gp_err err = {0};
        struct account bytes = {.limit = 2 << 20};
        result_quota quota = {take, give, &bytes};
        want_ok_err(&err, fanout_acc_new(s, &quota, &a, &err));
        gp_status st = GP_OK;
        for (size_t k = 0; k < 100 && st == GP_OK; k++) {
            result part = {0}, got = {0};
            make_part(&part, &g, s, k, 1000);
            for (size_t i = 0; i < part.n_rows; i++) /* nothing to add up */
                gp_put_be32(part.rows[i].dip, (uint32_t)(k * 1000 + i));
            st = fanout_acc_add(a, &part, &err);
            assert_int_equal(part.n_rows, 0); /* taken, whatever happened */
            if (st == GP_OK)
                st = fanout_acc_get(a, 1, &got, &err);
            result_clear(&got);
        }
        assert_int_equal(st, GP_ELIMIT);
        fanout_acc_free(a);
        assert_int_equal(atomic_load(&bytes.bytes), 0);
        query_stmt_free(s);
    }
}

static void test_claim(void **state)
{
    (void)state;
    query_stmt *s = prepare("sip", 10, "bytes", 0, 0, 0, NULL);
    fanout_acc *a = NULL;
    gp_err err = {0};
    struct account bytes = {.limit = 1 << 20};
    result_quota quota = {take, give, &bytes};
    want_ok(fanout_acc_new(s, &quota, &a, NULL));
    want_ok(fanout_acc_claim(a, "x", NULL));
    want_ok(fanout_acc_claim(a, "y", NULL));
    want_err(GP_EEXIST, &err, "x has answered already", fanout_acc_claim(a, "x", &err));
    fanout_acc_free(a);
    query_stmt_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_merger),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_claim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
