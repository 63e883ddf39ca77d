/* seal.h - key files under a pass phrase (docs/security.md, "Keys"). */
#ifndef AUTH_SEAL_H
#define AUTH_SEAL_H

#include "auth/keys.h"

enum { AUTH_PASS_MAX = 1024 }; /* bytes of a pass phrase */

/* How much work a guess costs: Argon2id passes and memory. Zero = 3 passes over 256 MiB. */
typedef struct auth_seal_cost {
    uint32_t passes;     /* 1..16 */
    uint32_t memory_kib; /* 8 .. 1 GiB */
} auth_seal_cost;

/* Write a new key file (auth_identity_save), or with replace put it in the place of the one that is
 * there, at once. pass NULL: not sealed. cost NULL: the default. */
gp_status auth_identity_write(const auth_identity *id, const char *path, int replace,
                              const char *pass, const auth_seal_cost *cost,
                              gp_err *err) GP_MUST_CHECK;

/* Get a pass phrase: a line from the descriptor that FLEETPROBE_PASSPHRASE_FD names, or from the
 * file FLEETPROBE_PASSPHRASE_FILE (which must be as private as a key), or from the terminal,
 * without echo, for what. twice: typed again to be sure. *out: locked memory, for auth_pass_free().
 * auth_identity_load() asks here for sealed files. */
gp_status auth_pass_get(const char *what, int twice, char **out, gp_err *err) GP_MUST_CHECK;
void auth_pass_free(char *pass); /* wipes; NULL is fine */

#endif
