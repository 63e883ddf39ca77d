/* retry_test.c - which failures are tried again, how often, after which pauses; giving up. */
#include "remote/remote.h"

#include "rpc/rpc.h"
#include "test.h"
#include "wire/limits.h"

enum { MAX_PAUSES = 8 };

/* What the server does to the calls, one letter each: (o)k, (b)usy, (s)topping, (m)essage and then
 * busy, (n)o. */
struct plan {
    const char *calls;
    unsigned start_at; /* listens from this pause on; 0 = from the beginning */
    unsigned cancel_at;
    _Atomic unsigned n_calls;
    unsigned n_pauses;
    int64_t pauses[MAX_PAUSES];
    char addr[256];
    rpc_runtime *rt;
    gp_cancel cancel;
};

static rpc_code answer(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text)
{
    struct plan *p = ctx;
    unsigned i = p->n_calls++;
    gp_buf msg = {0};
    (void)req, (void)len;
    gp_buf_adds(text, "as planned");
    switch (i < strlen(p->calls) ? p->calls[i] : 'n') {
    case 'o':
        return RPC_OK;
    case 'b':
        return RPC_RESOURCE_EXHAUSTED;
    case 's':
        return RPC_UNAVAILABLE;
    case 'm':
        wire_put_header(&msg, "test", 1);
        (void)!rpc_stream_send(s, msg.data, msg.len, NULL);
        gp_buf_free(&msg);
        return RPC_RESOURCE_EXHAUSTED;
    default:
        return RPC_PERMISSION_DENIED;
    }
}

static const rpc_method methods[] = {
    {.name = "work", .handler = answer, .max_request = WIRE_MAX_REQUEST},
    {.name = "query", .handler = answer, .max_request = WIRE_MAX_REQUEST},
    {.name = "hosts", .handler = answer, .max_request = WIRE_MAX_REQUEST},
};

static void start(struct plan *p)
{
    gp_err err = {0};
    rpc_opts o = {.workers = 1};
    want_ok_err(&err, rpc_runtime_new(&o, &p->rt, &err));
    want_ok_err(&err, rpc_listen(p->rt, p->addr, methods, COUNT(methods), p, NULL, 0, &err));
}

static void on_retry(void *ctx, const char *why, int64_t pause_ms)
{
    struct plan *p = ctx;
    assert_true(*why);
    assert_true(p->n_pauses < MAX_PAUSES);
    p->pauses[p->n_pauses++] = pause_ms;
    if (p->start_at == p->n_pauses)
        start(p);
    if (p->cancel_at == p->n_pauses)
        gp_cancel_set(&p->cancel, GP_ECANCELLED);
}

static gp_status no_message(void *ctx, const uint8_t *data, size_t len, gp_err *err)
{
    (void)ctx, (void)data, (void)len, (void)err;
    return GP_OK;
}

static gp_status query(const remote_opts *o, gp_err *err)
{
    query_args a = {0};
    query_stmt *s = NULL;
    query_problems problems = {0};
    query_env env = {.now_s = gp_wall_s()};
    result r = {0};
    want_ok(query_args_init(&a));
    want_ok(query_args_set(&a.query, "sip"));
    want_ok(query_args_set(&a.ifaces, "eth0"));
    want_ok(query_prepare(&a, &env, &s, &problems, NULL));
    query_args_clear(&a);
    gp_status st = remote_query(s, o, &r, err);
    query_stmt_free(s);
    if (st == GP_OK)
        result_clear(&r);
    return st;
}

static gp_status ask(const remote_opts *o, const char *method, gp_err *err)
{
    gp_buf none = {0};
    if (strcmp(method, "query") == 0)
        return query(o, err);
    if (strcmp(method, "hosts") == 0) {
        wire_host_info *v;
        size_t n;
        void *owner;
        gp_status st = remote_hosts(o, &v, &n, &owner, err);
        wire_hosts_free(v, owner);
        return st;
    }
    return remote_call(o, method, &none, no_message, NULL, err);
}

static void test_retries(void **state)
{
    (void)state;
    static const struct {
        const char *what, *method, *calls;
        unsigned start_at, cancel_at;
        int64_t pause_ms, timeout_ms;
        unsigned pauses, n_calls;
        gp_status st;
    } cases[] = {
        {"at once", "work", "o", 0, 0, 3, 60000, 0, 1, GP_OK},
        {"busy twice", "work", "bbo", 0, 0, 3, 60000, 2, 3, GP_OK},
        {"always busy", "work", "bbbbo", 0, 0, 3, 60000, 3, 4, GP_ELIMIT},
        {"may have begun", "work", "so", 0, 0, 3, 60000, 0, 1, GP_EUNAVAILABLE},
        {"has begun", "work", "mo", 0, 0, 3, 60000, 0, 1, GP_ELIMIT},
        {"not allowed", "work", "no", 0, 0, 3, 60000, 0, 1, GP_EDENIED},
        {"once only", "work", "bo", 0, 0, 0, 60000, 0, 1, GP_ELIMIT},
        {"no time left for a pause", "work", "bo", 0, 0, 60001, 60000, 0, 1, GP_ELIMIT},
        {"comes up", "work", "o", 2, 0, 3, 60000, 2, 1, GP_OK},
        {"stays down", "work", "", 9, 0, 3, 60000, 3, 0, GP_EUNAVAILABLE},
        {"given up in a pause", "work", "", 9, 1, 600000, 0, 1, 0, GP_ECANCELLED},
        {"query: busy, then stopping", "query", "bsn", 0, 0, 3, 60000, 2, 3, GP_EDENIED},
        {"query: stops in its answer", "query", "mn", 0, 0, 3, 60000, 0, 1, GP_ELIMIT},
        {"query: comes up", "query", "n", 1, 0, 3, 60000, 1, 1, GP_EDENIED},
        {"hosts: busy", "hosts", "bn", 0, 0, 3, 60000, 1, 2, GP_EDENIED},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
        struct plan p = {.calls = cases[i].calls,
                         .start_at = cases[i].start_at,
                         .cancel_at = cases[i].cancel_at,
                         .cancel = {.deadline = GP_NEVER}};
        gp_err err = {0};
        (void)snprintf(p.addr, sizeof p.addr, "ipc://%s/sock", dir);
        if (p.start_at == 0)
            start(&p);
        remote_opts o = {.addr = p.addr,
                         .timeout_ms = cases[i].timeout_ms,
                         .pause_ms = cases[i].pause_ms,
                         .cancel = &p.cancel,
                         .on_retry = on_retry,
                         .ctx = &p};
        gp_status st = ask(&o, cases[i].method, &err);
        rpc_runtime_free(p.rt, 0);
        if (st != cases[i].st || p.n_pauses != cases[i].pauses || p.n_calls != cases[i].n_calls)
            fail_msg("%s: %s \"%s\" after %u pauses and %u calls", cases[i].what,
                     gp_status_name(st), err.msg, p.n_pauses, (unsigned)p.n_calls);
        for (unsigned k = 0; k < p.n_pauses; k++)
            if (p.pauses[k] != cases[i].pause_ms << k)
                fail_msg("%s: pause %u is %lld ms", cases[i].what, k, (long long)p.pauses[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_retries)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
