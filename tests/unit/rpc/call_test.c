/* call_test.c - calls end to end over tcp and ipc: replies, streams, statuses, deadlines, cancel.
 */
#include "kit.h"
#include "rogue.h"

#include "gp/clock.h"
#include "gp/mem.h"
#include "gp/num.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void test_unary(void **state)
{
    (void)state;
    static const struct {
        const char *what, *method;
        size_t len;
        gp_status want;
    } cases[] = {
        {"empty", "echo", 0, GP_OK},
        {"one byte", "echo", 1, GP_OK},
        {"about a record", "echo", 65519, GP_OK},
        {"large", "echo", 200000, GP_OK},
        {"unknown method", "nothing", 1, GP_EUNSUPPORTED},
        {"handler fails", "fail", 1, GP_ENOTFOUND},
        {"request too large for the method", "who", 100, GP_ELIMIT},
        {"role missing", "write", 1, GP_EDENIED},
        {"wrong kind", "agents", 1, GP_EDENIED},
        {"who am I", "who", 0, GP_OK},
    };
    kit k;
    kit_up(&k);
    rpc_conn *c = kit_dial(&k);
    assert_string_equal(rpc_conn_peer(c)->name, "fw-1");
    uint8_t *req = gp_alloc(300000, 1);
    for (size_t i = 0; i < 300000; i++)
        req[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < GP_COUNT(cases); i++) {
        gp_buf reply = {0};
        gp_err err = {0};
        gp_status st = rpc_call_unary(c, cases[i].method, req, cases[i].len,
                                      gp_deadline_in_ms(5000), &reply, &err);
        if (st != cases[i].want)
            fail_msg("%s: %s, want %s (%s)", cases[i].what, gp_status_name(st),
                     gp_status_name(cases[i].want), err.msg);
        if (st == GP_OK && strcmp(cases[i].method, "echo") == 0 &&
            (reply.len != cases[i].len || (reply.len && memcmp(reply.data, req, reply.len))))
            fail_msg("%s: reply differs", cases[i].what);
        if (strcmp(cases[i].method, "who") == 0 && st == GP_OK)
            assert_string_equal(gp_buf_str(&reply), "alice");
        gp_buf_free(&reply);
    }
    gp_free(req);
    rpc_conn_close(c);
    kit_down(&k);
}

/* Fetch a stream of "count"; the number of messages that came in order. */
static uint32_t drain(rpc_conn *c, uint32_t n, uint32_t size, rpc_code *code)
{
    uint8_t req[8];
    gp_err err = {0};
    rpc_call *call = NULL;
    rpc_event ev = {0};
    uint32_t got = 0;
    gp_put_le32(req, n);
    gp_put_le32(req + 4, size);
    if (rpc_call_start(c, "count", req, 8, gp_deadline_in_ms(20000), NULL, NULL, &call, &err))
        fail_msg("%s", err.msg);
    for (;;) {
        if (rpc_call_recv(call, 20000, &ev, &err))
            fail_msg("%s", err.msg);
        if (ev.kind == RPC_EV_STATUS)
            break;
        if (ev.len != size || (size >= 4 && gp_le32(ev.data) != got) ||
            (size > 4 && ev.data[size - 1] != (uint8_t)got))
            fail_msg("message %u is wrong", got);
        got++;
    }
    *code = ev.code;
    assert_int_equal(rpc_call_recv(call, 0, &ev, &err), GP_EINVAL); /* the status came already */
    rpc_call_free(call);
    return got;
}

static void test_stream(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint32_t n, size;
    } cases[] = {
        {"none", 0, 10},
        {"empty messages", 50000, 0},
        {"small", 20000, 100},
        {"around a record", 300, 65507},
        {"largest", 200, RPC_MAX_PAYLOAD},
    };
    kit k;
    kit_up(&k);
    rpc_conn *c = kit_dial(&k);
    for (size_t i = 0; i < GP_COUNT(cases); i++) {
        rpc_code code = RPC_UNKNOWN;
        uint32_t got = drain(c, cases[i].n, cases[i].size, &code);
        if (got != cases[i].n || code != RPC_OK)
            fail_msg("%s: %u messages, code %s", cases[i].what, got, rpc_code_name(code));
    }
    rpc_conn_close(c);
    kit_down(&k);
}

static void *drain_thread(void *conn)
{
    rpc_code code = RPC_UNKNOWN;
    uint32_t got = drain(conn, 400, 20000, &code);
    return (void *)(uintptr_t)(got == 400 && code == RPC_OK);
}

static void test_parallel_streams(void **state)
{
    (void)state;
    kit k;
    kit_up(&k);
    rpc_conn *c = kit_dial(&k);
    pthread_t t[8];
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&t[i], NULL, drain_thread, c), 0);
    for (size_t i = 0; i < 8; i++) {
        void *ok = NULL;
        pthread_join(t[i], &ok);
        assert_non_null(ok);
    }
    rpc_conn_close(c);
    kit_down(&k);
}

typedef struct seen {
    atomic_int msgs, statuses, code;
    int free_on_msg;
} seen;

static void on_event(void *ctx, rpc_call *call, const rpc_event *ev)
{
    seen *s = ctx;
    if (ev->kind == RPC_EV_MSG) {
        atomic_fetch_add(&s->msgs, 1);
        if (s->free_on_msg)
            rpc_call_free(call);
    } else {
        s->code = (int)ev->code;
        atomic_fetch_add(&s->statuses, 1);
    }
}

static rpc_call *start(rpc_conn *c, const char *method, uint32_t n, uint32_t size, int64_t ms,
                       seen *s)
{
    uint8_t req[8];
    gp_err err = {0};
    rpc_call *call = NULL;
    gp_put_le32(req, n);
    gp_put_le32(req + 4, size);
    if (rpc_call_start(c, method, req, 8, gp_deadline_in_ms(ms), on_event, s, &call, &err))
        fail_msg("%s", err.msg);
    return call;
}

static void test_callbacks(void **state)
{
    (void)state;
    kit k;
    kit_up(&k);
    rpc_conn *c = kit_dial(&k);

    seen s = {0};
    rpc_call *call = start(c, "count", 1000, 5000, 5000, &s);
    assert_true(kit_wait(&s.statuses, 1));
    assert_int_equal(s.msgs, 1000);
    assert_int_equal(s.code, RPC_OK);
    rpc_call_free(call);

    seen f = {.free_on_msg = 1}; /* freeing inside the callback ends the call and the callbacks */
    start(c, "count", 1000, 5000, 5000, &f);
    assert_true(kit_wait(&f.msgs, 1));
    uint32_t got = 0;
    rpc_code code = RPC_UNKNOWN;
    got = drain(c, 10, 10, &code);
    assert_int_equal(got, 10);
    assert_int_equal(f.msgs, 1);
    assert_int_equal(f.statuses, 0);
    rpc_conn_close(c);
    kit_down(&k);
}

static void test_deadline_and_cancel(void **state)
{
    (void)state;
    kit k;
    kit_up(&k);
    rpc_conn *c = kit_dial(&k);

    seen d = {0};
    int64_t t0 = gp_mono_ms();
    rpc_call *call = start(c, "block", 0, 0, 100, &d);
    assert_true(kit_wait(&d.statuses, 1));
    assert_int_equal(d.code, RPC_DEADLINE_EXCEEDED);
    assert_true(gp_mono_ms() - t0 >= 99);
    assert_true(kit_wait(&k.cancelled, 1)); /* the handler saw it too */
    rpc_call_free(call);

    seen x = {0};
    call = start(c, "block", 0, 0, 20000, &x);
    assert_true(kit_wait(&k.running, 2));
    rpc_call_cancel(call);
    assert_true(kit_wait(&x.statuses, 1));
    assert_int_equal(x.code, RPC_CANCELLED);
    assert_true(kit_wait(&k.cancelled, 2));
    rpc_call_free(call);

    seen g = {0}; /* freeing cancels */
    call = start(c, "block", 0, 0, 20000, &g);
    assert_true(kit_wait(&k.running, 3));
    rpc_call_free(call);
    assert_true(kit_wait(&k.cancelled, 3));
    assert_int_equal(g.statuses, 0);

    seen l = {0}; /* losing the connection cancels */
    call = start(c, "block", 0, 0, 20000, &l);
    assert_true(kit_wait(&k.running, 4));
    rpc_conn_close(c);
    assert_true(kit_wait(&l.statuses, 1));
    assert_int_equal(l.code, RPC_UNAVAILABLE);
    assert_true(kit_wait(&k.cancelled, 4));
    rpc_call_free(call);
    kit_down(&k);
}

/* A consumer that holds its messages stops the sender at the credit, and only this stream. */
static void on_hold(void *ctx, rpc_call *call, const rpc_event *ev)
{
    seen *s = ctx;
    if (ev->kind == RPC_EV_MSG) {
        rpc_call_hold(call, ev->len);
        atomic_fetch_add(&s->msgs, 1);
    } else {
        atomic_fetch_add(&s->statuses, 1);
    }
}

static void test_flow_control(void **state)
{
    (void)state;
    enum { SIZE = 100000, N = 50 };
    kit k;
    kit_up(&k);
    rpc_conn *c = kit_dial(&k);
    uint8_t req[8];
    seen s = {0};
    rpc_call *call = NULL;
    gp_put_le32(req, N);
    gp_put_le32(req + 4, SIZE);
    assert_int_equal(rpc_call_start(c, "count", req, 8, GP_NEVER, on_hold, &s, &call, NULL), GP_OK);
    int fit = RPC_STREAM_CREDIT / (SIZE + 64);
    assert_true(kit_wait(&s.msgs, fit));
    rpc_code code = RPC_UNKNOWN; /* other streams go on */
    assert_int_equal(drain(c, 100, 50000, &code), 100);
    assert_int_equal(s.msgs, fit);
    for (int i = 0; i < N; i++) {
        assert_true(kit_wait(&s.msgs, i + 1));
        rpc_call_release(call, SIZE);
    }
    assert_true(kit_wait(&s.statuses, 1));
    assert_int_equal(s.msgs, N);
    rpc_call_free(call);
    rpc_conn_close(c);
    kit_down(&k);
}

/* Streams of one connection that all have much to send share it: when the first is through, no
 * other is far behind. They begin together, at the end of their credit. */
enum { FAIR_STREAMS = 4, FAIR_MSGS = 200, FAIR_SIZE = 100000 };

typedef struct race {
    atomic_int msgs[FAIR_STREAMS], go, statuses, least;
} race;

typedef struct racer {
    race *all;
    int i;
} racer;

static void on_race(void *ctx, rpc_call *call, const rpc_event *ev)
{
    racer *me = ctx;
    if (ev->kind == RPC_EV_MSG) {
        if (!me->all->go)
            rpc_call_hold(call, ev->len);
        atomic_fetch_add(&me->all->msgs[me->i], 1);
        return;
    }
    for (int i = 0; i < FAIR_STREAMS && me->all->statuses == 0; i++)
        if (me->all->msgs[i] < me->all->least)
            me->all->least = me->all->msgs[i];
    atomic_fetch_add(&me->all->statuses, 1);
}

static void test_fair_between_streams(void **state)
{
    (void)state;
    int fit = RPC_STREAM_CREDIT / (FAIR_SIZE + 64);
    race all = {.least = FAIR_MSGS};
    racer racers[FAIR_STREAMS];
    rpc_call *calls[FAIR_STREAMS];
    uint8_t req[8];
    kit k;
    kit_up(&k);
    rpc_conn *c = kit_dial(&k);
    gp_put_le32(req, FAIR_MSGS);
    gp_put_le32(req + 4, FAIR_SIZE);
    for (int i = 0; i < FAIR_STREAMS; i++) {
        racers[i] = (racer){&all, i};
        assert_int_equal(
            rpc_call_start(c, "count", req, 8, GP_NEVER, on_race, &racers[i], &calls[i], NULL),
            GP_OK);
    }
    for (int i = 0; i < FAIR_STREAMS; i++)
        assert_true(kit_wait(&all.msgs[i], fit));
    all.go = 1;
    for (int i = 0; i < FAIR_STREAMS; i++)
        rpc_call_release(calls[i], (size_t)fit * FAIR_SIZE);
    assert_true(kit_wait(&all.statuses, FAIR_STREAMS));
    assert_true(all.least >= FAIR_MSGS / 4);
    for (int i = 0; i < FAIR_STREAMS; i++) {
        assert_int_equal(all.msgs[i], FAIR_MSGS);
        rpc_call_free(calls[i]);
    }
    rpc_conn_close(c);
    kit_down(&k);
}

static void test_ipc(void **state)
{
    (void)state;
    char addr[128];
    gp_buf reply = {0};
    gp_err err = {0};
    kit k;
    kit_keys(&k);
    snprintf(addr, sizeof addr, "ipc:///tmp/rpc-test-%d.sock", (int)getpid());
    kit_server(&k, addr, NULL);
    rpc_opts none = {0}; /* no key at all: the uid decides */
    kit_client(&k, &none);
    rpc_conn *c = kit_dial(&k);
    if (rpc_call_unary(c, "write", "x", 1, gp_deadline_in_ms(5000), &reply, &err))
        fail_msg("%s", err.msg);
    gp_buf_clear(&reply);
    assert_int_equal(rpc_call_unary(c, "who", NULL, 0, gp_deadline_in_ms(5000), &reply, &err),
                     GP_OK);
    char want[32];
    snprintf(want, sizeof want, "uid-%d", (int)getuid());
    assert_string_equal(gp_buf_str(&reply), want);
    gp_buf_free(&reply);
    rpc_conn_close(c);
    kit_down(&k);
}

/* What on_refused heard. */
struct heard {
    pthread_mutex_t lock;
    atomic_int n;
    char method[32], why[400];
};

static void hear(void *ctx, const char *addr, const char *method, const char *why)
{
    struct heard *h = ctx;
    pthread_mutex_lock(&h->lock);
    snprintf(h->method, sizeof h->method, "%s", method ? method : "-");
    snprintf(h->why, sizeof h->why, "%s: %s", addr, why);
    pthread_mutex_unlock(&h->lock);
    atomic_fetch_add(&h->n, 1);
}

/* Whose trust is missing is told to both ends; a stranger learns of no file and no key but his. */
static void test_who_is_missing(void **state)
{
    (void)state;
    kit k;
    struct heard h = {.lock = PTHREAD_MUTEX_INITIALIZER};
    gp_err err = {0};
    gp_buf reply = {0};
    rpc_runtime *rt = NULL;
    rpc_conn *c = NULL;
    char hex[2 * AUTH_SIGN_PK + 1];
    kit_keys(&k);
    kit_server(&k, "tcp://127.0.0.1:0", &(rpc_opts){.on_refused = hear, .refused_ctx = &h});
    kit_client(&k, NULL);
    rpc_dial_opts d = {.addr = k.addr, .deadline = gp_deadline_in_ms(10000)};

    assert_int_equal(
        rpc_runtime_new(&(rpc_opts){.identity = k.stranger, .trust = k.client_trust}, &rt, NULL),
        GP_OK);
    assert_int_equal(rpc_dial(rt, &d, &c, &err), GP_EDENIED);
    gp_hex(auth_identity_sign_pk(k.stranger), AUTH_SIGN_PK, hex);
    assert_non_null(strstr(err.msg, "refused: your key "));
    assert_non_null(strstr(err.msg, hex));
    assert_non_null(strstr(err.msg, "not trusted by this server"));
    assert_null(strchr(strstr(err.msg, "refused"), '/'));
    assert_true(kit_wait(&h.n, 1));
    assert_string_equal(h.method, "-");
    assert_non_null(strstr(h.why, hex));
    rpc_runtime_free(rt, 0);

    c = kit_dial(&k);
    assert_int_equal(rpc_call_unary(c, "write", "x", 1, d.deadline, &reply, &err), GP_EDENIED);
    assert_non_null(strstr(err.msg, "'alice' has no role \"config.write\" here (for write)"));
    assert_true(kit_wait(&h.n, 2));
    assert_string_equal(h.method, "write");
    assert_int_equal(strncmp(h.why, "alice: the key of 'alice'", 25), 0);
    assert_int_equal(rpc_call_unary(c, "agents", "x", 1, d.deadline, &reply, &err), GP_EDENIED);
    assert_non_null(strstr(err.msg, "'alice' is a key of kind user; agents takes agent"));
    assert_true(kit_wait(&h.n, 3));
    rpc_conn_close(c);

    c = NULL; /* we trust nobody: the other end only sees us go */
    assert_int_equal(auth_trust_parse(k.client_trust, "", 0, NULL), GP_OK);
    assert_int_equal(rpc_dial(k.client, &d, &c, &err), GP_EDENIED);
    gp_hex(auth_identity_sign_pk(k.agent), AUTH_SIGN_PK, hex);
    assert_non_null(strstr(err.msg, "the server's key "));
    assert_non_null(strstr(err.msg, hex));
    assert_non_null(strstr(err.msg, "is not in trusted_keys (gpkey trust)"));
    gp_buf_free(&reply);
    kit_down(&k);
}

static void test_dial_errors(void **state)
{
    (void)state;
    kit k;
    kit_up(&k);
    rpc_runtime *stranger = NULL;
    rpc_opts so = {.identity = k.stranger, .trust = k.client_trust};
    assert_int_equal(rpc_runtime_new(&so, &stranger, NULL), GP_OK);
    const struct {
        const char *what, *addr, *name;
        rpc_runtime *rt;
        auth_kind kind;
        gp_status want;
    } cases[] = {
        {"good", k.addr, "fw-1", k.client, AUTH_KIND_AGENT, GP_OK},
        {"other name", k.addr, "fw-2", k.client, AUTH_KIND_NONE, GP_EDENIED},
        {"other kind", k.addr, NULL, k.client, AUTH_KIND_AGGREGATOR, GP_EDENIED},
        {"our key unknown there", k.addr, NULL, stranger, AUTH_KIND_NONE, GP_EDENIED},
        {"nobody listens", "tcp://127.0.0.1:1", NULL, k.client, AUTH_KIND_NONE, GP_EUNAVAILABLE},
        {"no such host", "tcp://no-such-host.invalid:5", NULL, k.client, AUTH_KIND_NONE,
         GP_ENOTFOUND},
        {"bad address", "http://x", NULL, k.client, AUTH_KIND_NONE, GP_EINVAL},
        {"no port", "tcp://127.0.0.1", NULL, k.client, AUTH_KIND_NONE, GP_EINVAL},
        {"no socket", "ipc:///tmp/no-such-socket", NULL, k.client, AUTH_KIND_NONE, GP_EUNAVAILABLE},
    };
    for (size_t i = 0; i < GP_COUNT(cases); i++) {
        gp_err err = {0};
        rpc_conn *c = NULL;
        rpc_dial_opts o = {.addr = cases[i].addr,
                           .deadline = gp_deadline_in_ms(5000),
                           .want_kind = cases[i].kind,
                           .want_name = cases[i].name};
        gp_status st = rpc_dial(cases[i].rt, &o, &c, &err);
        if (st != cases[i].want && !(cases[i].want == GP_ENOTFOUND && st == GP_EUNAVAILABLE))
            fail_msg("%s: %s, want %s (%s)", cases[i].what, gp_status_name(st),
                     gp_status_name(cases[i].want), err.msg);
        assert_true((st == GP_OK) == (c != NULL));
        rpc_conn_close(c);
    }
    rpc_runtime_free(stranger, 0);
    kit_down(&k);
}

/* Stopping a server: the running call ends well, new ones are refused, the client sees it. */
static void *free_server(void *kp)
{
    kit *k = kp;
    rpc_runtime_free(k->server, 5000);
    k->server = NULL;
    return NULL;
}

static void test_drain(void **state)
{
    (void)state;
    kit k;
    kit_up(&k);
    rpc_conn *c = kit_dial(&k);
    seen s = {0};
    rpc_call *call = start(c, "block", 0, 0, 400, &s);
    assert_true(kit_wait(&k.running, 1));
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, free_server, &k), 0);
    for (int i = 0; i < 2000 && rpc_conn_alive(c); i++)
        usleep(1000);
    assert_false(rpc_conn_alive(c));
    assert_int_equal(s.statuses, 0); /* the call still runs */
    rpc_call *no = NULL;
    gp_err err = {0};
    assert_int_equal(rpc_call_start(c, "echo", "x", 1, GP_NEVER, NULL, NULL, &no, &err),
                     GP_EUNAVAILABLE);
    assert_true(kit_wait(&s.statuses, 1));
    assert_int_equal(s.code, RPC_DEADLINE_EXCEEDED);
    pthread_join(t, NULL);
    rpc_call_free(call);
    rpc_conn_close(c);
    kit_down(&k);
}

/* A client that never ends its handshake is not waited for. */
static void test_drain_half_open(void **state)
{
    (void)state;
    kit k;
    rpc_counters now = {0};
    kit_keys(&k);
    kit_server(&k, "tcp://127.0.0.1:0", &(rpc_opts){.handshake_ms = 60000});
    int fd = rogue_connect(k.addr);
    for (int i = 0; i < 5000 && now.accepted == 0; i++) {
        usleep(1000);
        rpc_runtime_counters(k.server, &now);
    }
    assert_int_equal(now.accepted, 1);
    int64_t start_ms = gp_mono_ms();
    rpc_runtime_free(k.server, 60000);
    k.server = NULL;
    assert_in_range(gp_mono_ms() - start_ms, 0, 30000);
    close(fd);
    kit_down(&k);
}

static void count_outcome(void *ctx, rpc_conn *conn, const gp_err *err)
{
    atomic_fetch_add((atomic_uint *)ctx, 1);
    assert_true(conn || err->code != GP_OK);
    rpc_conn_close(conn);
}

/* The runtime stops at any moment of a dial: before its first step, while a name is looked up,
 * while the connection is made, in the handshake. Each has one outcome. */
static void test_stop_while_dialling(void **state)
{
    (void)state;
    static const char *const addrs[] = {"tcp://127.0.0.1:1", NULL, "tcp://localhost:1"};
    kit k;
    kit_up(&k);
    for (int i = 0; i < 200; i++) {
        atomic_uint outcomes = 0;
        rpc_runtime_free(k.client, 0);
        kit_client(&k, NULL);
        for (size_t a = 0; a < GP_COUNT(addrs); a++) {
            rpc_dial_opts d = {.addr = addrs[a] ? addrs[a] : k.addr,
                               .deadline = gp_deadline_in_ms(5000)};
            assert_int_equal(rpc_dial_async(k.client, &d, count_outcome, &outcomes, NULL), GP_OK);
        }
        usleep((useconds_t)(i % 20) * 50);
        rpc_runtime_free(k.client, 0);
        k.client = NULL;
        assert_int_equal(atomic_load(&outcomes), GP_COUNT(addrs));
    }
    kit_client(&k, NULL);
    kit_down(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unary),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_parallel_streams),
        cmocka_unit_test(test_callbacks),
        cmocka_unit_test(test_deadline_and_cancel),
        cmocka_unit_test(test_flow_control),
        cmocka_unit_test(test_fair_between_streams),
        cmocka_unit_test(test_ipc),
        cmocka_unit_test(test_who_is_missing),
        cmocka_unit_test(test_dial_errors),
        cmocka_unit_test(test_stop_while_dialling),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_half_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
