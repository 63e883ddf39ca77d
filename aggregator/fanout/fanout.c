/* fanout.c - the methods of an aggregator, and what all its queries share. */
#include "fanout_int.h"

#include "gp/mem.h"
#include "rt/log.h"
#include "svc/service.h"
#include "wire/info.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static void resolvers_put(struct resolvers *r)
{
    if (r && atomic_fetch_sub(&r->refs, 1) == 1) {
        resolver_set_free(r->set);
        gp_free(r);
    }
}

static struct resolvers *resolvers_new(resolver_set *take)
{
    struct resolvers *r = gp_calloc(1, sizeof *r);
    if (!r) {
        resolver_set_free(take);
        return NULL;
    }
    r->set = take;
    atomic_store(&r->refs, 1);
    return r;
}

void fanout_set_resolvers(fanout *f, resolver_set *take_resolvers)
{
    struct resolvers *fresh = resolvers_new(take_resolvers);
    if (!fresh)
        return; /* out of memory: the old ones stay */
    pthread_mutex_lock(&f->lock);
    struct resolvers *old = f->resolvers;
    f->resolvers = fresh;
    pthread_mutex_unlock(&f->lock);
    resolvers_put(old);
}

gp_status fanout_resolve(fanout *f, const fleet_table *t, const char *type, const char *selector,
                         resolver_hosts *out, int *names_only, gp_err *err)
{
    resolver_known known = fanout_known(t);
    pthread_mutex_lock(&f->lock);
    struct resolvers *r = f->resolvers;
    atomic_fetch_add(&r->refs, 1);
    pthread_mutex_unlock(&f->lock);
    gp_status st = resolver_resolve(r->set, type, selector, &known, out, err);
    *names_only = resolver_names_only(r->set, type);
    resolvers_put(r);
    return st;
}

unsigned fanout_running(const fanout *f)
{
    fair_counts c;
    fair_count(f->fair, &c);
    return c.running;
}

void fanout_stop(fanout *f, int64_t grace_ms)
{
    if (!f)
        return;
    fair_stop(f->fair);
    gp_deadline end = gp_deadline_in_ms(grace_ms);
    while (fanout_running(f) && !gp_deadline_passed(end))
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
}

/* ---- small methods ---- */

static rpc_code reply(rpc_stream *stream, gp_buf *msg, gp_buf *text)
{
    gp_err err = {0};
    gp_status st = msg->failed ? gp_fail(&err, GP_ENOMEM, 0, "out of memory")
                               : rpc_stream_send(stream, msg->data, msg->len, &err);
    gp_buf_free(msg);
    if (st != GP_OK)
        gp_buf_adds(text, err.msg);
    return rpc_code_from_status(st);
}

static rpc_code on_info(void *ctx, rpc_stream *stream, const uint8_t *req, size_t len, gp_buf *text)
{
    fanout *f = ctx;
    gp_buf msg = {0};
    (void)req;
    (void)len;
    wire_info i = {.protocol = WIRE_PROTOCOL,
                   .queries_running = fanout_running(f),
                   .software = f->o.software,
                   .kind = "aggregator",
                   .host = auth_identity_name(f->o.identity),
                   .host_id = "",
                   .started_s = f->started_s};
    wire_put_info(&msg, &i);
    return reply(stream, &msg, text);
}

/* An agent behind NAT has connected to us: we call it back on this connection. */
static rpc_code on_attach(void *ctx, rpc_stream *stream, const uint8_t *req, size_t len,
                          gp_buf *text)
{
    fanout *f = ctx;
    gp_err err = {0};
    (void)req;
    (void)len;
    gp_status st = fleet_attach(f->o.fleet, rpc_stream_conn(stream), &err);
    if (st != GP_OK)
        gp_buf_adds(text, err.msg);
    else
        rt_info("host dialled in", RT_S("host", rpc_stream_peer(stream)->name));
    return rpc_code_from_status(st);
}

static int may_list(const auth_peer *p)
{
    return p->local_uid >= 0 ||
           (p->roles & (AUTH_ROLE_QUERY | AUTH_ROLE_STATUS | AUTH_ROLE_RELAY)) != 0;
}

/* An answer to "hosts". */
struct listing {
    fanout *f;
    const fleet_table *t;
    wire_selector **behind;
    resolver_hosts hosts;
    rpc_stream *stream;
};

/* One host; h keeps the texts. Of hosts behind an aggregator we know only where they are. */
static void host_info(const struct listing *l, const char *host, fleet_health *h,
                      wire_host_info *out)
{
    const fleet_endpoint *e = fleet_table_lookup(l->t, host);
    *out = (wire_host_info){.host = host, .state = "unknown", .rtt_us = -1, .detail = h->error};
    if (!e) {
        e = fanout_behind(l->t, l->behind, host);
        if (e && fleet_health_of(l->f->o.fleet, e->id, h) == GP_OK)
            snprintf(h->error, sizeof h->error, "behind %.100s, which is %s", e->id,
                     fleet_state_name(h->state));
        return;
    }
    if (fleet_health_of(l->f->o.fleet, e->id, h) != GP_OK)
        return;
    if (e->hosts && !*h->error)
        snprintf(h->error, sizeof h->error, "aggregator of %.200s", e->hosts);
    *out = (wire_host_info){.host = host,
                            .state = fleet_state_name(h->state),
                            .address = h->address,
                            .detail = h->error,
                            .software = h->software,
                            .rtt_us = h->rtt_us,
                            .since_s = h->since_s};
}

static gp_status send_hosts(const struct listing *l, size_t from, size_t n, gp_err *err)
{
    GP_CLEANUP(gp_freep) wire_host_info *v = gp_calloc(n ? n : 1, sizeof *v);
    GP_CLEANUP(gp_freep) fleet_health *health = gp_calloc(n ? n : 1, sizeof *health);
    gp_buf msg = {0};
    if (!v || !health)
        return gp_fail(err, GP_ENOMEM, 0, "hosts: out of memory");
    for (size_t i = 0; i < n; i++)
        host_info(l, l->hosts.v[from + i], &health[i], &v[i]);
    wire_put_hosts(&msg, v, n);
    gp_status st = msg.failed ? gp_fail(err, GP_ENOMEM, 0, "hosts: out of memory")
                              : rpc_stream_send(l->stream, msg.data, msg.len, err);
    gp_buf_free(&msg);
    return st;
}

static gp_status list_hosts(struct listing *l, const char *resolver, const char *selector,
                            gp_err *err)
{
    size_t n = 0;
    int names_only;
    gp_status st = fanout_resolve(l->f, l->t, resolver, selector, &l->hosts, &names_only, err);
    if (st == GP_OK)
        st = fanout_behind_new(l->t, &l->behind, err);
    for (size_t at = 0; st == GP_OK && at < l->hosts.n; at += n) {
        n = l->hosts.n - at < WIRE_HOSTS_MESSAGE ? l->hosts.n - at : WIRE_HOSTS_MESSAGE;
        st = send_hosts(l, at, n, err);
    }
    return st;
}

static rpc_code on_hosts(void *ctx, rpc_stream *stream, const uint8_t *req, size_t len,
                         gp_buf *text)
{
    fanout *f = ctx;
    gp_err err = {0};
    char *selector = NULL, *resolver = NULL;
    if (!may_list(rpc_stream_peer(stream))) {
        gp_buf_adds(text, "the caller has neither role \"query\" nor \"status\"");
        return RPC_PERMISSION_DENIED;
    }
    gp_status st = wire_hosts_request_decode(req, len, &selector, &resolver, &err);
    if (st == GP_OK) {
        fleet_view *v = fleet_view_get(f->o.fleet);
        struct listing l = {.f = f, .t = fleet_view_table(v), .stream = stream};
        st = list_hosts(&l, resolver, selector, &err);
        fanout_behind_free(l.behind, fleet_table_count(l.t));
        resolver_hosts_clear(&l.hosts);
        fleet_view_put(v);
    }
    gp_free(selector);
    gp_free(resolver);
    if (st != GP_OK)
        gp_buf_adds(text, err.msg);
    return rpc_code_from_status(st);
}

/* ---- making ---- */

static void set_defaults(fanout_limits *l)
{
    fair_limits *s = &l->share;
    s->max_concurrent = s->max_concurrent ? s->max_concurrent : 16;
    s->max_per_user = s->max_per_user ? s->max_per_user : 4;
    s->max_waiting = s->max_waiting ? s->max_waiting : 32;
    s->max_queue_ms = s->max_queue_ms ? s->max_queue_ms : 10000;
    s->max_calls = s->max_calls ? s->max_calls : 1024;
    s->mem_bytes = s->mem_bytes ? s->mem_bytes : UINT64_C(1) << 30;
    s->mem_total = s->mem_total ? s->mem_total : UINT64_C(2) << 30;
    l->max_in_flight = l->max_in_flight ? l->max_in_flight : 256;
    l->max_wait_ms = l->max_wait_ms ? l->max_wait_ms : 30 * 60 * 1000;
    l->partial_ms = l->partial_ms ? l->partial_ms : 500;
}

static fair_counts counts(void *f)
{
    fair_counts c;
    fair_count(((fanout *)f)->fair, &c);
    return c;
}

static double n_running(void *f)
{
    return counts(f).running;
}

static double n_waiting(void *f)
{
    return counts(f).waiting;
}

static double n_calls(void *f)
{
    return counts(f).calls;
}

static double n_bytes(void *f)
{
    return (double)counts(f).bytes;
}

static void set_gauges(fanout *f, rt_metrics *m)
{
    rt_gauge_fn(m, "global_query_queries_running", "Queries being answered.", NULL, n_running, f);
    rt_gauge_fn(m, "global_query_queries_waiting", "Queries that wait for a place.", NULL,
                n_waiting, f);
    rt_gauge_fn(m, "global_query_calls_open", "Hosts being asked, over all queries.", NULL, n_calls,
                f);
    rt_gauge_fn(m, "global_query_memory_bytes", "Rows and buffers of all queries.", NULL, n_bytes,
                f);
}

static void set_metrics(fanout *f)
{
    static const double bounds[] = {0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};
    static const char *const outcomes[] = {"ok", "failed", "refused", "too many requests"};
    rt_metrics *m = f->o.metrics;
    if (!m)
        return;
    for (int i = 0; i < 4; i++) {
        gp_buf l = {0};
        rt_label(&l, "outcome", outcomes[i]);
        f->m_outcome[i] = rt_counter(m, "global_query_queries_total",
                                     "Queries answered, by outcome.", gp_buf_str(&l));
        gp_buf_free(&l);
    }
    for (int i = 0; i < RESULT_N_CODES; i++) {
        gp_buf l = {0};
        rt_label(&l, "status", result_code_name((result_code)i));
        f->m_host[i] = rt_counter(m, "global_query_host_answers_total",
                                  "Answers of hosts, by status.", gp_buf_str(&l));
        gp_buf_free(&l);
    }
    set_gauges(f, m);
    f->m_seconds = rt_histogram(m, "global_query_duration_seconds", "Run time of queries.", NULL,
                                bounds, GP_COUNT(bounds));
    f->m_rows = rt_counter(m, "global_query_rows_total", "Rows received from hosts.", NULL);
    f->m_bytes = rt_counter(m, "global_query_bytes_total",
                            "Bytes of rows and trailers received from hosts.", NULL);
    (void)svc_certificate_metric(m, "global_query_certificate_not_after_seconds",
                                 "Unix time at which the certificate of this aggregator expires.",
                                 f->o.identity);
}

static void set_methods(fanout *f)
{
    const uint32_t askers =
        1u << AUTH_KIND_USER | 1u << AUTH_KIND_AGGREGATOR | 1u << AUTH_KIND_GATEWAY;
    f->methods[0] = (rpc_method){.name = "query",
                                 .handler = fanout_on_query,
                                 .max_request = WIRE_MAX_REQUEST,
                                 .kinds = askers};
    f->methods[1] = (rpc_method){
        .name = "hosts", .handler = on_hosts, .max_request = 2 * WIRE_MAX_TEXT, .kinds = askers};
    f->methods[2] = (rpc_method){.name = "info", .handler = on_info, .max_request = 4096};
    f->methods[3] = (rpc_method){.name = "attach",
                                 .handler = on_attach,
                                 .max_request = 64,
                                 .kinds = 1u << AUTH_KIND_AGENT | 1u << AUTH_KIND_AGGREGATOR};
}

const rpc_method *fanout_methods(fanout *f, size_t *n)
{
    *n = GP_COUNT(f->methods);
    return f->methods;
}

gp_status fanout_new(const fanout_opts *o, resolver_set *take_resolvers, fanout **out, gp_err *err)
{
    fanout *f = gp_calloc(1, sizeof *f);
    if (!f) {
        resolver_set_free(take_resolvers);
        return gp_fail(err, GP_ENOMEM, 0, "aggregator: out of memory");
    }
    f->o = *o;
    set_defaults(&f->o.limits);
    if (!f->o.software)
        f->o.software = "fleetprobe";
    pthread_mutex_init(&f->lock, NULL);
    auth_random(f->instance, sizeof f->instance);
    f->started_s = gp_wall_s();
    f->resolvers = resolvers_new(take_resolvers);
    gp_status st = f->resolvers ? fair_new(&f->o.limits.share, &f->fair, err)
                                : gp_fail(err, GP_ENOMEM, 0, "aggregator: out of memory");
    if (st != GP_OK) {
        fanout_free(f);
        return st;
    }
    set_metrics(f);
    set_methods(f);
    *out = f;
    return GP_OK;
}

void fanout_free(fanout *f)
{
    if (!f)
        return;
    resolvers_put(f->resolvers);
    fair_free(f->fair);
    pthread_mutex_destroy(&f->lock);
    gp_free(f);
}
