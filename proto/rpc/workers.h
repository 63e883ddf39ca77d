/* workers.h - worker threads that run calls, fair between peers, and what is counted per peer.
 * Locked inside. */
#ifndef RPC_WORKERS_H
#define RPC_WORKERS_H

#include "rpc/rpc.h"
#include "wheel.h"

typedef struct rpc_sched rpc_sched;
typedef struct rpc_peer rpc_peer; /* what all connections of one identity share */

/* Lies inside the object that it runs. */
typedef struct rpc_job {
    struct rpc_job *next;
    void (*fn)(void *arg);
    void *arg;
} rpc_job;

typedef struct rpc_sched_opts {
    unsigned workers;      /* threads that are always there */
    unsigned max_workers;  /* at most so many while handlers block */
    unsigned max_per_peer; /* calls of one peer that run at once */
    double calls_per_s;    /* rate limit of one peer; 0 = none */
    unsigned burst;        /* calls of one peer at once before the rate counts */
} rpc_sched_opts;

gp_status rpc_sched_new(const rpc_sched_opts *o, rpc_wheel *wheel, rpc_sched **out,
                        gp_err *err) GP_MUST_CHECK;
/* Run what is queued, then join the threads. The wheel must still be there. */
void rpc_sched_free(rpc_sched *s);

/* Run a job of our own (before any call). */
void rpc_sched_run(rpc_sched *s, rpc_job *j);
/* Run a call of a peer; peers take turns. */
void rpc_sched_call(rpc_sched *s, rpc_peer *p, rpc_job *j);
/* The calling worker is about to wait for a peer / goes on: another thread may take its place. */
void rpc_sched_blocking(rpc_sched *s);
void rpc_sched_unblocked(rpc_sched *s);

/* Count one more connection of the identity; NULL when it has max_conns already or memory is out
 * (*full tells which). */
rpc_peer *rpc_peer_get(rpc_sched *s, const uint8_t key[AUTH_SIGN_PK], unsigned max_conns,
                       int *full);
void rpc_peer_put(rpc_sched *s, rpc_peer *p);
/* Take a token of the peer's rate; 0 when it has none left. */
int rpc_peer_may_call(rpc_sched *s, rpc_peer *p);

#endif
