/* serve.c - start and stop of the query service, admission, the small methods. */
#include "serve_int.h"

#include "gp/cond.h"
#include "gp/mem.h"
#include "gp/pool.h"
#include "rt/log.h"
#include "svc/service.h"
#include "wire/audit.h"
#include "wire/features.h"
#include "wire/info.h"

#include <string.h>

enum { DEFAULT_CONCURRENT = 8, DEFAULT_NICE = 10 };

/* Before anything costs time: the token bucket over all callers. */
static int take_token(serve *s)
{
    if (s->o.limits.rate_per_s <= 0)
        return 1;
    pthread_mutex_lock(&s->bucket_lock);
    int64_t now = gp_mono_ns();
    s->tokens += (double)(now - s->filled_ns) / 1e9 * s->o.limits.rate_per_s;
    s->filled_ns = now;
    if (s->tokens > s->o.limits.burst)
        s->tokens = s->o.limits.burst;
    int ok = s->tokens >= 1;
    s->tokens -= ok;
    pthread_mutex_unlock(&s->bucket_lock);
    return ok;
}

unsigned serve_running(const serve *s)
{
    fair_counts c;
    fair_count(s->fair, &c);
    return c.running;
}

/* Is it allowed, and is there room for one more of this user's? */
static rpc_code admit(serve *s, rpc_stream *stream, const uint8_t *req, size_t len, serve_job *j,
                      fair_query **place, gp_buf *text)
{
    gp_err err = {0};
    if (!take_token(s)) {
        gp_buf_printf(text, "more than %g queries a second over all callers, try again later",
                      s->o.limits.rate_per_s);
        return RPC_RESOURCE_EXHAUSTED;
    }
    rpc_code code = serve_authorise(s, rpc_stream_peer(stream), req, len, j, text);
    if (code != RPC_OK)
        return code;
    gp_status st = fair_enter(s->fair, &j->who, rpc_stream_cancel(stream), place, &err);
    if (st != GP_OK)
        gp_buf_adds(text, err.msg);
    return rpc_code_from_status(st);
}

static void refused(serve *s, const auth_peer *peer, const serve_job *j, rpc_code code,
                    gp_buf *text)
{
    const char *why = gp_buf_str(text);
    rt_metric_add(code == RPC_RESOURCE_EXHAUSTED ? s->m_busy : s->m_denied, 1);
    wire_audit_query(s->o.audit, peer, &j->who, &j->q, rpc_code_name(code), why);
    RT_LOG_LIMITED(RT_WARN, 1000, "query refused", RT_S("peer", peer->name),
                   RT_S("user", j->who.name), RT_S("code", rpc_code_name(code)), RT_S("why", why));
}

static rpc_code on_query(void *ctx, rpc_stream *stream, const uint8_t *req, size_t len,
                         gp_buf *text)
{
    serve *s = ctx;
    serve_job j = {0};
    fair_query *place = NULL;
    const auth_peer *peer = rpc_stream_peer(stream);
    rpc_code code = admit(s, stream, req, len, &j, &place, text);
    if (code == RPC_OK) {
        wire_audit_query(s->o.audit, peer, &j.who, &j.q, NULL, NULL);
        code = serve_run(s, &j, stream, text);
        rt_metric_add(code == RPC_OK ? s->m_ok : s->m_failed, 1);
    } else {
        refused(s, peer, &j, code, text);
    }
    fair_leave(place);
    serve_job_clear(&j);
    return code;
}

rpc_code serve_reply(rpc_stream *stream, gp_buf *msg, gp_buf *text)
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
    serve *s = ctx;
    gp_buf msg = {0};
    (void)req;
    (void)len;
    wire_info i = {.protocol = WIRE_PROTOCOL,
                   .queries_running = serve_running(s),
                   .software = s->o.software,
                   .kind = "agent",
                   .host = s->o.host,
                   .host_id = s->o.host_id,
                   .started_s = s->started_s};
    wire_put_info(&msg, &i);
    return serve_reply(stream, &msg, text);
}

static rpc_code on_ifaces(void *ctx, rpc_stream *stream, const uint8_t *req, size_t len,
                          gp_buf *text)
{
    serve *s = ctx;
    const auth_peer *p = rpc_stream_peer(stream);
    gp_buf msg = {0};
    gp_err err = {0};
    serve_ifaces v = {0};
    size_t k = 0;
    (void)req;
    (void)len;
    if (p->local_uid < 0 && !(p->roles & (AUTH_ROLE_QUERY | AUTH_ROLE_STATUS | AUTH_ROLE_RELAY))) {
        gp_buf_adds(text, "the caller has neither role \"query\" nor \"status\"");
        return RPC_PERMISSION_DENIED;
    }
    gp_status st = serve_ifaces_get(s, &v, &err);
    if (st != GP_OK) {
        gp_buf_adds(text, err.msg);
        return rpc_code_from_status(st);
    }
    /* An interface list names what can be asked for, so a limited key sees its own part. */
    for (size_t i = 0; i < v.n; i++)
        if (p->local_uid >= 0 || p->kind != AUTH_KIND_USER ||
            auth_glob_list_match(p->iface_globs, v.all[i]))
            v.all[k++] = v.all[i];
    wire_put_ifaces(&msg, v.all, k);
    serve_ifaces_clear(&v);
    return serve_reply(stream, &msg, text);
}

/* ---- start, stop ---- */

static void set_names(serve *s)
{
    const char *own[] = {s->o.host, s->o.host_id, auth_identity_name(s->o.identity)};
    for (size_t i = 0; i < GP_COUNT(own); i++) {
        if (own[i] && *own[i])
            s->names[s->n_names++] = own[i];
    }
    for (size_t i = 0; i < s->o.n_names && i < SERVE_MAX_NAMES; i++)
        s->names[s->n_names++] = s->o.names[i];
}

static void set_defaults(serve *s)
{
    serve_limits *l = &s->o.limits;
    if (!s->o.host)
        s->o.host = auth_identity_name(s->o.identity);
    if (!s->o.host_id)
        s->o.host_id = "";
    if (!s->o.software)
        s->o.software = "fleetprobe";
    if (l->max_concurrent == 0)
        l->max_concurrent = DEFAULT_CONCURRENT;
    if (l->burst == 0)
        l->burst = 1;
    if (l->nice < 0)
        l->nice = DEFAULT_NICE;
    if (l->threads == 0)
        l->threads = gp_cpu_count() > 2 ? gp_cpu_count() / 2 : 1;
    s->tokens = l->burst;
    s->filled_ns = gp_mono_ns();
}

static void set_metrics(serve *s)
{
    static const double bounds[] = {0.01, 0.05, 0.1, 0.25, 1, 5, 10, 30, 60, 300};
    rt_metrics *m = s->o.metrics;
    const char *help = "Queries answered, by outcome.", *name = "goprobe_queries_total";
    if (!m)
        return;
    s->m_ok = rt_counter(m, name, help, "outcome=\"ok\"");
    s->m_failed = rt_counter(m, name, help, "outcome=\"failed\"");
    s->m_denied = rt_counter(m, name, help, "outcome=\"refused\"");
    s->m_busy = rt_counter(m, name, help, "outcome=\"too many requests\"");
    s->m_rows = rt_counter(m, "goprobe_query_rows_total", "Rows sent in answers.", NULL);
    s->m_seconds = rt_histogram(m, "goprobe_query_duration_seconds", "Run time of queries.", NULL,
                                bounds, GP_COUNT(bounds));
    s->m_expires = svc_certificate_metric(
        m, "goprobe_certificate_not_after_seconds",
        "Unix time at which the certificate of this agent expires.", s->o.identity);
}

static gp_status set_methods(serve *s, gp_err *err)
{
    const rpc_method own[] = {
        {.name = "query",
         .handler = on_query,
         .max_request = WIRE_MAX_REQUEST,
         .kinds = 1u << AUTH_KIND_USER | 1u << AUTH_KIND_AGGREGATOR | 1u << AUTH_KIND_GATEWAY},
        {.name = "info", .handler = on_info, .max_request = 4096},
        {.name = "ifaces", .handler = on_ifaces, .max_request = 4096},
    };
    if (s->o.n_extra > SERVE_MAX_EXTRA)
        return gp_fail(err, GP_EINVAL, 0, "at most %d extra methods", SERVE_MAX_EXTRA);
    memcpy(s->methods, own, sizeof own);
    s->n_methods = GP_COUNT(own);
    if (s->o.control)
        s->n_methods += serve_control_methods(s->methods + s->n_methods);
    for (size_t i = 0; i < s->o.n_extra; i++)
        s->methods[s->n_methods++] = s->o.extra[i];
    return GP_OK;
}

static gp_status listen_all(serve *s, gp_err *err)
{
    if (s->o.n_listen > SERVE_MAX_LISTEN || s->o.n_listen + s->o.n_dial_out == 0)
        return gp_fail(err, GP_EINVAL, 0,
                       "expected 1 to %d addresses to listen on, or an aggregator to dial",
                       SERVE_MAX_LISTEN);
    s->service = (rpc_service){.methods = s->methods, .n_methods = s->n_methods, .ctx = s};
    for (size_t i = 0; i < s->o.n_listen; i++) {
        GP_TRY(rpc_listen(s->rt, s->o.listen[i], s->methods, s->n_methods, s, s->bound[i],
                          sizeof s->bound[i], err));
        rt_info("query service listens", RT_S("addr", s->bound[i]), RT_S("host", s->o.host));
    }
    return GP_OK;
}

gp_status serve_start(const serve_opts *o, serve **out, gp_err *err)
{
    serve *s = gp_calloc(1, sizeof *s);
    if (!s)
        return gp_fail(err, GP_ENOMEM, 0, "query service: out of memory");
    s->o = *o;
    pthread_mutex_init(&s->bucket_lock, NULL);
    pthread_mutex_init(&s->stop_lock, NULL);
    gp_cond_init(&s->stop_cond);
    set_defaults(s);
    set_names(s);
    set_metrics(s);
    s->started_s = gp_wall_s();
    s->o.rpc.identity = o->identity;
    s->o.rpc.trust = o->trust;
    s->o.rpc.on_renewal = svc_log_renewal;
    s->o.rpc.on_refused = svc_log_refused;
    s->o.rpc.features = WIRE_FEATURES;
    /* A running query holds a worker; refusals and small calls need some of their own. */
    if (s->o.rpc.workers == 0)
        s->o.rpc.workers = s->o.limits.max_concurrent + 4;
    const fair_limits share = {.max_concurrent = s->o.limits.max_concurrent,
                               .max_per_user = s->o.limits.max_concurrent,
                               .max_queue_ms = -1}; /* no waiting: the aggregator has the queue */
    gp_status st = fair_new(&share, &s->fair, err);
    if (st == GP_OK)
        st = auth_replay_new(SERVE_MAX_REPLAY, &s->replay, err);
    if (st == GP_OK)
        st = set_methods(s, err);
    if (st == GP_OK)
        st = rpc_runtime_new(&s->o.rpc, &s->rt, err);
    if (st == GP_OK)
        svc_rpc_metrics(s->o.metrics, s->rt);
    if (st == GP_OK)
        st = listen_all(s, err);
    if (st == GP_OK)
        st = serve_dial_start(s, err);
    if (st != GP_OK) {
        serve_stop(s, 0);
        return st;
    }
    *out = s;
    return GP_OK;
}

void serve_stop(serve *s, int64_t drain_ms)
{
    if (!s)
        return;
    serve_dial_stop(s);
    rt_metric_drop(s->o.metrics, s->m_expires); /* asks us */
    if (s->rt)
        rpc_runtime_free(s->rt, drain_ms);
    auth_replay_free(s->replay);
    fair_free(s->fair);
    pthread_mutex_destroy(&s->bucket_lock);
    pthread_mutex_destroy(&s->stop_lock);
    pthread_cond_destroy(&s->stop_cond);
    gp_free(s);
}

const char *serve_bound(const serve *s, size_t i)
{
    return i < s->o.n_listen ? s->bound[i] : NULL;
}

rpc_runtime *serve_runtime(serve *s)
{
    return s->rt;
}
