/* fanout.h - one query to many hosts: fan out, collect, merge, answer. The methods of an
 * aggregator. */
#ifndef FANOUT_FANOUT_H
#define FANOUT_FANOUT_H

#include "auth/audit.h"
#include "auth/keys.h"
#include "fair/fair.h"
#include "fleet/fleet.h"
#include "gp/err.h"
#include "resolver/resolver.h"
#include "rpc/rpc.h"
#include "rt/metrics.h"

typedef struct fanout_limits {
    unsigned max_in_flight; /* hosts asked at once per query; 0 = 256 */
    fair_limits share;      /* places, calls and bytes; a 0 there = 16 queries, 4 of a user, 32 that
                               wait, for 10 s, 1024 calls, 1 GiB a query, 2 GiB in all */
    int64_t max_wait_ms;    /* default wait for hosts; 0 = 30 min */
    int64_t partial_ms;     /* between snapshots; 0 = 500 */
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
