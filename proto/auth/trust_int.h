/* trust_int.h - inside of auth_trust, for trust.c and learned.c. */
#ifndef AUTH_TRUST_INT_H
#define AUTH_TRUST_INT_H

#include "auth/cert.h"
#include "auth/keys.h"

#include <pthread.h>
#include <stdatomic.h>

/* Entries of a file, sorted by sign_pk. */
typedef struct auth_keyset {
    auth_peer *peers;
    size_t n, cap;
} auth_keyset;

typedef struct auth_fleet {
    uint8_t pk[AUTH_SIGN_PK];
    char name[65];
    auth_revlist list; /* number 0: none */
    gp_buf bytes;      /* encoded list */
} auth_fleet;

/* A peer known by certificate. */
typedef struct auth_learned {
    auth_peer peer;
    uint8_t serial[AUTH_SERIAL], fleet[AUTH_SIGN_PK];
    uint8_t issuer_serial[AUTH_SERIAL], issuer_pk[AUTH_SIGN_PK]; /* all zero: the fleet's key */
    int64_t issuer_until_s;
    struct auth_learned *next; /* in its bucket */
} auth_learned;

enum { AUTH_LEARNED_MAX = 65536, AUTH_LEARNED_BUCKETS = 4096 };

struct auth_trust {
    pthread_rwlock_t lock; /* protects everything below */
    auth_keyset set;
    auth_fleet fleets[AUTH_MAX_FLEETS];
    size_t n_fleets;
    auth_learned **buckets; /* AUTH_LEARNED_BUCKETS; NULL until the first */
    size_t n_learned;
    char *path; /* of the trusted_keys file; NULL = none */
    atomic_uint_fast64_t generation;
};

/* Lock held. */
const auth_learned *auth_learned_find(const auth_trust *t, const uint8_t pk[AUTH_SIGN_PK],
                                      int64_t now_s);
void auth_learned_clear(auth_trust *t);
/* Did any trusted fleet revoke this key? */
int auth_key_revoked(const auth_trust *t, const uint8_t pk[AUTH_SIGN_PK]);

#endif
