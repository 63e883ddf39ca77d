/* noise.c - Noise_XX_25519_ChaChaPoly_BLAKE2b: handshake and transport cipher states.
 *
 * Names follow the Noise Protocol Framework, revision 34: h, ck, k, n, s, e, rs, re; section
 * numbers in comments are its. Each state is plain memory, wiped when freed: its keys die with the
 * connection, and locking a page for each of thousands of connections is not affordable. */
#include "auth/noise.h"

#include "aead.h"
#include "gp/mem.h"
#include "identity.h"

#include <sodium.h>
#include <string.h>

enum { HASHLEN = 64, BLOCKLEN = 128, KEYLEN = 32 };

static const char NAME[] = "Noise_XX_25519_ChaChaPoly_BLAKE2b";

/* 5.1 CipherState of the handshake */
typedef struct cipher {
    uint8_t k[KEYLEN];
    uint64_t n;
    int has_key;
} cipher;

/* One direction after the split */
typedef struct channel {
    auth_aead *aead; /* NULL before */
    uint64_t n;
    int dead;
} channel;

struct auth_noise {
    uint8_t h[HASHLEN], ck[HASHLEN];
    cipher hs;
    channel tx, rx;
    const uint8_t *s_sk; /* the identity's, in locked memory; NULL after the handshake */
    uint8_t raw_sk[AUTH_DH], s_pk[AUTH_DH];
    uint8_t e_sk[AUTH_DH], e_pk[AUTH_DH];
    uint8_t rs[AUTH_DH], re[AUTH_DH];
    int initiator, fixed_e, step, failed; /* step: messages written and read so far, 0..3 */
};

/* ---- 4.3 hash functions, 5.2 SymmetricState ---- */

static void hash2(const void *a, size_t an, const void *b, size_t bn, uint8_t out[HASHLEN])
{
    crypto_generichash_blake2b_state st;
    crypto_generichash_blake2b_init(&st, NULL, 0, HASHLEN);
    crypto_generichash_blake2b_update(&st, a, an);
    crypto_generichash_blake2b_update(&st, b, bn);
    crypto_generichash_blake2b_final(&st, out, HASHLEN);
}

/* HMAC (RFC 2104) over BLAKE2b-512, as 4.3 asks for; key is HASHLEN bytes. data = a || b. */
static void hmac(const uint8_t key[HASHLEN], const void *a, size_t an, const void *b, size_t bn,
                 uint8_t out[HASHLEN])
{
    uint8_t pad[BLOCKLEN], inner[HASHLEN];
    crypto_generichash_blake2b_state st;
    memset(pad, 0x36, sizeof pad);
    for (size_t i = 0; i < HASHLEN; i++)
        pad[i] ^= key[i];
    crypto_generichash_blake2b_init(&st, NULL, 0, HASHLEN);
    crypto_generichash_blake2b_update(&st, pad, sizeof pad);
    crypto_generichash_blake2b_update(&st, a, an);
    crypto_generichash_blake2b_update(&st, b, bn);
    crypto_generichash_blake2b_final(&st, inner, HASHLEN);
    for (size_t i = 0; i < BLOCKLEN; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    hash2(pad, sizeof pad, inner, sizeof inner, out);
    sodium_memzero(pad, sizeof pad);
    sodium_memzero(inner, sizeof inner);
    sodium_memzero(&st, sizeof st);
}

static void hkdf2(const uint8_t ck[HASHLEN], const void *ikm, size_t len, uint8_t out1[HASHLEN],
                  uint8_t out2[HASHLEN])
{
    static const uint8_t one = 1, two = 2;
    uint8_t temp[HASHLEN], o1[HASHLEN];
    hmac(ck, ikm, len, NULL, 0, temp);
    hmac(temp, &one, 1, NULL, 0, o1);
    hmac(temp, o1, HASHLEN, &two, 1, out2);
    memcpy(out1, o1, HASHLEN);
    sodium_memzero(temp, sizeof temp);
    sodium_memzero(o1, sizeof o1);
}

static void mix_hash(auth_noise *n, const void *data, size_t len)
{
    hash2(n->h, HASHLEN, data, len, n->h);
}

static void mix_key(auth_noise *n, const uint8_t ikm[AUTH_DH])
{
    uint8_t temp[HASHLEN];
    hkdf2(n->ck, ikm, AUTH_DH, n->ck, temp);
    memcpy(n->hs.k, temp, KEYLEN); /* truncated to 32 bytes because HASHLEN is 64 */
    n->hs.n = 0;
    n->hs.has_key = 1;
    sodium_memzero(temp, sizeof temp);
}

/* 12.3: 32 zero bits, then the counter in little endian. */
static void nonce(uint64_t n, uint8_t out[12])
{
    memset(out, 0, 4);
    gp_put_le64(out + 4, n);
}

static void encrypt_and_hash(auth_noise *n, const void *plain, size_t len, gp_buf *out)
{
    size_t tag = n->hs.has_key ? AUTH_NOISE_TAG : 0;
    uint8_t iv[12], *dst = gp_buf_reserve(out, len + tag + 1);
    if (!dst)
        return; /* the caller sees out->failed */
    if (n->hs.has_key) {
        nonce(n->hs.n++, iv);
        crypto_aead_chacha20poly1305_ietf_encrypt(dst, NULL, plain, len, n->h, HASHLEN, NULL, iv,
                                                  n->hs.k);
    } else if (len) {
        memcpy(dst, plain, len);
    }
    out->len += len + tag;
    mix_hash(n, dst, len + tag);
}

/* cipher[0..len) -> out[0..len - tag). 0 on success. */
static int decrypt_and_hash(auth_noise *n, const uint8_t *ct, size_t len, uint8_t *out)
{
    uint8_t iv[12];
    if (n->hs.has_key) {
        if (len < AUTH_NOISE_TAG)
            return -1;
        nonce(n->hs.n, iv);
        if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, ct, len, n->h, HASHLEN, iv,
                                                      n->hs.k) != 0)
            return -1;
        n->hs.n++;
    } else if (len) {
        memcpy(out, ct, len);
    }
    mix_hash(n, ct, len);
    return 0;
}

/* ---- 5.3 HandshakeState, pattern XX of 7.5 ----
 *   -> e
 *   <- e, ee, s, es
 *   -> s, se            */

static gp_status mix_dh(auth_noise *n, const uint8_t sk[AUTH_DH], const uint8_t pk[AUTH_DH],
                        gp_err *err)
{
    uint8_t shared[AUTH_DH];
    /* Refuses points of small order: the all-zero result (12.1 leaves that to us). */
    if (crypto_scalarmult_curve25519(shared, sk, pk) != 0)
        return gp_fail(err, GP_EDENIED, 0, "handshake: the peer sent a degenerate public key");
    mix_key(n, shared);
    sodium_memzero(shared, sizeof shared);
    return GP_OK;
}

static gp_status split(auth_noise *n, gp_err *err)
{
    uint8_t k1[HASHLEN], k2[HASHLEN];
    hkdf2(n->ck, NULL, 0, k1, k2);
    gp_status st = auth_aead_new(k1, n->initiator ? &n->tx.aead : &n->rx.aead, err);
    if (st == GP_OK)
        st = auth_aead_new(k2, n->initiator ? &n->rx.aead : &n->tx.aead, err);
    sodium_memzero(k1, sizeof k1);
    sodium_memzero(k2, sizeof k2);
    sodium_memzero(n->ck, sizeof n->ck);
    sodium_memzero(n->e_sk, sizeof n->e_sk);
    sodium_memzero(n->raw_sk, sizeof n->raw_sk);
    n->s_sk = NULL;
    sodium_memzero(&n->hs, sizeof n->hs);
    return st;
}

/* After each message: the third ends the handshake. A failure is for good. */
static gp_status step_done(auth_noise *n, gp_status st, gp_err *err)
{
    if (st == GP_OK && ++n->step == 3)
        st = split(n, err);
    if (st != GP_OK)
        n->failed = 1;
    return st;
}

static gp_status noise_new(const uint8_t s_sk[AUTH_DH], const uint8_t s_pk[AUTH_DH],
                           const uint8_t *e_sk, int initiator, const void *prologue, size_t len,
                           auth_noise **out, gp_err *err)
{
    GP_TRY(auth_init(err));
    auth_noise *n = gp_calloc(1, sizeof *n);
    if (!n)
        return gp_fail(err, GP_ENOMEM, 0, "handshake: out of memory");
    n->initiator = initiator != 0;
    n->s_sk = s_sk;
    memcpy(n->s_pk, s_pk, AUTH_DH);
    if (e_sk) {
        memcpy(n->e_sk, e_sk, AUTH_DH);
        n->fixed_e = 1;
        memcpy(n->raw_sk, s_sk, AUTH_DH);
        n->s_sk = n->raw_sk;
    }
    /* The name is shorter than HASHLEN: padded with zeros, not hashed. */
    memcpy(n->h, NAME, sizeof NAME - 1);
    memcpy(n->ck, n->h, HASHLEN);
    mix_hash(n, prologue, len);
    *out = n;
    return GP_OK;
}

gp_status auth_noise_new(const auth_identity *id, int initiator, const void *prologue,
                         size_t prologue_len, auth_noise **out, gp_err *err)
{
    return noise_new(id->dh_sk, id->dh_pk, NULL, initiator, prologue, prologue_len, out, err);
}

gp_status auth_noise_new_raw(const uint8_t s_sk[AUTH_DH], const uint8_t e_sk[AUTH_DH],
                             int initiator, const void *prologue, size_t prologue_len,
                             auth_noise **out, gp_err *err)
{
    uint8_t s_pk[AUTH_DH];
    GP_TRY(auth_init(err));
    crypto_scalarmult_curve25519_base(s_pk, s_sk);
    return noise_new(s_sk, s_pk, e_sk, initiator, prologue, prologue_len, out, err);
}

void auth_noise_free(auth_noise *n)
{
    if (!n)
        return;
    auth_aead_free(n->tx.aead);
    auth_aead_free(n->rx.aead);
    sodium_memzero(n, sizeof *n);
    gp_free(n);
}

static int our_turn(const auth_noise *n)
{
    return !n->failed && n->step < 3 && (n->step % 2 == 0) == n->initiator;
}

static int their_turn(const auth_noise *n)
{
    return !n->failed && n->step < 3 && (n->step % 2 == 0) != n->initiator;
}

static void write_e(auth_noise *n, gp_buf *out)
{
    if (!n->fixed_e)
        randombytes_buf(n->e_sk, AUTH_DH);
    crypto_scalarmult_curve25519_base(n->e_pk, n->e_sk);
    gp_buf_add(out, n->e_pk, AUTH_DH);
    mix_hash(n, n->e_pk, AUTH_DH);
}

static gp_status write_tokens(auth_noise *n, gp_buf *out, gp_err *err)
{
    switch (n->step) {
    case 0:
        write_e(n, out);
        return GP_OK;
    case 1:
        write_e(n, out);
        GP_TRY(mix_dh(n, n->e_sk, n->re, err));
        encrypt_and_hash(n, n->s_pk, AUTH_DH, out);
        return mix_dh(n, n->s_sk, n->re, err);
    default:
        encrypt_and_hash(n, n->s_pk, AUTH_DH, out);
        return mix_dh(n, n->s_sk, n->re, err);
    }
}

gp_status auth_noise_write(auth_noise *n, const void *payload, size_t len, gp_buf *out, gp_err *err)
{
    size_t fixed = n->step == 0 ? AUTH_DH : (n->step == 1 ? 2 * AUTH_DH + 32 : AUTH_DH + 32);
    if (!our_turn(n))
        return gp_fail(err, GP_EINVAL, 0, "handshake: not our turn to write");
    if (len > AUTH_NOISE_MAX_MSG - fixed)
        return gp_fail(err, GP_ELIMIT, 0, "handshake: payload of %zu bytes is too long", len);
    gp_status st = write_tokens(n, out, err);
    if (st == GP_OK) {
        encrypt_and_hash(n, payload, len, out);
        if (out->failed)
            st = gp_fail(err, GP_ENOMEM, 0, "handshake: out of memory");
    }
    return step_done(n, st, err);
}

static int read_e(auth_noise *n, const uint8_t **p, size_t *len)
{
    if (*len < AUTH_DH)
        return -1;
    memcpy(n->re, *p, AUTH_DH);
    mix_hash(n, n->re, AUTH_DH);
    *p += AUTH_DH;
    *len -= AUTH_DH;
    return 0;
}

static int read_s(auth_noise *n, const uint8_t **p, size_t *len)
{
    enum { S = AUTH_DH + AUTH_NOISE_TAG };
    if (*len < S || decrypt_and_hash(n, *p, S, n->rs) != 0)
        return -1;
    *p += S;
    *len -= S;
    return 0;
}

static gp_status forged(gp_err *err)
{
    return gp_fail(err, GP_EDENIED, 0, "handshake: a message is cut short, changed or forged");
}

static gp_status read_tokens(auth_noise *n, const uint8_t **p, size_t *len, gp_err *err)
{
    switch (n->step) {
    case 0:
        return read_e(n, p, len) == 0 ? GP_OK : forged(err);
    case 1:
        if (read_e(n, p, len) != 0)
            return forged(err);
        GP_TRY(mix_dh(n, n->e_sk, n->re, err));
        if (read_s(n, p, len) != 0)
            return forged(err);
        return mix_dh(n, n->e_sk, n->rs, err);
    default:
        if (read_s(n, p, len) != 0)
            return forged(err);
        return mix_dh(n, n->e_sk, n->rs, err);
    }
}

gp_status auth_noise_read(auth_noise *n, const void *msg, size_t len, gp_buf *payload, gp_err *err)
{
    const uint8_t *p = msg;
    if (!their_turn(n))
        return gp_fail(err, GP_EINVAL, 0, "handshake: not our turn to read");
    if (len > AUTH_NOISE_MAX_MSG)
        return gp_fail(err, GP_ELIMIT, 0, "handshake: message of %zu bytes", len);
    gp_status st = read_tokens(n, &p, &len, err);
    if (st == GP_OK) {
        uint8_t *dst = gp_buf_reserve(payload, len + 1);
        if (!dst)
            st = gp_fail(err, GP_ENOMEM, 0, "handshake: out of memory");
        else if (decrypt_and_hash(n, p, len, dst) != 0)
            st = forged(err);
        else
            payload->len += len - (n->hs.has_key ? AUTH_NOISE_TAG : 0);
    }
    return step_done(n, st, err);
}

int auth_noise_done(const auth_noise *n)
{
    return n->step == 3 && !n->failed;
}

const uint8_t *auth_noise_peer(const auth_noise *n)
{
    return n->rs;
}

const uint8_t *auth_noise_hash(const auth_noise *n)
{
    return n->h;
}

/* ---- records after Split() ---- */

gp_status auth_noise_encrypt(auth_noise *n, const void *plain, size_t len, void *out, gp_err *err)
{
    uint8_t iv[12];
    if (!n->tx.aead || len > AUTH_NOISE_MAX_PLAIN)
        return gp_fail(err, GP_EINVAL, 0, "channel: %zu bytes do not fit a record", len);
    if (n->tx.n == UINT64_MAX)
        return gp_fail(err, GP_ELIMIT, 0, "channel: all nonces are used up");
    nonce(n->tx.n++, iv);
    if (auth_aead_seal(n->tx.aead, iv, plain, len, out) != 0)
        return gp_fail(err, GP_EIO, 0, "channel: encryption failed");
    return GP_OK;
}

gp_status auth_noise_decrypt(auth_noise *n, const void *ct, size_t len, void *out, gp_err *err)
{
    uint8_t iv[12];
    if (!n->rx.aead || n->rx.dead)
        return gp_fail(err, GP_EDENIED, 0, "channel: not open");
    if (len < AUTH_NOISE_TAG || len > AUTH_NOISE_MAX_MSG || n->rx.n == UINT64_MAX) {
        n->rx.dead = 1;
        return gp_fail(err, GP_EDENIED, 0, "channel: record of %zu bytes", len);
    }
    nonce(n->rx.n, iv);
    if (auth_aead_open(n->rx.aead, iv, ct, len, out) != 0) {
        n->rx.dead = 1;
        return gp_fail(err, GP_EDENIED, 0, "channel: a record was changed, repeated or reordered");
    }
    n->rx.n++;
    return GP_OK;
}
