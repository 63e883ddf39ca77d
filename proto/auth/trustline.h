/* trustline.h - one line of a trusted_keys file. */
#ifndef AUTH_TRUSTLINE_H
#define AUTH_TRUSTLINE_H

#include "auth/keys.h"

enum {
    AUTH_LINE_MAX = 2048,           /* bytes of a line */
    AUTH_TRUST_MAX_FILE = 32 << 20, /* bytes of a trusted_keys file */
    AUTH_TRUST_MAX_ENTRIES = 100000 /* keys in it */
};

/* Parse one line (no newline, not empty, no comment): "kind name public-key [option=value]...".
 * Fills *out with defaults for what is not said. GP_EINVAL with a text that names the field. */
gp_status auth_trustline_parse(const char *line, size_t len, auth_peer *out,
                               gp_err *err) GP_MUST_CHECK;

/* Comma list of role names ("query,live"; "none") to bits; -1 when one is unknown. */
int auth_roles_parse(const char *s, size_t len, uint32_t *out);
/* Bits to names, "none" when empty. */
void auth_roles_format(uint32_t roles, gp_buf *out);
/* Roles of a kind when nothing else is said. */
uint32_t auth_roles_default(auth_kind k);

#endif
