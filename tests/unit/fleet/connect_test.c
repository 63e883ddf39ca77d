/* connect_test.c - persistent connections: shared, lost, backed off, denied, reloaded. */
#include "fleet/fleet.h"

#include "gp/clock.h"
#include "test.h"
#include "wire/info.h"

#include <pthread.h>
#include <time.h>

enum { MAX_WAIT_MS = 10000 };

struct rig {
    auth_identity *aggr, *agent, *other;
    auth_trust *trust;
    rpc_runtime *client, *server;
    char addr[128];
    fleet *f;
};

static rpc_code on_info(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text)
{
    gp_buf b = {0};
    wire_info i = {.protocol = 1,
                   .software = "fleetprobe/test",
                   .kind = "agent",
                   .host = "fw1",
                   .host_id = ""};
    (void)ctx, (void)req, (void)len, (void)text;
    wire_put_info(&b, &i);
    gp_status st = rpc_stream_send(s, b.data, b.len, NULL);
    gp_buf_free(&b);
    return rpc_code_from_status(st);
}

static const rpc_method methods[] = {{.name = "info", .handler = on_info, .max_request = 64}};

static auth_identity *key(auth_kind kind, const char *name, gp_buf *out)
{
    auth_identity *id = NULL;
    want_ok(auth_identity_new(kind, name, &id, NULL));
    auth_trust_entry(id, NULL, out);
    gp_buf_addc(out, '\n');
    return id;
}

static void start_server(struct rig *r, const char *addr)
{
    gp_err err = {0};
    rpc_opts o = {.identity = r->agent, .trust = r->trust};
    want_ok_err(&err, rpc_runtime_new(&o, &r->server, &err));
    want_ok_err(&err, rpc_listen(r->server, addr, methods, 1, NULL, r->addr, sizeof r->addr, &err));
}

static fleet_table *table(const char *fmt, const char *addr)
{
    fleet_table *t = NULL;
    gp_err err = {0};
    gp_buf b = {0};
    for (const char *p = fmt; *p; p++) {
        if (*p == '@')
            gp_buf_adds(&b, addr);
        else
            gp_buf_addc(&b, *p);
    }
    want_ok_err(&err, fleet_table_parse("t", b.data, b.len, &t, &err));
    gp_buf_free(&b);
    return t;
}

static void up(struct rig *r, const char *fmt)
{
    gp_buf keys = {0};
    gp_err err = {0};
    *r = (struct rig){0};
    r->aggr = key(AUTH_KIND_AGGREGATOR, "agg", &keys);
    r->agent = key(AUTH_KIND_AGENT, "fw1", &keys);
    want_ok(auth_trust_new(&r->trust, NULL));
    want_ok_err(&err, auth_trust_parse(r->trust, gp_buf_str(&keys), keys.len, &err));
    gp_buf_free(&keys);
    start_server(r, "tcp://127.0.0.1:0");
    rpc_opts o = {.identity = r->aggr, .trust = r->trust};
    want_ok_err(&err, rpc_runtime_new(&o, &r->client, &err));
    fleet_opts fo = {.rt = r->client,
                     .dial_ms = 2000,
                     .backoff_min_ms = 5,
                     .backoff_max_ms = 50,
                     .health_ms = 50};
    want_ok_err(&err, fleet_new(&fo, table(fmt, r->addr), &r->f, &err));
}

static void down(struct rig *r)
{
    fleet_stop(r->f);
    rpc_runtime_free(r->client, 0);
    fleet_free(r->f);
    rpc_runtime_free(r->server, 0);
    auth_identity_free(r->aggr);
    auth_identity_free(r->agent);
    auth_identity_free(r->other);
    auth_trust_free(r->trust);
}

struct got {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int done;
    fleet_link *link;
    gp_status st;
    char why[256];
};

static void on_ready(void *ctx, fleet_link *link, gp_status st, const char *why)
{
    struct got *g = ctx;
    pthread_mutex_lock(&g->lock);
    g->link = link;
    g->st = st;
    snprintf(g->why, sizeof g->why, "%s", st == GP_OK ? "" : why);
    g->done++;
    pthread_cond_signal(&g->cond);
    pthread_mutex_unlock(&g->lock);
}

/* Ask for a connection and wait; the link is given back. */
static struct got get(struct rig *r, const char *id)
{
    struct got g = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    fleet_connect(r->f, id, on_ready, &g);
    pthread_mutex_lock(&g.lock);
    while (!g.done)
        pthread_cond_wait(&g.cond, &g.lock);
    pthread_mutex_unlock(&g.lock);
    assert_int_equal(g.done, 1);
    fleet_link_put(g.link);
    return g;
}

static fleet_health wait_state(struct rig *r, const char *id, fleet_state want)
{
    fleet_health h = {0};
    int64_t end = gp_mono_ms() + MAX_WAIT_MS;
    while (gp_mono_ms() < end) {
        want_ok(fleet_health_of(r->f, id, &h));
        if (h.state == want)
            return h;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    fail_msg("%s is %s, want %s (%s)", id, fleet_state_name(h.state), fleet_state_name(want),
             h.error);
    return h;
}

static void test_connect_and_health(void **state)
{
    (void)state;
    struct rig r;
    up(&r, "fw1: {addr: '@'}\n");
    assert_int_equal(get(&r, "fw1").st, GP_OK);
    assert_int_equal(get(&r, "nowhere").st, GP_ENOTFOUND);
    fleet_health h = wait_state(&r, "fw1", FLEET_CONNECTED);
    for (int64_t end = gp_mono_ms() + MAX_WAIT_MS; h.rtt_us < 0 && gp_mono_ms() < end;) {
        want_ok(fleet_health_of(r.f, "fw1", &h));
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    assert_true(h.rtt_us >= 0);
    assert_string_equal(h.software, "fleetprobe/test");
    assert_string_equal(h.address, r.addr);
    unsigned c[FLEET_DISABLED + 1];
    fleet_counts(r.f, c);
    assert_int_equal(c[FLEET_CONNECTED], 1);
    down(&r);
}

static void test_failures(void **state)
{
    (void)state;
    static const struct {
        const char *what, *table;
        gp_status st;
        const char *why;
    } cases[] = {
        {"nobody listens", "x: {addr: 'tcp://127.0.0.1:1'}\n", GP_EUNAVAILABLE, ""},
        {"another identity", "x: {addr: '@', name: fw2}\n", GP_EDENIED, "fw1"},
        {"another kind", "x: {addr: '@', name: fw1, kind: aggregator}\n", GP_EDENIED, "agent"},
        {"disabled", "x: {addr: '@', name: fw1, disabled: true}\n", GP_EUNAVAILABLE, "disabled"},
        {"dials in", "x: {addr: dial-in}\n", GP_EUNAVAILABLE, "has not dialled in"},
        {"dials in, disabled", "x: {addr: dial-in, disabled: true}\n", GP_EUNAVAILABLE, "disabled"},
        {"dials in", "x: {addr: dial-in, name: fw1}\n", GP_EUNAVAILABLE, "has not dialled in"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r;
        up(&r, cases[i].table);
        for (int round = 0; round < 6; round++) { /* also once the circuit is open */
            struct got g = get(&r, "x");
            if (g.st != cases[i].st || !strstr(g.why, cases[i].why))
                fail_msg("%s: got %s \"%s\"", cases[i].what, gp_status_name(g.st), g.why);
        }
        down(&r);
    }
}

static void test_loss_and_return(void **state)
{
    (void)state;
    struct rig r;
    up(&r, "fw1: {addr: '@'}\n");
    wait_state(&r, "fw1", FLEET_CONNECTED);
    char addr[128];
    snprintf(addr, sizeof addr, "%s", r.addr);
    rpc_runtime_free(r.server, 0);
    fleet_health h = wait_state(&r, "fw1", FLEET_BACKOFF);
    assert_true(h.error[0] != 0);
    for (int i = 0; i < 400 && h.failures < 3; i++) { /* probes go on: the circuit opens */
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        want_ok(fleet_health_of(r.f, "fw1", &h));
    }
    assert_true(h.failures >= 3);
    int64_t start = gp_mono_ms();
    struct got g = get(&r, "fw1");
    assert_int_equal(g.st, GP_EUNAVAILABLE);
    assert_non_null(strstr(g.why, "attempts"));
    assert_true(gp_mono_ms() - start < 1000); /* not a dial's time-out */
    start_server(&r, addr);
    wait_state(&r, "fw1", FLEET_CONNECTED);
    assert_int_equal(get(&r, "fw1").st, GP_OK);
    down(&r);
}

static void test_reload(void **state)
{
    (void)state;
    struct rig r;
    gp_err err = {0};
    fleet_health h;
    up(&r,
       "fw1: {addr: '@'}\nold: {addr: 'tcp://127.0.0.1:1'}\nbad: {addr: 'tcp://127.0.0.1:1'}\n");
    fleet_health before = wait_state(&r, "fw1", FLEET_CONNECTED);
    want_ok(fleet_health_of(r.f, "bad", &h));
    for (int64_t end = gp_mono_ms() + MAX_WAIT_MS; h.failures < 3 && gp_mono_ms() < end;) {
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        want_ok(fleet_health_of(r.f, "bad", &h));
    }
    fleet_view *v = fleet_view_get(r.f);
    want_ok_err(&err, fleet_reload(r.f,
                                   table("fw1: {addr: '@', timeout: 9s}\n"
                                         "new: {addr: 'tcp://127.0.0.1:1'}\n"
                                         "bad: {addr: 'tcp://127.0.0.1:1', timeout: 9s}\n",
                                         r.addr),
                                   &err));
    want_ok(fleet_health_of(r.f, "fw1", &h)); /* kept its connection */
    assert_int_equal(h.state, FLEET_CONNECTED);
    assert_int_equal(h.since_s, before.since_s);
    want_ok(fleet_health_of(r.f, "bad", &h)); /* its circuit stays open */
    assert_true(h.failures >= 3 || h.state == FLEET_CONNECTING);
    want_status(GP_ENOTFOUND, fleet_health_of(r.f, "old", &h));
    want_ok(fleet_health_of(r.f, "new", &h));
    assert_non_null(
        fleet_table_find(fleet_view_table(v), "old")); /* whoever looks keeps the old one */
    fleet_view_put(v);
    for (int i = 0; i < 50; i++) /* under fire */
        want_ok_err(&err,
                    fleet_reload(r.f, table(i % 2 ? "fw1: {addr: '@'}\n" : "", r.addr), &err));
    assert_int_equal(get(&r, "fw1").st, GP_OK);
    down(&r);
}

struct hammer {
    struct rig *r;
    unsigned ok;
};

static void *hammer(void *arg)
{
    struct hammer *h = arg;
    for (int i = 0; i < 200; i++)
        h->ok += get(h->r, "fw1").st == GP_OK;
    return NULL;
}

static void test_shared_by_threads(void **state)
{
    (void)state;
    struct rig r;
    pthread_t t[4];
    struct hammer h[4];
    up(&r, "fw1: {addr: '@'}\n");
    for (int i = 0; i < 4; i++) {
        h[i] = (struct hammer){.r = &r};
        assert_int_equal(pthread_create(&t[i], NULL, hammer, &h[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
        assert_int_equal(h[i].ok, 200);
    }
    rpc_counters c;
    rpc_runtime_counters(r.server, &c);
    assert_int_equal(c.accepted, 1); /* one connection for all */
    down(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connect_and_health), cmocka_unit_test(test_failures),
        cmocka_unit_test(test_loss_and_return),    cmocka_unit_test(test_reload),
        cmocka_unit_test(test_shared_by_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
