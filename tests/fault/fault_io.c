/* fault_io.c - wrappers of the system calls that the store makes. */
#include "fault_io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static struct {
    fault_mode mode;
    long nth, calls;
    int hit, full; /* full: ENOSPC or EIO sticks */
} plan;

void fault_plan(fault_mode mode, long nth)
{
    plan.mode = mode;
    plan.nth = nth;
    plan.calls = 0;
    plan.hit = plan.full = 0;
}

long fault_calls(void)
{
    return plan.calls;
}

int fault_hit(void)
{
    return plan.hit;
}

const char *fault_mode_name(fault_mode m)
{
    static const char *const names[FAULT_N_MODES] = {"none",     "EIO",  "ENOSPC",    "short",
                                                     "half EIO", "kill", "half kill", "kill after"};
    return names[m];
}

enum { WRITES = 1, NEEDS_SPACE = 2, RESTARTS = 4, CLOSES = 8 }; /* kinds of calls */

/* What happens to this call: 0 = goes through, 1 = fails with errno set, 2 = half of it. */
static int decide(unsigned kind)
{
    if (plan.mode == FAULT_NONE)
        return 0;
    plan.calls++;
    if (plan.full && (kind & NEEDS_SPACE)) {
        errno = plan.mode == FAULT_ENOSPC ? ENOSPC : EIO;
        return 1;
    }
    if (plan.calls != plan.nth)
        return 0;
    plan.hit = 1;
    errno = EIO;
    switch (plan.mode) {
    case FAULT_ENOSPC:
        plan.full = 1;
        errno = ENOSPC;
        return kind & NEEDS_SPACE ? 1 : 0;
    case FAULT_SHORT:
        errno = kind & RESTARTS ? EINTR : EIO;
        return kind & WRITES ? 2 : 1;
    case FAULT_HALF_EIO:
        plan.full = 1;
        return kind & WRITES ? 2 : 1;
    case FAULT_KILL:
        raise(SIGKILL);
        return 1;
    case FAULT_KILL_HALF:
        return kind & WRITES ? 2 : 3;
    case FAULT_KILL_AFTER:
        return 3;
    default:
        return 1;
    }
}

/* Behind a call that was let through. */
static void behind(int what)
{
    if (plan.hit && plan.calls == plan.nth && (plan.mode == FAULT_KILL_AFTER || what >= 2) &&
        (plan.mode == FAULT_KILL_AFTER || plan.mode == FAULT_KILL_HALF))
        raise(SIGKILL);
}

static struct {
    int on;
    size_t len;
    char text[32768];
} ledger;

const char *fault_record(int on)
{
    ledger.on = on;
    if (on)
        ledger.text[ledger.len = 0] = '\0';
    return ledger.text;
}

/* A line for the log: the path of fd, and name in it unless NULL. */
static void record(const char *what, int fd, const char *name)
{
    char link[32], path[512];

    if (!ledger.on)
        return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path);
    if (n < 0 || (size_t)n >= sizeof path || ledger.len >= sizeof ledger.text)
        abort();
    ledger.len +=
        (size_t)snprintf(ledger.text + ledger.len, sizeof ledger.text - ledger.len, "%s %.*s%s%s\n",
                         what, (int)n, path, name ? "/" : "", name ? name : "");
}

#define WRAP_WRITE(name, params, whole, half)                                                      \
    ssize_t __real_##name params;                                                                  \
    ssize_t __wrap_##name params;                                                                  \
    ssize_t __wrap_##name params                                                                   \
    {                                                                                              \
        int what = decide(WRITES | NEEDS_SPACE);                                                   \
        if (what == 1)                                                                             \
            return -1;                                                                             \
        ssize_t r = what == 2 && n > 1 ? __real_##name half : __real_##name whole;                 \
        behind(what);                                                                              \
        return r;                                                                                  \
    }
WRAP_WRITE(write, (int fd, const void *b, size_t n), (fd, b, n), (fd, b, n / 2))
WRAP_WRITE(pwrite, (int fd, const void *b, size_t n, off_t o), (fd, b, n, o), (fd, b, n / 2, o))

#define WRAP_LOG(type, name, params, args, kind, undo, log)                                        \
    type __real_##name params;                                                                     \
    type __wrap_##name params;                                                                     \
    type __wrap_##name params                                                                      \
    {                                                                                              \
        int what = decide(kind);                                                                   \
        if (what == 1) {                                                                           \
            int sys = errno;                                                                       \
            undo;                                                                                  \
            errno = sys;                                                                           \
            return -1;                                                                             \
        }                                                                                          \
        type r = __real_##name args;                                                               \
        if (r == 0)                                                                                \
            log;                                                                                   \
        behind(what);                                                                              \
        return r;                                                                                  \
    }
#define WRAP(type, name, params, args, kind, undo)                                                 \
    WRAP_LOG(type, name, params, args, kind, undo, (void)0)
WRAP(ssize_t, read, (int fd, void *b, size_t n), (fd, b, n), RESTARTS, (void)0)
WRAP(ssize_t, pread, (int fd, void *b, size_t n, off_t o), (fd, b, n, o), RESTARTS, (void)0)
WRAP_LOG(int, fsync, (int fd), (fd), NEEDS_SPACE, (void)0, record("fsync", fd, NULL))
WRAP_LOG(int, fdatasync, (int fd), (fd), NEEDS_SPACE, (void)0, record("fsync", fd, NULL))
WRAP(int, ftruncate, (int fd, off_t n), (fd, n), 0, (void)0)
WRAP(int, fchmod, (int fd, mode_t m), (fd, m), 0, (void)0)
WRAP(int, mkdirat, (int fd, const char *p, mode_t m), (fd, p, m), NEEDS_SPACE, (void)0)
WRAP(int, unlinkat, (int fd, const char *p, int f), (fd, p, f), 0, (void)0)
WRAP_LOG(int, renameat, (int a, const char *x, int b, const char *y), (a, x, b, y), NEEDS_SPACE,
         (void)0, record("rename", b, y))
WRAP_LOG(int, renameat2, (int a, const char *x, int b, const char *y, unsigned f), (a, x, b, y, f),
         NEEDS_SPACE, (void)0, record("rename", b, y))
WRAP(int, flock, (int fd, int op), (fd, op), 0, (void)0)
WRAP(int, fstat, (int fd, struct stat *s), (fd, s), 0, (void)0)
WRAP(int, fstatat, (int fd, const char *p, struct stat *s, int f), (fd, p, s, f), 0, (void)0)
WRAP(int, close, (int fd), (fd), CLOSES, (void)__real_close(fd)) /* Linux closes it anyway */

int __real_openat(int fd, const char *p, int flags, ...);
int __wrap_openat(int fd, const char *p, int flags, ...);

int __wrap_openat(int fd, const char *p, int flags, ...)
{
    mode_t mode = 0;

    if (flags & O_CREAT) {
        va_list ap;
        va_start(ap, flags);
        mode = va_arg(ap, mode_t);
        va_end(ap);
    }
    int what = decide(flags & O_CREAT ? NEEDS_SPACE : 0);
    if (what == 1)
        return -1;
    int r = __real_openat(fd, p, flags, mode);
    behind(what);
    return r;
}
