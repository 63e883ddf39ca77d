/* internal.h - runtime, connections, streams and calls as the files of this room see them.
 *
 * Locks, outermost first: runtime.lock, conn.lock, conn.wlock, then the leaves (scheduler, timers,
 * blocks). No callback and no transport operation is made with a lock held. */
#ifndef RPC_INTERNAL_H
#define RPC_INTERNAL_H

#include "auth/hello.h"
#include "auth/noise.h"
#include "blocks.h"
#include "bounds.h"
#include "frame.h"
#include "gp/cond.h"
#include "rpc/rpc.h"
#include "transport.h"
#include "wheel.h"
#include "workers.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- runtime ---- */

typedef struct rpc_stats {
    atomic_uint_fast64_t accepted, handshake_failed, refused, closed_ok, closed_error,
        calls_started, finished[17], bytes_in, bytes_out, conns_open, streams_open, distrusted,
        renewed, renew_failed, closed[2][17]; /* in handshake, open; by status */
} rpc_stats;

typedef struct rpc_listener {
    struct rpc_listener *next;
    rpc_runtime *rt;
    rpc_acceptor *acceptor; /* NULL in tests over a pair */
    const rpc_method *methods;
    size_t n_methods;
    void *ctx;
    const auth_identity *id; /* NULL: the runtime's */
    int local;               /* ipc:// */
} rpc_listener;

struct rpc_runtime {
    rpc_opts o; /* with defaults filled in */
    const auth_identity *id;
    auth_identity *anonymous; /* own throw-away identity when the caller has none */
    rpc_wheel *wheel;
    rpc_sched *sched;
    rpc_blocks *blocks;
    rpc_stats stats;
    atomic_uint refs; /* 1 of the owner, 1 a connection */

    struct rpc_metrics *metrics; /* metrics.c */

    rpc_timer upkeep; /* timer thread: what follows */
    uint64_t trust_seen;
    int64_t trust_next_s, renew_next_s;
    int renew_asked, lists_left;

    pthread_mutex_t lock; /* protects everything below */
    pthread_cond_t changed;
    rpc_conn *conns, *half_first,
        *half_last; /* all with a link; those in handshake, oldest first */
    rpc_listener *listeners;
    struct rpc_dial *dials;
    unsigned n_conns, n_accepted, n_half, n_dials, n_handlers;
    int stopping;
};

gp_status rpc_runtime_adopt(rpc_runtime *rt, rpc_conn *c, gp_err *err) GP_MUST_CHECK;
void rpc_runtime_unref(rpc_runtime *rt);

/* Do fn for every connection, without holding the lock meanwhile. */
void rpc_for_all_conns(rpc_runtime *rt, void (*fn)(rpc_conn *c, void *ctx), void *ctx);

/* ---- connection ---- */

typedef enum conn_state {
    CONN_HANDSHAKE, /* Noise messages; the dialer also waits for the welcome */
    CONN_OPEN,
    CONN_CLOSING, /* sends what is queued, then closes */
    CONN_CLOSED,
} conn_state;

/* Head of calls and server streams: an entry of the connection's table. */
typedef struct rpc_strm {
    uint32_t id;
    int is_call;
    struct rpc_strm *next;
} rpc_strm;

/* A sender that waits for room in the output queue. */
typedef struct rpc_waiter {
    struct rpc_waiter *next;
    pthread_cond_t *cond;
    int go;
} rpc_waiter;

/* Output; protected by conn.wlock. */
typedef struct rpc_writer {
    rpc_block *head, *tail;
    size_t queued;     /* bytes sealed or open, not yet sent */
    uint32_t open_at;  /* offset of the open record in tail */
    uint32_t open_len; /* plaintext bytes in it */
    int open, sending, corked, closed, failed, rx_paused;
    int64_t progress_ns; /* when bytes last went out, or the queue became non-empty */
    rpc_waiter *waiters, **waiters_tail;
} rpc_writer;

/* What the receive callback expects; a copy of its own, so that it needs no lock to look. */
typedef enum read_stage { RS_HANDSHAKE, RS_WELCOME, RS_FRAMES } read_stage;
typedef enum read_phase { RD_HEAD, RD_CALL_HEAD, RD_BODY, RD_SKIP } read_phase;

/* Input; only touched by the receive callback. */
typedef struct rpc_reader {
    uint8_t *buf; /* small, or medium, or bulk */
    size_t cap, len;
    rpc_block *medium;
    uint8_t *bulk;
    uint8_t small[SMALL_READ];
    read_stage stage;
    int hs_step; /* handshake messages seen and sent */
    read_phase phase;
    uint8_t head[RPC_CALL_FIXED + RPC_MAX_METHOD]; /* partial header or partial CALL head */
    size_t head_len, head_need;
    rpc_head h;
    uint8_t *body; /* where the payload goes */
    size_t body_off, body_len;
    struct rpc_call *call; /* owner of the MSG being read (counted) */
    struct rpc_msg *msg;
    struct rpc_stream *stream; /* CALL being read */
    uint8_t *scratch;          /* payload of another frame that spans records */
} rpc_reader;

struct rpc_conn {
    rpc_runtime *rt;
    rpc_link *link;
    auth_noise *noise;
    rpc_listener *listener;    /* NULL: dialed */
    const rpc_service *offers; /* dialed: what the peer may call; NULL: nothing */
    struct rpc_dial *dial;     /* waits for the outcome of the handshake; protected by lock */
    int dialer, local_ok, local;
    atomic_uint refs;
    atomic_uint io; /* operations under way, + 1 until shut down; the link is freed at 0 */
    atomic_int_fast64_t rx_ns;       /* when bytes last came in */
    rpc_conn *next, *prev;           /* runtime.lock: all connections */
    rpc_conn *half_next, *half_prev; /* runtime.lock: in handshake */
    int in_half, adopted;

    pthread_mutex_t lock; /* protects state .. table and the calls and streams of this connection */
    conn_state state;
    int goaway_in, goaway_out, timer_armed, was_open;
    gp_err why;            /* first reason to close */
    uint32_t next_id;      /* our next call */
    uint32_t last_peer_id; /* highest stream the peer has opened */
    unsigned n_calls, n_streams;
    int64_t last_ping_ns;
    rpc_timer timer, reap;
    rpc_job job;
    rpc_peer *peer_entry;
    auth_peer peer;                          /* set before state is OPEN, then constant */
    uint32_t features;                       /* of both ends; the same */
    auth_fleet_state lists[AUTH_MAX_FLEETS]; /* revocation lists that the peer is known to have */
    size_t n_lists;                          /* of its hello: fleets that it trusts */
    rpc_strm *table[TABLE];

    pthread_mutex_t wlock;
    rpc_writer w;
    rpc_reader r;
};

/* Who we are on this connection. */
static inline const auth_identity *rpc_own_id(const rpc_runtime *rt, const rpc_listener *l)
{
    return l && l->id ? l->id : rt->id;
}

/* Make a connection over l (owned from then on, in any case). listener NULL: we dialed. */
gp_status rpc_conn_new(rpc_runtime *rt, rpc_link *l, rpc_listener *listener, struct rpc_dial *dial,
                       rpc_conn **out, gp_err *err) GP_MUST_CHECK;
void rpc_conn_start(rpc_conn *c);
static inline void rpc_conn_ref(rpc_conn *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
}
void rpc_conn_unref(rpc_conn *c);
/* Break the connection for this reason (the first one counts); its calls end with UNAVAILABLE. */
void rpc_conn_shutdown(rpc_conn *c, gp_status st, const char *fmt, ...) GP_PRINTF(3, 4);
void rpc_conn_io_done(rpc_conn *c); /* an operation ended and no other follows */
/* Send GOAWAY (once) and close when nothing is running any more. */
void rpc_conn_goaway(rpc_conn *c, rpc_code code, const char *text);
/* Lock held: close after flushing if this connection has said or heard GOAWAY and is idle. */
void rpc_conn_maybe_finish(rpc_conn *c);
/* Lock held: make sure the keep-alive timer runs while something is open. */
void rpc_conn_arm(rpc_conn *c);
/* Handshake over: st GP_OK or why not. Tells the dial, if any. */
void rpc_conn_opened(rpc_conn *c, gp_status st, const gp_err *err);
/* Send what is queued, then close: after a refusal or GOAWAY. Lock held. */
void rpc_conn_linger(rpc_conn *c);
/* Leave the list of connections in handshake. */
void rpc_half_remove(rpc_conn *c);

/* Table; lock held. */
rpc_strm *rpc_table_find(rpc_conn *c, uint32_t id);
void rpc_table_add(rpc_conn *c, rpc_strm *s);
void rpc_table_remove(rpc_conn *c, rpc_strm *s);

/* ---- handshake.c ---- */
void rpc_hs_start(rpc_conn *c);
/* One Noise message; an error ends the connection. */
gp_status rpc_hs_message(rpc_conn *c, const uint8_t *msg, size_t len, gp_err *err) GP_MUST_CHECK;
size_t rpc_hs_max_message(const rpc_conn *c);
gp_status rpc_hs_welcome(rpc_conn *c, const rpc_head *h, const uint8_t *text,
                         gp_err *err) GP_MUST_CHECK;

/* ---- read.c ---- */
void rpc_on_received(void *arg, gp_status st, size_t n);
void rpc_read_resume(rpc_conn *c);
void rpc_read_free(rpc_conn *c);

/* ---- write.c ---- */
/* Append a frame; wlock not held. The bytes are copied. Flush afterwards. */
void rpc_write(rpc_conn *c, rpc_frame_type type, uint16_t code, uint32_t stream,
               const void *payload, size_t len);
/* The same for a payload in two parts. */
void rpc_write2(rpc_conn *c, rpc_frame_type type, uint16_t code, uint32_t stream, const void *a,
                size_t an, const void *b, size_t bn);
void rpc_write_raw(rpc_conn *c, const void *bytes, size_t len); /* handshake messages */
void rpc_flush(rpc_conn *c);
void rpc_cork(rpc_conn *c);
void rpc_uncork(rpc_conn *c); /* and flush */
/* A MSG frame once there is room; waits in turn. GP_EUNAVAILABLE, or what cancel says. */
gp_status rpc_write_msg(rpc_conn *c, uint32_t stream, const void *msg, size_t len,
                        pthread_cond_t *cond, gp_cancel *cancel) GP_MUST_CHECK;
void rpc_write_wake(rpc_conn *c, pthread_cond_t *cond); /* after a cancel */
void rpc_on_sent(void *arg, gp_status st, size_t n);
void rpc_write_close(rpc_conn *c);
void rpc_write_free(rpc_conn *c);

/* ---- call.c ---- */
typedef struct rpc_msg {
    struct rpc_msg *next;
    size_t len;
    uint8_t data[];
} rpc_msg;

/* A MSG begins: its buffer, or NULL with st set (GP_ENOTFOUND: skip it). Takes a reference. */
gp_status rpc_call_msg_begin(rpc_conn *c, const rpc_head *h, rpc_call **call, rpc_msg **msg,
                             gp_err *err) GP_MUST_CHECK;
void rpc_call_msg_end(rpc_call *call, rpc_msg *msg); /* complete: deliver; drops the reference */
void rpc_call_msg_drop(rpc_call *call, rpc_msg *msg);
gp_status rpc_call_status(rpc_conn *c, const rpc_head *h, const uint8_t *text,
                          gp_err *err) GP_MUST_CHECK;
/* End all calls with id > after. Lock held; they are delivered by a worker. */
void rpc_calls_end_all(rpc_conn *c, uint32_t after, rpc_code code, const char *text);

/* ---- stream.c ---- */
/* A CALL begins: *stream with room for the request, or NULL when it was refused (skip the payload).
 */
gp_status rpc_stream_begin(rpc_conn *c, const rpc_head *h, const rpc_call_head *ch,
                           struct rpc_stream **stream, uint8_t **body, gp_err *err) GP_MUST_CHECK;
void rpc_stream_run(struct rpc_stream *s);  /* request complete */
void rpc_stream_drop(struct rpc_stream *s); /* connection ended in the middle of the request */
gp_status rpc_stream_credit(rpc_conn *c, uint32_t id, uint32_t bytes, gp_err *err) GP_MUST_CHECK;
gp_status rpc_stream_cancelled(rpc_conn *c, uint32_t id, gp_err *err) GP_MUST_CHECK;
void rpc_streams_cancel_all(rpc_conn *c); /* lock held */

/* ---- lists.c ---- */
extern const rpc_method rpc_lists_method; /* served on every connection with trust */
/* Bring the older side up to date: the dialer after the welcome, both when a list has changed.
 * Sends no more than *budget bytes and takes them off; 0: a list is left for another time. */
int rpc_lists_exchange(rpc_conn *c, const auth_fleet_state *ours, size_t n, size_t *budget);

/* ---- upkeep.c ---- */
extern const rpc_method rpc_renew_method; /* served on every connection when there is an issuer */
/* Arm the next tick. */
void rpc_upkeep_start(rpc_runtime *rt);

/* ---- server.c, dial.c ---- */
void rpc_accept_link(rpc_listener *lis, rpc_link *l);
void rpc_dial_handshaken(struct rpc_dial *d, rpc_conn *c, gp_status st, const gp_err *err);
/* Whom the dial expects; pointers live as long as d. */
void rpc_dial_wants(struct rpc_dial *d, auth_kind *kind, const char **name);
/* Dial over a stream that stands already (owned from then on); blocks. For tests over a pair. */
gp_status rpc_dial_link(rpc_runtime *rt, rpc_link *l, rpc_conn **out, gp_err *err) GP_MUST_CHECK;
void rpc_dials_cancel(rpc_runtime *rt); /* runtime.lock held */

#endif
