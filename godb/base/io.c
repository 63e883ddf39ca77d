/* io.c - whole reads and writes, atomic file replacement, mkdir -p; see gp/io.h. */
#include "gp/io.h"

#include "gp/mem.h"
#include "io_int.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_STEP = 64 * 1024, NAME_KEPT = 64 };

/* Offsets above off_t would turn negative in the system call. */
static int range_ok(uint64_t off, size_t n)
{
    uint64_t end;
    return !__builtin_add_overflow(off, n, &end) && end <= INT64_MAX;
}

gp_status gp_pread_full(int fd, void *buf, size_t n, uint64_t off, gp_err *err)
{
    uint8_t *p = buf;

    if (!range_ok(off, n))
        return gp_fail(err, GP_EINVAL, 0, "read of %zu bytes at offset %llu is out of range", n,
                       (unsigned long long)off);
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(fd, p + done, n - done, (off_t)(off + done));
        if (got == 0)
            return gp_fail(err, GP_ECORRUPT, 0, "file ends at byte %llu, expected %zu more",
                           (unsigned long long)(off + done), n - done);
        if (got > 0)
            done += (size_t)got;
        else if (errno != EINTR)
            return gp_fail(err, GP_EIO, errno, "reading %zu bytes at offset %llu failed", n,
                           (unsigned long long)off);
    }
    return GP_OK;
}

gp_status gp_pwrite_full(int fd, const void *buf, size_t n, uint64_t off, gp_err *err)
{
    const uint8_t *p = buf;

    if (!range_ok(off, n))
        return gp_fail(err, GP_EINVAL, 0, "write of %zu bytes at offset %llu is out of range", n,
                       (unsigned long long)off);
    for (size_t done = 0; done < n;) {
        ssize_t put = pwrite(fd, p + done, n - done, (off_t)(off + done));
        if (put > 0)
            done += (size_t)put;
        else if (put == 0 || errno != EINTR)
            return gp_fail(err, GP_EIO, put ? errno : EIO,
                           "writing %zu bytes at offset %llu failed", n, (unsigned long long)off);
    }
    return GP_OK;
}

gp_status gp_write_full(int fd, const void *buf, size_t n, gp_err *err)
{
    const uint8_t *p = buf;

    for (size_t done = 0; done < n;) {
        ssize_t put = write(fd, p + done, n - done);
        if (put > 0)
            done += (size_t)put;
        else if (put == 0 || errno != EINTR)
            return gp_fail(err, GP_EIO, put ? errno : EIO, "writing %zu bytes failed", n);
    }
    return GP_OK;
}

/* Size of a regular file; 0 for pipes, devices and files of /proc, which claim to be empty. */
static size_t known_size(int fd)
{
    struct stat st;

    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
        return (size_t)st.st_size;
    return 0;
}

static gp_status too_large(const char *path, size_t limit, gp_err *err)
{
    return gp_fail(err, GP_ELIMIT, 0, "%s: larger than the limit of %zu bytes", path, limit);
}

/* Read until the end, at most limit bytes behind what out holds already. */
static gp_status read_to_end(int fd, const char *path, size_t limit, gp_buf *out, gp_err *err)
{
    size_t start = out->len, size = known_size(fd);
    size_t step = size ? size + 1 : READ_STEP; /* the byte more lets one read see the end */

    if (out->limit && limit > out->limit - start)
        limit = out->limit - start;
    if (size > limit)
        return too_large(path, limit, err);
    for (;;) {
        size_t left = limit - (out->len - start);
        size_t want = left < step ? left : step;
        uint8_t extra, *p = &extra; /* at the limit: one byte more tells "larger" from "ends" */
        if (want > 0 && !(p = gp_buf_reserve(out, want)))
            return gp_fail(err, GP_ENOMEM, 0, "%s: no memory for its content", path);
        ssize_t got = read(fd, p, want ? want : 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return gp_fail(err, GP_EIO, errno, "cannot read %s", path);
        if (got == 0)
            return GP_OK;
        if (want == 0)
            return too_large(path, limit, err);
        out->len += (size_t)got;
        step = out->cap > out->len ? out->cap - out->len : READ_STEP;
    }
}

gp_status gp_read_file(int dirfd, const char *path, size_t limit, gp_buf *out, gp_err *err)
{
    if (out->failed)
        return gp_fail(err, GP_ENOMEM, 0, "%s: buffer has failed before", path);
    GP_CLEANUP(gp_closep) int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return gp_fail(err, errno == ENOENT ? GP_ENOTFOUND : GP_EIO, errno, "cannot open %s", path);
    size_t start = out->len;
    gp_status st = read_to_end(fd, path, limit, out, err);
    if (st != GP_OK)
        out->len = start;
    return st;
}

size_t gp_io_dir_len(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

gp_status gp_io_sync_dir(int dirfd, const char *path, gp_err *err)
{
    size_t n = gp_io_dir_len(path);
    GP_CLEANUP(gp_freep) char *dir = n ? gp_strndup(path, n) : gp_strdup(".");

    if (!dir)
        return gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", path);
    GP_CLEANUP(gp_closep) int fd = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return gp_fail(err, GP_EIO, errno, "cannot open directory %s", dir);
    if (fsync(fd) < 0 && errno != EINVAL) /* some file systems cannot sync a directory */
        return gp_fail(err, GP_EIO, errno, "cannot sync directory %s", dir);
    return GP_OK;
}

char *gp_io_temp_name(const char *path)
{
    static atomic_uint counter;
    size_t n = gp_io_dir_len(path);

    if (n > INT_MAX)
        return NULL;
    return gp_asprintf("%.*s.tmp-%.*s-%ld-%u", (int)n, path, NAME_KEPT, path + n, (long)getpid(),
                       atomic_fetch_add(&counter, 1));
}

int gp_io_create(int dirfd, const char *temp, unsigned mode)
{
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(dirfd, temp, flags, mode);

    if (fd < 0 && errno == EEXIST && unlinkat(dirfd, temp, 0) == 0) /* of a crashed process */
        fd = openat(dirfd, temp, flags, mode);
    return fd;
}

/* The new content in temp, on the disk, closed. */
static gp_status fill_temp(int dirfd, const char *temp, const void *bytes, size_t n, mode_t mode,
                           gp_err *err)
{
    gp_status st = GP_OK;
    /* 0600 until the exact mode is set: a secret is never readable for others */
    int fd = gp_io_create(dirfd, temp, 0600);

    if (fd < 0)
        return gp_fail(err, GP_EIO, errno, "cannot create %s", temp);
    st = gp_write_full(fd, bytes, n, err);
    if (st == GP_OK && fchmod(fd, mode) < 0)
        st = gp_fail(err, GP_EIO, errno, "cannot set the mode of %s", temp);
    if (st == GP_OK && fsync(fd) < 0)
        st = gp_fail(err, GP_EIO, errno, "cannot sync %s", temp);
    if (close(fd) < 0 && st == GP_OK && errno != EINTR) /* NFS reports a full disk here */
        st = gp_fail(err, GP_EIO, errno, "cannot close %s", temp);
    return st;
}

gp_status gp_write_file_atomic(int dirfd, const char *path, const void *bytes, size_t n,
                               mode_t mode, gp_err *err)
{
    GP_CLEANUP(gp_freep) char *temp = gp_io_temp_name(path);

    if (!temp)
        return gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", path);
    gp_status st = fill_temp(dirfd, temp, bytes, n, mode, err);
    if (st == GP_OK && renameat(dirfd, temp, dirfd, path) < 0)
        st = gp_fail(err, GP_EIO, errno, "cannot rename %s to %s", temp, path);
    if (st != GP_OK) {
        (void)unlinkat(dirfd, temp, 0); /* the first failure is what counts */
        return st;
    }
    return gp_io_sync_dir(dirfd, path, err);
}

/* mkdir one directory; an existing one is fine. */
static gp_status make_dir(const char *dir, mode_t mode, gp_err *err)
{
    struct stat st;

    if (mkdir(dir, mode) == 0)
        return GP_OK;
    int why = errno;
    if (stat(dir, &st) == 0) { /* not only for EEXIST: a read-only parent says EROFS or EACCES */
        if (S_ISDIR(st.st_mode))
            return GP_OK;
        why = ENOTDIR;
    }
    return gp_fail(err, GP_EIO, why, "cannot make directory %s", dir);
}

gp_status gp_mkdir_all(const char *path, mode_t mode, gp_err *err)
{
    GP_CLEANUP(gp_freep) char *dir = gp_strdup(path);

    if (!dir)
        return gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", path);
    if (!*dir)
        return gp_fail(err, GP_EINVAL, 0, "cannot make a directory with an empty name");
    for (char *p = dir + 1; *p; p++) {
        if (*p != '/' || p[-1] == '/')
            continue;
        *p = '\0';
        GP_TRY(make_dir(dir, mode, err));
        *p = '/';
    }
    return make_dir(dir, mode, err);
}

void gp_hold_std_fds(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0) /* open() takes the lowest that is free: this one */
            (void)!open("/", O_PATH | O_CLOEXEC);
}

void gp_raise_fd_limit(void)
{
    struct rlimit lim;

    if (getrlimit(RLIMIT_NOFILE, &lim) != 0 || lim.rlim_cur >= GP_FD_LIMIT ||
        lim.rlim_cur >= lim.rlim_max)
        return;
    lim.rlim_cur = lim.rlim_max < GP_FD_LIMIT ? lim.rlim_max : GP_FD_LIMIT;
    (void)setrlimit(RLIMIT_NOFILE, &lim);
}

void gp_closep(int *fd)
{
    int keep = errno;

    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
    errno = keep;
}
