/* keys_test.c - key files: round trip, modes, damage; typed signatures against known answers. */
#include "auth/keys.h"
#include "auth/seal.h"
#include "gp/io.h"

#include "gp/num.h"
#include "test.h"

#include <sys/stat.h>

#define SEED     "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
#define KNOWN_DH "d85e07ec22b0ad881537c2f44d662d1a143cf830c57aca4305d85c7a90f6b62e"
#define KNOWN_SIG                                                                                  \
    "8133feaa639a957c64987746c4ff67850f30c4d33905d15d517e06882dca8b90"                             \
    "4e01893e29e78e292872dafc4d3670b7dab63d4212b2bfb41b8f12737444450c"

static void test_round_trip(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    char path[512];
    auth_identity *a = NULL, *b = NULL;
    gp_err err = {0};
    struct stat sb;
    snprintf(path, sizeof path, "%s/k.key", dir);
    want_ok_err(&err, auth_identity_new(AUTH_KIND_GATEWAY, "gw.example-1@x", &a, &err));
    umask(0);
    want_ok_err(&err, auth_identity_save(a, path, &err));
    assert_int_equal(stat(path, &sb), 0);
    assert_int_equal(sb.st_mode & 07777, 0600);
    want_err(GP_EEXIST, &err, "never overwritten", auth_identity_save(a, path, &err));
    want_ok_err(&err, auth_identity_load(path, &b, &err));
    assert_string_equal(auth_identity_name(b), "gw.example-1@x");
    assert_int_equal(auth_identity_kind(b), AUTH_KIND_GATEWAY);
    assert_memory_equal(auth_identity_sign_pk(a), auth_identity_sign_pk(b), AUTH_SIGN_PK);
    assert_memory_equal(auth_identity_dh_pk(a), auth_identity_dh_pk(b), AUTH_DH);
    auth_identity_free(b);
    auth_identity_free(a);
}

static void test_bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *what, *text;
        mode_t mode;
        gp_status want;
        const char *part;
    } cases[] = {
        {"good", "fleetprobe-key-v1 agent fw-1 " SEED "\n", 0600, GP_OK, ""},
        {"good, no newline", "fleetprobe-key-v1 user u " SEED, 0400, GP_OK, ""},
        {"empty", "", 0600, GP_ECORRUPT, "fleetprobe-key-v1"},
        {"other magic", "ssh-ed25519 agent fw-1 " SEED, 0600, GP_ECORRUPT, "no key file"},
        {"kind", "fleetprobe-key-v1 robot fw-1 " SEED, 0600, GP_ECORRUPT, "robot"},
        {"name", "fleetprobe-key-v1 agent fw/1 " SEED, 0600, GP_EINVAL, "fw/1"},
        {"short seed", "fleetprobe-key-v1 agent fw-1 9d61", 0600, GP_ECORRUPT, "64 hex"},
        {"no seed", "fleetprobe-key-v1 agent fw-1", 0600, GP_ECORRUPT, "KIND NAME SEED"},
        {"five words", "fleetprobe-key-v1 agent fw-1 " SEED " x", 0600, GP_ECORRUPT, "one line"},
        {"group may read", "fleetprobe-key-v1 agent fw-1 " SEED, 0640, GP_EDENIED, "chmod 600"},
        {"the public half",
         "agent fw-1 d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\n", 0644,
         GP_EINVAL, "is a public key; expected the key file"},
        {"all may read", "fleetprobe-key-v1 agent fw-1 " SEED, 0604, GP_EDENIED, "chmod 600"},
    };
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    char path[512];
    snprintf(path, sizeof path, "%s/k.key", dir);
    for (size_t i = 0; i < COUNT(cases); i++) {
        gp_err err = {0};
        auth_identity *id = NULL;
        test_spew(path, cases[i].text, strlen(cases[i].text));
        assert_int_equal(chmod(path, cases[i].mode), 0);
        gp_status st = auth_identity_load(path, &id, &err);
        if (st != cases[i].want || (st && !strstr(err.msg, cases[i].part)))
            fail_msg("%s: %s \"%s\"", cases[i].what, gp_status_name(st), err.msg);
        assert_true((st == GP_OK) == (id != NULL));
        auth_identity_free(id);
    }
    gp_err err = {0};
    auth_identity *id = NULL;
    want_status(GP_ENOTFOUND, auth_identity_load("/nonexistent/k.key", &id, &err));
    want_err(GP_EINVAL, &err, "regular", auth_identity_load("/dev/null", &id, &err));
}

/* RFC 8032 test 1 gives the public key of SEED; the rest was made by tests/interop (see sign.py).
 */
static void test_known_answers(void **state)
{
    (void)state;
    static const char text[] = "fleetprobe-key-v1 agent fw-1 " SEED;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    char path[512], hex[2 * AUTH_SIG + 1];
    auth_identity *id = NULL;
    uint8_t sig[AUTH_SIG];
    snprintf(path, sizeof path, "%s/k.key", dir);
    test_spew(path, text, sizeof text - 1);
    assert_int_equal(chmod(path, 0600), 0);
    want_ok(auth_identity_load(path, &id, NULL));
    gp_hex(auth_identity_sign_pk(id), 32, hex);
    assert_string_equal(hex, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    gp_hex(auth_identity_dh_pk(id), 32, hex);
    assert_string_equal(hex, KNOWN_DH);
    auth_sign(id, "query", "hello", 5, sig);
    gp_hex(sig, AUTH_SIG, hex);
    assert_string_equal(hex, KNOWN_SIG);
    auth_identity_free(id);
}

static void test_signatures(void **state)
{
    (void)state;
    auth_identity *id = NULL, *other = NULL;
    uint8_t sig[AUTH_SIG];
    want_ok(auth_identity_new(AUTH_KIND_USER, "u", &id, NULL));
    want_ok(auth_identity_new(AUTH_KIND_USER, "u", &other, NULL));
    const uint8_t *pk = auth_identity_sign_pk(id);
    auth_sign(id, "query", "body", 4, sig);
    assert_true(auth_verify(pk, "query", "body", 4, sig));
    assert_false(auth_verify(pk, "trailer", "body", 4, sig)); /* another purpose */
    assert_false(auth_verify(pk, "quer", "ybody", 5, sig));   /* nor a shifted border */
    assert_false(auth_verify(pk, "query", "bodY", 4, sig));
    assert_false(auth_verify(pk, "query", "bod", 3, sig));
    assert_false(auth_verify(auth_identity_sign_pk(other), "query", "body", 4, sig));
    for (size_t i = 0; i < AUTH_SIG; i++) {
        sig[i] ^= 1;
        if (auth_verify(pk, "query", "body", 4, sig))
            fail_msg("changed byte %zu of the signature passes", i);
        sig[i] ^= 1;
    }
    auth_sign(id, "query", NULL, 0, sig);
    assert_true(auth_verify(pk, "query", NULL, 0, sig));
    auth_identity_free(id);
    auth_identity_free(other);
}

static void test_names(void **state)
{
    (void)state;
    char longest[66];
    memset(longest, 'a', 65);
    longest[65] = 0;
    const struct {
        const char *name;
        gp_status want;
    } cases[] = {{"a", GP_OK},         {"A-z_0.9@x", GP_OK},   {longest + 1, GP_OK},
                 {longest, GP_EINVAL}, {"", GP_EINVAL},        {"a b", GP_EINVAL},
                 {"a\n", GP_EINVAL},   {"\xc3\xa4", GP_EINVAL}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        auth_identity *id = NULL;
        if (auth_identity_new(AUTH_KIND_USER, cases[i].name, &id, NULL) != cases[i].want)
            fail_msg("name '%s'", cases[i].name);
        auth_identity_free(id);
    }
    for (int k = AUTH_KIND_AGENT; k <= AUTH_KIND_USER; k++)
        assert_int_equal(auth_kind_by_name(auth_kind_name((auth_kind)k)), k);
    assert_int_equal(auth_kind_by_name("none"), -1);
    assert_int_equal(auth_kind_by_name(""), -1);
}

static void spew_key(const char *path, const char *text, size_t n)
{
    test_spew(path, text, n);
    assert_int_equal(chmod(path, 0600), 0);
}

/* Unsealed where it lies: the link stays one. */
static void unseal_behind_link(const auth_identity *id, const char *path)
{
    char link[600];
    struct stat st;
    snprintf(link, sizeof link, "%s.link", path);
    assert_int_equal(symlink(path, link), 0);
    want_ok(auth_identity_write(id, link, 1, NULL, NULL, NULL));
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(unlink(link), 0);
}

/* Sealed files: right and wrong pass phrase, every byte changed, limits on what they may cost. */
static void test_sealed(void **state)
{
    (void)state;
    const auth_seal_cost cheap = {1, 8};
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    char path[512], pass[512];
    auth_identity *id = NULL, *back = NULL;
    gp_err err = {0};
    gp_buf text = {0};
    snprintf(path, sizeof path, "%s/k.key", dir);
    snprintf(pass, sizeof pass, "%s/pass", dir);
    test_spew(pass, "correct horse\nnot this", 22);
    assert_int_equal(chmod(pass, 0600), 0);
    assert_int_equal(setenv("FLEETPROBE_PASSPHRASE_FILE", pass, 1), 0);
    want_ok(auth_identity_new(AUTH_KIND_USER, "alice", &id, NULL));
    want_err(GP_EINVAL, &err, "empty", auth_identity_write(id, path, 0, "", &cheap, &err));
    want_ok(auth_identity_write(id, path, 0, "correct horse", &cheap, NULL));
    want_err(GP_EEXIST, &err, "never overwritten",
             auth_identity_write(id, path, 0, "x", &cheap, &err));
    want_ok(gp_read_file(AT_FDCWD, path, 4096, &text, NULL));
    want_ok(auth_identity_load(path, &back, NULL));
    assert_memory_equal(auth_identity_sign_pk(id), auth_identity_sign_pk(back), AUTH_SIGN_PK);
    assert_string_equal(auth_identity_name(back), "alice");
    auth_identity_free(back);
    for (size_t i = 0; i + 1 < text.len; i++) { /* one bit of every byte, kind and cost included */
        back = NULL;
        text.data[i] ^= 1;
        spew_key(path, (char *)text.data, text.len);
        if (auth_identity_load(path, &back, NULL) == GP_OK)
            fail_msg("byte %zu changed: loaded", i);
        text.data[i] ^= 1;
    }
    static const struct {
        const char *what, *text, *part;
    } bad[] = {{"too much memory", "user a 1 1048577 ", "PASSES MEMORY"},
               {"too many passes", "user a 17 8 ", "PASSES MEMORY"},
               {"no pass", "user a 0 8 ", "PASSES MEMORY"},
               {"short", "user a 1 8 00", "PASSES MEMORY"}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        char line[600];
        memset(line, '0', sizeof line);
        int n = snprintf(line, sizeof line, "fleetprobe-sealed-v1 %s", bad[i].text);
        line[n] = '0';
        spew_key(path, line, (size_t)n + (strstr(bad[i].text, "00") ? 0 : 176));
        want_err(GP_ECORRUPT, &err, bad[i].part, auth_identity_load(path, &back, &err));
    }
    spew_key(path, (char *)text.data, text.len);
    spew_key(pass, "wrong horse", 11);
    want_err(GP_EDENIED, &err, "wrong pass phrase", auth_identity_load(path, &back, &err));
    assert_int_equal(chmod(pass, 0640), 0);
    want_err(GP_EDENIED, &err, "may be read by others", auth_identity_load(path, &back, &err));
    assert_int_equal(unsetenv("FLEETPROBE_PASSPHRASE_FILE"), 0);
    int fds[2]; /* a descriptor: one line of it is ours */
    char number[12];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "correct horse\nrest", 18), 18);
    snprintf(number, sizeof number, "%d", fds[0]);
    assert_int_equal(setenv("FLEETPROBE_PASSPHRASE_FD", number, 1), 0);
    want_ok(auth_identity_load(path, &back, NULL));
    char rest[8];
    assert_int_equal(read(fds[0], rest, sizeof rest), 4);
    close(fds[1]);
    unseal_behind_link(back, path);
    auth_identity_free(back);
    back = NULL;
    want_ok(auth_identity_load(path, &back, NULL));
    close(fds[0]);
    assert_int_equal(unsetenv("FLEETPROBE_PASSPHRASE_FD"), 0);
    auth_identity_free(back);
    auth_identity_free(id);
    gp_buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_known_answers), cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_names),         cmocka_unit_test(test_sealed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
