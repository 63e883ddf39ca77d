/* renew.h - certificates that are signed again before they expire (docs/security.md, "Renewal"). */
#ifndef AUTH_RENEW_H
#define AUTH_RENEW_H

#include "auth/cert.h"

/* An issuing key with its certificate. Read-only after loading. */
typedef struct auth_issuer auth_issuer;
/* KEYFILE of kind issuer, with its .crt beside it. */
gp_status auth_issuer_load(const char *path, auth_issuer **out, gp_err *err) GP_MUST_CHECK;
/* The certificate beside the file that the issuing key id was loaded from. own: 1 long. */
gp_status auth_issuer_cert(const auth_identity *id, auth_chain *own, auth_cert *cert,
                           gp_err *err) GP_MUST_CHECK;
void auth_issuer_free(auth_issuer *i); /* NULL is fine */

/* Sign the packed chain of an agent, aggregator or gateway again: the same holder, rights and
 * length of validity, from now on; appended to out, packed. peer: the key that the channel proved;
 * trust says what is good and learns the new one. GP_EDENIED for users, foreign, revoked or bad
 * certificates and those the issuer may not sign; GP_EEXIST when less than half of the validity is
 * over. */
gp_status auth_issuer_renew(const auth_issuer *i, auth_trust *trust,
                            const uint8_t peer[AUTH_SIGN_PK], const void *packed, size_t len,
                            int64_t now_s, gp_buf *out, gp_err *err) GP_MUST_CHECK;

/* Seconds after which id should ask for a new certificate: 0 = now (two thirds of the validity are
 * over); INT64_MAX when it has none. *left_s (may be NULL): until it expires. */
int64_t auth_renew_in(const auth_identity *id, int64_t now_s, int64_t *left_s);
/* Take what an issuer answered, if it is good and differs from the one in use by its validity only;
 * also written to the .crt file, or to the state directory. GP_EIO when just that failed: it is
 * used all the same. */
gp_status auth_renew_take(const auth_identity *id, auth_trust *trust, const void *packed,
                          size_t len, int64_t now_s, gp_err *err) GP_MUST_CHECK;

#endif
