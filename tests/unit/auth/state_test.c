/* state_test.c - what a daemon learned survives a restart, also where its configuration is
 * read-only. */
#include "auth/cert.h"
#include "auth/renew.h"
#include "auth/seal.h"

#include "test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOW = 1000000, LIFE = 1000, FROM = NOW - 100 };

/* DIR/etc with the files of an agent, DIR/away where it is while nothing can be written to it, and
 * DIR/state. */
typedef struct fixture {
    char *dir, etc[512], away[512], key[540], crt[540], trusted[540], kept_crt[540], kept_list[540];
    auth_identity *fleet, *agent;
} fixture;

static void sign_for(const fixture *f, int64_t from_s, int64_t until_s, uint32_t roles,
                     auth_chain *out)
{
    gp_buf b = {0};
    gp_err err = {0};
    auth_cert c = {.kind = AUTH_KIND_AGENT,
                   .name = "fw-1",
                   .not_before_s = from_s,
                   .not_after_s = until_s,
                   .roles = roles,
                   .host_globs = "*",
                   .iface_globs = "*"};
    memcpy(c.sign_pk, auth_identity_sign_pk(f->agent), AUTH_SIGN_PK);
    want_ok_err(&err, auth_cert_sign(&c, f->fleet, &b, &err));
    *out = (auth_chain){.n = 1};
    memcpy(out->der[0], b.data, b.len);
    out->len[0] = b.len;
    gp_buf_free(&b);
}

static void put_cert(const fixture *f, int64_t from_s, int64_t until_s, uint32_t roles)
{
    auth_chain ch;
    gp_buf text = {0};
    sign_for(f, from_s, until_s, roles, &ch);
    auth_chain_text(&ch, &text);
    test_spew(f->crt, text.data, text.len);
    gp_buf_free(&text);
}

static void up(fixture *f)
{
    gp_buf text = {0};
    gp_err err = {0};
    char state[512];
    *f = (fixture){.dir = test_tmpdir()};
    snprintf(f->etc, sizeof f->etc, "%s/etc", f->dir);
    snprintf(f->away, sizeof f->away, "%s/away", f->dir);
    snprintf(state, sizeof state, "%s/state", f->dir);
    snprintf(f->key, sizeof f->key, "%s/a.key", f->etc);
    snprintf(f->crt, sizeof f->crt, "%s/a.crt", f->etc);
    snprintf(f->trusted, sizeof f->trusted, "%s/trusted_keys", f->etc);
    snprintf(f->kept_crt, sizeof f->kept_crt, "%s/a.crt", state);
    snprintf(f->kept_list, sizeof f->kept_list, "%s/trusted_keys.revoked", state);
    assert_int_equal(mkdir(f->etc, 0700), 0);
    assert_int_equal(mkdir(state, 0700), 0);
    want_ok(auth_identity_new(AUTH_KIND_FLEET, "acme", &f->fleet, NULL));
    want_ok(auth_identity_new(AUTH_KIND_AGENT, "fw-1", &f->agent, NULL));
    want_ok_err(&err, auth_identity_write(f->agent, f->key, 0, NULL, NULL, &err));
    put_cert(f, FROM, NOW + LIFE, 0);
    auth_trust_entry(f->fleet, NULL, &text);
    test_spew(f->trusted, text.data, text.len);
    gp_buf_free(&text);
    assert_int_equal(setenv("STATE_DIRECTORY", state, 1), 0);
}

static void down(fixture *f)
{
    assert_int_equal(unsetenv("STATE_DIRECTORY"), 0);
    auth_identity_free(f->fleet);
    auth_identity_free(f->agent);
    test_tmpdirp(&f->dir);
}

static int64_t loaded_until(const fixture *f)
{
    auth_identity *id = NULL;
    gp_err err = {0};
    want_ok_err(&err, auth_identity_load(f->key, &id, &err));
    int64_t s = auth_identity_expires_s(id);
    auth_identity_free(id);
    return s;
}

/* Renew until then; with the directory away, so that the file can't be written. */
static gp_status renew(const fixture *f, int64_t until_s, int away)
{
    auth_identity *id = NULL;
    auth_trust *t = NULL;
    auth_chain fresh;
    gp_buf packed = {0};
    gp_err err = {0};
    want_ok_err(&err, auth_identity_load(f->key, &id, &err));
    want_ok(auth_trust_new(&t, NULL));
    want_ok_err(&err, auth_trust_load(t, f->trusted, &err));
    sign_for(f, FROM, until_s, 0, &fresh);
    auth_chain_pack(&fresh, &packed);
    if (away)
        assert_int_equal(rename(f->etc, f->away), 0);
    gp_status st = auth_renew_take(id, t, packed.data, packed.len, NOW, NULL);
    assert_int_equal(auth_identity_expires_s(id), until_s); /* it counts in any case */
    if (away)
        assert_int_equal(rename(f->away, f->etc), 0);
    gp_buf_free(&packed);
    auth_trust_free(t);
    auth_identity_free(id);
    return st;
}

static void test_renewed_certificate(void **state)
{
    (void)state;
    fixture f;
    up(&f);
    want_ok(renew(&f, NOW + 2 * LIFE, 0)); /* beside the key, if possible */
    assert_int_not_equal(access(f.kept_crt, F_OK), 0);
    assert_int_equal(loaded_until(&f), NOW + 2 * LIFE);
    want_ok(renew(&f, NOW + 3 * LIFE, 1));
    assert_int_equal(access(f.kept_crt, F_OK), 0);
    assert_int_equal(loaded_until(&f), NOW + 3 * LIFE);
    put_cert(&f, FROM, NOW + LIFE,
             AUTH_ROLE_STATUS); /* issued anew: says something else, so it counts */
    assert_int_equal(loaded_until(&f), NOW + LIFE);
    put_cert(&f, FROM + 1, NOW + LIFE, 0); /* issued after what was kept, maybe to replace it */
    assert_int_equal(loaded_until(&f), NOW + LIFE);
    put_cert(&f, FROM, NOW + 9 * LIFE, 0); /* longer than what was kept */
    assert_int_equal(loaded_until(&f), NOW + 9 * LIFE);
    put_cert(&f, FROM, NOW + LIFE, 0);
    test_spew(f.kept_crt, "fleetprobe-cert-v1 AAAA\n", 24); /* damaged: the other one does */
    assert_int_equal(loaded_until(&f), NOW + LIFE);
    assert_int_equal(unsetenv("STATE_DIRECTORY"), 0);
    want_status(GP_EIO, renew(&f, NOW + 2 * LIFE, 1)); /* nowhere to put it: said, and used */
    down(&f);
}

/* What a reload finds beside the key. */
static void test_reread(void **state)
{
    (void)state;
    fixture f;
    auth_identity *id = NULL;
    gp_err err = {0};
    int changed = 7;
    up(&f);
    want_ok_err(&err, auth_identity_load(f.key, &id, &err));
    want_ok(auth_identity_reread(id, &changed, &err)); /* the same */
    assert_int_equal(changed, 0);
    put_cert(&f, FROM, NOW + 2 * LIFE, 0);
    want_ok(auth_identity_reread(id, &changed, &err));
    assert_int_equal(changed, 1);
    assert_int_equal(auth_identity_expires_s(id), NOW + 2 * LIFE);
    put_cert(&f, FROM - 1, NOW + 9 * LIFE, 0); /* made before that in use */
    want_ok(auth_identity_reread(id, &changed, &err));
    assert_int_equal(changed, 0);
    test_spew(f.crt, "fleetprobe-cert-v1 AAAA\n", 24);
    want_status(GP_ECORRUPT, auth_identity_reread(id, &changed, &err));
    assert_int_equal(changed, 0);
    assert_int_equal(remove(f.crt), 0); /* without a file the one in use stays */
    want_ok(auth_identity_reread(id, &changed, &err));
    assert_int_equal(auth_identity_expires_s(id), NOW + 2 * LIFE);
    auth_identity_free(id);
    down(&f);
}

static void put_list(const fixture *f, const gp_buf *list)
{
    gp_buf text = {0};
    auth_revlist_text(list->data, list->len, &text);
    test_spew(f->kept_list, text.data, text.len);
    gp_buf_free(&text);
}

static void test_learned_list(void **state)
{
    (void)state;
    fixture f;
    auth_trust *t = NULL;
    auth_revlist l = {.number = 7};
    auth_revoked r = {.type = AUTH_REVOKED_KEY, .id = {1}};
    auth_fleet_state fleets[AUTH_MAX_FLEETS];
    gp_buf b = {0};
    gp_err err = {0};
    int taken;
    up(&f);
    want_ok(auth_revlist_add(&l, &r, NULL));
    want_ok(auth_revlist_sign(&l, f.fleet, &b, NULL));
    want_ok(auth_trust_new(&t, NULL));
    want_ok(auth_trust_load(t, f.trusted, NULL));
    assert_int_equal(rename(f.etc, f.away), 0);
    want_ok(auth_trust_revoke(t, b.data, b.len, &taken, NULL));
    assert_int_equal(taken, 1);
    assert_int_equal(rename(f.away, f.etc), 0);
    auth_trust_free(t);
    want_ok(auth_trust_new(&t, NULL)); /* the next process */
    want_ok_err(&err, auth_trust_load(t, f.trusted, &err));
    assert_int_equal(auth_trust_fleets(t, fleets), 1);
    assert_int_equal(fleets[0].number, 7);
    test_spew(f.kept_list, "fleetprobe-revoked-v1 AAAA\n", 27); /* damaged: not silence */
    want_err(GP_ECORRUPT, &err, ".revoked", auth_trust_load(t, f.trusted, &err));
    b.data[b.len / 2] ^= 1;
    put_list(&f, &b);
    want_err(GP_EDENIED, &err, "not signed", auth_trust_load(t, f.trusted, &err));
    auth_trust_free(t);
    auth_identity *other = NULL; /* one of a fleet that is not trusted any more harms nobody */
    want_ok(auth_identity_new(AUTH_KIND_FLEET, "old", &other, NULL));
    gp_buf_clear(&b);
    want_ok(auth_revlist_sign(&l, other, &b, NULL));
    put_list(&f, &b);
    want_ok(auth_trust_new(&t, NULL));
    want_ok_err(&err, auth_trust_load(t, f.trusted, &err));
    auth_trust_free(t);
    auth_identity_free(other);
    auth_revlist_free(&l);
    gp_buf_free(&b);
    down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_renewed_certificate),
        cmocka_unit_test(test_reread),
        cmocka_unit_test(test_learned_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
