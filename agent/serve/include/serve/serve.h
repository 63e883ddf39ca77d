/* serve.h - query and control service of an agent: signed queries in, rows and a signed trailer
 * out; status and configuration for gpctl. */
#ifndef SERVE_SERVE_H
#define SERVE_SERVE_H

#include "auth/audit.h"
#include "auth/keys.h"
#include "exec/exec.h"
#include "flow/manager.h"
#include "godb/db.h"
#include "gp/err.h"
#include "rpc/rpc.h"
#include "rt/metrics.h"

enum { SERVE_MAX_LISTEN = 8, SERVE_MAX_NAMES = 64 };

typedef struct serve_limits {
    /* Running queries; more get "too many requests", one user earlier than all together
     * (fair/fair.h); 0 = 8 */
    unsigned max_concurrent;
    double rate_per_s;    /* token bucket over all callers; 0 = off */
    unsigned burst;       /* size of the bucket; 0 with a rate = 1 */
    uint64_t mem_bytes;   /* per query; 0 = the query's share of physical memory */
    int64_t max_query_ms; /* longest run; 0 = 30 min */
    unsigned threads;     /* of the engine per query; 0 = half of the CPUs, at least one */
    int nice;             /* priority of query threads below capture, 0..19; -1 = 10 */
} serve_limits;

/* What the control methods act on: status, config.get, config.set, config.reload, flush. Borrowed
 * for the life of the service. */
typedef struct serve_control {
    flow_manager *manager;
    /* Read the configuration file again; replace all interfaces by the map in text. *changes:
     * gp_free() it. Called from any thread. */
    gp_status (*reload)(void *ctx, flow_change **changes, size_t *n, gp_err *err);
    gp_status (*set)(void *ctx, const char *text, size_t len, flow_change **changes, size_t *n,
                     gp_err *err);
    void *ctx;
} serve_control;

/* Pointers are borrowed for the life of the service. */
typedef struct serve_opts {
    const godb_db *db;
    const auth_identity *identity; /* of kind agent; signs trailers */
    auth_trust *trust;
    const char *fleet;        /* "" = accepts queries for any fleet */
    const char *host;         /* label of rows; NULL = the identity's name */
    const char *host_id;      /* label host_id */
    const char *const *names; /* further names that a selector may mean us by */
    size_t n_names;
    const char *const *groups; /* groups ("@dmz") this host is in */
    size_t n_groups;
    const char *const *listen;   /* "tcp://ADDR:PORT", "ipc:///path" */
    size_t n_listen;             /* 0..SERVE_MAX_LISTEN */
    const char *const *dial_out; /* aggregators to connect to, for hosts that can't be reached */
    size_t n_dial_out;           /* 0..SERVE_MAX_LISTEN; one of both must not be 0 */
    int64_t dial_alive_ms;       /* they are asked for a sign of life so often; 0 = 30 s */
    const char *software;        /* "fleetprobe/0.1.0" */
    const exec_live *live;       /* NULL: database only; its list of interfaces is not used */
    /* With live: names of the interfaces captured now, NULL-ended, gp_free() the one block; asked
     * again for every query, since interfaces come and go. Gets live->ctx. */
    gp_status (*live_ifaces)(void *ctx, char ***names, gp_err *err);
    const serve_control *control; /* NULL: no control methods */
    serve_limits limits;
    const rpc_method *extra; /* more methods on the same addresses; ctx of each must be set */
    size_t n_extra;
    rt_metrics *metrics; /* may be NULL */
    auth_audit *audit;   /* who asked what; NULL = not kept */
    rpc_opts rpc;        /* identity and trust are filled in here */
} serve_opts;

typedef struct serve serve;

/* Listen and answer until serve_stop(). */
gp_status serve_start(const serve_opts *o, serve **out, gp_err *err) GP_MUST_CHECK;
/* Refuse new calls, give running ones drain_ms, close. NULL is fine. */
void serve_stop(serve *s, int64_t drain_ms);
/* i-th address really bound ("tcp://127.0.0.1:41234"); NULL if there is none. */
const char *serve_bound(const serve *s, size_t i);
/* The runtime, for dialling out from the same process. */
rpc_runtime *serve_runtime(serve *s);
/* Queries being answered now. */
unsigned serve_running(const serve *s);

#endif
