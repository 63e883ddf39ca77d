/* dirs.c - directory entries of the tree, and the search for one day in its month. */
#include "dirs.h"

#include "blockmeta.h"
#include "days.h"
#include "gp/io.h"
#include "suffix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int godb_dir_open(int dirfd, const char *name)
{
    return openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int entry_is_dir(int dirfd, const struct dirent *e)
{
    struct stat st;

    if (e->d_type != DT_UNKNOWN)
        return e->d_type == DT_DIR;
    return fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

gp_status godb_dir_each(int dirfd, godb_entry_fn fn, void *ctx, gp_err *err)
{
    gp_status st = GP_OK;
    int fd = godb_dir_open(dirfd, "."); /* a position of its own */
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (!dir) {
        int sys = errno;
        if (fd >= 0)
            close(fd);
        return gp_fail(err, GP_EIO, sys, "listing a directory failed");
    }
    while (st == GP_OK) {
        errno = 0;
        const struct dirent *e = readdir(dir);
        if (!e) {
            if (errno)
                st = gp_fail(err, GP_EIO, errno, "listing a directory failed");
            break;
        }
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            st = fn(ctx, e->d_name, entry_is_dir(dirfd, e));
    }
    closedir(dir);
    return st;
}

static godb_month month_of(int64_t day_s, struct tm *(*convert)(const time_t *, struct tm *))
{
    struct tm tm = {0};
    time_t t = (time_t)day_s;

    if (!convert(&t, &tm))
        return (godb_month){1970, 1};
    return (godb_month){tm.tm_year + 1900, tm.tm_mon + 1};
}

godb_month godb_month_local(int64_t day_s)
{
    return month_of(day_s, localtime_r);
}

godb_month godb_month_utc(int64_t day_s)
{
    return month_of(day_s, gmtime_r);
}

int godb_day_span(int dirfd, int64_t day_s, int64_t *first_s, int64_t *last_s)
{
    GP_CLEANUP(gp_buf_free) gp_buf buf = {0};
    godb_blockmeta m = {0};

    if (gp_read_file(dirfd, ".blockmeta", GODB_META_MAX, &buf, NULL) != GP_OK ||
        godb_blockmeta_parse(buf.data, buf.len, day_s, &m, NULL) != GP_OK)
        return 0;
    int found = m.n > 0 && m.max_s != INT64_MIN;
    if (found) {
        *first_s = m.first_s;
        *last_s = m.max_s;
    }
    godb_blockmeta_free(&m);
    return found;
}

struct find {
    int month_fd;
    int64_t day_s;
    char *name;
    unsigned n;
    int64_t last_s; /* of the candidate in name */
};

static int64_t last_block_of(const struct find *f, const char *name)
{
    int64_t first, last = INT64_MIN;
    GP_CLEANUP(gp_closep) int fd = godb_dir_open(f->month_fd, name);

    if (fd < 0 || !godb_day_span(fd, f->day_s, &first, &last))
        return INT64_MIN;
    return last;
}

static gp_status find_entry(void *ctx, const char *name, int is_dir)
{
    struct find *f = ctx;
    godb_dayname d;

    if (!is_dir || !godb_dayname_parse(name, &d) || d.day_s != f->day_s ||
        strlen(name) >= GODB_DAYNAME_CAP)
        return GP_OK;
    if (f->n++ > 0) { /* inconsistent: decide by the blocks (1.7) */
        if (f->n == 2)
            f->last_s = last_block_of(f, f->name);
        int64_t last = last_block_of(f, name);
        if (last <= f->last_s)
            return GP_OK;
        f->last_s = last;
    }
    memcpy(f->name, name, strlen(name) + 1);
    return GP_OK;
}

gp_status godb_day_find_locked(int month_fd, int64_t day_s, char name[GODB_DAYNAME_CAP],
                               unsigned *n, gp_err *err)
{
    struct find f = {.month_fd = month_fd, .day_s = day_s, .name = name};

    GP_TRY(godb_dir_each(month_fd, find_entry, &f, err));
    if (f.n > 1) { /* both names of a directory that was renamed meanwhile are not two days */
        struct stat st;
        if (fstatat(month_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            f.n = 0;
    }
    *n = f.n;
    return GP_OK;
}

gp_status godb_day_find(int month_fd, int64_t day_s, char name[GODB_DAYNAME_CAP], unsigned *n,
                        gp_err *err)
{
    struct stat before, after;
    struct timespec start;

    /* readdir() may miss an entry that is renamed while it runs, so an answer other than "one"
     * holds only if the directory did not change. */
    for (int i = 0; i < GODB_RENAME_TRIES; i++) {
        clock_gettime(CLOCK_REALTIME_COARSE, &start);
        if (fstat(month_fd, &before) != 0)
            return gp_fail(err, GP_EIO, errno, "looking at a month directory failed");
        GP_TRY(godb_day_find_locked(month_fd, day_s, name, n, err));
        if (*n == 1)
            return GP_OK;
        if (fstat(month_fd, &after) != 0)
            return gp_fail(err, GP_EIO, errno, "looking at a month directory failed");
        if (godb_dir_quiet(&before, &after, &start))
            return GP_OK;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* let the clock tick */
    }
    return GP_OK;
}

/* Somebody else's directory, perhaps not readable or on a medium of its own: only an entry that we
 * made is surely our business. */
static int sync_above(int fd, int made)
{
    GP_CLEANUP(gp_closep) int above = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return (above >= 0 && fsync(above) == 0) || !made;
}

gp_status godb_root_make(const char *path, mode_t mode, int sync, int *fd, gp_err *err)
{
    int made = mkdir(path, mode) == 0;

    if (!made && errno != EEXIST)
        return gp_fail(err, GP_EIO, errno, "making database %s failed", path);
    GP_CLEANUP(gp_closep) int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return gp_fail(err, GP_EIO, errno, "database %s", path);
    if (sync && !sync_above(root, made))
        return gp_fail(err, GP_EIO, errno, "syncing the directory of %s failed", path);
    *fd = gp_take_fd(&root);
    return GP_OK;
}

mode_t godb_dir_mode(mode_t p)
{
    return p | ((p & 0444) >> 2);
}
