/* cmd_serve.c - goprobe serve: answer queries about a database, without capturing. */
#include "cmd_serve.h"

#include "gp/bytes.h"
#include "gp/mem.h"
#include "gp/num.h"
#include "rt/daemon.h"
#include "rt/log.h"
#include "rt/metrics.h"
#include "serve/serve.h"
#include "svc/service.h"
#include "wire/audit.h"

#include <argp.h>
#include <stdio.h>
#include <string.h>

#ifndef FLEETPROBE_VERSION
#define FLEETPROBE_VERSION "unknown"
#endif

enum {
    OPT_DB = 256,
    OPT_LISTEN,
    OPT_DIAL,
    OPT_KEY,
    OPT_TRUST,
    OPT_HOST,
    OPT_HOST_ID,
    OPT_NAME,
    OPT_GROUP,
    OPT_FLEET,
    OPT_CONCURRENT,
    OPT_RATE,
    OPT_METRICS,
    OPT_AUDIT,
    OPT_LEVEL,
    DRAIN_MS = 5000,
    MAX_LIST = 32,
    LABEL_MAX = 255,
};

struct options {
    const char *db, *key, *trust, *host, *host_id, *fleet, *metrics, *audit;
    char *listen[SERVE_MAX_LISTEN], *dial[SERVE_MAX_LISTEN]; /* owned */
    const char *names[MAX_LIST], *groups[MAX_LIST];
    size_t n_listen, n_dial, n_names, n_groups;
    serve_limits limits;
    rt_level level;
};

static const struct argp_option table[] = {
    {"db", OPT_DB, "DIR", 0, "Database directory to answer from", 1},
    {"listen", OPT_LISTEN, "ADDR", 0, "host:port (port 0: any) or unix:/path; may be repeated", 1},
    {"dial-out", OPT_DIAL, "ADDR", 0,
     "Connect to this aggregator and serve it over that connection (for hosts behind NAT); may be "
     "repeated",
     1},
    {"key", OPT_KEY, "FILE", 0, "Key file of this agent (gpkey new agent)", 1},
    {"trusted-keys", OPT_TRUST, "FILE", 0, "Who may ask and relay; read again on SIGHUP", 1},
    {"host-name", OPT_HOST, "NAME", 0, "Label of the rows; default: the name in the key", 1},
    {"host-id", OPT_HOST_ID, "ID", 0, "Host id label; default: the machine id", 1},
    {"also-named", OPT_NAME, "NAME", 0, "Another name that selectors may use; may be repeated", 1},
    {"group", OPT_GROUP, "NAME", 0, "Group (@NAME) this host is in; may be repeated", 1},
    {"fleet", OPT_FLEET, "NAME", 0, "Refuse queries signed for another fleet", 1},
    {"max-concurrent", OPT_CONCURRENT, "N", 0, "Queries at once; more are refused (default 8)", 2},
    {"max-rate", OPT_RATE, "N", 0, "Queries per second (default: no limit)", 2},
    {"audit", OPT_AUDIT, "FILE", 0, "Signed log of every query", 2},
    {"metrics", OPT_METRICS, "ADDR:PORT", 0, "Prometheus page on a loopback address", 2},
    {"logging.level", OPT_LEVEL, "LEVEL", 0, "debug, info, warn, error", 2},
    {0},
};

static void add(const char **list, size_t *n, size_t max, const char *arg, struct argp_state *state,
                const char *what)
{
    if (*n == max)
        argp_error(state, "--%s: at most %zu", what, max);
    list[(*n)++] = arg;
}

static void add_addr(char **list, size_t *n, int listening, const char *arg,
                     struct argp_state *state)
{
    const char *what = listening ? "listen" : "dial-out";
    gp_err err = {0};
    if (*n == SERVE_MAX_LISTEN)
        argp_error(state, "--%s: at most %d", what, SERVE_MAX_LISTEN);
    if (rpc_address(arg, listening, &list[*n], &err) != GP_OK)
        argp_error(state, "--%s: %s", what, err.msg);
    ++*n;
}

static void parse_limits(int key, const char *arg, struct options *o, struct argp_state *state)
{
    uint64_t v;
    if (key == OPT_CONCURRENT) {
        if (!gp_num_u64(arg, strlen(arg), 1000, &v) || v == 0)
            argp_error(state, "--max-concurrent: expected 1 to 1000, got \"%s\"", arg);
        o->limits.max_concurrent = (unsigned)v;
    } else if (!gp_num_f64(arg, strlen(arg), &o->limits.rate_per_s) || o->limits.rate_per_s < 0) {
        argp_error(state, "--max-rate: expected a number, got \"%s\"", arg);
    } else {
        o->limits.burst = o->limits.rate_per_s > 1 ? (unsigned)o->limits.rate_per_s : 1;
    }
}

/* A label of all rows: what cannot be sent would make every query fail. */
static void parse_label(int key, const char *arg, struct options *o, struct argp_state *state)
{
    if (!gp_text_ok(arg, LABEL_MAX) || (key == OPT_HOST && (!*arg || strpbrk(arg, " ,"))))
        argp_error(state, "--%s: at most %d bytes, no control characters%s",
                   key == OPT_HOST ? "host-name" : "host-id", LABEL_MAX,
                   key == OPT_HOST ? ", blanks or commas, and not empty" : "");
    if (key == OPT_HOST)
        o->host = arg;
    else
        o->host_id = arg;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case OPT_DB:
        o->db = arg;
        return 0;
    case OPT_LISTEN:
        add_addr(o->listen, &o->n_listen, 1, arg, state);
        return 0;
    case OPT_DIAL:
        add_addr(o->dial, &o->n_dial, 0, arg, state);
        return 0;
    case OPT_KEY:
        o->key = arg;
        return 0;
    case OPT_TRUST:
        o->trust = arg;
        return 0;
    case OPT_HOST:
    case OPT_HOST_ID:
        parse_label(key, arg, o, state);
        return 0;
    case OPT_NAME:
        add(o->names, &o->n_names, MAX_LIST, arg, state, "also-named");
        return 0;
    case OPT_GROUP:
        add(o->groups, &o->n_groups, MAX_LIST, arg, state, "group");
        return 0;
    case OPT_FLEET:
        o->fleet = arg;
        return 0;
    case OPT_CONCURRENT:
    case OPT_RATE:
        parse_limits(key, arg, o, state);
        return 0;
    case OPT_AUDIT:
        o->audit = arg;
        return 0;
    case OPT_METRICS:
        o->metrics = arg;
        return 0;
    case OPT_LEVEL:
        if (rt_level_by_name(arg) < 0)
            argp_error(state, "--logging.level: expected debug, info, warn or error, got \"%s\"",
                       arg);
        o->level = (rt_level)rt_level_by_name(arg);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument \"%s\"", arg);
        return 0;
    case ARGP_KEY_END:
        if (!o->db || !(o->n_listen || o->n_dial) || !o->key || !o->trust)
            argp_error(state,
                       "--db, --key, --trusted-keys and --listen or --dial-out are required");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

struct agent {
    struct options o;
    godb_db *db;
    auth_identity *id;
    auth_trust *trust;
    auth_audit *audit;
    rt_metrics *metrics;
    rt_http *http;
    serve *service;
    char host_id[256];
};

static gp_status start(struct agent *a, gp_err *err)
{
    const struct options *o = &a->o;
    rt_log_opts log = {.level = o->level, .version = FLEETPROBE_VERSION, .priorities = -1};
    GP_TRY(rt_signals_init(err));
    GP_TRY(rt_log_init(&log, err));
    GP_TRY(godb_db_open(o->db, &a->db, err));
    GP_TRY(svc_identity_load(o->key, AUTH_KIND_AGENT, &a->id, err));
    GP_TRY(auth_trust_new(&a->trust, err));
    GP_TRY(auth_trust_load(a->trust, o->trust, err));
    GP_TRY(rt_metrics_new(&a->metrics, err));
    rt_metrics_process(a->metrics, "goprobe", FLEETPROBE_VERSION);
    godb_host_id(o->db, a->host_id, sizeof a->host_id);
    GP_TRY(svc_audit_open(&(svc_audit){.file = o->audit}, a->id, "goprobe/" FLEETPROBE_VERSION,
                          &a->audit, err));
    serve_opts so = {.db = a->db,
                     .identity = a->id,
                     .trust = a->trust,
                     .fleet = o->fleet,
                     .host = o->host,
                     .host_id = o->host_id ? o->host_id : a->host_id,
                     .names = o->names,
                     .n_names = o->n_names,
                     .groups = o->groups,
                     .n_groups = o->n_groups,
                     .listen = (const char *const *)o->listen,
                     .n_listen = o->n_listen,
                     .dial_out = (const char *const *)o->dial,
                     .n_dial_out = o->n_dial,
                     .software = "fleetprobe/" FLEETPROBE_VERSION,
                     .limits = o->limits,
                     .metrics = a->metrics,
                     .audit = a->audit};
    GP_TRY(serve_start(&so, &a->service, err));
    if (o->metrics)
        GP_TRY(rt_http_start(o->metrics, 0, a->metrics, NULL, NULL, NULL, 0, &a->http, err));
    return GP_OK;
}

static void reload(void *ctx)
{
    struct agent *a = ctx;
    gp_err err = {0};
    if (auth_audit_reopen(a->audit, &err) != GP_OK)
        rt_error("audit log not reopened", RT_ERR(&err));
    svc_reread_certificate(a->id);
    gp_status st = auth_trust_load(a->trust, a->o.trust, &err);
    if (st == GP_OK)
        rt_info("trusted keys read again", RT_S("file", a->o.trust));
    else
        rt_error("trusted keys not changed", RT_ERR(&err));
    wire_audit_config(a->audit, "SIGHUP", "trusted keys", st == GP_OK ? NULL : err.msg);
}

static void stop(struct agent *a)
{
    rt_http_stop(a->http);
    serve_stop(a->service, DRAIN_MS);
    auth_audit_close(a->audit);
    rt_metrics_free(a->metrics);
    auth_trust_free(a->trust);
    auth_identity_free(a->id);
    godb_db_close(a->db);
    for (size_t i = 0; i < SERVE_MAX_LISTEN; i++) {
        gp_free(a->o.listen[i]);
        gp_free(a->o.dial[i]);
    }
}

int agent_serve(int argc, char **argv)
{
    static const struct argp argp = {
        table, parse, NULL, "goprobe serve - answer queries about a database", NULL, NULL, NULL};
    struct agent a = {.o = {.level = RT_INFO, .limits = {.nice = -1}}};
    gp_err err = {0};
    static char name[] = "goprobe serve";
    argv[0] = name; /* in messages */
    argp_err_exit_status = 64;
    (void)argp_parse(&argp, argc, argv, 0, NULL, &a.o);
    int code = 0;
    if (start(&a, &err) == GP_OK) {
        for (size_t i = 0; i < a.o.n_listen; i++)
            printf("listening on %s\n", serve_bound(a.service, i));
        (void)fflush(stdout);
        rt_loop_run(&(rt_loop){.reload = reload, .ctx = &a});
    } else {
        fprintf(stderr, "goprobe serve: %s\n", err.msg);
        code = 1;
    }
    stop(&a);
    return code;
}
