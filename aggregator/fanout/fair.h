/* fair.h - places, calls to hosts and bytes, shared out between the users of an aggregator. Private
 * to the room.
 *
 * Three things are scarce: queries that run, calls to hosts that are open, bytes. The same two
 * rules hold for all of them:
 *
 *   - What becomes free goes to the user who holds least, divided by the user's weight.
 *   - Nobody takes everything: a user who holds something gets more only while that stays below
 *     FAIR_SHARE * weight * (what would still be free). One user alone gets four fifths; whoever
 *     comes next finds something free at once, even when all that is taken is taken for long. */
#ifndef FANOUT_FAIR_H
#define FANOUT_FAIR_H

#include "auth/keys.h"
#include "fanout/fanout.h"
#include "gp/clock.h"

enum { FAIR_SHARE = 4 };

/* Locked inside. */
typedef struct fair fair;
/* One query that was let in; its job's thread owns it, bytes may come from any thread. */
typedef struct fair_query fair_query;

/* l: with its defaults filled in; borrowed, as are its weights. */
gp_status fanout_fair_new(const fanout_limits *l, fair **out, gp_err *err) GP_MUST_CHECK;
void fanout_fair_free(fair *f); /* when all queries have left */
/* Nobody comes in any more; who waits is sent away. */
void fanout_fair_stop(fair *f);

/* Come in, waiting for a place at most max_queue_ms and as long as cancel allows. GP_ELIMIT: no
 * place, with the reason; GP_EUNAVAILABLE: stopped. */
gp_status fanout_fair_enter(fair *f, const auth_peer *who, gp_cancel *cancel, fair_query **out,
                            gp_err *err) GP_MUST_CHECK;
void fanout_fair_leave(fair_query *q); /* gives everything back; NULL is fine */

/* Calls this query may open now; `want` more would be of use. What is not granted at once is
 * remembered and granted when it is this query's turn: ask again. */
unsigned fanout_fair_calls_take(fair_query *q, unsigned want);
void fanout_fair_calls_give(fair_query *q, unsigned n);

/* 0 when the bytes are over a limit; fanout_fair_why() then says over which. */
int fanout_fair_bytes_take(fair_query *q, uint64_t n);
void fanout_fair_bytes_give(fair_query *q, uint64_t n);
/* Which limit the query ran into, NULL = none. */
const char *fanout_fair_why(const fair_query *q);

/* For metrics. */
typedef struct fair_counts {
    unsigned users, running, waiting, calls;
    uint64_t bytes;
} fair_counts;
void fanout_fair_count(fair *f, fair_counts *out);

#endif
