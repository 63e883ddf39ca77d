/* dialout_test.c - an agent that connects to its aggregator: it comes back after a loss, waits
 * longer after each failure, and trusts nobody but an aggregator. */
#include "serve_int.h"

#include "gp/clock.h"
#include "keys.h"
#include "test.h"

#include <unistd.h>

enum { PATIENT_MS = 20000 };

/* An aggregator, or what passes itself off as one, and the agent that dials it. */
struct pair {
    char *dir;
    godb_db *db;
    auth_identity *agent, *user, *far_id;
    auth_trust *trust, *client;
    rpc_runtime *far;
    char addr[128];
    const char *dial[1]; /* addr */
    serve *s;
    atomic_uint attached, asked; /* calls of attach and info */
    atomic_int info;             /* what info answers */
};

static rpc_code on_attach(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text)
{
    struct pair *p = ctx;
    (void)s, (void)req, (void)len, (void)text;
    atomic_fetch_add(&p->attached, 1);
    return RPC_OK;
}

static rpc_code on_info(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text)
{
    struct pair *p = ctx;
    (void)s, (void)req, (void)len, (void)text;
    atomic_fetch_add(&p->asked, 1);
    return (rpc_code)atomic_load(&p->info);
}

static const rpc_method methods[] = {
    {.name = "attach", .handler = on_attach, .max_request = 64},
    {.name = "info", .handler = on_info, .max_request = 64},
};

/* bound: where it listens then, NULL or of sizeof p->addr bytes. */
static void far_start(struct pair *p, const char *at, char *bound)
{
    gp_err err = {0};
    const rpc_opts o = {.identity = p->far_id, .trust = p->client, .workers = 2};
    want_ok_err(&err, rpc_runtime_new(&o, &p->far, &err));
    want_ok_err(&err, rpc_listen(p->far, at, methods, COUNT(methods), p, bound,
                                 bound ? sizeof p->addr : 0, &err));
}

static void up(struct pair *p, auth_kind far_kind, int64_t alive_ms)
{
    gp_buf b = {0};
    gp_err err = {0};
    *p = (struct pair){.dir = test_tmpdir(), .info = RPC_OK};
    want_ok_err(&err, godb_db_open(p->dir, &p->db, &err));
    make_keys("fw1", NULL, &p->agent, &p->user, &p->trust, &p->client);
    want_ok(auth_identity_new(far_kind, "hub", &p->far_id, NULL));
    auth_trust_entry(p->far_id, NULL, &b);
    want_ok_err(&err, auth_trust_parse(p->trust, gp_buf_str(&b), b.len, &err));
    gp_buf_free(&b);
    far_start(p, "tcp://127.0.0.1:0", p->addr);
    p->dial[0] = p->addr;
    const serve_opts o = {.db = p->db,
                          .identity = p->agent,
                          .trust = p->trust,
                          .dial_out = p->dial,
                          .n_dial_out = 1,
                          .dial_alive_ms = alive_ms};
    want_ok_err(&err, serve_start(&o, &p->s, &err));
}

static void down(struct pair *p)
{
    serve_stop(p->s, 0);
    rpc_runtime_free(p->far, 0);
    godb_db_close(p->db);
    auth_identity_free(p->agent);
    auth_identity_free(p->user);
    auth_identity_free(p->far_id);
    auth_trust_free(p->trust);
    auth_trust_free(p->client);
    test_tmpdirp(&p->dir);
}

static void wait_for(const char *what, atomic_uint *count, unsigned n)
{
    for (gp_deadline end = gp_deadline_in_ms(PATIENT_MS); atomic_load(count) < n; usleep(2000))
        if (gp_deadline_passed(end))
            fail_msg("%s: %u times, want %u", what, atomic_load(count), n);
}

/* The aggregator ends and comes back, as in an update of it. */
static void test_aggregator_restarts(void **state)
{
    (void)state;
    struct pair p;
    up(&p, AUTH_KIND_AGGREGATOR, 0);
    wait_for("attached", &p.attached, 1);
    rpc_runtime_free(p.far, 0);
    far_start(&p, p.addr, NULL);
    wait_for("attached again", &p.attached, 2);
    assert_int_equal(atomic_load(&p.asked), 0); /* not so soon */
    down(&p);
}

/* A NAT that forgot the connection is found out by a question without an answer. */
static void test_sign_of_life(void **state)
{
    (void)state;
    struct pair p;
    up(&p, AUTH_KIND_AGGREGATOR, 1);
    wait_for("asked", &p.asked, 1);
    assert_int_equal(atomic_load(&p.attached), 1);
    atomic_store(&p.info, RPC_DEADLINE_EXCEEDED);
    wait_for("attached anew", &p.attached, 2);
    down(&p);
}

/* Connections that this side has seen the end of. */
static unsigned closed(rpc_runtime *rt)
{
    size_t n;
    double sum = 0;
    const rpc_metric *m = rpc_runtime_metrics(rt, &n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(m[i].name, "rpc_connections_closed_total") == 0)
            sum += m[i].get((void *)(uintptr_t)&m[i]);
    return (unsigned)sum;
}

static void test_other_kinds_are_refused(void **state)
{
    (void)state;
    struct pair p;
    up(&p, AUTH_KIND_AGENT, 0);
    for (gp_deadline end = gp_deadline_in_ms(PATIENT_MS); closed(p.far) < 1; usleep(2000))
        assert_false(gp_deadline_passed(end));
    assert_int_equal(atomic_load(&p.attached), 0);
    down(&p);
}

static void test_back_off(void **state)
{
    (void)state;
    static const struct {
        int64_t last_ms;
        int attached;
        int64_t want_ms;
    } cases[] = {
        {500, 0, 1000},    {1000, 0, 2000}, {8000, 0, 16000}, {16000, 0, 30000},
        {30000, 0, 30000}, {500, 1, 500},   {30000, 1, 500},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(serve_dial_wait_ms(cases[i].last_ms, cases[i].attached), cases[i].want_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aggregator_restarts),
        cmocka_unit_test(test_sign_of_life),
        cmocka_unit_test(test_other_kinds_are_refused),
        cmocka_unit_test(test_back_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
