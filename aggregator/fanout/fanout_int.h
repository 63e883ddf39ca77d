/* fanout_int.h - what the files of the room share.
 *
 * A query is a `job`, run by the RPC worker that called the handler. It has one `leg` per host.
 * Legs are started by the job's thread; RPC and dial callbacks only store bytes in their leg and
 * put it on the job's event list. So a leg belongs to exactly one side at any time: to callbacks
 * from its start until its DONE event, to the job's thread otherwise. */
#ifndef FANOUT_INT_H
#define FANOUT_INT_H

#include "acc.h"
#include "auth/request.h"
#include "fanout/fanout.h"
#include "gp/clock.h"
#include "wire/answer.h"
#include "wire/audit.h"
#include "wire/batch.h"
#include "wire/query.h"
#include "wire/selector.h"

#include <pthread.h>
#include <stdatomic.h>

struct resolvers {
    atomic_uint refs;
    resolver_set *set;
};

struct fanout {
    fanout_opts o;
    fair *fair;
    pthread_mutex_t lock; /* protects resolvers */
    struct resolvers *resolvers;
    uint8_t instance[16]; /* names this process in `via` */
    int64_t started_s;
    rpc_method methods[4];
    rt_metric *m_outcome[4], *m_host[RESULT_N_CODES], *m_seconds, *m_rows, *m_bytes;
};

enum leg_state { LEG_NEW, LEG_CONNECTING, LEG_READY, LEG_CALLING, LEG_DONE, LEG_FINISHED };

typedef struct job job;
typedef struct leg {
    job *job;
    struct leg *next_event; /* on the job's list; protected by job.lock */
    enum leg_state state;
    char *id;      /* host ID */
    char *name;    /* expected identity: key of its status */
    char *targets; /* for an aggregator: its part of the selector; NULL for agents */
    int is_aggregator;
    int counted;      /* its call is taken from what users share */
    int in_flight;    /* it is one of the hosts asked at once */
    int64_t begun_ms; /* monotonic */
    atomic_int heard; /* it has said something */
    int64_t timeout_ms;
    gp_deadline until; /* of the host's whole answer, connecting included */
    int gone;          /* given up while connecting; protected by job.lock */
    fleet_link *link;
    rpc_call *call;
    /* filled by callbacks */
    gp_buf batches; /* u32 length, bytes, ... */
    gp_buf notes;   /* the same: trailers and host statuses as received */
    gp_buf summary; /* of an aggregator */
    uint64_t bytes; /* taken for the three above */
    gp_buf early;   /* the last snapshot of a host at work, as received; its capacity is taken;
                       protected by job.lock */
    auth_digest digest;
    rpc_code code;
    char text[256];
    int malformed;
    wire_progress progress; /* protected by job.lock */
} leg;

struct job {
    fanout *f;
    rpc_stream *stream; /* used by the job's thread only, while it runs */
    wire_request req;
    wire_query q;
    query_stmt *stmt;
    auth_peer who;
    gp_buf relay;       /* request as agents get it */
    gp_buf relay_plain; /* the same without snapshots, for those that know none; when they differ */
    leg *legs;
    size_t n_legs, next_leg, finished, in_flight;
    fair_query *fair;
    result_quota quota; /* its bytes */
    fanout_acc *acc;
    gp_deadline wait_until;
    gp_deadline connect_until; /* the first of those that connect is late then */
    int64_t next_partial_ms, next_progress_ms, next_quiet_ms;
    int partial_due; /* rows came since the last snapshot */
    unsigned n_ok, n_failed;
    uint64_t rows; /* sent at the end */
    wire_dec *dec;
    pthread_mutex_t lock; /* protects events, over, progress and snapshots of legs */
    pthread_cond_t wakeup;
    leg *events, **events_tail;
    int over;         /* callbacks that come later do nothing */
    int early_due;    /* a snapshot came from a host */
    atomic_uint refs; /* the job's thread and pending connects */
};

/* ---- route.c ---- */
/* Legs for the hosts of the query; hosts nobody knows get their status at once. */
gp_status fanout_route(job *j, gp_err *err) GP_MUST_CHECK;
/* Per entry of a table, what is behind it (NULL for agents); n entries to free. */
gp_status fanout_behind_new(const fleet_table *t, wire_selector ***out, gp_err *err) GP_MUST_CHECK;
void fanout_behind_free(wire_selector **behind, size_t n);
/* The first aggregator that has the host behind it, or NULL. */
const fleet_endpoint *fanout_behind(const fleet_table *t, wire_selector *const *behind,
                                    const char *host);
/* The known hosts of a table, for the resolvers. */
resolver_known fanout_known(const fleet_table *t);

/* ---- fanout.c ---- */
/* resolver_resolve() and resolver_names_only() of the resolvers in force. */
gp_status fanout_resolve(fanout *f, const fleet_table *t, const char *type, const char *selector,
                         resolver_hosts *out, int *names_only, gp_err *err) GP_MUST_CHECK;

/* ---- leg.c ---- */
void fanout_leg_start(leg *l); /* connect; posts events */
/* 1: it is still connecting, and will say nothing any more. */
int fanout_leg_abandon(leg *l);
void fanout_leg_call(leg *l);    /* after LEG_READY */
void fanout_leg_release(leg *l); /* free what a finished leg holds */
void fanout_leg_clear(leg *l);
/* The snapshot, taken out of the leg so that it can be read without the lock; and back, unless a
 * newer one has come. */
gp_buf fanout_leg_early_take(leg *l);
void fanout_leg_early_put(leg *l, gp_buf take);
void fanout_leg_early_drop(leg *l);
void fanout_job_put(job *j);

/* ---- collect.c ---- */
/* A leg is done: check what it said, merge its rows, tell the caller. */
gp_status fanout_collect(job *j, leg *l, gp_err *err) GP_MUST_CHECK;
/* Status of a host that gave no rows. */
gp_status fanout_fail_host(job *j, const char *host, result_code code, const char *text,
                           gp_err *err) GP_MUST_CHECK;
result_code fanout_result_code(rpc_code c);

/* ---- send.c ---- */
gp_status fanout_send(job *j, gp_buf *msg, gp_err *err) GP_MUST_CHECK; /* frees msg */
gp_status fanout_send_progress(job *j, gp_err *err) GP_MUST_CHECK;
gp_status fanout_send_partial(job *j, gp_err *err) GP_MUST_CHECK;
gp_status fanout_send_final(job *j, gp_err *err) GP_MUST_CHECK;

/* ---- job.c ---- */
rpc_code fanout_on_query(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text);

#endif
