/* sandbox_test.c - what a process can no longer do, tried in child processes. */
#include "rt/sandbox.h"
#include "test.h"

#include <arpa/inet.h>
#include <linux/capability.h>
#include <netdb.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Run fn in a child; its exit code. */
static int in_child(int (*fn)(void))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(fn());
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void *nothing(void *arg)
{
    return arg;
}

/* Calls that must be refused. */
static const struct {
    const char *name;
    long nr, a0;
} refused[] = {
    {"execve", SYS_execve, 0},
    {"execveat", SYS_execveat, 0},
    {"ptrace", SYS_ptrace, 0},
    {"process_vm_readv", SYS_process_vm_readv, 0},
    {"clone: a process", SYS_clone, SIGCHLD},
    {"unshare", SYS_unshare, 0},
    {"setns", SYS_setns, -1},
    {"mount", SYS_mount, 0},
    {"chroot", SYS_chroot, 0},
    {"bpf", SYS_bpf, 0},
    {"io_uring_setup", SYS_io_uring_setup, 0},
    {"keyctl", SYS_keyctl, 0},
    {"clock_settime", SYS_clock_settime, 0},
    {"setuid", SYS_setuid, 0},
    {"kill", SYS_kill, 0},
    {"mknodat", SYS_mknodat, -1},
    {"personality", SYS_personality, 0xffffffff},
    {"a call of the future", 4000, 0},
    {"socket: AF_BLUETOOTH", SYS_socket, AF_BLUETOOTH},
    {"socket: AF_VSOCK", SYS_socket, AF_VSOCK},
};

/* Exit code: 77 skipped, 1 no filter, 10 + i: call i was not refused. */
static int try_refused(void)
{
    gp_err err;

    if (rt_restrict_syscalls(&err) != GP_OK)
        return err.code == GP_EUNSUPPORTED ? 77 : 1;
    for (size_t i = 0; i < COUNT(refused); i++) {
        long r = syscall(refused[i].nr, refused[i].a0, 0L, 0L, 0L, 0L);
        if (r != -1 || errno != EPERM)
            return 10 + (int)i;
    }
    return 0;
}

static void test_refused_calls(void **state)
{
    (void)state;
    int code = in_child(try_refused);
    if (code == 77)
        skip_because("no system call filters here");
    if (code >= 10)
        fail_msg("not refused: %s", refused[code - 10].name);
    assert_int_equal(code, 0);
}

/* A kernel that knows no filters, or a container that forbids more of them: 77 skipped. */
static int try_without_filters(void)
{
    gp_err err = {0};
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

    if (!ctx || seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(seccomp), 0) != 0 ||
        seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(prctl), 1,
                         SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP, 0)) != 0 ||
        seccomp_load(ctx) != 0)
        return 77;
    seccomp_release(ctx);
    if (rt_restrict_syscalls(&err) != GP_EUNSUPPORTED)
        return 1;
    return err.sys == EINVAL ? 0 : 2;
}

static void test_no_filters(void **state)
{
    (void)state;
    int code = in_child(try_without_filters);
    if (code == 77)
        skip_because("no system call filters here");
    assert_int_equal(code, 0);
}

/* What a daemon does: threads, files, sockets, names, signals. */
static int try_allowed(void)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    char path[] = "/tmp/fleetprobe-sandbox-XXXXXX";
    struct addrinfo *a = NULL;
    struct stat st;
    pthread_t t;
    gp_err err;

    if (rt_restrict_syscalls(&err) != GP_OK)
        return err.code == GP_EUNSUPPORTED ? 77 : 1;
    if (pthread_create(&t, NULL, nothing, NULL) != 0 || pthread_join(t, NULL) != 0)
        return 2;
    for (size_t i = 0; i < COUNT(families); i++) {
        int fd = socket(families[i], (families[i] == AF_UNIX ? SOCK_STREAM : SOCK_DGRAM), 0);
        if (fd < 0 && errno == EPERM)
            return 3;
        if (fd >= 0)
            (void)close(fd);
    }
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) != 0 || fstat(fd, &st) != 0 ||
        fchmod(fd, 0640) != 0 || ftruncate(fd, 0) != 0 || close(fd) != 0 || unlink(path) != 0)
        return 4;
    if (getaddrinfo("localhost", "80", NULL, &a) != 0 && errno == EPERM)
        return 5;
    if (a)
        freeaddrinfo(a);
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p, 4096, PROT_READ) != 0 || munmap(p, 4096) != 0)
        return 6;
    return raise(SIGURG) == 0 ? 0 : 7;
}

static void test_allowed_calls(void **state)
{
    (void)state;
    int code = in_child(try_allowed);
    if (code == 77)
        skip_because("no system call filters here");
    assert_int_equal(code, 0);
}

static int drop_to_nobody(void)
{
    static const int caps[] = {CAP_NET_RAW};
    gp_err err;

    if (rt_drop_user("nobody", caps, 1, &err) != GP_OK)
        return 1;
    if (geteuid() == 0 || getegid() == 0 || setuid(0) == 0)
        return 2;
    if (open("/proc/1/environ", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES)
        return 3;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(3)); /* CAP_NET_RAW is kept */
    if (fd < 0)
        return 4;
    (void)close(fd);
    return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(3)) >= 0 && chown("/", 1, 1) == 0 ? 5
                                                                                              : 0;
}

static int drop_everything(void)
{
    gp_err err;

    if (rt_drop_user("nobody", NULL, 0, &err) != GP_OK)
        return 1;
    return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(3)) >= 0 || errno != EPERM ? 2 : 0;
}

static void test_drop_user(void **state)
{
    (void)state;
    gp_err err;
    int fd = geteuid() == 0 ? socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(3)) : -1;

    want_err(GP_ENOTFOUND, &err, "user nobody-here does not exist",
             rt_drop_user("nobody-here", NULL, 0, &err));
    if (fd < 0)
        skip_because("not root with CAP_NET_RAW");
    (void)close(fd);
    assert_int_equal(in_child(drop_to_nobody), 0);
    assert_int_equal(in_child(drop_everything), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_calls),
        cmocka_unit_test(test_no_filters),
        cmocka_unit_test(test_allowed_calls),
        cmocka_unit_test(test_drop_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
