/* progress.h - one line on standard error while a query works for more than a second. */
#ifndef GOQUERY_PROGRESS_H
#define GOQUERY_PROGRESS_H

#include <pthread.h>
#include <stdint.h>

enum { GOQUERY_PROGRESS_MS = 250 }; /* how often the engine shall tell */

/* What is known of the work so far; members that are 0 are not shown. */
typedef struct goquery_work {
    uint64_t blocks_done, blocks_total;
    uint64_t days_done, days_total;
    uint64_t rows;
    uint64_t hosts_done, hosts_total;
} goquery_work;

/* Locked inside. */
typedef struct goquery_progress {
    pthread_mutex_t lock;
    int64_t start_ms, last_log_ns;
    int64_t keepalive_ns; /* log line in this interval; 0 = none */
    int logged;           /* one was written */
    int terminal;         /* standard error is one */
    int shown;            /* a line stands there */
} goquery_progress;

/* keepalive_ns: interval of log lines (5.10). */
void goquery_progress_start(goquery_progress *p, int64_t keepalive_ns);
/* Any thread. */
void goquery_progress_tell(goquery_progress *p, const goquery_work *w);
/* Take the line away. */
void goquery_progress_end(goquery_progress *p);

#endif
