/* fleet.c - connections to all hosts: dial, keep, probe, back off.
 *
 * One maintenance thread walks all peers every TICK_MS: it dials what should be connected (at most
 * max_dials at once), notices lost connections, asks idle ones for a sign of life, and frees what
 * callbacks may not free themselves. `lock` protects all peers; no callback is called with it held.
 */
#include "fleet_int.h"

#include "gp/cond.h"
#include "gp/mem.h"
#include "rt/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TICK_MS = 100 };

const char *fleet_state_name(fleet_state s)
{
    static const char *const names[] = {"idle", "connecting", "connected", "backing off",
                                        "disabled"};
    return (unsigned)s < GP_COUNT(names) ? names[s] : "?";
}

/* ---- references ---- */

static void view_free(fleet_view *v)
{
    fleet_table_free(v->table);
    gp_free(v);
}

void fleet_view_put(fleet_view *v)
{
    if (v && atomic_fetch_sub(&v->refs, 1) == 1)
        view_free(v);
}

fleet_view *fleet_view_get(fleet *f)
{
    pthread_mutex_lock(&f->lock);
    fleet_view *v = f->view;
    atomic_fetch_add(&v->refs, 1);
    pthread_mutex_unlock(&f->lock);
    return v;
}

const fleet_table *fleet_view_table(const fleet_view *v)
{
    return v->table;
}

rpc_conn *fleet_link_conn(fleet_link *l)
{
    return l->conn;
}

/* Closing may block, and the last holder may be a callback: leave it to the maintenance thread. */
void fleet_link_put(fleet_link *l)
{
    if (!l || atomic_fetch_sub(&l->refs, 1) != 1)
        return;
    fleet *f = l->fleet;
    pthread_mutex_lock(&f->grave_lock);
    l->next = f->graves;
    f->graves = l;
    pthread_mutex_unlock(&f->grave_lock);
}

void fleet_bury(fleet *f)
{
    pthread_mutex_lock(&f->grave_lock);
    fleet_link *l = f->graves;
    f->graves = NULL;
    pthread_mutex_unlock(&f->grave_lock);
    while (l) {
        fleet_link *next = l->next;
        rpc_conn_close(l->conn);
        gp_free(l);
        l = next;
    }
}

void fleet_peer_put(struct peer *p)
{
    if (atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    fleet_view_put(p->view);
    gp_free(p);
}

/* ---- states; all with f->lock held ---- */

static void set_state(struct peer *p, fleet_state s)
{
    if (p->state != s) {
        p->state = s;
        p->since_s = gp_wall_s();
    }
}

static uint64_t next_random(fleet *f) /* xorshift64*; for jitter, not for secrets */
{
    f->random ^= f->random >> 12;
    f->random ^= f->random << 25;
    f->random ^= f->random >> 27;
    return f->random * UINT64_C(2685821657736338717);
}

/* 50 % .. 150 % of ms, so that a thousand hosts don't come back in step. */
static int64_t jitter(fleet *f, int64_t ms)
{
    return ms / 2 + (int64_t)(next_random(f) % (uint64_t)(ms + 1));
}

static void back_off(fleet *f, struct peer *p, const gp_err *err)
{
    int64_t wait = f->o.backoff_min_ms;
    for (unsigned i = 0; i < p->failures && wait < f->o.backoff_max_ms; i++)
        wait *= 2;
    if (wait > f->o.backoff_max_ms)
        wait = f->o.backoff_max_ms;
    p->failures++;
    p->next_try_ms = gp_mono_ms() + jitter(f, wait);
    p->last_code = err && err->code ? err->code : GP_EUNAVAILABLE;
    if (p->last_code == GP_ENOTFOUND) /* its address in the DNS: the host itself is known */
        p->last_code = GP_EUNAVAILABLE;
    snprintf(p->error, sizeof p->error, "%s", err && err->msg[0] ? err->msg : "connection failed");
    set_state(p, FLEET_BACKOFF);
}

static struct waiter *take_waiters(struct peer *p)
{
    struct waiter *w = p->waiters;
    p->waiters = NULL;
    return w;
}

/* Without the lock: tell everybody who waited for this dial. */
static void wake(struct waiter *w, fleet_link *l, gp_status st, const char *why)
{
    while (w) {
        struct waiter *next = w->next;
        if (l)
            atomic_fetch_add(&l->refs, 1);
        w->ready(w->ctx, l, st, why);
        gp_free(w);
        w = next;
    }
}

/* ---- dialling ---- */

static void on_dialled(void *ctx, rpc_conn *conn, const gp_err *err)
{
    struct peer *p = ctx;
    fleet *f = p->fleet;
    fleet_link *l = p->fresh; /* made before dialling: a connection must never lack an owner */
    char why[sizeof p->error];
    p->fresh = NULL;
    if (!conn) {
        gp_free(l);
        l = NULL;
    } else {
        l->conn = conn;
        l->fleet = f;
        atomic_store(&l->refs, 2); /* the peer's, and ours until the waiters are served */
    }
    pthread_mutex_lock(&f->lock);
    f->dialling--;
    struct waiter *w = take_waiters(p);
    gp_status st = GP_OK;
    if (l && !p->removed) {
        p->link = l;
        p->failures = 0;
        p->health_ms = gp_mono_ms() + jitter(f, 1000);
        set_state(p, FLEET_CONNECTED);
    } else if (l) {
        atomic_fetch_sub(&l->refs, 1); /* nobody keeps it */
    } else {
        back_off(f, p, err);
    }
    if (!l)
        st = p->last_code;
    snprintf(why, sizeof why, "%s", p->error);
    int say = p->failures == 1 && !f->stop; /* who stops has broken it off himself */
    pthread_cond_broadcast(&f->wakeup);     /* a place for the next dial; or fleet_free waits */
    pthread_mutex_unlock(&f->lock);
    if (l)
        rt_debug("host connected", RT_S("host", p->ep->id));
    else if (say)
        rt_warn("host not reachable", RT_S("host", p->ep->id), RT_S("error", why));
    wake(w, l, st, why);
    fleet_link_put(l);
    fleet_peer_put(p);
}

/* With the lock held; gives it up while dialling. */
static void dial(fleet *f, struct peer *p)
{
    rpc_dial_opts o = {.addr = p->ep->addr,
                       .deadline = gp_deadline_in_ms(f->o.dial_ms),
                       .want_kind = p->ep->kind,
                       .want_name = p->ep->name};
    gp_err err = {0};
    p->fresh = gp_calloc(1, sizeof *p->fresh);
    if (!p->fresh) {
        gp_fail(&err, GP_ENOMEM, 0, "out of memory");
        back_off(f, p, &err);
        return;
    }
    set_state(p, FLEET_CONNECTING);
    f->dialling++;
    atomic_fetch_add(&p->refs, 1);
    pthread_mutex_unlock(&f->lock);
    if (rpc_dial_async(f->o.rt, &o, on_dialled, p, &err) != GP_OK)
        on_dialled(p, NULL, &err);
    pthread_mutex_lock(&f->lock);
}

/* ---- asking for a connection ---- */

static struct peer *find_peer(fleet *f, const char *id)
{
    size_t lo = 0, hi = f->n_peers;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = strcmp(f->peers[mid]->ep->id, id);
        if (c == 0)
            return f->peers[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* A lost connection shows when somebody looks at it. */
static void check_link(fleet *f, struct peer *p)
{
    if (p->state != FLEET_CONNECTED || rpc_conn_alive(p->link->conn))
        return;
    fleet_link *l = p->link;
    p->link = NULL;
    snprintf(p->error, sizeof p->error, "connection lost");
    p->last_code = GP_EUNAVAILABLE;
    p->next_try_ms = gp_mono_ms() + jitter(f, f->o.backoff_min_ms);
    set_state(p, FLEET_BACKOFF);
    fleet_link_put(l);
}

static int dials_in(const struct peer *p)
{
    return strcmp(p->ep->addr, FLEET_DIAL_IN) == 0;
}

/* 1: answered (link or failure are set). 0: needs a dial. */
static int answer_now(fleet *f, struct peer *p, fleet_link **l, gp_status *st, char *why,
                      size_t cap)
{
    if (!p) {
        *st = GP_ENOTFOUND;
        snprintf(why, cap, "not in the endpoint table");
        return 1;
    }
    if (f->stop) {
        *st = GP_EUNAVAILABLE;
        snprintf(why, cap, "the aggregator is shutting down");
        return 1;
    }
    check_link(f, p);
    if (p->state == FLEET_CONNECTED) {
        *l = p->link;
        atomic_fetch_add(&p->link->refs, 1);
        *st = GP_OK;
        return 1;
    }
    if (p->state == FLEET_DISABLED) {
        *st = GP_EUNAVAILABLE;
        snprintf(why, cap, "disabled in the endpoint table");
        return 1;
    }
    if (dials_in(p)) {
        *st = GP_EUNAVAILABLE;
        snprintf(why, cap, "has not dialled in");
        return 1;
    }
    if (p->failures >= f->o.open_after) {
        *st = p->last_code;
        snprintf(why, cap, "%s (%u attempts)", p->error, p->failures);
        return 1;
    }
    return 0;
}

void fleet_connect(fleet *f, const char *id, fleet_ready ready, void *ctx)
{
    fleet_link *l = NULL;
    gp_status st = GP_ENOMEM;
    char why[320] = "out of memory";
    struct waiter *w = gp_alloc(1, sizeof *w);
    pthread_mutex_lock(&f->lock);
    struct peer *p = find_peer(f, id);
    int now = answer_now(f, p, &l, &st, why, sizeof why);
    if (!now && w) {
        *w = (struct waiter){.next = p->waiters, .ready = ready, .ctx = ctx};
        p->waiters = w;
        if (p->state != FLEET_CONNECTING) {
            p->next_try_ms = 0;
            pthread_cond_broadcast(&f->wakeup); /* the maintenance thread dials, within its limit */
            f->urgent = 1;
        }
    }
    pthread_mutex_unlock(&f->lock);
    if (now || !w) {
        gp_free(w);
        ready(ctx, l, st, why);
    }
}

/* ---- maintenance ---- */

static void tend(fleet *f, struct peer *p, int64_t now_ms)
{
    check_link(f, p);
    int wants = (p->state == FLEET_IDLE || p->state == FLEET_BACKOFF) && !dials_in(p);
    if (wants && now_ms >= p->next_try_ms && f->dialling < f->o.max_dials && !p->removed)
        dial(f, p);
    else if (p->state == FLEET_CONNECTED && now_ms >= p->health_ms)
        fleet_probe(f, p, now_ms + jitter(f, f->o.health_ms));
}

static void *maintain(void *arg)
{
    fleet *f = arg;
    pthread_mutex_lock(&f->lock);
    while (!f->stop) {
        int64_t now = gp_mono_ms();
        /* Peers may be replaced while dial() gives up the lock: hold each, and start over. */
        unsigned generation = f->generation;
        size_t start = f->n_peers ? f->turn++ % f->n_peers : 0;
        for (size_t i = 0; i < f->n_peers && generation == f->generation && !f->stop; i++) {
            struct peer *p = f->peers[(start + i) % f->n_peers];
            atomic_fetch_add(&p->refs, 1);
            tend(f, p, now);
            fleet_peer_put(p);
        }
        pthread_mutex_unlock(&f->lock);
        fleet_bury(f);
        fleet_probes_collect(f);
        pthread_mutex_lock(&f->lock);
        if (!f->urgent && !f->stop)
            (void)gp_cond_wait(&f->wakeup, &f->lock, gp_deadline_in_ms(TICK_MS));
        f->urgent = 0;
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

/* ---- table changes ---- */

static int same_endpoint(const fleet_endpoint *a, const fleet_endpoint *b)
{
    return strcmp(a->addr, b->addr) == 0 && strcmp(a->name, b->name) == 0 && a->kind == b->kind &&
           a->disabled == b->disabled;
}

static struct peer *peer_new(fleet *f, fleet_view *v, const fleet_endpoint *e)
{
    struct peer *p = gp_calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->fleet = f;
    p->ep = e;
    p->view = v;
    atomic_fetch_add(&v->refs, 1);
    atomic_store(&p->refs, 1);
    p->state = e->disabled ? FLEET_DISABLED : FLEET_IDLE;
    p->since_s = gp_wall_s();
    p->rtt_us = -1;
    p->next_try_ms = 0;
    return p;
}

static void peer_remove(struct peer *p)
{
    fleet_link *l = p->link;
    p->link = NULL;
    p->removed = 1; /* waiters of a running dial are answered by it */
    fleet_link_put(l);
}

/* Waiters of a peer whose dial will not start any more. */
static void fail_waiters(struct peer *p, gp_status st, const char *why)
{
    pthread_mutex_lock(&p->fleet->lock);
    struct waiter *w = p->state != FLEET_CONNECTING ? take_waiters(p) : NULL;
    pthread_mutex_unlock(&p->fleet->lock);
    wake(w, NULL, st, why);
}

/* The same host under a new table: its connection, who waits for one, and what is known. A dial
 * that is under way ends for those who wait for it. With the lock held. */
static void hand_over(struct peer *old, struct peer *p)
{
    if (old->state == FLEET_CONNECTING)
        return;
    p->link = old->link;
    p->waiters = take_waiters(old);
    p->state = old->state;
    p->failures = old->failures;
    p->next_try_ms = old->next_try_ms;
    p->last_code = old->last_code;
    p->since_s = old->since_s;
    p->rtt_us = old->rtt_us;
    p->health_ms = old->health_ms;
    memcpy(p->error, old->error, sizeof p->error);
    memcpy(p->software, old->software, sizeof p->software);
    old->link = NULL;
}

gp_status fleet_reload(fleet *f, fleet_table *take_table, gp_err *err)
{
    size_t n = fleet_table_count(take_table);
    fleet_view *v = gp_calloc(1, sizeof *v);
    struct peer **peers = gp_calloc(n ? n : 1, sizeof *peers);
    if (!v || !peers) {
        gp_free(v);
        gp_free(peers);
        fleet_table_free(take_table);
        return gp_fail(err, GP_ENOMEM, 0, "endpoint table: out of memory");
    }
    v->table = take_table;
    atomic_store(&v->refs, 1);
    for (size_t i = 0; i < n; i++) { /* all made before anything changes */
        peers[i] = peer_new(f, v, fleet_table_at(take_table, i));
        if (!peers[i]) {
            while (i--)
                fleet_peer_put(peers[i]);
            gp_free(peers);
            fleet_view_put(v);
            return gp_fail(err, GP_ENOMEM, 0, "endpoint table: out of memory");
        }
    }
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < n; i++) {
        struct peer *old = find_peer(f, peers[i]->ep->id);
        if (old && same_endpoint(old->ep, peers[i]->ep))
            hand_over(old, peers[i]);
    }
    struct peer **old = f->peers;
    size_t n_old = f->n_peers;
    fleet_view *old_view = f->view;
    for (size_t i = 0; i < n_old; i++)
        peer_remove(old[i]);
    f->peers = peers;
    f->n_peers = n;
    f->view = v;
    f->generation++;
    f->urgent = 1;
    pthread_cond_broadcast(&f->wakeup);
    pthread_mutex_unlock(&f->lock);
    for (size_t i = 0; i < n_old; i++) {
        fail_waiters(old[i], GP_ENOTFOUND, "removed from the endpoint table, or changed there");
        fleet_peer_put(old[i]);
    }
    gp_free(old);
    fleet_view_put(old_view);
    return GP_OK;
}

/* ---- hosts that dial in ---- */

gp_status fleet_attach(fleet *f, rpc_conn *take_conn, gp_err *err)
{
    const auth_peer *who = rpc_conn_peer(take_conn);
    fleet_link *l = gp_calloc(1, sizeof *l);
    unsigned found = 0;
    if (!l) {
        rpc_conn_close(take_conn);
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    }
    l->conn = take_conn;
    l->fleet = f;
    atomic_store(&l->refs, 1);
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->n_peers; i++) {
        struct peer *p = f->peers[i];
        if (!dials_in(p) || p->state == FLEET_DISABLED || p->ep->kind != who->kind ||
            strcmp(p->ep->name, who->name) != 0)
            continue;
        fleet_link_put(p->link); /* the newer connection is the one that works */
        atomic_fetch_add(&l->refs, 1);
        p->link = l;
        p->failures = 0;
        p->health_ms = gp_mono_ms() + jitter(f, 1000);
        set_state(p, FLEET_CONNECTED);
        found++;
    }
    pthread_mutex_unlock(&f->lock);
    gp_status st = GP_OK;
    if (!found)
        st = gp_fail(err, GP_ENOTFOUND, 0, "the endpoint table has no host \"%s\" with addr: %s",
                     who->name, FLEET_DIAL_IN);
    fleet_link_put(l);
    return st;
}

/* ---- facts ---- */

gp_status fleet_health_of(fleet *f, const char *id, fleet_health *out)
{
    pthread_mutex_lock(&f->lock);
    struct peer *p = find_peer(f, id);
    if (p) {
        check_link(f, p);
        *out = (fleet_health){
            .state = p->state, .failures = p->failures, .since_s = p->since_s, .rtt_us = p->rtt_us};
        if (p->state != FLEET_CONNECTED)
            memcpy(out->error, p->error, sizeof out->error);
        memcpy(out->software, p->software, sizeof out->software);
        snprintf(out->address, sizeof out->address, "%s", p->ep->addr);
    }
    pthread_mutex_unlock(&f->lock);
    return p ? GP_OK : GP_ENOTFOUND;
}

void fleet_counts(fleet *f, unsigned counts[FLEET_DISABLED + 1])
{
    memset(counts, 0, (FLEET_DISABLED + 1) * sizeof *counts);
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->n_peers; i++)
        counts[f->peers[i]->state]++;
    pthread_mutex_unlock(&f->lock);
}

static double count_state(void *ctx)
{
    struct state_gauge *g = ctx;
    unsigned counts[FLEET_DISABLED + 1];
    fleet_counts(g->fleet, counts);
    return counts[g->state];
}

static void set_metrics(fleet *f)
{
    if (!f->o.metrics)
        return;
    for (int i = 0; i <= FLEET_DISABLED; i++) {
        gp_buf l = {0};
        rt_label(&l, "state", fleet_state_name((fleet_state)i));
        f->gauges[i] = (struct state_gauge){.fleet = f, .state = i};
        const char *text = gp_buf_str(&l);
        if (text)
            f->metric[i] = rt_gauge_fn(f->o.metrics, "global_query_hosts",
                                       "Hosts of the endpoint table by connection state.", text,
                                       count_state, &f->gauges[i]);
        gp_buf_free(&l);
    }
}

/* ---- start, stop ---- */

static void set_defaults(fleet_opts *o)
{
    o->dial_ms = o->dial_ms ? o->dial_ms : 5000;
    o->backoff_min_ms = o->backoff_min_ms ? o->backoff_min_ms : 250;
    o->backoff_max_ms = o->backoff_max_ms ? o->backoff_max_ms : 10000;
    o->max_dials = o->max_dials ? o->max_dials : 64;
    o->open_after = o->open_after ? o->open_after : 3;
    o->health_ms = o->health_ms ? o->health_ms : 45000;
}

gp_status fleet_new(const fleet_opts *o, fleet_table *take_table, fleet **out, gp_err *err)
{
    fleet *f = gp_calloc(1, sizeof *f);
    if (!f) {
        fleet_table_free(take_table);
        return gp_fail(err, GP_ENOMEM, 0, "fleet: out of memory");
    }
    f->o = *o;
    set_defaults(&f->o);
    f->random = (uint64_t)gp_wall_ns() | 1;
    gp_cond_init(&f->wakeup);
    pthread_mutex_init(&f->lock, NULL);
    pthread_mutex_init(&f->grave_lock, NULL);
    gp_status st = fleet_reload(f, take_table, err);
    if (st == GP_OK && pthread_create(&f->thread, NULL, maintain, f) != 0)
        st = gp_fail(err, GP_ENOMEM, 0, "fleet: no thread");
    else if (st == GP_OK)
        f->has_thread = 1;
    if (st != GP_OK) {
        fleet_free(f);
        return st;
    }
    set_metrics(f);
    *out = f;
    return GP_OK;
}

void fleet_stop(fleet *f)
{
    if (!f || !f->has_thread)
        return;
    pthread_mutex_lock(&f->lock);
    f->stop = 1;
    pthread_cond_broadcast(&f->wakeup);
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->thread, NULL);
    f->has_thread = 0;
    for (size_t i = 0; i < f->n_peers; i++)
        fail_waiters(f->peers[i], GP_EUNAVAILABLE, "the aggregator is shutting down");
}

void fleet_free(fleet *f)
{
    if (!f)
        return;
    for (int i = 0; i <= FLEET_DISABLED; i++)
        rt_metric_drop(f->o.metrics, f->metric[i]);
    fleet_stop(f);
    pthread_mutex_lock(&f->lock);
    while (f->dialling) /* dials end by their deadline; their callback needs us */
        pthread_cond_wait(&f->wakeup, &f->lock);
    for (size_t i = 0; i < f->n_peers; i++)
        peer_remove(f->peers[i]);
    pthread_mutex_unlock(&f->lock);
    fleet_probes_end(f);
    for (size_t i = 0; i < f->n_peers; i++) {
        fail_waiters(f->peers[i], GP_EUNAVAILABLE, "the aggregator is shutting down");
        fleet_peer_put(f->peers[i]);
    }
    fleet_bury(f);
    gp_free(f->peers);
    fleet_view_put(f->view);
    pthread_cond_destroy(&f->wakeup);
    pthread_mutex_destroy(&f->lock);
    pthread_mutex_destroy(&f->grave_lock);
    gp_free(f);
}
