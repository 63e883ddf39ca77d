/* runtime.c - what all connections of a process share; starting and orderly stopping. */
#include "gp/mem.h"
#include "gp/pool.h"
#include "internal.h"

#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { SPARE_FDS = 64 };

/* Accepted connections must leave file descriptors for the rest of the process. */
static unsigned fit_fds(unsigned want)
{
    struct rlimit lim;
    if (getrlimit(RLIMIT_NOFILE, &lim) != 0 || lim.rlim_cur == RLIM_INFINITY)
        return want;
    rlim_t most = lim.rlim_cur > 2 * SPARE_FDS ? lim.rlim_cur - SPARE_FDS : lim.rlim_cur / 2;
    return want < most ? want : (unsigned)most;
}

static void set_defaults(rpc_opts *o)
{
    if (!o->workers)
        o->workers = gp_cpu_count() + 2;
    if (!o->max_workers)
        o->max_workers = 64;
    if (o->max_workers < o->workers)
        o->max_workers = o->workers;
    if (o->handshake_ms <= 0)
        o->handshake_ms = 5000;
    if (o->stall_ms <= 0)
        o->stall_ms = STALL_MS_DEFAULT;
    if (!o->max_conns)
        o->max_conns = 4096;
    o->max_conns = fit_fds(o->max_conns);
    if (!o->max_conns_per_peer)
        o->max_conns_per_peer = 64;
    if (!o->max_streams_per_conn)
        o->max_streams_per_conn = 256;
    if (!o->burst)
        o->burst = o->calls_per_s > 1 ? (unsigned)o->calls_per_s : 1;
}

gp_status rpc_runtime_new(const rpc_opts *o, rpc_runtime **out, gp_err *err)
{
    rpc_runtime *rt = gp_calloc(1, sizeof *rt);
    if (!rt)
        return gp_fail(err, GP_ENOMEM, 0, "rpc: out of memory");
    rt->o = *o;
    set_defaults(&rt->o);
    atomic_init(&rt->refs, 1);
    pthread_mutex_init(&rt->lock, NULL);
    gp_cond_init(&rt->changed);

    rpc_sched_opts so = {.workers = rt->o.workers,
                         .max_workers = rt->o.max_workers,
                         .max_per_peer = rt->o.max_workers - rt->o.max_workers / 4,
                         .calls_per_s = rt->o.calls_per_s,
                         .burst = rt->o.burst};
    gp_status st = GP_OK;
    rt->id = o->identity;
    if (!rt->id) {
        st = auth_identity_new(AUTH_KIND_USER, "anonymous", &rt->anonymous, err);
        rt->id = rt->anonymous;
    }
    rt->blocks = rpc_blocks_new();
    if (st == GP_OK && !rt->blocks)
        st = gp_fail(err, GP_ENOMEM, 0, "rpc: out of memory");
    if (st == GP_OK)
        st = rpc_nng_init(err);
    if (st == GP_OK)
        st = rpc_wheel_new(&rt->wheel, err);
    if (st == GP_OK)
        st = rpc_sched_new(&so, rt->wheel, &rt->sched, err);
    if (st != GP_OK) {
        rpc_runtime_free(rt, 0);
        return st;
    }
    rpc_upkeep_start(rt);
    *out = rt;
    return GP_OK;
}

void rpc_runtime_unref(rpc_runtime *rt)
{
    if (atomic_fetch_sub_explicit(&rt->refs, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_destroy(&rt->lock);
    pthread_cond_destroy(&rt->changed);
    gp_free(rt->metrics);
    gp_free(rt);
}

/* ---- connections ---- */

/* Take out of the list of handshakes under way. Lock held. */
static void half_unlink(rpc_runtime *rt, rpc_conn *c)
{
    if (!c->in_half)
        return;
    c->in_half = 0;
    if (c->half_prev)
        c->half_prev->half_next = c->half_next;
    else
        rt->half_first = c->half_next;
    if (c->half_next)
        c->half_next->half_prev = c->half_prev;
    else
        rt->half_last = c->half_prev;
    rt->n_half--;
}

/* Append to the handshakes under way. The oldest has to go when there are too many: honest peers
 * need milliseconds, so those who only connect push each other out. Lock held; returns it, taken
 * out and counted, to be shut down. */
static rpc_conn *half_add(rpc_runtime *rt, rpc_conn *c)
{
    c->in_half = 1;
    c->half_prev = rt->half_last;
    if (rt->half_last)
        rt->half_last->half_next = c;
    else
        rt->half_first = c;
    rt->half_last = c;
    if (++rt->n_half <= HALF_OPEN_MAX)
        return NULL;
    rpc_conn *oldest = rt->half_first;
    half_unlink(rt, oldest);
    rpc_conn_ref(oldest);
    return oldest;
}

void rpc_half_remove(rpc_conn *c)
{
    pthread_mutex_lock(&c->rt->lock);
    half_unlink(c->rt, c);
    pthread_mutex_unlock(&c->rt->lock);
}

gp_status rpc_runtime_adopt(rpc_runtime *rt, rpc_conn *c, gp_err *err)
{
    rpc_conn *oldest = NULL;
    pthread_mutex_lock(&rt->lock);
    int stopping = rt->stopping;
    if (!stopping) {
        c->adopted = 1;
        atomic_fetch_add(&rt->refs, 1);
        rt->n_conns++;
        c->next = rt->conns;
        if (c->next)
            c->next->prev = c;
        rt->conns = c;
        if (!c->dialer) {
            rt->n_accepted++;
            oldest = half_add(rt, c);
            rpc_conn_ref(c); /* for the accepting thread */
        }
    }
    pthread_mutex_unlock(&rt->lock);
    if (oldest) {
        rpc_conn_shutdown(oldest, GP_ELIMIT, "too many handshakes under way");
        rpc_conn_unref(oldest);
    }
    return stopping ? gp_fail(err, GP_EUNAVAILABLE, 0, "shutting down") : GP_OK;
}

/* ---- stopping ---- */

void rpc_for_all_conns(rpc_runtime *rt, void (*fn)(rpc_conn *c, void *ctx), void *ctx)
{
    pthread_mutex_lock(&rt->lock);
    size_t n = 0, have = rt->n_conns;
    rpc_conn **all = have ? gp_calloc(have, sizeof *all) : NULL;
    for (rpc_conn *c = rt->conns; c && all; c = c->next) {
        rpc_conn_ref(c);
        all[n++] = c;
    }
    pthread_mutex_unlock(&rt->lock);
    for (size_t i = 0; i < n; i++) {
        fn(all[i], ctx);
        rpc_conn_unref(all[i]);
    }
    gp_free(all);
}

static void break_off(rpc_conn *c, void *ctx)
{
    (void)ctx;
    rpc_conn_shutdown(c, GP_ECANCELLED, "shutting down");
}

/* Whoever has not finished the handshake has no calls to wait for, and may never finish it. */
static void say_goodbye(rpc_conn *c, void *ctx)
{
    pthread_mutex_lock(&c->lock);
    int half = c->state == CONN_HANDSHAKE;
    pthread_mutex_unlock(&c->lock);
    if (half)
        break_off(c, ctx);
    else
        rpc_conn_goaway(c, RPC_UNAVAILABLE, "shutting down");
}

/* Wait until all connections and dials are gone; 0 when the deadline came first. */
static int wait_gone(rpc_runtime *rt, gp_deadline d)
{
    pthread_mutex_lock(&rt->lock);
    while ((rt->n_conns || rt->n_dials) && !gp_cond_wait(&rt->changed, &rt->lock, d))
        ;
    int gone = !rt->n_conns && !rt->n_dials;
    pthread_mutex_unlock(&rt->lock);
    return gone;
}

void rpc_runtime_free(rpc_runtime *rt, int64_t drain_ms)
{
    if (!rt)
        return;
    pthread_mutex_lock(&rt->lock);
    rt->stopping = 1;
    rpc_dials_cancel(rt);
    rpc_listener *lis = rt->listeners;
    pthread_mutex_unlock(&rt->lock);
    for (rpc_listener *l = lis; l; l = l->next)
        rpc_acceptor_free(l->acceptor);

    if (drain_ms > 0) {
        rpc_for_all_conns(rt, say_goodbye, NULL);
        wait_gone(rt, gp_deadline_in_ms(drain_ms));
    }
    do /* again and again: if memory is out, rpc_for_all_conns does nothing */
        rpc_for_all_conns(rt, break_off, NULL);
    while (!wait_gone(rt, gp_deadline_in_ms(100)));

    rpc_sched_free(rt->sched); /* handlers that still run end here */
    rpc_wheel_free(rt->wheel);
    rpc_blocks_free(rt->blocks);
    auth_identity_free(rt->anonymous);
    while (lis) {
        rpc_listener *next = lis->next;
        gp_free(lis);
        lis = next;
    }
    rpc_runtime_unref(rt);
}

void rpc_runtime_counters(rpc_runtime *rt, rpc_counters *out)
{
    const rpc_stats *s = &rt->stats;
    *out = (rpc_counters){.accepted = s->accepted,
                          .handshake_failed = s->handshake_failed,
                          .refused = s->refused,
                          .closed_ok = s->closed_ok,
                          .closed_error = s->closed_error,
                          .calls_started = s->calls_started,
                          .bytes_in = s->bytes_in,
                          .bytes_out = s->bytes_out,
                          .conns_open = s->conns_open,
                          .streams_open = s->streams_open,
                          .distrusted = s->distrusted,
                          .renewed = s->renewed,
                          .renew_failed = s->renew_failed};
    for (size_t i = 0; i < GP_COUNT(out->calls_finished); i++)
        out->calls_finished[i] = s->finished[i];
}
