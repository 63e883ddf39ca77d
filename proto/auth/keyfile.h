/* keyfile.h - what the files about key files share. */
#ifndef AUTH_KEYFILE_H
#define AUTH_KEYFILE_H

#include "auth/seal.h"
#include "identity.h"

#define AUTH_SEALED_MAGIC "fleetprobe-sealed-v1"

/* A line "fleetprobe-sealed-v1 KIND NAME PASSES MEMORY HEX\n". */
gp_status auth_seal_line(const auth_identity *id, const char *pass, const auth_seal_cost *cost,
                         gp_buf *out, gp_err *err) GP_MUST_CHECK;
/* The seed behind such a line without its newline; asks for the pass phrase. GP_EDENIED when it is
 * wrong. kind and name borrow from line, which is cut apart in place. */
gp_status auth_seal_open(char *line, const char *path, uint8_t seed[AUTH_SEED], const char **kind,
                         const char **name, gp_err *err) GP_MUST_CHECK;

/* Refuse what others could read or exchange: wrong type, group or other permission bits. */
gp_status auth_private_file(int fd, const char *path, gp_err *err) GP_MUST_CHECK;

#endif
