/* service.c - settings, metrics and log lines around the query service of a daemon. */
#include "svc/service.h"

#include "rt/log.h"

enum { REFUSED_MS = 1000 }; /* a line at most so often: strangers can cause them */

gp_status svc_identity_load(const char *path, auth_kind kind, auth_identity **out, gp_err *err)
{
    auth_identity *id = NULL;
    GP_TRY(auth_identity_load(path, &id, err));
    auth_kind is = auth_identity_kind(id);
    if (is != kind) {
        auth_identity_free(id);
        return gp_fail(err, GP_EINVAL, 0, "%s: the key is of kind %s, expected %s", path,
                       auth_kind_name(is), auth_kind_name(kind));
    }
    *out = id;
    return GP_OK;
}

gp_status svc_audit_read(rt_config *c, svc_audit *out, gp_err *err)
{
    svc_audit a = {0};
    int64_t keep;
    GP_TRY(rt_config_str(c, "audit.file", "", &a.file, err));
    GP_TRY(rt_config_bytes(c, "audit.max_size", 64 << 20, 0, UINT64_C(1) << 40, &a.max_bytes, err));
    GP_TRY(rt_config_i64(c, "audit.keep", 9, 1, 10000, &keep, err));
    a.keep = (unsigned)keep;
    *out = a;
    return GP_OK;
}

static void audit_failed(void *ctx, const gp_err *err)
{
    (void)ctx;
    RT_LOG_LIMITED(RT_ERROR, 10000, "audit log not written", RT_ERR(err));
}

gp_status svc_audit_open(const svc_audit *a, const auth_identity *id, const char *program,
                         auth_audit **out, gp_err *err)
{
    const auth_audit_opts o = {.path = a->file,
                               .identity = id,
                               .program = program,
                               .max_bytes = a->max_bytes,
                               .keep = a->keep,
                               .on_error = audit_failed};
    *out = NULL;
    return a->file && *a->file ? auth_audit_open(&o, out, err) : GP_OK;
}

void svc_rpc_metrics(rt_metrics *m, rpc_runtime *rt)
{
    size_t n;
    const rpc_metric *v = rpc_runtime_metrics(rt, &n);
    for (size_t i = 0; m && i < n; i++) {
        union {
            const rpc_metric *c;
            void *m;
        } ctx = {.c = &v[i]};
        const char *labels = *v[i].labels ? v[i].labels : NULL;
        if (v[i].is_gauge)
            rt_gauge_fn(m, v[i].name, v[i].help, labels, v[i].get, ctx.m);
        else
            rt_counter_fn(m, v[i].name, v[i].help, labels, v[i].get, ctx.m);
    }
}

static double certificate_end(void *ctx)
{
    return (double)auth_identity_expires_s(ctx);
}

rt_metric *svc_certificate_metric(rt_metrics *m, const char *name, const char *help,
                                  const auth_identity *id)
{
    union {
        const auth_identity *c;
        void *m;
    } ctx = {.c = id};
    if (!m || !auth_identity_expires_s(id))
        return NULL;
    return rt_gauge_fn(m, name, help, NULL, certificate_end, ctx.m);
}

void svc_reread_certificate(const auth_identity *id)
{
    gp_err err = {0};
    int changed = 0;
    if (auth_identity_reread(id, &changed, &err) != GP_OK)
        rt_error("certificate not read again", RT_ERR(&err));
    else if (changed)
        rt_info("certificate read again");
}

void svc_log_renewal(void *ctx, const gp_err *failed)
{
    (void)ctx;
    if (!failed)
        rt_info("certificate renewed");
    else if (failed->code == GP_EIO)
        rt_warn("certificate renewed, but not written to its file", RT_ERR(failed));
    else
        rt_warn("certificate not renewed", RT_ERR(failed));
}

void svc_log_refused(void *ctx, const char *addr, const char *method, const char *why)
{
    (void)ctx;
    if (method)
        RT_LOG_LIMITED(RT_WARN, REFUSED_MS, "call refused", RT_S("peer", addr),
                       RT_S("method", method), RT_S("why", why));
    else
        RT_LOG_LIMITED(RT_WARN, REFUSED_MS, "connection refused", RT_S("peer", addr),
                       RT_S("why", why));
}
