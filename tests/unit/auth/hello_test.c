/* hello_test.c - handshake payloads: fields, versions, and who is believed. */
#include "auth/hello.h"

#include "test.h"

static auth_identity *alice, *bob;
static auth_trust *trust;

static int setup(void **state)
{
    (void)state;
    gp_buf text = {0};
    want_ok(auth_identity_new(AUTH_KIND_USER, "alice", &alice, NULL));
    want_ok(auth_identity_new(AUTH_KIND_USER, "bob", &bob, NULL));
    want_ok(auth_trust_new(&trust, NULL));
    auth_trust_entry(alice, "not-after=5000", &text);
    want_ok(auth_trust_parse(trust, gp_buf_str(&text), text.len, NULL));
    gp_buf_free(&text);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    auth_trust_free(trust);
    auth_identity_free(alice);
    auth_identity_free(bob);
    return 0;
}

static void test_decode(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        const char bytes[48];
        size_t len;
        gp_status want;
    } cases[] = {
        {"bare", "FPH1\1\1\0\0\0\0\0\0", 12, GP_OK},
        {"newer range", "FPH1\1\7\0\0\0\0\0\1", 12, GP_OK},
        {"unknown field is skipped", "FPH1\1\1\0\0\0\0\0\0\x55\0\2ab", 17, GP_OK},
        {"empty unknown field", "FPH1\1\1\0\0\0\0\0\0\x55\0\0", 15, GP_OK},
        {"critical unknown field", "FPH1\1\1\0\0\0\0\0\0\x95\0\2ab", 17, GP_EUNSUPPORTED},
        {"nothing", "", 0, GP_ECORRUPT},
        {"short", "FPH1\1\1\0\0\0\0\0", 11, GP_ECORRUPT},
        {"magic", "FPH2\1\1\0\0\0\0\0\0", 12, GP_ECORRUPT},
        {"version 0", "FPH1\0\1\0\0\0\0\0\0", 12, GP_ECORRUPT},
        {"empty range", "FPH1\2\1\0\0\0\0\0\0", 12, GP_ECORRUPT},
        {"reserved", "FPH1\1\1\0\1\0\0\0\0", 12, GP_ECORRUPT},
        {"field cut in its head", "FPH1\1\1\0\0\0\0\0\0\x55\0", 14, GP_ECORRUPT},
        {"field cut in its bytes", "FPH1\1\1\0\0\0\0\0\0\x55\0\3ab", 17, GP_ECORRUPT},
        {"key of wrong size", "FPH1\1\1\0\0\0\0\0\0\1\0\2ab", 17, GP_ECORRUPT},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        auth_hello h;
        gp_err err = {0};
        gp_status st = auth_hello_decode(cases[i].bytes, cases[i].len, &h, &err);
        if (st != cases[i].want)
            fail_msg("%s: %s \"%s\"", cases[i].what, gp_status_name(st), err.msg);
    }
}

static void test_identity(void **state)
{
    (void)state;
    gp_buf b = {0};
    auth_hello h, x;
    auth_peer p;
    gp_err err = {0};
    auth_hello_encode(alice, NULL, 5, &b);
    want_ok(auth_hello_decode(b.data, b.len, &h, NULL));
    assert_true(h.has_identity);
    assert_int_equal(h.features, 5);
    assert_int_equal(auth_hello_version(&h, NULL), AUTH_PROTO_MAX);
    want_ok(auth_hello_verify(&h, trust, auth_identity_dh_pk(alice), 100, 0, &p, &err));
    assert_string_equal(p.name, "alice");
    assert_memory_equal(p.dh_pk, auth_identity_dh_pk(alice), AUTH_DH);

    want_err(GP_EDENIED, &err, "not trusted",
             auth_hello_verify(&h, trust, auth_identity_dh_pk(alice), 5001, 0, &p, &err));
    want_err(GP_EDENIED, &err, "not bound",
             auth_hello_verify(&h, trust, auth_identity_dh_pk(bob), 100, 0, &p, &err));
    x = h;
    x.dh_sig[3] ^= 1;
    want_err(GP_EDENIED, &err, "not bound",
             auth_hello_verify(&x, trust, auth_identity_dh_pk(alice), 100, 0, &p, &err));
    x = h; /* bob shows alice's hello over his own channel key */
    want_err(GP_EDENIED, &err, "not bound",
             auth_hello_verify(&x, trust, auth_identity_dh_pk(bob), 100, 0, &p, &err));
    gp_buf_clear(&b);
    auth_hello_encode(bob, NULL, 0, &b);
    want_ok(auth_hello_decode(b.data, b.len, &x, NULL));
    want_err(GP_EDENIED, &err, "not trusted",
             auth_hello_verify(&x, trust, auth_identity_dh_pk(bob), 100, 0, &p, &err));
    gp_buf_clear(&b);
    auth_hello_encode(NULL, NULL, 0, &b);
    want_ok(auth_hello_decode(b.data, b.len, &x, NULL));
    want_err(GP_EDENIED, &err, "no identity",
             auth_hello_verify(&x, trust, auth_identity_dh_pk(bob), 100, 0, &p, &err));
    want_err(GP_EDENIED, &err, "not trusted",
             auth_hello_verify(&h, NULL, auth_identity_dh_pk(alice), 100, 0, &p, &err));
    /* Cut anywhere, it is refused or has no identity. */
    gp_buf_clear(&b);
    auth_hello_encode(alice, NULL, 0, &b);
    for (size_t n = 0; n < b.len; n++)
        if (auth_hello_decode(b.data, n, &x, NULL) == GP_OK && x.has_identity)
            fail_msg("cut at %zu passes", n);
    gp_buf_free(&b);
}

static void test_versions(void **state)
{
    (void)state;
    static const struct {
        uint8_t min, max;
        unsigned want;
    } cases[] = {{1, 1, 1}, {1, 9, 1}, {2, 9, 0}, {9, 9, 0}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        auth_hello h = {.min_version = cases[i].min, .max_version = cases[i].max};
        gp_err err = {0};
        assert_int_equal(auth_hello_version(&h, &err), cases[i].want);
        if (!cases[i].want)
            assert_non_null(strstr(err.msg, "update the older one"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_versions),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
