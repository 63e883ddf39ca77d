/* digest.h - BLAKE2b-256 over a stream of bytes, and random bytes from the system. */
#ifndef AUTH_DIGEST_H
#define AUTH_DIGEST_H

#include "auth/keys.h"

#include <stddef.h>
#include <stdint.h>

/* State of one digest; a plain value, copied freely. One thread. */
typedef struct auth_digest {
    _Alignas(64) uint8_t state[384];
} auth_digest;

void auth_digest_init(auth_digest *d);
void auth_digest_add(auth_digest *d, const void *bytes, size_t len);
/* The digest of all bytes added; d must be initialised again before further use. */
void auth_digest_final(auth_digest *d, uint8_t out[AUTH_HASH]);

/* n random bytes (getrandom(2) through libsodium). Never fails. */
void auth_random(void *out, size_t n);

/* Equal in constant time. */
int auth_equal(const void *a, const void *b, size_t n);

#endif
