/* stage.c - staging tree of a merge, and putting a staged day in the place of another in one step.
 */
#include "stage.h"

#include "db.h"
#include "dirs.h"
#include "gp/clock.h"
#include "gp/io.h"
#include "suffix.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Whoever made one of these holds a lock on it while alive. Trees of the reference have no letters
 * there, and no lock. */
#define OUR_PREFIX    GODB_STAGE_PREFIX "fp"
#define BACKUP_SUFFIX ".gpdb-merge-backup-"

enum { FOREIGN_AGE_S = GODB_DAY_S, NAME_TRIES = 16 };

/* Lock a tree that was just made. 0: another process swept it away before. */
static int lock_fresh(godb_stage *s)
{
    struct stat mine, there;

    s->fd = godb_dir_open(s->root_fd, s->name);
    if (s->fd >= 0 && flock(s->fd, LOCK_EX | LOCK_NB) == 0 && fstat(s->fd, &mine) == 0 &&
        fstatat(s->root_fd, s->name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
        mine.st_ino == there.st_ino)
        return 1;
    gp_closep(&s->fd);
    s->fd = -1;
    return 0;
}

gp_status godb_stage_open(int root_fd, godb_stage *s, gp_err *err)
{
    s->root_fd = root_fd;
    s->fd = -1;
    for (int i = 0; i < NAME_TRIES; i++) {
        uint32_t digits = 0;
        if (getrandom(&digits, sizeof digits, 0) != (ssize_t)sizeof digits)
            digits = (uint32_t)gp_mono_ns();
        (void)snprintf(s->name, sizeof s->name, OUR_PREFIX "%u", digits);
        if (mkdirat(root_fd, s->name, 0700) != 0 && errno != EEXIST)
            return gp_fail(err, GP_EIO, errno, "making %s failed", s->name);
        if (lock_fresh(s))
            return GP_OK;
    }
    return gp_fail(err, GP_EIO, 0, "making a staging directory failed %d times", NAME_TRIES);
}

gp_status godb_stage_close(godb_stage *s, gp_err *err)
{
    if (s->fd < 0)
        return GP_OK;
    gp_status st = godb_tree_remove(s->root_fd, s->name, err);
    gp_closep(&s->fd);
    s->fd = -1;
    return st;
}

struct sweep {
    int root_fd;
    gp_buf *note;
    gp_err *err;
};

int godb_stage_is_name(const char *name)
{
    return strncmp(name, GODB_STAGE_PREFIX, strlen(GODB_STAGE_PREFIX)) == 0;
}

int godb_stage_is_dead(int root_fd, const char *name, int *lock)
{
    struct stat st;
    GP_CLEANUP(gp_closep) int fd = godb_dir_open(root_fd, name);
    int ours = strncmp(name, OUR_PREFIX, strlen(OUR_PREFIX)) == 0;

    if (fd < 0 || fstat(fd, &st) != 0 || flock(fd, LOCK_EX | LOCK_NB) != 0 ||
        (!ours && gp_wall_s() - st.st_mtim.tv_sec < FOREIGN_AGE_S))
        return 0;
    *lock = gp_take_fd(&fd);
    return 1;
}

static gp_status sweep_entry(void *ctx, const char *name, int is_dir)
{
    struct sweep *s = ctx;
    GP_CLEANUP(gp_closep) int lock = -1;

    if (!is_dir || !godb_stage_is_name(name))
        return GP_OK;
    if (!godb_stage_is_dead(s->root_fd, name, &lock)) {
        gp_buf_printf(s->note, "%s is left alone: another merge may be using it; ", name);
        return GP_OK;
    }
    return godb_tree_remove(s->root_fd, name, s->err);
}

gp_status godb_stage_sweep(int root_fd, gp_buf *note, gp_err *err)
{
    struct sweep s = {root_fd, note, err};
    return godb_dir_each(root_fd, sweep_entry, &s, err);
}

gp_status godb_dirs_make(int fd, const char *path, mode_t mode, int *out, gp_err *err)
{
    GP_CLEANUP(gp_closep) int at = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (at < 0)
        return gp_fail(err, GP_EIO, errno, "opening a directory failed");
    while (*path) {
        char part[NAME_MAX + 1];
        size_t n = strcspn(path, "/");
        if (n == 0 || n > NAME_MAX)
            return gp_fail(err, GP_EINVAL, 0, "'%s' is not a path below a database", path);
        memcpy(part, path, n);
        part[n] = '\0';
        path += n + (path[n] == '/');
        if (mkdirat(at, part, mode) != 0 && errno != EEXIST)
            return gp_fail(err, GP_EIO, errno, "making directory %s failed", part);
        if (fsync(at) != 0) /* also what somebody made who was killed before this */
            return gp_fail(err, GP_EIO, errno, "syncing the directory of %s failed", part);
        int next = godb_dir_open(at, part);
        if (next < 0)
            return gp_fail(err, GP_EIO, errno, "opening directory %s failed", part);
        gp_closep(&at);
        at = next;
    }
    *out = at;
    at = -1;
    return GP_OK;
}

/* Rename within a directory, never over something. */
static int rename_new(int from_fd, const char *from, int to_fd, const char *to)
{
    struct stat st;

    if (renameat2(from_fd, from, to_fd, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (fstatat(to_fd, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    return renameat(from_fd, from, to_fd, to);
}

/* For file systems without an exchange: the way of the reference (8.1, step 5). */
static gp_status commit_by_backup(int from_fd, const char *staged, int month_fd, const char *old,
                                  const char *name, gp_buf *note, gp_err *err)
{
    char backup[GODB_DAYNAME_CAP + 64];
    gp_err late = {0};

    (void)snprintf(backup, sizeof backup, "%s" BACKUP_SUFFIX "%lld", old, (long long)gp_wall_ns());
    if (rename_new(month_fd, old, month_fd, backup) != 0)
        return gp_fail(err, GP_EIO, errno, "renaming %s to a backup failed", old);
    if (rename_new(from_fd, staged, month_fd, name) != 0) {
        int sys = errno;
        if (rename_new(month_fd, backup, month_fd, old) != 0)
            gp_buf_printf(note, "renaming %s back to %s failed: %s; ", backup, old,
                          strerror(errno));
        return gp_fail(err, GP_EIO, sys, "moving %s into the database failed", name);
    }
    if (fsync(month_fd) != 0 || godb_tree_remove(month_fd, backup, &late) != GP_OK)
        gp_buf_printf(note, "removing %s failed; ", backup);
    return GP_OK;
}

/* Replace old, which the caller sees there. Between the steps the day has no suffix, which is
 * always true (1.5), whichever of the two it is. */
static gp_status commit_over(int from_fd, const char *staged, int month_fd, int64_t day_s,
                             const char *old, const char *name, gp_buf *note, gp_err *err)
{
    char plain[GODB_DAYNAME_CAP];

    godb_dayname_format(day_s, NULL, plain);
    if (strcmp(old, plain) != 0 && rename_new(month_fd, old, month_fd, plain) != 0)
        return gp_fail(err, GP_EIO, errno, "renaming %s failed", old);
    if (renameat2(from_fd, staged, month_fd, plain, RENAME_EXCHANGE) != 0) {
        if (errno == EINVAL || errno == ENOSYS)
            return commit_by_backup(from_fd, staged, month_fd, plain, name, note, err);
        int sys = errno;
        if (strcmp(old, plain) != 0)
            (void)rename_new(month_fd, plain, month_fd, old);
        return gp_fail(err, GP_EIO, sys, "moving %s into the database failed", name);
    }
    if (strcmp(name, plain) != 0 && rename_new(month_fd, plain, month_fd, name) != 0)
        gp_buf_printf(note, "renaming %s to %s failed: %s; ", plain, name, strerror(errno));
    if (fsync(month_fd) != 0)
        gp_buf_printf(note, "syncing the month of %s failed: %s; ", name, strerror(errno));
    return GP_OK;
}

gp_status godb_stage_commit(int from_fd, const char *staged, int month_fd, int64_t day_s,
                            const char *old, const char *name, gp_buf *note, gp_err *err)
{
    if (old)
        return commit_over(from_fd, staged, month_fd, day_s, old, name, note, err);
    if (rename_new(from_fd, staged, month_fd, name) != 0)
        return gp_fail(err, GP_EIO, errno, "moving %s into the database failed", name);
    if (fsync(month_fd) != 0)
        gp_buf_printf(note, "syncing the month of %s failed: %s; ", name, strerror(errno));
    return GP_OK;
}
