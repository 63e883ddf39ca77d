/* trustline.h - one line of a trusted_keys file. */
#ifndef AUTH_TRUSTLINE_H
#define AUTH_TRUSTLINE_H

#include "auth/keys.h"

enum {
    AUTH_LINE_MAX = 2048,           /* bytes of a line */
    AUTH_TRUST_MAX_FILE = 32 << 20, /* bytes of a trusted_keys file */
    AUTH_TRUST_MAX_ENTRIES = 100000 /* keys in it */
};

/* Comma list of role names ("query,live"; "none") to bits; -1 when one is unknown. */
int auth_roles_parse(const char *s, size_t len, uint32_t *out);
#endif
