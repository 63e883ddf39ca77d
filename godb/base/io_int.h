/* io_int.h - what replacing files needs in io.c and output.c. */
#ifndef GP_IO_INT_H
#define GP_IO_INT_H

#include "gp/err.h"

#include <stddef.h>

/* Length of the directory part of path with its last slash; 0 if there is none. */
size_t gp_io_dir_len(const char *path);

/* Temporary name beside path: hidden, cut to fit NAME_MAX, unique in this process. Owned by the
 * caller; NULL: no memory. */
char *gp_io_temp_name(const char *path);

/* Create temp for writing, mode less the umask; one that a crashed process left gives way. -1:
 * errno says why. */
int gp_io_create(int dirfd, const char *temp, unsigned mode);

/* Make a rename in the directory of path durable. */
gp_status gp_io_sync_dir(int dirfd, const char *path, gp_err *err) GP_MUST_CHECK;

#endif
