/* translate.c - keys of the Go suite (capture.md 5.2, fleet.md 3 and 9) to ours, by one table each.
 */
#include "translate.h"

#include <string.h>
#include <strings.h>

#define GONE_HTTP "left out: HTTP is not spoken here"

typedef struct writer {
    gp_buf *out;
    translate_note note;
    void *ctx;
} writer;

/* What happens to a key. below: a map that is looked into; write: the value, changed; why: left out
 * for this reason; none of these: copied as it is. */
typedef struct rule {
    const char *key; /* lower case; "*" any name */
    const struct rule *below;
    gp_status (*write)(writer *w, const rt_node *n, int depth, gp_err *err);
    const char *why;
} rule;

static void tell(const writer *w, const rt_node *n, const char *what)
{
    gp_err e = {0};
    gp_status st = rt_node_fail(n, &e, "%s", what);
    (void)st;
    w->note(w->ctx, e.msg);
}

/* ---- YAML ---- */

static void indent(writer *w, int depth)
{
    gp_buf_fill(w->out, ' ', (size_t)depth * 2);
}

static int is_plain(const char *s)
{
    static const char safe[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-:";
    size_t len = strlen(s);
    return len && strspn(s, safe) == len && !strchr("-:", s[0]) && s[len - 1] != ':' &&
           strcasecmp(s, "null") != 0;
}

static void put_scalar(writer *w, const char *s)
{
    if (is_plain(s)) {
        gp_buf_adds(w->out, s);
        return;
    }
    gp_buf_addc(w->out, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            gp_buf_printf(w->out, "\\%c", *s);
        else if ((unsigned char)*s < 0x20 || *s == 0x7f)
            gp_buf_printf(w->out, "\\x%02x", (unsigned char)*s);
        else
            gp_buf_addc(w->out, *s);
    }
    gp_buf_addc(w->out, '"');
}

/* A value behind "key:" or "-": scalars on the same line, maps and lists below. */
static gp_status put_value(writer *w, const rt_node *n, int depth, gp_err *err)
{
    const char *text;
    size_t count = rt_node_count(n);

    switch (rt_node_kind(n)) {
    case RT_NULL:
        gp_buf_addc(w->out, '\n');
        return GP_OK;
    case RT_SCALAR:
        GP_TRY(rt_node_str(n, "", &text, err));
        gp_buf_addc(w->out, ' ');
        put_scalar(w, text);
        gp_buf_addc(w->out, '\n');
        return GP_OK;
    case RT_LIST:
    case RT_MAP:
        break;
    }
    int map = rt_node_kind(n) == RT_MAP;
    gp_buf_adds(w->out, count ? "\n" : map ? " {}\n" : " []\n");
    for (size_t i = 0; i < count; i++) {
        indent(w, depth + 1);
        if (map) {
            put_scalar(w, rt_node_key(n, i));
            gp_buf_addc(w->out, ':');
        } else {
            gp_buf_addc(w->out, '-');
        }
        GP_TRY(put_value(w, rt_node_at(n, i), depth + 1, err));
    }
    return GP_OK;
}

static void put_text(writer *w, const char *text)
{
    gp_buf_addc(w->out, ' ');
    put_scalar(w, text);
    gp_buf_addc(w->out, '\n');
}

/* ---- values that change ---- */

static gp_status write_encoder(writer *w, const rt_node *n, int depth, gp_err *err)
{
    const char *name;
    (void)depth;
    GP_TRY(rt_node_str(n, "lz4", &name, err));
    if (strcasecmp(name, "lz4cust") == 0) {
        tell(w, n, "lz4cust is historic, lz4 instead");
        name = "lz4";
    }
    put_text(w, name);
    return GP_OK;
}

/* "host:port", ":port" or "unix:/path" */
static gp_status write_addr(writer *w, const rt_node *n, int depth, gp_err *err)
{
    const char *a;

    GP_TRY(rt_node_str(n, "", &a, err));
    if (!*a) {
        gp_buf_adds(w->out, " []\n");
        return GP_OK;
    }
    gp_buf url = {0};
    int path = strncmp(a, "unix:", 5) == 0;
    gp_buf_printf(&url, "%s%s",
                  path          ? "ipc://"
                  : a[0] == ':' ? "tcp://0.0.0.0"
                                : "tcp://",
                  path ? a + 5 : a);
    if (!url.failed)
        put_text(w, gp_buf_str(&url));
    w->out->failed |= url.failed;
    gp_buf_free(&url);
    indent(w, depth);
    gp_buf_adds(w->out, "key_file: /etc/fleetprobe/agent.key # gpkey new agent NAME\n");
    indent(w, depth);
    gp_buf_adds(w->out, "trusted_keys: /etc/fleetprobe/trusted_keys # who may ask and relay\n");
    tell(w, n, "queries are signed: make api.key_file and api.trusted_keys (gpkey)");
    return GP_OK;
}

static gp_status write_metrics(writer *w, const rt_node *n, int depth, gp_err *err)
{
    int on;

    GP_TRY(rt_node_bool(n, 0, &on, err));
    put_text(w, on ? "true" : "false");
    if (on) {
        indent(w, depth);
        gp_buf_adds(w->out, "metrics_addr: 127.0.0.1:9145\n");
        tell(w, n, "metrics have an address of their own: api.metrics_addr");
    }
    return GP_OK;
}

static gp_status write_level(writer *w, const rt_node *n, int depth, gp_err *err)
{
    const char *level;
    (void)depth;
    GP_TRY(rt_node_str(n, "info", &level, err));
    if (strcasecmp(level, "panic") == 0) {
        tell(w, n, "panic is not there, fatal instead");
        level = "fatal";
    }
    put_text(w, level);
    return GP_OK;
}

static gp_status write_endpoint(writer *w, const rt_node *n, int depth, gp_err *err)
{
    static const char *const schemes[] = {"http://", "https://"};
    const char *a;
    (void)depth;
    GP_TRY(rt_node_str(n, "", &a, err));
    if (!*a)
        tell(w, n, "an address is needed");
    for (size_t i = 0; i < GP_COUNT(schemes); i++)
        if (strncmp(a, schemes[i], strlen(schemes[i])) == 0) {
            tell(w, n, "without the scheme: the agent's own protocol is spoken");
            a += strlen(schemes[i]);
        }
    put_text(w, a);
    return GP_OK;
}

/* Plug-ins are compiled into theirs; what is not among ours is kept, so that global-query refuses
 * it instead of finding other hosts. */
static gp_status check_type(const writer *w, const rt_node *n, const char *what,
                            const char *const *ours, gp_err *err)
{
    const char *name;
    GP_TRY(rt_node_str(n, "", &name, err));
    gp_buf text = {.limit = 200};
    gp_buf_printf(&text, "there is no %s \"%.32s\" here, and global-query will say so; choose ",
                  what, name);
    int known = !*name;
    for (size_t i = 0; ours[i]; i++) {
        gp_buf_printf(&text, "%s%s", i == 0 ? "" : ours[i + 1] ? ", " : " or ", ours[i]);
        known |= strcmp(name, ours[i]) == 0;
    }
    if (!known)
        tell(w, n, gp_buf_str(&text));
    gp_buf_free(&text);
    return GP_OK;
}

static const char *const resolver_types[] = {"string", "static", "file", "dns", NULL};

static gp_status write_resolver(writer *w, const rt_node *n, int depth, gp_err *err)
{
    GP_TRY(check_type(w, n, "resolver", resolver_types, err));
    return put_value(w, n, depth, err);
}

static gp_status write_resolvers(writer *w, const rt_node *n, int depth, gp_err *err)
{
    for (size_t i = 0; i < rt_node_count(n); i++)
        GP_TRY(
            check_type(w, rt_node_get(rt_node_at(n, i), "type"), "resolver", resolver_types, err));
    return put_value(w, n, depth, err);
}

static gp_status write_querier(writer *w, const rt_node *n, int depth, gp_err *err)
{
    static const char *const types[] = {"api", NULL};
    GP_TRY(check_type(w, n, "querier", types, err));
    return put_value(w, n, depth, err);
}

/* ---- the tables ---- */

static const rule logging_rules[] = {
    {.key = "level", .write = write_level}, {.key = "encoding"}, {.key = "destination"}, {0}};
static const rule db_rules[] = {
    {.key = "path"}, {.key = "encoder_type", .write = write_encoder}, {.key = "permissions"}, {0}};
static const rule ring_rules[] = {{.key = "block_size"}, {.key = "num_blocks"}, {0}};
static const rule iface_rules[] = {
    {.key = "promisc"}, {.key = "ignore_vlans"},      {.key = "ring_buffer", .below = ring_rules},
    {.key = "disable"}, {.key = "extra_bpf_filters"}, {0}};
static const rule ifaces_rules[] = {{.key = "*", .below = iface_rules}, {0}};
static const rule detect_rules[] = {{.key = "enabled"}, {.key = "exclude"}, {0}};
static const rule rate_rules[] = {
    {.key = "max_req_per_sec"}, {.key = "max_burst"}, {.key = "max_concurrent"}, {0}};
static const rule api_rules[] = {
    {.key = "addr", .write = write_addr},
    {.key = "metrics", .write = write_metrics},
    {.key = "disable_iface_metrics"},
    {.key = "query_rate_limit", .below = rate_rules},
    {.key = "keys", .why = "left out: api.trusted_keys says who may ask"},
    {.key = "profiling", .why = "left out: there are no profiling pages"},
    {.key = "request_timeout", .why = "left out: it had no effect"},
    {0}};
static const rule agent_rules[] = {
    {.key = "db", .below = db_rules},
    {.key = "interfaces", .below = ifaces_rules},
    {.key = "autodetection", .below = detect_rules},
    {.key = "syslog_flows"},
    {.key = "api", .below = api_rules},
    {.key = "logging", .below = logging_rules},
    {.key = "local_buffers", .why = "left out: capture goes on while flows are written"},
    {.key = "tracing", .why = "left out: it had no effect"},
    {.key = "openapi", .why = GONE_HTTP},
    {0}};

static const rule aggr_logging_rules[] = {
    {.key = "level", .write = write_level},
    {.key = "encoding"},
    {.key = "destination", .why = "left out: it had no effect; here it would have"},
    {0}};
static const rule resolver_rules[] = {
    {.key = "type", .write = write_resolver}, {.key = "config"}, {0}};
static const rule hosts_rules[] = {{.key = "resolver", .below = resolver_rules},
                                   {.key = "resolvers", .write = write_resolvers},
                                   {0}};
static const rule querier_rules[] = {
    {.key = "type", .write = write_querier},
    {.key = "config"},
    {.key = "max_concurrent", .why = "left out: it had no effect; here it would have"},
    {0}};
static const rule server_rules[] = {{.key = "addr"},
                                    {.key = "shutdowngraceperiod"},
                                    {.key = "cors_origins", .why = GONE_HTTP},
                                    {0}};
static const rule aggr_rules[] = {{.key = "server", .below = server_rules},
                                  {.key = "querier", .below = querier_rules},
                                  {.key = "hosts", .below = hosts_rules},
                                  {.key = "logging", .below = aggr_logging_rules},
                                  {.key = "openapi", .why = GONE_HTTP},
                                  {.key = "profiling", .why = GONE_HTTP},
                                  {.key = "tracing", .why = "left out: traces are not sent"},
                                  {0}};

static const rule endpoint_rules[] = {
    {.key = "addr", .write = write_endpoint},
    {.key = "timeout"},
    {.key = "log"},
    {.key = "scheme", .why = "left out: the agent's own protocol is spoken"},
    {.key = "key", .why = "left out: hosts are known by the key of their certificate"},
    {0}};
static const rule table_rules[] = {{.key = "*", .below = endpoint_rules}, {0}};

/* ---- walk ---- */

static const rule *find(const rule *rules, const char *key)
{
    for (; rules->key; rules++)
        if (strcmp(rules->key, "*") == 0 || strcasecmp(rules->key, key) == 0)
            return rules;
    return NULL;
}

static gp_status walk(writer *w, const rt_node *map, const rule *rules, int depth, gp_err *err)
{
    for (size_t i = 0; i < rt_node_count(map); i++) {
        const rt_node *n = rt_node_at(map, i);
        const rule *r = find(rules, rt_node_key(map, i));
        if (!r || r->why) {
            tell(w, n, r ? r->why : "left out: unknown key");
            continue;
        }
        indent(w, depth);
        put_scalar(w, strcmp(r->key, "*") == 0 ? rt_node_key(map, i) : r->key);
        gp_buf_addc(w->out, ':');
        if (r->write) {
            GP_TRY(r->write(w, n, depth, err));
        } else if (r->below && rt_node_kind(n) == RT_MAP && rt_node_count(n)) {
            gp_buf_addc(w->out, '\n');
            GP_TRY(walk(w, n, r->below, depth + 1, err));
        } else {
            GP_TRY(put_value(w, n, depth, err));
        }
    }
    return GP_OK;
}

/* How many keys of the map the table knows by name. */
static size_t known(const rt_node *map, const rule *rules)
{
    size_t n = 0;
    for (size_t i = 0; i < rt_node_count(map); i++)
        n += find(rules, rt_node_key(map, i)) != NULL;
    return n;
}

static int is_table(const rt_node *root)
{
    for (size_t i = 0; i < rt_node_count(root); i++)
        if (rt_node_kind(rt_node_at(root, i)) != RT_MAP ||
            !known(rt_node_at(root, i), endpoint_rules))
            return 0;
    return rt_node_count(root) > 0;
}

gp_status translate_config(rt_config *c, gp_buf *out, translate_note note, void *ctx, gp_err *err)
{
    const rt_node *root = rt_config_root(c);
    writer w = {.out = out, .note = note, .ctx = ctx};
    int aggr =
        rt_config_node(c, "querier") || rt_config_node(c, "server") || rt_config_node(c, "hosts");

    if (aggr) {
        gp_buf_adds(out, "# /etc/fleetprobe/global-query.yaml\n");
        GP_TRY(walk(&w, root, aggr_rules, 0, err));
        gp_buf_adds(out, "identity:\n"
                         "  key: /etc/fleetprobe/aggregator.key # gpkey new aggregator NAME\n"
                         "  trusted_keys: /etc/fleetprobe/trusted_keys # users and agents\n");
    } else if (known(root, agent_rules)) {
        gp_buf_adds(out, "# /etc/fleetprobe/goprobe.yaml\n");
        GP_TRY(walk(&w, root, agent_rules, 0, err));
    } else if (is_table(root)) {
        gp_buf_adds(out, "# /etc/fleetprobe/endpoints.yaml\n");
        GP_TRY(walk(&w, root, table_rules, 0, err));
    } else {
        return rt_node_fail(root, err,
                            "neither a configuration of goProbe or global-query nor an "
                            "endpoint table");
    }
    return out->failed ? gp_fail(err, GP_ENOMEM, 0, "out of memory") : GP_OK;
}
