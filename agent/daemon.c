/* daemon.c - goprobe's life: configuration, capture, signals, reload, end (capture.md 8.10). */
#include "daemon.h"

#include "events.h"
#include "gp/clock.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "rt/daemon.h"
#include "rt/sandbox.h"
#include "service.h"
#include "syslog.h"
#include "watch.h"
#include "wire/audit.h"

#include <linux/capability.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

#ifndef FLEETPROBE_VERSION
#define FLEETPROBE_VERSION "unknown"
#endif

enum { TICK_MS = 1000, MMAP_BYTES = 128 * 1024 };

typedef struct agent {
    const agent_options *o;
    pthread_mutex_t mu; /* configuration and apply */
    agent_config *config;
    agent_events *events;
    flow_manager *manager;
    rt_http *http;
    agent_watch *watch;
    agent_service *service;
    agent_retention *retention; /* NULL = off */
    agent_syslog *syslog;       /* NULL = off; used by the writing thread */
} agent;

/* ---- configuration ---- */

static gp_status init_log(const agent_config *c, gp_err *err)
{
    rt_log_opts o = {.level = c->log_level,
                     .encoding = c->log_encoding,
                     .destination = c->log_destination,
                     .version = FLEETPROBE_VERSION,
                     .priorities = -1};
    return rt_log_init(&o, err);
}

static void log_changes(const flow_change *ch, size_t n)
{
    static const char *const names[] = {"enabled", "updated", "disabled"};

    for (size_t i = 0; i < n; i++)
        if (ch[i].ok)
            rt_info("interface set changed", RT_S("iface", ch[i].name),
                    RT_S("action", names[ch[i].action]));
    if (n == 0)
        rt_debug("interface set unchanged");
}

/* Read the configuration file again and apply its interfaces; other settings that differ are logged
 * as needing a restart. On failure the last good configuration stays. changes may be NULL. */
static gp_status reload(void *ctx, flow_change **changes, size_t *n, gp_err *err)
{
    agent *a = ctx;
    agent_config *fresh = NULL;
    gp_buf keys = {0};
    flow_change *ch = NULL;
    size_t k = 0;

    pthread_mutex_lock(&a->mu);
    gp_status st = agent_config_load(a->o->config, a->o->set, a->o->n_set, &fresh, err);
    if (st == GP_OK)
        rt_config_log_warnings(fresh->source);
    if (st == GP_OK)
        st = flow_manager_apply(a->manager, agent_config_take_rules(fresh), &ch, &k, err);
    if (st == GP_OK) {
        log_changes(ch, k);
        if (agent_config_needs_restart(a->config, fresh, &keys))
            rt_warn("changed settings need a restart", RT_S("keys", gp_buf_str(&keys)));
        rt_log_set_level(fresh->log_level);
        a->config->log_level = fresh->log_level;
        a->config->detect = fresh->detect;
    } else {
        rt_error("configuration not reloaded; the old one stays", RT_ERR(err));
    }
    agent_config_free(fresh);
    gp_buf_free(&keys);
    pthread_mutex_unlock(&a->mu);
    if (changes && st == GP_OK) {
        *changes = ch;
        *n = k;
        ch = NULL;
    }
    gp_free(ch);
    return st;
}

/* Replace the whole set of interfaces by the map in text (JSON or YAML, as below `interfaces` in
 * the file). Holds until the file changes or a reload (D-25). GP_EEXIST under autodetection. */
static gp_status set_interfaces(void *ctx, const char *text, size_t len, flow_change **changes,
                                size_t *n, gp_err *err)
{
    agent *a = ctx;
    flow_ruleset *rs = NULL;

    GP_TRY(agent_config_request(text, len, &rs, err));
    pthread_mutex_lock(&a->mu);
    gp_status st;
    if (a->config->detect) {
        flow_ruleset_free(rs);
        st = gp_fail(err, GP_EEXIST, 0,
                     "autodetection is on: interfaces follow the host, not requests");
    } else {
        st = flow_manager_apply(a->manager, rs, changes, n, err);
    }
    if (st == GP_OK)
        log_changes(*changes, *n);
    pthread_mutex_unlock(&a->mu);
    return st;
}

/* ---- start ---- */

static int is_ready(void *ctx)
{
    agent *a = ctx;
    flow_manager_info info;
    flow_status *st = NULL;
    size_t n = 0, capturing = 0;
    gp_err err;

    flow_manager_info_get(a->manager, &info);
    if (flow_manager_status(a->manager, NULL, 0, &st, &n, &err) != GP_OK)
        return 0;
    for (size_t i = 0; i < n; i++)
        capturing += st[i].state == FLOW_CAPTURING;
    gp_free(st);
    if (!info.applied)
        return 0;
    return info.write_failing || (n > 0 && capturing == 0) ? -1 : 1; /* D-38 */
}

static gp_status start_http(agent *a, gp_err *err)
{
    char bound[128];

    if (!a->config->metrics)
        return GP_OK;
    GP_TRY(rt_http_start(a->config->metrics_addr, a->config->metrics_remote,
                         agent_events_metrics(a->events), is_ready, a, bound, sizeof bound,
                         &a->http, err));
    rt_info("metrics", RT_S("addr", bound));
    return GP_OK;
}

static void on_event(void *ctx, const flow_event *e)
{
    agent_events_on(((agent *)ctx)->events, e);
}

static void on_rows(void *ctx, const char *iface, int64_t time_s, const godb_rows *rows)
{
    agent_syslog_rows(((agent *)ctx)->syslog, iface, time_s, rows);
}

/* Everything that capture needs, and the pages of metrics and health; nothing is captured yet. */
static gp_status start_manager(agent *a, gp_err *err)
{
    agent_config *c = a->config;
    flow_manager_opts mo = {.db = c->db_path,
                            .writer = c->writer,
                            .compat = c->compat,
                            .fragments = c->fragments,
                            .max_entries = c->max_flows,
                            .interval_s = c->interval_s,
                            .keep_bytes = c->keep_bytes,
                            .checkpoint_ms = c->checkpoint_ms,
                            .event = on_event,
                            .rows = c->syslog_flows ? on_rows : NULL,
                            .ctx = a};

    GP_TRY(agent_events_new(c->disable_iface_metrics, &a->events, err));
    if (c->syslog_flows)
        GP_TRY(agent_syslog_new(AGENT_SYSLOG_SOCKET, &a->syslog, err));
    GP_TRY(flow_manager_new(&mo, &a->manager, err));
    agent_events_manager(a->events, a->manager);
    return start_http(a, err);
}

static gp_status start_service(agent *a, gp_err *err)
{
    if (a->config->n_listen + a->config->n_dial_out == 0)
        return GP_OK;
    serve_control control = {
        .manager = a->manager, .reload = reload, .set = set_interfaces, .ctx = a};
    return agent_service_start(a->config, &control, agent_events_metrics(a->events), &a->service,
                               err);
}

static gp_status start_capture(agent *a, gp_err *err)
{
    flow_change *ch = NULL;
    size_t n = 0;
    flow_manager_info info;

    /* The service answers already: what it was asked to capture, or to reload, is newer. */
    pthread_mutex_lock(&a->mu);
    flow_manager_info_get(a->manager, &info);
    gp_status st = GP_OK;
    if (!info.applied)
        st = flow_manager_apply(a->manager, agent_config_take_rules(a->config), &ch, &n, err);
    pthread_mutex_unlock(&a->mu);
    if (st != GP_OK)
        return st;
    log_changes(ch, n);
    gp_free(ch);
    flow_manager_info_get(a->manager, &info);
    rt_info("capture started",
            RT_D("first_rotation_in", (info.next_writeout_s - gp_wall_s()) * 1000000000));
    return GP_OK;
}

/* Before any thread: become an own user that may open packet sockets and nothing else. The database
 * directory is made first, so that it can be anywhere. */
static gp_status drop_privileges(const agent_config *c, gp_err *err)
{
    static const int caps[] = {CAP_NET_RAW};

    if (*c->user) {
        struct stat st;
        int fresh = stat(c->db_path, &st) != 0;
        GP_TRY(gp_mkdir_all(c->db_path, 0755, err));
        GP_TRY(fresh ? rt_chown_to(c->db_path, c->user, err) : GP_OK);
        GP_TRY(rt_drop_user(c->user, caps, GP_COUNT(caps), err));
        rt_info("running as", RT_S("user", c->user));
    }
    if (!c->seccomp)
        return GP_OK;
    gp_err why = {0};
    if (rt_restrict_syscalls(&why) !=
        GP_OK) /* an old kernel or a container that forbids it: go on */
        rt_warn("no system call filter", RT_ERR(&why));
    return GP_OK;
}

/* ---- run ---- */

static void reload_and_say(agent *a, const char *by)
{
    gp_err err = {0};
    gp_status st = reload(a, NULL, NULL, &err);

    wire_audit_config(agent_service_audit(a->service), by, "configuration file",
                      st == GP_OK ? NULL : err.msg);
}

static void on_hup(void *ctx)
{
    agent *a = ctx;

    agent_service_reload(a->service);
    reload_and_say(a, "SIGHUP");
}

static void on_tick(void *ctx)
{
    agent *a = ctx;

    if (!agent_watch_changed(a->watch))
        return;
    rt_info("configuration file changed");
    reload_and_say(a, "file watch");
}

static void stop(agent *a)
{
    gp_err err = {0};

    /* the last write-out comes first: no request can hold it up (D-42) */
    if (a->manager && flow_manager_finish(a->manager, &err) != GP_OK)
        rt_error("end of capture", RT_ERR(&err));
    agent_retention_stop(a->retention);
    rt_http_stop(a->http); /* its page asks the service */
    agent_service_stop(a->service);
    if (a->events)
        agent_events_manager(a->events, NULL);
    (void)flow_manager_close(a->manager, NULL);
    agent_events_free(a->events);
    agent_syslog_free(a->syslog);
    agent_watch_close(a->watch);
    agent_config_free(a->config);
    pthread_mutex_destroy(&a->mu);
}

static int check_only(const agent_options *o)
{
    agent_config *c = NULL;
    gp_err err = {0};

    gp_status st = agent_config_load(o->config, o->set, o->n_set, &c, &err);
    if (st == GP_OK)
        st = agent_service_check(c, &err);
    if (st == GP_OK) {
        rt_config_print_warnings(c->source, "goprobe");
        printf("configuration is fine\n");
    } else {
        fprintf(stderr, "goprobe: %s\n", err.msg);
    }
    agent_config_free(c);
    return st != GP_OK;
}

int agent_run(const agent_options *o)
{
    agent a = {.o = o};
    gp_err err = {0};

    if (o->check_config)
        return check_only(o);
    /* Flow tables come and go with every interval and live query. Left alone, glibc soon takes such
     * blocks from its heaps, which fragment and grow; mapped, they go back to the system. */
    (void)mallopt(M_MMAP_THRESHOLD, MMAP_BYTES);
    pthread_mutex_init(&a.mu, NULL);
    gp_status st = rt_signals_init(&err);
    a.watch = agent_watch_open(o->config); /* before it is read: no change is missed */
    if (st == GP_OK)
        st = agent_config_load(o->config, o->set, o->n_set, &a.config, &err);
    if (st == GP_OK)
        st = init_log(a.config, &err);
    if (st == GP_OK) {
        rt_info("configuration loaded", RT_S("file", o->config ? o->config : "-"));
        rt_config_log_warnings(a.config->source);
    }
    if (st == GP_OK)
        st = drop_privileges(a.config, &err);
    if (st == GP_OK)
        st = start_manager(&a, &err);
    if (st == GP_OK) /* an address in use ends us before anything is captured (D-28) */
        st = start_service(&a, &err);
    if (st == GP_OK)
        st = start_capture(&a, &err);
    if (st == GP_OK)
        st = agent_retention_start(a.config->db_path, &a.config->retention,
                                   AGENT_RETENTION_FIRST_S * INT64_C(1000),
                                   agent_events_metrics(a.events), &a.retention, &err);
    if (st == GP_OK) {
        rt_loop_run(&(rt_loop){.reload = on_hup, .tick = on_tick, .tick_ms = TICK_MS, .ctx = &a});
    } else {
        fprintf(stderr, "goprobe: %s\n", err.msg);
    }
    stop(&a);
    if (st == GP_OK)
        rt_info("stopped");
    return st == GP_OK ? 0 : 1;
}
