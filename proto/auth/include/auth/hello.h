/* hello.h - what the two ends of a channel tell each other in the handshake (docs/protocol.md,
 * "Hello"): protocol versions, features, identity. */
#ifndef AUTH_HELLO_H
#define AUTH_HELLO_H

#include "auth/cert.h"
#include "auth/keys.h"

enum {
    AUTH_PROTO_MIN = 1, /* protocol versions this build speaks */
    AUTH_PROTO_MAX = 1,
    AUTH_HELLO_MAX = 4096, /* bytes of an encoded hello */
};

/* A decoded hello. */
typedef struct auth_hello {
    uint8_t min_version, max_version;
    uint32_t features; /* bits both sides must have set to use (wire/features.h) */
    int has_identity;
    uint8_t sign_pk[AUTH_SIGN_PK];
    uint8_t dh_sig[AUTH_SIG]; /* auth_sign("dh-key") over the channel key */
    auth_chain chain;         /* certificates, leaf first; none in a fleet without */
    size_t n_fleets;          /* revocation lists that the peer has */
    auth_fleet_state fleets[AUTH_MAX_FLEETS];
} auth_hello;

/* Append a hello. id NULL: without identity (first handshake message, or an anonymous client on a
 * local socket). trust (may be NULL): whose list numbers to tell. Check out->failed. */
void auth_hello_encode(const auth_identity *id, auth_trust *trust, uint32_t features, gp_buf *out);

/* Untrusted bytes. GP_ECORRUPT when malformed, GP_EUNSUPPORTED when a field is critical and
 * unknown. */
gp_status auth_hello_decode(const void *bytes, size_t len, auth_hello *out,
                            gp_err *err) GP_MUST_CHECK;

/* The highest version both speak, or 0 with a text in err that names both ranges. */
unsigned auth_hello_version(const auth_hello *peer, gp_err *err);

/* Who the peer is: its channel key must be bound to its identity by signature, and the identity be
 * trusted at now_s. dh_pk: the static key the Noise handshake proved. dialed: 1 = it is the peer
 * that we called, so the text is for our user; 0 = the text is for the peer. GP_EDENIED otherwise.
 */
gp_status auth_hello_verify(const auth_hello *h, auth_trust *t, const uint8_t dh_pk[AUTH_DH],
                            int64_t now_s, int dialed, auth_peer *out, gp_err *err) GP_MUST_CHECK;

#endif
