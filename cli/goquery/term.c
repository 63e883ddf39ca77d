/* term.c - colours, screen height, and $PAGER for long tables. */
#include "term.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

typedef enum when { AUTO, ALWAYS, NEVER } when;

static gp_status parse_when(const char *flag, const char *text, when *out, gp_err *err)
{
    static const char *const names[] = {[AUTO] = "auto", [ALWAYS] = "always", [NEVER] = "never"};
    for (int i = AUTO; i <= NEVER; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (when)i;
            return GP_OK;
        }
    return gp_fail(err, GP_EINVAL, 0,
                   "invalid argument \"%.40s\" for \"--%s\" flag: expected auto, always or never",
                   text, flag);
}

gp_status goquery_color(const char *text, int *on, gp_err *err)
{
    when w = AUTO;
    const char *none = getenv("NO_COLOR"), *term = getenv("TERM");
    GP_TRY(parse_when("color", text, &w, err));
    *on = w == ALWAYS || (w == AUTO && isatty(STDOUT_FILENO) && !(none && *none) && term &&
                          strcmp(term, "dumb") != 0);
    return GP_OK;
}

unsigned goquery_term_rows(void)
{
    struct winsize ws;
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) != 0)
        return 0;
    return ws.ws_row ? ws.ws_row : 24;
}

/* sh -c "$PAGER" with the read end of a pipe as standard input. */
static int start_pager(goquery_out *out)
{
    const char *pager = getenv("PAGER");
    int fds[2];
    if (!pager) /* a small machine may have no less */
        pager = "if command -v less >/dev/null; then exec less; else exec cat; fi";
    if (!*pager || strcmp(pager, "cat") == 0 || pipe2(fds, O_CLOEXEC) != 0)
        return 0;
    char sh[] = "sh", c[] = "-c", command[4096];
    char *argv[] = {sh, c, command, NULL};
    posix_spawn_file_actions_t fa;
    pid_t pid = 0;
    int rc = -1;
    if (snprintf(command, sizeof command, "%s", pager) < (int)sizeof command &&
        posix_spawn_file_actions_init(&fa) == 0) {
        setenv("LESS", "FRSX", 0); /* quit when it fits, keep colours, cut lines, keep the screen */
        if (posix_spawn_file_actions_adddup2(&fa, fds[0], STDIN_FILENO) == 0)
            rc = posix_spawn(&pid, "/bin/sh", &fa, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&fa);
    }
    close(fds[0]);
    out->f = rc == 0 ? fdopen(fds[1], "w") : NULL;
    if (!out->f) {
        close(fds[1]);
        if (rc == 0)
            (void)waitpid(pid, NULL, 0);
        return 0;
    }
    out->pager = pid;
    return 1;
}

gp_status goquery_out_open(const char *text, unsigned long lines, goquery_out *out, gp_err *err)
{
    when w = AUTO;
    GP_TRY(parse_when("pager", text, &w, err));
    unsigned rows = goquery_term_rows();
    int want = w == ALWAYS || (w == AUTO && rows && lines + 1 > rows);
    if (!want || !start_pager(out))
        *out = (goquery_out){.f = stdout};
    return GP_OK;
}

void goquery_out_close(goquery_out *out)
{
    if (!out->pager)
        return;
    struct sigaction ign = {.sa_handler = SIG_IGN}, old;
    (void)sigaction(SIGINT, &ign, &old); /* ^C belongs to the pager now */
    fclose(out->f);
    while (waitpid(out->pager, NULL, 0) < 0 && errno == EINTR)
        ;
    (void)sigaction(SIGINT, &old, NULL);
    *out = (goquery_out){.f = stdout};
}
