/* sandbox.h - giving up privileges: own user with chosen capabilities, few system calls. */
#ifndef RT_SANDBOX_H
#define RT_SANDBOX_H

#include "gp/err.h"

#include <stddef.h>

/* Become this user (its group, no supplementary groups) and keep only these capabilities
 * (CAP_NET_RAW, ...); all others are gone for good, also from the bounding set. Before any thread
 * exists: the change is per thread. GP_ENOTFOUND for an unknown user, GP_EDENIED when not allowed.
 */
gp_status rt_drop_user(const char *user, const int *caps, size_t n_caps, gp_err *err) GP_MUST_CHECK;

/* Give a file or directory to this user and its group. */
gp_status rt_chown_to(const char *path, const char *user, gp_err *err) GP_MUST_CHECK;

/* From now on, this thread and those it starts may make the system calls that a daemon of ours
 * makes, and no others (EPERM): no programs, no processes, no tracing, mounting, namespaces,
 * modules, keys, bpf(2), io_uring, setting of clocks or user ids; sockets only of the families
 * unix, inet, inet6, netlink and packet. Sets no_new_privs. GP_EUNSUPPORTED on kernels without
 * seccomp.
 */
gp_status rt_restrict_syscalls(gp_err *err) GP_MUST_CHECK;

#endif
