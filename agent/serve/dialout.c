/* dialout.c - agents behind NAT connect to their aggregators, which call back on that connection.
 */
#include "serve_int.h"

#include "auth/digest.h"
#include "gp/cond.h"
#include "gp/mem.h"
#include "rt/log.h"

enum {
    DIAL_MS = 10000,
    CALL_MS = 10000,
    ALIVE_MS = 30000,
    LOOK_MS = 500, /* how soon a lost connection is seen */
    BACKOFF_MIN_MS = 500,
    BACKOFF_MAX_MS = 30000
};

/* Wait, but not past the end of the service; 1 = it ended. */
static int nap(serve_dialer *d, int64_t ms)
{
    gp_deadline end = gp_deadline_in_ms(ms);
    pthread_mutex_lock(&d->s->stop_lock);
    while (!d->s->stopping && !gp_cond_wait(&d->s->stop_cond, &d->s->stop_lock, end))
        ;
    int stop = d->s->stopping;
    pthread_mutex_unlock(&d->s->stop_lock);
    return stop;
}

/* 50 % .. 150 %. */
static int64_t jitter(int64_t ms)
{
    uint32_t r;
    auth_random(&r, sizeof r);
    return ms / 2 + (int64_t)(r % (uint32_t)(ms + 1));
}

int64_t serve_dial_wait_ms(int64_t last_ms, int attached)
{
    if (attached)
        return BACKOFF_MIN_MS;
    return last_ms * 2 < BACKOFF_MAX_MS ? last_ms * 2 : BACKOFF_MAX_MS;
}

static gp_status call(rpc_conn *c, const char *method, gp_err *err)
{
    rpc_call *k = NULL;
    rpc_event ev = {0};
    GP_TRY(rpc_call_start(c, method, NULL, 0, gp_deadline_in_ms(CALL_MS), NULL, NULL, &k, err));
    gp_status st;
    while ((st = rpc_call_recv(k, -1, &ev, err)) == GP_OK && ev.kind == RPC_EV_MSG)
        ;
    if (st == GP_OK && ev.code != RPC_OK)
        st = gp_fail(err, rpc_code_to_status(ev.code), 0, "%s",
                     ev.text && *ev.text ? ev.text : rpc_code_name(ev.code));
    rpc_call_free(k);
    return st;
}

/* Serve over one connection until it is lost. */
static gp_status serve_once(serve_dialer *d, int *attached, gp_err *err)
{
    rpc_conn *c = NULL;
    rpc_dial_opts o = {.addr = d->addr,
                       .deadline = gp_deadline_in_ms(DIAL_MS),
                       .want_kind = AUTH_KIND_AGGREGATOR,
                       .service = &d->s->service};
    GP_TRY(rpc_dial(d->s->rt, &o, &c, err));
    gp_status st = call(c, "attach", err);
    if (st == GP_OK) {
        *attached = 1;
        rt_info("connected to aggregator", RT_S("addr", d->addr),
                RT_S("name", rpc_conn_peer(c)->name));
    }
    int64_t alive_ms = d->s->o.dial_alive_ms > 0 ? d->s->o.dial_alive_ms : ALIVE_MS;
    for (int64_t asked = gp_mono_ms(); st == GP_OK && rpc_conn_alive(c) && !nap(d, LOOK_MS);) {
        if (gp_mono_ms() - asked < alive_ms)
            continue;
        asked = gp_mono_ms(); /* a NAT that forgot us would stay silent for ever */
        st = call(c, "info", err);
    }
    rpc_conn_close(c);
    return st;
}

static void *dial_main(void *arg)
{
    serve_dialer *d = arg;
    int64_t wait = BACKOFF_MIN_MS;
    do {
        gp_err err = {0};
        int attached = 0;
        if (serve_once(d, &attached, &err) != GP_OK)
            RT_LOG_LIMITED(RT_WARN, 10000, "aggregator not reached", RT_S("addr", d->addr),
                           RT_ERR(&err));
        wait = serve_dial_wait_ms(wait, attached);
    } while (!nap(d, jitter(wait)));
    return NULL;
}

gp_status serve_dial_start(serve *s, gp_err *err)
{
    if (s->o.n_dial_out > SERVE_MAX_LISTEN)
        return gp_fail(err, GP_EINVAL, 0, "at most %d aggregators to dial", SERVE_MAX_LISTEN);
    for (size_t i = 0; i < s->o.n_dial_out; i++) {
        serve_dialer *d = &s->dialers[i];
        *d = (serve_dialer){.s = s, .addr = s->o.dial_out[i]};
        if (pthread_create(&d->thread, NULL, dial_main, d) != 0)
            return gp_fail(err, GP_ENOMEM, 0, "no thread to dial %s", d->addr);
        s->n_dialers = i + 1;
    }
    return GP_OK;
}

void serve_dial_stop(serve *s)
{
    pthread_mutex_lock(&s->stop_lock);
    s->stopping = 1;
    pthread_cond_broadcast(&s->stop_cond);
    pthread_mutex_unlock(&s->stop_lock);
    for (size_t i = 0; i < s->n_dialers; i++)
        pthread_join(s->dialers[i].thread, NULL);
    s->n_dialers = 0;
}
