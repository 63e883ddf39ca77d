/* interrupt.h - SIGINT, SIGTERM and the time limit as one cancel flag for a query. */
#ifndef GOQUERY_INTERRUPT_H
#define GOQUERY_INTERRUPT_H

#include "gp/clock.h"
#include "query/cond.h"

#include <stddef.h>

/* When a query that begins now must be done. timeout_ns: 0 = none. */
gp_deadline goquery_deadline(int64_t timeout_ns);

/* From now on the first SIGINT or SIGTERM cancels; the second one ends the program. One for the
 * process: the signal handler has to find it. */
gp_cancel *goquery_interrupt_start(gp_deadline at);

/* The system's lookup of names in conditions, which ends at a query's deadline as well; ctx: */
typedef struct goquery_limit {
    gp_deadline at;
    int late; /* 1: the deadline ended it */
} goquery_limit;
gp_status goquery_lookup(void *ctx, const char *const *names, size_t n, int64_t timeout_ns,
                         query_addrs *out, gp_err *err) GP_MUST_CHECK;

/* The query is done: both signals end the program again, so that long output can be broken off. */
void goquery_interrupt_end(void);

/* Why the query stopped, as a line for the user, for GP_ECANCELLED and GP_EDEADLINE; otherwise
 * text. buf >= 128 bytes. */
const char *goquery_interrupt_text(gp_status st, int64_t timeout_ns, const char *text, char *buf,
                                   size_t cap);

/* SIGPIPE is ignored, so that writing fails instead. After such a failure end as the signal would
 * have ended us: quietly. Does not return. */
void goquery_pipe_closed(void) __attribute__((noreturn));
void goquery_pipe_ignore(void);

#endif
