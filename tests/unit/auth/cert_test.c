/* cert_test.c - certificates: encoding, chains, what an issuing key may not do, revocation lists.
 */
#include "auth/cert.h"
#include "auth/hello.h"

#include "gp/num.h"
#include "test.h"

static auth_identity *fleet, *other_fleet, *issuer, *agent, *user;
enum { NOW = 1000000 };

static int setup(void **state)
{
    (void)state;
    want_ok(auth_identity_new(AUTH_KIND_FLEET, "acme", &fleet, NULL));
    want_ok(auth_identity_new(AUTH_KIND_FLEET, "evil", &other_fleet, NULL));
    want_ok(auth_identity_new(AUTH_KIND_ISSUER, "eu", &issuer, NULL));
    want_ok(auth_identity_new(AUTH_KIND_AGENT, "fw-eu-1", &agent, NULL));
    want_ok(auth_identity_new(AUTH_KIND_USER, "alice", &user, NULL));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    auth_identity *all[] = {fleet, other_fleet, issuer, agent, user};
    for (size_t i = 0; i < COUNT(all); i++)
        auth_identity_free(all[i]);
    return 0;
}

static auth_cert leaf_for(const auth_identity *id)
{
    auth_cert c = {.kind = auth_identity_kind(id),
                   .not_before_s = NOW - 100,
                   .not_after_s = NOW + 1000,
                   .roles = AUTH_ROLE_QUERY,
                   .host_globs = "fw-eu-*",
                   .iface_globs = "*",
                   .max_span_s = 86400};
    snprintf(c.name, sizeof c.name, "%s", auth_identity_name(id));
    memcpy(c.sign_pk, auth_identity_sign_pk(id), AUTH_SIGN_PK);
    memcpy(c.fleet, auth_identity_sign_pk(fleet), AUTH_SIGN_PK);
    memset(c.serial, 7, sizeof c.serial);
    return c;
}

static auth_cert issuing(void)
{
    auth_cert c = leaf_for(issuer);
    c.kinds = 1u << AUTH_KIND_USER | 1u << AUTH_KIND_AGENT;
    c.roles = AUTH_ROLE_QUERY | AUTH_ROLE_LIVE;
    memset(c.host_globs, 0, sizeof c.host_globs);
    memcpy(c.host_globs, "fw-*", 4);
    c.max_span_s = 7 * 86400;
    c.max_validity_s = 2000;
    memset(c.serial, 9, sizeof c.serial);
    return c;
}

static void add(auth_chain *ch, auth_cert *c, const auth_identity *by)
{
    gp_buf b = {0};
    gp_err err = {0};
    want_ok_err(&err, auth_cert_sign(c, by, &b, &err));
    assert_true(b.len <= AUTH_CERT_MAX);
    memcpy(ch->der[ch->n], b.data, b.len);
    ch->len[ch->n++] = b.len;
    gp_buf_free(&b);
}

static void test_round_trip(void **state)
{
    (void)state;
    auth_chain ch = {0}, back;
    auth_cert c = leaf_for(user), i = issuing(), got;
    gp_buf text = {0};
    add(&ch, &c, fleet);
    want_ok(auth_cert_parse(ch.der[0], ch.len[0], &got, NULL));
    assert_memory_equal(&got, &c, sizeof c);
    add(&ch, &i, fleet);
    want_ok(auth_cert_parse(ch.der[1], ch.len[1], &got, NULL));
    assert_memory_equal(&got, &i, sizeof i);
    auth_chain_text(&ch, &text);
    want_ok(auth_chain_parse_text((char *)text.data, text.len, &back, NULL));
    assert_int_equal(back.n, 2);
    assert_memory_equal(back.der[1], ch.der[1], ch.len[1]);
    gp_buf_adds(&text, "fleetprobe-cert-v1 AAAA\n");
    want_status(GP_ECORRUPT, auth_chain_parse_text((char *)text.data, text.len, &back, NULL));
    gp_buf_free(&text);
}

/* Every byte of a certificate counts: changed, it is malformed or its signature fails; and there is
 * one encoding only. */
static void test_tampered(void **state)
{
    (void)state;
    auth_chain ch = {0};
    auth_cert c = leaf_for(user), l;
    add(&ch, &c, fleet);
    const uint8_t *pk = auth_identity_sign_pk(fleet);
    want_ok(auth_chain_check(&ch, pk, NOW, &l, NULL, NULL));
    for (size_t i = 0; i < ch.len[0]; i++) {
        ch.der[0][i] ^= 0x10;
        if (auth_chain_check(&ch, pk, NOW, &l, NULL, NULL) == GP_OK)
            fail_msg("byte %zu changed: still good", i);
        ch.der[0][i] ^= 0x10;
    }
    for (size_t n = 0; n < ch.len[0]; n++) {
        auth_chain cut = ch;
        cut.len[0] = n;
        if (auth_chain_check(&cut, pk, NOW, &l, NULL, NULL) == GP_OK)
            fail_msg("cut at %zu: still good", n);
    }
}

enum {
    GOOD,
    BY_FLEET,
    EXPIRED,
    EARLY,
    ISSUER_EXPIRED,
    NO_ISSUER,
    FORGED,
    FORGED_ISSUER,
    LEAF_AS_ISSUER,
    OTHER_FLEET,
    WIDER_ROLES,
    WIDER_HOSTS,
    LITERAL_HOST,
    WIDER_SPAN,
    NO_SPAN,
    WRONG_KIND,
    TOO_LONG,
    ISSUER_AS_LEAF,
    N_CASES
};

static const struct {
    const char *what;
    gp_status want;
    const char *part;
} chains[N_CASES] = {
    [GOOD] = {"good", GP_OK, ""},
    [BY_FLEET] = {"signed by the fleet key itself", GP_OK, ""},
    [EXPIRED] = {"expired", GP_EDENIED, "expired"},
    [EARLY] = {"not yet valid", GP_EDENIED, "not valid before"},
    [ISSUER_EXPIRED] = {"issuer expired", GP_EDENIED, "expired"},
    [NO_ISSUER] = {"issuer's certificate missing", GP_EDENIED, "missing"},
    [FORGED] = {"signed by somebody else", GP_EDENIED, "did not appoint"},
    [FORGED_ISSUER] = {"issuer appointed by itself", GP_EDENIED, "did not appoint"},
    [LEAF_AS_ISSUER] = {"a user's certificate as issuer", GP_EDENIED, "did not appoint"},
    [OTHER_FLEET] = {"other fleet", GP_EDENIED, "another fleet"},
    [WIDER_ROLES] = {"more roles than the issuer", GP_EDENIED, "(roles)"},
    [WIDER_HOSTS] = {"more hosts than the issuer", GP_EDENIED, "(hosts)"},
    [LITERAL_HOST] = {"one host of the issuer's", GP_OK, ""},
    [WIDER_SPAN] = {"longer span than the issuer", GP_EDENIED, "(time span)"},
    [NO_SPAN] = {"no limit of span", GP_EDENIED, "(time span)"},
    [WRONG_KIND] = {"kind that the issuer may not sign", GP_EDENIED, "(kind)"},
    [TOO_LONG] = {"longer validity than the issuer may give", GP_EDENIED, "(validity)"},
    [ISSUER_AS_LEAF] = {"an issuing key as a peer", GP_EDENIED, "issuing key"},
};

/* What is wrong in this case with the leaf or its issuer. */
static void spoil(int k, auth_cert *l, auth_cert *i, int64_t *now)
{
    switch (k) {
    case EXPIRED:
        *now = NOW + 1001;
        i->not_after_s = NOW + 9000;
        break;
    case EARLY:
        l->not_before_s = NOW + 1;
        break;
    case ISSUER_EXPIRED:
        i->not_after_s = NOW - 1;
        break;
    case WIDER_ROLES:
        l->roles |= AUTH_ROLE_CONFIG_WRITE;
        break;
    case WIDER_HOSTS:
        memcpy(l->host_globs, "fw-1,edge*", 11);
        break;
    case LITERAL_HOST:
        memcpy(l->host_globs, "fw-x,fw-us-?", 13);
        break;
    case WIDER_SPAN:
        l->max_span_s = 8 * 86400;
        break;
    case NO_SPAN:
        l->max_span_s = 0;
        break;
    case WRONG_KIND:
        l->kind = AUTH_KIND_AGGREGATOR;
        break;
    case TOO_LONG:
        l->not_after_s = NOW + 5000;
        break;
    default:
        break;
    }
}

static auth_chain build(int k, int64_t *now)
{
    auth_chain ch = {0};
    auth_cert l = leaf_for(user), i = issuing();
    spoil(k, &l, &i, now);
    if (k == FORGED) { /* by a key that calls itself an issuer */
        auth_identity *fake = NULL;
        want_ok(auth_identity_new(AUTH_KIND_ISSUER, "fake", &fake, NULL));
        add(&ch, &l, fake);
        auth_identity_free(fake);
    } else if (k == ISSUER_AS_LEAF) {
        add(&ch, &i, fleet);
    } else {
        add(&ch, &l, k == BY_FLEET ? fleet : k == OTHER_FLEET ? other_fleet : issuer);
    }
    if (k == FORGED_ISSUER)
        add(&ch, &i, issuer);
    else if (k == LEAF_AS_ISSUER)
        add(&ch, &l, fleet);
    else if (k != BY_FLEET && k != NO_ISSUER && k != OTHER_FLEET && k != ISSUER_AS_LEAF)
        add(&ch, &i, fleet);
    return ch;
}

static void test_chains(void **state)
{
    (void)state;
    for (int k = 0; k < N_CASES; k++) {
        int64_t now = NOW;
        auth_chain ch = build(k, &now);
        auth_cert got;
        gp_err err = {0};
        gp_status st = auth_chain_check(&ch, auth_identity_sign_pk(fleet), now, &got, NULL, &err);
        if (st != chains[k].want || (st && !strstr(err.msg, chains[k].part)))
            fail_msg("%s: %s \"%s\"", chains[k].what, gp_status_name(st), err.msg);
    }
    /* An ordinary key signs no certificates at all. */
    auth_cert l = leaf_for(user);
    gp_buf b = {0};
    want_status(GP_EINVAL, auth_cert_sign(&l, user, &b, NULL));
    gp_buf_free(&b);
}

static auth_trust *trusting(const auth_identity *f)
{
    auth_trust *t = NULL;
    gp_buf text = {0};
    gp_err err = {0};
    want_ok(auth_trust_new(&t, NULL));
    auth_trust_entry(f, NULL, &text);
    want_ok_err(&err, auth_trust_parse(t, gp_buf_str(&text), text.len, &err));
    gp_buf_free(&text);
    return t;
}

static gp_buf make_list(const auth_identity *f, uint64_t number, const auth_revoked *r, size_t n)
{
    auth_revlist l = {.number = number, .issued_s = NOW};
    gp_buf b = {0};
    for (size_t i = 0; i < n; i++)
        want_ok(auth_revlist_add(&l, &r[i], NULL));
    want_ok(auth_revlist_sign(&l, f, &b, NULL));
    auth_revlist_free(&l);
    return b;
}

static void test_learn_and_revoke(void **state)
{
    (void)state;
    auth_trust *t = trusting(fleet);
    auth_chain ch = {0};
    auth_cert l = leaf_for(user), i = issuing();
    auth_peer p;
    gp_err err = {0};
    int taken = 0;
    add(&ch, &l, issuer);
    add(&ch, &i, fleet);
    assert_false(auth_trust_find(t, l.sign_pk, NOW, &p));
    want_ok_err(&err, auth_trust_learn(t, &ch, NOW, &p, &err));
    assert_true(auth_trust_find(t, l.sign_pk, NOW, &p));
    assert_string_equal(p.name, "alice");
    assert_int_equal(p.roles, AUTH_ROLE_QUERY);
    assert_string_equal(p.host_globs, "fw-eu-*");
    assert_false(auth_trust_find(t, l.sign_pk, NOW + 1001, &p));             /* its time is over */
    assert_false(auth_trust_find(t, auth_identity_sign_pk(fleet), NOW, &p)); /* never a peer */

    auth_revoked r = {.type = AUTH_REVOKED_SERIAL};
    memset(r.id, 8, AUTH_SERIAL); /* somebody else */
    gp_buf b = make_list(fleet, 3, &r, 1);
    uint64_t before = auth_trust_generation(t);
    want_ok(auth_trust_revoke(t, b.data, b.len, &taken, NULL));
    assert_true(taken && auth_trust_generation(t) > before);
    assert_true(auth_trust_find(t, l.sign_pk, NOW, &p));
    gp_buf_free(&b);

    memset(r.id, 9, AUTH_SERIAL); /* the issuer's certificate */
    b = make_list(fleet, 2, &r, 1);
    want_ok(
        auth_trust_revoke(t, b.data, b.len, &taken, NULL)); /* an older number changes nothing */
    assert_false(taken);
    assert_true(auth_trust_find(t, l.sign_pk, NOW, &p));
    gp_buf_free(&b);
    b = make_list(other_fleet, 9, &r, 1);
    want_status(GP_EDENIED, auth_trust_revoke(t, b.data, b.len, &taken, NULL));
    gp_buf_free(&b);

    b = make_list(fleet, 4, &r, 1);
    for (size_t at = 0; at < b.len; at++) { /* no byte of a list can be changed */
        b.data[at] ^= 4;
        if (auth_trust_revoke(t, b.data, b.len, &taken, NULL) == GP_OK)
            fail_msg("list with changed byte %zu was taken", at);
        b.data[at] ^= 4;
    }
    want_ok(auth_trust_revoke(t, b.data, b.len, &taken, NULL));
    assert_true(taken);
    assert_false(auth_trust_find(t, l.sign_pk, NOW, &p));
    want_err(GP_EDENIED, &err, "revoked", auth_trust_learn(t, &ch, NOW, &p, &err));
    gp_buf back = {0};
    want_ok(auth_trust_revocations(t, auth_identity_sign_pk(fleet), &back));
    assert_int_equal(back.len, b.len);
    assert_memory_equal(back.data, b.data, b.len);
    gp_buf_free(&back);
    gp_buf_free(&b);
    auth_trust_free(t);
}

/* A key can be revoked whether it is known by certificate or by entry. */
static void test_revoke_key(void **state)
{
    (void)state;
    auth_trust *t = NULL;
    gp_buf text = {0};
    auth_revoked r = {.type = AUTH_REVOKED_KEY};
    auth_peer p;
    int taken;
    want_ok(auth_trust_new(&t, NULL));
    auth_trust_entry(fleet, NULL, &text);
    auth_trust_entry(agent, NULL, &text);
    want_ok(auth_trust_parse(t, gp_buf_str(&text), text.len, NULL));
    gp_buf_free(&text);
    assert_true(auth_trust_find(t, auth_identity_sign_pk(agent), NOW, &p));
    memcpy(r.id, auth_identity_sign_pk(agent), AUTH_SIGN_PK);
    gp_buf b = make_list(fleet, 1, &r, 1);
    want_ok(auth_trust_revoke(t, b.data, b.len, &taken, NULL));
    gp_buf_free(&b);
    assert_false(auth_trust_find(t, auth_identity_sign_pk(agent), NOW, &p));
    auth_trust_free(t);
}

/* Lists survive in PATH.revoked; a damaged file is an error, not silence. */
static void test_list_file(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    char path[512], list[520];
    gp_buf text = {0};
    auth_revoked r = {.type = AUTH_REVOKED_KEY, .id = {1}};
    auth_trust *t = NULL;
    auth_fleet_state f[AUTH_MAX_FLEETS];
    gp_err err = {0};
    int taken;
    snprintf(path, sizeof path, "%s/trusted_keys", dir);
    snprintf(list, sizeof list, "%s.revoked", path);
    auth_trust_entry(fleet, NULL, &text);
    test_spew(path, text.data, text.len);
    gp_buf_free(&text);
    gp_buf b = make_list(fleet, 12, &r, 1);
    for (int round = 0; round < 2; round++) { /* pushed to one process, found by the next */
        want_ok(auth_trust_new(&t, NULL));
        want_ok_err(&err, auth_trust_load(t, path, &err));
        assert_int_equal(auth_trust_fleets(t, f), 1);
        assert_int_equal(f[0].number, round ? 12 : 0);
        want_ok(auth_trust_revoke(t, b.data, b.len, &taken, NULL));
        assert_int_equal(taken, !round);
        want_ok(auth_trust_load(t, path, NULL)); /* reloading keeps it */
        auth_trust_fleets(t, f);
        assert_int_equal(f[0].number, 12);
        auth_trust_free(t);
    }
    gp_buf_free(&b);
    test_spew(list, "fleetprobe-revoked-v1 AAAA\n", 27);
    want_ok(auth_trust_new(&t, NULL));
    want_err(GP_ECORRUPT, &err, ".revoked", auth_trust_load(t, path, &err));
    auth_trust_free(t);
}

/* The file has the lists of all fleets; it is refused when none of them is of a trusted one. */
static void test_list_file_of_two(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    char path[512], list[520];
    gp_buf text = {0};
    auth_revoked r = {.type = AUTH_REVOKED_KEY, .id = {1}};
    const auth_identity *const fleets[] = {fleet, other_fleet};
    auth_trust *t = NULL;
    auth_fleet_state f[AUTH_MAX_FLEETS];
    gp_err err = {0};
    int taken;
    snprintf(path, sizeof path, "%s/trusted_keys", dir);
    snprintf(list, sizeof list, "%s.revoked", path);
    for (unsigned i = 0; i < 2; i++)
        auth_trust_entry(fleets[i], NULL, &text);
    test_spew(path, text.data, text.len);
    want_ok(auth_trust_new(&t, NULL));
    want_ok_err(&err, auth_trust_load(t, path, &err));
    for (unsigned i = 0; i < 2; i++) {
        gp_buf b = make_list(fleets[i], 12 + i, &r, 1);
        want_ok(auth_trust_revoke(t, b.data, b.len, &taken, NULL));
        gp_buf_free(&b);
    }
    auth_trust_free(t);
    want_ok(auth_trust_new(&t, NULL));
    want_ok_err(&err, auth_trust_load(t, path, &err));
    assert_int_equal(auth_trust_fleets(t, f), 2);
    assert_int_equal(f[0].number + f[1].number, 25);
    auth_trust_free(t);

    gp_buf_clear(&text);
    auth_trust_entry(other_fleet, NULL, &text); /* the first one is trusted no more */
    test_spew(path, text.data, text.len);
    want_ok(auth_trust_new(&t, NULL));
    want_ok_err(&err, auth_trust_load(t, path, &err));
    assert_int_equal(auth_trust_fleets(t, f), 1);
    assert_int_equal(f[0].number, 13);
    auth_trust_free(t);
    gp_buf_clear(&text);
    gp_buf b = make_list(fleet, 14, &r, 1);
    auth_revlist_text(b.data, b.len, &text);
    gp_buf_free(&b);
    test_spew(list, text.data, text.len);
    gp_buf_free(&text);
    want_ok(auth_trust_new(&t, NULL));
    want_err(GP_EDENIED, &err, "not trusted here", auth_trust_load(t, path, &err));
    auth_trust_free(t);
}

static void test_hello_with_cert(void **state)
{
    (void)state;
    auth_trust *t = trusting(fleet), *none = trusting(other_fleet);
    auth_chain ch = {0};
    auth_cert l = leaf_for(agent);
    auth_hello h;
    auth_peer p;
    gp_buf b = {0};
    gp_err err = {0};
    add(&ch, &l, fleet);
    want_err(GP_EINVAL, &err, "another key", auth_identity_set_chain(user, &ch, &err));
    assert_int_equal(auth_identity_expires_s(agent), 0);
    want_ok(auth_identity_set_chain(agent, &ch, NULL));
    assert_int_equal(auth_identity_expires_s(agent), l.not_after_s);
    auth_hello_encode(agent, t, 0, &b);
    assert_true(b.len <= AUTH_HELLO_MAX);
    want_ok(auth_hello_decode(b.data, b.len, &h, NULL));
    assert_int_equal(h.chain.n, 1);
    assert_int_equal(h.n_fleets, 1);
    want_ok_err(&err, auth_hello_verify(&h, t, auth_identity_dh_pk(agent), NOW, 0, &p, &err));
    assert_string_equal(p.name, "fw-eu-1");
    want_err(GP_EDENIED, &err, "not trusted here",
             auth_hello_verify(&h, none, auth_identity_dh_pk(agent), NOW, 0, &p, &err));
    want_err(GP_EDENIED, &err, "expired",
             auth_hello_verify(&h, t, auth_identity_dh_pk(agent), NOW + 5000, 0, &p, &err));
    /* Somebody else's certificate does not help a stranger. */
    memcpy(h.sign_pk, auth_identity_sign_pk(user), AUTH_SIGN_PK);
    want_status(GP_EDENIED, auth_hello_verify(&h, t, auth_identity_dh_pk(user), NOW, 0, &p, &err));
    gp_buf_free(&b);
    auth_trust_free(t);
    auth_trust_free(none);
}

static void test_csr(void **state)
{
    (void)state;
    gp_buf b = {0};
    auth_peer p;
    gp_err err = {0};
    want_ok_err(&err, auth_csr_make(user, "roles=query hosts=fw*", &b, &err));
    want_ok_err(&err, auth_csr_read((char *)b.data, b.len, &p, &err));
    assert_string_equal(p.name, "alice");
    assert_string_equal(p.host_globs, "fw*");
    for (size_t i = 18; i < b.len - 1; i++) {
        uint8_t was = b.data[i];
        b.data[i] = was == 'A' ? 'B' : 'A';
        if (auth_csr_read((char *)b.data, b.len, &p, NULL) == GP_OK)
            fail_msg("byte %zu changed: still good", i);
        b.data[i] = was;
    }
    gp_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_tampered),
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_learn_and_revoke),
        cmocka_unit_test(test_revoke_key),
        cmocka_unit_test(test_list_file),
        cmocka_unit_test(test_list_file_of_two),
        cmocka_unit_test(test_hello_with_cert),
        cmocka_unit_test(test_csr),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
