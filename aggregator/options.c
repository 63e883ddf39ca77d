/* options.c - settings of global-query (fleet.md 9): flags > environment > file > defaults. */
#include "options.h"

#include "gp/mem.h"
#include "rpc/rpc.h"
#include "rt/metrics.h"

#include <argp.h>
#include <stdio.h>
#include <string.h>

#ifndef FLEETPROBE_VERSION
#define FLEETPROBE_VERSION "unknown"
#endif

__attribute__((visibility("default"))) const char *argp_program_version =
    "global-query " FLEETPROBE_VERSION;

enum { MAX_FLAGS = 64, OPT_CHECK = 255, OPT_KEYS = 256 };

#define MS (INT64_C(1000000))
#define S  (INT64_C(1000000000))

/* Flags are keys of the configuration; index + OPT_KEYS is the argp key. */
static const struct {
    const char *key, *arg, *help;
} flags[] = {
    {"server.addr", "ADDR", "Address to listen on: host:port, unix:/path (default localhost:8145)"},
    {"identity.key", "FILE", "Key file of this aggregator (gpkey new aggregator)"},
    {"identity.trusted_keys", "FILE", "Users, agents and aggregators that are trusted"},
    {"issuer.key", "FILE", "Issuing key that renews certificates of agents and aggregators"},
    {"fleet", "NAME", "Refuse queries signed for another fleet"},
    {"querier.config", "FILE", "Endpoint table: which host answers where"},
    {"querier.type", "NAME", "Only \"api\""},
    {"querier.max_concurrent", "N",
     "Hosts asked at once per query (default 256); silent ones count for a second"},
    {"hosts.resolver.type", "NAME",
     "Another resolver, and that of queries that name none (default string)"},
    {"metrics.addr", "ADDR:PORT", "Prometheus and health page on a loopback address"},
    {"server.shutdowngraceperiod", "DURATION", "Time for running queries at the end (default 30s)"},
    {"audit.file", "FILE", "Signed log of every query and change of the configuration"},
    {"audit.max_size", "SIZE", "A larger file becomes FILE.1 (default 64M; 0 = never)"},
    {"audit.keep", "N", "Older files that stay: FILE.1 to FILE.N (default 9)"},
    {"logging.level", "LEVEL", "debug, info, warn, error"},
    {"logging.encoding", "NAME", "logfmt, json, plain"},
    {"logging.destination", "WHERE", "stderr, stdout, syslog, journal, devnull or a file"},
};

struct command_line {
    const char *file;
    int check_only, has_server;
    struct {
        const char *key, *value;
    } set[MAX_FLAGS];
    size_t n;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct command_line *c = state->input;
    if (key >= OPT_KEYS && key < OPT_KEYS + (int)GP_COUNT(flags)) {
        if (c->n == MAX_FLAGS)
            argp_error(state, "too many flags");
        c->set[c->n].key = flags[key - OPT_KEYS].key;
        c->set[c->n++].value = arg;
        return 0;
    }
    switch (key) {
    case 'c':
        c->file = arg;
        return 0;
    case OPT_CHECK:
        c->check_only = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (strcmp(arg, "server") != 0 || c->has_server)
            argp_error(state, "unknown command \"%s\" (there is: server)", arg);
        c->has_server = 1;
        return 0;
    case ARGP_KEY_END:
        if (!c->has_server && !c->check_only)
            argp_error(state, "expected the command: server");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void parse_line(int argc, char **argv, struct command_line *c)
{
    static struct argp_option table[GP_COUNT(flags) + 3] = {
        {"config", 'c', "FILE", 0, "Configuration, YAML or JSON", 1},
        {"check-config", OPT_CHECK, NULL, 0, "Check configuration and files, then exit", 1},
    };
    for (size_t i = 0; i < GP_COUNT(flags); i++)
        table[i + 2] = (struct argp_option){
            flags[i].key, OPT_KEYS + (int)i, flags[i].arg, 0, flags[i].help, 2};
    static const struct argp argp = {
        table, parse, "server", "global-query - one query to many sensors", NULL, NULL, NULL};
    argp_err_exit_status = 64;
    (void)argp_parse(&argp, argc, argv, 0, NULL, c);
}

/* ---- values ---- */

static gp_status add_listen(aggr_options *o, const char *addr, gp_err *err)
{
    gp_err why = {0};
    if (o->n_listen == AGGR_MAX_LISTEN)
        return rt_config_fail(o->config, "server.addr", err, "at most %d addresses",
                              AGGR_MAX_LISTEN);
    if (rpc_address(addr, 1, &o->listen[o->n_listen], &why) != GP_OK)
        return rt_config_fail(o->config, "server.addr", err, "%s", why.msg);
    o->n_listen++;
    return GP_OK;
}

static gp_status read_listen(aggr_options *o, gp_err *err)
{
    const char *const *list;
    size_t n;
    GP_TRY(rt_config_list(o->config, "server.addr", &list, &n, err));
    for (size_t i = 0; i < n; i++)
        GP_TRY(add_listen(o, list[i], err));
    return n ? GP_OK : add_listen(o, "localhost:8145", err);
}

static gp_status read_log(aggr_options *o, gp_err *err)
{
    static const char *const levels[] = {"debug", "info", "warn", "error", "fatal", "panic"};
    static const char *const encodings[] = {"logfmt", "json", "plain"};
    size_t level, encoding;
    GP_TRY(rt_config_choice(o->config, "logging.level", levels, 6, 1, &level, err));
    GP_TRY(rt_config_choice(o->config, "logging.encoding", encodings, 3, 0, &encoding, err));
    GP_TRY(rt_config_str(o->config, "logging.destination", NULL, &o->log.destination, err));
    o->log.level = level > RT_FATAL ? RT_FATAL : (rt_level)level;
    o->log.encoding = (rt_encoding)encoding;
    o->log.version = FLEETPROBE_VERSION;
    o->log.priorities = -1;
    return GP_OK;
}

static gp_status required(aggr_options *o, const char *key, const char **out, gp_err *err)
{
    GP_TRY(rt_config_str(o->config, key, "", out, err));
    return **out ? GP_OK : rt_config_fail(o->config, key, err, "is required (a file)");
}

static gp_status add_resolver(aggr_options *o, const char *type, const char *config,
                              const rt_node *at, gp_err *err)
{
    if (o->n_resolvers == AGGR_MAX_RESOLVERS)
        return rt_node_fail(at, err, "at most %d resolvers", AGGR_MAX_RESOLVERS - 1);
    char **where = &o->where[o->n_resolvers];
    *where = at ? gp_asprintf("%s:%u: %s", o->file, rt_node_line(at), rt_node_path(at)) : NULL;
    o->resolvers[o->n_resolvers++] =
        (resolver_conf){.type = type, .config = config, .where = *where};
    return GP_OK;
}

static gp_status read_resolvers(aggr_options *o, gp_err *err)
{
    const rt_node *list = rt_config_node(o->config, "hosts.resolvers");
    const char *type, *config;
    if (rt_node_kind(list) != RT_NULL && rt_node_kind(list) != RT_LIST)
        return rt_node_fail(list, err, "expected a list of {type, config}");
    for (size_t i = 0; i < rt_node_count(list); i++) {
        const rt_node *n = rt_node_at(list, i);
        GP_TRY(rt_node_str(rt_node_get(n, "type"), "", &type, err));
        GP_TRY(rt_node_str(rt_node_get(n, "config"), "", &config, err));
        if (!*type)
            return rt_node_fail(n, err, "type is missing");
        GP_TRY(add_resolver(o, type, config, n, err));
    }
    GP_TRY(rt_config_str(o->config, "hosts.resolver.type", "string", &o->default_resolver, err));
    GP_TRY(rt_config_str(o->config, "hosts.resolver.config", "", &config, err));
    const rt_node *at = rt_config_node(o->config, "hosts.resolver");
    return add_resolver(o, o->default_resolver, config, rt_node_kind(at) == RT_NULL ? NULL : at,
                        err);
}

static gp_status read_ms(aggr_options *o, const char *key, int64_t def_ms, int64_t max_ms,
                         int64_t *out_ms, gp_err *err)
{
    int64_t ns;
    GP_TRY(rt_config_duration(o->config, key, def_ms * MS, MS, max_ms * MS, &ns, err));
    *out_ms = ns / MS;
    return GP_OK;
}

static gp_status read_number(aggr_options *o, const char *key, unsigned def, unsigned max,
                             unsigned *out, gp_err *err)
{
    int64_t v;
    GP_TRY(rt_config_i64(o->config, key, def, 0, max, &v, err));
    *out = v ? (unsigned)v : def;
    return GP_OK;
}

/* limits.user_weights: a map from the name of a user to a number. */
static gp_status read_weights(aggr_options *o, gp_err *err)
{
    const rt_node *map = rt_config_node(o->config, "limits.user_weights");
    if (rt_node_kind(map) != RT_NULL && rt_node_kind(map) != RT_MAP)
        return rt_node_fail(map, err, "expected a map from users to numbers");
    if (rt_node_count(map) > AGGR_MAX_WEIGHTS)
        return rt_node_fail(map, err, "at most %d users", AGGR_MAX_WEIGHTS);
    for (size_t i = 0; i < rt_node_count(map); i++) {
        int64_t v;
        GP_TRY(rt_node_i64(rt_node_at(map, i), 1, 1, FAIR_MAX_WEIGHT, &v, err));
        o->weights[i] = (fair_weight){rt_node_key(map, i), (unsigned)v};
    }
    o->limits.share.weights = o->weights;
    o->limits.share.n_weights = rt_node_count(map);
    return GP_OK;
}

static gp_status read_limits(aggr_options *o, gp_err *err)
{
    const int64_t day_ms = 24 * 3600 * 1000;
    fanout_limits *l = &o->limits;
    GP_TRY(read_number(o, "querier.max_concurrent", 256, 4096, &l->max_in_flight, err));
    GP_TRY(read_number(o, "limits.max_calls", 1024, 65536, &l->share.max_calls, err));
    GP_TRY(read_number(o, "limits.max_queries", 16, 1024, &l->share.max_concurrent, err));
    GP_TRY(read_number(o, "limits.max_queries_per_user", 4, 1024, &l->share.max_per_user, err));
    GP_TRY(read_number(o, "limits.max_waiting", 32, 1024, &l->share.max_waiting, err));
    GP_TRY(read_ms(o, "limits.queue_wait", 10000, day_ms, &l->share.max_queue_ms, err));
    GP_TRY(read_weights(o, err));
    GP_TRY(read_ms(o, "limits.max_wait", 30 * 60 * 1000, day_ms, &l->max_wait_ms, err));
    GP_TRY(read_ms(o, "limits.partial_interval", 500, 60000, &l->partial_ms, err));
    GP_TRY(rt_config_bytes(o->config, "limits.query_memory", UINT64_C(1) << 30, 1 << 20,
                           UINT64_C(1) << 40, &l->share.mem_bytes, err));
    GP_TRY(rt_config_bytes(o->config, "limits.total_memory", UINT64_C(2) << 30, 1 << 20,
                           UINT64_C(1) << 40, &l->share.mem_total, err));
    GP_TRY(read_ms(o, "connections.dial_timeout", 5000, 60000, &o->fleet.dial_ms, err));
    GP_TRY(read_ms(o, "connections.backoff_min", 250, 60000, &o->fleet.backoff_min_ms, err));
    GP_TRY(read_ms(o, "connections.backoff_max", 10000, day_ms, &o->fleet.backoff_max_ms, err));
    if (o->fleet.backoff_min_ms > o->fleet.backoff_max_ms)
        return rt_config_fail(o->config, "connections.backoff_min", err,
                              "is longer than connections.backoff_max");
    GP_TRY(read_ms(o, "connections.health_interval", 45000, day_ms, &o->fleet.health_ms, err));
    GP_TRY(read_number(o, "connections.max_dials", 64, 4096, &o->fleet.max_dials, err));
    return read_number(o, "connections.open_after", 3, 1000, &o->fleet.open_after, err);
}

/* Settings of the Go suite that mean nothing here: there is no HTTP service. */
static void warn_inert(aggr_options *o)
{
    static const char *const keys[] = {"profiling", "openapi", "server.cors_origins", "tracing"};
    for (size_t i = 0; i < GP_COUNT(keys); i++) {
        const rt_node *n = rt_config_node(o->config, keys[i]);
        if (rt_node_kind(n) == RT_NULL)
            continue;
        rt_config_warn(o->config, keys[i],
                       "no effect: there is no HTTP service, and no traces are sent");
        rt_node_mark(n);
    }
}

static gp_status read_all(aggr_options *o, gp_err *err)
{
    const char *type;
    GP_TRY(read_log(o, err));
    GP_TRY(read_listen(o, err));
    GP_TRY(required(o, "identity.key", &o->key, err));
    GP_TRY(required(o, "identity.trusted_keys", &o->trusted_keys, err));
    GP_TRY(rt_config_str(o->config, "fleet", "", &o->fleet_name, err));
    GP_TRY(rt_config_str(o->config, "querier.type", "api", &type, err));
    if (strcmp(type, "api") != 0)
        return rt_config_fail(o->config, "querier.type", err, "there is only \"api\"");
    GP_TRY(required(o, "querier.config", &o->endpoints, err));
    GP_TRY(read_resolvers(o, err));
    GP_TRY(read_limits(o, err));
    GP_TRY(rt_config_str(o->config, "metrics.addr", NULL, &o->metrics_addr, err));
    GP_TRY(rt_config_bool(o->config, "metrics.allow_remote", 0, &o->metrics_remote, err));
    gp_err why = {0};
    if (o->metrics_addr && rt_http_check(o->metrics_addr, o->metrics_remote, &why) != GP_OK)
        return rt_config_fail(o->config, "metrics.addr", err, "%s%s", why.msg,
                              why.code == GP_EDENIED ? " (metrics.allow_remote: true permits it)"
                                                     : "");
    GP_TRY(rt_config_str(o->config, "issuer.key", NULL, &o->issuer_key, err));
    GP_TRY(svc_audit_read(o->config, &o->audit, err));
    warn_inert(o);
    return read_ms(o, "server.shutdowngraceperiod", 30000, 3600 * 1000, &o->grace_ms, err);
}

static gp_status open_config(aggr_options *o, gp_err *err)
{
    if (o->file)
        GP_TRY(rt_config_load(o->file, &o->config, err));
    else
        GP_TRY(rt_config_new(&o->config, err));
    return rt_config_use_env(o->config, "GLOBAL_QUERY_", err);
}

/* The command line of the running process, for reloads. */
static struct command_line the_line;

static gp_status read_with_line(const struct command_line *c, aggr_options *o, gp_err *err)
{
    *o = (aggr_options){.file = c->file, .check_only = c->check_only};
    GP_TRY(open_config(o, err));
    for (size_t i = 0; i < c->n; i++)
        GP_TRY(rt_config_set(o->config, c->set[i].key, c->set[i].value, err));
    GP_TRY(read_all(o, err));
    return rt_config_check(o->config, 0, err);
}

gp_status aggr_options_read(int argc, char **argv, aggr_options *o, gp_err *err)
{
    parse_line(argc, argv, &the_line);
    return read_with_line(&the_line, o, err);
}

gp_status aggr_options_reread(const aggr_options *old, aggr_options *o, gp_err *err)
{
    (void)old;
    return read_with_line(&the_line, o, err);
}

/* ---- what a reload cannot change ---- */

static int same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static int same_listen(const aggr_options *a, const aggr_options *b)
{
    int same = a->n_listen == b->n_listen;
    for (size_t i = 0; same && i < a->n_listen; i++)
        same = strcmp(a->listen[i], b->listen[i]) == 0;
    return same;
}

static int same_limits(const fanout_limits *a, const fanout_limits *b)
{
    const fair_limits *x = &a->share, *y = &b->share;
    int same = a->max_wait_ms == b->max_wait_ms && a->partial_ms == b->partial_ms &&
               x->max_calls == y->max_calls && x->max_concurrent == y->max_concurrent &&
               x->max_per_user == y->max_per_user && x->max_waiting == y->max_waiting &&
               x->max_queue_ms == y->max_queue_ms && x->mem_bytes == y->mem_bytes &&
               x->mem_total == y->mem_total && x->n_weights == y->n_weights;
    for (size_t i = 0; same && i < x->n_weights; i++)
        same = x->weights[i].weight == y->weights[i].weight &&
               strcmp(x->weights[i].user, y->weights[i].user) == 0;
    return same;
}

static int same_connections(const fleet_opts *a, const fleet_opts *b)
{
    return a->dial_ms == b->dial_ms && a->backoff_min_ms == b->backoff_min_ms &&
           a->backoff_max_ms == b->backoff_max_ms && a->health_ms == b->health_ms &&
           a->max_dials == b->max_dials && a->open_after == b->open_after;
}

size_t aggr_options_need_restart(const aggr_options *a, const aggr_options *b, gp_buf *keys)
{
    const struct {
        const char *key;
        int same;
    } checks[] = {
        {"server.addr", same_listen(a, b)},
        {"server.shutdowngraceperiod", a->grace_ms == b->grace_ms},
        {"identity.key", same_text(a->key, b->key)},
        {"issuer.key", same_text(a->issuer_key, b->issuer_key)},
        {"fleet", same_text(a->fleet_name, b->fleet_name)},
        {"querier.max_concurrent", a->limits.max_in_flight == b->limits.max_in_flight},
        {"limits", same_limits(&a->limits, &b->limits)},
        {"connections", same_connections(&a->fleet, &b->fleet)},
        {"metrics",
         same_text(a->metrics_addr, b->metrics_addr) && a->metrics_remote == b->metrics_remote},
        {"audit", same_text(a->audit.file, b->audit.file) &&
                      a->audit.max_bytes == b->audit.max_bytes && a->audit.keep == b->audit.keep},
        {"logging.encoding", a->log.encoding == b->log.encoding},
        {"logging.destination", same_text(a->log.destination, b->log.destination)},
    };
    size_t n = 0;
    for (size_t i = 0; i < GP_COUNT(checks); i++)
        if (!checks[i].same)
            gp_buf_printf(keys, "%s%s", n++ ? ", " : "", checks[i].key);
    return n;
}

void aggr_options_clear(aggr_options *o)
{
    for (size_t i = 0; i < o->n_listen; i++)
        gp_free(o->listen[i]);
    for (size_t i = 0; i < o->n_resolvers; i++)
        gp_free(o->where[i]);
    rt_config_free(o->config);
    *o = (aggr_options){0};
}
