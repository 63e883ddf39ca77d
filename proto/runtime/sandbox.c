/* sandbox.c - privileges by libcap-ng, system calls by libseccomp. */
#include "rt/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdint.h>
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

gp_status rt_deny_syscalls(gp_err *err)
{
    static const char *const denied[] = {
        "execve",
        "execveat",
        "ptrace",
        "process_vm_readv",
        "process_vm_writev",
        "kexec_load",
        "kexec_file_load",
        "init_module",
        "finit_module",
        "delete_module",
        "mount",
        "umount2",
        "pivot_root",
        "chroot",
        "move_mount",
        "fsopen",
        "fsmount",
        "open_tree",
        "mount_setattr",
        "reboot",
        "swapon",
        "swapoff",
        "bpf",
        "perf_event_open",
        "userfaultfd",
        "add_key",
        "request_key",
        "keyctl",
        "setns",
        "unshare",
        "acct",
        "settimeofday",
        "clock_settime",
        "adjtimex",
        "clock_adjtime",
        "sethostname",
        "setdomainname",
        "iopl",
        "ioperm",
        "quotactl",
        "open_by_handle_at",
        "io_uring_setup",
        "mknod",
        "mknodat",
    };
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    int r = ctx ? 0 : -ENOMEM;

    for (size_t i = 0; r == 0 && i < GP_COUNT(denied); i++) {
        int nr = seccomp_syscall_resolve_name(denied[i]);
        if (nr != __NR_SCMP_ERROR) /* a call that this architecture does not have */
            r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), nr, 0);
    }
    if (r == 0)
        r = seccomp_load(ctx);
    seccomp_release(ctx);
    if (r != 0)
        return gp_fail(err, r == -EINVAL || r == -ENOSYS ? GP_EUNSUPPORTED : GP_EIO, -r,
                       "cannot install the system call filter");
    return GP_OK;
}
