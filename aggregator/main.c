/* main.c - global-query: sends a query to many sensors and merges their answers. */
#include "gp/io.h"
#include "options.h"

#include "rt/daemon.h"
#include "rt/metrics.h"
#include "wire/audit.h"
#include "wire/features.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

#ifndef FLEETPROBE_VERSION
#define FLEETPROBE_VERSION "unknown"
#endif

struct daemon {
    aggr_options o;
    auth_identity *id;
    auth_trust *trust;
    auth_issuer *issuer;
    auth_audit *audit;
    rt_metrics *metrics;
    rt_http *http;
    rpc_runtime *rt;
    fleet *fleet;
    fanout *fanout;
    char bound[AGGR_MAX_LISTEN][256];
};

static gp_status load_trust(struct daemon *d, gp_err *err)
{
    GP_TRY(svc_identity_load(d->o.key, AUTH_KIND_AGGREGATOR, &d->id, err));
    if (d->o.issuer_key && *d->o.issuer_key)
        GP_TRY(auth_issuer_load(d->o.issuer_key, &d->issuer, err));
    GP_TRY(auth_trust_new(&d->trust, err));
    return auth_trust_load(d->trust, d->o.trusted_keys, err);
}

/* Files that the service needs, read once to check them. */
static gp_status check(struct daemon *d, gp_err *err)
{
    fleet_table *t = NULL;
    resolver_set *r = NULL;
    GP_TRY(load_trust(d, err));
    GP_TRY(fleet_table_load(d->o.endpoints, &t, err));
    size_t n = fleet_table_count(t);
    fleet_table_free(t);
    GP_TRY(resolver_set_new(d->o.resolvers, d->o.n_resolvers, d->o.default_resolver, &r, err));
    resolver_set_free(r);
    rt_config_print_warnings(d->o.config, "global-query");
    printf("configuration is fine: %zu hosts\n", n);
    return GP_OK;
}

static gp_status listen_all(struct daemon *d, gp_err *err)
{
    size_t n;
    const rpc_method *m = fanout_methods(d->fanout, &n);
    for (size_t i = 0; i < d->o.n_listen; i++) {
        GP_TRY(rpc_listen(d->rt, d->o.listen[i], m, n, d->fanout, d->bound[i], sizeof d->bound[i],
                          err));
        printf("listening on %s\n", d->bound[i]);
        rt_info("listening", RT_S("addr", d->bound[i]));
    }
    (void)fflush(stdout);
    return GP_OK;
}

static gp_status start_rpc(struct daemon *d, gp_err *err)
{
    rpc_opts ro = {.identity = d->id,
                   .trust = d->trust,
                   .issuer = d->issuer,
                   .on_renewal = svc_log_renewal,
                   .on_refused = svc_log_refused,
                   .features = WIRE_FEATURES,
                   .workers = 4,
                   .max_workers =
                       d->o.limits.share.max_concurrent + d->o.limits.share.max_waiting + 16};
    fleet_table *t = NULL;
    resolver_set *r = NULL;
    GP_TRY(rpc_runtime_new(&ro, &d->rt, err));
    svc_rpc_metrics(d->metrics, d->rt);
    d->o.fleet.rt = d->rt;
    d->o.fleet.metrics = d->metrics;
    GP_TRY(fleet_table_load(d->o.endpoints, &t, err));
    size_t n = fleet_table_count(t);
    GP_TRY(fleet_new(&d->o.fleet, t, &d->fleet, err));
    GP_TRY(resolver_set_new(d->o.resolvers, d->o.n_resolvers, d->o.default_resolver, &r, err));
    fanout_opts fo = {.fleet = d->fleet,
                      .identity = d->id,
                      .trust = d->trust,
                      .fleet_name = d->o.fleet_name,
                      .software = "fleetprobe/" FLEETPROBE_VERSION,
                      .limits = d->o.limits,
                      .metrics = d->metrics,
                      .audit = d->audit};
    GP_TRY(fanout_new(&fo, r, &d->fanout, err));
    rt_info("endpoint table read", RT_S("file", d->o.endpoints), RT_U("hosts", n));
    return listen_all(d, err);
}

static int is_ready(void *ctx)
{
    (void)ctx;
    return 1; /* listening; hosts that are away don't make the aggregator unready */
}

static gp_status start(struct daemon *d, gp_err *err)
{
    GP_TRY(rt_log_init(&d->o.log, err));
    rt_config_log_warnings(d->o.config);
    GP_TRY(rt_metrics_new(&d->metrics, err));
    rt_metrics_process(d->metrics, "global_query", FLEETPROBE_VERSION);
    GP_TRY(load_trust(d, err));
    GP_TRY(svc_audit_open(&d->o.audit, d->id, "global-query/" FLEETPROBE_VERSION, &d->audit, err));
    GP_TRY(start_rpc(d, err));
    char bound[128];
    if (d->o.metrics_addr) {
        GP_TRY(rt_http_start(d->o.metrics_addr, d->o.metrics_remote, d->metrics, is_ready, NULL,
                             bound, sizeof bound, &d->http, err));
        printf("metrics on http://%s/metrics\n", bound);
        (void)fflush(stdout);
    }
    return GP_OK;
}

/* ---- reload: everything is read first, then changed; an error leaves all as it was ---- */

static gp_status apply(struct daemon *d, const aggr_options *fresh, gp_err *err)
{
    fleet_table *t = NULL;
    resolver_set *r = NULL;
    GP_TRY(fleet_table_load(fresh->endpoints, &t, err));
    gp_status st =
        resolver_set_new(fresh->resolvers, fresh->n_resolvers, fresh->default_resolver, &r, err);
    if (st == GP_OK)
        st = auth_trust_load(d->trust, fresh->trusted_keys, err);
    if (st != GP_OK) {
        fleet_table_free(t);
        resolver_set_free(r);
        return st;
    }
    size_t n = fleet_table_count(t);
    fanout_set_resolvers(d->fanout, r);
    GP_TRY(fleet_reload(d->fleet, t, err));
    rt_log_set_level(fresh->log.level);
    rt_info("configuration read again", RT_U("hosts", n));
    gp_buf keys = {0};
    if (aggr_options_need_restart(&d->o, fresh, &keys))
        rt_warn("changed settings need a restart", RT_S("keys", gp_buf_str(&keys)));
    gp_buf_free(&keys);
    return GP_OK;
}

static void reload(void *ctx)
{
    struct daemon *d = ctx;
    gp_err err = {0};
    aggr_options fresh = {0};
    if (auth_audit_reopen(d->audit, &err) != GP_OK)
        rt_error("audit log not reopened", RT_ERR(&err));
    svc_reread_certificate(d->id);
    gp_status st = aggr_options_reread(&d->o, &fresh, &err);
    if (st == GP_OK)
        rt_config_log_warnings(fresh.config);
    if (st == GP_OK)
        st = apply(d, &fresh, &err);
    wire_audit_config(d->audit, "SIGHUP", "configuration file", st == GP_OK ? NULL : err.msg);
    if (st != GP_OK)
        rt_error("reload failed, nothing was changed", RT_ERR(&err));
    aggr_options_clear(&fresh);
}

static void stop(struct daemon *d)
{
    rt_http_stop(d->http);
    fanout_stop(d->fanout, d->o.grace_ms); /* while hosts can still be asked */
    fleet_stop(d->fleet);
    rpc_runtime_free(d->rt, 100); /* ends the handlers, which use the fleet */
    fleet_free(d->fleet);
    fanout_free(d->fanout);
    auth_audit_close(d->audit);
    rt_metrics_free(d->metrics);
    auth_trust_free(d->trust);
    auth_issuer_free(d->issuer);
    auth_identity_free(d->id);
    aggr_options_clear(&d->o);
}

/* Answers are buffered by RPC threads and freed by others, which makes glibc's per-thread arenas
 * grow for ever: two arenas, and large buffers back to the system at once (74 -> 48 MiB at 1,000
 * hosts). */
static void tune_memory(void)
{
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_MMAP_THRESHOLD, 64 * 1024);
}

int main(int argc, char **argv)
{
    struct daemon d = {0};
    gp_hold_std_fds();
    gp_raise_fd_limit();
    tune_memory();
    gp_err err = {0};
    gp_status st = rt_signals_init(&err);
    if (st == GP_OK)
        st = aggr_options_read(argc, argv, &d.o, &err);
    if (st == GP_OK)
        st = d.o.check_only ? check(&d, &err) : start(&d, &err);
    if (st == GP_OK && !d.o.check_only) {
        rt_loop_run(&(rt_loop){.reload = reload, .ctx = &d});
        rt_info("stopping", RT_U("queries", fanout_running(d.fanout)));
    }
    if (st != GP_OK)
        fprintf(stderr, "global-query: %s\n", err.msg);
    stop(&d);
    return st == GP_OK ? 0 : 1;
}
