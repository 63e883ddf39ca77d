/* control_test.c - the control methods over a real connection: what they answer, refuse and pass
 * on. */
#include "serve/serve.h"

#include "keys.h"
#include "remote/remote.h"
#include "test.h"
#include "wire/control.h"

#include <pthread.h>

enum { MANY = 300 }; /* more than fit in one message */

/* What the agent's callbacks do, and what they were asked; in threads of the server. */
struct agent {
    pthread_mutex_t mu;
    gp_status st;
    const char *why;
    size_t n_changes;
    unsigned sets, reloads;
    char text[256]; /* of the last config.set */
};

struct rig {
    char *dir;
    godb_db *db;
    auth_identity *agent, *user;
    auth_trust *trust, *client;
    flow_manager *m;
    struct agent a;
    serve_control control;
    serve *s;
};

static gp_status changes(struct agent *a, flow_change **out, size_t *n, gp_err *err)
{
    if (a->st != GP_OK)
        return gp_fail(err, a->st, 0, "%s", a->why);
    flow_change *v = gp_calloc(a->n_changes + 1, sizeof *v);
    for (size_t i = 0; i < a->n_changes; i++) {
        v[i].action = (flow_action)(i % 3);
        v[i].ok = i % 2 == 0;
        (void)snprintf(v[i].name, sizeof v[i].name, "e%u", (unsigned)i % 1000);
        (void)snprintf(v[i].error, sizeof v[i].error, "%s", v[i].ok ? "" : "no such interface");
    }
    *out = v;
    *n = a->n_changes;
    return GP_OK;
}

static gp_status on_reload(void *ctx, flow_change **out, size_t *n, gp_err *err)
{
    struct agent *a = ctx;
    pthread_mutex_lock(&a->mu);
    a->reloads++;
    gp_status st = changes(a, out, n, err);
    pthread_mutex_unlock(&a->mu);
    return st;
}

static gp_status on_set(void *ctx, const char *text, size_t len, flow_change **out, size_t *n,
                        gp_err *err)
{
    struct agent *a = ctx;
    pthread_mutex_lock(&a->mu);
    a->sets++;
    (void)snprintf(a->text, sizeof a->text, "%.*s", (int)len, text);
    gp_status st = changes(a, out, n, err);
    pthread_mutex_unlock(&a->mu);
    return st;
}

/* From now on. */
static void answer_with(struct agent *a, gp_status st, const char *why, size_t n_changes)
{
    pthread_mutex_lock(&a->mu);
    a->st = st;
    a->why = why;
    a->n_changes = n_changes;
    pthread_mutex_unlock(&a->mu);
}

static void want_asked(struct agent *a, unsigned sets, unsigned reloads, const char *text)
{
    pthread_mutex_lock(&a->mu);
    struct agent is = *a;
    pthread_mutex_unlock(&a->mu);
    assert_int_equal(is.sets, sets);
    assert_int_equal(is.reloads, reloads);
    if (text)
        assert_string_equal(is.text, text);
}

/* Interfaces that do not exist need no privileges: they are wanted and wait. */
static void want_ifaces(struct rig *r)
{
    capture_conf conf = {.promisc = 1, .block_size = 65536, .num_blocks = 8, .n_extra = 1};
    flow_ruleset *rs = NULL;
    gp_err err = {0};

    conf.extra[0] = (capture_insn){6, 0, 0, 160};
    want_ok(flow_ruleset_new(&rs, NULL));
    for (int i = 0; i < MANY; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "gone%03d", i);
        want_ok_err(&err, flow_ruleset_add(rs, name, &conf, &err));
    }
    want_ok_err(&err, flow_manager_apply(r->m, rs, NULL, NULL, &err));
}

static void up(struct rig *r, const char *user_options)
{
    gp_err err = {0};

    *r = (struct rig){.dir = test_tmpdir(), .a.mu = PTHREAD_MUTEX_INITIALIZER};
    want_ok_err(&err, godb_db_open(r->dir, &r->db, &err));
    make_keys("fw1", user_options, &r->agent, &r->user, &r->trust, &r->client);
    flow_manager_opts mo = {.db = r->dir, .interval_s = 3600};
    want_ok_err(&err, flow_manager_new(&mo, &r->m, &err));
    want_ifaces(r);
    r->control = (serve_control){.manager = r->m, .reload = on_reload, .set = on_set, .ctx = &r->a};
    static const char *const listen[] = {"tcp://127.0.0.1:0"};
    serve_opts o = {.db = r->db,
                    .identity = r->agent,
                    .trust = r->trust,
                    .listen = listen,
                    .n_listen = 1,
                    .control = &r->control};
    want_ok_err(&err, serve_start(&o, &r->s, &err));
}

static void down(struct rig *r)
{
    serve_stop(r->s, 0);
    want_ok(flow_manager_close(r->m, NULL));
    godb_db_close(r->db);
    auth_identity_free(r->agent);
    auth_identity_free(r->user);
    auth_trust_free(r->trust);
    auth_trust_free(r->client);
    test_rmtree(r->dir);
    gp_free(r->dir);
}

static gp_status call(struct rig *r, const char *method, const gp_buf *req, remote_msg_fn fn,
                      void *ctx, gp_err *err)
{
    remote_opts o = {
        .addr = serve_bound(r->s, 0), .identity = r->user, .trust = r->client, .timeout_ms = 60000};
    return remote_call(&o, method, req, fn, ctx, err);
}

/* ---- answers ---- */

static gp_status add_status(void *ctx, const uint8_t *data, size_t len, gp_err *err)
{
    return wire_status_decode(data, len, ctx, err);
}

static gp_status add_config(void *ctx, const uint8_t *data, size_t len, gp_err *err)
{
    return wire_config_decode(data, len, ctx, err);
}

static gp_status add_changes(void *ctx, const uint8_t *data, size_t len, gp_err *err)
{
    return wire_changes_decode(data, len, ctx, err);
}

static gp_status any_answer(void *ctx, const uint8_t *data, size_t len, gp_err *err)
{
    (void)data;
    (void)len;
    (void)err;
    ++*(unsigned *)ctx;
    return GP_OK;
}

static void test_status_and_settings(void **state)
{
    (void)state;
    struct rig r;
    gp_buf all = {0};
    gp_err err = {0};
    wire_status_reply s = {0};
    wire_config_reply c = {0};

    up(&r, "roles=status,config.read");
    want_ok_err(&err, call(&r, "status", &all, add_status, &s, &err));
    assert_int_equal(s.n, MANY);
    assert_string_equal(s.daemon.host, "fw1");
    for (size_t i = 0; i < s.n; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "gone%03u", (unsigned)i % 1000);
        assert_string_equal(s.v[i].name, name);
        assert_false(s.v[i].capturing);
        assert_non_null(strstr(s.v[i].error, "no such interface"));
    }
    wire_status_clear(&s);
    want_ok_err(&err, call(&r, "config.get", &all, add_config, &c, &err));
    assert_int_equal(c.n, MANY);
    const wire_iface_config *last = &c.v[MANY - 1];
    assert_string_equal(last->name, "gone299");
    assert_true(last->promisc && !last->ignore_vlans && last->sample == 1);
    assert_int_equal(last->block_size * last->num_blocks, 65536 * 8);
    assert_int_equal(last->n_filter, 1);
    assert_int_equal(last->filter[0].op, 6);
    assert_int_equal(last->filter[0].k, 160);
    wire_config_clear(&c);
    down(&r);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const two[] = {"gone007", "gone299"}, *const strange[] = {"gone007", "eth9"};
    static const char *const methods[] = {"status", "config.get", "flush"};
    struct rig r;
    gp_buf req = {0};
    gp_err err = {0};
    wire_status_reply s = {0};

    up(&r, "roles=status,config.read,config.write");
    wire_put_control_request(&req, two, 2);
    want_ok_err(&err, call(&r, "status", &req, add_status, &s, &err));
    assert_int_equal(s.n, 2);
    assert_string_equal(s.v[1].name, "gone299");
    wire_status_clear(&s);
    gp_buf_clear(&req);
    wire_put_control_request(&req, strange, 2);
    for (size_t i = 0; i < COUNT(methods); i++) {
        unsigned n = 0;
        want_err(GP_ENOTFOUND, &err, "no interface \"eth9\"",
                 call(&r, methods[i], &req, any_answer, &n, &err));
        assert_int_equal(n, 0);
    }
    gp_buf_clear(&req);
    gp_buf_adds(&req, "\xff\xff\xff garbage");
    for (size_t i = 0; i < COUNT(methods); i++) {
        unsigned n = 0;
        assert_int_equal(call(&r, methods[i], &req, any_answer, &n, &err), GP_EINVAL);
    }
    gp_buf_free(&req);
    down(&r);
}

/* ---- changes ---- */

static void test_changes(void **state)
{
    (void)state;
    static const char text[] = "{\"eth0\": {}}";
    static const char *const methods[] = {"config.set", "config.reload"};
    struct rig r;
    gp_err err = {0};

    up(&r, "roles=config.write");
    for (size_t m = 0; m < COUNT(methods); m++) {
        gp_buf req = {0};
        wire_changes_reply c = {0};
        answer_with(&r.a, GP_OK, NULL, MANY);
        if (m == 0)
            wire_put_config_set(&req, text, strlen(text));
        want_ok_err(&err, call(&r, methods[m], &req, add_changes, &c, &err));
        assert_int_equal(c.n, MANY);
        for (size_t i = 0; i < c.n; i++) {
            char name[16];
            (void)snprintf(name, sizeof name, "e%u", (unsigned)i % 1000);
            assert_string_equal(c.v[i].name, name);
            assert_int_equal(c.v[i].action, i % 3);
            assert_int_equal(c.v[i].ok, i % 2 == 0);
            assert_string_equal(c.v[i].error, i % 2 ? "no such interface" : "");
        }
        wire_changes_clear(&c);
        answer_with(&r.a, GP_OK, NULL, 0); /* nothing changed: one empty answer */
        want_ok_err(&err, call(&r, methods[m], &req, add_changes, &c, &err));
        assert_int_equal(c.n, 0);
        wire_changes_clear(&c);
        gp_buf_free(&req);
    }
    want_asked(&r.a, 2, 2, text);
    down(&r);
}

/* What the agent says no to reaches the caller with its text: wrong maps, autodetection, the end.
 */
static void test_refused_changes(void **state)
{
    (void)state;
    static const struct {
        gp_status st;
        const char *why;
    } cases[] = {
        {GP_EINVAL, "request: no interfaces to capture on"},
        {GP_EINVAL, "request:3: a.ring: unknown key"},
        {GP_EEXIST, "autodetection is on: interfaces follow the host, not requests"},
        {GP_EUNAVAILABLE, "capture is shutting down"},
    };
    struct rig r;
    gp_buf set = {0}, none = {0};
    gp_err err = {0};

    up(&r, "roles=config.write");
    wire_put_config_set(&set, "{}", 2);
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned n = 0;
        answer_with(&r.a, cases[i].st, cases[i].why, 0);
        want_err(cases[i].st, &err, cases[i].why,
                 call(&r, "config.set", &set, any_answer, &n, &err));
        want_err(cases[i].st, &err, cases[i].why,
                 call(&r, "config.reload", &none, any_answer, &n, &err));
        assert_int_equal(n, 0);
    }
    gp_buf_clear(&set);
    gp_buf_adds(&set, "\xff\xff\xff garbage");
    unsigned n = 0;
    assert_int_equal(call(&r, "config.set", &set, any_answer, &n, &err), GP_EINVAL);
    want_asked(&r.a, COUNT(cases), COUNT(cases), "{}"); /* not that one */
    gp_buf_free(&set);
    down(&r);
}

/* Interfaces that wait have nothing to write. */
static void test_flush(void **state)
{
    (void)state;
    struct rig r;
    gp_buf none = {0};
    gp_err err = {0};
    unsigned n = 0;

    up(&r, "roles=config.write");
    want_ok_err(&err, call(&r, "flush", &none, any_answer, &n, &err));
    assert_int_equal(n, 1);
    down(&r);
}

/* ---- who may ---- */

static void test_who_may(void **state)
{
    (void)state;
    static const char *const methods[] = {"status", "config.get", "config.set", "config.reload",
                                          "flush"};
    static const struct {
        const char *what, *options, *may; /* '+' for each method that is answered */
    } cases[] = {
        {"status", "roles=status", "+----"},
        {"reading", "roles=config.read", "-+---"},
        {"writing", "roles=config.write", "--+++"},
        {"queries", "roles=query,live", "-----"},
        {"other hosts", "roles=status,config.read,config.write hosts=db*", "-----"},
        {"this host", "roles=status,config.read,config.write hosts=fw*", "+++++"},
        {"some interfaces", "roles=status,config.read,config.write ifaces=gone0*", "++--+"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r;
        up(&r, cases[i].options);
        for (size_t m = 0; m < COUNT(methods); m++) {
            gp_buf req = {0};
            gp_err err = {0};
            unsigned n = 0;
            if (strcmp(methods[m], "config.set") == 0)
                wire_put_config_set(&req, "{}", 2);
            gp_status st = call(&r, methods[m], &req, any_answer, &n, &err);
            if (st != (cases[i].may[m] == '+' ? GP_OK : GP_EDENIED))
                fail_msg("%s: %s: %s \"%s\"", cases[i].what, methods[m], gp_status_name(st),
                         err.msg);
            gp_buf_free(&req);
        }
        want_asked(&r.a, cases[i].may[2] == '+', cases[i].may[3] == '+', NULL);
        down(&r);
    }
}

static void test_scope_of_interfaces(void **state)
{
    (void)state;
    static const char *const other[] = {"gone100"};
    struct rig r;
    gp_buf all = {0}, req = {0};
    gp_err err = {0};
    wire_status_reply s = {0};
    unsigned n = 0;

    up(&r, "roles=status ifaces=gone0*");
    want_ok_err(&err, call(&r, "status", &all, add_status, &s, &err));
    assert_int_equal(s.n, 100);
    wire_status_clear(&s);
    wire_put_control_request(&req, other, 1); /* as if it were not there */
    want_err(GP_ENOTFOUND, &err, "no interface \"gone100\"",
             call(&r, "status", &req, any_answer, &n, &err));
    gp_buf_free(&req);
    down(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_and_settings),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_refused_changes),
        cmocka_unit_test(test_flush),
        cmocka_unit_test(test_who_may),
        cmocka_unit_test(test_scope_of_interfaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
