/* daemon.c - signals through a signalfd, sd_notify(3) datagrams, facts about this host. */
#include "rt/daemon.h"

#include "gp/bytes.h"
#include "gp/clock.h"
#include "gp/io.h"
#include "gp/num.h"
#include "rt/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Signals belong to the process, so this is process-wide; set once by rt_signals_init(). */
static int sig_fd = -1;
static atomic_int wake_fd = -1;

static void signal_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR1);
}

gp_status rt_signals_init(gp_err *err)
{
    sigset_t set;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    signal_set(&set);
    if (sig_fd >= 0)
        return GP_OK;
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 || sigaction(SIGPIPE, &ignore, NULL) != 0)
        return gp_fail(err, GP_EIO, errno, "signal mask");
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    int efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0 || efd < 0) {
        gp_status st = gp_fail(err, GP_EIO, errno, "signalfd");
        gp_closep(&fd);
        gp_closep(&efd);
        return st;
    }
    sig_fd = fd;
    atomic_store(&wake_fd, efd);
    return GP_OK;
}

int rt_signals_wait(int64_t timeout_ms)
{
    gp_deadline end = gp_deadline_in_ms(timeout_ms);
    struct pollfd p[2] = {{.fd = sig_fd, .events = POLLIN},
                          {.fd = atomic_load(&wake_fd), .events = POLLIN}};
    for (;;) {
        int64_t left = gp_deadline_left_ms(end);
        int n = poll(p, 2, left == INT64_MAX ? -1 : left > 1000000 ? 1000000 : (int)left);
        if (n == 0 && left <= 1000000)
            return 0;
        struct signalfd_siginfo si;
        if (n > 0 && (p[0].revents & POLLIN) && read(sig_fd, &si, sizeof si) == sizeof si)
            return (int)si.ssi_signo;
        uint64_t v;
        if (n > 0 && (p[1].revents & POLLIN) && read(p[1].fd, &v, sizeof v) == sizeof v)
            return -1;
        if (n < 0 && errno != EINTR)
            return 0;
    }
}

void rt_signals_wake(void)
{
    uint64_t one = 1;
    int fd = atomic_load(&wake_fd);
    if (fd >= 0) {
        ssize_t n = write(fd, &one, sizeof one); /* full counter: a wake is pending anyway */
        (void)n;
    }
}

void rt_signals_restore(void)
{
    sigset_t none;
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    sigemptyset(&none);
    sigaction(SIGPIPE, &dfl, NULL);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void rt_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (!path || (*path != '/' && *path != '@') || strlen(path) >= sizeof sa.sun_path)
        return;
    memcpy(sa.sun_path, path, strlen(path));
    if (*path == '@')
        sa.sun_path[0] = 0; /* abstract name space */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    ssize_t n = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&sa, len);
    (void)n;
    close(fd);
}

void rt_notify_reloading(void)
{
    char buf[80];
    snprintf(buf, sizeof buf, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, gp_mono_ns() / 1000);
    rt_notify(buf);
}

int64_t rt_watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    uint64_t v, p;
    if (!usec || !gp_num_u64(usec, strlen(usec), INT64_MAX, &v) || v == 0)
        return 0;
    if (pid && (!gp_num_u64(pid, strlen(pid), INT32_MAX, &p) || (pid_t)p != getpid()))
        return 0;
    return v < 2000 ? 1 : (int64_t)(v / 2000);
}

/* ---- the life of a daemon ---- */

static void loop_reload(const rt_loop *l)
{
    gp_err err = {0};
    rt_notify_reloading();
    if (rt_log_reopen(&err) != GP_OK)
        rt_error("log not reopened", RT_ERR(&err));
    l->reload(l->ctx);
    rt_notify("READY=1");
}

int rt_loop_run(const rt_loop *l)
{
    int64_t beat = rt_watchdog_ms(), wait = l->tick && l->tick_ms > 0 ? l->tick_ms : -1;
    if (beat && (wait < 0 || beat < wait))
        wait = beat;
    rt_notify("READY=1");
    for (;;) {
        int sig = rt_signals_wait(wait);
        if (sig == SIGTERM || sig == SIGINT) {
            rt_info("shutting down", RT_I("signal", sig));
            rt_notify("STOPPING=1");
            return sig;
        }
        if (sig == SIGHUP)
            loop_reload(l);
        if (l->tick)
            l->tick(l->ctx);
        if (beat)
            rt_notify("WATCHDOG=1");
    }
}

const char *rt_machine_id(char *buf, size_t cap)
{
    gp_buf b = {0};
    buf[0] = 0;
    if (gp_read_file(AT_FDCWD, "/etc/machine-id", 256, &b, NULL) == GP_OK) {
        const char *s = gp_buf_str(&b);
        size_t n = s ? strcspn(s, "\r\n") : 0;
        if (n < cap && n > 0) {
            memcpy(buf, s, n);
            buf[n] = 0;
        }
    }
    gp_buf_free(&b);
    return buf;
}

const char *rt_host_name(char *buf, size_t cap)
{
    if (cap == 0 || gethostname(buf, cap) != 0)
        return "";
    buf[cap - 1] = 0;
    return buf;
}

uint64_t rt_mem_resident(void)
{
    char line[256] = "";
    uint64_t pages = 0;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, line, sizeof line - 1);
    close(fd);
    if (n <= 0)
        return 0;
    const char *p = strchr(line, ' ');
    if (!p || !gp_num_u64(p + 1, strcspn(p + 1, " "), UINT64_MAX / 65536, &pages))
        return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t rt_mem_physical(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
}
