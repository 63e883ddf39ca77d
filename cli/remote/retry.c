/* retry.c - a server that is down or busy is asked again, after 1, 2 and 4 s (query.md 2.7). */
#include "remote_int.h"

#include <time.h>

enum { TRIES = 4, LOOK_MS = 50 }; /* how soon a cancel of the user ends the pause */

static gp_status attempt(const remote_opts *o, remote_question fn, void *ctx, int *again,
                         gp_err *err)
{
    session s;
    gp_status st = remote_session_open(o, &s, err);
    if (st != GP_OK) {
        *again = st == GP_EUNAVAILABLE || st == GP_ELIMIT;
        return st;
    }
    st = fn(&s, ctx, err);
    *again = st != GP_OK && s.refused;
    remote_session_close(&s);
    return st;
}

/* 0 when the user gave up meanwhile. */
static int wait_for(int64_t ms, gp_cancel *cancel)
{
    gp_deadline end = gp_deadline_in_ms(ms);
    for (int64_t left; (left = gp_deadline_left_ms(end)) > 0;) {
        int64_t nap = left < LOOK_MS ? left : LOOK_MS;
        struct timespec ts = {0, (long)nap * 1000000};
        if (gp_cancel_check(cancel) != GP_OK)
            return 0;
        (void)nanosleep(&ts, NULL);
    }
    return 1;
}

gp_status remote_ask(const remote_opts *o, remote_question fn, void *ctx, gp_err *err)
{
    gp_deadline until =
        gp_deadline_in_ms(o->timeout_ms > 0 ? o->timeout_ms : REMOTE_DEFAULT_TIMEOUT_MS);
    int64_t pause = o->pause_ms;
    remote_opts r = *o;
    gp_err why;
    gp_status st;
    for (int tries = 1;; tries++, pause *= 2) {
        int again;
        why = (gp_err){0};
        r.timeout_ms = gp_deadline_left_ms(until);
        if (r.timeout_ms <= 0)
            r.timeout_ms = 1;
        st = attempt(&r, fn, ctx, &again, &why);
        if (!again || pause <= 0 || tries == TRIES || gp_deadline_left_ms(until) <= pause)
            break;
        if (o->on_retry)
            o->on_retry(o->ctx, why.msg, pause);
        if (!wait_for(pause, o->cancel)) {
            st = gp_fail(&why, gp_cancel_check(o->cancel), 0, "the query was given up");
            break;
        }
    }
    if (err)
        *err = why;
    return st;
}
