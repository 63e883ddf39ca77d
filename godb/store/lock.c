/* lock.c - one writer per interface. */
#include "lock.h"

#include "dirs.h"
#include "godb/db.h"
#include "gp/io.h"

#include <errno.h>
#include <sys/file.h>

gp_status godb_iface_lock(int root_fd, const char *root, const char *iface, int *fd, gp_err *err)
{
    if (!godb_iface_name_ok(iface))
        return gp_fail(err, GP_EINVAL, 0, "'%s' is not an interface name", iface);
    GP_CLEANUP(gp_closep) int dir = godb_dir_open(root_fd, iface);
    if (dir < 0)
        return gp_fail(err, errno == ENOENT ? GP_ENOTFOUND : GP_EIO, errno, "%s/%s", root, iface);
    if (flock(dir, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return gp_fail(err, GP_EEXIST, 0, "another process writes to %s/%s", root, iface);
        return gp_fail(err, GP_EIO, errno, "locking %s/%s failed", root, iface);
    }
    *fd = gp_take_fd(&dir);
    return GP_OK;
}
