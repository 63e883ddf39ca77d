/* gpkey.h - the commands of gpkey and what they share. */
#ifndef GPKEY_H
#define GPKEY_H

#include "auth/keys.h"
#include "cli/args.h"
#include "gp/bytes.h"

/* Values of all options. */
typedef struct gpkey_values {
    int version, quiet, force;
    const char *out, *into, *roles, *hosts, *ifaces, *max_span, *not_before, *not_after;
} gpkey_values;

extern const cli_cmd gpkey_new, gpkey_show, gpkey_trust;

/* "gpkey: text" on stderr; returns 1, the exit code. */
int gpkey_fail(const gp_err *err);
/* The same for wrong usage: adds where to find help. Returns 2. */
int gpkey_usage(const cli_line *line, const char *fmt, ...) GP_PRINTF(2, 3);

/* Read FILE as what it is: a key file (its public half counts) or a .pub file with one trusted_keys
 * line. *secret: 1 when it was a key file. */
gp_status gpkey_read_public(const char *path, auth_peer *out, int *secret,
                            gp_err *err) GP_MUST_CHECK;

/* "/a/b.key" -> "/a/b.pub" into out; the suffix is appended when there is no ".key". */
void gpkey_pub_path(const char *key_path, gp_buf *out);

#endif
