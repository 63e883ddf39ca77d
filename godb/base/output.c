/* output.c - replacing files that a user names; see gp/output.h. */
#include "gp/output.h"

#include "gp/io.h"
#include "gp/mem.h"
#include "io_int.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { MAX_LINKS = 40 }; /* as the kernel */

/* /proc/self/fd/1: what it is called is not where it leads to. */
static int is_magic(const char *link)
{
    struct statfs fs;
    GP_CLEANUP(gp_closep) int fd = open(link, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    return fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* The name behind the links of path, *final; NULL if a link has no such name. */
static gp_status follow(const char *path, char **final, gp_err *err)
{
    char target[PATH_MAX];
    char *at = gp_strdup(path);
    ssize_t n = 0;

    for (int i = 0; at && (n = readlink(at, target, sizeof target)) >= 0; i++) {
        char *next = NULL;
        int magic = is_magic(at);
        if (!magic && (n == sizeof target || i == MAX_LINKS)) {
            gp_free(at);
            return gp_fail(err, GP_EIO, n == sizeof target ? ENAMETOOLONG : ELOOP,
                           "cannot follow %s", path);
        }
        if (!magic && target[0] == '/')
            next = gp_strndup(target, (size_t)n);
        else if (!magic)
            next = gp_asprintf("%.*s%.*s", (int)gp_io_dir_len(at), at, (int)n, target);
        gp_free(at);
        at = next;
        if (magic) {
            *final = NULL;
            return GP_OK;
        }
    }
    *final = at;
    return at ? GP_OK : gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", path);
}

static gp_status open_in_place(const char *path, gp_output *out, gp_err *err)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return gp_fail(err, GP_EIO, errno, "cannot open %s", path);
    *out = (gp_output){.fd = fd};
    return GP_OK;
}

/* The new file in the place of old (NULL: of none). */
static gp_status open_temp(const char *path, const char *temp, mode_t mode, const struct stat *old,
                           int *out, gp_err *err)
{
    GP_CLEANUP(gp_closep) int fd = gp_io_create(AT_FDCWD, temp, old || mode ? 0600 : 0666);

    if (fd < 0)
        return gp_fail(err, GP_EIO, errno, "cannot create %s", path);
    if (old) {
        mode = old->st_mode & 0777;
        if (fchown(fd, old->st_uid, old->st_gid) != 0 && /* only root gives files away */
            fchown(fd, (uid_t)-1, old->st_gid) != 0)
            mode &= ~(mode_t)070; /* not for a group it was not for */
    }
    if (mode && fchmod(fd, mode) != 0) {
        gp_status st = gp_fail(err, GP_EIO, errno, "cannot set the mode of %s", path);
        (void)unlink(temp);
        return st;
    }
    *out = gp_take_fd(&fd);
    return GP_OK;
}

gp_status gp_output_open(const char *path, mode_t mode, gp_output *out, gp_err *err)
{
    struct stat old;
    int exists = stat(path, &old) == 0, fd = -1;
    GP_CLEANUP(gp_freep) char *final = NULL;
    GP_CLEANUP(gp_freep) char *temp = NULL;

    if (exists && !S_ISREG(old.st_mode))
        return open_in_place(path, out, err);
    GP_TRY(follow(path, &final, err));
    if (!final)
        return open_in_place(path, out, err);
    temp = gp_io_temp_name(final);
    if (!temp)
        return gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", path);
    GP_TRY(open_temp(path, temp, mode, exists ? &old : NULL, &fd, err));
    *out = (gp_output){.fd = fd, .final = final, .temp = temp};
    final = temp = NULL;
    return GP_OK;
}

gp_status gp_output_close(gp_output *out, gp_status st, gp_err *err)
{
    gp_output o = *out;

    *out = GP_OUTPUT_INIT;
    if (st == GP_OK && o.temp && fsync(o.fd) != 0)
        st = gp_fail(err, GP_EIO, errno, "cannot sync %s", o.final);
    if (o.fd >= 0 && close(o.fd) != 0 && st == GP_OK && errno != EINTR)
        st = gp_fail(err, GP_EIO, errno, "cannot close %s", o.final ? o.final : "the output");
    if (o.temp && st == GP_OK && rename(o.temp, o.final) != 0)
        st = gp_fail(err, GP_EIO, errno, "cannot rename %s to %s", o.temp, o.final);
    if (o.temp && st != GP_OK)
        (void)unlink(o.temp); /* the first failure is what counts */
    else if (o.temp)
        st = gp_io_sync_dir(AT_FDCWD, o.final, err);
    gp_free(o.final);
    gp_free(o.temp);
    return st;
}

gp_status gp_output_write(const char *path, mode_t mode, const void *bytes, size_t n, gp_err *err)
{
    gp_output out = GP_OUTPUT_INIT;

    GP_TRY(gp_output_open(path, mode, &out, err));
    return gp_output_close(&out, gp_write_full(out.fd, bytes, n, err), err);
}
