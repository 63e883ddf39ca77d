/* write.c - output of a connection: frames become records, records go out in batches.
 *
 * Small frames gather in the open record of the last block and are sealed (encrypted in place) when
 * a send starts, so whatever comes together while one send is under way goes out as full records in
 * up to 8 iovecs. Big payloads are sealed straight from the sender's memory. */
#include "gp/mem.h"
#include "internal.h"

#include <string.h>
#include <time.h>

/* ---- records; wlock held ---- */

static void fail(rpc_conn *c)
{
    c->w.failed = 1; /* a frame is incomplete: the stream of frames cannot go on */
}

static rpc_block *add_block(rpc_conn *c)
{
    rpc_block *b = rpc_block_get(c->rt->blocks);
    if (!b) {
        fail(c);
        return NULL;
    }
    if (c->w.tail)
        c->w.tail->next = b;
    else
        c->w.head = b;
    c->w.tail = b;
    return b;
}

static void seal_open(rpc_conn *c)
{
    rpc_writer *w = &c->w;
    if (!w->open)
        return;
    uint8_t *rec = w->tail->data + w->open_at;
    w->open = 0;
    if (auth_noise_encrypt(c->noise, rec + 2, w->open_len, rec + 2, NULL) != GP_OK) {
        fail(c);
        return;
    }
    gp_put_be16(rec, (uint16_t)(w->open_len + AUTH_NOISE_TAG));
    w->tail->len = w->open_at + 2 + w->open_len + AUTH_NOISE_TAG;
    w->queued += AUTH_NOISE_TAG;
}

/* Seal n bytes as a record of their own, without an intermediate copy. */
static void seal_direct(rpc_conn *c, const uint8_t *p, size_t n)
{
    rpc_writer *w = &c->w;
    rpc_block *b = w->tail;
    if (!b || RPC_RECORD_MAX - b->len < 2 + n + AUTH_NOISE_TAG)
        b = add_block(c);
    if (!b)
        return;
    uint8_t *rec = b->data + b->len;
    if (auth_noise_encrypt(c->noise, p, n, rec + 2, NULL) != GP_OK) {
        fail(c);
        return;
    }
    gp_put_be16(rec, (uint16_t)(n + AUTH_NOISE_TAG));
    b->len += (uint32_t)(2 + n + AUTH_NOISE_TAG);
    w->queued += 2 + n + AUTH_NOISE_TAG;
}

enum { OPEN_ROOM = 2 + 64 + AUTH_NOISE_TAG }; /* a record smaller than this is not worth starting */

static void append(rpc_conn *c, const void *bytes, size_t n)
{
    rpc_writer *w = &c->w;
    const uint8_t *p = bytes;
    while (n && !w->failed) {
        if (!w->open) {
            if ((!w->tail || RPC_RECORD_MAX - w->tail->len < OPEN_ROOM) && !add_block(c))
                return;
            w->open = 1;
            w->open_at = w->tail->len;
            w->open_len = 0;
            w->queued += 2;
        }
        size_t room = RPC_RECORD_MAX - w->open_at - 2 - w->open_len - AUTH_NOISE_TAG;
        size_t m = n < room ? n : room;
        memcpy(w->tail->data + w->open_at + 2 + w->open_len, p, m);
        w->open_len += (uint32_t)m;
        w->queued += m;
        p += m;
        n -= m;
        if (m == room)
            seal_open(c);
    }
}

static void append_payload(rpc_conn *c, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    if (n >= DIRECT_MIN)
        seal_open(c);
    while (n >= DIRECT_MIN && !c->w.failed) {
        size_t m = n < AUTH_NOISE_MAX_PLAIN ? n : AUTH_NOISE_MAX_PLAIN;
        seal_direct(c, p, m);
        p += m;
        n -= m;
    }
    append(c, p, n);
}

static void frame_locked(rpc_conn *c, const uint8_t head[RPC_FRAME_HEAD], const void *a, size_t an,
                         const void *b, size_t bn)
{
    if (c->w.closed || c->w.failed)
        return;
    if (!c->w.queued)
        c->w.progress_ns = gp_mono_ns();
    append(c, head, RPC_FRAME_HEAD);
    if (an)
        append(c, a, an);
    if (bn)
        append_payload(c, b, bn);
}

void rpc_write2(rpc_conn *c, rpc_frame_type type, uint16_t code, uint32_t stream, const void *a,
                size_t an, const void *b, size_t bn)
{
    uint8_t head[RPC_FRAME_HEAD];
    rpc_head_put(head, type, code, stream, (uint32_t)(an + bn));
    pthread_mutex_lock(&c->wlock);
    frame_locked(c, head, a, an, b, bn);
    pthread_mutex_unlock(&c->wlock);
}

void rpc_write(rpc_conn *c, rpc_frame_type type, uint16_t code, uint32_t stream,
               const void *payload, size_t len)
{
    rpc_write2(c, type, code, stream, NULL, 0, payload, len);
}

void rpc_write_raw(rpc_conn *c, const void *bytes, size_t len)
{
    pthread_mutex_lock(&c->wlock);
    rpc_block *b = c->w.closed ? NULL : add_block(c);
    if (b && len <= RPC_RECORD_MAX - 2) {
        gp_put_be16(b->data, (uint16_t)len);
        memcpy(b->data + 2, bytes, len);
        b->len = (uint32_t)len + 2;
        c->w.queued += len + 2;
        c->w.progress_ns = gp_mono_ns();
    }
    pthread_mutex_unlock(&c->wlock);
}

/* ---- sending ---- */

/* Seal, and gather what is to go out next. 0 = nothing. wlock held. */
static unsigned gather(rpc_conn *c, rpc_iov iov[RPC_LINK_MAX_IOV])
{
    unsigned n = 0;
    seal_open(c);
    for (rpc_block *b = c->w.head; b && n < RPC_LINK_MAX_IOV; b = b->next)
        if (b->len > b->off)
            iov[n++] = (rpc_iov){b->data + b->off, b->len - b->off};
    return n;
}

/* Start a send unless one is under way. Takes wlock and releases it. */
static void kick(rpc_conn *c)
{
    rpc_iov iov[RPC_LINK_MAX_IOV];
    unsigned n = 0;
    pthread_mutex_lock(&c->wlock);
    rpc_writer *w = &c->w;
    if (!w->sending && !w->corked && !w->closed && !w->failed && (n = gather(c, iov)) > 0) {
        w->sending = 1;
        atomic_fetch_add(&c->io, 2); /* the operation, and our use of the link to start it */
    }
    int failed = w->failed && !w->closed;
    pthread_mutex_unlock(&c->wlock);
    if (n && !failed)
        c->link->ops->send(c->link, iov, n);
    else if (failed) {
        if (n)
            rpc_on_sent(c, GP_EUNAVAILABLE, 0);
        rpc_conn_shutdown(c, GP_ENOMEM, "out of memory for output");
    }
    if (n)
        rpc_conn_io_done(c);
}

void rpc_flush(rpc_conn *c)
{
    kick(c);
}

void rpc_cork(rpc_conn *c)
{
    pthread_mutex_lock(&c->wlock);
    c->w.corked = 1;
    pthread_mutex_unlock(&c->wlock);
}

void rpc_uncork(rpc_conn *c)
{
    pthread_mutex_lock(&c->wlock);
    c->w.corked = 0;
    int more = c->w.queued > 0 || c->w.failed;
    pthread_mutex_unlock(&c->wlock);
    if (more)
        kick(c);
}

/* n bytes went out: move on, give blocks back. wlock held. */
static void advance(rpc_conn *c, size_t n)
{
    rpc_writer *w = &c->w;
    w->queued -= n;
    w->progress_ns = gp_mono_ns();
    for (rpc_block *b; n && (b = w->head) != NULL;) {
        size_t m = b->len - b->off;
        if (m > n)
            m = n;
        b->off += (uint32_t)m;
        n -= m;
        if (b->off < b->len)
            break;
        if (w->tail == b && w->open)
            break; /* an open record begins where the sealed bytes end */
        w->head = b->next;
        if (!w->head)
            w->tail = NULL;
        rpc_block_put(c->rt->blocks, b);
    }
}

/* Let the next waiting sender go if there is room. wlock held. */
static void wake_next(rpc_conn *c, size_t mark)
{
    rpc_waiter *x = c->w.waiters;
    if (!x || (c->w.queued >= mark && !c->w.closed))
        return;
    c->w.waiters = x->next;
    if (!x->next)
        c->w.waiters_tail = &c->w.waiters;
    x->go = 1;
    pthread_cond_signal(x->cond);
}

void rpc_on_sent(void *arg, gp_status st, size_t n)
{
    rpc_conn *c = arg;
    rpc_iov iov[RPC_LINK_MAX_IOV];
    unsigned next = 0;
    int resume = 0, closing;

    pthread_mutex_lock(&c->wlock);
    rpc_writer *w = &c->w;
    if (st == GP_OK) {
        atomic_fetch_add_explicit(&c->rt->stats.bytes_out, n, memory_order_relaxed);
        advance(c, n);
        if (!w->closed && !w->failed)
            next = gather(c, iov);
    }
    if (!next)
        w->sending = 0;
    if (w->rx_paused && w->queued < OUT_RESUME) {
        w->rx_paused = 0;
        resume = 1;
    }
    wake_next(c, OUT_LOW);
    closing = w->queued == 0;
    int failed = w->failed;
    pthread_mutex_unlock(&c->wlock);

    if (next) {
        c->link->ops->send(c->link, iov, next);
    } else if (st != GP_OK || failed) {
        rpc_conn_shutdown(c, GP_EUNAVAILABLE, "%s: connection lost", c->link->peer);
    } else if (closing) {
        pthread_mutex_lock(&c->lock);
        int done = c->state == CONN_CLOSING;
        pthread_mutex_unlock(&c->lock);
        if (done)
            rpc_conn_shutdown(c, GP_EUNAVAILABLE, "%s: closed", c->link->peer);
    }
    if (resume)
        rpc_read_resume(c);
    if (!next)
        rpc_conn_io_done(c);
}

/* ---- messages, with back-pressure ---- */

/* Wait in turn for room. wlock held. */
static gp_status wait_room(rpc_conn *c, pthread_cond_t *cond, gp_cancel *cancel)
{
    rpc_writer *w = &c->w;
    rpc_waiter me = {.cond = cond};
    gp_status st = GP_OK;
    if (w->closed)
        return GP_EUNAVAILABLE;
    if (w->queued < OUT_HIGH && !w->waiters)
        return GP_OK;
    *w->waiters_tail = &me;
    w->waiters_tail = &me.next;
    while (!me.go && !w->closed && (st = gp_cancel_check(cancel)) == GP_OK)
        (void)gp_cond_wait(cond, &c->wlock, cancel->deadline);
    if (!me.go) { /* leave the queue */
        rpc_waiter **at = &w->waiters;
        while (*at != &me)
            at = &(*at)->next;
        *at = me.next;
        if (!*at)
            w->waiters_tail = at;
    }
    if (w->closed)
        st = GP_EUNAVAILABLE;
    if (st != GP_OK)
        wake_next(c, OUT_HIGH); /* our turn goes to the next */
    return st;
}

gp_status rpc_write_msg(rpc_conn *c, uint32_t stream, const void *msg, size_t len,
                        pthread_cond_t *cond, gp_cancel *cancel)
{
    uint8_t head[RPC_FRAME_HEAD];
    rpc_head_put(head, RPC_F_MSG, 0, stream, (uint32_t)len);
    pthread_mutex_lock(&c->wlock);
    int block = !c->w.closed && (c->w.queued >= OUT_HIGH || c->w.waiters);
    if (block) {
        pthread_mutex_unlock(&c->wlock);
        rpc_sched_blocking(c->rt->sched);
        pthread_mutex_lock(&c->wlock);
    }
    gp_status st = wait_room(c, cond, cancel);
    if (st == GP_OK) {
        frame_locked(c, head, NULL, 0, msg, len);
        wake_next(c, OUT_HIGH);
    }
    pthread_mutex_unlock(&c->wlock);
    if (block)
        rpc_sched_unblocked(c->rt->sched);
    if (st == GP_OK)
        kick(c);
    return st;
}

void rpc_write_wake(rpc_conn *c, pthread_cond_t *cond)
{
    pthread_mutex_lock(&c->wlock);
    pthread_cond_signal(cond);
    pthread_mutex_unlock(&c->wlock);
}

void rpc_write_close(rpc_conn *c)
{
    pthread_mutex_lock(&c->wlock);
    int paused = c->w.rx_paused;
    c->w.rx_paused = 0;
    c->w.closed = 1;
    for (rpc_waiter *x = c->w.waiters; x; x = x->next)
        pthread_cond_signal(x->cond);
    pthread_mutex_unlock(&c->wlock);
    if (paused)
        rpc_conn_io_done(c); /* the receive side had kept its share */
}

void rpc_write_free(rpc_conn *c)
{
    while (c->w.head) {
        rpc_block *next = c->w.head->next;
        rpc_block_put(c->rt->blocks, c->w.head);
        c->w.head = next;
    }
}
