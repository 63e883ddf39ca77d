/* keys.h - identities: key pairs, key files, trusted_keys (docs/security.md). */
#ifndef AUTH_KEYS_H
#define AUTH_KEYS_H

#include "gp/bytes.h"
#include "gp/err.h"

#include <stdint.h>

enum { AUTH_SIGN_PK = 32, AUTH_SIGN_SK = 64, AUTH_SIG = 64, AUTH_DH = 32, AUTH_HASH = 32 };

typedef enum auth_kind {
    AUTH_KIND_NONE = 0,
    AUTH_KIND_AGENT = 1,
    AUTH_KIND_AGGREGATOR = 2,
    AUTH_KIND_GATEWAY = 3,
    AUTH_KIND_USER = 4,
    AUTH_KIND_ISSUER = 5, /* keys and certificates that sign certificates; never a peer */
    AUTH_KIND_FLEET = 6,  /* the root of a fleet; never a peer */
} auth_kind;
const char *auth_kind_name(auth_kind k);
int auth_kind_by_name(const char *name); /* -1 if unknown */

enum { /* auth_peer.roles */
       AUTH_ROLE_QUERY = 1,
       AUTH_ROLE_LIVE = 2,
       AUTH_ROLE_STATUS = 4,
       AUTH_ROLE_CONFIG_READ = 8,
       AUTH_ROLE_CONFIG_WRITE = 16,
       AUTH_ROLE_RELAY = 32, /* may pass other users' signed queries on */
};

/* A key pair file: Ed25519 for signatures and X25519 (derived from it) for channels. Secrets lie in
 * locked, guarded memory. Read-only after loading; threads may share one. */
typedef struct auth_identity auth_identity;

/* Make a fresh identity. name: 1..64 of [A-Za-z0-9._@-]. */
gp_status auth_identity_new(auth_kind kind, const char *name, auth_identity **out,
                            gp_err *err) GP_MUST_CHECK;
/* Files are text, one "fleetprobe-key-v1 ..." line; saved with mode 0600 and never overwritten
 * (GP_EEXIST); loading refuses files that group or others can read. */
gp_status auth_identity_save(const auth_identity *id, const char *path, gp_err *err) GP_MUST_CHECK;
gp_status auth_identity_load(const char *path, auth_identity **out, gp_err *err) GP_MUST_CHECK;
void auth_identity_free(auth_identity *id);
static inline void auth_identity_freep(auth_identity **id)
{
    auth_identity_free(*id);
}
const char *auth_identity_name(const auth_identity *id);
auth_kind auth_identity_kind(const auth_identity *id);
const uint8_t *auth_identity_sign_pk(const auth_identity *id); /* AUTH_SIGN_PK bytes */
const uint8_t *auth_identity_dh_pk(const auth_identity *id);   /* AUTH_DH bytes */

/* Certificates of an identity: loading "x.key" also takes "x.crt" when it is there. Locked inside:
 * a renewed certificate may come while channels are made. */
struct auth_chain;
/* Copy; 0 certificates when there are none. */
void auth_identity_chain(const auth_identity *id, struct auth_chain *out);
/* Take the .crt file beside the key file again, if it was made later than the certificate in use.
 * *ret_changed: 1 when it was. An error leaves that in use. */
gp_status auth_identity_reread(const auth_identity *id, int *ret_changed,
                               gp_err *err) GP_MUST_CHECK;
/* GP_EINVAL unless the leaf is for this key and kind and name fit. */
gp_status auth_identity_set_chain(const auth_identity *id, const struct auth_chain *chain,
                                  gp_err *err) GP_MUST_CHECK;
/* Unix second at which the first of them expires; 0 when there are none. */
int64_t auth_identity_expires_s(const auth_identity *id);
/* Where the certificate belongs, "x.crt"; NULL when the identity came from no file. */
const char *auth_identity_cert_path(const auth_identity *id);

/* Ed25519(sk, "fleetprobe-v1 " || type || 0x00 || BLAKE2b-512(bytes)). type: short ASCII text. */
void auth_sign(const auth_identity *id, const char *type, const void *bytes, size_t len,
               uint8_t sig[AUTH_SIG]);
int auth_verify(const uint8_t pk[AUTH_SIGN_PK], const char *type, const void *bytes, size_t len,
                const uint8_t sig[AUTH_SIG]); /* 1 = good */

/* What is known about a verified peer or signer. Plain value. */
typedef struct auth_peer {
    auth_kind kind;
    char name[65];
    uint8_t sign_pk[AUTH_SIGN_PK], dh_pk[AUTH_DH];
    uint32_t roles;       /* AUTH_ROLE_* */
    char host_globs[256]; /* comma list of globs the peer may ask about; "*" = all */
    char iface_globs[256];
    int64_t max_span_s;                /* longest time range of a query; 0 = no limit */
    int64_t not_before_s, not_after_s; /* Unix seconds; 0 = open */
    int local_uid;                     /* peer uid on ipc:// when that decided; else -1 */
} auth_peer;

/* Who is trusted: the entries of a trusted_keys file (one a line: kind name public-key options...),
 * and who shows a certificate of a fleet key in it ("fleet name public-key") that is valid and not
 * revoked. Locked inside: reload while others look up. */
typedef struct auth_trust auth_trust;
gp_status auth_trust_new(auth_trust **out, gp_err *err) GP_MUST_CHECK;
/* Parse and replace all entries of this file; errors name the line and change nothing. Reads the
 * revocation list PATH.revoked too, when there is one. */
gp_status auth_trust_load(auth_trust *t, const char *path, gp_err *err) GP_MUST_CHECK;
/* Parse from memory (tests, fuzzer). */
gp_status auth_trust_parse(auth_trust *t, const char *text, size_t len, gp_err *err) GP_MUST_CHECK;
void auth_trust_free(auth_trust *t);
/* The file it was loaded from, for texts; "trusted_keys" when there is none. t may be NULL. */
void auth_trust_file(auth_trust *t, char *out, size_t cap);
/* By Ed25519 key: entries, and peers whose certificate was learned. Copies. 1 if found, valid at
 * now_s and not revoked. */
int auth_trust_find(auth_trust *t, const uint8_t sign_pk[AUTH_SIGN_PK], int64_t now_s,
                    auth_peer *out);
/* Rises with every change that may end somebody's trust. */
uint64_t auth_trust_generation(auth_trust *t);

struct auth_chain; /* auth/cert.h */
/* Check a certificate under the fleet keys of the file and remember who it names, so that
 * auth_trust_find() knows him. GP_EDENIED with the reason; GP_ENOTFOUND when no fleet key is
 * trusted. */
gp_status auth_trust_learn(auth_trust *t, const struct auth_chain *chain, int64_t now_s,
                           auth_peer *out, gp_err *err) GP_MUST_CHECK;

enum { AUTH_MAX_FLEETS = 4 };
typedef struct auth_fleet_state {
    uint8_t fleet[AUTH_SIGN_PK];
    uint64_t number; /* of the revocation list in force; 0 = none */
} auth_fleet_state;
/* Fleet keys of the file and their lists' numbers; how many. */
size_t auth_trust_fleets(auth_trust *t, auth_fleet_state out[AUTH_MAX_FLEETS]);
/* Take a revocation list if its fleet is trusted and its number is higher than that in force; also
 * written to PATH.revoked, or the state directory ($STATE_DIRECTORY), if possible. *taken: 1 when
 * it was. */
gp_status auth_trust_revoke(auth_trust *t, const void *bytes, size_t len, int *taken,
                            gp_err *err) GP_MUST_CHECK;
/* Append the encoded list in force. GP_ENOTFOUND if there is none. */
gp_status auth_trust_revocations(auth_trust *t, const uint8_t fleet[AUTH_SIGN_PK],
                                 gp_buf *out) GP_MUST_CHECK;

/* One line of a trusted_keys file: "kind name public-key [option=value]..." (docs/security.md).
 * GP_EINVAL with a text that names the field. */
gp_status auth_entry_parse(const char *line, size_t len, auth_peer *out, gp_err *err) GP_MUST_CHECK;
/* Append the line of a peer, with its options as far as they differ from the defaults. */
void auth_entry_format(const auth_peer *p, gp_buf *out);
/* Append a role list ("query,live", "none"). */
void auth_roles_format(uint32_t roles, gp_buf *out);
/* Roles of a kind when nothing else is said. */
uint32_t auth_roles_default(auth_kind k);
/* Append the trusted_keys line of an identity (what `gpkey` prints). */
void auth_trust_entry(const auth_identity *id, const char *options, gp_buf *out);

#endif
