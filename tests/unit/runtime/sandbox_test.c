/* sandbox_test.c - what a process can no longer do, tried in child processes. */
#include "rt/sandbox.h"
#include "test.h"

#include <arpa/inet.h>
#include <linux/capability.h>
#include <pthread.h>
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

static int denied_calls(void)
{
    gp_err err;
    pthread_t t;
    char *argv[] = {(char *)(uintptr_t) "true", NULL};

    if (rt_deny_syscalls(&err) != GP_OK)
        return err.code == GP_EUNSUPPORTED ? 77 : 1;
    if (execv("/bin/true", argv) != -1 || errno != EPERM)
        return 2;
    if (syscall(SYS_ptrace, 0, 0, 0, 0) != -1 || errno != EPERM)
        return 3;
    if (pthread_create(&t, NULL, nothing, NULL) != 0 || pthread_join(t, NULL) != 0)
        return 4;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? 5 : close(fd);
}

static void test_denied_calls(void **state)
{
    (void)state;
    int code = in_child(denied_calls);
    if (code == 77)
        skip();
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
    if (fd < 0) {
        print_message("not root with CAP_NET_RAW: skipped\n");
        skip();
    }
    (void)close(fd);
    assert_int_equal(in_child(drop_to_nobody), 0);
    assert_int_equal(in_child(drop_everything), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_denied_calls),
        cmocka_unit_test(test_drop_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
