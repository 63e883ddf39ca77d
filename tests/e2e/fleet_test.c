/* fleet_test.c - agents, aggregator and client as real processes: equality, refusals, losses. */
#include "env.h"
#include "exec/exec.h"
#include "fleetdb.h"
#include "godb/db.h"
#include "gp/clock.h"
#include "remote/remote.h"
#include "rpc/rpc.h"
#include "wire/query.h"

#include <signal.h>
#include <time.h>

enum { N = 5 };

static e2e_env env;
static godb_db *whole;

/* ---- statements and results ---- */

struct ask {
    const char *what, *query, *ifaces, *cond, *sort_by, *resolution;
    uint64_t limit;
    int ascending, sum, merge_hosts;
};

static query_stmt *prepare(const struct ask *q)
{
    query_args a = {0};
    query_stmt *s = NULL;
    query_problems problems = {0};
    gp_err err = {0};
    char last[32];
    snprintf(last, sizeof last, "%lld",
             (long long)FLEETDB_FIRST_S + FLEETDB_DAYS * (long long)GODB_DAY_S);
    want_ok(query_args_init(&a));
    want_ok(query_args_set(&a.query, q->query));
    want_ok(query_args_set(&a.ifaces, q->ifaces));
    want_ok(query_args_set(&a.condition, q->cond));
    want_ok(query_args_set(&a.first, "1748736000"));
    want_ok(query_args_set(&a.last, last));
    want_ok(query_args_set(&a.time_resolution, q->resolution));
    if (q->sort_by)
        want_ok(query_args_set(&a.sort_by, q->sort_by));
    a.num_results = q->limit ? q->limit : 1000000;
    a.sort_ascending = q->ascending;
    a.sum = q->sum;
    a.merge_hosts = q->merge_hosts;
    query_env qe = {.now_s = gp_wall_s()};
    if (query_prepare(&a, &qe, &s, &problems, &err) != GP_OK)
        fail_msg("%s: %s", q->what, problems.n ? problems.v[0].message : err.msg);
    query_args_clear(&a);
    return s;
}

static remote_opts opts(void)
{
    return (remote_opts){.addr = env.aggr.addr,
                         .identity = env.user,
                         .trust = env.trust,
                         .hosts = "any",
                         .timeout_ms = 20000};
}

static result ask_remote(const struct ask *q, const remote_opts *o)
{
    gp_err err = {0};
    result r = {0};
    query_stmt *s = prepare(q);
    gp_status st = remote_query(s, o, &r, &err);
    if (st != GP_OK)
        fail_msg("%s: %s (%s)", q->what, err.msg, gp_status_name(st));
    query_stmt_free(s);
    return r;
}

static result ask_local(const struct ask *q)
{
    gp_err err = {0};
    result r = {0};
    query_stmt *s = prepare(q);
    exec_opts o = {.threads = 1, .host = "whole", .host_id = "whole"};
    result_order order = result_order_of(s);
    want_ok_err(&err, exec_run(whole, s, &o, &r, &err));
    want_ok_err(&err, result_bin(&r, s, &err));
    want_ok_err(&err, result_sort(&r, &order, s->limit, &err));
    query_stmt_free(s);
    return r;
}

static const char *iface_of(const result *r, const result_row *row)
{
    return r->n_names ? r->names[row->iface] : "";
}

static int same_counters(const result_counters *a, const result_counters *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static void same_rows(const char *what, const result *a, const result *b)
{
    if (a->n_rows != b->n_rows)
        fail_msg("%s: %zu rows, want %zu", what, a->n_rows, b->n_rows);
    for (size_t i = 0; i < a->n_rows; i++) {
        const result_row *x = &a->rows[i], *y = &b->rows[i];
        if (x->time_s != y->time_s || memcmp(x->sip, y->sip, 16) != 0 ||
            memcmp(x->dip, y->dip, 16) != 0 || x->sip_family != y->sip_family ||
            x->dip_family != y->dip_family || x->dport != y->dport || x->proto != y->proto ||
            !same_counters(&x->c, &y->c) || strcmp(iface_of(a, x), iface_of(b, y)) != 0)
            fail_msg("%s: row %zu differs", what, i);
    }
    if (!same_counters(&a->totals, &b->totals))
        fail_msg("%s: totals differ", what);
    if (a->hits_total != b->hits_total)
        fail_msg("%s: %llu hits, want %llu", what, (unsigned long long)a->hits_total,
                 (unsigned long long)b->hits_total);
}

static const result_host_status *status_of(const result *r, const char *host)
{
    const result_host_status *s = result_find_host_status(r, host);
    if (!s)
        fail_msg("no status of %s", host);
    return s;
}

/* ---- equality ---- */

static void test_equals_local(void **state)
{
    (void)state;
    static const struct ask cases[] = {
        {.what = "top talkers", .query = "sip,dip", .ifaces = "/^h/"},
        {.what = "first ten", .query = "sip,dip", .ifaces = "/^h/", .limit = 10},
        {.what = "first ten by packets",
         .query = "sip,dip,dport,proto",
         .ifaces = "/^h/",
         .sort_by = "packets",
         .limit = 10},
        {.what = "smallest seven", .query = "dip", .ifaces = "/^h/", .limit = 7, .ascending = 1},
        {.what = "condition",
         .query = "sip,dport",
         .ifaces = "/^h/",
         .cond = "dport = 443 & proto = tcp"},
        {.what = "IPv6 only", .query = "sip,dip", .ifaces = "/^h/", .cond = "snet = 2000::/8"},
        {.what = "ports", .query = "dport,proto", .ifaces = "/^h/", .sum = 1},
        {.what = "time", .query = "time,dport", .ifaces = "/^h/"},
        {.what = "time in bins", .query = "time,sip", .ifaces = "/^h/", .resolution = "6h"},
        {.what = "nothing matches", .query = "sip", .ifaces = "/^h/", .cond = "dport = 9"},
        {.what = "labels only", .query = "iface", .ifaces = "/^h/"},
        {.what = "everything (Q4, U33: allowed without a condition)",
         .query = "raw",
         .ifaces = "/^h/"},
        {.what = "hosts merged", .query = "sip,dip", .ifaces = "eth0", .merge_hosts = 1},
        {.what = "hosts merged, top",
         .query = "dip",
         .ifaces = "eth0",
         .merge_hosts = 1,
         .limit = 5},
        {.what = "hosts merged, ports",
         .query = "dport",
         .ifaces = "eth0",
         .merge_hosts = 1,
         .limit = 3},
        {.what = "hosts merged, time",
         .query = "time,proto",
         .ifaces = "eth0",
         .merge_hosts = 1,
         .resolution = "1h"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        remote_opts o = opts();
        result g = ask_remote(&cases[i], &o), l = ask_local(&cases[i]);
        same_rows(cases[i].what, &g, &l);
        assert_int_equal(g.n_host_statuses, N);
        assert_int_equal(g.status, l.status);
        assert_string_equal(g.condition, l.condition);
        for (size_t k = 0; k < g.n_rows && !cases[i].merge_hosts; k++) {
            /* interface h<i> belongs to host<i> */
            char want[32];
            snprintf(want, sizeof want, "host%02d", iface_of(&g, &g.rows[k])[1] - '0');
            assert_string_equal(g.hosts[g.rows[k].host].name, want);
        }
        result_clear(&g);
        result_clear(&l);
    }
}

static void test_selectors(void **state)
{
    (void)state;
    static const struct {
        const char *what, *hosts, *ok;
    } cases[] = {
        {"one host", "host01", "host01"},
        {"list with blanks", " host01 , host03,, host01", "host01 host03"},
        {"any but one", "any,!host02", "host00 host01 host03 host04"},
        {"range", "host[01-03]", "host01 host02 host03"},
        {"glob", "*4", "host04"},
        {"group", "@odd", "host01 host03"},
        {"group minus host", "@even,!host00", "host02 host04"},
        {" any ", " ANY ", "host00 host01 host02 host03 host04"},
    };
    struct ask q = {.what = "selector", .query = "sip", .ifaces = "eth0"};
    for (size_t i = 0; i < COUNT(cases); i++) {
        remote_opts o = opts();
        gp_buf got = {0};
        o.hosts = cases[i].hosts;
        result r = ask_remote(&q, &o);
        for (size_t k = 0; k < r.n_host_statuses; k++) {
            gp_buf_printf(&got, "%s%s", k ? " " : "", r.host_statuses[k].host);
            if (r.host_statuses[k].code != RESULT_OK)
                fail_msg("%s: %s: %s %s", cases[i].what, r.host_statuses[k].host,
                         result_code_name(r.host_statuses[k].code), r.host_statuses[k].message);
        }
        if (strcmp(gp_buf_str(&got), cases[i].ok) != 0)
            fail_msg("%s: got %s, want %s", cases[i].what, gp_buf_str(&got), cases[i].ok);
        gp_buf_free(&got);
        result_clear(&r);
    }
}

static void test_unknown_host(void **state)
{
    (void)state;
    struct ask q = {.what = "unknown host", .query = "sip", .ifaces = "eth0"};
    remote_opts o = opts();
    o.hosts = "host01,nowhere";
    result r = ask_remote(&q, &o);
    assert_int_equal(status_of(&r, "host01")->code, RESULT_OK);
    assert_int_equal(status_of(&r, "nowhere")->code, RESULT_NOT_FOUND);
    assert_true(r.n_rows > 0);
    result_clear(&r);
    o.hosts = "nowhere";
    r = ask_remote(&q, &o);
    assert_int_equal(status_of(&r, "nowhere")->code, RESULT_NOT_FOUND);
    assert_int_equal(r.n_rows, 0);
    result_clear(&r);
    q.ifaces = "eth7";
    o.hosts = "host01";
    r = ask_remote(&q, &o);
    assert_int_equal(status_of(&r, "host01")->code, RESULT_NOT_FOUND);
    assert_non_null(strstr(status_of(&r, "host01")->message, "eth7"));
    result_clear(&r);
}

static void test_direct(void **state)
{
    (void)state;
    struct ask q = {
        .what = "agent asked directly", .query = "sip,dip", .ifaces = "eth0", .limit = 20};
    remote_opts o = opts();
    o.addr = env.agent[2].addr;
    o.hosts = "host02";
    result r = ask_remote(&q, &o);
    assert_int_equal(r.n_rows, 20);
    assert_string_equal(r.hostname, "host02");
    assert_string_equal(r.hosts[r.rows[0].host].name, "host02");
    result_clear(&r);
    o.hosts = NULL; /* Q15: it needs no selector to know itself */
    r = ask_remote(&q, &o);
    assert_int_equal(r.n_rows, 20);
    result_clear(&r);
}

/* ---- refusals ---- */

static void test_stranger(void **state)
{
    (void)state;
    struct ask q = {.what = "stranger", .query = "sip", .ifaces = "eth0"};
    query_stmt *s = prepare(&q);
    result r = {0};
    gp_err err = {0};
    remote_opts o = opts();
    o.identity = env.stranger;
    want_status(GP_EDENIED, remote_query(s, &o, &r, &err));
    assert_int_equal(r.n_rows, 0);
    o.addr = env.agent[0].addr;
    want_status(GP_EDENIED, remote_query(s, &o, &r, &err));
    query_stmt_free(s);
}

/* A connection to an agent, for requests made by hand. */
struct raw {
    rpc_runtime *rt;
    rpc_conn *conn;
};

static struct raw raw_open_as(const char *addr, const auth_identity *id)
{
    struct raw w = {0};
    gp_err err = {0};
    rpc_opts ro = {.workers = 1, .identity = id, .trust = env.trust};
    want_ok_err(&err, rpc_runtime_new(&ro, &w.rt, &err));
    rpc_dial_opts d = {.addr = addr, .deadline = gp_deadline_in_ms(5000)};
    want_ok_err(&err, rpc_dial(w.rt, &d, &w.conn, &err));
    return w;
}

static struct raw raw_open(const char *addr)
{
    return raw_open_as(addr, env.user);
}

static void raw_close(struct raw *w)
{
    rpc_conn_close(w->conn);
    rpc_runtime_free(w->rt, 0);
}

/* Send a request; *msgs: messages that came; the text of the final status. */
static rpc_code raw_ask(struct raw *w, const gp_buf *req, unsigned *msgs, char *text, size_t cap)
{
    rpc_call *call = NULL;
    rpc_event ev;
    gp_err err = {0};
    *msgs = 0;
    want_ok_err(&err, rpc_call_start(w->conn, "query", req->data, req->len,
                                     gp_deadline_in_ms(10000), NULL, NULL, &call, &err));
    do {
        want_ok_err(&err, rpc_call_recv(call, 10000, &ev, &err));
        *msgs += ev.kind == RPC_EV_MSG;
    } while (ev.kind != RPC_EV_STATUS);
    snprintf(text, cap, "%s", ev.text);
    rpc_call_free(call);
    return ev.code;
}

static void make_request(wire_request *r, const char *hosts, int64_t issued_s, uint32_t ttl_s,
                         const char *fleet)
{
    struct ask q = {.what = "raw", .query = "sip", .ifaces = "eth0"};
    query_stmt *s = prepare(&q);
    wire_query w = {0};
    gp_err err = {0};
    *r = (wire_request){0};
    want_ok_err(&err, wire_query_from_stmt(s, hosts, NULL, fleet, issued_s, ttl_s, &w, &err));
    want_ok_err(&err, wire_query_encode(&w, &r->body, &err));
    wire_query_clear(&w);
    query_stmt_free(s);
}

static void test_refusals(void **state)
{
    (void)state;
    enum how { PLAIN, TAMPER, UNSIGNED, OTHER_KEY, AGENT_KEY, TO_AGGREGATOR, RELAYED };
    int64_t now = gp_wall_s();
    const struct {
        const char *what, *hosts;
        int64_t issued_s;
        uint32_t ttl_s;
        enum how how;
        rpc_code code;
        const char *text;
    } cases[] = {
        {"good", "any", now, 60, PLAIN, RPC_OK, ""},
        {"one byte changed", "any", now, 60, TAMPER, RPC_PERMISSION_DENIED,
         "signature does not fit"},
        {"no signature", "any", now, 60, UNSIGNED, RPC_UNAUTHENTICATED, "not signed"},
        {"unknown key", "any", now, 60, OTHER_KEY, RPC_PERMISSION_DENIED, "not trusted"},
        {"key of an agent", "any", now, 60, AGENT_KEY, RPC_PERMISSION_DENIED, "user or gateway"},
        {"expired", "any", now - 200, 60, TO_AGGREGATOR, RPC_PERMISSION_DENIED, "expired"},
        {"issued an hour ago", "any", now - 3600, 3600, PLAIN, RPC_PERMISSION_DENIED, ""},
        {"issued in the future", "any", now + 3600, 60, PLAIN, RPC_PERMISSION_DENIED, ""},
        {"signed for another host", "host02,host03", now, 60, PLAIN, RPC_PERMISSION_DENIED,
         "does not cover this host (host01)"},
        {"this host excluded", "any,!host01", now, 60, PLAIN, RPC_PERMISSION_DENIED,
         "does not cover"},
        {"group nobody resolved", "@odd", now, 60, PLAIN, RPC_PERMISSION_DENIED, "does not cover"},
        {"no selector, asked directly", "", now, 60, PLAIN, RPC_OK, ""},
        {"no selector, relayed", "", now, 60, RELAYED, RPC_PERMISSION_DENIED, "does not cover"},
        {"the aggregator's name, relayed", "agg", now, 60, RELAYED, RPC_OK, ""},
        {"the aggregator's name, asked directly", "agg", now, 60, PLAIN, RPC_PERMISSION_DENIED,
         "does not cover"},
        {"the aggregator's name, this host excluded", "agg,!host01", now, 60, RELAYED,
         RPC_PERMISSION_DENIED, "does not cover"},
        {"another aggregator's name, relayed", "hub", now, 60, RELAYED, RPC_PERMISSION_DENIED,
         "does not cover"},
    };
    struct raw w = raw_open(env.agent[1].addr), aggr = raw_open(env.aggr.addr),
               relay = raw_open_as(env.agent[1].addr, env.aggr_id);
    for (size_t i = 0; i < COUNT(cases); i++) {
        wire_request r;
        gp_buf req = {0};
        unsigned msgs;
        char text[512];
        make_request(&r, cases[i].hosts, cases[i].issued_s, cases[i].ttl_s, NULL);
        if (cases[i].how != UNSIGNED)
            wire_request_sign(&r, cases[i].how == OTHER_KEY   ? env.stranger
                                  : cases[i].how == AGENT_KEY ? env.agent_id[0]
                                                              : env.user);
        if (cases[i].how == TAMPER)
            r.body.data[r.body.len - 1] ^= 1;
        want_ok(wire_request_encode(&r, &req, NULL));
        rpc_code code = raw_ask(cases[i].how == TO_AGGREGATOR ? &aggr
                                : cases[i].how == RELAYED     ? &relay
                                                              : &w,
                                &req, &msgs, text, sizeof text);
        if (code != cases[i].code || !strstr(text, cases[i].text))
            fail_msg("%s: got %s \"%s\", want %s \"%s\"", cases[i].what, rpc_code_name(code), text,
                     rpc_code_name(cases[i].code), cases[i].text);
        if (code != RPC_OK && msgs)
            fail_msg("%s: refused, but %u messages came", cases[i].what, msgs);
        gp_buf_free(&req);
        wire_request_clear(&r);
    }
    raw_close(&relay);
    raw_close(&aggr);
    raw_close(&w);
}

static void test_replay(void **state)
{
    (void)state;
    wire_request r;
    gp_buf req = {0};
    unsigned msgs;
    char text[512];
    struct raw w = raw_open(env.agent[1].addr);
    make_request(&r, "any", gp_wall_s(), 60, NULL);
    wire_request_sign(&r, env.user);
    want_ok(wire_request_encode(&r, &req, NULL));
    assert_int_equal(raw_ask(&w, &req, &msgs, text, sizeof text), RPC_OK);
    assert_true(msgs > 0);
    assert_int_equal(raw_ask(&w, &req, &msgs, text, sizeof text), RPC_PERMISSION_DENIED);
    assert_int_equal(msgs, 0);
    /* Another agent has not seen it: a signed query is for all it names. */
    struct raw w2 = raw_open(env.agent[3].addr);
    assert_int_equal(raw_ask(&w2, &req, &msgs, text, sizeof text), RPC_OK);
    raw_close(&w2);
    raw_close(&w);
    gp_buf_free(&req);
    wire_request_clear(&r);
}

/* ---- losses ---- */

struct killer {
    unsigned seen;
    pid_t victim;
};

static void on_host(void *ctx, const char *host, result_code code, const char *message)
{
    struct killer *k = ctx;
    (void)host;
    (void)code;
    (void)message;
    if (++k->seen == N - 1 && k->victim)
        kill(k->victim, SIGKILL);
}

static void expect_all_but(const result *r, size_t lost, result_code code, const struct ask *q)
{
    result_counters sum = {0};
    size_t failed = 0;
    for (size_t i = 0; i < N; i++) {
        const result_host_status *s = status_of(r, env.host[i]);
        if (s->code != (i == lost ? code : RESULT_OK))
            fail_msg("%s: %s: got %s \"%s\"", q->what, env.host[i], result_code_name(s->code),
                     s->message);
        failed += s->code != RESULT_OK;
        if (i == lost)
            continue;
        remote_opts o = opts();
        o.hosts = env.host[i];
        result one = ask_remote(q, &o);
        sum.bytes_rcvd += one.totals.bytes_rcvd;
        sum.bytes_sent += one.totals.bytes_sent;
        sum.pkts_rcvd += one.totals.pkts_rcvd;
        sum.pkts_sent += one.totals.pkts_sent;
        result_clear(&one);
    }
    assert_int_equal(failed, 1);
    assert_true(same_counters(&sum, &r->totals));
    for (size_t i = 0; i < r->n_rows; i++)
        assert_string_not_equal(r->hosts[r->rows[i].host].name, env.host[lost]);
}

static void test_kill_in_mid_query(void **state)
{
    (void)state;
    struct ask q = {.what = "one killed", .query = "sip,dip", .ifaces = "/^h/"};
    struct killer k = {.victim = env.agent[4].pid};
    remote_opts o = opts();
    o.on_host = on_host;
    o.ctx = &k;
    assert_int_equal(kill(k.victim, SIGSTOP), 0); /* so that it can't answer before it is killed */
    result r = ask_remote(&q, &o);
    e2e_wait(&env.agent[4]);
    expect_all_but(&r, 4, RESULT_UNREACHABLE, &q);
    result_clear(&r);
}

static void test_frozen_until_max_wait(void **state)
{
    (void)state;
    struct ask q = {.what = "one frozen", .query = "sip,dip", .ifaces = "/^h[0-3]/"};
    remote_opts o = opts();
    o.hosts = "host00,host01,host02,host03";
    o.max_wait_ms = 700;
    assert_int_equal(kill(env.agent[3].pid, SIGSTOP), 0);
    int64_t start = gp_mono_ms();
    result r = ask_remote(&q, &o);
    int64_t took = gp_mono_ms() - start;
    kill(env.agent[3].pid, SIGCONT);
    assert_int_equal(status_of(&r, "host03")->code, RESULT_TIMEOUT);
    assert_int_equal(status_of(&r, "host02")->code, RESULT_OK);
    assert_true(r.n_rows > 0);
    if (took < 600 || took > 5000)
        fail_msg("max_wait of 700 ms took %lld ms", (long long)took);
    result_clear(&r);
}

static void test_min_hosts(void **state)
{
    (void)state;
    struct ask q = {.what = "min hosts", .query = "sip", .ifaces = "eth0"};
    query_stmt *s = prepare(&q);
    remote_opts o = opts();
    result r = {0};
    gp_err err = {0};
    o.hosts = "host00,nowhere";
    o.min_hosts = 2;
    want_err(GP_EUNAVAILABLE, &err, "1 of 2 hosts answered, at least 2",
             remote_query(s, &o, &r, &err));
    query_stmt_free(s);
}

static int begin(void **state)
{
    gp_err err = {0};
    (void)state;
    e2e_make(&env, N);
    for (size_t i = 0; i < N; i++)
        e2e_start_agent(&env, i, NULL);
    e2e_start_aggregator(&env, NULL);
    char *path = e2e_path(&env, "whole");
    fleetdb_write(path, 0, N);
    want_ok_err(&err, godb_db_open(path, &whole, &err));
    gp_free(path);
    return 0;
}

static int end(void **state)
{
    (void)state;
    godb_db_close(whole);
    if (getenv("KEEP_LOGS")) {
        char cmd[400];
        snprintf(cmd, sizeof cmd, "%s/agg.log", env.dir);
        char *t = test_slurp(cmd, NULL);
        print_message("%s", t);
        gp_free(t);
    }
    e2e_end(&env);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_local),
        cmocka_unit_test(test_selectors),
        cmocka_unit_test(test_unknown_host),
        cmocka_unit_test(test_direct),
        cmocka_unit_test(test_stranger),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_min_hosts),
        cmocka_unit_test(test_frozen_until_max_wait),
        cmocka_unit_test(test_kill_in_mid_query),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
