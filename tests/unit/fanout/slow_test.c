/* slow_test.c - peers that read slowly: what is held for them is bounded and accounted for, and all
 * others are served meanwhile. */
#include "fanout_int.h"
#include "rig.h"
#include "throttle.h"

#include "gp/clock.h"

#include <unistd.h>

enum { HOSTS = 12, ROWS = 10000, CLIENTS = 4, OTHERS = 5, PATIENT_MS = 30000, SLOW_MS = 600000 };
#define MEM (UINT64_C(64) << 20) /* of a query */

static void wait_until(rig_fleet *f, int (*reached)(const fair_counts *c, unsigned answering),
                       const char *what)
{
    fair_counts c = {0};
    for (gp_deadline end = gp_deadline_in_ms(PATIENT_MS); !gp_deadline_passed(end); usleep(2000)) {
        fair_count(f->r.fanout->fair, &c);
        if (reached(&c, sim_running(f->s)))
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
    rig_query c[CLIENTS];
    rig_fleet f;
    throttle *t = NULL;
    char addr[64];
    gp_err err = {0};
    fair_counts held;
    rig_fleet_up(&f, &so, &l, "");
    want_ok_err(&err, throttle_new(f.r.addr, 0, 20000, &t, addr, sizeof addr, &err));
    query_stmt *all = rig_prepare("sip,dip", 1000000, 0), *few = rig_prepare("sip", 10, 0);
    remote_opts o = rig_client(&f.r, f.s);
    o.addr = addr;
    o.timeout_ms = SLOW_MS;
    for (int i = 0; i < CLIENTS; i++)
        rig_query_start(&c[i], &o, all);
    wait_until(&f, all_wait, "slow clients");
    fair_count(f.r.fanout->fair, &held);
    print_message("%zu MiB held\n", (size_t)held.bytes >> 20);
    assert_true(held.bytes <= CLIENTS * MEM);
    o = rig_client(&f.r, f.s);
    o.identity = sim_other_user(f.s);
    for (int i = 0; i < OTHERS; i++) {
        result res = rig_ask(&o, few);
        assert_int_equal(res.hits_total, HOSTS * ROWS);
        result_clear(&res);
    }
    fair_counts after;
    fair_count(f.r.fanout->fair, &after);
    assert_int_equal(after.running, CLIENTS); /* they still read: nothing was put aside for them */
    assert_true(after.bytes <= held.bytes);
    assert_true(throttle_down(t) < CLIENTS * 1000000);
    for (int i = 0; i < CLIENTS; i++)
        gp_cancel_set(&c[i].cancel, GP_ECANCELLED);
    for (int i = 0; i < CLIENTS; i++)
        rig_query_wait(&c[i]);
    wait_until(&f, all_gone, "given up");
    throttle_free(t);
    query_stmt_free(all);
    query_stmt_free(few);
    rig_fleet_down(&f);
}

static int one_waits(const fair_counts *c, unsigned answering)
{
    return c->running == 1 && c->calls == 0 && answering == 0 && c->bytes > 0;
}

/* Hosts that were given up are not among the calls that users share any more, however long the
 * client takes to read what the others said. */
static void test_given_up_calls(void **state)
{
    (void)state;
    sim_opts so = {.n = HOSTS, .rows = ROWS, .seed = 19};
    rig_query c;
    rig_fleet f;
    throttle *t = NULL;
    char addr[64];
    gp_err err = {0};
    rig_fleet_up(&f, &so, NULL, "");
    want_ok_err(&err, throttle_new(f.r.addr, 0, 5000, &t, addr, sizeof addr, &err));
    query_stmt *all = rig_prepare("sip,dip", 1000000, 0);
    remote_opts o = rig_client(&f.r, f.s);
    o.addr = addr;
    o.timeout_ms = SLOW_MS;
    o.max_wait_ms = 1000;
    for (size_t i = 0; i < HOSTS / 2; i++)
        sim_behave(f.s, i, SIM_SILENT, 0);
    rig_query_start(&c, &o, all);
    wait_until(&f, one_waits, "given up");
    gp_cancel_set(&c.cancel, GP_ECANCELLED);
    rig_query_wait(&c);
    throttle_free(t);
    query_stmt_free(all);
    rig_fleet_down(&f);
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

static result ask(rig_fleet *f, const query_stmt *q, int64_t max_wait_ms)
{
    remote_opts o = rig_client(&f->r, f->s);
    o.max_wait_ms = max_wait_ms;
    return rig_ask(&o, q);
}

/* The link to one agent takes 2 kB a second: requests pile up in front of it, but the others answer
 * each of them in time; when it reads again it is back. */
static void test_slow_agent(void **state)
{
    (void)state;
    sim_opts so = {.n = HOSTS, .rows = 20, .seed = 18};
    rig_fleet f;
    throttle *t = NULL;
    char addr[64], real[128];
    gp_buf table = {0}, all = {0};
    gp_err err = {0};
    want_ok_err(&err, sim_new(&so, &f.s, &err));
    sim_endpoints(f.s, 0, &all);
    assert_int_equal(sscanf(gp_buf_str(&all), "agent-0000:\n  addr: %127s\n", real), 1);
    want_ok_err(&err, throttle_new(real, 2000, 0, &t, addr, sizeof addr, &err));
    gp_buf_printf(&table, "agent-0000:\n  addr: %s\n%s", addr,
                  strstr(gp_buf_str(&all), "agent-0001:"));
    rig_start(&f.r, sim_aggregator(f.s), sim_trust(f.s), &table, NULL);
    rig_wait_connected(&f.r, HOSTS);
    query_stmt *few = rig_prepare("sip,dip", 1000, 0), *much = long_question();
    result res = ask(&f, few, PATIENT_MS); /* slow is not lost */
    assert_int_equal(rig_status(&res, "agent-0000")->code, RESULT_OK);
    assert_int_equal(res.hits_total, HOSTS * 20);
    result_clear(&res);
    for (int i = 0; i < 6; i++) { /* 10 kB each */
        res = ask(&f, much, 400);
        result_code code = rig_status(&res, "agent-0000")->code;
        assert_true(code == RESULT_TIMEOUT || code == RESULT_UNREACHABLE);
        assert_int_equal(res.hits_total, (HOSTS - 1) * 20);
        result_clear(&res);
        fair_counts c;
        fair_count(f.r.fanout->fair, &c);
        assert_int_equal(c.bytes, 0);
    }
    throttle_rates(t, 0, 0);
    int back = 0;
    for (gp_deadline end = gp_deadline_in_ms(PATIENT_MS); !back && !gp_deadline_passed(end);) {
        res = ask(&f, few, 5000);
        back = rig_status(&res, "agent-0000")->code == RESULT_OK;
        assert_int_equal(res.hits_total, (HOSTS - !back) * 20);
        result_clear(&res);
    }
    assert_true(back);
    query_stmt_free(few);
    query_stmt_free(much);
    rig_fleet_down(&f);
    throttle_free(t);
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
    rig_fleet f;
    rig_query c;
    throttle *t = NULL;
    char addr[64];
    gp_err err = {0};
    rig_fleet_up(&f, &so, NULL, "");
    for (size_t i = 0; i < HOSTS; i++)
        sim_behave(f.s, i, SIM_SILENT, 0);
    want_ok_err(&err, throttle_new(f.r.addr, 0, 0, &t, addr, sizeof addr, &err));
    query_stmt *q = rig_prepare("sip", 10, 0);
    remote_opts o = rig_client(&f.r, f.s);
    o.addr = addr;
    o.timeout_ms = SLOW_MS;
    rig_query_start(&c, &o, q);
    wait_until(&f, all_asked, "silent hosts");
    int64_t start = gp_mono_ns();
    throttle_free(t); /* the line is cut */
    wait_until(&f, all_gone, "client gone");
    print_message("hosts were told within %lld ms\n",
                  (long long)(sim_told_ns(f.s) - start) / 1000000);
    rig_query_wait(&c);
    assert_int_equal(c.st, GP_EUNAVAILABLE);
    query_stmt_free(q);
    rig_fleet_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow_clients),
        cmocka_unit_test(test_given_up_calls),
        cmocka_unit_test(test_slow_agent),
        cmocka_unit_test(test_client_vanishes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
