/* fleet_int.h - peers and links; private to the room. */
#ifndef FLEET_INT_H
#define FLEET_INT_H

#include "fleet/fleet.h"

#include <pthread.h>
#include <stdatomic.h>

struct fleet_view {
    atomic_uint refs;
    fleet_table *table;
};

/* A connection shared by its peer and running calls. */
struct fleet_link {
    atomic_uint refs;
    rpc_conn *conn;
    fleet *fleet;
    fleet_link *next; /* among the graves */
};

struct waiter {
    struct waiter *next;
    fleet_ready ready;
    void *ctx;
};

/* All but refs, fleet, ep and view is protected by fleet.lock. */
struct peer {
    atomic_uint refs; /* the fleet's, a running dial's, a probe's */
    fleet *fleet;
    const fleet_endpoint *ep; /* in view */
    fleet_view *view;
    fleet_state state;
    int removed;
    fleet_link *link;  /* when connected */
    fleet_link *fresh; /* of the running dial; touched by it only */
    struct waiter *waiters;
    unsigned failures;
    int64_t next_try_ms, health_ms; /* monotonic */
    int64_t since_s, rtt_us;
    int probing;
    gp_status last_code;
    char error[256];
    char software[64];
};

struct state_gauge {
    fleet *fleet;
    int state;
};

/* One question for a sign of life. */
struct probe {
    struct probe *next;
    struct peer *peer;
    fleet_link *link;
    rpc_call *call;
    int64_t start_ns;
    atomic_int done; /* 1 after the final status */
    int ok;
    gp_status st;
    char software[64];
};

struct fleet {
    fleet_opts o;
    pthread_mutex_t lock;
    pthread_cond_t wakeup;
    pthread_t thread;
    int has_thread, stop, urgent;
    unsigned generation; /* grows when peers are replaced */
    size_t turn;         /* where the next walk starts */
    unsigned dialling;
    fleet_view *view;
    struct peer **peers; /* sorted by id */
    size_t n_peers;
    uint64_t random;
    struct probe *probes;       /* maintenance thread only */
    pthread_mutex_t grave_lock; /* protects graves */
    fleet_link *graves;
    struct state_gauge gauges[FLEET_DISABLED + 1];
    rt_metric *metric[FLEET_DISABLED + 1];
};

void fleet_bury(fleet *f);
void fleet_peer_put(struct peer *p);
/* With the lock held: ask for a sign of life; next_ms: when again. */
void fleet_probe(fleet *f, struct peer *p, int64_t next_ms);
/* Without the lock: take in answers. */
void fleet_probes_collect(fleet *f);
/* Without the lock: end all. */
void fleet_probes_end(fleet *f);

#endif
