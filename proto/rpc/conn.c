/* conn.c - life of a connection: made, opened, kept alive, drained, broken, freed.
 *
 * The struct is counted (refs); its link lives until no operation is under way (io reaches 0) and
 * is then freed on the timer thread, because nng forbids that in a callback. */
#include "gp/mem.h"
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- table; lock held ---- */

rpc_strm *rpc_table_find(rpc_conn *c, uint32_t id)
{
    rpc_strm *s = c->table[id / 2 % TABLE];
    while (s && s->id != id)
        s = s->next;
    return s;
}

void rpc_table_add(rpc_conn *c, rpc_strm *s)
{
    rpc_strm **head = &c->table[s->id / 2 % TABLE];
    s->next = *head;
    *head = s;
}

void rpc_table_remove(rpc_conn *c, rpc_strm *s)
{
    rpc_strm **at = &c->table[s->id / 2 % TABLE];
    while (*at && *at != s)
        at = &(*at)->next;
    if (*at)
        *at = s->next;
}

/* ---- making and freeing ---- */

static void on_timer(void *arg);

gp_status rpc_conn_new(rpc_runtime *rt, rpc_link *l, rpc_listener *listener, struct rpc_dial *dial,
                       rpc_conn **out, gp_err *err)
{
    rpc_conn *c = gp_calloc(1, sizeof *c);
    gp_status st = c ? GP_OK : gp_fail(err, GP_ENOMEM, 0, "connection: out of memory");
    static const char prologue[] = "fleetprobe-noise-v1";
    if (st == GP_OK)
        st = auth_noise_new(rpc_own_id(rt, listener), listener == NULL, prologue,
                            sizeof prologue - 1, &c->noise, err);
    if (st != GP_OK) {
        l->ops->close(l);
        l->ops->free(l);
        gp_free(c);
        return st;
    }
    c->rt = rt;
    c->link = l;
    c->listener = listener;
    c->dial = dial;
    c->dialer = listener == NULL;
    c->local = l->peer_uid >= 0;
    c->next_id = c->dialer ? 1 : 2;
    c->peer.local_uid = -1;
    c->w.waiters_tail = &c->w.waiters;
    c->r.buf = c->r.small;
    c->r.cap = SMALL_READ;
    c->r.head_need = RPC_FRAME_HEAD;
    atomic_init(&c->refs, 1);
    atomic_init(&c->io, 1);
    atomic_init(&c->rx_ns, gp_mono_ns());
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->wlock, NULL);
    l->ctx = c;
    l->on_sent = rpc_on_sent;
    l->on_received = rpc_on_received;
    st = rpc_runtime_adopt(rt, c, err);
    if (st != GP_OK) {
        c->link = NULL;
        l->ops->close(l);
        l->ops->free(l);
        rpc_conn_unref(c);
        return st;
    }
    *out = c;
    return GP_OK;
}

void rpc_conn_unref(rpc_conn *c)
{
    if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    rpc_runtime *rt = c->rt;
    int adopted = c->adopted;
    auth_noise_free(c->noise);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->wlock);
    gp_free(c);
    if (adopted)
        rpc_runtime_unref(rt);
}

void rpc_conn_start(rpc_conn *c)
{
    int64_t due = gp_deadline_in_ms(c->rt->o.handshake_ms);
    pthread_mutex_lock(&c->lock);
    int open = c->state == CONN_HANDSHAKE;
    if (open) {
        atomic_fetch_add(&c->io, 2); /* receiving, and our use of the link to start it */
        rpc_conn_ref(c);
        c->timer_armed = 1;
        rpc_timer_set(c->rt->wheel, &c->timer, due, on_timer, c);
    }
    pthread_mutex_unlock(&c->lock);
    if (!open)
        return;
    if (c->dialer)
        rpc_hs_start(c);
    c->link->ops->recv(c->link, c->r.buf, c->r.cap);
    rpc_conn_io_done(c);
}

/* Timer thread: nothing uses the link any more. */
static void reap(void *arg)
{
    rpc_conn *c = arg;
    rpc_runtime *rt = c->rt;
    c->link->ops->free(c->link);
    c->link = NULL;
    rpc_read_free(c);
    rpc_write_free(c);
    if (c->peer_entry)
        rpc_peer_put(rt->sched, c->peer_entry);
    c->peer_entry = NULL;
    pthread_mutex_lock(&rt->lock);
    if (c->next)
        c->next->prev = c->prev;
    if (c->prev)
        c->prev->next = c->next;
    else
        rt->conns = c->next;
    rt->n_conns--;
    if (!c->dialer)
        rt->n_accepted--;
    pthread_cond_broadcast(&rt->changed);
    pthread_mutex_unlock(&rt->lock);
    rpc_conn_unref(c);
}

void rpc_conn_io_done(rpc_conn *c)
{
    if (atomic_fetch_sub(&c->io, 1) == 1)
        rpc_timer_soon(c->rt->wheel, &c->reap, reap, c);
}

/* ---- opening and closing ---- */

void rpc_conn_opened(rpc_conn *c, gp_status st, const gp_err *err)
{
    pthread_mutex_lock(&c->lock);
    struct rpc_dial *d = c->dial;
    c->dial = NULL;
    int opened = st == GP_OK && c->state < CONN_OPEN;
    if (opened) {
        c->state = CONN_OPEN;
        c->was_open = 1;
    }
    if (c->timer_armed && rpc_timer_cancel(c->rt->wheel, &c->timer)) {
        c->timer_armed = 0;
        rpc_conn_unref(c); /* never the last: the receive under way holds one */
    }
    if (opened)
        atomic_fetch_add_explicit(&c->rt->stats.conns_open, 1, memory_order_relaxed);
    pthread_mutex_unlock(&c->lock);
    rpc_half_remove(c);
    if (d)
        rpc_dial_handshaken(d, c, st, err);
}

/* Count how it ended. was: the state before. */
static void count_close(rpc_conn *c, conn_state was, gp_status st)
{
    rpc_stats *s = &c->rt->stats;
    rpc_code code = rpc_code_from_status(c->why.code);
    if (!c->was_open)
        atomic_fetch_add(&s->handshake_failed, 1);
    else {
        atomic_fetch_sub(&s->conns_open, 1);
        int clean = was == CONN_CLOSING || c->goaway_in || c->goaway_out || st == GP_ECANCELLED ||
                    (st == GP_EUNAVAILABLE && !c->n_calls && !c->n_streams); /* left when done */
        atomic_fetch_add(clean ? &s->closed_ok : &s->closed_error, 1);
        code = clean ? RPC_OK : code;
    }
    atomic_fetch_add(&s->closed[c->was_open][code], 1);
}

void rpc_conn_shutdown(rpc_conn *c, gp_status st, const char *fmt, ...)
{
    char text[sizeof c->why.msg];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);

    pthread_mutex_lock(&c->lock);
    conn_state was = c->state;
    if (was == CONN_CLOSED) {
        pthread_mutex_unlock(&c->lock);
        return;
    }
    c->state = CONN_CLOSED;
    if (c->why.code == GP_OK)
        gp_fail(&c->why, st, 0, "%s", text);
    count_close(c, was, st);
    rpc_calls_end_all(c, 0, RPC_UNAVAILABLE, c->why.msg);
    rpc_streams_cancel_all(c);
    struct rpc_dial *d = c->dial;
    c->dial = NULL;
    gp_err why = c->why;
    int timer_ref = c->timer_armed && rpc_timer_cancel(c->rt->wheel, &c->timer);
    if (timer_ref)
        c->timer_armed = 0;
    pthread_mutex_unlock(&c->lock);

    rpc_write_close(c);
    rpc_half_remove(c);
    c->link->ops->close(c->link);
    if (d)
        rpc_dial_handshaken(d, c, why.code, &why);
    if (timer_ref)
        rpc_conn_unref(c);
    rpc_conn_io_done(c);
}

void rpc_conn_linger(rpc_conn *c)
{
    if (c->state >= CONN_CLOSING)
        return;
    c->state = CONN_CLOSING;
    if (c->timer_armed && !rpc_timer_cancel(c->rt->wheel, &c->timer))
        return; /* it fires just now and then closes */
    if (!c->timer_armed)
        rpc_conn_ref(c);
    c->timer_armed = 1;
    rpc_timer_set(c->rt->wheel, &c->timer, gp_mono_ns() + LINGER_MS * INT64_C(1000000), on_timer,
                  c);
}

void rpc_conn_maybe_finish(rpc_conn *c)
{
    if ((c->goaway_in || c->goaway_out) && !c->n_calls && !c->n_streams)
        rpc_conn_linger(c);
}

void rpc_conn_goaway(rpc_conn *c, rpc_code code, const char *text)
{
    uint8_t last[RPC_GOAWAY_FIXED];
    size_t n = strnlen(text, RPC_MAX_STATUS_TEXT);
    pthread_mutex_lock(&c->lock);
    int send = c->state == CONN_OPEN && !c->goaway_out;
    if (send) {
        c->goaway_out = 1;
        gp_put_be32(last, c->last_peer_id);
        rpc_write2(c, RPC_F_GOAWAY, (uint16_t)code, 0, last, sizeof last, text, n);
        rpc_conn_maybe_finish(c);
    }
    pthread_mutex_unlock(&c->lock);
    if (send)
        rpc_flush(c);
}

/* ---- keep-alive ---- */

static int64_t ms_since(int64_t ns, int64_t now)
{
    return (now - ns) / 1000000;
}

/* What the tick finds wrong, as a text; NULL = all well. Lock held. */
static const char *tick_check(rpc_conn *c, int64_t now)
{
    int64_t quiet = ms_since(atomic_load_explicit(&c->rx_ns, memory_order_relaxed), now);
    pthread_mutex_lock(&c->wlock);
    int64_t stuck = c->w.queued ? ms_since(c->w.progress_ns, now) : 0;
    pthread_mutex_unlock(&c->wlock);
    if (stuck > c->rt->o.stall_ms)
        return "the peer does not read";
    if (quiet > 2 * (int64_t)RPC_PING_MS)
        return "no sign of life from the peer";
    if (quiet >= RPC_PING_MS && ms_since(c->last_ping_ns, now) >= RPC_PING_MS) {
        uint8_t stamp[RPC_PING_LEN];
        gp_put_be64(stamp, (uint64_t)now);
        c->last_ping_ns = now;
        rpc_write(c, RPC_F_PING, 0, 0, stamp, sizeof stamp);
    }
    return NULL;
}

static void set_tick(rpc_conn *c, int64_t now)
{
    rpc_timer_set(c->rt->wheel, &c->timer, now + TICK_MS * INT64_C(1000000), on_timer, c);
}

void rpc_conn_arm(rpc_conn *c)
{
    if (c->timer_armed || c->state != CONN_OPEN)
        return;
    int64_t now = gp_mono_ns();
    c->timer_armed = 1;
    rpc_conn_ref(c);
    /* The time before does not count: nothing was expected then. */
    atomic_store_explicit(&c->rx_ns, now, memory_order_relaxed);
    set_tick(c, now);
}

/* One timer for all: handshake time-out, keep-alive while something is open, end of lingering. */
static void on_timer(void *arg)
{
    rpc_conn *c = arg;
    const char *bad = NULL;
    gp_status st = GP_EUNAVAILABLE;
    int again = 0;
    pthread_mutex_lock(&c->lock);
    if (c->state < CONN_OPEN) {
        bad = "the handshake did not finish in time";
        st = GP_EDEADLINE;
    } else if (c->state == CONN_CLOSING) {
        bad = "closed";
    } else if (c->state == CONN_OPEN) {
        int64_t now = gp_mono_ns();
        bad = tick_check(c, now);
        pthread_mutex_lock(&c->wlock);
        again = !bad && (c->n_calls || c->n_streams || c->w.queued);
        pthread_mutex_unlock(&c->wlock);
        if (again)
            set_tick(c, now);
    }
    c->timer_armed = again;
    pthread_mutex_unlock(&c->lock);
    if (bad)
        rpc_conn_shutdown(c, st, "%s: %s", c->link ? c->link->peer : "?", bad);
    else if (again)
        rpc_flush(c);
    if (!again)
        rpc_conn_unref(c);
}

/* ---- public ---- */

uint32_t rpc_conn_features(const rpc_conn *c)
{
    return c->features;
}

const auth_peer *rpc_conn_peer(const rpc_conn *c)
{
    return &c->peer;
}

int rpc_conn_alive(const rpc_conn *conn)
{
    rpc_conn *c = (rpc_conn *)(uintptr_t)conn; /* the lock is not part of the value */
    pthread_mutex_lock(&c->lock);
    int alive = c->state == CONN_OPEN && !c->goaway_in && !c->goaway_out;
    pthread_mutex_unlock(&c->lock);
    return alive;
}

void rpc_conn_close(rpc_conn *c)
{
    if (!c)
        return;
    rpc_conn_shutdown(c, GP_ECANCELLED, "connection closed");
    rpc_conn_unref(c);
}
