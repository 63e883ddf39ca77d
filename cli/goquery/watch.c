/* watch.c - --watch: waiting between rounds, and redrawing a terminal in place. */
#include "watch.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SLICE_MS = 100, LINES_AROUND = 14, FEWEST_ROWS = 3 };

int goquery_watch_stopped(const gp_cancel *cancel)
{
    return atomic_load(&cancel->flag) == GP_ECANCELLED;
}

int goquery_watch_wait(const gp_cancel *cancel, int64_t ns)
{
    int64_t now = gp_mono_ns(), end;
    if (__builtin_add_overflow(now, ns, &end))
        end = INT64_MAX;
    for (; !goquery_watch_stopped(cancel) && now < end; now = gp_mono_ns()) {
        int64_t left = end - now, most = (int64_t)SLICE_MS * 1000000;
        struct timespec ts = {.tv_nsec = left < most ? left : most - 1};
        (void)nanosleep(&ts, NULL);
    }
    return !goquery_watch_stopped(cancel);
}

uint64_t goquery_watch_limit(unsigned rows, uint64_t most)
{
    uint64_t fit = rows > LINES_AROUND + FEWEST_ROWS ? rows - LINES_AROUND : FEWEST_ROWS;
    return fit < most ? fit : most;
}

void goquery_watch_draw(const char *text, unsigned rows)
{
    fputs("\033[H\033[?7l", stdout); /* to the top; no wrapping, which would push it away */
    for (unsigned i = 1; *text && i < rows; i++) {
        size_t n = strcspn(text, "\n");
        fwrite(text, 1, n, stdout);
        fputs("\033[K\n", stdout); /* what is left of a longer line */
        text += n + (text[n] == '\n');
    }
    fputs("\033[J\033[?7h", stdout);
    (void)fflush(stdout);
}
