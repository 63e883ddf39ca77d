/* call.c - a call of ours: events in order, by callback or fetched; credit, cancel, deadline. */
#include "gp/mem.h"
#include "internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct rpc_call {
    rpc_strm node;    /* first: rpc_strm * is rpc_call * */
    rpc_conn *conn;   /* counted */
    atomic_uint refs; /* user, table, timer, reader, delivery */
    rpc_on_event on_event;
    void *ctx;
    rpc_timer timer;
    rpc_job job; /* delivery by a worker, for events that arise in the user's own thread */
    /* conn.lock protects: */
    pthread_cond_t cond; /* an event came, or delivery paused */
    rpc_msg *first, **last;
    rpc_msg *current; /* handed out by rpc_call_recv */
    int64_t window;   /* credit the peer has left */
    int64_t consumed; /* to be given back; below zero while held bytes are not counted yet */
    size_t held;      /* bytes that the consumer keeps (rpc_call_hold) */
    int done, status_taken, freed, delivering, job_queued;
    pthread_t deliverer;
    rpc_code code;
    char *text; /* of the status; NULL = "" */
};

static size_t cost_of(const rpc_msg *m)
{
    return m->len + RPC_MSG_OVERHEAD;
}

static void call_ref(rpc_call *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
}

static void call_unref(rpc_call *c)
{
    if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    while (c->first) {
        rpc_msg *next = c->first->next;
        gp_free(c->first);
        c->first = next;
    }
    gp_free(c->current);
    gp_free(c->text);
    pthread_cond_destroy(&c->cond);
    rpc_conn *conn = c->conn;
    gp_free(c);
    rpc_conn_unref(conn);
}

/* ---- credit; lock held ---- */

/* The consumer is through with n bytes of credit: give it back in big steps. */
static void give_credit(rpc_call *c, size_t n)
{
    c->consumed += (int64_t)n;
    if (c->consumed < CREDIT_STEP || c->done)
        return;
    uint8_t p[RPC_CREDIT_LEN];
    gp_put_be32(p, (uint32_t)c->consumed);
    c->window += c->consumed;
    c->consumed = 0;
    rpc_write(c->conn, RPC_F_CREDIT, 0, c->node.id, p, sizeof p);
}

/* ---- ending; lock held ---- */

/* The final status is known: leave the connection. Returns references to drop after unlocking. */
static unsigned end_call(rpc_call *c, rpc_code code, const char *text)
{
    unsigned drop = 1; /* of the table */
    c->done = 1;
    c->code = code;
    c->text = text && *text ? gp_strdup(text) : NULL;
    rpc_table_remove(c->conn, &c->node);
    c->conn->n_calls--;
    if (rpc_timer_cancel(c->conn->rt->wheel, &c->timer))
        drop++;
    pthread_cond_broadcast(&c->cond);
    rpc_conn_maybe_finish(c->conn);
    return drop;
}

static void drop_refs(rpc_call *c, unsigned n)
{
    while (n--)
        call_unref(c);
}

/* ---- delivery by callback ---- */

/* The next event into ev; 0 when there is none. Lock held. */
static int next_event(rpc_call *c, rpc_event *ev, rpc_msg **msg)
{
    *msg = c->first;
    if (*msg) {
        c->first = (*msg)->next;
        if (!c->first)
            c->last = &c->first;
        *ev = (rpc_event){.kind = RPC_EV_MSG, .data = (*msg)->data, .len = (*msg)->len, .text = ""};
        return 1;
    }
    if (!c->done || c->status_taken)
        return 0;
    c->status_taken = 1;
    *ev = (rpc_event){.kind = RPC_EV_STATUS, .code = c->code, .text = c->text ? c->text : ""};
    return 1;
}

/* Call back for all events, in order: one thread at a time does it. Lock held, dropped meanwhile.
 * The caller owns a reference. */
static void deliver(rpc_call *c)
{
    rpc_event ev = {0};
    rpc_msg *msg;
    if (c->delivering || !c->on_event)
        return;
    c->delivering = 1;
    c->deliverer = pthread_self();
    while (!c->freed && next_event(c, &ev, &msg)) {
        pthread_mutex_unlock(&c->conn->lock);
        c->on_event(c->ctx, c, &ev);
        pthread_mutex_lock(&c->conn->lock);
        if (msg) {
            size_t n = cost_of(msg);
            give_credit(c, n);
            gp_free(msg);
        }
    }
    c->delivering = 0;
    if (c->freed)
        pthread_cond_broadcast(&c->cond);
}

static void deliver_job(void *arg)
{
    rpc_call *c = arg;
    rpc_conn *conn = c->conn;
    pthread_mutex_lock(&conn->lock);
    c->job_queued = 0;
    deliver(c);
    pthread_mutex_unlock(&conn->lock);
    rpc_flush(conn);
    call_unref(c);
}

/* Deliver on a worker. Lock held. */
static void deliver_later(rpc_call *c)
{
    if (!c->on_event || c->job_queued || c->freed)
        return;
    c->job_queued = 1;
    call_ref(c);
    c->job.fn = deliver_job;
    c->job.arg = c;
    rpc_sched_run(c->conn->rt->sched, &c->job);
}

void rpc_calls_end_all(rpc_conn *conn, uint32_t after, rpc_code code, const char *text)
{
    for (size_t i = 0; i < TABLE; i++)
        for (rpc_strm *s = conn->table[i], *next; s; s = next) {
            next = s->next;
            if (!s->is_call || s->id <= after)
                continue;
            rpc_call *c = (rpc_call *)s;
            call_ref(c);
            unsigned drop = end_call(c, code, text);
            deliver_later(c);
            /* Never the last reference of the connection: the caller of shutdown holds one. */
            drop_refs(c, drop + 1);
        }
}

/* ---- what the peer sends ---- */

/* A call of ours with this id, or NULL if it is over; an error if it never was. Lock held. */
static gp_status find_call(rpc_conn *conn, uint32_t id, rpc_call **out, gp_err *err)
{
    if ((id & 1) != (conn->next_id & 1) || id >= conn->next_id)
        return gp_fail(err, GP_ECORRUPT, 0, "protocol error: answer on stream %u", id);
    *out = (rpc_call *)rpc_table_find(conn, id);
    return GP_OK;
}

gp_status rpc_call_msg_begin(rpc_conn *conn, const rpc_head *h, rpc_call **call, rpc_msg **msg,
                             gp_err *err)
{
    rpc_call *c = NULL;
    pthread_mutex_lock(&conn->lock);
    gp_status st = find_call(conn, h->stream, &c, err);
    if (st == GP_OK && !c) {
        st = GP_ENOTFOUND;
    } else if (st == GP_OK) {
        int64_t cost = (int64_t)h->len + RPC_MSG_OVERHEAD;
        if (c->window < cost)
            st = gp_fail(err, GP_ECORRUPT, 0, "protocol error: message beyond the credit");
        else
            c->window -= cost;
        call_ref(c);
    }
    pthread_mutex_unlock(&conn->lock);
    if (st != GP_OK) {
        if (c)
            call_unref(c);
        return st;
    }
    rpc_msg *m = gp_alloc(1, sizeof *m + h->len);
    if (!m) {
        call_unref(c);
        return gp_fail(err, GP_ENOMEM, 0, "out of memory for a message");
    }
    m->next = NULL;
    m->len = h->len;
    *call = c;
    *msg = m;
    return GP_OK;
}

void rpc_call_msg_drop(rpc_call *c, rpc_msg *m)
{
    gp_free(m);
    if (c)
        call_unref(c);
}

void rpc_call_msg_end(rpc_call *c, rpc_msg *m)
{
    rpc_conn *conn = c->conn;
    pthread_mutex_lock(&conn->lock);
    if (c->done || c->freed) {
        gp_free(m); /* the status was given already (deadline) */
    } else {
        *c->last = m;
        c->last = &m->next;
        if (c->on_event)
            deliver(c);
        else
            pthread_cond_signal(&c->cond);
    }
    pthread_mutex_unlock(&conn->lock);
    call_unref(c);
}

gp_status rpc_call_status(rpc_conn *conn, const rpc_head *h, const uint8_t *text, gp_err *err)
{
    char clean[RPC_MAX_STATUS_TEXT + 1];
    rpc_call *c = NULL;
    rpc_text_clean(text, h->len, clean);
    pthread_mutex_lock(&conn->lock);
    gp_status st = find_call(conn, h->stream, &c, err);
    unsigned drop = 0;
    if (c) {
        call_ref(c);
        drop = 1 + end_call(c, (rpc_code)h->code, clean);
        deliver(c);
    }
    pthread_mutex_unlock(&conn->lock);
    if (c)
        drop_refs(c, drop);
    return st;
}

/* ---- deadline and cancel ---- */

static void on_deadline(void *arg)
{
    rpc_call *c = arg;
    rpc_conn *conn = c->conn;
    unsigned drop = 1; /* of the timer */
    pthread_mutex_lock(&conn->lock);
    if (!c->done) {
        rpc_write(conn, RPC_F_CANCEL, 0, c->node.id, NULL, 0);
        drop += end_call(c, RPC_DEADLINE_EXCEEDED, "no answer in time");
        deliver(c);
    }
    pthread_mutex_unlock(&conn->lock);
    rpc_flush(conn);
    drop_refs(c, drop);
}

void rpc_call_cancel(rpc_call *c)
{
    pthread_mutex_lock(&c->conn->lock);
    if (!c->done)
        rpc_write(c->conn, RPC_F_CANCEL, 0, c->node.id, NULL, 0);
    pthread_mutex_unlock(&c->conn->lock);
    rpc_flush(c->conn);
}

void rpc_call_hold(rpc_call *c, size_t len)
{
    pthread_mutex_lock(&c->conn->lock);
    c->held += len;
    c->consumed -= (int64_t)len; /* the whole message is counted when the callback returns */
    pthread_mutex_unlock(&c->conn->lock);
}

void rpc_call_release(rpc_call *c, size_t len)
{
    rpc_conn *conn = c->conn;
    pthread_mutex_lock(&conn->lock);
    if (len > c->held)
        len = c->held;
    c->held -= len;
    give_credit(c, len);
    pthread_mutex_unlock(&conn->lock);
    rpc_flush(conn);
}

/* ---- starting ---- */

static rpc_call *call_new(rpc_conn *conn, gp_deadline deadline, rpc_on_event on_event, void *ctx)
{
    rpc_call *c = gp_calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->node.is_call = 1;
    c->conn = conn;
    c->on_event = on_event;
    c->ctx = ctx;
    c->last = &c->first;
    c->window = RPC_STREAM_CREDIT;
    atomic_init(&c->refs, deadline == GP_NEVER ? 2 : 3);
    gp_cond_init(&c->cond);
    rpc_conn_ref(conn);
    return c;
}

/* May a call start? Lock held. */
static gp_status may_start(rpc_conn *conn, gp_err *err)
{
    if (conn->state != CONN_OPEN || conn->goaway_in || conn->goaway_out)
        return gp_fail(err, GP_EUNAVAILABLE, 0, "%s",
                       conn->why.code ? conn->why.msg : "the peer is shutting down");
    if (conn->n_calls >= MAX_OPEN_CALLS || conn->next_id > RPC_MAX_STREAM - 2)
        return gp_fail(err, GP_ELIMIT, 0, "too many calls on one connection");
    pthread_mutex_lock(&conn->wlock);
    int stuck = conn->w.queued > OUT_MAX;
    pthread_mutex_unlock(&conn->wlock);
    if (stuck)
        return gp_fail(err, GP_ELIMIT, 0, "the peer does not read; too many calls are queued");
    return GP_OK;
}

gp_status rpc_call_start(rpc_conn *conn, const char *method, const void *req, size_t len,
                         gp_deadline deadline, rpc_on_event on_event, void *ctx, rpc_call **out,
                         gp_err *err)
{
    uint8_t head[RPC_CALL_FIXED + RPC_MAX_METHOD];
    size_t mn = strlen(method);
    int64_t left = gp_deadline_left_ms(deadline);
    if (mn == 0 || mn > RPC_MAX_METHOD || len > RPC_MAX_PAYLOAD - RPC_CALL_FIXED - mn)
        return gp_fail(err, GP_EINVAL, 0, "call '%s' with a request of %zu bytes is too large",
                       method, len);
    if (left == 0)
        return gp_fail(err, GP_EDEADLINE, 0, "no time left for call '%s'", method);
    rpc_call *c = call_new(conn, deadline, on_event, ctx);
    if (!c)
        return gp_fail(err, GP_ENOMEM, 0, "call '%s': out of memory", method);
    gp_put_be32(head, deadline == GP_NEVER ? 0 : (uint32_t)(left < UINT32_MAX ? left : UINT32_MAX));
    head[4] = (uint8_t)mn;
    memcpy(head + RPC_CALL_FIXED, method, mn);

    pthread_mutex_lock(&conn->lock);
    gp_status st = may_start(conn, err);
    if (st == GP_OK) {
        c->node.id = conn->next_id;
        conn->next_id += 2;
        rpc_table_add(conn, &c->node);
        conn->n_calls++;
        rpc_conn_arm(conn);
        if (deadline != GP_NEVER)
            rpc_timer_set(conn->rt->wheel, &c->timer, deadline, on_deadline, c);
        *out = c; /* before the first event can come */
        /* Under the lock: streams must open in rising order. */
        rpc_write2(conn, RPC_F_CALL, 0, c->node.id, head, RPC_CALL_FIXED + mn, req, len);
    }
    pthread_mutex_unlock(&conn->lock);
    if (st == GP_OK)
        rpc_flush(conn);
    else
        drop_refs(c, deadline == GP_NEVER ? 2 : 3);
    return st;
}

void rpc_call_free(rpc_call *c)
{
    if (!c)
        return;
    rpc_conn *conn = c->conn;
    unsigned drop = 1; /* the user's */
    pthread_mutex_lock(&conn->lock);
    c->freed = 1;
    if (!c->done) {
        rpc_write(conn, RPC_F_CANCEL, 0, c->node.id, NULL, 0);
        drop += end_call(c, RPC_CANCELLED, NULL);
    }
    while (c->delivering && !pthread_equal(c->deliverer, pthread_self()))
        pthread_cond_wait(&c->cond, &conn->lock);
    pthread_mutex_unlock(&conn->lock);
    rpc_flush(conn);
    drop_refs(c, drop);
}

/* ---- fetching ---- */

/* Wait for an event, at most until d. Lock held. */
static gp_status wait_event(rpc_call *c, gp_deadline d, gp_err *err)
{
    while (!c->first && !c->done) {
        if (gp_deadline_passed(d))
            return gp_fail(err, GP_EDEADLINE, 0, "no answer yet");
        (void)gp_cond_wait(&c->cond, &c->conn->lock, d);
    }
    return GP_OK;
}

gp_status rpc_call_recv(rpc_call *c, int64_t timeout_ms, rpc_event *ev, gp_err *err)
{
    rpc_conn *conn = c->conn;
    rpc_msg *old, *msg = NULL;
    gp_deadline d = gp_deadline_in_ms(timeout_ms);
    if (c->on_event)
        return gp_fail(err, GP_EINVAL, 0, "the call delivers its events by callback");
    pthread_mutex_lock(&conn->lock);
    old = c->current;
    c->current = NULL;
    if (old)
        give_credit(c, cost_of(old));
    gp_status st = GP_OK;
    if (!c->first) { /* before sleeping, send the credit that was given back */
        pthread_mutex_unlock(&conn->lock);
        rpc_flush(conn);
        pthread_mutex_lock(&conn->lock);
        st = wait_event(c, d, err);
    }
    if (st == GP_OK && !next_event(c, ev, &msg))
        st = gp_fail(err, GP_EINVAL, 0, "the call is over; its status was fetched already");
    c->current = msg;
    pthread_mutex_unlock(&conn->lock);
    gp_free(old);
    return st;
}

gp_status rpc_call_unary(rpc_conn *conn, const char *method, const void *req, size_t len,
                         gp_deadline deadline, gp_buf *reply, gp_err *err)
{
    rpc_call *c = NULL;
    rpc_event ev = {0};
    size_t got = 0, before = reply->len;
    GP_TRY(rpc_call_start(conn, method, req, len, deadline, NULL, NULL, &c, err));
    gp_status st;
    while ((st = rpc_call_recv(c, -1, &ev, err)) == GP_OK && ev.kind == RPC_EV_MSG) {
        if (got++ == 0)
            gp_buf_add(reply, ev.data, ev.len);
    }
    if (st == GP_OK && ev.code != RPC_OK)
        st = gp_fail(err, rpc_code_to_status(ev.code), 0, "%s",
                     *ev.text ? ev.text : rpc_code_name(ev.code));
    else if (st == GP_OK && got != 1)
        st = gp_fail(err, GP_ECORRUPT, 0, "%s: %zu messages; expected one", method, got);
    else if (st == GP_OK && reply->failed)
        st = gp_fail(err, GP_ENOMEM, 0, "%s: out of memory for the reply", method);
    if (st != GP_OK)
        reply->len = before;
    rpc_call_free(c);
    return st;
}
