/* io.h - file helpers that handle EINTR, short transfers and limits in one place. */
#ifndef GP_IO_H
#define GP_IO_H

#include "gp/bytes.h"
#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Exactly n bytes, or GP_EIO (errno in err->sys) / GP_ECORRUPT when the file ends before. */
gp_status gp_pread_full(int fd, void *buf, size_t n, uint64_t off, gp_err *err) GP_MUST_CHECK;
gp_status gp_pwrite_full(int fd, const void *buf, size_t n, uint64_t off,
                         gp_err *err) GP_MUST_CHECK;
gp_status gp_write_full(int fd, const void *buf, size_t n, gp_err *err) GP_MUST_CHECK;

/* Read a whole file of at most limit bytes into *out (appended; grows). dirfd may be AT_FDCWD.
 * GP_ENOTFOUND if it does not exist, GP_ELIMIT if it is larger. */
gp_status gp_read_file(int dirfd, const char *path, size_t limit, gp_buf *out,
                       gp_err *err) GP_MUST_CHECK;

/* Write-temp, fsync, rename, fsync directory: path holds the old or the new bytes, never less.
 * mode: exact permission bits of the new file, whatever the umask says. If path is a symbolic link,
 * the link itself is replaced. */
gp_status gp_write_file_atomic(int dirfd, const char *path, const void *bytes, size_t n,
                               mode_t mode, gp_err *err) GP_MUST_CHECK;

/* mkdir -p with the given mode for directories that are created (umask applies). */
gp_status gp_mkdir_all(const char *path, mode_t mode, gp_err *err) GP_MUST_CHECK;

/* First thing in main(): where standard input, output or error is closed, no file that is opened
 * later takes its number. Reading and writing there still fail with "Bad file descriptor". */
void gp_hold_std_fds(void);

/* Many interfaces, hosts or days need many files: the soft limit of descriptors becomes the hard
 * one, at most GP_FD_LIMIT. A higher one stays. For main(), before threads and children. */
enum { GP_FD_LIMIT = 65536 };
void gp_raise_fd_limit(void);

/* close() for GP_CLEANUP(gp_closep) int fd = -1; keeps errno. */
void gp_closep(int *fd);
/* The descriptor, which *fd no longer owns. */
static inline int gp_take_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

#endif
