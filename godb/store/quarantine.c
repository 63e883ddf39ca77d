/* quarantine.c - move what is damaged out of the database. */
#include "quarantine.h"

#include "dirs.h"
#include "gp/clock.h"
#include "gp/io.h"
#include "gp/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Is dir the root or below it, or would it be? What does not exist yet counts by its nearest parent
 * that does, so that nothing needs to be made to find out. */
static int inside(const char *root, const char *dir)
{
    char a[PATH_MAX], b[PATH_MAX];
    GP_CLEANUP(gp_freep) char *at = gp_strdup(dir);

    if (!at || !realpath(root, a))
        return 0;
    while (!realpath(*at ? at : ".", b)) {
        char *slash = strrchr(at, '/');
        if (errno != ENOENT || !*at)
            return 0;
        at[slash == at ? 1 : slash ? slash - at : 0] = '\0';
    }
    size_t n = strlen(a);
    if (n == 1) /* "/": everything is below it */
        return 1;
    return strncmp(a, b, n) == 0 && (b[n] == '/' || b[n] == '\0');
}

/* Path of the quarantine, owned by the caller. */
static char *place_of(const char *root, const char *dir)
{
    size_t n = strlen(root);

    if (dir)
        return gp_strdup(dir);
    while (n > 1 && root[n - 1] == '/')
        n--;
    /* "." and ".." have their name from elsewhere: behind them it would be a directory in the root
     */
    if (root[n - 1] == '.' &&
        (n == 1 || root[n - 2] == '/' || (root[n - 2] == '.' && (n == 2 || root[n - 3] == '/')))) {
        char real[PATH_MAX];
        return realpath(root, real) ? gp_asprintf("%s.quarantine", real) : NULL;
    }
    return gp_asprintf("%.*s.quarantine", (int)n, root);
}

gp_status godb_quarantine(const char *root, const char *dir, int from_fd, const char *name,
                          const char *path, gp_buf *told, gp_err *err)
{
    GP_CLEANUP(gp_freep) char *base = place_of(root, dir);
    GP_CLEANUP(gp_freep) char *to = NULL;
    GP_CLEANUP(gp_freep) char *parent = NULL;

    if (base)
        to = gp_asprintf("%s/%s.%lld", base, path, (long long)gp_wall_ns());
    if (to)
        parent = gp_strdup(to);
    if (!base || !to || !parent)
        return gp_fail(err, GP_ENOMEM, 0, "quarantine: out of memory");
    *strrchr(parent, '/') = '\0';
    if (inside(root, base))
        return gp_fail(err, GP_EINVAL, 0, "quarantine %s must be outside of the database", base);
    GP_TRY(gp_mkdir_all(base, 0700, err));
    GP_TRY(gp_mkdir_all(parent, 0700, err));
    if (renameat(from_fd, name, AT_FDCWD, to) != 0)
        return gp_fail(err, GP_EIO, errno, "moving %s to %s failed", path, to);
    if (told)
        gp_buf_printf(told, "%s", to);
    return GP_OK;
}
