/* sandbox.c - privileges by libcap-ng, system calls by libseccomp. */
#include "rt/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PW_BYTES = 16384 };

gp_status rt_drop_user(const char *user, const int *caps, size_t n_caps, gp_err *err)
{
    struct passwd pw, *found = NULL;
    char buf[PW_BYTES];

    int r = getpwnam_r(user, &pw, buf, sizeof buf, &found);
    if (!found)
        return gp_fail(err, GP_ENOTFOUND, r, "user %s does not exist", user);
    capng_clear(CAPNG_SELECT_BOTH);
    for (size_t i = 0; i < n_caps; i++)
        if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, (unsigned)caps[i]) != 0)
            return gp_fail(err, GP_EINVAL, 0, "capability %d", caps[i]);
    if (pw.pw_uid == geteuid()) { /* already that user: only the capabilities go */
        if (capng_apply(CAPNG_SELECT_CAPS) != 0)
            return gp_fail(err, GP_EDENIED, errno, "cannot reduce capabilities");
        return GP_OK;
    }
    r = capng_change_id((int)pw.pw_uid, (int)pw.pw_gid,
                        (capng_flags_t)(CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING));
    if (r != 0)
        return gp_fail(err, GP_EDENIED, 0, "cannot become user %s (libcap-ng %d)", user, r);
    return GP_OK;
}

gp_status rt_chown_to(const char *path, const char *user, gp_err *err)
{
    struct passwd pw, *found = NULL;
    char buf[PW_BYTES];

    int r = getpwnam_r(user, &pw, buf, sizeof buf, &found);
    if (!found)
        return gp_fail(err, GP_ENOTFOUND, r, "user %s does not exist", user);
    if (lchown(path, pw.pw_uid, pw.pw_gid) != 0)
        return gp_fail(err, GP_EDENIED, errno, "%s: cannot be given to user %s", path, user);
    return GP_OK;
}

/* What a daemon of ours and its libraries call: files of the database, rings of libpcap, nng,
 * libmicrohttpd, threads, the resolver of the C library. Names that an architecture does not have
 * are left out; the *64 and *_time64 ones are for 32-bit machines. */
static const char *const allowed[] = {
    /* files */
    "_llseek",
    "access",
    "chmod",
    "close",
    "close_range",
    "copy_file_range",
    "creat",
    "dup",
    "dup2",
    "dup3",
    "faccessat",
    "faccessat2",
    "fadvise64",
    "fadvise64_64",
    "arm_fadvise64_64",
    "fallocate",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "fcntl",
    "fcntl64",
    "fdatasync",
    "flock",
    "fstat",
    "fstat64",
    "fstatat64",
    "fstatfs",
    "fstatfs64",
    "fsync",
    "ftruncate",
    "ftruncate64",
    "getcwd",
    "getdents",
    "getdents64",
    "ioctl",
    "link",
    "linkat",
    "lseek",
    "lstat",
    "lstat64",
    "mkdir",
    "mkdirat",
    "newfstatat",
    "open",
    "openat",
    "openat2",
    "pipe",
    "pipe2",
    "pread64",
    "preadv",
    "preadv2",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "read",
    "readahead",
    "readlink",
    "readlinkat",
    "readv",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "sendfile",
    "sendfile64",
    "splice",
    "stat",
    "stat64",
    "statfs",
    "statfs64",
    "statx",
    "symlink",
    "symlinkat",
    "sync_file_range",
    "sync_file_range2",
    "syncfs",
    "truncate",
    "truncate64",
    "umask",
    "unlink",
    "unlinkat",
    "utimensat",
    "utimensat_time64",
    "write",
    "writev",
    /* memory */
    "brk",
    "madvise",
    "membarrier",
    "memfd_create",
    "mincore",
    "mlock",
    "mlock2",
    "mmap",
    "mmap2",
    "mprotect",
    "mremap",
    "msync",
    "munlock",
    "munmap",
    /* events and time */
    "clock_getres",
    "clock_getres_time64",
    "clock_gettime",
    "clock_gettime64",
    "clock_nanosleep",
    "clock_nanosleep_time64",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "eventfd",
    "eventfd2",
    "gettimeofday",
    "inotify_add_watch",
    "inotify_init",
    "inotify_init1",
    "inotify_rm_watch",
    "nanosleep",
    "_newselect",
    "poll",
    "ppoll",
    "ppoll_time64",
    "pselect6",
    "pselect6_time64",
    "select",
    "signalfd",
    "signalfd4",
    "time",
    "timerfd_create",
    "timerfd_gettime",
    "timerfd_gettime64",
    "timerfd_settime",
    "timerfd_settime64",
    /* network */
    "accept",
    "accept4",
    "bind",
    "connect",
    "getpeername",
    "getsockname",
    "getsockopt",
    "listen",
    "recv",
    "recvfrom",
    "recvmmsg",
    "recvmmsg_time64",
    "recvmsg",
    "send",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "setsockopt",
    "shutdown",
    "socketcall",
    "socketpair",
    /* threads, signals, facts about the process and the host */
    "arch_prctl",
    "cacheflush",
    "capget",
    "exit",
    "exit_group",
    "futex",
    "futex_time64",
    "futex_waitv",
    "get_robust_list",
    "getcpu",
    "getegid",
    "getegid32",
    "geteuid",
    "geteuid32",
    "getgid",
    "getgid32",
    "getgroups",
    "getgroups32",
    "getpid",
    "getppid",
    "getpriority",
    "getrandom",
    "getresgid",
    "getresuid",
    "getrlimit",
    "getrusage",
    "gettid",
    "getuid",
    "getuid32",
    "ioprio_get",
    "ioprio_set",
    "pause",
    "prctl",
    "prlimit64",
    "restart_syscall",
    "riscv_flush_icache",
    "rseq",
    "rt_sigaction",
    "rt_sigpending",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "rt_sigtimedwait_time64",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "sched_getaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "sched_yield",
    "set_robust_list",
    "set_thread_area",
    "set_tid_address",
    "setpriority",
    "sigaltstack",
    "sigreturn",
    "sysinfo",
    "tgkill",
    "times",
    "tkill",
    "ugetrlimit",
    "uname",
};

static int allow(scmp_filter_ctx ctx, const char *name)
{
    int nr = seccomp_syscall_resolve_name(name);
    if (nr == __NR_SCMP_ERROR) /* not on this architecture, or newer than the library */
        return 0;
    return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
}

/* Threads but no processes; sockets of the families in use. The C library makes threads with
 * clone3, whose flags lie in memory that a filter cannot read, and falls back to clone. */
static int allow_some(scmp_filter_ctx ctx)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET};
    int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                             SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));

    if (r == 0)
        r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    for (size_t i = 0; r == 0 && i < GP_COUNT(families); i++)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                             SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0));
    return r;
}

gp_status rt_restrict_syscalls(gp_err *err)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int r = ctx ? seccomp_attr_set(ctx, SCMP_FLTATR_API_SYSRAWRC, 1) : -ENOMEM; /* what it was */

    for (size_t i = 0; r == 0 && i < GP_COUNT(allowed); i++)
        r = allow(ctx, allowed[i]);
    if (r == 0)
        r = allow_some(ctx);
    if (r == 0)
        r = seccomp_load(ctx);
    if (ctx)
        seccomp_release(ctx);
    if (r != 0)
        return gp_fail(err, r == -EINVAL || r == -ENOSYS ? GP_EUNSUPPORTED : GP_EIO, -r,
                       "cannot install the system call filter");
    return GP_OK;
}
