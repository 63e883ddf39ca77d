/* interrupt.c - signals and the time limit become a cancel flag that the engine polls. */
#include "interrupt.h"

#include "gp/num.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gp_cancel cancel = GP_CANCEL_INIT; /* a handler has no argument to find it by */

static void on_signal(int sig)
{
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    gp_cancel_set(&cancel, GP_ECANCELLED);
    (void)sigaction(sig, &dfl, NULL); /* the second one works at once */
}

gp_deadline goquery_deadline(int64_t timeout_ns)
{
    gp_deadline at;
    if (timeout_ns <= 0 || __builtin_add_overflow(gp_mono_ns(), timeout_ns, &at))
        return GP_NEVER;
    return at;
}

gp_status goquery_lookup(void *ctx, const char *const *names, size_t n, int64_t timeout_ns,
                         query_addrs *out, gp_err *err)
{
    goquery_limit *l = ctx;
    int64_t left = l->at == GP_NEVER ? INT64_MAX : l->at - gp_mono_ns();
    gp_status st =
        query_lookup_system(NULL, names, n, left < timeout_ns ? left : timeout_ns, out, err);
    l->late = st == GP_EDEADLINE && left < timeout_ns;
    return st;
}

gp_cancel *goquery_interrupt_start(gp_deadline at)
{
    struct sigaction act = {.sa_handler = on_signal};
    sigemptyset(&act.sa_mask);
    (void)sigaction(SIGINT, &act, NULL);
    (void)sigaction(SIGTERM, &act, NULL);
    cancel.deadline = at;
    return &cancel;
}

void goquery_interrupt_end(void)
{
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    (void)sigaction(SIGINT, &dfl, NULL);
    (void)sigaction(SIGTERM, &dfl, NULL);
}

const char *goquery_interrupt_text(gp_status st, int64_t timeout_ns, const char *text, char *buf,
                                   size_t cap)
{
    const char *filled = strstr(text, " before fully filled"); /* how far it came */
    char limit[32];
    if (st == GP_ECANCELLED)
        snprintf(buf, cap, "query cancelled by a signal%s", filled ? filled : "");
    else if (st == GP_EDEADLINE && timeout_ns > 0)
        snprintf(buf, cap, "deadline exceeded: not finished within --query.timeout %s%s%s",
                 gp_num_duration_str(timeout_ns, limit, sizeof limit), filled ? "," : "",
                 filled ? filled : "");
    else
        return text;
    return buf;
}

void goquery_pipe_ignore(void)
{
    struct sigaction ign = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ign, NULL);
}

void goquery_pipe_closed(void)
{
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    (void)sigaction(SIGPIPE, &dfl, NULL);
    (void)raise(SIGPIPE);
    _Exit(1); /* SIGPIPE is blocked */
}
