/* fleet.h - persistent, authenticated connections to all hosts of the endpoint table. */
#ifndef FLEET_FLEET_H
#define FLEET_FLEET_H

#include "fleet/table.h"
#include "gp/err.h"
#include "rpc/rpc.h"
#include "rt/metrics.h"

typedef enum fleet_state {
    FLEET_IDLE, /* not tried yet */
    FLEET_CONNECTING,
    FLEET_CONNECTED,
    FLEET_BACKOFF, /* failed; tried again in the background */
    FLEET_DISABLED,
} fleet_state;
const char *fleet_state_name(fleet_state s);

typedef struct fleet_opts {
    rpc_runtime *rt;        /* must outlive the fleet */
    int64_t dial_ms;        /* time-out of dial and handshake; 0 = 5000 */
    int64_t backoff_min_ms; /* 0 = 250 */
    int64_t backoff_max_ms; /* 0 = 10000 */
    unsigned max_dials;     /* at once; 0 = 64 */
    unsigned open_after;    /* failures in a row before queries stop waiting for a dial; 0 = 3 */
    int64_t health_ms;      /* idle connections are asked for a sign of life; 0 = 45000 */
    rt_metrics *metrics;    /* may be NULL */
} fleet_opts;

/* Locked inside; owns one thread. */
typedef struct fleet fleet;
/* Takes the table; starts connecting at once. */
gp_status fleet_new(const fleet_opts *o, fleet_table *take_table, fleet **out,
                    gp_err *err) GP_MUST_CHECK;
/* No dial and no probe begins any more, who waits for a connection gets GP_EUNAVAILABLE. To be
 * called before opts.rt is freed: the fleet's thread uses it. */
void fleet_stop(fleet *f);
/* Closes all connections; no query may be running. */
void fleet_free(fleet *f);
/* Replace the table: unchanged entries keep their connection, removed ones lose it (calls on them
 * end first). Takes the table. */
gp_status fleet_reload(fleet *f, fleet_table *take_table, gp_err *err) GP_MUST_CHECK;

/* The table in force, with a reference that must be given back: it may be replaced meanwhile. */
typedef struct fleet_view fleet_view;
fleet_view *fleet_view_get(fleet *f);
const fleet_table *fleet_view_table(const fleet_view *v);
void fleet_view_put(fleet_view *v);

/* A connection that is in use; many may hold the same. */
typedef struct fleet_link fleet_link;
rpc_conn *fleet_link_conn(fleet_link *l);
void fleet_link_put(fleet_link *l); /* any thread */

/* Get the connection to a host, dialling if need be. ready is called exactly once: at once from the
 * calling thread, or later from an internal thread that must not block. On success it owns link.
 * Failures: GP_ENOTFOUND (not in the table), GP_EDENIED, GP_EDEADLINE, GP_EUNAVAILABLE with why. A
 * host whose circuit is open (open_after failures in a row) fails at once; probes go on in the
 * background. */
typedef void (*fleet_ready)(void *ctx, fleet_link *link, gp_status st, const char *why);
void fleet_connect(fleet *f, const char *id, fleet_ready ready, void *ctx);

/* A host that dialled in: keep its connection (taken in any case) for the hosts of the table that
 * are at FLEET_DIAL_IN and want the identity it has shown. GP_ENOTFOUND if there are none. */
gp_status fleet_attach(fleet *f, rpc_conn *take_conn, gp_err *err) GP_MUST_CHECK;

/* What is known about a host; strings are copied into the struct. GP_ENOTFOUND if not in the table.
 */
typedef struct fleet_health {
    fleet_state state;
    unsigned failures; /* in a row */
    int64_t since_s;   /* of the state, Unix seconds */
    int64_t rtt_us;    /* last sign of life; -1 = none yet */
    char error[256];   /* last failure */
    char software[64];
    char address[256];
} fleet_health;
gp_status fleet_health_of(fleet *f, const char *id, fleet_health *out) GP_MUST_CHECK;
/* Hosts by state: counts[FLEET_DISABLED + 1]. */
void fleet_counts(fleet *f, unsigned counts[FLEET_DISABLED + 1]);

#endif
