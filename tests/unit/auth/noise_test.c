/* noise_test.c - the Noise channel against published and own vectors, and against tampering. */
#include "auth/noise.h"

#include "gp/num.h"
#include "test.h"

#include <fcntl.h>

/* ---- vectors: a scanner for the one JSON shape they have ---- */

typedef struct vec {
    const char *at, *end; /* text of this vector */
} vec;

/* Hex value of "key" after from (before end) into out; its length, or -1. *next: behind it. */
static ssize_t get_hex(const char *from, const char *end, const char *key, uint8_t *out, size_t cap,
                       const char **next)
{
    char pat[64];
    int n = snprintf(pat, sizeof pat, "\"%s\":", key);
    const char *p = memmem(from, (size_t)(end - from), pat, (size_t)n);
    if (!p)
        return -1;
    p += n;
    while (*p == ' ')
        p++;
    assert_int_equal(*p, '"');
    const char *q = strchr(++p, '"');
    size_t len = (size_t)(q - p);
    assert_true(len % 2 == 0 && len / 2 <= cap);
    assert_true(gp_unhex(p, len, out, len / 2));
    if (next)
        *next = q;
    return (ssize_t)(len / 2);
}

static uint8_t payload[70000], cipher[70000];

static void run_messages(const vec *v, auth_noise *side[2])
{
    const char *p = v->at;
    ssize_t pl, cl;
    for (int i = 0; (pl = get_hex(p, v->end, "payload", payload, sizeof payload, &p)) >= 0; i++) {
        cl = get_hex(p, v->end, "ciphertext", cipher, sizeof cipher, &p);
        assert_true(cl >= 0);
        auth_noise *w = side[i % 2], *r = side[1 - i % 2];
        gp_buf out = {0}, back = {0};
        gp_err err = {0};
        if (i < 3) {
            if (auth_noise_write(w, payload, (size_t)pl, &out, &err) ||
                auth_noise_read(r, out.data, out.len, &back, &err))
                fail_msg("message %d: %s", i, err.msg);
        } else {
            uint8_t *dst = gp_buf_reserve(&out, (size_t)pl + 16);
            uint8_t *dst2 = gp_buf_reserve(&back, (size_t)pl + 1);
            assert_int_equal(auth_noise_encrypt(w, payload, (size_t)pl, dst, &err), GP_OK);
            out.len = (size_t)pl + 16;
            assert_int_equal(auth_noise_decrypt(r, dst, out.len, dst2, &err), GP_OK);
            back.len = (size_t)pl;
        }
        if (out.len != (size_t)cl || memcmp(out.data, cipher, out.len) != 0)
            fail_msg("message %d: ciphertext differs", i);
        if (back.len != (size_t)pl || (pl && memcmp(back.data, payload, back.len) != 0))
            fail_msg("message %d: payload differs", i);
        gp_buf_free(&out);
        gp_buf_free(&back);
    }
}

static void run_vector(const vec *v)
{
    uint8_t key[4][32], prologue[512], hash[64];
    static const char *const names[] = {"init_static", "init_ephemeral", "resp_static",
                                        "resp_ephemeral"};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(get_hex(v->at, v->end, names[i], key[i], 32, NULL), 32);
    ssize_t pn = get_hex(v->at, v->end, "init_prologue", prologue, sizeof prologue, NULL);
    auth_noise *side[2] = {NULL, NULL};
    assert_int_equal(auth_noise_new_raw(key[0], key[1], 1, prologue, (size_t)pn, &side[0], NULL),
                     GP_OK);
    assert_int_equal(auth_noise_new_raw(key[2], key[3], 0, prologue, (size_t)pn, &side[1], NULL),
                     GP_OK);
    run_messages(v, side);
    assert_true(auth_noise_done(side[0]) && auth_noise_done(side[1]));
    assert_memory_equal(auth_noise_hash(side[0]), auth_noise_hash(side[1]), 64);
    if (get_hex(v->at, v->end, "handshake_hash", hash, sizeof hash, NULL) == 64)
        assert_memory_equal(auth_noise_hash(side[0]), hash, 64);
    auth_noise_free(side[0]);
    auth_noise_free(side[1]);
}

/* All XX vectors of a file; how many. */
static int run_file(const char *path)
{
    static const char key[] = "\"protocol_name\": \"";
    static const char want[] = "Noise_XX_25519_ChaChaPoly_BLAKE2b\"";
    gp_buf text = {0};
    int n = 0;
    assert_int_equal(gp_read_file(AT_FDCWD, path, 8 << 20, &text, NULL), GP_OK);
    const char *p = gp_buf_str(&text), *end = p + text.len;
    while ((p = strstr(p, key)) != NULL) {
        p += sizeof key - 1;
        const char *next = strstr(p, key);
        if (strncmp(p, want, sizeof want - 1) == 0) {
            run_vector(&(vec){p, next ? next : end});
            n++;
        }
    }
    gp_buf_free(&text);
    return n;
}

static void test_own_vectors(void **state)
{
    (void)state;
    assert_int_equal(run_file(TEST_DATA_DIR "/noise/own-vectors.json"), 4);
}

static void test_published_vectors(void **state)
{
    (void)state;
    if (access(SHARED_DIR "/corpus/noise-vectors.json", R_OK) != 0) {
        skip_because("no " SHARED_DIR "/corpus/noise-vectors.json");
    }
    assert_int_equal(run_file(SHARED_DIR "/corpus/noise-vectors.json"), 2);
}

/* ---- handshakes of ours ---- */

typedef struct two {
    auth_identity *ia, *ib;
    auth_noise *a, *b;
} two;

static void two_new(two *t)
{
    assert_int_equal(auth_identity_new(AUTH_KIND_USER, "a", &t->ia, NULL), GP_OK);
    assert_int_equal(auth_identity_new(AUTH_KIND_AGENT, "b", &t->ib, NULL), GP_OK);
    assert_int_equal(auth_noise_new(t->ia, 1, "p", 1, &t->a, NULL), GP_OK);
    assert_int_equal(auth_noise_new(t->ib, 0, "p", 1, &t->b, NULL), GP_OK);
}

static void two_free(two *t)
{
    auth_noise_free(t->a);
    auth_noise_free(t->b);
    auth_identity_free(t->ia);
    auth_identity_free(t->ib);
}

/* Fresh states for the same keys. */
static void two_again(two *t, const char *prologue_b)
{
    auth_noise_free(t->a);
    auth_noise_free(t->b);
    assert_int_equal(auth_noise_new(t->ia, 1, "p", 1, &t->a, NULL), GP_OK);
    assert_int_equal(auth_noise_new(t->ib, 0, prologue_b, 1, &t->b, NULL), GP_OK);
}

/* Shake hands; in message `bad` the byte at `at` is changed (flip) or the rest cut off (flip 0).
 * Returns the first failing status. */
static gp_status shake(two *t, int bad, size_t at, uint8_t flip, size_t *len)
{
    gp_status st = GP_OK;
    for (int i = 0; i < 3 && st == GP_OK; i++) {
        auth_noise *w = i % 2 ? t->b : t->a, *r = i % 2 ? t->a : t->b;
        gp_buf msg = {0}, out = {0};
        st = auth_noise_write(w, "hello there", 11, &msg, NULL);
        if (st == GP_OK && i == bad) {
            *len = msg.len;
            if (at < msg.len && flip)
                msg.data[at] ^= flip;
            else if (at < msg.len)
                msg.len = at;
        }
        if (st == GP_OK)
            st = auth_noise_read(r, msg.data, msg.len, &out, NULL);
        gp_buf_free(&msg);
        gp_buf_free(&out);
    }
    return st;
}

static void test_good(void **state)
{
    (void)state;
    two t;
    size_t len;
    two_new(&t);
    assert_int_equal(shake(&t, -1, 0, 0, &len), GP_OK);
    assert_memory_equal(auth_noise_peer(t.a), auth_identity_dh_pk(t.ib), 32);
    assert_memory_equal(auth_noise_peer(t.b), auth_identity_dh_pk(t.ia), 32);
    /* Not a fourth message, not out of turn. */
    gp_buf out = {0};
    assert_int_equal(auth_noise_write(t.a, "", 0, &out, NULL), GP_EINVAL);
    assert_int_equal(auth_noise_read(t.b, "", 0, &out, NULL), GP_EINVAL);
    two_again(&t, "q"); /* other prologue */
    assert_int_equal(shake(&t, -1, 0, 0, &len), GP_EDENIED);
    two_free(&t);
}

/* Every byte of every handshake message, changed or cut there: the handshake fails. */
static void test_tampered_handshake(void **state)
{
    (void)state;
    two t;
    two_new(&t);
    for (int msg = 0; msg < 3; msg++) {
        size_t len = 1;
        for (size_t at = 0; at < len; at++)
            for (int cut = 0; cut < 2; cut++) {
                two_again(&t, "p");
                gp_status st = shake(&t, msg, at, cut ? 0 : 0x40, &len);
                /* Message 1 is in clear: a cut in its payload shows in message 2. */
                if (st != GP_EDENIED || (auth_noise_done(t.a) && auth_noise_done(t.b)))
                    fail_msg("message %d byte %zu %s: %s", msg, at, cut ? "cut" : "changed",
                             gp_status_name(st));
            }
    }
    two_free(&t);
}

static void test_records(void **state)
{
    (void)state;
    static uint8_t plain[AUTH_NOISE_MAX_PLAIN + 1], rec[AUTH_NOISE_MAX_MSG + 16], out[70000];
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1000, AUTH_NOISE_MAX_PLAIN};
    two t;
    size_t len;
    two_new(&t);
    assert_int_equal(shake(&t, -1, 0, 0, &len), GP_OK);
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * 31);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        assert_int_equal(auth_noise_encrypt(t.a, plain, sizes[i], rec, NULL), GP_OK);
        assert_int_equal(auth_noise_decrypt(t.b, rec, sizes[i] + 16, out, NULL), GP_OK);
        assert_true(memcmp(out, plain, sizes[i]) == 0);
        memcpy(rec, plain, sizes[i]); /* in place, the other way */
        assert_int_equal(auth_noise_encrypt(t.b, rec, sizes[i], rec, NULL), GP_OK);
        assert_int_equal(auth_noise_decrypt(t.a, rec, sizes[i] + 16, rec, NULL), GP_OK);
        assert_true(memcmp(rec, plain, sizes[i]) == 0);
    }
    assert_int_equal(auth_noise_encrypt(t.a, plain, sizeof plain, rec, NULL), GP_EINVAL);
    two_free(&t);
}

static void test_bad_records(void **state)
{
    (void)state;
    static const char *const cases[] = {"changed",   "cut",       "repeated", "reordered",
                                        "reflected", "too short", "none"};
    for (size_t i = 0; i < COUNT(cases); i++) {
        two t;
        size_t len, n = 26;
        uint8_t r1[26], r2[26], back[26], out[64];
        two_new(&t);
        assert_int_equal(shake(&t, -1, 0, 0, &len), GP_OK);
        assert_int_equal(auth_noise_encrypt(t.a, "0123456789", 10, r1, NULL), GP_OK);
        assert_int_equal(auth_noise_encrypt(t.a, "abcdefghij", 10, r2, NULL), GP_OK);
        assert_int_equal(auth_noise_encrypt(t.b, "zzzzzzzzzz", 10, back, NULL), GP_OK);
        const uint8_t *use = r1;
        auth_noise *to = t.b;
        switch (i) {
        case 0:
            r1[5] ^= 1;
            break;
        case 1:
            n = 25;
            break;
        case 2:
            assert_int_equal(auth_noise_decrypt(t.b, r1, 26, out, NULL), GP_OK);
            break;
        case 3:
            use = r2;
            break;
        case 4: /* a's own record comes back to a */
            to = t.a;
            break;
        case 5:
            n = 15;
            break;
        default:
            break;
        }
        gp_status want = i == 6 ? GP_OK : GP_EDENIED;
        if (auth_noise_decrypt(to, use, n, out, NULL) != want)
            fail_msg("%s: want %s", cases[i], gp_status_name(want));
        if (want != GP_OK && auth_noise_decrypt(to, to == t.a ? back : r1, 26, out, NULL) == GP_OK)
            fail_msg("%s: the channel lives on", cases[i]);
        two_free(&t);
    }
}

/* Points of small order give an all-zero secret: refused on both sides. */
static void test_degenerate_keys(void **state)
{
    (void)state;
    static const uint8_t zero[32], one[32] = {1};
    const uint8_t *const bad[] = {zero, one};
    for (size_t i = 0; i < COUNT(bad); i++) {
        two t;
        gp_buf out = {0}, got = {0};
        two_new(&t);
        assert_int_equal(auth_noise_read(t.b, bad[i], 32, &got, NULL), GP_OK);
        assert_int_equal(auth_noise_write(t.b, "", 0, &out, NULL), GP_EDENIED);
        assert_int_equal(auth_noise_write(t.b, "", 0, &out, NULL), GP_EINVAL); /* dead */
        gp_buf_free(&out);
        gp_buf_free(&got);
        two_free(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_vectors),
        cmocka_unit_test(test_published_vectors),
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_tampered_handshake),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_bad_records),
        cmocka_unit_test(test_degenerate_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
