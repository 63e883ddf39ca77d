/* dial.c - make a connection: look the name up, try its addresses, shake hands, all without
 * blocking.
 *
 * Each step ends on some thread and continues on the timer thread (step), because a callback of the
 * transport may not free what it was called for. One thing at a time is under way. */
#include "addr.h"
#include "gp/mem.h"
#include "internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* A name lookup may outlast the dial that wanted it, so it owns its memory. */
typedef struct lookup {
    pthread_mutex_t lock;  /* protects dial */
    struct rpc_dial *dial; /* NULL: nobody waits any more */
    atomic_uint refs;
    rpc_job job;
    rpc_addr addr;
} lookup;

typedef enum phase { PH_LOOKUP, PH_DIAL, PH_HANDSHAKE } phase;

struct rpc_dial {
    rpc_runtime *rt;
    struct rpc_dial *next, *prev; /* runtime.lock */
    phase phase;                  /* runtime.lock */
    rpc_dialing *dialing;         /* runtime.lock */
    int cancelled;                /* runtime.lock */
    rpc_timer timer;
    lookup *lookup;
    char addr[MAX_ADDRS][RPC_ADDR_MAX];
    size_t n_addr, at;
    gp_deadline deadline;
    const rpc_service *offers;
    auth_kind want_kind;
    char want_name[65];
    int has_name;
    rpc_link *link; /* outcome of a dial */
    rpc_conn *conn; /* in handshake: counted */
    gp_status st;
    gp_err err;
    rpc_dial_done done;
    void *ctx;
};

static void step(void *arg);

static void finish(struct rpc_dial *d, rpc_conn *conn)
{
    rpc_runtime *rt = d->rt;
    if (!conn && d->err.code == GP_OK)
        gp_fail(&d->err, GP_EUNAVAILABLE, 0, "cancelled");
    d->done(d->ctx, conn, conn ? NULL : &d->err);
    pthread_mutex_lock(&rt->lock);
    if (d->next)
        d->next->prev = d->prev;
    if (d->prev)
        d->prev->next = d->next;
    else
        rt->dials = d->next;
    rt->n_dials--;
    pthread_cond_broadcast(&rt->changed);
    pthread_mutex_unlock(&rt->lock);
    gp_free(d);
}

/* ---- name lookup ---- */

static void lookup_unref(lookup *l)
{
    if (atomic_fetch_sub(&l->refs, 1) != 1)
        return;
    pthread_mutex_destroy(&l->lock);
    gp_free(l);
}

/* Worker: may take long. */
static void lookup_job(void *arg)
{
    lookup *l = arg;
    char addr[MAX_ADDRS][RPC_ADDR_MAX];
    size_t n = 0;
    gp_err err = {0};
    gp_status st = rpc_addr_resolve(&l->addr, addr, &n, &err);
    pthread_mutex_lock(&l->lock);
    struct rpc_dial *d = l->dial;
    if (d && rpc_timer_cancel(d->rt->wheel, &d->timer)) {
        l->dial = NULL;
        d->st = st;
        d->err = err;
        memcpy(d->addr, addr, sizeof addr);
        d->n_addr = n;
        rpc_timer_soon(d->rt->wheel, &d->timer, step, d);
    }
    pthread_mutex_unlock(&l->lock);
    lookup_unref(l);
}

/* Timer: the lookup took too long, or the runtime stops, maybe before a dial without lookup began.
 */
static void lookup_timeout(void *arg)
{
    struct rpc_dial *d = arg;
    if (!d->lookup) {
        step(d);
        return;
    }
    pthread_mutex_lock(&d->lookup->lock);
    d->lookup->dial = NULL;
    pthread_mutex_unlock(&d->lookup->lock);
    d->st = gp_fail(&d->err, GP_EDEADLINE, 0, "the look-up of '%s' took too long",
                    d->lookup->addr.host);
    step(d);
}

static gp_status start_lookup(struct rpc_dial *d, const rpc_addr *a, gp_err *err)
{
    lookup *l = gp_calloc(1, sizeof *l);
    if (!l)
        return gp_fail(err, GP_ENOMEM, 0, "dial: out of memory");
    pthread_mutex_init(&l->lock, NULL);
    atomic_init(&l->refs, 2);
    l->addr = *a;
    l->dial = d;
    l->job.fn = lookup_job;
    l->job.arg = l;
    d->lookup = l;
    rpc_timer_set(d->rt->wheel, &d->timer, d->deadline, lookup_timeout, d);
    rpc_sched_run(d->rt->sched, &l->job);
    return GP_OK;
}

/* ---- steps; timer thread ---- */

static void dialed(void *ctx, rpc_link *l, const gp_err *err)
{
    struct rpc_dial *d = ctx;
    d->link = l;
    d->st = l ? GP_OK : err->code;
    if (!l)
        d->err = *err;
    rpc_timer_soon(d->rt->wheel, &d->timer, step, d);
}

/* Dial the next address; 0 when there is none. */
static int dial_next(struct rpc_dial *d)
{
    rpc_dialing *x = NULL;
    while (d->at < d->n_addr) {
        int64_t left = gp_deadline_left_ms(d->deadline);
        int64_t share = left / (int64_t)(d->n_addr - d->at);
        if (left <= 0) {
            gp_fail(&d->err, GP_EDEADLINE, 0, "%s: no answer in time", d->addr[d->at]);
            return 0;
        }
        if (rpc_dialing_new(d->addr[d->at++], dialed, d, &x, &d->err) != GP_OK)
            continue;
        pthread_mutex_lock(&d->rt->lock);
        int go = !d->cancelled;
        if (go) {
            d->dialing = x;
            d->phase = PH_DIAL;
        }
        pthread_mutex_unlock(&d->rt->lock);
        if (!go) {
            rpc_dialing_free(x);
            return 0;
        }
        rpc_dialing_start(x, gp_deadline_in_ms(share > 0 ? share : 1));
        return 1;
    }
    return 0;
}

/* The stream stands: shake hands. */
static void begin_handshake(struct rpc_dial *d)
{
    rpc_link *l = d->link;
    rpc_conn *c = NULL;
    d->link = NULL;
    pthread_mutex_lock(&d->rt->lock);
    d->phase = PH_HANDSHAKE;
    pthread_mutex_unlock(&d->rt->lock);
    d->st = rpc_conn_new(d->rt, l, NULL, d, &c, &d->err);
    if (d->st != GP_OK) {
        finish(d, NULL);
        return;
    }
    c->offers = d->offers;
    rpc_conn_ref(c);
    d->conn = c;
    rpc_conn_ref(c); /* d may be gone when start returns */
    rpc_conn_start(c);
    rpc_conn_unref(c);
}

static void step(void *arg)
{
    struct rpc_dial *d = arg;
    pthread_mutex_lock(&d->rt->lock);
    rpc_dialing *old = d->dialing;
    d->dialing = NULL;
    pthread_mutex_unlock(&d->rt->lock);
    rpc_dialing_free(old);
    if (d->lookup) {
        lookup_unref(d->lookup);
        d->lookup = NULL;
    }
    switch (d->phase) {
    case PH_LOOKUP:
        if (d->st != GP_OK || !dial_next(d))
            finish(d, NULL);
        return;
    case PH_DIAL:
        if (d->link)
            begin_handshake(d);
        else if (!dial_next(d))
            finish(d, NULL);
        return;
    case PH_HANDSHAKE:
        if (d->st != GP_OK)
            rpc_conn_unref(d->conn);
        finish(d, d->st == GP_OK ? d->conn : NULL);
        return;
    }
}

void rpc_dial_handshaken(struct rpc_dial *d, rpc_conn *c, gp_status st, const gp_err *err)
{
    (void)c;
    d->st = st;
    if (err)
        d->err = *err;
    rpc_timer_soon(d->rt->wheel, &d->timer, step, d);
}

void rpc_dial_wants(struct rpc_dial *d, auth_kind *kind, const char **name)
{
    *kind = d->want_kind;
    *name = d->has_name ? d->want_name : NULL;
}

void rpc_dials_cancel(rpc_runtime *rt)
{
    for (struct rpc_dial *d = rt->dials; d; d = d->next) {
        d->cancelled = 1;
        if (d->dialing)
            rpc_dialing_cancel(d->dialing);
        else if (d->phase == PH_LOOKUP && rpc_timer_cancel(rt->wheel, &d->timer))
            rpc_timer_soon(rt->wheel, &d->timer, lookup_timeout, d);
    }
}

/* ---- public ---- */

static gp_status enlist(rpc_runtime *rt, struct rpc_dial *d, gp_err *err)
{
    pthread_mutex_lock(&rt->lock);
    int stopping = rt->stopping;
    if (!stopping) {
        d->next = rt->dials;
        if (d->next)
            d->next->prev = d;
        rt->dials = d;
        rt->n_dials++;
    }
    pthread_mutex_unlock(&rt->lock);
    return stopping ? gp_fail(err, GP_EUNAVAILABLE, 0, "shutting down") : GP_OK;
}

gp_status rpc_dial_async(rpc_runtime *rt, const rpc_dial_opts *o, rpc_dial_done done, void *ctx,
                         gp_err *err)
{
    rpc_addr a;
    GP_TRY(rpc_addr_parse(o->addr, 0, &a, err));
    struct rpc_dial *d = gp_calloc(1, sizeof *d);
    if (!d)
        return gp_fail(err, GP_ENOMEM, 0, "dial: out of memory");
    gp_deadline most = gp_deadline_in_ms(rt->o.handshake_ms);
    d->rt = rt;
    d->deadline = o->deadline < most ? o->deadline : most;
    d->offers = o->service;
    d->want_kind = o->want_kind;
    d->has_name = o->want_name != NULL;
    snprintf(d->want_name, sizeof d->want_name, "%s", o->want_name ? o->want_name : "");
    d->done = done;
    d->ctx = ctx;
    gp_status st = enlist(rt, d, err);
    if (st != GP_OK) {
        gp_free(d);
        return st;
    }
    if (a.numeric) {
        memcpy(d->addr[0], a.text, RPC_ADDR_MAX);
        d->n_addr = 1;
    } else {
        gp_err failed = {0};
        if (start_lookup(d, &a, &failed) == GP_OK)
            return GP_OK; /* d is not ours any more */
        d->st = failed.code;
        d->err = failed;
    }
    rpc_timer_soon(rt->wheel, &d->timer, step, d);
    return GP_OK;
}

typedef struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int finished;
    rpc_conn *conn;
    gp_err err;
} waiting;

static void wake(void *ctx, rpc_conn *conn, const gp_err *err)
{
    waiting *w = ctx;
    pthread_mutex_lock(&w->lock);
    w->conn = conn;
    if (err)
        w->err = *err;
    w->finished = 1;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

static gp_status wait_outcome(waiting *w, rpc_conn **out, gp_err *err)
{
    pthread_mutex_lock(&w->lock);
    while (!w->finished)
        pthread_cond_wait(&w->cond, &w->lock);
    pthread_mutex_unlock(&w->lock);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->cond);
    if (!w->conn) {
        if (err)
            *err = w->err;
        return w->err.code;
    }
    *out = w->conn;
    return GP_OK;
}

gp_status rpc_dial(rpc_runtime *rt, const rpc_dial_opts *o, rpc_conn **out, gp_err *err)
{
    waiting w = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    GP_TRY(rpc_dial_async(rt, o, wake, &w, err));
    return wait_outcome(&w, out, err);
}

gp_status rpc_dial_link(rpc_runtime *rt, rpc_link *l, rpc_conn **out, gp_err *err)
{
    waiting w = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    struct rpc_dial *d = gp_calloc(1, sizeof *d);
    gp_status st = GP_OK;
    if (!d)
        st = gp_fail(err, GP_ENOMEM, 0, "dial: out of memory");
    else
        *d = (struct rpc_dial){.rt = rt, .phase = PH_DIAL, .link = l, .done = wake, .ctx = &w};
    if (st == GP_OK)
        st = enlist(rt, d, err);
    if (st != GP_OK) {
        l->ops->close(l);
        l->ops->free(l);
        gp_free(d);
        return st;
    }
    rpc_timer_soon(rt->wheel, &d->timer, step, d);
    return wait_outcome(&w, out, err);
}
