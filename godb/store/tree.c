/* tree.c - whole directory trees: remove, copy, measure. Symbolic links are never followed. */
#include "tree.h"

#include "dirs.h"
#include "gp/bytes.h"
#include "gp/io.h"
#include "gp/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_BYTES = 1 << 20 };

/* ---- remove ---- */

struct removing {
    int fd;
    unsigned depth;
    gp_err *err;
};

static gp_status remove_at(int dirfd, const char *name, int is_dir, unsigned depth, gp_err *err);

static gp_status remove_entry(void *ctx, const char *name, int is_dir)
{
    struct removing *r = ctx;
    return remove_at(r->fd, name, is_dir, r->depth + 1, r->err);
}

static gp_status remove_at(int dirfd, const char *name, int is_dir, unsigned depth, gp_err *err)
{
    if (is_dir) {
        GP_CLEANUP(gp_closep) int fd = godb_dir_open(dirfd, name);
        if (fd < 0)
            return errno == ENOENT ? GP_OK : gp_fail(err, GP_EIO, errno, "opening %s failed", name);
        if (depth > GODB_TREE_DEPTH)
            return gp_fail(err, GP_ELIMIT, 0, "%s: directories are nested too deeply", name);
        struct removing r = {.fd = fd, .depth = depth, .err = err};
        GP_TRY(godb_dir_each(fd, remove_entry, &r, err));
    }
    if (unlinkat(dirfd, name, is_dir ? AT_REMOVEDIR : 0) != 0 && errno != ENOENT)
        return gp_fail(err, GP_EIO, errno, "removing %s failed", name);
    return GP_OK;
}

gp_status godb_tree_remove(int dirfd, const char *name, gp_err *err)
{
    struct stat st;

    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? GP_OK : gp_fail(err, GP_EIO, errno, "%s", name);
    return remove_at(dirfd, name, S_ISDIR(st.st_mode), 0, err);
}

/* ---- copy ---- */

struct copying {
    int from, to;
    unsigned depth;
    const char *first;
    uint8_t *buf; /* COPY_BYTES, only where copy_file_range() does not work */
    gp_err *err;
};

/* Bytes of one file through memory. */
static gp_status copy_by_hand(struct copying *c, int in, int out, const char *name)
{
    if (!c->buf && !(c->buf = gp_alloc(COPY_BYTES, 1)))
        return gp_fail(c->err, GP_ENOMEM, 0, "copying %s: out of memory", name);
    for (;;) {
        ssize_t n = read(in, c->buf, COPY_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return gp_fail(c->err, GP_EIO, errno, "reading %s failed", name);
        if (n == 0)
            return GP_OK;
        gp_status st = gp_write_full(out, c->buf, (size_t)n, c->err);
        if (st != GP_OK)
            return gp_fail_context(c->err, st, "copying %s", name);
    }
}

static gp_status copy_bytes(struct copying *c, int in, int out, const char *name)
{
    for (uint64_t done = 0;;) {
        ssize_t n = copy_file_range(in, NULL, out, NULL, (size_t)1 << 30, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 && done == 0) /* not supported here, or a file system that says 0: see */
            return copy_by_hand(c, in, out, name);
        if (n < 0)
            return gp_fail(c->err, GP_EIO, errno, "copying %s failed", name);
        if (n == 0)
            return GP_OK;
        done += (uint64_t)n;
    }
}

static gp_status copy_file(struct copying *c, const char *name)
{
    struct stat st;
    GP_CLEANUP(gp_closep)
    int in = openat(c->from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (in < 0 || fstat(in, &st) != 0)
        return gp_fail(c->err, GP_EIO, errno, "opening %s failed", name);
    if (!S_ISREG(st.st_mode))
        return GP_OK;
    GP_CLEANUP(gp_closep)
    int out = openat(c->to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (out < 0)
        return gp_fail(c->err, GP_EIO, errno, "making a copy of %s failed", name);
    GP_TRY(copy_bytes(c, in, out, name));
    if (fchmod(out, st.st_mode & 07777) != 0 || fsync(out) != 0)
        return gp_fail(c->err, GP_EIO, errno, "finishing the copy of %s failed", name);
    return GP_OK;
}

static gp_status copy_tree(struct copying *c);

static gp_status copy_dir(struct copying *c, const char *name)
{
    struct stat st;
    GP_CLEANUP(gp_closep) int from = godb_dir_open(c->from, name);

    if (c->depth >= GODB_TREE_DEPTH)
        return gp_fail(c->err, GP_ELIMIT, 0, "%s: directories are nested too deeply", name);
    if (from < 0 || fstat(from, &st) != 0 || mkdirat(c->to, name, 0700) != 0)
        return gp_fail(c->err, GP_EIO, errno, "copying directory %s failed", name);
    GP_CLEANUP(gp_closep) int to = godb_dir_open(c->to, name);
    if (to < 0 || fchmod(to, st.st_mode & 07777) != 0)
        return gp_fail(c->err, GP_EIO, errno, "copying directory %s failed", name);
    struct copying below = {
        .from = from, .to = to, .depth = c->depth + 1, .buf = c->buf, .err = c->err};
    gp_status rc = copy_tree(&below);
    c->buf = below.buf;
    return rc;
}

static gp_status copy_entry(void *ctx, const char *name, int is_dir)
{
    struct copying *c = ctx;

    if (is_dir)
        return copy_dir(c, name);
    if ((c->first && strcmp(name, c->first) == 0) ||
        strncmp(name, ".tmp-metadata-", strlen(".tmp-metadata-")) == 0)
        return GP_OK;
    return copy_file(c, name);
}

static gp_status copy_tree(struct copying *c)
{
    if (c->first)
        GP_TRY(copy_file(c, c->first));
    GP_TRY(godb_dir_each(c->from, copy_entry, c, c->err));
    return fsync(c->to) == 0 ? GP_OK : gp_fail(c->err, GP_EIO, errno, "syncing a directory failed");
}

gp_status godb_tree_copy(int from, int to, const char *first, gp_err *err)
{
    struct copying c = {.from = from, .to = to, .first = first, .err = err};
    gp_status st = copy_tree(&c);

    gp_free(c.buf);
    return st;
}

/* ---- measure ---- */

struct measuring {
    int fd;
    unsigned depth;
    uint64_t bytes;
    int64_t latest_s;
    gp_err *err;
};

static gp_status measure_entry(void *ctx, const char *name, int is_dir)
{
    struct measuring *m = ctx;
    struct stat st;

    if (fstatat(m->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? GP_OK : gp_fail(m->err, GP_EIO, errno, "%s", name);
    m->bytes += (uint64_t)st.st_blocks * 512;
    if (st.st_mtim.tv_sec > m->latest_s)
        m->latest_s = st.st_mtim.tv_sec;
    if (!is_dir || m->depth >= GODB_TREE_DEPTH)
        return GP_OK;
    GP_CLEANUP(gp_closep) int fd = godb_dir_open(m->fd, name);
    if (fd < 0)
        return errno == ENOENT ? GP_OK : gp_fail(m->err, GP_EIO, errno, "%s", name);
    struct measuring below = {.fd = fd, .depth = m->depth + 1, .err = m->err};
    GP_TRY(godb_dir_each(fd, measure_entry, &below, m->err));
    m->bytes += below.bytes;
    if (below.latest_s > m->latest_s)
        m->latest_s = below.latest_s;
    return GP_OK;
}

gp_status godb_tree_measure(int dirfd, uint64_t *bytes, int64_t *latest_s, gp_err *err)
{
    struct stat st;
    struct measuring m = {.fd = dirfd, .err = err};

    if (fstat(dirfd, &st) != 0)
        return gp_fail(err, GP_EIO, errno, "looking at a directory failed");
    m.bytes = (uint64_t)st.st_blocks * 512;
    m.latest_s = st.st_mtim.tv_sec;
    GP_TRY(godb_dir_each(dirfd, measure_entry, &m, err));
    *bytes = m.bytes;
    *latest_s = m.latest_s;
    return GP_OK;
}
