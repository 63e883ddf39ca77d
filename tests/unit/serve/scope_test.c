/* scope_test.c - what a key may ask: hosts, interfaces, time span, roles; limits of an agent. */
#include "serve_int.h"

#include "godb/writer.h"
#include "gp/clock.h"
#include "gp/pool.h"
#include "keys.h"
#include "remote/remote.h"
#include "test.h"
#include "wire/info.h"

#include <pthread.h>

struct rig {
    char *dir;
    godb_db *db;
    auth_identity *agent, *user, *other;
    auth_trust *trust, *client;
    serve *s;
    rt_metrics *metrics;
};

static void write_iface(const char *dir, const char *iface)
{
    GP_CLEANUP(godb_sorter_freep) godb_sorter *s = NULL;
    godb_writer *w = NULL;
    godb_rows rows;
    gp_err err = {0};
    want_ok(godb_sorter_new(&s, NULL));
    for (uint8_t i = 1; i <= 20; i++) {
        godb_row r = {.family = 4,
                      .proto = 6,
                      .dport = 443,
                      .sip = {10, 0, 0, i},
                      .dip = {10, 1, 0, 1},
                      .counter = {i, 2, 1, 1}};
        want_ok(godb_sorter_add(s, &r));
    }
    want_ok(godb_sorter_finish(s, 0, &rows, NULL));
    want_ok_err(&err, godb_writer_open(dir, iface, NULL, &w, &err));
    want_ok_err(&err, godb_writer_append(w, gp_wall_s() - 3600, &rows, 0, &err));
    godb_writer_close(w);
}

/* Interfaces that are captured now, NULL-ended; NULL: there is no capture. */
static const char *const *captured;

static gp_status captured_now(void *ctx, char ***names, gp_err *err)
{
    size_t n = 0;
    (void)ctx;
    (void)err;
    while (captured[n])
        n++;
    char **v = gp_calloc(1, (n + 1) * sizeof *v + n * 16);
    for (size_t i = 0; i < n; i++) {
        v[i] = (char *)(v + n + 1) + i * 16;
        (void)snprintf(v[i], 16, "%s", captured[i]);
    }
    *names = v;
    return GP_OK;
}

static void up(struct rig *r, const char *user_options, const serve_limits *limits)
{
    gp_err err = {0};
    *r = (struct rig){.dir = test_tmpdir()};
    write_iface(r->dir, "eth0");
    write_iface(r->dir, "eth1");
    write_iface(r->dir, "wg0");
    want_ok_err(&err, godb_db_open(r->dir, &r->db, &err));
    make_keys("fw1.zrh", user_options, &r->agent, &r->user, &r->trust, &r->client);
    want_ok(rt_metrics_new(&r->metrics, NULL));
    static const char *const listen[] = {"tcp://127.0.0.1:0"};
    static const char *const names[] = {"fw-one"};
    static const char *const groups[] = {"zrh"};
    serve_opts o = {.db = r->db,
                    .identity = r->agent,
                    .trust = r->trust,
                    .fleet = "prod",
                    .host_id = "0123456789abcdef",
                    .names = names,
                    .n_names = 1,
                    .groups = groups,
                    .n_groups = 1,
                    .listen = listen,
                    .n_listen = 1,
                    .metrics = r->metrics};
    static const exec_live live = {0};
    if (captured) {
        o.live = &live;
        o.live_ifaces = captured_now;
    }
    if (limits)
        o.limits = *limits;
    want_ok_err(&err, serve_start(&o, &r->s, &err));
}

static void down(struct rig *r)
{
    serve_stop(r->s, 0);
    rt_metrics_free(r->metrics);
    godb_db_close(r->db);
    auth_identity_free(r->agent);
    auth_identity_free(r->user);
    auth_identity_free(r->other);
    auth_trust_free(r->trust);
    auth_trust_free(r->client);
    test_rmtree(r->dir);
    gp_free(r->dir);
}

struct ask {
    const char *hosts, *ifaces, *fleet, *query;
    int64_t first_s; /* before now */
    int live;
};

static gp_status ask(struct rig *r, const struct ask *q, result *out, gp_err *err)
{
    query_args a = {0};
    query_stmt *s = NULL;
    query_problems p = {0};
    char first[32], last[32];
    int64_t now = gp_wall_s();
    query_env env = {.now_s = now, .api_defaults = 1};
    snprintf(first, sizeof first, "%lld", (long long)(now - (q->first_s ? q->first_s : 7200)));
    snprintf(last, sizeof last, "%lld", (long long)now);
    want_ok(query_args_init(&a));
    want_ok(query_args_set(&a.query, q->query ? q->query : "sip"));
    want_ok(query_args_set(&a.ifaces, q->ifaces ? q->ifaces : "eth0"));
    want_ok(query_args_set(&a.first, first));
    want_ok(query_args_set(&a.last, q->live ? NULL : last));
    a.live = q->live;
    if (query_prepare(&a, &env, &s, &p, err) != GP_OK)
        fail_msg("%s", p.n ? p.v[0].message : err->msg);
    query_args_clear(&a);
    remote_opts o = {.addr = serve_bound(r->s, 0),
                     .identity = r->user,
                     .trust = r->client,
                     .hosts = q->hosts ? q->hosts : "any",
                     .fleet = q->fleet,
                     .timeout_ms = 10000};
    gp_status st = remote_query(s, &o, out, err);
    query_stmt_free(s);
    return st;
}

static void test_scopes(void **state)
{
    (void)state;
    static const struct {
        const char *what, *options;
        struct ask q;
        gp_status st;
        const char *text; /* of the error, or the interfaces of the result */
    } cases[] = {
        {"everything", NULL, {.ifaces = "any"}, GP_OK, "eth0 eth1 wg0"},
        {"own host by pattern", "hosts=fw*", {0}, GP_OK, "eth0"},
        {"own host by another name", "hosts=fw-one", {0}, GP_OK, "eth0"},
        {"other hosts only", "hosts=db*", {0}, GP_EDENIED, "not allowed to ask this host"},
        {"any means what is allowed", "ifaces=eth*", {.ifaces = "any"}, GP_OK, "eth0 eth1"},
        {"regex means what is allowed", "ifaces=eth1", {.ifaces = "/./"}, GP_OK, "eth1"},
        {"forbidden interface",
         "ifaces=eth*",
         {.ifaces = "wg0"},
         GP_EDENIED,
         "not allowed to read these interfaces"},
        {"unknown interface", NULL, {.ifaces = "ppp9"}, GP_ENOTFOUND, "ppp9"},
        {"span within the limit", "max-span=1d", {.first_s = 80000}, GP_OK, "eth0"},
        {"span above the limit", "max-span=1d", {.first_s = 90000}, GP_EDENIED, "time ranges"},
        {"no role query", "roles=status", {0}, GP_EDENIED, "role \"query\""},
        {"no role live", "roles=query", {.live = 1}, GP_EDENIED, "role \"live\""},
        {"selector by host id", NULL, {.hosts = "0123456789abcdef"}, GP_OK, "eth0"},
        {"selector by another name", NULL, {.hosts = "fw-one"}, GP_OK, "eth0"},
        {"selector by group", NULL, {.hosts = "@zrh"}, GP_OK, "eth0"},
        {"selector of others", NULL, {.hosts = "fw2.zrh"}, GP_EDENIED, "does not cover"},
        {"own fleet", NULL, {.fleet = "prod"}, GP_OK, "eth0"},
        {"another fleet", NULL, {.fleet = "test"}, GP_EDENIED, "another fleet"},
        {"key not valid any more", "not-after=1000000000", {0}, GP_EDENIED, ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r;
        result out = {0};
        gp_err err = {0};
        gp_buf got = {0};
        up(&r, cases[i].options, NULL);
        gp_status st = ask(&r, &cases[i].q, &out, &err);
        for (size_t k = 0; k < out.n_ifaces; k++)
            gp_buf_printf(&got, "%s%s", k ? " " : "", out.ifaces[k]);
        const char *text = st == GP_OK ? gp_buf_str(&got) : err.msg;
        if (st != cases[i].st || !strstr(text, cases[i].text) ||
            (st == GP_OK && strcmp(text, cases[i].text) != 0))
            fail_msg("%s: got %s \"%s\"", cases[i].what, gp_status_name(st), text);
        assert_true((out.n_rows > 0) == (st == GP_OK));
        gp_buf_free(&got);
        result_clear(&out);
        down(&r);
    }
}

static gp_status add_names(void *ctx, const uint8_t *data, size_t len, gp_err *err)
{
    char *const *v = NULL;
    void *owner = NULL;
    size_t n = 0;
    GP_TRY(wire_ifaces_decode(data, len, &v, &n, &owner, err));
    for (size_t i = 0; i < n; i++)
        gp_buf_printf(ctx, "%s ", v[i]);
    wire_ifaces_free(owner);
    return GP_OK;
}

/* What can be asked for: stored or captured now, each once and in order, as far as the key goes. */
static void test_list(void **state)
{
    (void)state;
    static const char *const now[] = {"wg0", "aa0", "zz0", NULL};
    static const struct {
        const char *options;
        const char *const *captured;
        gp_status st;
        const char *text;
    } cases[] = {
        {NULL, NULL, GP_OK, "eth0 eth1 wg0 "},
        {NULL, now, GP_OK, "aa0 eth0 eth1 wg0 zz0 "},
        {"roles=status ifaces=eth*,z*", now, GP_OK, "eth0 eth1 zz0 "},
        {"ifaces=none", now, GP_OK, ""},
        {"roles=live", now, GP_EDENIED, "neither role"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r;
        gp_buf none = {0}, got = {0};
        gp_err err = {0};
        captured = cases[i].captured;
        up(&r, cases[i].options, NULL);
        remote_opts o = {.addr = serve_bound(r.s, 0),
                         .identity = r.user,
                         .trust = r.client,
                         .timeout_ms = 60000};
        gp_status st = remote_call(&o, "ifaces", &none, add_names, &got, &err);
        const char *text = st == GP_OK ? gp_buf_str(&got) : err.msg;
        if (st != cases[i].st ||
            (st == GP_OK ? strcmp(text, cases[i].text) != 0 : !strstr(text, cases[i].text)))
            fail_msg("%s: %s \"%s\"", cases[i].options ? cases[i].options : "all",
                     gp_status_name(st), text);
        gp_buf_free(&got);
        down(&r);
        captured = NULL;
    }
}

/* Interfaces that are called like selectors give a key no more than it has: they are left out when
 * its query has to be narrowed. */
static void test_names_like_selectors(void **state)
{
    (void)state;
    static const struct {
        const char *what, *options, *ifaces, *more;
        gp_status st;
        const char *text; /* of the error, or the interfaces of the result */
    } cases[] = {
        {"any", "ifaces=any,wg*", "any", "any", GP_OK, "wg0"},
        {"any alone", "ifaces=any", "any", "any", GP_EDENIED, "not allowed to read"},
        {"ANY", "ifaces=A*", "/./", "ANY", GP_EDENIED, "not allowed to read"},
        {"exclusion", "ifaces=!*,wg*", "/./", "!wg0", GP_OK, "wg0"},
        {"exclusion alone", "ifaces=!*", "/./", "!eth0", GP_EDENIED, "not allowed to read"},
        {"all of them, unlimited", NULL, "any", "any", GP_OK, "any eth0 eth1 wg0"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r;
        result out = {0};
        gp_err err = {0};
        gp_buf got = {0};
        up(&r, cases[i].options, NULL);
        write_iface(r.dir, cases[i].more);
        gp_status st = ask(&r, &(struct ask){.ifaces = cases[i].ifaces}, &out, &err);
        for (size_t k = 0; k < out.n_ifaces; k++)
            gp_buf_printf(&got, "%s%s", k ? " " : "", out.ifaces[k]);
        const char *text = st == GP_OK ? gp_buf_str(&got) : err.msg;
        if (st != cases[i].st || !strstr(text, cases[i].text) ||
            (st == GP_OK && strcmp(text, cases[i].text) != 0))
            fail_msg("%s: got %s \"%s\"", cases[i].what, gp_status_name(st), text);
        gp_buf_free(&got);
        result_clear(&out);
        down(&r);
    }
}

static void test_rate_limit(void **state)
{
    (void)state;
    struct rig r;
    serve_limits l = {.rate_per_s = 0.001, .burst = 2};
    up(&r, NULL, &l);
    for (int i = 0; i < 4; i++) {
        result out = {0};
        gp_err err = {0};
        gp_status st = ask(&r, &(struct ask){0}, &out, &err);
        if (st != (i < 2 ? GP_OK : GP_ELIMIT))
            fail_msg("query %d: %s \"%s\"", i, gp_status_name(st), err.msg);
        result_clear(&out);
    }
    gp_buf text = {0};
    rt_metrics_text(r.metrics, &text);
    assert_non_null(strstr(gp_buf_str(&text), "goprobe_queries_total{outcome=\"ok\"} 2\n"));
    assert_non_null(
        strstr(gp_buf_str(&text), "goprobe_queries_total{outcome=\"too many requests\"} 2\n"));
    gp_buf_free(&text);
    down(&r);
}

struct many {
    struct rig *r;
    gp_status st[8];
};

static void ask_one(void *ctx, unsigned i)
{
    struct many *m = ctx;
    result out = {0};
    gp_err err = {0};
    m->st[i] = ask(m->r, &(struct ask){.query = "raw", .ifaces = "any"}, &out, &err);
    result_clear(&out);
}

/* Whatever the timing: some succeed, none does anything but succeed or be told to come back. */
static void test_concurrency(void **state)
{
    (void)state;
    struct rig r;
    serve_limits l = {.max_concurrent = 1};
    up(&r, NULL, &l);
    struct many m = {.r = &r};
    unsigned ok = 0;
    want_ok(gp_parallel(8, ask_one, &m, NULL));
    for (size_t i = 0; i < COUNT(m.st); i++) {
        ok += m.st[i] == GP_OK;
        assert_true(m.st[i] == GP_OK || m.st[i] == GP_ELIMIT);
    }
    assert_true(ok >= 1);
    assert_int_equal(serve_running(r.s), 0);
    down(&r);
}

/* Nobody takes all places: a user who holds six of eight is told to come back, another one comes
 * in. Places are held here without a query, so that nothing depends on how long one takes. */
static void test_places_between_users(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int of_the_user;
        unsigned held;
        gp_status want;
    } cases[] = {
        {"user alone, one more", 1, 5, GP_OK},
        {"user alone, at its share", 1, 6, GP_ELIMIT},
        {"others have their share", 0, 6, GP_OK},
    };
    struct rig r;
    gp_err err = {0};
    up(&r, NULL, NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        fair_query *held[8];
        gp_cancel never = GP_CANCEL_INIT;
        auth_peer who = {.local_uid = -1, .sign_pk = {1}};
        if (cases[i].of_the_user)
            memcpy(who.sign_pk, auth_identity_sign_pk(r.user), sizeof who.sign_pk);
        for (unsigned k = 0; k < cases[i].held; k++)
            want_ok_err(&err, fair_enter(r.s->fair, &who, &never, &held[k], &err));
        result out = {0};
        gp_status st = ask(&r, &(struct ask){.query = "sip"}, &out, &err);
        if (st != cases[i].want || (st == GP_ELIMIT && !strstr(err.msg, "too many queries")))
            fail_msg("%s: %s %s", cases[i].what, gp_status_name(st), err.msg);
        result_clear(&out);
        for (unsigned k = 0; k < cases[i].held; k++)
            fair_leave(held[k]);
    }
    down(&r);
}

static void test_bad_options(void **state)
{
    (void)state;
    gp_err err = {0};
    serve *s = NULL;
    auth_identity *id = NULL;
    want_ok(auth_identity_new(AUTH_KIND_AGENT, "x", &id, NULL));
    serve_opts none = {.identity = id};
    want_err(GP_EINVAL, &err, "addresses to listen on", serve_start(&none, &s, &err));
    static const char *const bad[] = {"smoke://signals"};
    serve_opts odd = {.identity = id, .listen = bad, .n_listen = 1};
    gp_status st = serve_start(&odd, &s, &err);
    assert_true(st != GP_OK);
    auth_identity_free(id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_names_like_selectors),
        cmocka_unit_test(test_rate_limit),
        cmocka_unit_test(test_concurrency),
        cmocka_unit_test(test_places_between_users),
        cmocka_unit_test(test_bad_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
