/* digest.c - BLAKE2b-256 and random bytes from libsodium. */
#include "auth/digest.h"

#include <sodium.h>
#include <string.h>

_Static_assert(sizeof(crypto_generichash_state) <= sizeof(((auth_digest *)0)->state),
               "room for libsodium's state");

static crypto_generichash_state *state_of(auth_digest *d)
{
    return (crypto_generichash_state *)(void *)d->state;
}

void auth_digest_init(auth_digest *d)
{
    crypto_generichash_init(state_of(d), NULL, 0, AUTH_HASH);
}

void auth_digest_add(auth_digest *d, const void *bytes, size_t len)
{
    crypto_generichash_update(state_of(d), bytes, len);
}

void auth_digest_final(auth_digest *d, uint8_t out[AUTH_HASH])
{
    crypto_generichash_final(state_of(d), out, AUTH_HASH);
}

void auth_random(void *out, size_t n)
{
    randombytes_buf(out, n);
}

int auth_equal(const void *a, const void *b, size_t n)
{
    return sodium_memcmp(a, b, n) == 0;
}
