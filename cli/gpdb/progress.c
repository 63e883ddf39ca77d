/* progress.c - the progress line, and signals as a cancel flag. */
#include "gpdb.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { SHOW_AFTER_MS = 1000, MAX_COLUMNS = 79 };

static gp_cancel cancel = GP_CANCEL_INIT; /* a handler has no argument to find it by */

static void on_signal(int sig)
{
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    gp_cancel_set(&cancel, GP_ECANCELLED);
    (void)sigaction(sig, &dfl, NULL); /* the second one works at once */
}

gp_cancel *gpdb_cancel_start(void)
{
    struct sigaction act = {.sa_handler = on_signal};

    sigemptyset(&act.sa_mask);
    (void)sigaction(SIGINT, &act, NULL);
    (void)sigaction(SIGTERM, &act, NULL);
    return &cancel;
}

void gpdb_progress_start(gpdb_progress *p, const gpdb_opts *o)
{
    *p = (gpdb_progress){.start_ms = gp_mono_ms(), .terminal = !o->quiet && isatty(STDERR_FILENO)};
}

int64_t gpdb_progress_ms(const gpdb_progress *p)
{
    return gp_mono_ms() - p->start_ms;
}

void gpdb_progress_show(gpdb_progress *p, const char *fmt, ...)
{
    char line[256];
    va_list ap;

    if (!p->terminal || gpdb_progress_ms(p) < SHOW_AFTER_MS)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\r\033[K%.*s", MAX_COLUMNS, line);
    (void)fflush(stderr);
    p->shown = 1;
}

void gpdb_progress_clear(gpdb_progress *p)
{
    if (p->shown) {
        fputs("\r\033[K", stderr);
        (void)fflush(stderr);
    }
    p->shown = 0;
}
