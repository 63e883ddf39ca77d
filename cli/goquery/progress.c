/* progress.c - the progress line on a terminal, and log lines for keepalive. */
#include "progress.h"

#include "gp/clock.h"
#include "result/print.h"
#include "rt/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SHOW_AFTER_MS = 1000, MAX_COLUMNS = 79, FEW_DAYS = 4 };

void goquery_progress_start(goquery_progress *p, int64_t keepalive_ns)
{
    *p = (goquery_progress){.start_ms = gp_mono_ms(),
                            .terminal = isatty(STDERR_FILENO),
                            .keepalive_ns = keepalive_ns > 0 ? keepalive_ns : 0};
    pthread_mutex_init(&p->lock, NULL);
}

static void add(char *line, size_t cap, const char *text)
{
    size_t n = strlen(line);
    snprintf(line + n, cap - n, "%s%s", n ? ", " : "", text);
}

/* "45 %, 120 of 266 blocks, 12.30 M rows/s, 3 of 5 hosts, about 2s left" */
static void describe(const goquery_work *w, int64_t ms, char *line, size_t cap)
{
    char part[96], a[32], b[32];
    double share = 0;
    line[0] = '\0';
    if (w->days_total > FEW_DAYS)
        share = (double)w->days_done / (double)w->days_total;
    else if (w->days_total && w->blocks_total) /* all days are open soon: blocks say more */
        share = (double)w->blocks_done / (double)w->blocks_total;
    else if (w->hosts_total)
        share = (double)w->hosts_done / (double)w->hosts_total;
    if (share > 0) {
        snprintf(part, sizeof part, "%.0f %%", share * 100);
        add(line, cap, part);
    }
    if (w->hosts_total) {
        snprintf(part, sizeof part, "%" PRIu64 " of %" PRIu64 " hosts", w->hosts_done,
                 w->hosts_total);
        add(line, cap, part);
    }
    if (w->blocks_done) {
        snprintf(part, sizeof part, "%s of %s blocks",
                 result_fmt_count_small(w->blocks_done, a, sizeof a),
                 result_fmt_count_small(w->blocks_total, b, sizeof b));
        add(line, cap, part);
    }
    if (w->rows && ms > 0) {
        snprintf(part, sizeof part, "%s rows/s",
                 result_fmt_count_small(w->rows * 1000 / (uint64_t)ms, a, sizeof a));
        add(line, cap, part);
    }
    if (share > 0.02 && share < 1) {
        snprintf(part, sizeof part, "about %.0fs left", (double)ms / share * (1 - share) / 1000);
        add(line, cap, part);
    }
}

void goquery_progress_tell(goquery_progress *p, const goquery_work *w)
{
    int64_t now = gp_mono_ns(), ms = now / 1000000 - p->start_ms;
    pthread_mutex_lock(&p->lock);
    if (p->terminal && ms >= SHOW_AFTER_MS) {
        char line[256];
        describe(w, ms, line, sizeof line);
        fprintf(stderr, "\r\033[K%.*s", MAX_COLUMNS, line);
        fflush(stderr);
        p->shown = 1;
    }
    if (p->keepalive_ns && (!p->logged || now - p->last_log_ns > p->keepalive_ns)) {
        p->logged = 1; /* the first one is immediate */
        p->last_log_ns = now;
        rt_info("processing stats update", RT_U("blocks_processed", w->blocks_done),
                RT_U("directories_processed", w->days_done), RT_U("rows", w->rows));
    }
    pthread_mutex_unlock(&p->lock);
}

void goquery_progress_end(goquery_progress *p)
{
    if (p->shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    pthread_mutex_destroy(&p->lock);
}
