/* stream.c - a call being served: refused or taken, run on a worker, answered, ended. */
#include "gp/mem.h"
#include "internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { REFUSAL = 320 }; /* bytes of the text of who may not call */

struct rpc_stream {
    rpc_strm node;  /* first: rpc_strm * is rpc_stream * */
    rpc_conn *conn; /* counted */
    const rpc_method *method;
    rpc_job job;
    gp_cancel cancel;
    /* conn.lock protects: */
    pthread_cond_t cond; /* credit came, or the call is over */
    int64_t credit;
    int over; /* its status was sent, or the connection is gone */
    size_t req_len;
    uint8_t req[];
};

/* ---- taking a call ---- */

static int is_named(const rpc_method *m, const rpc_call_head *ch)
{
    return strlen(m->name) == ch->method_len && memcmp(m->name, ch->method, ch->method_len) == 0;
}

static const rpc_method *find_method(const rpc_conn *c, const rpc_call_head *ch)
{
    const rpc_method *m = c->listener ? c->listener->methods
                          : c->offers ? c->offers->methods
                                      : NULL;
    size_t n = c->listener ? c->listener->n_methods : c->offers ? c->offers->n_methods : 0;
    for (size_t i = 0; i < n; i++)
        if (is_named(&m[i], ch))
            return &m[i];
    if (c->rt->o.trust && is_named(&rpc_lists_method, ch))
        return &rpc_lists_method;
    if (c->rt->o.issuer && is_named(&rpc_renew_method, ch))
        return &rpc_renew_method;
    return NULL;
}

static void *handler_ctx(const rpc_conn *c, const rpc_method *m)
{
    if (m->ctx)
        return m->ctx;
    return c->listener ? c->listener->ctx : c->offers ? c->offers->ctx : NULL;
}

/* May the peer call it? Says what is missing. */
static int may_call(const rpc_conn *c, const rpc_method *m, char text[REFUSAL])
{
    uint32_t missing = m->roles & ~c->peer.roles;
    gp_buf kinds = {.limit = REFUSAL / 3}, roles = {.limit = REFUSAL / 3};
    if (c->peer.local_uid >= 0)
        return 1;
    if (m->kinds && !(m->kinds >> c->peer.kind & 1)) {
        for (int k = AUTH_KIND_AGENT; k <= AUTH_KIND_USER; k++) {
            if (m->kinds >> k & 1)
                gp_buf_printf(&kinds, "%s%s", kinds.len ? " or " : "",
                              auth_kind_name((auth_kind)k));
        }
        const char *list = gp_buf_str(&kinds);
        snprintf(text, REFUSAL, "'%s' is a key of kind %s; %s takes %s", c->peer.name,
                 auth_kind_name(c->peer.kind), m->name, list ? list : "another");
    } else if (missing) {
        auth_roles_format(missing, &roles);
        const char *list = gp_buf_str(&roles);
        snprintf(text, REFUSAL, "the key of '%s' has no role \"%s\" here (for %s)", c->peer.name,
                 list ? list : "", m->name);
    } else {
        return 1;
    }
    gp_buf_free(&kinds);
    gp_buf_free(&roles);
    return 0;
}

/* Why this call is not served, as a code and text; RPC_OK when it is. Lock held. */
static rpc_code refuse(rpc_conn *c, const rpc_method *m, size_t len, char own[REFUSAL],
                       const char **text)
{
    if (!m) {
        *text = "no such method here";
        return RPC_UNIMPLEMENTED;
    }
    if (c->state != CONN_OPEN || c->goaway_out) {
        *text = "shutting down";
        return RPC_UNAVAILABLE;
    }
    if (!may_call(c, m, own)) {
        *text = own;
        return RPC_PERMISSION_DENIED;
    }
    if (len > m->max_request) {
        *text = "the request is larger than this method takes";
        return RPC_RESOURCE_EXHAUSTED;
    }
    if (c->n_streams >= c->rt->o.max_streams_per_conn) {
        *text = "too many calls are open on this connection";
        return RPC_RESOURCE_EXHAUSTED;
    }
    if (!rpc_peer_may_call(c->rt->sched, c->peer_entry)) {
        *text = "too many calls in a short time; slow down";
        return RPC_RESOURCE_EXHAUSTED;
    }
    return RPC_OK;
}

static void stream_free(rpc_stream *s)
{
    rpc_conn *c = s->conn;
    pthread_cond_destroy(&s->cond);
    gp_free(s);
    atomic_fetch_sub_explicit(&c->rt->stats.streams_open, 1, memory_order_relaxed);
    rpc_conn_unref(c);
}

static rpc_stream *stream_new(rpc_conn *c, uint32_t id, const rpc_method *m,
                              const rpc_call_head *ch, size_t len)
{
    rpc_stream *s = gp_alloc(1, sizeof *s + len);
    if (!s)
        return NULL;
    *s = (rpc_stream){
        .node = {.id = id}, .conn = c, .method = m, .credit = RPC_STREAM_CREDIT, .req_len = len};
    gp_cond_init(&s->cond);
    s->cancel.deadline = ch->timeout_ms ? gp_deadline_in_ms(ch->timeout_ms) : GP_NEVER;
    rpc_conn_ref(c);
    atomic_fetch_add_explicit(&c->rt->stats.streams_open, 1, memory_order_relaxed);
    return s;
}

static void refused(rpc_conn *c, uint32_t id, rpc_code code, const char *text)
{
    rpc_write(c, RPC_F_STATUS, (uint16_t)code, id, text, strlen(text));
    atomic_fetch_add_explicit(&c->rt->stats.finished[code], 1, memory_order_relaxed);
}

gp_status rpc_stream_begin(rpc_conn *c, const rpc_head *h, const rpc_call_head *ch,
                           struct rpc_stream **stream, uint8_t **body, gp_err *err)
{
    char own[REFUSAL];
    const char *text = "";
    const rpc_method *m = find_method(c, ch);
    size_t len = h->len - RPC_CALL_FIXED - ch->method_len;
    rpc_stream *s = NULL;

    atomic_fetch_add_explicit(&c->rt->stats.calls_started, 1, memory_order_relaxed);
    pthread_mutex_lock(&c->lock);
    if ((h->stream & 1) == (unsigned)c->dialer || h->stream <= c->last_peer_id) {
        pthread_mutex_unlock(&c->lock);
        return gp_fail(err, GP_ECORRUPT, 0, "protocol error: call on stream %u", h->stream);
    }
    c->last_peer_id = h->stream;
    rpc_code code = refuse(c, m, len, own, &text);
    if (code == RPC_OK && !(s = stream_new(c, h->stream, m, ch, len))) {
        code = RPC_RESOURCE_EXHAUSTED;
        text = "out of memory";
    }
    if (s) {
        rpc_table_add(c, &s->node);
        c->n_streams++;
        rpc_conn_arm(c);
    }
    pthread_mutex_unlock(&c->lock);
    if (!s)
        refused(c, h->stream, code, text);
    if (code == RPC_PERMISSION_DENIED && c->rt->o.on_refused)
        c->rt->o.on_refused(c->rt->o.refused_ctx, c->peer.name, m->name, text);
    *stream = s;
    *body = s ? s->req : NULL;
    return GP_OK;
}

/* Leave the connection; lock held. */
static void detach(rpc_stream *s)
{
    rpc_table_remove(s->conn, &s->node);
    s->conn->n_streams--;
    rpc_conn_maybe_finish(s->conn);
}

void rpc_stream_drop(struct rpc_stream *s)
{
    pthread_mutex_lock(&s->conn->lock);
    detach(s);
    pthread_mutex_unlock(&s->conn->lock);
    stream_free(s);
}

/* ---- running ---- */

static void finish(rpc_stream *s, rpc_code code, const char *text)
{
    rpc_conn *c = s->conn;
    if ((unsigned)code > RPC_UNAUTHENTICATED)
        code = RPC_UNKNOWN;
    pthread_mutex_lock(&c->lock);
    if (!s->over)
        rpc_write(c, RPC_F_STATUS, (uint16_t)code, s->node.id, text,
                  strnlen(text, RPC_MAX_STATUS_TEXT));
    s->over = 1;
    detach(s);
    pthread_mutex_unlock(&c->lock);
    rpc_flush(c);
    atomic_fetch_add_explicit(&c->rt->stats.finished[code], 1, memory_order_relaxed);
    stream_free(s);
}

static void run(void *arg)
{
    rpc_stream *s = arg;
    gp_buf text = {.limit = RPC_MAX_STATUS_TEXT + 1};
    gp_status st = gp_cancel_check(&s->cancel);
    rpc_code code;
    if (st == GP_OK)
        code = s->method->handler(handler_ctx(s->conn, s->method), s, s->req, s->req_len, &text);
    else
        code = rpc_code_from_status(st); /* over before its turn came */
    const char *t = gp_buf_str(&text);
    finish(s, code, t ? t : "");
    gp_buf_free(&text);
}

void rpc_stream_run(struct rpc_stream *s)
{
    s->job.fn = run;
    s->job.arg = s;
    rpc_sched_call(s->conn->rt->sched, s->conn->peer_entry, &s->job);
}

/* ---- what the handler may do ---- */

const auth_peer *rpc_stream_peer(const rpc_stream *s)
{
    return &s->conn->peer;
}

rpc_conn *rpc_stream_conn(rpc_stream *s)
{
    rpc_conn_ref(s->conn);
    return s->conn;
}

gp_deadline rpc_stream_deadline(const rpc_stream *s)
{
    return s->cancel.deadline;
}

gp_cancel *rpc_stream_cancel(rpc_stream *s)
{
    return &s->cancel;
}

/* Take credit for cost bytes; waits. Lock held; dropped meanwhile. */
static gp_status take_credit(rpc_stream *s, int64_t cost)
{
    gp_status st = GP_OK;
    if (s->credit < cost && !s->over) {
        int64_t stall = gp_mono_ns() + s->conn->rt->o.stall_ms * INT64_C(1000000);
        rpc_sched_blocking(s->conn->rt->sched);
        while (s->credit < cost && !s->over && (st = gp_cancel_check(&s->cancel)) == GP_OK) {
            if (gp_mono_ns() >= stall) { /* a reader this slow may not hold a worker */
                gp_cancel_set(&s->cancel, GP_EUNAVAILABLE);
                continue;
            }
            (void)gp_cond_wait(&s->cond, &s->conn->lock,
                               s->cancel.deadline < stall ? s->cancel.deadline : stall);
        }
        rpc_sched_unblocked(s->conn->rt->sched);
    }
    if (st == GP_OK)
        st = gp_cancel_check(&s->cancel);
    if (st == GP_OK && s->over)
        st = GP_EUNAVAILABLE;
    if (st == GP_OK)
        s->credit -= cost;
    return st;
}

gp_status rpc_stream_wait(rpc_stream *s, gp_deadline until)
{
    gp_status st = GP_OK;
    pthread_mutex_lock(&s->conn->lock);
    rpc_sched_blocking(s->conn->rt->sched);
    while ((st = gp_cancel_check(&s->cancel)) == GP_OK && !s->over && !gp_deadline_passed(until))
        (void)gp_cond_wait(&s->cond, &s->conn->lock,
                           s->cancel.deadline < until ? s->cancel.deadline : until);
    rpc_sched_unblocked(s->conn->rt->sched);
    st = st == GP_OK && s->over ? GP_EUNAVAILABLE : st;
    pthread_mutex_unlock(&s->conn->lock);
    return st;
}

gp_status rpc_stream_send(rpc_stream *s, const void *msg, size_t len, gp_err *err)
{
    if (len > RPC_MAX_PAYLOAD)
        return gp_fail(err, GP_EINVAL, 0, "message of %zu bytes; at most %d", len, RPC_MAX_PAYLOAD);
    pthread_mutex_lock(&s->conn->lock);
    gp_status st = take_credit(s, (int64_t)len + RPC_MSG_OVERHEAD);
    pthread_mutex_unlock(&s->conn->lock);
    if (st == GP_OK)
        st = rpc_write_msg(s->conn, s->node.id, msg, len, &s->cond, &s->cancel);
    if (st != GP_OK)
        return gp_fail(err, st, 0, "%s",
                       st == GP_ECANCELLED  ? "the caller cancelled"
                       : st == GP_EDEADLINE ? "the caller's deadline passed"
                                            : "the caller is gone or does not read");
    return GP_OK;
}

/* ---- what the peer sends about it ---- */

/* Our stream of this id, NULL if it is over already; an error if it never was. Lock held. */
static gp_status find_stream(rpc_conn *c, uint32_t id, rpc_stream **out, gp_err *err)
{
    if ((id & 1) == (unsigned)c->dialer || id > c->last_peer_id)
        return gp_fail(err, GP_ECORRUPT, 0, "protocol error: stream %u does not exist", id);
    *out = (rpc_stream *)rpc_table_find(c, id);
    return GP_OK;
}

gp_status rpc_stream_credit(rpc_conn *c, uint32_t id, uint32_t bytes, gp_err *err)
{
    rpc_stream *s = NULL;
    pthread_mutex_lock(&c->lock);
    gp_status st = find_stream(c, id, &s, err);
    if (s && (bytes > RPC_MAX_CREDIT || s->credit > RPC_MAX_CREDIT - (int64_t)bytes)) {
        st = gp_fail(err, GP_ECORRUPT, 0, "protocol error: credit of %u bytes", bytes);
    } else if (s) {
        s->credit += bytes;
        pthread_cond_signal(&s->cond);
    }
    pthread_mutex_unlock(&c->lock);
    return st;
}

/* End a stream without its handler; lock held. */
static void end_stream(rpc_stream *s, gp_status why)
{
    s->over = 1;
    gp_cancel_set(&s->cancel, why);
    pthread_cond_signal(&s->cond);
    rpc_write_wake(s->conn, &s->cond);
}

gp_status rpc_stream_cancelled(rpc_conn *c, uint32_t id, gp_err *err)
{
    rpc_stream *s = NULL;
    pthread_mutex_lock(&c->lock);
    gp_status st = find_stream(c, id, &s, err);
    if (s && !s->over) { /* the caller need not wait until the handler notices */
        rpc_write(c, RPC_F_STATUS, RPC_CANCELLED, id, NULL, 0);
        end_stream(s, GP_ECANCELLED);
    }
    pthread_mutex_unlock(&c->lock);
    return st;
}

void rpc_streams_cancel_all(rpc_conn *c)
{
    for (size_t i = 0; i < TABLE; i++)
        for (rpc_strm *s = c->table[i]; s; s = s->next)
            if (!s->is_call)
                end_stream((rpc_stream *)s, GP_EUNAVAILABLE);
}
