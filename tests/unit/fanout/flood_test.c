/* flood_test.c - one user floods the aggregator: the queries of another one finish all the same; a
 * query that is too big fails alone. */
#include "fanout_int.h"
#include "rig.h"

#include "gp/clock.h"

#include <unistd.h>

enum { HOSTS = 40, SILENT = 30, FLOOD = 6, LIGHT = 5 };

static void wait_for_calls(rig *r, unsigned n)
{
    fair_counts c = {0};
    gp_deadline end = gp_deadline_in_ms(20000);
    while (fair_count(r->fanout->fair, &c), c.calls < n) {
        if (gp_deadline_passed(end))
            fail_msg("%u of %u calls are open", c.calls, n);
        usleep(1000);
    }
}

static void test_light_user(void **state)
{
    (void)state;
    sim_opts so = {.n = HOSTS, .rows = 20, .seed = 6};
    fanout_limits l = {.share = {.max_concurrent = 4, .max_per_user = 4, .max_calls = 20}};
    rig_query flood[FLOOD]; /* of hosts that never answer, until they are cancelled */
    rig_fleet f;
    rig_fleet_up(&f, &so, &l, "");
    for (size_t i = 0; i < SILENT; i++)
        sim_behave(f.s, i, SIM_SILENT, 0);
    query_stmt *stmt = rig_prepare("sip", 10, 0);
    remote_opts o = rig_client(&f.r, f.s);
    o.hosts = "agent-00[00-29]";
    for (int i = 0; i < FLOOD; i++)
        rig_query_start(&flood[i], &o, stmt);
    wait_for_calls(&f.r, 16); /* of 20; they will never be given back */
    o.identity = sim_other_user(f.s);
    o.hosts = "agent-00[30-39]";
    for (int i = 0; i < LIGHT; i++) {
        result res = rig_ask(&o, stmt);
        assert_int_equal(res.n_host_statuses, HOSTS - SILENT);
        assert_int_equal(res.hits_total, 20 * (HOSTS - SILENT));
        result_clear(&res);
    }
    fair_counts c;
    fair_count(f.r.fanout->fair, &c);
    assert_int_equal(c.running, 3); /* the flood still has all it may have */
    assert_true(c.calls <= 16);
    for (int i = 0; i < FLOOD; i++)
        gp_cancel_set(&flood[i].cancel, GP_ECANCELLED);
    for (int i = 0; i < FLOOD; i++)
        rig_query_wait(&flood[i]);
    query_stmt_free(stmt);
    rig_fleet_down(&f);
}

/* Memory: the query that is too big ends with a reason, everything is given back, others go on. */
static void test_memory(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int merge;
        uint64_t limit, query, total;
        const char *why; /* NULL = fits */
    } cases[] = {
        {"merged, fits", 1, 10, 64 << 20, 64 << 20, NULL},
        {"merged, over its own limit", 1, 10, 2 << 20, 64 << 20, "limits.query_memory"},
        {"merged, over what one user may have", 1, 10, 64 << 20, 2 << 20, "limits.total_memory"},
        {"all rows, over its own limit", 0, 1000000, 2 << 20, 64 << 20, "limits.query_memory"},
        {"best ten of the same rows", 0, 10, 2 << 20, 64 << 20, NULL},
    };
    sim_opts so = {.n = 12, .rows = 5000, .seed = 7};
    sim *s = NULL;
    gp_buf table = {0};
    gp_err err = {0};
    want_ok_err(&err, sim_new(&so, &s, &err));
    sim_endpoints(s, 0, &table);
    for (size_t i = 0; i < COUNT(cases); i++) {
        /* one host at a time, so that what is over the limit is the result and not the buffers */
        fanout_limits l = {.max_in_flight = 1,
                           .share = {.mem_bytes = cases[i].query, .mem_total = cases[i].total}};
        rig r;
        rig_start(&r, sim_aggregator(s), sim_trust(s), &table, &l);
        rig_wait_connected(&r, 12);
        query_stmt *stmt = rig_prepare("sip,dip", cases[i].limit, cases[i].merge);
        remote_opts o = rig_client(&r, s);
        result res = {0};
        gp_status st = remote_query(stmt, &o, &res, &err);
        if (st != (cases[i].why ? GP_ELIMIT : GP_OK) ||
            (cases[i].why && !strstr(err.msg, cases[i].why)))
            fail_msg("%s: %s %s", cases[i].what, gp_status_name(st), st ? err.msg : "");
        fair_counts c;
        fair_count(r.fanout->fair, &c);
        if (c.bytes || c.running)
            fail_msg("%s: %zu bytes are still taken", cases[i].what, (size_t)c.bytes);
        result_clear(&res);
        query_stmt_free(stmt);
        rig_stop(&r);
    }
    sim_free(s);
    gp_buf_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_light_user),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
