/* config.c - goprobe's settings outside of interfaces and API; order of checks as in
 * capture.md 5.3. */
#include "config.h"

#include "godb/codec.h"
#include "gp/mem.h"
#include "gp/num.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { INTERVAL_S = 300, MAX_INTERVAL_S = 3600, RETAIN_S = 600, MAX_RETAIN_S = 86400 };

#define NS         INT64_C(1000000000)
#define KEEP_BYTES (UINT64_C(512) << 20)

const agent_key agent_keys[] = {
    {"db.path", "DIR", "Database directory; required", 0},
    {"db.encoder_type", "NAME", "lz4 (default), zstd or null", 0},
    {"db.permissions", "MODE", "Mode of database files, octal (default 0644)", 0},
    {"db.sync", "WHEN", "When data reaches the disk for sure: block (default), day or none", 0},
    {"db.checkpoint", "DURATION",
     "Save the running interval so often, for after a crash (default: off)", 0},
    {"db.interval", "DURATION", "Length of an interval (default 5m; other values are for tests)",
     0},
    {"db.retention.max_age", "AGE", "Delete days that ended longer ago: 90d, 6w, 1y", 0},
    {"db.retention.max_size", "SIZE",
     "Delete the oldest days until the database takes at most SIZE", 0},
    {"db.retention.max_iface_size", "SIZE", "The same for each interface by itself", 0},
    {"db.retention.min_free", "SIZE",
     "Delete the oldest days until so much of the disk is free: "
     "20G or 10%; none when all of them were not enough",
     0},
    {"db.retention.interval", "DURATION", "Time between two such looks (default 10m)", 0},
    {"autodetection.enabled", "BOOL", "Capture on all interfaces of the host", 1},
    {"autodetection.exclude", "LIST", "Names or /regex/ not to capture on", 0},
    {"capture.compat", "BOOL", "Store what goProbe would store, its parsing defects included", 1},
    {"capture.fragments", "BOOL",
     "Count later fragments into the flow of the first one (default false; not with compat)", 1},
    {"capture.max_flows", "N", "Most flow entries per interface (default 2000000)", 0},
    {"capture.keep_unwritten", "SIZE", "Memory for flows that cannot be written (default 512M)", 0},
    {"syslog_flows", "BOOL", "Send each stored flow to /var/run/goprobe.sock, too", 1},
    {"api.addr", "LIST", "Query service: tcp://ADDRESS:PORT, ipc:///path; default: none", 0},
    {"api.dial_out", "LIST", "Aggregators to connect to, for hosts behind NAT: tcp://HOST:PORT", 0},
    {"api.key_file", "FILE", "Key file of this agent (gpkey new agent)", 0},
    {"api.trusted_keys", "FILE", "Who may ask and relay; read again on SIGHUP", 0},
    {"api.host_name", "NAME", "Label of the rows (default: the name in the key)", 0},
    {"api.also_named", "LIST", "Further names that selectors may use", 0},
    {"api.groups", "LIST", "Groups (@NAME) this host is in", 0},
    {"api.fleet", "NAME", "Refuse queries signed for another fleet", 0},
    {"api.metrics", "BOOL", "Serve Prometheus metrics and health on api.metrics_addr", 1},
    {"api.metrics_addr", "ADDR", "Loopback address of metrics and health (default 127.0.0.1:9145)",
     0},
    {"api.metrics_allow_remote", "BOOL", "Serve metrics on other addresses than loopback", 1},
    {"api.disable_iface_metrics", "BOOL", "No iface label in metrics", 1},
    {"api.query_rate_limit.max_req_per_sec", "N", "Queries per second; 0 = unlimited", 0},
    {"api.query_rate_limit.max_burst", "N", "Queries at once above that rate", 0},
    {"api.query_rate_limit.max_concurrent", "N",
     "Queries at the same time (default 8, at most 256; 0 = 256)", 0},
    {"audit.file", "FILE", "Signed log of every query and change of the configuration", 0},
    {"audit.max_size", "SIZE", "A larger file becomes FILE.1 (default 64M; 0 = never)", 0},
    {"audit.keep", "N", "Older files that stay: FILE.1 to FILE.N (default 9)", 0},
    {"logging.level", "LEVEL", "debug, info (default), warn, error or fatal", 0},
    {"logging.encoding", "NAME", "logfmt (default), json or plain", 0},
    {"logging.destination", "FILE", "stderr (default), stdout, syslog, journal, devnull or a file",
     0},
    {"security.user", "NAME", "User to run as once captures can be opened", 0},
    {"security.seccomp", "BOOL", "Refuse system calls that goprobe never makes (default true)", 1},
    /* of the reference, without effect here: accepted as in the file */
    {"api.keys", "LIST", NULL, 0},
    {"api.request_timeout", "SECONDS", NULL, 0},
    {"api.profiling", "BOOL", NULL, 1},
    {"local_buffers.size_limit", "BYTES", NULL, 0},
    {"local_buffers.num_buffers", "N", NULL, 0},
    {NULL, NULL, NULL, 0},
};

/* Octal with a leading 0 (or 0o) as in YAML, flags and environment; decimal as in JSON. */
static gp_status read_mode(rt_config *c, godb_writer_opts *out, gp_err *err)
{
    const char *text;
    int64_t mode = 0644;

    GP_TRY(rt_config_str(c, "db.permissions", NULL, &text, err));
    if (text && (!gp_num_i64_prefixed(text, strlen(text), &mode) || mode <= 0 || mode > 0777 ||
                 (mode & 0600) != 0600))
        return rt_config_fail(c, "db.permissions", err,
                              "expected a file mode such as 0640 (readable and writable by the "
                              "owner), got \"%s\"",
                              text);
    out->mode = (mode_t)mode;
    return GP_OK;
}

gp_status agent_config_writer(rt_config *c, godb_writer_opts *out, gp_err *err)
{
    static const char *const syncs[] = {"block", "day", "none"};
    const char *encoder;
    size_t sync;

    GP_TRY(rt_config_str(c, "db.encoder_type", "lz4", &encoder, err));
    int codec = godb_codec_by_name(encoder);
    if (codec == GODB_CODEC_LZ4CUST) {
        codec = GODB_CODEC_LZ4;
        rt_config_warn(c, "db.encoder_type", "lz4cust is historic and cannot be read; using lz4");
    }
    if (codec < 0)
        return rt_config_fail(c, "db.encoder_type", err,
                              "unsupported encoder \"%s\", expected lz4, zstd or null", encoder);
    out->codec = (uint8_t)codec;
    GP_TRY(read_mode(c, out, err));
    GP_TRY(rt_config_choice(c, "db.sync", syncs, GP_COUNT(syncs), 0, &sync, err));
    out->sync = (godb_sync)sync;
    return GP_OK;
}

static gp_status read_db(agent_config *c, gp_err *err)
{
    int64_t ns;

    GP_TRY(rt_config_str(c->source, "db.path", "", &c->db_path, err));
    if (!*c->db_path)
        return rt_config_fail(c->source, "db.path", err, "database path required");
    GP_TRY(agent_config_writer(c->source, &c->writer, err));
    GP_TRY(rt_config_duration(c->source, "db.interval", INTERVAL_S * NS, NS, MAX_INTERVAL_S * NS,
                              &ns, err));
    c->interval_s = ns / NS;
    GP_TRY(rt_config_duration(c->source, "db.checkpoint", 0, 0, MAX_INTERVAL_S * NS, &ns, err));
    if (ns > 0 && ns < NS)
        return rt_config_fail(c->source, "db.checkpoint", err, "expected 0 (off) or at least 1s");
    c->checkpoint_ms = ns / (NS / 1000);
    return GP_OK;
}

/* db.retention: without a limit there is none. */
static gp_status read_retention(agent_config *c, gp_err *err)
{
    agent_retention_limits *l = &c->retention;
    const char *age, *min_free;
    int64_t ns;
    gp_err why = {0};

    GP_TRY(rt_config_str(c->source, "db.retention.max_age", "", &age, err));
    if (*age && godb_retain_parse_age(age, &l->max_age_s, &why) != GP_OK)
        return rt_config_fail(c->source, "db.retention.max_age", err, "%s", why.msg);
    GP_TRY(
        rt_config_bytes(c->source, "db.retention.max_size", 0, 0, UINT64_MAX, &l->max_bytes, err));
    GP_TRY(rt_config_bytes(c->source, "db.retention.max_iface_size", 0, 0, UINT64_MAX,
                           &l->max_iface_bytes, err));
    GP_TRY(rt_config_str(c->source, "db.retention.min_free", "", &min_free, err));
    if (godb_retain_parse_free(min_free, &l->min_free_bytes, &l->min_free_percent, &why) != GP_OK)
        return rt_config_fail(c->source, "db.retention.min_free", err, "%s", why.msg);
    GP_TRY(rt_config_duration(c->source, "db.retention.interval", RETAIN_S * NS, NS,
                              MAX_RETAIN_S * NS, &ns, err));
    if (l->max_age_s || l->max_bytes || l->max_iface_bytes || l->min_free_bytes ||
        l->min_free_percent > 0)
        l->interval_ms = ns / (NS / 1000);
    return GP_OK;
}

static gp_status read_capture(agent_config *c, gp_err *err)
{
    int64_t flows;

    GP_TRY(rt_config_bool(c->source, "capture.compat", 0, &c->compat, err));
    GP_TRY(rt_config_bool(c->source, "capture.fragments", 0, &c->fragments, err));
    GP_TRY(rt_config_i64(c->source, "capture.max_flows", FLOW_ENTRIES_DEFAULT, FLOW_ENTRIES_MIN,
                         FLOW_ENTRIES_MAX, &flows, err));
    c->max_flows = (size_t)flows;
    GP_TRY(rt_config_bytes(c->source, "capture.keep_unwritten", KEEP_BYTES, 1 << 20, UINT64_MAX,
                           &c->keep_bytes, err));
    return rt_config_bool(c->source, "syslog_flows", 0, &c->syslog_flows, err);
}

static gp_status read_logging(agent_config *c, gp_err *err)
{
    const char *level, *encoding;

    GP_TRY(rt_config_str(c->source, "logging.level", "info", &level, err));
    GP_TRY(rt_config_str(c->source, "logging.encoding", "logfmt", &encoding, err));
    GP_TRY(rt_config_str(c->source, "logging.destination", "", &c->log_destination, err));
    int l = rt_level_by_name(level), e = rt_encoding_by_name(encoding);
    if (l < 0)
        return rt_config_fail(c->source, "logging.level", err,
                              "expected debug, info, warn, error or fatal, got \"%s\"", level);
    if (e < 0)
        return rt_config_fail(c->source, "logging.encoding", err,
                              "expected logfmt, json or plain, got \"%s\"", encoding);
    c->log_level = (rt_level)l;
    c->log_encoding = (rt_encoding)e;
    return GP_OK;
}

static gp_status read_security(agent_config *c, gp_err *err)
{
    GP_TRY(rt_config_str(c->source, "security.user", "", &c->user, err));
    return rt_config_bool(c->source, "security.seccomp", 1, &c->seccomp, err);
}

/* Keys of the reference that have nothing to act on here: checked, then said to be without effect.
 */
static gp_status read_inert(agent_config *c, gp_err *err)
{
    static const char *const keys[] = {"local_buffers.size_limit", "local_buffers.num_buffers"};
    int64_t v;

    for (size_t i = 0; i < GP_COUNT(keys); i++) {
        GP_TRY(rt_config_i64(c->source, keys[i], 0, 0, INT64_MAX, &v, err));
        if (rt_config_has(c->source, keys[i]) && v)
            rt_config_warn(c->source, keys[i], "no effect, rotation does not stop capture");
    }
    return GP_OK;
}

static gp_status open_source(const char *path, const agent_override *set, size_t n_set,
                             rt_config **out, gp_err *err)
{
    if (path)
        GP_TRY(rt_config_load(path, out, err));
    else
        GP_TRY(rt_config_new(out, err));
    GP_TRY(rt_config_use_env(*out, "GOPROBE_", err));
    for (size_t i = 0; i < n_set; i++)
        GP_TRY(rt_config_set(*out, set[i].key, set[i].value, err));
    return GP_OK;
}

gp_status agent_config_load(const char *path, const agent_override *set, size_t n_set,
                            agent_config **out, gp_err *err)
{
    GP_CLEANUP(agent_config_freep) agent_config *c = gp_calloc(1, sizeof *c);

    if (!c)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    c->writer = (godb_writer_opts)GODB_WRITER_OPTS_INIT;
    c->path = path;
    GP_TRY(open_source(path, set, n_set, &c->source, err));
    GP_TRY(read_db(c, err));
    GP_TRY(read_retention(c, err));
    GP_TRY(agent_config_api(c, err));
    GP_TRY(read_inert(c, err));
    GP_TRY(agent_config_ifaces(c, err));
    GP_TRY(read_capture(c, err));
    GP_TRY(read_logging(c, err));
    GP_TRY(read_security(c, err));
    GP_TRY(rt_config_check(c->source, 0, err));
    *out = c;
    c = NULL;
    return GP_OK;
}

void agent_config_free(agent_config *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < AGENT_MAX_LISTEN; i++) {
        gp_free(c->listen[i]);
        gp_free(c->dial_out[i]);
    }
    flow_ruleset_free(c->rules);
    rt_config_free(c->source);
    gp_free(c);
}

flow_ruleset *agent_config_take_rules(agent_config *c)
{
    flow_ruleset *rs = c->rules;
    c->rules = NULL;
    return rs;
}

static int same_list(const char *const *a, size_t n_a, const char *const *b, size_t n_b)
{
    for (size_t i = 0; i < n_a && n_a == n_b; i++)
        if (strcmp(a[i], b[i]) != 0)
            return 0;
    return n_a == n_b;
}

static int same_retention(const agent_retention_limits *a, const agent_retention_limits *b)
{
    return a->max_age_s == b->max_age_s && a->max_bytes == b->max_bytes &&
           a->max_iface_bytes == b->max_iface_bytes && a->min_free_bytes == b->min_free_bytes &&
           !(a->min_free_percent < b->min_free_percent) &&
           !(a->min_free_percent > b->min_free_percent) && a->interval_ms == b->interval_ms;
}

static int same_rate(const agent_rate_limit *a, const agent_rate_limit *b)
{
    return !(a->max_req_per_sec < b->max_req_per_sec) &&
           !(a->max_req_per_sec > b->max_req_per_sec) && a->max_burst == b->max_burst &&
           a->max_concurrent == b->max_concurrent;
}

size_t agent_config_needs_restart(const agent_config *a, const agent_config *b, gp_buf *keys)
{
    const struct {
        const char *key;
        int differs;
    } checks[] = {
        {"db.path", strcmp(a->db_path, b->db_path) != 0},
        {"db.encoder_type", a->writer.codec != b->writer.codec},
        {"db.permissions", a->writer.mode != b->writer.mode},
        {"db.sync", a->writer.sync != b->writer.sync},
        {"db.checkpoint", a->checkpoint_ms != b->checkpoint_ms},
        {"db.interval", a->interval_s != b->interval_s},
        {"db.retention", !same_retention(&a->retention, &b->retention)},
        {"capture.compat", a->compat != b->compat},
        {"capture.fragments", a->fragments != b->fragments},
        {"capture.max_flows", a->max_flows != b->max_flows},
        {"capture.keep_unwritten", a->keep_bytes != b->keep_bytes},
        {"syslog_flows", a->syslog_flows != b->syslog_flows},
        {"api.addr", !same_list((const char *const *)a->listen, a->n_listen,
                                (const char *const *)b->listen, b->n_listen)},
        {"api.dial_out", !same_list((const char *const *)a->dial_out, a->n_dial_out,
                                    (const char *const *)b->dial_out, b->n_dial_out)},
        {"api.key_file", strcmp(a->key_file, b->key_file) != 0},
        {"api.trusted_keys", strcmp(a->trusted_keys, b->trusted_keys) != 0},
        {"api.host_name", strcmp(a->host_name, b->host_name) != 0},
        {"api.also_named", !same_list(a->names, a->n_names, b->names, b->n_names)},
        {"api.groups", !same_list(a->groups, a->n_groups, b->groups, b->n_groups)},
        {"api.fleet", strcmp(a->fleet, b->fleet) != 0},
        {"api.query_rate_limit", !same_rate(&a->rate, &b->rate)},
        {"api.metrics", a->metrics != b->metrics},
        {"api.metrics_addr", strcmp(a->metrics_addr, b->metrics_addr) != 0},
        {"api.metrics_allow_remote", a->metrics_remote != b->metrics_remote},
        {"api.disable_iface_metrics", a->disable_iface_metrics != b->disable_iface_metrics},
        {"audit.file", strcmp(a->audit.file, b->audit.file) != 0},
        {"audit.max_size", a->audit.max_bytes != b->audit.max_bytes},
        {"audit.keep", a->audit.keep != b->audit.keep},
        {"logging.encoding", a->log_encoding != b->log_encoding},
        {"logging.destination", strcmp(a->log_destination, b->log_destination) != 0},
        {"security.user", strcmp(a->user, b->user) != 0},
        {"security.seccomp", a->seccomp != b->seccomp},
    };
    size_t n = 0;
    for (size_t i = 0; i < GP_COUNT(checks); i++)
        if (checks[i].differs)
            gp_buf_printf(keys, "%s%s", n++ ? ", " : "", checks[i].key);
    return n;
}
