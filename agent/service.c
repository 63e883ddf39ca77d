/* service.c - start query and control service with what the configuration and live capture give it.
 */
#include "service.h"

#include "gp/mem.h"
#include "rt/log.h"
#include "serve/serve.h"
#include "wire/audit.h"

#ifndef FLEETPROBE_VERSION
#define FLEETPROBE_VERSION "unknown"
#endif

enum { DRAIN_MS = 5000 };

struct agent_service {
    const agent_config *config;
    godb_db *db;
    auth_identity *identity;
    auth_trust *trust;
    auth_audit *audit;
    serve *serve;
    exec_live live;
    serve_control control;
    char host_id[256];
};

static gp_status live_ifaces(void *ctx, char ***names, gp_err *err)
{
    return flow_manager_live_ifaces(ctx, names, err);
}

static gp_status load_keys(agent_service *s, gp_err *err)
{
    GP_TRY(svc_identity_load(s->config->key_file, AUTH_KIND_AGENT, &s->identity, err));
    GP_TRY(auth_trust_new(&s->trust, err));
    return auth_trust_load(s->trust, s->config->trusted_keys, err);
}

gp_status agent_service_check(const agent_config *c, gp_err *err)
{
    agent_service s = {.config = c};
    gp_status st = c->n_listen + c->n_dial_out ? load_keys(&s, err) : GP_OK;
    auth_trust_free(s.trust);
    auth_identity_free(s.identity);
    return st;
}

static gp_status start(agent_service *s, rt_metrics *metrics, gp_err *err)
{
    flow_manager *m = s->control.manager;
    const agent_config *c = s->config;

    GP_TRY(godb_db_open(c->db_path, &s->db, err));
    GP_TRY(load_keys(s, err));
    GP_TRY(svc_audit_open(&c->audit, s->identity, "goprobe/" FLEETPROBE_VERSION, &s->audit, err));
    godb_host_id(c->db_path, s->host_id, sizeof s->host_id);
    s->live =
        (exec_live){.get = flow_manager_live_get, .release = flow_manager_live_release, .ctx = m};
    serve_opts o = {.db = s->db,
                    .identity = s->identity,
                    .trust = s->trust,
                    .fleet = c->fleet,
                    .host = *c->host_name ? c->host_name : NULL,
                    .host_id = s->host_id,
                    .names = c->names,
                    .n_names = c->n_names,
                    .groups = c->groups,
                    .n_groups = c->n_groups,
                    .listen = (const char *const *)c->listen,
                    .n_listen = c->n_listen,
                    .dial_out = (const char *const *)c->dial_out,
                    .n_dial_out = c->n_dial_out,
                    .software = "fleetprobe/" FLEETPROBE_VERSION,
                    .live = &s->live,
                    .live_ifaces = live_ifaces,
                    .control = &s->control,
                    .limits = {.max_concurrent = (unsigned)c->rate.max_concurrent,
                               .rate_per_s = c->rate.max_req_per_sec,
                               .burst = (unsigned)c->rate.max_burst,
                               .nice = -1},
                    .metrics = metrics,
                    .audit = s->audit};
    return serve_start(&o, &s->serve, err);
}

gp_status agent_service_start(const agent_config *c, const serve_control *control,
                              rt_metrics *metrics, agent_service **out, gp_err *err)
{
    agent_service *s = gp_calloc(1, sizeof *s);

    if (!s)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    s->config = c;
    s->control = *control;
    gp_status st = start(s, metrics, err);
    if (st != GP_OK) {
        agent_service_stop(s);
        return st;
    }
    *out = s;
    return GP_OK;
}

void agent_service_reload(agent_service *s)
{
    gp_err err = {0};

    if (!s)
        return;
    if (auth_audit_reopen(s->audit, &err) != GP_OK)
        rt_error("audit log not reopened", RT_ERR(&err));
    svc_reread_certificate(s->identity);
    gp_status st = auth_trust_load(s->trust, s->config->trusted_keys, &err);
    if (st == GP_OK)
        rt_info("trusted keys read again", RT_S("file", s->config->trusted_keys));
    else
        rt_error("trusted keys not changed", RT_ERR(&err));
    wire_audit_config(s->audit, "SIGHUP", "trusted keys", st == GP_OK ? NULL : err.msg);
}

auth_audit *agent_service_audit(agent_service *s)
{
    return s ? s->audit : NULL;
}

void agent_service_stop(agent_service *s)
{
    if (!s)
        return;
    serve_stop(s->serve, DRAIN_MS);
    auth_audit_close(s->audit);
    auth_trust_free(s->trust);
    auth_identity_free(s->identity);
    godb_db_close(s->db);
    gp_free(s);
}
