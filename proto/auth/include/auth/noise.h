/* noise.h - Noise_XX_25519_ChaChaPoly_BLAKE2b (Noise revision 34) without any I/O. */
#ifndef AUTH_NOISE_H
#define AUTH_NOISE_H

#include "auth/keys.h"

enum {
    AUTH_NOISE_MAX_MSG = 65535, /* bytes of a handshake message or transport record */
    AUTH_NOISE_TAG = 16,
    AUTH_NOISE_MAX_PLAIN = AUTH_NOISE_MAX_MSG - AUTH_NOISE_TAG
};

/* One handshake, then two cipher states. One thread at a time, except that encrypting and
 * decrypting may go on in two threads at once. */
typedef struct auth_noise auth_noise;

/* prologue: bytes both sides must agree on. id must outlive the handshake. */
gp_status auth_noise_new(const auth_identity *id, int initiator, const void *prologue,
                         size_t prologue_len, auth_noise **out, gp_err *err) GP_MUST_CHECK;
/* For test vectors: raw 32-byte secrets instead of an identity and a random ephemeral. */
gp_status auth_noise_new_raw(const uint8_t s_sk[AUTH_DH], const uint8_t e_sk[AUTH_DH],
                             int initiator, const void *prologue, size_t prologue_len,
                             auth_noise **out, gp_err *err) GP_MUST_CHECK;
void auth_noise_free(auth_noise *n);

/* Handshake: messages alternate, the initiator writes first; three in all (XX). Appends to out.
 * GP_EDENIED when a message does not authenticate. */
gp_status auth_noise_write(auth_noise *n, const void *payload, size_t len, gp_buf *out,
                           gp_err *err) GP_MUST_CHECK;
gp_status auth_noise_read(auth_noise *n, const void *msg, size_t len, gp_buf *payload,
                          gp_err *err) GP_MUST_CHECK;
int auth_noise_done(const auth_noise *n); /* 1 when transport records may flow */
/* Channel key of the peer; valid once it was received (before done for the responder's check). */
const uint8_t *auth_noise_peer(const auth_noise *n);
const uint8_t *auth_noise_hash(const auth_noise *n); /* 64-byte handshake hash h, channel binding */

/* Transport: plain <= AUTH_NOISE_MAX_PLAIN bytes; out gets len + 16 bytes and may be plain itself
 * (in place). Nonces count up; at 2^64 - 1 GP_ELIMIT. */
gp_status auth_noise_encrypt(auth_noise *n, const void *plain, size_t len, void *out,
                             gp_err *err) GP_MUST_CHECK;
/* len includes the tag; out gets len - 16 bytes. GP_EDENIED when forged; the channel is then dead.
 */
gp_status auth_noise_decrypt(auth_noise *n, const void *ct, size_t len, void *out,
                             gp_err *err) GP_MUST_CHECK;

#endif
