/* upkeep_test.c - trust that ends, ends connections; certificates renew themselves over them. */
#include "kit.h"

#include "auth/cert.h"
#include "auth/renew.h"
#include "gp/clock.h"
#include "gp/io.h"
#include "gp/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OK(expr)                                                                                   \
    do {                                                                                           \
        gp_err err = {0};                                                                          \
        (void)err;                                                                                 \
        if ((expr) != GP_OK)                                                                       \
            fail_msg("%s: %s", #expr, err.msg);                                                    \
    } while (0)

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

/* Within 20 s (normally 1 s). */
static int is_over(const rpc_conn *c)
{
    for (int i = 0; i < 2000 && rpc_conn_alive(c); i++)
        nap();
    return !rpc_conn_alive(c);
}

static void trust_user(kit *k, const char *options)
{
    gp_buf text = {0};
    if (options)
        auth_trust_entry(k->user, options, &text);
    OK(auth_trust_parse(k->server_trust, gp_buf_str(&text), text.len, &err));
    gp_buf_free(&text);
}

/* Removed from trusted_keys: the open connection and its call end. */
static void test_removed(void **state)
{
    (void)state;
    kit k;
    rpc_call *call = NULL;
    rpc_event ev = {0};
    rpc_counters n;
    kit_up(&k);
    rpc_conn *c = kit_dial(&k);
    OK(rpc_call_start(c, "block", NULL, 0, GP_NEVER, NULL, NULL, &call, &err));
    assert_true(kit_wait(&k.running, 1));
    trust_user(&k, NULL);
    OK(rpc_call_recv(call, 20000, &ev, &err));
    assert_int_equal(ev.code, RPC_UNAVAILABLE);
    assert_true(is_over(c));
    assert_true(kit_wait(&k.cancelled, 1));
    rpc_runtime_counters(k.server, &n);
    assert_int_equal(n.distrusted, 1);
    size_t nm, found = 0;
    const rpc_metric *m = rpc_runtime_metrics(k.server, &nm);
    for (size_t i = 0; i < nm; i++)
        found += strcmp(m[i].labels, "stage=\"open\",status=\"PERMISSION_DENIED\"") == 0 &&
                 m[i].get((void *)(uintptr_t)&m[i]) == 1;
    assert_int_equal(found, 1);
    rpc_call_free(call);
    rpc_conn_close(c);
    kit_down(&k);
}

/* Reloaded with the same rights: nothing happens. With others: the connection winds down. */
static void test_rights_change(void **state)
{
    (void)state;
    kit k;
    gp_buf reply = {0};
    kit_up(&k);
    rpc_conn *c = kit_dial(&k);
    trust_user(&k, "roles=query,status");
    for (int i = 0; i < 150; i++)
        nap();
    assert_true(rpc_conn_alive(c));
    OK(rpc_call_unary(c, "who", NULL, 0, gp_deadline_in_ms(5000), &reply, &err));
    trust_user(&k, "roles=status");
    assert_true(is_over(c));
    gp_buf_free(&reply);
    rpc_conn_close(c);
    kit_down(&k);
}

/* ---- certificates ---- */

typedef struct fleet_kit {
    char dir[64], issuer_path[96], agent_path[96];
    auth_identity *fleet, *issuer_id, *agg, *agent;
    auth_issuer *issuer;
    auth_trust *agg_trust, *agent_trust;
    rpc_runtime *agg_rt, *agent_rt;
    char addr[256];
    rpc_conn *conn;
} fleet_kit;

static void certify(const char *path, auth_cert c, auth_identity *holder, const auth_identity *by)
{
    auth_chain ch = {.n = 1};
    gp_buf b = {0}, text = {0};
    memcpy(c.sign_pk, auth_identity_sign_pk(holder), AUTH_SIGN_PK);
    snprintf(c.name, sizeof c.name, "%s", auth_identity_name(holder));
    snprintf(c.host_globs, sizeof c.host_globs, "*");
    snprintf(c.iface_globs, sizeof c.iface_globs, "*");
    OK(auth_cert_sign(&c, by, &b, &err));
    memcpy(ch.der[0], b.data, b.len);
    ch.len[0] = b.len;
    auth_chain_text(&ch, &text);
    if (path)
        OK(gp_write_file_atomic(AT_FDCWD, path, text.data, text.len, 0644, &err));
    else
        OK(auth_identity_set_chain(holder, &ch, &err));
    gp_buf_free(&b);
    gp_buf_free(&text);
}

/* A fleet with an aggregator that has an issuing key, and an agent whose certificate of `life_s` is
 * already two thirds over. */
static void fleet_up(fleet_kit *f, uint32_t issuer_kinds, int64_t begin_s, int64_t end_s)
{
    int64_t now = gp_wall_s();
    gp_buf entry = {0};
    char crt[128];
    *f = (fleet_kit){0};
    snprintf(f->dir, sizeof f->dir, "/tmp/upkeep_test.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->issuer_path, sizeof f->issuer_path, "%s/issuer.key", f->dir);
    snprintf(f->agent_path, sizeof f->agent_path, "%s/agent.key", f->dir);
    OK(auth_identity_new(AUTH_KIND_FLEET, "acme", &f->fleet, &err));
    OK(auth_identity_new(AUTH_KIND_ISSUER, "renewer", &f->issuer_id, &err));
    OK(auth_identity_new(AUTH_KIND_AGGREGATOR, "agg", &f->agg, &err));
    auth_identity *fresh = NULL;
    OK(auth_identity_new(AUTH_KIND_AGENT, "fw-1", &fresh, &err));
    OK(auth_identity_save(f->issuer_id, f->issuer_path, &err));
    OK(auth_identity_save(fresh, f->agent_path, &err));
    snprintf(crt, sizeof crt, "%s/issuer.crt", f->dir);
    auth_cert c = {.kind = AUTH_KIND_ISSUER,
                   .not_before_s = now - 100,
                   .not_after_s = now + 100000,
                   .kinds = issuer_kinds};
    certify(crt, c, f->issuer_id, f->fleet);
    c = (auth_cert){
        .kind = AUTH_KIND_AGENT, .not_before_s = now + begin_s, .not_after_s = now + end_s};
    snprintf(crt, sizeof crt, "%s/agent.crt", f->dir);
    certify(crt, c, fresh, f->fleet);
    auth_identity_free(fresh);
    OK(auth_identity_load(f->agent_path, &f->agent, &err));
    c = (auth_cert){.kind = AUTH_KIND_AGGREGATOR,
                    .roles = AUTH_ROLE_RELAY,
                    .not_before_s = now - 10,
                    .not_after_s = now + 100000};
    certify(NULL, c, f->agg, f->fleet);
    OK(auth_issuer_load(f->issuer_path, &f->issuer, &err));
    auth_trust_entry(f->fleet, NULL, &entry);
    OK(auth_trust_new(&f->agg_trust, &err));
    OK(auth_trust_new(&f->agent_trust, &err));
    OK(auth_trust_parse(f->agg_trust, gp_buf_str(&entry), entry.len, &err));
    OK(auth_trust_parse(f->agent_trust, gp_buf_str(&entry), entry.len, &err));
    gp_buf_free(&entry);
    const rpc_opts agent = {.identity = f->agent, .trust = f->agent_trust};
    const rpc_opts agg = {.identity = f->agg, .trust = f->agg_trust, .issuer = f->issuer};
    OK(rpc_runtime_new(&agent, &f->agent_rt, &err));
    OK(rpc_runtime_new(&agg, &f->agg_rt, &err));
    OK(rpc_listen(f->agent_rt, "tcp://127.0.0.1:0", KIT_METHODS, KIT_N_METHODS, NULL, f->addr,
                  sizeof f->addr, &err));
    const rpc_dial_opts d = {.addr = f->addr, .deadline = gp_deadline_in_ms(5000)};
    OK(rpc_dial(f->agg_rt, &d, &f->conn, &err)); /* the aggregator dials, as it does */
}

static void fleet_down(fleet_kit *f)
{
    static const char *const names[] = {"issuer.key", "issuer.crt", "agent.key", "agent.crt"};
    rpc_conn_close(f->conn);
    rpc_runtime_free(f->agg_rt, 0);
    rpc_runtime_free(f->agent_rt, 0);
    auth_issuer_free(f->issuer);
    auth_trust_free(f->agg_trust);
    auth_trust_free(f->agent_trust);
    auth_identity_free(f->fleet);
    auth_identity_free(f->issuer_id);
    auth_identity_free(f->agg);
    auth_identity_free(f->agent);
    for (size_t i = 0; i < GP_COUNT(names); i++) {
        char p[128];
        snprintf(p, sizeof p, "%s/%s", f->dir, names[i]);
        unlink(p);
    }
    assert_int_equal(rmdir(f->dir), 0);
}

static int64_t end_of(const auth_chain *ch)
{
    auth_cert c;
    OK(auth_cert_parse(ch->der[0], ch->len[0], &c, &err));
    return c.not_after_s;
}

static uint64_t renewals(rpc_runtime *rt, uint64_t *failed)
{
    rpc_counters n;
    rpc_runtime_counters(rt, &n);
    *failed = n.renew_failed;
    return n.renewed;
}

/* The agent renews by itself, in memory and in its file, while the connection goes on. */
static void test_renewal(void **state)
{
    (void)state;
    fleet_kit f;
    auth_chain ch;
    uint64_t failed;
    char crt[128];
    fleet_up(&f, 1u << AUTH_KIND_AGENT, -900, 100);
    for (int i = 0; i < 2000 && renewals(f.agent_rt, &failed) == 0; i++)
        nap();
    assert_int_equal(renewals(f.agent_rt, &failed), 1);
    assert_int_equal(renewals(f.agg_rt, &failed), 1);
    auth_identity_chain(f.agent, &ch);
    assert_int_equal(ch.n, 2); /* signed by the issuing key */
    assert_true(end_of(&ch) > gp_wall_s() + 600);
    auth_chain file;
    snprintf(crt, sizeof crt, "%s/agent.crt", f.dir);
    OK(auth_chain_load(crt, &file, &err));
    assert_memory_equal(file.der[0], ch.der[0], ch.len[0]);
    assert_true(rpc_conn_alive(f.conn));
    fleet_down(&f);
}

/* An issuing key that may not sign agents: the agent keeps what it has, and is cut off at its end.
 */
static void test_refused_then_expired(void **state)
{
    (void)state;
    fleet_kit f;
    auth_chain ch;
    uint64_t failed = 0;
    fleet_up(&f, 1u << AUTH_KIND_GATEWAY, -900, 3);
    auth_identity_chain(f.agent, &ch);
    int64_t end = end_of(&ch);
    for (int i = 0; i < 2000 && failed == 0; i++, nap())
        (void)renewals(f.agg_rt, &failed);
    assert_true(failed > 0);
    auth_identity_chain(f.agent, &ch);
    assert_int_equal(end_of(&ch), end);
    while (gp_wall_s() <= end)
        nap();
    /* Whoever looks next (30 s at most; a reload is a look, too) ends the connection. */
    gp_buf entry = {0};
    auth_trust_entry(f.fleet, NULL, &entry);
    OK(auth_trust_parse(f.agg_trust, gp_buf_str(&entry), entry.len, &err));
    gp_buf_free(&entry);
    assert_true(is_over(f.conn));
    fleet_down(&f);
}

/* Revoked over the channel or by file: the connection ends, and with it the way to renew. */
static void test_revoked(void **state)
{
    (void)state;
    fleet_kit f;
    auth_revlist l = {.number = 1, .issued_s = gp_wall_s()};
    auth_revoked r = {.type = AUTH_REVOKED_KEY};
    gp_buf bytes = {0}, out = {0}, packed = {0};
    auth_chain ch;
    gp_err why = {0};
    int taken = 0;
    fleet_up(&f, 1u << AUTH_KIND_AGENT, -10, 100000);
    memcpy(r.id, auth_identity_sign_pk(f.agent), AUTH_SIGN_PK);
    OK(auth_revlist_add(&l, &r, &err));
    OK(auth_revlist_sign(&l, f.fleet, &bytes, &err));
    OK(auth_trust_revoke(f.agg_trust, bytes.data, bytes.len, &taken, &err));
    assert_int_equal(taken, 1);
    assert_true(is_over(f.conn));
    auth_identity_chain(f.agent, &ch);
    auth_chain_pack(&ch, &packed);
    assert_int_equal(auth_issuer_renew(f.issuer, f.agg_trust, auth_identity_sign_pk(f.agent),
                                       packed.data, packed.len, gp_wall_s() + 90000, &out, &why),
                     GP_EDENIED);
    assert_non_null(strstr(why.msg, "revoked"));
    gp_buf_free(&bytes);
    gp_buf_free(&packed);
    auth_revlist_free(&l);
    fleet_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_removed), cmocka_unit_test(test_rights_change),
        cmocka_unit_test(test_renewal), cmocka_unit_test(test_refused_then_expired),
        cmocka_unit_test(test_revoked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
