/* gpkey.h - the commands of gpkey and what they share. */
#ifndef GPKEY_H
#define GPKEY_H

#include "auth/cert.h"
#include "auth/keys.h"
#include "cli/args.h"
#include "gp/bytes.h"

/* Values of all options. */
typedef struct gpkey_values {
    int version, quiet, force, seal, by_key;
    const char *out, *into, *roles, *hosts, *ifaces, *max_span, *not_before, *not_after;
    const char *by, *list, *trust, *kinds, *key, *head;
    uint64_t days, max_days;
    auth_identity *signer; /* --by, once it was loaded; freed by main() */
} gpkey_values;

extern const cli_cmd gpkey_new, gpkey_show, gpkey_trust, gpkey_init, gpkey_issue, gpkey_sign_csr,
    gpkey_request, gpkey_renew, gpkey_revoke, gpkey_verify, gpkey_audit, gpkey_seal, gpkey_unseal;

/* "gpkey: text" on stderr; returns 1, the exit code. */
int gpkey_fail(const gp_err *err);
/* code, or 1 with a message if standard output could not be written. */
int gpkey_finish(int code);
/* The same for wrong usage: adds where to find help. Returns 2. */
int gpkey_usage(const cli_line *line, const char *fmt, ...) GP_PRINTF(2, 3);

/* Read FILE as what it is: a key file (its public half counts) or a .pub file with one trusted_keys
 * line. *secret: 1 when it was a key file. */
gp_status gpkey_read_public(const char *path, auth_peer *out, int *secret,
                            gp_err *err) GP_MUST_CHECK;

typedef enum gpkey_file { GPKEY_PUB, GPKEY_KEY, GPKEY_REQUEST } gpkey_file;
/* The same, and requests, whose signature is checked. */
gp_status gpkey_read_request(const char *path, auth_peer *out, gpkey_file *what,
                             gp_err *err) GP_MUST_CHECK;

/* "/a/b.key" -> "/a/b.pub" into out; the suffix is appended when there is no ".key". */
void gpkey_pub_path(const char *key_path, gp_buf *out);

/* "x.key", "x.pub", "x.csr" -> "x.crt" appended to out. */
void gpkey_cert_path(const char *path, gp_buf *out);
/* Put the options of the command line on top of what p says. */
gp_status gpkey_with_options(const gpkey_values *v, auth_peer *p, gp_err *err) GP_MUST_CHECK;
/* What p does not limit, limited as the issuing key --by is: scopes "*", any span, the roles of its
 * kind. What it asks for stays. Nothing changes under a fleet key. */
gp_status gpkey_limits_of_signer(gpkey_values *v, auth_peer *p, gp_err *err) GP_MUST_CHECK;
/* v->days, unless given: 365, or the most that the issuing key --by may give. */
gp_status gpkey_default_days(gpkey_values *v, gp_err *err) GP_MUST_CHECK;
/* A certificate of what p says, valid for so many days from now unless p names times. */
void gpkey_cert_from_peer(const auth_peer *p, uint64_t days, auth_cert *c);
/* Sign with the key of --by, a fleet's or issuer's; the issuer's certificate goes along, and
 * nothing outlives it (said on stderr). Sets c->serial. */
gp_status gpkey_sign(gpkey_values *v, auth_cert *c, auth_chain *out, gp_err *err) GP_MUST_CHECK;
enum { GPKEY_MAX_DAYS = 36500 }; /* of a certificate */
/* Make a key of this kind and name: --out, or NAME.key, and beside it .pub. The paths are appended.
 */
gp_status gpkey_make(const gpkey_values *v, auth_kind kind, const char *name, gp_buf *key_path,
                     gp_buf *pub_path, gp_err *err) GP_MUST_CHECK;
/* Write the trusted_keys line of id to the .pub file that belongs to key_path, appended to
 * pub_path. */
gp_status gpkey_write_pub(const auth_identity *id, const char *key_path, gp_buf *pub_path,
                          gp_err *err) GP_MUST_CHECK;
/* Load the revocation list of this fleet, an empty one when the file (or that list) is not there;
 * the lines of other fleets are appended to others. */
gp_status gpkey_load_list(const char *path, const uint8_t fleet[AUTH_SIGN_PK], auth_revlist *l,
                          gp_buf *others, gp_err *err) GP_MUST_CHECK;
/* Save a fresh key; under a pass phrase when the command line says so. */
gp_status gpkey_save(const gpkey_values *v, const auth_identity *id, const char *path,
                     gp_err *err) GP_MUST_CHECK;
gp_status gpkey_write_chain(const char *path, const auth_chain *ch, gp_err *err) GP_MUST_CHECK;
/* "  what        2026-01-31 10:00:00 UTC" */
void gpkey_print_time(const char *what, int64_t s);
void gpkey_print_cert(const auth_cert *c);

#endif
