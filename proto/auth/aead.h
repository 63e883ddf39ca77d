/* aead.h - ChaCha20-Poly1305 (RFC 8439) of the records of a channel, by libgcrypt: with AVX2 it
 * takes half the time of libsodium's from 1 KiB on, and no more below. Private to auth. */
#ifndef AUTH_AEAD_H
#define AUTH_AEAD_H

#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>

enum { AUTH_AEAD_KEY = 32, AUTH_AEAD_NONCE = 12, AUTH_AEAD_TAG = 16 };

/* The state of one key; used by one thread at a time. */
typedef struct gcry_cipher_handle auth_aead;

/* The key is copied. GP_EUNSUPPORTED when the system forbids the cipher (FIPS mode). */
gp_status auth_aead_new(const uint8_t key[AUTH_AEAD_KEY], auth_aead **out,
                        gp_err *err) GP_MUST_CHECK;
void auth_aead_free(auth_aead *a); /* wipes the key; NULL is fine */

/* out gets len + AUTH_AEAD_TAG bytes; it is plain itself or does not overlap it. 0 on success. */
int auth_aead_seal(auth_aead *a, const uint8_t nonce[AUTH_AEAD_NONCE], const void *plain,
                   size_t len, void *out) GP_MUST_CHECK;

/* len includes the tag and is at least that; out gets len - AUTH_AEAD_TAG bytes, and none of them
 * stays there when the tag is wrong: then not 0. */
int auth_aead_open(auth_aead *a, const uint8_t nonce[AUTH_AEAD_NONCE], const void *ct, size_t len,
                   void *out) GP_MUST_CHECK;

#endif
