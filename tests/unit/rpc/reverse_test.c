/* reverse_test.c - the listener calls the dialer, and many identities listen in one runtime. */
#include "kit.h"

#include "gp/clock.h"
#include "gp/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct server {
    auth_identity *id, *second;
    auth_trust *trust;
    rpc_runtime *rt;
    char addr[256], addr2[256];
    pthread_mutex_t lock;
    pthread_cond_t cond;
    rpc_conn *back; /* connection of whoever called "attach" */
};

static rpc_code attach(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text)
{
    struct server *k = ctx;
    (void)req, (void)len, (void)text;
    pthread_mutex_lock(&k->lock);
    k->back = rpc_stream_conn(s);
    pthread_cond_signal(&k->cond);
    pthread_mutex_unlock(&k->lock);
    return RPC_OK;
}

static const rpc_method methods[] = {{"attach", attach, 64, 0, 0, NULL}};

static auth_identity *make(auth_kind kind, const char *name, gp_buf *trusted)
{
    auth_identity *id = NULL;
    gp_err err = {0};
    if (auth_identity_new(kind, name, &id, &err))
        fail_msg("%s", err.msg);
    auth_trust_entry(id, NULL, trusted);
    gp_buf_addc(trusted, '\n');
    return id;
}

static void start(struct server *k, kit *client, gp_buf *trusted)
{
    gp_err err = {0};
    *k = (struct server){.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    k->id = make(AUTH_KIND_AGGREGATOR, "agg", trusted);
    k->second = make(AUTH_KIND_AGENT, "other", trusted);
    client->agent = make(AUTH_KIND_AGENT, "fw-1", trusted);
    if (auth_trust_new(&k->trust, &err) ||
        auth_trust_parse(k->trust, gp_buf_str(trusted), trusted->len, &err))
        fail_msg("%s", err.msg);
    rpc_opts o = {.identity = k->id, .trust = k->trust};
    rpc_service s1 = {.methods = methods, .n_methods = 1, .ctx = k};
    rpc_service s2 = {.methods = methods, .n_methods = 1, .ctx = k, .identity = k->second};
    if (rpc_runtime_new(&o, &k->rt, &err) ||
        rpc_listen_service(k->rt, "tcp://127.0.0.1:0", &s1, k->addr, sizeof k->addr, &err) ||
        rpc_listen_service(k->rt, "tcp://127.0.0.1:0", &s2, k->addr2, sizeof k->addr2, &err))
        fail_msg("%s", err.msg);
    o.identity = client->agent;
    if (rpc_runtime_new(&o, &client->client, &err))
        fail_msg("%s", err.msg);
}

static void stop(struct server *k, kit *client)
{
    rpc_runtime_free(client->client, 0);
    rpc_runtime_free(k->rt, 0);
    auth_identity_free(client->agent);
    auth_identity_free(k->id);
    auth_identity_free(k->second);
    auth_trust_free(k->trust);
}

static void test_call_back(void **state)
{
    (void)state;
    struct server k;
    kit client = {0};
    gp_buf trusted = {0}, reply = {0};
    gp_err err = {0};
    rpc_conn *c = NULL;
    start(&k, &client, &trusted);
    rpc_service offers = {.methods = KIT_METHODS, .n_methods = KIT_N_METHODS, .ctx = &client};
    rpc_dial_opts d = {.addr = k.addr, .deadline = gp_deadline_in_ms(5000), .service = &offers};
    rpc_call *call = NULL;
    rpc_event ev = {0};
    if (rpc_dial(client.client, &d, &c, &err) ||
        rpc_call_start(c, "attach", NULL, 0, gp_deadline_in_ms(5000), NULL, NULL, &call, &err) ||
        rpc_call_recv(call, 5000, &ev, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(ev.code, RPC_OK);
    rpc_call_free(call);
    pthread_mutex_lock(&k.lock);
    while (!k.back)
        pthread_cond_wait(&k.cond, &k.lock);
    pthread_mutex_unlock(&k.lock);
    assert_string_equal(rpc_conn_peer(k.back)->name, "fw-1");
    static const struct {
        const char *method;
        gp_status want;
    } cases[] = {
        {"who", GP_OK}, {"fail", GP_ENOTFOUND}, {"echo", GP_EDENIED}, {"none", GP_EUNSUPPORTED}};
    for (size_t i = 0; i < GP_COUNT(cases); i++) {
        gp_buf_clear(&reply);
        gp_status st =
            rpc_call_unary(k.back, cases[i].method, NULL, 0, gp_deadline_in_ms(5000), &reply, &err);
        if (st != cases[i].want)
            fail_msg("%s: %s (%s)", cases[i].method, gp_status_name(st), err.msg);
    }
    gp_buf_clear(&reply);
    assert_int_equal(rpc_call_unary(k.back, "who", NULL, 0, gp_deadline_in_ms(5000), &reply, &err),
                     0);
    assert_string_equal(gp_buf_str(&reply), "agg"); /* the agent sees who calls */
    rpc_conn_close(k.back);
    rpc_conn_close(c);
    gp_buf_free(&reply);
    gp_buf_free(&trusted);
    stop(&k, &client);
}

static void test_identity_of_listener(void **state)
{
    (void)state;
    struct server k;
    kit client = {0};
    gp_buf trusted = {0};
    gp_err err = {0};
    start(&k, &client, &trusted);
    const char *addr[] = {k.addr, k.addr2}, *name[] = {"agg", "other"};
    for (int i = 0; i < 2; i++) {
        rpc_conn *c = NULL;
        rpc_dial_opts d = {
            .addr = addr[i], .deadline = gp_deadline_in_ms(5000), .want_name = name[i]};
        if (rpc_dial(client.client, &d, &c, &err))
            fail_msg("%s: %s", name[i], err.msg);
        rpc_conn_close(c);
        d.want_name = name[1 - i];
        assert_int_equal(rpc_dial(client.client, &d, &c, &err), GP_EDENIED);
    }
    gp_buf_free(&trusted);
    stop(&k, &client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_call_back),
        cmocka_unit_test(test_identity_of_listener),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
