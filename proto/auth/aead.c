/* aead.c - ChaCha20-Poly1305 of records by libgcrypt; see aead.h. */
#include "aead.h"

#include <gcrypt.h>
#include <pthread.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* A program beside us may have set libgcrypt up already. Session keys are plain memory (noise.c),
 * so its pool of locked memory is not wanted. */
static void init_gcrypt(void)
{
    if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P))
        return;
    (void)gcry_check_version(NULL);
    (void)gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
    (void)gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
}

gp_status auth_aead_new(const uint8_t key[AUTH_AEAD_KEY], auth_aead **out, gp_err *err)
{
    gcry_cipher_hd_t h = NULL;

    pthread_once(&once, init_gcrypt);
    gcry_error_t e = gcry_cipher_open(&h, GCRY_CIPHER_CHACHA20, GCRY_CIPHER_MODE_POLY1305, 0);
    if (!e)
        e = gcry_cipher_setkey(h, key, AUTH_AEAD_KEY);
    if (!e) {
        *out = h;
        return GP_OK;
    }
    gcry_cipher_close(h);
    return gp_fail(err, gcry_err_code(e) == GPG_ERR_ENOMEM ? GP_ENOMEM : GP_EUNSUPPORTED, 0,
                   "channel: ChaCha20-Poly1305: %s", gcry_strerror(e));
}

void auth_aead_free(auth_aead *a)
{
    gcry_cipher_close(a);
}

/* libgcrypt wants NULL for "in place". */
static const void *source(const void *in, const void *out)
{
    return in == out ? NULL : in;
}

int auth_aead_seal(auth_aead *a, const uint8_t nonce[AUTH_AEAD_NONCE], const void *plain,
                   size_t len, void *out)
{
    const void *in = source(plain, out);

    if (gcry_cipher_setiv(a, nonce, AUTH_AEAD_NONCE))
        return -1;
    if (len && gcry_cipher_encrypt(a, out, len, in, in ? len : 0))
        return -1;
    return gcry_cipher_gettag(a, (uint8_t *)out + len, AUTH_AEAD_TAG) ? -1 : 0;
}

int auth_aead_open(auth_aead *a, const uint8_t nonce[AUTH_AEAD_NONCE], const void *ct, size_t len,
                   void *out)
{
    const void *in = source(ct, out);
    size_t n = len - AUTH_AEAD_TAG;
    uint8_t tag[AUTH_AEAD_TAG];

    memcpy(tag, (const uint8_t *)ct + n, sizeof tag);
    if (gcry_cipher_setiv(a, nonce, AUTH_AEAD_NONCE))
        return -1;
    if (n && gcry_cipher_decrypt(a, out, n, in, in ? n : 0))
        return -1;
    if (gcry_cipher_checktag(a, tag, sizeof tag) == 0)
        return 0;
    if (n)
        memset(out, 0, n);
    return -1;
}
