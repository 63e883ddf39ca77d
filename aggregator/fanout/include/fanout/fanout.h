/* fanout.h - one query to many hosts: fan out, collect, merge, answer. The methods of an
 * aggregator. */
#ifndef FANOUT_FANOUT_H
#define FANOUT_FANOUT_H

#include "auth/audit.h"
#include "auth/keys.h"
#include "fleet/fleet.h"
#include "gp/err.h"
#include "resolver/resolver.h"
#include "rpc/rpc.h"
#include "rt/metrics.h"

/* How much of what is shared a user gets, compared with others. */
typedef struct fanout_weight {
    const char *user; /* name in the user's key */
    unsigned weight;  /* 1..FANOUT_MAX_WEIGHT; users without an entry have 1 */
} fanout_weight;
enum { FANOUT_MAX_WEIGHT = 100 };

typedef struct fanout_limits {
    unsigned max_in_flight;  /* hosts asked at once per query; 0 = 256 */
    unsigned max_calls;      /* the same for all queries together; 0 = 1024 */
    unsigned max_concurrent; /* queries at once; 0 = 16 */
    unsigned max_per_user;   /* of them of one user; 0 = 4 */
    unsigned max_waiting;    /* queries that wait for a place; 0 = 32 */
    int64_t max_queue_ms;    /* how long they wait; 0 = 10 s, negative = not at all */
    int64_t max_wait_ms;     /* default wait for hosts; 0 = 30 min */
    uint64_t mem_bytes;      /* per query: rows, buffers and copies of them; 0 = 1 GiB */
    uint64_t mem_total;      /* of all queries; 0 = 2 GiB */
    int64_t partial_ms;      /* between snapshots; 0 = 500 */
    const fanout_weight *weights;
    size_t n_weights;
} fanout_limits;

/* Pointers are borrowed for the life of the fanout. */
typedef struct fanout_opts {
    fleet *fleet;
    const auth_identity *identity; /* of kind aggregator */
    auth_trust *trust;             /* users whose queries are passed on */
    const char *fleet_name;        /* "" = any */
    const char *software;
    fanout_limits limits;
    rt_metrics *metrics; /* may be NULL */
    auth_audit *audit;   /* who asked what; NULL = not kept */
} fanout_opts;

/* Locked inside. */
typedef struct fanout fanout;
gp_status fanout_new(const fanout_opts *o, resolver_set *take_resolvers, fanout **out,
                     gp_err *err) GP_MUST_CHECK;
/* After the runtime that calls its methods is gone. */
void fanout_free(fanout *f);
/* Replace the resolvers (reload); queries that run keep theirs. */
void fanout_set_resolvers(fanout *f, resolver_set *take_resolvers);

/* The methods to listen with, ctx = f: query, hosts, info. */
const rpc_method *fanout_methods(fanout *f, size_t *n);
/* Refuse new queries and wait at most grace_ms for running ones. */
void fanout_stop(fanout *f, int64_t grace_ms);
/* Queries being answered now; those that wait for a place are not. */
unsigned fanout_running(const fanout *f);

#endif
