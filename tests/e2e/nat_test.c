/* nat_test.c - agents that listen nowhere and connect to the aggregator; loss and return of one. */
#include "env.h"
#include "gp/clock.h"
#include "remote/remote.h"
#include "rpc/rpc.h"

#include <signal.h>
#include <time.h>

enum { N = 3 };

static e2e_env env;

static remote_opts opts(void)
{
    return (remote_opts){.addr = env.aggr.addr,
                         .identity = env.user,
                         .trust = env.trust,
                         .hosts = "any",
                         .timeout_ms = 20000};
}

/* Wait until n hosts are connected, at most 20 s. */
static void wait_connected(size_t n)
{
    size_t up = 0;
    for (int i = 0; i < 400; i++) {
        wire_host_info *v = NULL;
        size_t all = 0;
        void *owner = NULL;
        remote_opts o = opts();
        gp_err err = {0};
        want_ok_err(&err, remote_hosts(&o, &v, &all, &owner, &err));
        up = 0;
        for (size_t k = 0; k < all; k++)
            up += strcmp(v[k].state, "connected") == 0;
        wire_hosts_free(v, owner);
        if (up == n)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    e2e_show_log(&env, "host01");
    e2e_show_log(&env, "agg");
    fail_msg("%zu hosts are connected, want %zu", up, n);
}

static void expect(size_t ok, const char *text)
{
    query_args a = {0};
    query_stmt *s = NULL;
    query_problems p = {0};
    gp_err err = {0};
    result r = {0};
    size_t good = 0;
    query_env qe = {.now_s = gp_wall_s()};
    want_ok(query_args_init(&a));
    want_ok(query_args_set(&a.query, "sip"));
    want_ok(query_args_set(&a.ifaces, "eth0"));
    want_ok(query_args_set(&a.first, "1748736000"));
    want_ok(query_args_set(&a.last, "1748908800"));
    want_ok_err(&err, query_prepare(&a, &qe, &s, &p, &err));
    query_args_clear(&a);
    remote_opts o = opts();
    want_ok_err(&err, remote_query(s, &o, &r, &err));
    for (size_t i = 0; i < r.n_host_statuses; i++) {
        good += r.host_statuses[i].code == RESULT_OK;
        if (r.host_statuses[i].code != RESULT_OK && !strstr(r.host_statuses[i].message, text))
            fail_msg("%s: %s", r.host_statuses[i].host, r.host_statuses[i].message);
    }
    assert_int_equal(r.n_host_statuses, N);
    assert_int_equal(good, ok);
    assert_true(r.n_rows > 0);
    result_clear(&r);
    query_stmt_free(s);
}

static void test_dial_in(void **state)
{
    (void)state;
    expect(N, "");
    kill(env.agent[1].pid, SIGKILL);
    e2e_wait(&env.agent[1]);
    wait_connected(N - 1);
    expect(N - 1, "has not dialled in");
    e2e_start_agent(&env, 1, NULL);
    wait_connected(N);
    expect(N, "");
}

static void test_stranger_is_refused(void **state)
{
    (void)state;
    /* an agent that the table knows under an address may not take its place by dialling in */
    rpc_runtime *rt = NULL;
    rpc_conn *c = NULL;
    gp_buf reply = {0};
    gp_err err = {0};
    rpc_opts ro = {.workers = 1, .identity = env.agent_id[0], .trust = env.trust};
    want_ok_err(&err, rpc_runtime_new(&ro, &rt, &err));
    rpc_dial_opts d = {.addr = env.aggr.addr, .deadline = gp_deadline_in_ms(5000)};
    want_ok_err(&err, rpc_dial(rt, &d, &c, &err));
    want_err(GP_ENOTFOUND, &err, "host00",
             rpc_call_unary(c, "attach", NULL, 0, gp_deadline_in_ms(5000), &reply, &err));
    gp_buf_free(&reply);
    rpc_conn_close(c);
    rpc_runtime_free(rt, 0);
}

static int begin(void **state)
{
    (void)state;
    e2e_make(&env, N);
    env.dials_out[1] = env.dials_out[2] = 1;
    e2e_start_agent(&env, 0, NULL);
    e2e_start_aggregator(&env, NULL);
    e2e_start_agent(&env, 1, NULL);
    e2e_start_agent(&env, 2, NULL);
    wait_connected(N);
    return 0;
}

static int end(void **state)
{
    (void)state;
    e2e_end(&env);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dial_in),
        cmocka_unit_test(test_stranger_is_refused),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
