/* serve_int.h - what the files of the room share. */
#ifndef SERVE_INT_H
#define SERVE_INT_H

#include "auth/request.h"
#include "fair/fair.h"
#include "serve/serve.h"
#include "wire/query.h"

#include <pthread.h>

enum { SERVE_MAX_REPLAY = 1 << 16, SERVE_MAX_EXTRA = 16 };

/* A connection that this agent keeps to an aggregator. */
typedef struct serve_dialer {
    serve *s;
    const char *addr;
    pthread_t thread;
} serve_dialer;

struct serve {
    serve_opts o;
    rpc_runtime *rt;
    auth_replay *replay;
    int64_t started_s;
    char bound[SERVE_MAX_LISTEN][256];
    const char *names[SERVE_MAX_NAMES + 3]; /* host, host id, identity, aliases */
    size_t n_names;
    rpc_method methods[8 + SERVE_MAX_EXTRA]; /* own ones, control, extra */
    size_t n_methods;
    rpc_service service;
    serve_dialer dialers[SERVE_MAX_LISTEN];
    size_t n_dialers;
    pthread_mutex_t stop_lock; /* protects stopping */
    pthread_cond_t stop_cond;
    int stopping;
    fair *fair;                  /* places for queries */
    pthread_mutex_t bucket_lock; /* protects the token bucket */
    double tokens;
    int64_t filled_ns;
    rt_metric *m_ok, *m_failed, *m_denied, *m_busy, *m_seconds, *m_rows, *m_expires;
};

/* Names of interfaces at one moment; interfaces come and go. */
typedef struct serve_ifaces {
    char **stored;    /* in the database */
    char **live;      /* captured, NULL-ended; NULL without live capture */
    const char **all; /* both, sorted, NULL-ended; borrowed from them */
    size_t n;         /* of all */
} serve_ifaces;
gp_status serve_ifaces_get(const serve *s, serve_ifaces *out, gp_err *err) GP_MUST_CHECK;
void serve_ifaces_clear(serve_ifaces *i);

/* A query that was allowed to run. */
typedef struct serve_job {
    wire_query q;
    query_stmt *stmt;
    auth_peer who; /* signer, or the local peer */
    int partials;  /* the caller wants snapshots */
    serve_ifaces ifaces;
} serve_job;
void serve_job_clear(serve_job *j);

/* Decode and check a request: signature, trust, time window, replay, cover, scope. Fills j.
 * The returned code is what the caller gets; RPC_OK: run it. */
rpc_code serve_authorise(serve *s, const auth_peer *peer, const uint8_t *req, size_t len,
                         serve_job *j, gp_buf *text);

/* How long to wait, give or take a half, before the next attempt: after one that waited last_ms,
 * and whether the aggregator had taken us. */
int64_t serve_dial_wait_ms(int64_t last_ms, int attached);
/* Connections to the aggregators of o.dial_out; stop is fine without start. */
gp_status serve_dial_start(serve *s, gp_err *err) GP_MUST_CHECK;
void serve_dial_stop(serve *s);

/* The methods of o.control into v, which has room for them; returns how many. */
enum { SERVE_CONTROL_METHODS = 5 };
size_t serve_control_methods(rpc_method *v);

/* Send one message and free it; what became of it as a code, with text. */
rpc_code serve_reply(rpc_stream *stream, gp_buf *msg, gp_buf *text);

/* Run and answer. */
rpc_code serve_run(serve *s, const serve_job *j, rpc_stream *stream, gp_buf *text);

#endif
