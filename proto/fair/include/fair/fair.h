/* fair.h - places, calls to hosts and bytes of a daemon, shared out between its users.
 *
 * Three things are scarce: queries that run, calls to hosts that are open, bytes. The same two
 * rules hold for all of them:
 *
 *   - What becomes free goes to the user who holds least, divided by the user's weight.
 *   - Nobody takes everything: a user who holds something gets more only while that stays below
 *     FAIR_SHARE * weight * (what would still be free). One user alone gets four fifths; whoever
 *     comes next finds something free at once, even when all that is taken is taken for long. */
#ifndef FAIR_FAIR_H
#define FAIR_FAIR_H

#include "auth/keys.h"
#include "gp/clock.h"
#include "gp/err.h"

enum { FAIR_SHARE = 4, FAIR_MAX_WEIGHT = 100 };

/* How much of what is shared a user gets, compared with others. */
typedef struct fair_weight {
    const char *user; /* name in the user's key */
    unsigned weight;  /* 1..FAIR_MAX_WEIGHT; users without an entry have 1 */
} fair_weight;

/* All are what they say: there are no defaults here. */
typedef struct fair_limits {
    unsigned max_concurrent;    /* queries at once */
    unsigned max_per_user;      /* of them of one user */
    unsigned max_waiting;       /* queries that wait for a place */
    int64_t max_queue_ms;       /* how long they wait; negative = not at all */
    unsigned max_calls;         /* calls to hosts that are open, of all queries */
    uint64_t mem_bytes;         /* per query */
    uint64_t mem_total;         /* of all queries */
    const fair_weight *weights; /* borrowed */
    size_t n_weights;
} fair_limits;

/* Locked inside. */
typedef struct fair fair;
/* One query that was let in; its job's thread owns it, bytes may come from any thread. */
typedef struct fair_query fair_query;

/* l: copied. */
gp_status fair_new(const fair_limits *l, fair **out, gp_err *err) GP_MUST_CHECK;
void fair_free(fair *f); /* when all queries have left */
/* Nobody comes in any more; who waits is sent away. */
void fair_stop(fair *f);

/* Come in, waiting for a place at most max_queue_ms and as long as cancel allows. GP_ELIMIT: no
 * place, with the reason; GP_EUNAVAILABLE: stopped. */
gp_status fair_enter(fair *f, const auth_peer *who, gp_cancel *cancel, fair_query **out,
                     gp_err *err) GP_MUST_CHECK;
void fair_leave(fair_query *q); /* gives everything back; NULL is fine */

/* Calls this query may open now; `want` more would be of use. What is not granted at once is
 * remembered and granted when it is this query's turn: ask again. */
unsigned fair_calls_take(fair_query *q, unsigned want);
void fair_calls_give(fair_query *q, unsigned n);

/* 0 when the bytes are over a limit; fair_why() then says over which. */
int fair_bytes_take(fair_query *q, uint64_t n);
void fair_bytes_give(fair_query *q, uint64_t n);
/* Which limit the query ran into, NULL = none. */
const char *fair_why(const fair_query *q);

/* For metrics. */
typedef struct fair_counts {
    unsigned users, running, waiting, calls;
    uint64_t bytes;
} fair_counts;
void fair_count(fair *f, fair_counts *out);

#endif
