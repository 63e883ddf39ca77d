/* command.c - the resolver "command": an executable that prints hosts, one a line.
 *
 * config: path of the executable. It is called with the selector as its only argument (no shell),
 * has TIMEOUT_MS to answer, and must end with exit code 0. */
#include "kinds.h"

#include "gp/bytes.h"
#include "gp/clock.h"
#include "gp/io.h"
#include "gp/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { TIMEOUT_MS = 5000, MAX_OUTPUT = 16 * 1024 * 1024 };

static gp_status open_command(const char *config, void **state, gp_err *err)
{
    if (*config != '/')
        return gp_fail(err, GP_EINVAL, 0,
                       "needs the absolute path of an executable (hosts.resolvers: config)");
    if (access(config, X_OK) != 0)
        return gp_fail(err, GP_EINVAL, errno, "%s", config);
    *state = gp_strdup(config);
    return *state ? GP_OK : gp_fail(err, GP_ENOMEM, 0, "out of memory");
}

static void close_command(void *state)
{
    gp_free(state);
}

/* Default signals, nothing of ours inherited but stderr. */
static gp_status start(const char *path, const char *selector, int out, pid_t *pid, gp_err *err)
{
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t at;
    sigset_t none, all;
    union {
        const char *c;
        char *m;
    } p = {.c = path}, s = {.c = selector};
    char *argv[] = {p.m, s.m, NULL};
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&fa);
    posix_spawnattr_init(&at);
    posix_spawn_file_actions_addopen(&fa, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&fa, out, STDOUT_FILENO);
    posix_spawnattr_setsigmask(&at, &none);
    posix_spawnattr_setsigdefault(&at, &all);
    posix_spawnattr_setpgroup(&at, 0); /* a group of its own, so that its children end with it */
    posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                      POSIX_SPAWN_SETPGROUP);
    int rc = posix_spawn(pid, path, &fa, &at, argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    posix_spawnattr_destroy(&at);
    return rc == 0 ? GP_OK : gp_fail(err, GP_EIO, rc, "%s", path);
}

static gp_status read_all(const char *path, int fd, gp_deadline end, gp_buf *out, gp_err *err)
{
    for (;;) {
        struct pollfd pf = {.fd = fd, .events = POLLIN};
        int64_t left = gp_deadline_left_ms(end);
        int n = left > 0 ? poll(&pf, 1, (int)left) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return gp_fail(err, GP_EDEADLINE, 0, "%s: no end within %d ms", path, TIMEOUT_MS);
        uint8_t *p = gp_buf_reserve(out, 65536);
        if (!p)
            return gp_fail(err, GP_ELIMIT, 0, "%s: more than %d bytes of output", path, MAX_OUTPUT);
        ssize_t r = read(fd, p, 65536);
        if (r == 0)
            return GP_OK;
        if (r < 0 && errno != EINTR)
            return gp_fail(err, GP_EIO, errno, "%s", path);
        out->len += r > 0 ? (size_t)r : 0;
    }
}

/* Its exit code; it is killed when it does not end in time. */
static gp_status wait_end(const char *path, pid_t pid, gp_deadline end, gp_status st, gp_err *err)
{
    int status = 0;
    if (st != GP_OK)
        kill(-pid, SIGKILL);
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (gp_deadline_passed(end))
            kill(-pid, SIGKILL);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    if (st != GP_OK)
        return st;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return GP_OK;
    if (WIFEXITED(status))
        return gp_fail(err, GP_EIO, 0, "%s: exit code %d", path, WEXITSTATUS(status));
    return gp_fail(err, GP_EIO, 0, "%s: ended by signal %d", path, WTERMSIG(status));
}

static gp_status take_lines(const char *path, char *text, resolver_hosts *out, gp_err *err)
{
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        line += strspn(line, " \t\r");
        line[strcspn(line, "#\r")] = 0;
        size_t n = strlen(line);
        while (n && (line[n - 1] == ' ' || line[n - 1] == '\t'))
            line[--n] = 0;
        if (n == 0)
            continue;
        if (!resolver_is_host(line))
            return gp_fail(err, GP_EINVAL, 0, "%s: printed \"%.60s\", expected one host a line",
                           path, line);
        GP_TRY(resolver_hosts_add(out, line, err));
    }
    return GP_OK;
}

static gp_status resolve_command(const void *state, const char *selector,
                                 const resolver_known *known, resolver_hosts *out, gp_err *err)
{
    const char *path = state;
    int fds[2];
    pid_t pid;
    gp_buf b = {.limit = MAX_OUTPUT};
    (void)known;
    if (pipe2(fds, O_CLOEXEC) != 0)
        return gp_fail(err, GP_EIO, errno, "%s", path);
    gp_deadline end = gp_deadline_in_ms(TIMEOUT_MS);
    gp_status st = start(path, selector, fds[1], &pid, err);
    close(fds[1]);
    if (st == GP_OK) {
        st = read_all(path, fds[0], end, &b, err);
        st = wait_end(path, pid, end, st, err);
    }
    close(fds[0]);
    if (st == GP_OK && b.len && memchr(b.data, 0, b.len))
        st = gp_fail(err, GP_EINVAL, 0, "%s: printed bytes that are no text", path);
    char *text = st == GP_OK ? gp_buf_take(&b) : NULL;
    if (st == GP_OK)
        st = text ? take_lines(path, text, out, err) : gp_fail(err, GP_ENOMEM, 0, "out of memory");
    gp_free(text);
    gp_buf_free(&b);
    return st;
}

const resolver_kind resolver_command = {
    .type = "command", .open = open_command, .resolve = resolve_command, .close = close_command};
