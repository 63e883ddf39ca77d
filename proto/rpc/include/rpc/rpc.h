/* rpc.h - calls over encrypted byte streams: unary and server-streaming, deadlines, cancel, credit
 * (docs/protocol.md; design.md "Wire").
 *
 * Threads: a runtime owns nng's threads and a worker pool. Server handlers run on pool workers and
 * may block in rpc_stream_send() (credit); client events are delivered by callback on an internal
 * thread that must not block, or fetched with the blocking calls below. All handles are locked
 * inside. */
#ifndef RPC_RPC_H
#define RPC_RPC_H

#include "auth/keys.h"
#include "auth/renew.h"
#include "gp/bytes.h"
#include "gp/clock.h"
#include "gp/err.h"

#include <stdint.h>

/* gRPC's 17 status codes. */
typedef enum rpc_code {
    RPC_OK = 0,
    RPC_CANCELLED = 1,
    RPC_UNKNOWN = 2,
    RPC_INVALID_ARGUMENT = 3,
    RPC_DEADLINE_EXCEEDED = 4,
    RPC_NOT_FOUND = 5,
    RPC_ALREADY_EXISTS = 6,
    RPC_PERMISSION_DENIED = 7,
    RPC_RESOURCE_EXHAUSTED = 8,
    RPC_FAILED_PRECONDITION = 9,
    RPC_ABORTED = 10,
    RPC_OUT_OF_RANGE = 11,
    RPC_UNIMPLEMENTED = 12,
    RPC_INTERNAL = 13,
    RPC_UNAVAILABLE = 14,
    RPC_DATA_LOSS = 15,
    RPC_UNAUTHENTICATED = 16,
} rpc_code;
const char *rpc_code_name(rpc_code c); /* "PERMISSION_DENIED" */
rpc_code rpc_code_from_status(gp_status st);
gp_status rpc_code_to_status(rpc_code c);

enum {
    RPC_MAX_PAYLOAD = 256 * 1024,    /* bytes of one MSG frame */
    RPC_STREAM_CREDIT = 1024 * 1024, /* bytes a peer may send on a stream before credit */
    RPC_MAX_METHOD = 64,             /* bytes of a method name */
    RPC_MAX_STATUS_TEXT = 1024,
    RPC_PING_MS = 15000,
};

typedef struct rpc_runtime rpc_runtime; /* one per process */
typedef struct rpc_opts {
    unsigned workers;              /* handler threads that are always there; 0 = CPUs + 2 */
    unsigned max_workers;          /* at most so many while handlers wait; 0 = 64 */
    const auth_identity *identity; /* own key; must outlive the runtime. NULL: anonymous, which only
                                      an ipc:// peer accepts */
    auth_trust *trust; /* who may connect / be connected to; must outlive the runtime. NULL: nobody
                          but ipc:// peers */
    const auth_issuer *issuer; /* renews certificates of agents and aggregators; may be NULL;
                                  must outlive the runtime */
    /* How a renewal of the own certificate went: NULL = done, GP_EIO = in use, but not in its file.
     * On an internal thread, must not block; may be NULL. */
    void (*on_renewal)(void *ctx, const gp_err *failed);
    void *renewal_ctx;
    /* Somebody was refused: at the handshake (method NULL; addr: where from), or a call for want of
     * a role (addr: his name). why: what he was told. On an internal thread, must not block; may be
     * NULL. Strangers can cause it as often as they like: log with a limit. */
    void (*on_refused)(void *ctx, const char *addr, const char *method, const char *why);
    void *refused_ctx;
    int64_t handshake_ms;          /* time-out of dial + handshake; 0 = 5000 */
    int64_t stall_ms;              /* a peer that takes nothing for so long is dropped; 0 = 30000 */
    unsigned max_conns;            /* accepted connections; 0 = 4096 */
    unsigned max_conns_per_peer;   /* 0 = 64 */
    unsigned max_streams_per_conn; /* concurrent calls; 0 = 256 */
    double calls_per_s;            /* calls of one peer; 0 = no limit */
    unsigned burst;                /* calls at once before calls_per_s counts; 0 = one second's */
    uint32_t features;             /* bits to tell peers; their meaning is the caller's */
} rpc_opts;
gp_status rpc_runtime_new(const rpc_opts *o, rpc_runtime **out, gp_err *err) GP_MUST_CHECK;
/* Stop: GOAWAY on every connection, wait at most drain_ms for running calls, close, join. Nobody
 * waits for handshakes under way. */
void rpc_runtime_free(rpc_runtime *rt, int64_t drain_ms);

/* ---- server ---- */

typedef struct rpc_conn rpc_conn; /* an authenticated connection; counted references inside calls */
typedef struct rpc_stream rpc_stream; /* one call being served; valid until the handler returns */

/* Handler: answer with rpc_stream_send() any number of times; the returned code and text end the
 * call. Runs on a worker thread. */
typedef rpc_code (*rpc_handler)(void *ctx, rpc_stream *s, const uint8_t *req, size_t req_len,
                                gp_buf *status_text);
typedef struct rpc_method {
    const char *name; /* "query", ...; static */
    rpc_handler handler;
    size_t max_request; /* bytes; requests above are refused before they are buffered */
    uint32_t kinds;     /* bit (1 << auth_kind) of peers that may call; 0 = any authenticated */
    uint32_t roles;     /* roles of which all are required of the peer */
    void *ctx;          /* of the handler; NULL: that of the listener */
} rpc_method;

/* An address as users write it ("host:port", "unix:/path", and the forms below as they are) as
 * rpc_listen() or rpc_dial() takes it; *out is for gp_free(). listening: ":port" is every IPv4
 * address, "localhost:port" 127.0.0.1, port 0 any. Nothing is looked up. Fails with GP_EINVAL and
 * what was expected. */
gp_status rpc_address(const char *s, int listening, char **out, gp_err *err) GP_MUST_CHECK;

/* Listen on "tcp://ADDR:PORT" (port 0 = any) or "ipc:///path". methods: array of n, borrowed for
 * the life of the runtime. *bound (may be NULL): the address really bound. On ipc:// a stale socket
 * file is removed after a connect test and the mode is set to 0660. */
gp_status rpc_listen(rpc_runtime *rt, const char *addr, const rpc_method *methods, size_t n,
                     void *ctx, char *bound, size_t bound_cap, gp_err *err) GP_MUST_CHECK;

/* What a connection offers to its peer; borrowed for the life of the runtime. */
typedef struct rpc_service {
    const rpc_method *methods;
    size_t n_methods;
    void *ctx;                     /* of the handlers */
    const auth_identity *identity; /* shown on connections accepted for it; NULL: the runtime's */
} rpc_service;
/* rpc_listen() for a service; many may share one runtime, each with an identity of its own. */
gp_status rpc_listen_service(rpc_runtime *rt, const char *addr, const rpc_service *service,
                             char *bound, size_t bound_cap, gp_err *err) GP_MUST_CHECK;

const auth_peer *rpc_stream_peer(const rpc_stream *s);
gp_deadline rpc_stream_deadline(const rpc_stream *s);
/* The connection the call came over, to call back on it, with a reference of its own: give it back
 * with rpc_conn_close(), which ends the connection. */
rpc_conn *rpc_stream_conn(rpc_stream *s);
/* Set when the caller cancelled, the deadline passed or the connection broke; poll it, or hand it
 * to the engine. Valid while the handler runs. */
gp_cancel *rpc_stream_cancel(rpc_stream *s);
/* Sleep until then: GP_OK, or earlier what rpc_stream_send() gives when the call is over. */
gp_status rpc_stream_wait(rpc_stream *s, gp_deadline until) GP_MUST_CHECK;
/* Send one message (<= RPC_MAX_PAYLOAD bytes, copied). Blocks for credit; GP_ECANCELLED,
 * GP_EDEADLINE or GP_EUNAVAILABLE when the call is over. */
gp_status rpc_stream_send(rpc_stream *s, const void *msg, size_t len, gp_err *err) GP_MUST_CHECK;

/* ---- client ---- */

typedef struct rpc_dial_opts {
    const char *addr;           /* tcp://host:port (numeric or a name), ipc:///path */
    gp_deadline deadline;       /* for dial and handshake */
    auth_kind want_kind;        /* AUTH_KIND_NONE = any trusted */
    const char *want_name;      /* expected peer name; NULL = any trusted */
    const rpc_service *service; /* what the peer may call over this connection; NULL: nothing. Its
                                   identity is not looked at */
} rpc_dial_opts;
/* Blocking dial with handshake. GP_EDENIED when the peer is not trusted or not the one wanted or
 * does not trust us; GP_EUNAVAILABLE, GP_EDEADLINE otherwise. */
gp_status rpc_dial(rpc_runtime *rt, const rpc_dial_opts *o, rpc_conn **out,
                   gp_err *err) GP_MUST_CHECK;
/* The same without blocking: done is called once, on an internal thread; conn is NULL on failure.
 */
typedef void (*rpc_dial_done)(void *ctx, rpc_conn *conn, const gp_err *err);
gp_status rpc_dial_async(rpc_runtime *rt, const rpc_dial_opts *o, rpc_dial_done done, void *ctx,
                         gp_err *err) GP_MUST_CHECK;
const auth_peer *rpc_conn_peer(const rpc_conn *c);
uint32_t rpc_conn_features(const rpc_conn *c); /* bits that both ends have told */
int rpc_conn_alive(const rpc_conn *c);         /* 0 after close, loss or GOAWAY */
void rpc_conn_close(rpc_conn *c); /* ends its calls with UNAVAILABLE; drops the reference */

typedef struct rpc_call rpc_call;

/* What a call delivers, in order; the last one is always RPC_EV_STATUS. */
typedef enum rpc_event_kind { RPC_EV_MSG, RPC_EV_STATUS } rpc_event_kind;
typedef struct rpc_event {
    rpc_event_kind kind;
    const uint8_t *data; /* RPC_EV_MSG: valid during the callback / until the next rpc_call_recv */
    size_t len;
    rpc_code code;    /* RPC_EV_STATUS */
    const char *text; /* RPC_EV_STATUS; "" = none */
} rpc_event;

/* Start a call. relative time-out from the deadline is sent along. on_event NULL: fetch events with
 * rpc_call_recv(). With on_event: called on an internal thread, must not block; credit is given
 * back when it returns, unless rpc_call_hold() was called (flow control by the consumer). */
typedef void (*rpc_on_event)(void *ctx, rpc_call *call, const rpc_event *ev);
gp_status rpc_call_start(rpc_conn *c, const char *method, const void *req, size_t len,
                         gp_deadline deadline, rpc_on_event on_event, void *ctx, rpc_call **out,
                         gp_err *err) GP_MUST_CHECK;
/* Next event, or GP_EDEADLINE after timeout_ms (< 0: wait for ever; the call goes on). */
gp_status rpc_call_recv(rpc_call *c, int64_t timeout_ms, rpc_event *ev, gp_err *err) GP_MUST_CHECK;
/* With on_event: keep credit of the message just delivered until rpc_call_release(len). */
void rpc_call_hold(rpc_call *c, size_t len);
void rpc_call_release(rpc_call *c, size_t len);
void rpc_call_cancel(rpc_call *c); /* the server sees it at once; a final status still follows */
void rpc_call_free(rpc_call *c);   /* cancels if still running; no callback runs after it returns */

/* Unary convenience: start, collect exactly one message into reply, wait for the status. */
gp_status rpc_call_unary(rpc_conn *c, const char *method, const void *req, size_t len,
                         gp_deadline deadline, gp_buf *reply, gp_err *err) GP_MUST_CHECK;

/* ---- counters for metrics ---- */
typedef struct rpc_counters {
    uint64_t accepted, handshake_failed, refused, closed_ok, closed_error, calls_started,
        calls_finished[17], bytes_in, bytes_out;
    uint64_t conns_open, streams_open;
    uint64_t distrusted;            /* open connections ended because trust in the peer ended */
    uint64_t renewed, renew_failed; /* certificates, ours and as issuer */
} rpc_counters;
void rpc_runtime_counters(rpc_runtime *rt, rpc_counters *out);

/* The same as a table for a metrics page. get(entry) reads the value, on any thread, until the
 * runtime is freed. */
typedef struct rpc_metric {
    const char *name, *help;
    char labels[64]; /* "" = none */
    int is_gauge;
    double (*get)(void *entry);
    void *value; /* private */
} rpc_metric;
/* NULL and 0 when out of memory. One thread. */
const rpc_metric *rpc_runtime_metrics(rpc_runtime *rt, size_t *n);

#endif
