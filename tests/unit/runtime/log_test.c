/* log_test.c - log lines in the three encodings, levels, limits; daemon helpers. */
#include "rt/daemon.h"
#include "rt/log.h"

#include "gp/io.h"
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[64];

static const char *read_back(gp_buf *b)
{
    gp_buf_clear(b);
    assert_int_equal(gp_read_file(AT_FDCWD, path, 1 << 20, b, NULL), GP_OK);
    unlink(path);
    return gp_buf_str(b);
}

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        rt_encoding enc;
        int prio;
        const char *want; /* after the time stamp */
    } cases[] = {
        {"logfmt", RT_LOGFMT, 0,
         " level=warn msg=\"disk \\\"full\\\"\" version=1.2 iface=eth0 q=\"a b\" e=\"\" n=-5 u=7 "
         "d=1.5s ok=true\n"},
        {"json", RT_JSON, 0,
         "\",\"level\":\"warn\",\"msg\":\"disk "
         "\\\"full\\\"\",\"version\":\"1.2\",\"iface\":\"eth0\","
         "\"q\":\"a b\",\"e\":\"\",\"n\":-5,\"u\":7,\"d\":\"1.5s\",\"ok\":true}\n"},
        {"plain", RT_PLAIN, 1,
         "<4>Disk \\\"full\\\" iface=eth0 q=\"a b\" e=\"\" n=-5 u=7 d=1.5s ok=true\n"},
    };
    gp_buf b = {0};
    for (size_t i = 0; i < GP_COUNT(cases); i++) {
        rt_log_opts o = {.level = RT_INFO,
                         .encoding = cases[i].enc,
                         .destination = path,
                         .version = "1.2",
                         .priorities = cases[i].prio};
        assert_int_equal(rt_log_init(&o, NULL), GP_OK);
        rt_debug("not shown");
        rt_warn("disk \"full\"", RT_S("iface", "eth0"), RT_S("q", "a b"), RT_S("e", NULL),
                RT_I("n", -5), RT_U("u", 7), RT_D("d", 1500000000), RT_B("ok", 2));
        const char *got = read_back(&b);
        size_t len = strlen(got), want = strlen(cases[i].want);
        if (len < want || strcmp(got + len - want, cases[i].want) != 0)
            fail_msg("%s: got %s", cases[i].what, got);
        assert_true(strchr(got, '\n') == got + len - 1);
    }
    gp_buf_free(&b);
}

static void test_hostile_and_long(void **state)
{
    (void)state;
    gp_buf b = {0};
    rt_log_opts o = {.encoding = RT_LOGFMT, .destination = path};
    assert_int_equal(rt_log_init(&o, NULL), GP_OK);
    rt_error("x", RT_S("name", "a\nlevel=info msg=forged\x1b[0m"));
    const char *got = read_back(&b);
    assert_true(strchr(got, '\n') == got + strlen(got) - 1);
    assert_null(strchr(got, '\x1b'));
    char big[20000];
    memset(big, 'A', sizeof big - 1);
    big[sizeof big - 1] = 0;
    assert_int_equal(rt_log_init(&o, NULL), GP_OK);
    rt_error("y", RT_S("big", big));
    got = read_back(&b);
    assert_true(strlen(got) <= 8192);
    assert_true(strchr(got, '\n') == got + strlen(got) - 1);
    gp_buf_free(&b);
}

static void test_limit(void **state)
{
    (void)state;
    rt_limit l = {0};
    uint64_t sup = 9;
    assert_true(rt_limit_pass(&l, 1000000, &sup));
    assert_int_equal(sup, 0);
    for (int i = 0; i < 5; i++)
        assert_false(rt_limit_pass(&l, 1000000, &sup));
    atomic_store(&l.next_ms, 0);
    assert_true(rt_limit_pass(&l, 1000000, &sup));
    assert_int_equal(sup, 5);
}

static void test_names(void **state)
{
    (void)state;
    assert_int_equal(rt_level_by_name("WARN"), RT_WARN);
    assert_int_equal(rt_level_by_name("panic"), RT_FATAL);
    assert_int_equal(rt_level_by_name("loud"), -1);
    assert_int_equal(rt_encoding_by_name("JSON"), RT_JSON);
    assert_int_equal(rt_encoding_by_name("xml"), -1);
    gp_err err = {0};
    rt_log_opts o = {.destination = "/nonexistent/dir/log"};
    assert_int_equal(rt_log_init(&o, &err), GP_EIO);
    assert_non_null(strstr(err.msg, "/nonexistent/dir/log"));
}

static int listen_at(const char *at)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    memcpy(sa.sun_path, at, strlen(at));
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

static void test_journal(void **state)
{
    (void)state;
    char at[80], got[512], longer[200] = "/"; /* than the address of a socket may be */
    rt_log_opts o = {.level = RT_INFO, .destination = "Journal"};
    gp_err err = {0};

    memset(longer + 1, 'x', sizeof longer - 2);
    o.journal = longer;
    assert_int_equal(rt_log_init(&o, &err), GP_EIO);
    assert_int_equal(err.sys, ENAMETOOLONG);
    o.journal = at;
    (void)snprintf(at, sizeof at, "%s.journal", path);
    assert_int_equal(rt_log_init(&o, &err), GP_EIO); /* no journal here */
    assert_non_null(strstr(err.msg, "logging.destination: journal at "));
    int fd = listen_at(at);
    assert_int_equal(rt_log_init(&o, &err), GP_OK);
    assert_int_equal(recv(fd, got, sizeof got, 0), 0); /* the probe */
    rt_warn("two\nlines", RT_S("iface", "eth0"));
    ssize_t n = recv(fd, got, sizeof got - 1, 0);
    assert_true(n > 0);
    got[n] = 0;
    assert_non_null(strstr(got, "PRIORITY=4\nSYSLOG_IDENTIFIER=runtime.log\n"));
    assert_string_equal(strstr(got, "MESSAGE="),
                        "MESSAGE=level=warn msg=\"two\\nlines\" iface=eth0\n");
    close(fd); /* the journal restarts: nothing hangs, and it goes on */
    unlink(at);
    rt_warn("lost");
    fd = listen_at(at);
    assert_int_equal(rt_log_reopen(&err), GP_OK);
    rt_error("again");
    n = recv(fd, got, sizeof got - 1, 0);
    assert_true(n > 0);
    got[n] = 0;
    assert_non_null(strstr(got, "MESSAGE=level=error msg=\"again\"\n"));
    close(fd);
    unlink(at);
}

/* /dev/log of its own in a child with its own mounts: 0 fine, 77 not possible here. */
static int try_syslog(void)
{
    char got[512];
    rt_log_opts o = {
        .level = RT_INFO, .encoding = RT_JSON, .destination = "syslog", .priorities = 1};

    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", "/dev", "tmpfs", 0, NULL) != 0)
        return 77;
    int fd = listen_at("/dev/log");
    if (rt_log_init(&o, NULL) != GP_OK)
        return 2;
    rt_error("disk full", RT_S("iface", "eth0"));
    ssize_t n = recv(fd, got, sizeof got - 1, 0);
    if (n <= 0)
        return 3;
    got[n] = 0;
    if (strncmp(got, "<27>", 4) != 0) /* daemon, error */
        return 4;
    const char *at = strstr(got, ": {");
    return at && strcmp(at, ": {\"level\":\"error\",\"msg\":\"disk full\",\"iface\":\"eth0\"}") == 0
               ? 0
               : 5;
}

static void test_syslog(void **state)
{
    (void)state;
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(try_syslog());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip_because("no mount namespace for a /dev/log");
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void *send_wake(void *arg)
{
    (void)arg;
    rt_signals_wake();
    return NULL;
}

static void test_signals(void **state)
{
    (void)state;
    assert_int_equal(rt_signals_init(NULL), GP_OK);
    assert_int_equal(rt_signals_wait(0), 0);
    assert_int_equal(kill(getpid(), SIGHUP), 0);
    assert_int_equal(rt_signals_wait(5000), SIGHUP);
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, send_wake, NULL), 0);
    assert_int_equal(rt_signals_wait(5000), -1);
    pthread_join(t, NULL);
}

static void test_notify(void **state)
{
    (void)state;
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    char buf[64] = "";
    snprintf(sa.sun_path, sizeof sa.sun_path, "/tmp/rt-notify-%d", (int)getpid());
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    setenv("NOTIFY_SOCKET", sa.sun_path, 1);
    rt_notify("READY=1");
    assert_int_equal(recv(fd, buf, sizeof buf - 1, MSG_DONTWAIT), 7);
    assert_string_equal(buf, "READY=1");
    unsetenv("NOTIFY_SOCKET");
    rt_notify("READY=1"); /* no socket: nothing happens */
    close(fd);
    unlink(sa.sun_path);
    setenv("WATCHDOG_USEC", "3000000", 1);
    assert_int_equal(rt_watchdog_ms(), 1500);
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(rt_watchdog_ms(), 0);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    assert_true(rt_mem_resident() > 100000);
    assert_true(rt_mem_physical() > rt_mem_resident());
}

/* The next state a daemon has told, without what follows on further lines. */
static const char *told(int fd, char buf[128])
{
    ssize_t n = recv(fd, buf, 127, MSG_DONTWAIT);
    buf[n > 0 ? n : 0] = 0;
    buf[strcspn(buf, "\n")] = 0;
    return buf;
}

struct life {
    int reloads, ticks;
};

static void on_reload(void *ctx)
{
    ((struct life *)ctx)->reloads++;
}

static void on_tick(void *ctx)
{
    struct life *l = ctx;
    int sig = ++l->ticks == 2 ? SIGHUP : l->ticks == 4 ? SIGTERM : 0;
    if (sig)
        assert_int_equal(kill(getpid(), sig), 0);
}

static void test_loop(void **state)
{
    (void)state;
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    struct life l = {0};
    char buf[128];
    assert_int_equal(rt_signals_init(NULL), GP_OK);
    snprintf(sa.sun_path, sizeof sa.sun_path, "/tmp/rt-loop-%d", (int)getpid());
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    setenv("NOTIFY_SOCKET", sa.sun_path, 1);
    rt_loop loop = {.reload = on_reload, .tick = on_tick, .tick_ms = 1, .ctx = &l};
    assert_int_equal(rt_loop_run(&loop), SIGTERM);
    assert_int_equal(l.reloads, 1);
    assert_int_equal(l.ticks, 4);
    static const char *const want[] = {"READY=1", "RELOADING=1", "READY=1", "STOPPING=1", ""};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        assert_string_equal(told(fd, buf), want[i]);
    unsetenv("NOTIFY_SOCKET");
    close(fd);
    unlink(sa.sun_path);
}

int main(void)
{
    snprintf(path, sizeof path, "/tmp/rt-log-%d", (int)getpid());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),   cmocka_unit_test(test_hostile_and_long),
        cmocka_unit_test(test_limit),   cmocka_unit_test(test_names),
        cmocka_unit_test(test_journal), cmocka_unit_test(test_syslog),
        cmocka_unit_test(test_signals), cmocka_unit_test(test_notify),
        cmocka_unit_test(test_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
