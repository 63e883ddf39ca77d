/* state.h - where a daemon keeps what it learned when it may not write beside its own files. */
#ifndef AUTH_STATE_H
#define AUTH_STATE_H

#include "gp/bytes.h"
#include "gp/err.h"

/* Append DIR/BASE + suffix, DIR being the first of $STATE_DIRECTORY (systemd sets it) and BASE
 * path's last part. 0 when there is no such directory. */
int auth_state_path(const char *path, const char *suffix, gp_buf *out);
/* Write path + suffix (mode 0644), or where that fails the file in the state directory. GP_EIO when
 * neither can be written. */
gp_status auth_state_write(const char *path, const char *suffix, const gp_buf *text,
                           gp_err *err) GP_MUST_CHECK;

#endif
