/* quarantine.h - move what is damaged out of the database, so that nobody stumbles over it (1.9).
 */
#ifndef GODB_STORE_QUARANTINE_H
#define GODB_STORE_QUARANTINE_H

#include "gp/bytes.h"
#include "gp/err.h"

/* Move the directory from_fd/name, known as `path` below root, to <dir>/<path>.<nanoseconds>. dir
 * NULL:
 * "<root>.quarantine". It is made (0700) if missing; it must be outside the root and on the same
 * file system. Where it went is appended to told (may be NULL). */
gp_status godb_quarantine(const char *root, const char *dir, int from_fd, const char *name,
                          const char *path, gp_buf *told, gp_err *err) GP_MUST_CHECK;

#endif
