/* certs_test.c - who shows up with which certificate: a listener's answer to each bad one. */
#include "rogue.h"

#include "auth/cert.h"
#include "auth/hello.h"
#include "gp/clock.h"
#include "gp/mem.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static auth_identity *fleet, *other_fleet, *issuer, *agent, *user;
static auth_trust *trust;
static rpc_runtime *server;
static char addr[256];

static auth_identity *key(auth_kind kind, const char *name)
{
    auth_identity *id = NULL;
    gp_err err = {0};
    if (auth_identity_new(kind, name, &id, &err))
        fail_msg("%s", err.msg);
    return id;
}

static int begin(void **state)
{
    (void)state;
    gp_err err = {0};
    gp_buf text = {0};
    fleet = key(AUTH_KIND_FLEET, "acme");
    other_fleet = key(AUTH_KIND_FLEET, "evil");
    issuer = key(AUTH_KIND_ISSUER, "eu");
    agent = key(AUTH_KIND_AGENT, "fw-1");
    user = key(AUTH_KIND_USER, "alice");
    auth_trust_entry(fleet, NULL, &text);
    auth_trust_entry(agent, NULL, &text);
    if (auth_trust_new(&trust, &err) || auth_trust_parse(trust, gp_buf_str(&text), text.len, &err))
        fail_msg("%s", err.msg);
    const rpc_opts o = {.identity = agent, .trust = trust};
    if (rpc_runtime_new(&o, &server, &err) ||
        rpc_listen(server, "tcp://127.0.0.1:0", KIT_METHODS, KIT_N_METHODS, NULL, addr, sizeof addr,
                   &err))
        fail_msg("%s", err.msg);
    gp_buf_free(&text);
    return 0;
}

static int end(void **state)
{
    (void)state;
    rpc_runtime_free(server, 0);
    auth_trust_free(trust);
    auth_identity_free(fleet);
    auth_identity_free(other_fleet);
    auth_identity_free(issuer);
    auth_identity_free(agent);
    auth_identity_free(user);
    return 0;
}

static auth_cert cert_of(auth_kind kind, const auth_identity *holder)
{
    int64_t now = gp_wall_s();
    auth_cert c = {.kind = kind,
                   .roles = AUTH_ROLE_QUERY,
                   .not_before_s = now - 100,
                   .not_after_s = now + 1000,
                   .host_globs = "*",
                   .iface_globs = "*"};
    snprintf(c.name, sizeof c.name, "%s", auth_identity_name(holder));
    memcpy(c.sign_pk, auth_identity_sign_pk(holder), AUTH_SIGN_PK);
    if (kind == AUTH_KIND_ISSUER) {
        c.kinds = 1u << AUTH_KIND_AGENT;
        snprintf(c.host_globs, sizeof c.host_globs, "eu-*");
    }
    return c;
}

static void add(auth_chain *ch, auth_cert *c, const auth_identity *by)
{
    gp_buf b = {0};
    gp_err err = {0};
    if (auth_cert_sign(c, by, &b, &err))
        fail_msg("%s", err.msg);
    memcpy(ch->der[ch->n], b.data, b.len);
    ch->len[ch->n++] = b.len;
    gp_buf_free(&b);
}

enum bad {
    GOOD,
    EXPIRED,
    NOT_YET,
    OTHER_FLEET,
    CHANGED,
    WRONG_KIND, /* an issuer that may sign agents only signed a user */
    TOO_WIDE,   /* beyond the issuer's hosts */
    NO_ISSUER,  /* its issuer's certificate is missing */
    REVOKED_SERIAL,
    REVOKED_ISSUER,
    N_BAD
};

static void revoke(auth_revoked_type type, const uint8_t *id, size_t len)
{
    static uint64_t number;
    static auth_revlist l; /* grows, as a fleet's list does */
    auth_revoked r = {.type = (uint8_t)type};
    gp_buf b = {0};
    gp_err err = {0};
    int taken;
    memcpy(r.id, id, len);
    l.number = ++number;
    if (auth_revlist_add(&l, &r, &err) || auth_revlist_sign(&l, fleet, &b, &err) ||
        auth_trust_revoke(trust, b.data, b.len, &taken, &err))
        fail_msg("%s", err.msg);
    gp_buf_free(&b);
    if (number == 2)
        auth_revlist_free(&l);
}

/* The chain that makes the mistake. */
static void make(enum bad bad, auth_chain *ch)
{
    auth_cert c = cert_of(AUTH_KIND_USER, user), i = cert_of(AUTH_KIND_ISSUER, issuer);
    const auth_identity *by = fleet;
    int64_t now = gp_wall_s();
    *ch = (auth_chain){0};
    if (bad == EXPIRED)
        c.not_after_s = now - 1;
    if (bad == NOT_YET)
        c.not_before_s = now + 500;
    if (bad == OTHER_FLEET)
        by = other_fleet;
    if (bad == TOO_WIDE)
        i.kinds |= 1u << AUTH_KIND_USER;
    if (bad == REVOKED_ISSUER) {
        i.kinds |= 1u << AUTH_KIND_USER;
        i.roles = AUTH_ROLE_QUERY;
        snprintf(i.host_globs, sizeof i.host_globs, "*");
    }
    if (bad == TOO_WIDE)
        i.roles = AUTH_ROLE_QUERY;
    int issued = bad == WRONG_KIND || bad == TOO_WIDE || bad == NO_ISSUER || bad == REVOKED_ISSUER;
    if (issued) {
        memcpy(c.fleet, auth_identity_sign_pk(fleet), AUTH_SIGN_PK);
        by = issuer;
    }
    memset(c.serial, (int)bad + 1, sizeof c.serial);
    add(ch, &c, by);
    if (issued && bad != NO_ISSUER)
        add(ch, &i, fleet);
    if (bad == CHANGED)
        ch->der[0][ch->len[0] - 1] ^= 1;
    if (bad == REVOKED_SERIAL)
        revoke(AUTH_REVOKED_SERIAL, c.serial, AUTH_SERIAL);
    if (bad == REVOKED_ISSUER)
        revoke(AUTH_REVOKED_KEY, i.sign_pk, AUTH_SIGN_PK);
}

static void test_bad_certificates(void **state)
{
    (void)state;
    static const struct {
        enum bad bad;
        const char *what;
        gp_status want;
        const char *part;
    } cases[] = {
        {GOOD, "good", GP_OK, ""},
        {EXPIRED, "expired", GP_EDENIED, "expired on"},
        {NOT_YET, "not valid yet", GP_EDENIED, "not valid before"},
        {OTHER_FLEET, "of another fleet", GP_EDENIED, "fleet that is not trusted"},
        {CHANGED, "one bit changed", GP_EDENIED, "forged"},
        {WRONG_KIND, "kind that the issuer may not sign", GP_EDENIED, "(kind)"},
        {TOO_WIDE, "beyond the issuer's hosts", GP_EDENIED, "(hosts)"},
        {NO_ISSUER, "issuer missing", GP_EDENIED, "issuer's certificate"},
        {REVOKED_SERIAL, "revoked by serial number", GP_EDENIED, "revoked"},
        {REVOKED_ISSUER, "issuer revoked", GP_EDENIED, "revoked"},
    };
    assert_int_equal(GP_COUNT(cases), N_BAD);
    for (size_t i = 0; i < GP_COUNT(cases); i++) {
        auth_identity *me = NULL;
        rpc_runtime *client = NULL;
        rpc_conn *c = NULL;
        auth_chain ch;
        gp_err err = {0};
        auth_identity_free(user);
        user = key(AUTH_KIND_USER, "alice"); /* nobody is remembered from the case before */
        me = user;
        make(cases[i].bad, &ch);
        gp_status st = auth_identity_set_chain(me, &ch, &err);
        const rpc_opts o = {.identity = me, .trust = trust};
        const rpc_dial_opts d = {.addr = addr, .deadline = gp_deadline_in_ms(10000)};
        if (st != GP_OK || rpc_runtime_new(&o, &client, &err))
            fail_msg("%s: %s", cases[i].what, err.msg);
        st = rpc_dial(client, &d, &c, &err);
        if (st != cases[i].want || (st != GP_OK && !strstr(err.msg, cases[i].part)))
            fail_msg("%s: %s \"%s\"", cases[i].what, gp_status_name(st), err.msg);
        if (c)
            rpc_conn_close(c);
        rpc_runtime_free(client, 0);
    }
}

/* ---- somebody else's certificate ---- */

enum { MAGIC_AND_HEAD = 12, FIELD = 3 }; /* of a hello, and of a field in it (docs/protocol.md 2) */

/* Connections that the listener ended in the handshake with this status. */
static double refused(const char *status)
{
    size_t n;
    char want[64];
    const rpc_metric *m = rpc_runtime_metrics(server, &n);
    snprintf(want, sizeof want, "stage=\"handshake\",status=\"%s\"", status);
    for (size_t i = 0; i < n; i++)
        if (strcmp(m[i].labels, want) == 0)
            return m[i].get((void *)(uintptr_t)&m[i]);
    fail_msg("no metric %s", want);
    return 0;
}

/* Who has alice's certificate, but not her key: it is public, so anybody may. */
static void test_certificate_of_another(void **state)
{
    (void)state;
    enum what { BESIDE_OWN_KEY, OWN_SIGNATURE, HER_SIGNATURE };
    static const struct {
        enum what how;
        const char *what, *part;
    } cases[] = {
        {BESIDE_OWN_KEY, "beside the rogue's key and signature", "is not trusted by this server"},
        {OWN_SIGNATURE, "with her key, signed by the rogue", "not bound to the key of 'alice'"},
        {HER_SIGNATURE, "with her key and signature, recorded", "not bound to the key of 'alice'"},
    };
    auth_identity *mallory = key(AUTH_KIND_USER, "mallory");
    auth_chain ch;
    gp_err err = {0};
    make(GOOD, &ch);
    if (auth_identity_set_chain(user, &ch, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(auth_identity_set_chain(mallory, &ch, NULL), GP_EINVAL); /* ours don't do it */
    for (size_t i = 0; i < GP_COUNT(cases); i++) {
        rogue r;
        rpc_head h;
        gp_buf hers = {0}, hello = {0};
        uint8_t payload[RPC_MAX_SMALL];
        char text[RPC_MAX_STATUS_TEXT + 1];
        double before = refused("PERMISSION_DENIED");
        auth_hello_encode(user, NULL, 0, &hers);
        auth_hello_encode(cases[i].how == BESIDE_OWN_KEY ? mallory : user, NULL, 0, &hello);
        if (cases[i].how == BESIDE_OWN_KEY) /* her fields from the certificate on */
            gp_buf_add(&hello, hers.data + hello.len, hers.len - hello.len);
        else if (cases[i].how == OWN_SIGNATURE)
            auth_sign(mallory, "dh-key", auth_identity_dh_pk(mallory), AUTH_DH,
                      hello.data + MAGIC_AND_HEAD + FIELD + AUTH_SIGN_PK + FIELD);
        rogue_open_hello(&r, addr, mallory, &hello);
        if (rogue_recv_frame(&r, &h, payload) != 0)
            fail_msg("%s: no answer", cases[i].what);
        rpc_text_clean(payload, h.len, text);
        if (h.type != RPC_F_STATUS || h.code != RPC_PERMISSION_DENIED ||
            !strstr(text, cases[i].part))
            fail_msg("%s: code %u \"%s\"", cases[i].what, h.code, text);
        rogue_call(&r, 1, "who", "", 0);
        if (!rogue_is_closed(&r))
            fail_msg("%s: not closed", cases[i].what);
        for (int k = 0; k < 500 && refused("PERMISSION_DENIED") == before; k++)
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        if (refused("PERMISSION_DENIED") != before + 1)
            fail_msg("%s: not counted", cases[i].what);
        rogue_close(&r);
        gp_buf_free(&hers);
        gp_buf_free(&hello);
    }
    auth_identity_free(mallory);
}

/* The dialer is as strict: the wrong kind of peer, and the wrong host. */
static void test_wrong_server(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        auth_kind kind;
        const char *name;
        gp_status want;
        const char *part;
    } cases[] = {
        {"as expected", AUTH_KIND_AGENT, "fw-1", GP_OK, ""},
        {"an agent, not an aggregator", AUTH_KIND_AGGREGATOR, NULL, GP_EDENIED, "of kind agent"},
        {"another host", AUTH_KIND_AGENT, "fw-2", GP_EDENIED, "expected 'fw-2'"},
    };
    rpc_runtime *client = NULL;
    auth_chain ch;
    gp_err err = {0};
    make(GOOD, &ch);
    if (auth_identity_set_chain(user, &ch, &err))
        fail_msg("%s", err.msg);
    const rpc_opts o = {.identity = user, .trust = trust};
    if (rpc_runtime_new(&o, &client, &err))
        fail_msg("%s", err.msg);
    for (size_t i = 0; i < GP_COUNT(cases); i++) {
        rpc_conn *c = NULL;
        const rpc_dial_opts d = {.addr = addr,
                                 .deadline = gp_deadline_in_ms(10000),
                                 .want_kind = cases[i].kind,
                                 .want_name = cases[i].name};
        gp_status st = rpc_dial(client, &d, &c, &err);
        if (st != cases[i].want || (st != GP_OK && !strstr(err.msg, cases[i].part)))
            fail_msg("%s: %s \"%s\"", cases[i].what, gp_status_name(st), err.msg);
        if (c)
            rpc_conn_close(c);
    }
    rpc_runtime_free(client, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_server),
        cmocka_unit_test(test_bad_certificates),
        cmocka_unit_test(test_certificate_of_another),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
