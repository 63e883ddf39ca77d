/* slow_test.c - peers that read slowly: what is held for them is bounded and accounted for, and all
 * others are served meanwhile. */
#include "fanout_int.h"
#include "rig.h"
#include "throttle.h"

#include "gp/clock.h"

#include <pthread.h>
#include <unistd.h>

enum { HOSTS = 12, ROWS = 10000, CLIENTS = 4, OTHERS = 5, PATIENT_MS = 30000 };
#define MEM (UINT64_C(64) << 20) /* of a query */

struct slow_client {
    rig *r;
    sim *s;
    const char *addr;
    query_stmt *stmt;
    gp_cancel cancel;
    pthread_t t;
    gp_status st;
};

static void *read_slowly(void *arg)
{
    struct slow_client *c = arg;
    remote_opts o = rig_client(c->r, c->s);
    result res = {0};
    o.addr = c->addr;
    o.timeout_ms = 600000;
    o.cancel = &c->cancel;
    c->st = remote_query(c->stmt, &o, &res, NULL);
    result_clear(&res);
    return NULL;
}

static void wait_until(rig *r, sim *s, int (*reached)(const fair_counts *c, unsigned answering),
                       const char *what)
{
    fair_counts c = {0};
    for (gp_deadline end = gp_deadline_in_ms(PATIENT_MS); !gp_deadline_passed(end); usleep(2000)) {
        fair_count(r->fanout->fair, &c);
        if (reached(&c, sim_running(s)))
            return;
    }
    fail_msg("%s: %u run, %u calls, %zu bytes", what, c.running, c.calls, (size_t)c.bytes);
}

/* All hosts have answered, nothing but the client is waited for. */
static int all_wait(const fair_counts *c, unsigned answering)
{
    return c->running == CLIENTS && c->calls == 0 && answering == 0 && c->bytes > 0;
}

static int all_gone(const fair_counts *c, unsigned answering)
{
    return c->running + c->calls + c->users + answering == 0 && c->bytes == 0;
}

/* One user's clients take 20 kB a second of answers of two megabytes: their rows stay within the
 * memory of a query, and another user's queries go on. */
static void test_slow_clients(void **state)
{
    (void)state;
    sim_opts so = {.n = HOSTS, .rows = ROWS, .seed = 17};
    fanout_limits l = {.share = {.mem_bytes = MEM, .mem_total = 5 * MEM}};
    struct slow_client c[CLIENTS];
    sim *s = NULL;
    rig r;
    throttle *t = NULL;
    char addr[64];
    gp_buf table = {0};
    gp_err err = {0};
    fair_counts held;
    want_ok_err(&err, sim_new(&so, &s, &err));
    sim_endpoints(s, 0, &table);
    rig_start(&r, sim_aggregator(s), sim_trust(s), &table, &l);
    rig_wait_connected(&r, HOSTS);
    want_ok_err(&err, throttle_new(r.addr, 0, 20000, &t, addr, sizeof addr, &err));
    query_stmt *all = rig_prepare("sip,dip", 1000000, 0), *few = rig_prepare("sip", 10, 0);
    for (int i = 0; i < CLIENTS; i++) {
        c[i] = (struct slow_client){
            .r = &r, .s = s, .addr = addr, .stmt = all, .cancel = GP_CANCEL_INIT};
        assert_int_equal(pthread_create(&c[i].t, NULL, read_slowly, &c[i]), 0);
    }
    wait_until(&r, s, all_wait, "slow clients");
    fair_count(r.fanout->fair, &held);
    print_message("%zu MiB held\n", (size_t)held.bytes >> 20);
    assert_true(held.bytes <= CLIENTS * MEM);
    for (int i = 0; i < OTHERS; i++) {
        remote_opts o = rig_client(&r, s);
        result res = {0};
        o.identity = sim_other_user(s);
        want_ok_err(&err, remote_query(few, &o, &res, &err));
        assert_int_equal(res.hits_total, HOSTS * ROWS);
        result_clear(&res);
    }
    fair_counts after;
    fair_count(r.fanout->fair, &after);
    assert_int_equal(after.running, CLIENTS); /* they still read: nothing was put aside for them */
    assert_true(after.bytes <= held.bytes);
    assert_true(throttle_down(t) < CLIENTS * 1000000);
    for (int i = 0; i < CLIENTS; i++)
        gp_cancel_set(&c[i].cancel, GP_ECANCELLED);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(c[i].t, NULL);
    wait_until(&r, s, all_gone, "given up");
    throttle_free(t);
    query_stmt_free(all);
    query_stmt_free(few);
    rig_stop(&r);
    sim_free(s);
    gp_buf_free(&table);
}

/* A statement whose request is long. */
static query_stmt *long_question(void)
{
    query_args a = {0};
    query_stmt *s = NULL;
    query_problems p = {0};
    gp_err err = {0};
    gp_buf cond = {0};
    query_env env = {.now_s = gp_wall_s()};
    for (int i = 1; i <= 600; i++)
        gp_buf_printf(&cond, "%sdport = %d", i > 1 ? " | " : "", i);
    want_ok(query_args_init(&a));
    want_ok(query_args_set(&a.query, "sip,dip"));
    want_ok(query_args_set(&a.ifaces, "eth0"));
    want_ok(query_args_set(&a.condition, gp_buf_str(&cond)));
    want_ok_err(&err, query_prepare(&a, &env, &s, &p, &err));
    query_args_clear(&a);
    gp_buf_free(&cond);
    return s;
}

static result ask(rig *r, sim *s, const query_stmt *q, int64_t max_wait_ms)
{
    remote_opts o = rig_client(r, s);
    result res = {0};
    gp_err err = {0};
    o.max_wait_ms = max_wait_ms;
    if (remote_query(q, &o, &res, &err) != GP_OK)
        fail_msg("%s", err.msg);
    return res;
}

/* The link to one agent takes 2 kB a second: requests pile up in front of it, but the others answer
 * each of them in time; when it reads again it is back. */
static void test_slow_agent(void **state)
{
    (void)state;
    sim_opts so = {.n = HOSTS, .rows = 20, .seed = 18};
    sim *s = NULL;
    rig r;
    throttle *t = NULL;
    char addr[64], real[128];
    gp_buf table = {0}, all = {0};
    gp_err err = {0};
    want_ok_err(&err, sim_new(&so, &s, &err));
    sim_endpoints(s, 0, &all);
    assert_int_equal(sscanf(gp_buf_str(&all), "agent-0000:\n  addr: %127s\n", real), 1);
    want_ok_err(&err, throttle_new(real, 2000, 0, &t, addr, sizeof addr, &err));
    gp_buf_printf(&table, "agent-0000:\n  addr: %s\n%s", addr,
                  strstr(gp_buf_str(&all), "agent-0001:"));
    rig_start(&r, sim_aggregator(s), sim_trust(s), &table, NULL);
    rig_wait_connected(&r, HOSTS);
    query_stmt *few = rig_prepare("sip,dip", 1000, 0), *much = long_question();
    result res = ask(&r, s, few, PATIENT_MS); /* slow is not lost */
    assert_int_equal(rig_status(&res, "agent-0000")->code, RESULT_OK);
    assert_int_equal(res.hits_total, HOSTS * 20);
    result_clear(&res);
    for (int i = 0; i < 12; i++) { /* 10 kB each */
        res = ask(&r, s, much, 150);
        result_code code = rig_status(&res, "agent-0000")->code;
        assert_true(code == RESULT_TIMEOUT || code == RESULT_UNREACHABLE);
        assert_int_equal(res.hits_total, (HOSTS - 1) * 20);
        result_clear(&res);
        fair_counts c;
        fair_count(r.fanout->fair, &c);
        assert_int_equal(c.bytes, 0);
    }
    throttle_rates(t, 0, 0);
    int back = 0;
    for (gp_deadline end = gp_deadline_in_ms(PATIENT_MS); !back && !gp_deadline_passed(end);) {
        res = ask(&r, s, few, 5000);
        back = rig_status(&res, "agent-0000")->code == RESULT_OK;
        assert_int_equal(res.hits_total, (HOSTS - !back) * 20);
        result_clear(&res);
    }
    assert_true(back);
    query_stmt_free(few);
    query_stmt_free(much);
    rig_stop(&r);
    throttle_free(t);
    sim_free(s);
    gp_buf_free(&table);
    gp_buf_free(&all);
}

static int all_asked(const fair_counts *c, unsigned answering)
{
    return c->running == 1 && answering == HOSTS;
}

/* fleet.md 16.7: a client whose connection breaks leaves nothing behind: hosts are told at once,
 * not when their time is over. */
static void test_client_vanishes(void **state)
{
    (void)state;
    sim_opts so = {.n = HOSTS, .rows = 20, .seed = 19};
    sim *s = NULL;
    rig r;
    throttle *t = NULL;
    char addr[64];
    gp_buf table = {0};
    gp_err err = {0};
    want_ok_err(&err, sim_new(&so, &s, &err));
    sim_endpoints(s, 0, &table);
    rig_start(&r, sim_aggregator(s), sim_trust(s), &table, NULL);
    rig_wait_connected(&r, HOSTS);
    for (size_t i = 0; i < HOSTS; i++)
        sim_behave(s, i, SIM_SILENT, 0);
    want_ok_err(&err, throttle_new(r.addr, 0, 0, &t, addr, sizeof addr, &err));
    query_stmt *q = rig_prepare("sip", 10, 0);
    struct slow_client c = {.r = &r, .s = s, .addr = addr, .stmt = q, .cancel = GP_CANCEL_INIT};
    assert_int_equal(pthread_create(&c.t, NULL, read_slowly, &c), 0);
    wait_until(&r, s, all_asked, "silent hosts");
    int64_t start = gp_mono_ns();
    throttle_free(t); /* the line is cut */
    wait_until(&r, s, all_gone, "client gone");
    print_message("hosts were told within %lld ms\n",
                  (long long)(sim_told_ns(s) - start) / 1000000);
    pthread_join(c.t, NULL);
    assert_int_equal(c.st, GP_EUNAVAILABLE);
    query_stmt_free(q);
    rig_stop(&r);
    sim_free(s);
    gp_buf_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow_clients),
        cmocka_unit_test(test_slow_agent),
        cmocka_unit_test(test_client_vanishes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
