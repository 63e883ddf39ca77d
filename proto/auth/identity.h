/* identity.h - private layout of an identity and helpers shared by the files of this room. */
#ifndef AUTH_IDENTITY_H
#define AUTH_IDENTITY_H

#include "auth/cert.h"
#include "auth/keys.h"

#include <pthread.h>

enum { AUTH_SEED = 32, AUTH_NAME_MAX = 64, AUTH_KEY_FILE_MAX = 4096 };

/* Beside the secret, in ordinary memory: changes while the rest is read-only. */
typedef struct auth_certs {
    pthread_mutex_t lock; /* protects chain */
    auth_chain chain;
    char *path; /* of the .crt file; constant after loading */
} auth_certs;

/* Lives in sodium_malloc() memory: locked, between guard pages. */
struct auth_identity {
    auth_certs *certs;
    auth_kind kind;
    char name[AUTH_NAME_MAX + 1];
    uint8_t seed[AUTH_SEED];
    uint8_t sign_pk[AUTH_SIGN_PK], sign_sk[AUTH_SIGN_SK];
    uint8_t dh_pk[AUTH_DH], dh_sk[AUTH_DH];
    uint8_t
        dh_sig[AUTH_SIG]; /* auth_sign("dh-key", dh_pk): binds the channel key to the identity */
};

/* sodium_init() once per process; GP_EIO when the library cannot get random bytes. */
gp_status auth_init(gp_err *err) GP_MUST_CHECK;

/* 1 when name is 1..64 of [A-Za-z0-9._@-]. */
int auth_name_ok(const char *name, size_t len);

/* Identity from its 32-byte seed (RFC 8032); name must be valid. */
gp_status auth_identity_from_seed(auth_kind kind, const char *name, const uint8_t seed[AUTH_SEED],
                                  auth_identity **out, gp_err *err) GP_MUST_CHECK;

/* GP_OK when fresh differs from old by serial number, issuer and a later end only. */
gp_status auth_cert_prolongs(const auth_cert *old, const auth_cert *fresh,
                             gp_err *err) GP_MUST_CHECK;

#endif
