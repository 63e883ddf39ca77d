/* aead_test.c - records' ChaCha20-Poly1305 against RFC 8439, against libsodium's, and against
 * tampering. */
#include "aead.h"

#include "gp/num.h"
#include "test.h"

#include <sodium.h>

enum { MOST = 65519 };

static uint8_t plain[MOST], sealed[MOST + AUTH_AEAD_TAG], other[MOST + AUTH_AEAD_TAG], back[MOST];

static auth_aead *with_key(const uint8_t key[AUTH_AEAD_KEY])
{
    auth_aead *a = NULL;
    gp_err err = {0};
    if (auth_aead_new(key, &a, &err) != GP_OK)
        fail_msg("%s", err.msg);
    return a;
}

/* The cipher text of RFC 8439, 2.8.2; its tag also covers additional data, which records do not
 * have. */
static void test_rfc8439(void **state)
{
    (void)state;
    static const char text[] =
        "Ladies and Gentlemen of the class of '99: If I could offer you only one "
        "tip for the future, sunscreen would be it.";
    static const uint8_t nonce[12] = {7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47};
    static const uint8_t expected[16] = {0xd3, 0x1a, 0x8d, 0x34, 0x64, 0x8e, 0x60, 0xdb,
                                         0x7b, 0x86, 0xaf, 0xbc, 0x53, 0xef, 0x7e, 0xc2};
    uint8_t key[AUTH_AEAD_KEY];
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(0x80 + i);
    auth_aead *a = with_key(key);
    assert_int_equal(auth_aead_seal(a, nonce, text, sizeof text - 1, sealed), 0);
    assert_memory_equal(sealed, expected, sizeof expected);
    auth_aead_free(a);
}

/* Every length around the sizes of blocks and vector loops, and those of full records. */
static void test_same_as_libsodium(void **state)
{
    (void)state;
    uint8_t key[AUTH_AEAD_KEY], nonce[AUTH_AEAD_NONCE] = {0};
    randombytes_buf(key, sizeof key);
    randombytes_buf(plain, sizeof plain);
    auth_aead *a = with_key(key);
    for (size_t len = 0; len <= MOST; len += len < 1100 ? 1 : len < 64000 ? 4999 : 1519) {
        gp_put_le64(nonce + 4, len * 0x100000001u);
        assert_int_equal(auth_aead_seal(a, nonce, plain, len, sealed), 0);
        unsigned long long n;
        crypto_aead_chacha20poly1305_ietf_encrypt(other, &n, plain, len, NULL, 0, NULL, nonce, key);
        assert_int_equal(n, len + AUTH_AEAD_TAG);
        assert_memory_equal(sealed, other, n);
        assert_int_equal(auth_aead_open(a, nonce, sealed, n, back), 0);
        assert_memory_equal(back, plain, len);
        memcpy(other, plain, len); /* in place */
        assert_int_equal(auth_aead_seal(a, nonce, other, len, other), 0);
        assert_memory_equal(other, sealed, n);
        assert_int_equal(auth_aead_open(a, nonce, other, n, other), 0);
        assert_memory_equal(other, plain, len);
    }
    auth_aead_free(a);
}

/* A wrong tag, a changed byte, another nonce or key: refused, and no plaintext stays behind. */
static void test_forged(void **state)
{
    (void)state;
    enum { LEN = 300 };
    static const uint8_t nothing[LEN];
    uint8_t key[AUTH_AEAD_KEY] = {1}, nonce[AUTH_AEAD_NONCE] = {2}, nonce2[AUTH_AEAD_NONCE] = {3};
    auth_aead *a = with_key(key);
    randombytes_buf(plain, LEN);
    assert_int_equal(auth_aead_seal(a, nonce, plain, LEN, sealed), 0);
    for (size_t at = 0; at < LEN + AUTH_AEAD_TAG; at++) {
        sealed[at] ^= 0x10;
        memset(back, 0xee, LEN);
        assert_int_not_equal(auth_aead_open(a, nonce, sealed, LEN + AUTH_AEAD_TAG, back), 0);
        assert_memory_equal(back, nothing, LEN);
        sealed[at] ^= 0x10;
    }
    assert_int_not_equal(auth_aead_open(a, nonce2, sealed, LEN + AUTH_AEAD_TAG, back), 0);
    assert_int_not_equal(auth_aead_open(a, nonce, sealed, LEN + AUTH_AEAD_TAG - 1, back), 0);
    assert_int_not_equal(auth_aead_open(a, nonce, sealed, AUTH_AEAD_TAG, back), 0);
    key[0] ^= 1;
    auth_aead *b = with_key(key);
    assert_int_not_equal(auth_aead_open(b, nonce, sealed, LEN + AUTH_AEAD_TAG, back), 0);
    assert_int_equal(auth_aead_open(a, nonce, sealed, LEN + AUTH_AEAD_TAG, back), 0);
    assert_memory_equal(back, plain, LEN);
    auth_aead_free(a);
    auth_aead_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc8439),
        cmocka_unit_test(test_same_as_libsodium),
        cmocka_unit_test(test_forged),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
