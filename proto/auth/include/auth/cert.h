/* cert.h - certificates of a fleet key and lists of what it revoked (docs/security.md). */
#ifndef AUTH_CERT_H
#define AUTH_CERT_H

#include "auth/keys.h"

enum {
    AUTH_SERIAL = 16,
    AUTH_CERT_MAX = 1024,      /* bytes of an encoded certificate */
    AUTH_CHAIN_MAX = 2,        /* leaf, then the issuing certificate (path length 1) */
    AUTH_REVOKED_MAX = 6000,   /* entries of a revocation list */
    AUTH_LIST_MAX = 200 * 1024 /* bytes of an encoded list: fits one message */
};

/* Plain value. A leaf names a peer; an issuing certificate (kind AUTH_KIND_ISSUER) names a key that
 * may sign leaves within the limits that it states. */
typedef struct auth_cert {
    uint8_t serial[AUTH_SERIAL]; /* random */
    auth_kind kind;
    char name[65];
    uint8_t sign_pk[AUTH_SIGN_PK]; /* of the holder */
    uint8_t fleet[AUTH_SIGN_PK];   /* the fleet's key */
    uint8_t issuer[AUTH_SIGN_PK];  /* who signed: the fleet's key or an issuing key */
    int64_t not_before_s, not_after_s;
    uint32_t roles; /* issuing: roles it may give */
    char host_globs[256], iface_globs[256];
    int64_t max_span_s;     /* 0 = no limit */
    uint32_t kinds;         /* issuing: bits (1 << auth_kind) it may sign */
    int64_t max_validity_s; /* issuing: longest validity it may give; 0 = no limit */
} auth_cert;

/* Encode and sign; c->issuer and, for a fleet key, c->fleet are set from signer. Appends.
 * GP_EINVAL when a field is not within its limits. */
gp_status auth_cert_sign(auth_cert *c, const auth_identity *signer, gp_buf *out,
                         gp_err *err) GP_MUST_CHECK;
/* Untrusted bytes; there is exactly one encoding of a certificate. Does not check the signature. */
gp_status auth_cert_parse(const void *bytes, size_t len, auth_cert *out, gp_err *err) GP_MUST_CHECK;
/* Signed by this key? */
int auth_cert_signed_by(const void *bytes, size_t len, const uint8_t pk[AUTH_SIGN_PK]);

/* One to two encoded certificates. Zero-initialise; owned. */
typedef struct auth_chain {
    size_t n;
    size_t len[AUTH_CHAIN_MAX];
    uint8_t der[AUTH_CHAIN_MAX][AUTH_CERT_MAX];
} auth_chain;

/* GP_OK when the leaf is valid at now_s under this fleet key: signatures, path, validity, kinds,
 * roles and scopes within the issuer's. Revocation is not looked at. leaf and issuer (may be NULL;
 * kind AUTH_KIND_NONE when there is none) get the parsed certificates. */
gp_status auth_chain_check(const auth_chain *chain, const uint8_t fleet[AUTH_SIGN_PK],
                           int64_t now_s, auth_cert *leaf, auth_cert *issuer,
                           gp_err *err) GP_MUST_CHECK;
/* The peer that a checked leaf describes. */
void auth_cert_peer(const auth_cert *c, auth_peer *out);

/* A chain as one string, for messages: u16 length (big endian) and bytes of each. Appends; nothing
 * for an empty chain. */
void auth_chain_pack(const auth_chain *chain, gp_buf *out);
gp_status auth_chain_unpack(const void *bytes, size_t len, auth_chain *out,
                            gp_err *err) GP_MUST_CHECK;
enum { AUTH_PACKED_MAX = AUTH_CHAIN_MAX * (2 + AUTH_CERT_MAX) };
/* auth_trust_find() for a signer who sent his packed chain along (len 0: none): learns it if he is
 * not known yet. 1 if known and valid. */
int auth_trust_know(auth_trust *t, const uint8_t sign_pk[AUTH_SIGN_PK], const void *packed,
                    size_t len, int64_t now_s, auth_peer *out);

/* Text files: a line "fleetprobe-cert-v1 BASE64" for each certificate, leaf first. */
gp_status auth_chain_load(const char *path, auth_chain *out, gp_err *err) GP_MUST_CHECK;
gp_status auth_chain_parse_text(const char *text, size_t len, auth_chain *out,
                                gp_err *err) GP_MUST_CHECK;
void auth_chain_text(const auth_chain *chain, gp_buf *out);

/* ---- a request for a certificate: the public half with what is asked for, signed by its key ----
 */

/* Append "fleetprobe-csr-v1 BASE64\n". entry: trusted_keys line with the options asked for. */
gp_status auth_csr_make(const auth_identity *id, const char *options, gp_buf *out,
                        gp_err *err) GP_MUST_CHECK;
gp_status auth_csr_read(const char *text, size_t len, auth_peer *out, gp_err *err) GP_MUST_CHECK;

/* ---- revocation lists ---- */

typedef enum auth_revoked_type { AUTH_REVOKED_SERIAL = 1, AUTH_REVOKED_KEY = 2 } auth_revoked_type;
typedef struct auth_revoked {
    uint8_t type;             /* auth_revoked_type */
    uint8_t id[AUTH_SIGN_PK]; /* serial: the first AUTH_SERIAL bytes, rest zero; or a public key */
} auth_revoked;

/* Zero-initialise; auth_revlist_free(). */
typedef struct auth_revlist {
    uint8_t fleet[AUTH_SIGN_PK];
    uint64_t number; /* grows by one with every list */
    int64_t issued_s;
    size_t n;
    auth_revoked *entries; /* sorted, no doubles */
} auth_revlist;
void auth_revlist_free(auth_revlist *l);
/* Add an entry (kept sorted); GP_EEXIST when it is there already. */
gp_status auth_revlist_add(auth_revlist *l, const auth_revoked *r, gp_err *err) GP_MUST_CHECK;
int auth_revlist_has(const auth_revlist *l, auth_revoked_type type, const uint8_t *id);
/* Encode and sign with the fleet's key. Appends. */
gp_status auth_revlist_sign(auth_revlist *l, const auth_identity *fleet, gp_buf *out,
                            gp_err *err) GP_MUST_CHECK;
/* Untrusted bytes; checks the signature of the fleet that the list names. */
gp_status auth_revlist_parse(const void *bytes, size_t len, auth_revlist *out,
                             gp_err *err) GP_MUST_CHECK;
/* Text file: lines "fleetprobe-revoked-v1 BASE64", a list of one fleet each, at least one. Calls fn
 * for each (bytes are untrusted), until it fails. */
typedef gp_status (*auth_revlist_fn)(void *ctx, const uint8_t *bytes, size_t len, gp_err *err);
gp_status auth_revlist_each(const char *path, auth_revlist_fn fn, void *ctx,
                            gp_err *err) GP_MUST_CHECK;
/* Append such a line. */
void auth_revlist_text(const void *bytes, size_t len, gp_buf *out);

#endif
