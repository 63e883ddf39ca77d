/* lock.h - one writer per interface: a lock on the directory itself, dropped by the kernel. */
#ifndef GODB_STORE_LOCK_H
#define GODB_STORE_LOCK_H

#include "gp/err.h"

/* Open the interface directory below root_fd and lock it; *fd carries the lock until it is closed,
 * also by the death of the process. No file appears in the tree (1.9). GP_EEXIST when another
 * process holds it, GP_ENOTFOUND when the directory is missing. root: for texts. */
gp_status godb_iface_lock(int root_fd, const char *root, const char *iface, int *fd,
                          gp_err *err) GP_MUST_CHECK;

#endif
