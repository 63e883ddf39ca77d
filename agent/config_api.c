/* config_api.c - the api section: address, metrics, rate limits, and keys of the reference. */
#include "config.h"

#include "gp/bytes.h"
#include "gp/mem.h"
#include "rpc/rpc.h"

#include <string.h>

enum { HOST_MAX = 255, KEY_MIN = 32, CONCURRENT = 8, CONCURRENT_MAX = 256 };

/* Both are printed in the reference's documentation, so everybody has them. */
static const char *const published[] = {
    "da53ae3fb482db63d9606a9324a694bf51f7ad47623c04ab7b97a811f2a78e05",
    "9e3b84ae1437a73154ac5c48a37d5085a3f6e68621b56b626f81620de271a2f6",
};

/* The text of a key is never printed (D-37). */
static gp_status check_keys(agent_config *c, gp_err *err)
{
    const char *const *keys;
    size_t n;

    GP_TRY(rt_config_list(c->source, "api.keys", &keys, &n, err));
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(keys[i]);
        if (len < KEY_MIN)
            return rt_config_fail(c->source, "api.keys", err,
                                  "key %zu is too short: %zu characters, expected at least %d",
                                  i + 1, len, KEY_MIN);
        for (size_t k = 0; k < GP_COUNT(published); k++)
            if (strcmp(keys[i], published[k]) == 0)
                return rt_config_fail(c->source, "api.keys", err,
                                      "key %zu is compromised: it stands in public documentation",
                                      i + 1);
    }
    if (n)
        rt_config_warn(c->source, "api.keys",
                       "no effect, access is granted to key files and certificates");
    return GP_OK;
}

static gp_status check_rate(agent_config *c, gp_err *err)
{
    agent_rate_limit *r = &c->rate;

    GP_TRY(rt_config_f64(c->source, "api.query_rate_limit.max_req_per_sec", 0, 0, 1e9,
                         &r->max_req_per_sec, err));
    GP_TRY(rt_config_i64(c->source, "api.query_rate_limit.max_burst", 0, 0, INT32_MAX,
                         &r->max_burst, err));
    GP_TRY(rt_config_i64(c->source, "api.query_rate_limit.max_concurrent", CONCURRENT, 0,
                         CONCURRENT_MAX, &r->max_concurrent, err));
    if (r->max_concurrent == 0)
        r->max_concurrent = CONCURRENT_MAX;
    if ((r->max_req_per_sec > 0) != (r->max_burst > 0))
        return rt_config_fail(c->source,
                              r->max_burst > 0 ? "api.query_rate_limit.max_burst"
                                               : "api.query_rate_limit.max_req_per_sec",
                              err,
                              "max_req_per_sec and max_burst go together: both above 0, or none");
    return GP_OK;
}

/* A list of addresses to listen on or to connect to. */
static gp_status read_addrs(agent_config *c, const char *key, int listening, char **out, size_t *n,
                            gp_err *err)
{
    const char *const *list;
    size_t count;
    gp_err why = {0};

    GP_TRY(rt_config_list(c->source, key, &list, &count, err));
    if (count > AGENT_MAX_LISTEN)
        return rt_config_fail(c->source, key, err, "%zu addresses, at most %d", count,
                              AGENT_MAX_LISTEN);
    for (; *n < count; ++*n)
        if (rpc_address(list[*n], listening, &out[*n], &why) != GP_OK)
            return rt_config_fail(c->source, key, err, "%s", why.msg);
    return GP_OK;
}

/* The label of all rows, and what host selectors name: "" is the name in the key. */
static gp_status read_host_name(agent_config *c, gp_err *err)
{
    GP_TRY(rt_config_str(c->source, "api.host_name", "", &c->host_name, err));
    if (gp_text_ok(c->host_name, HOST_MAX) && !strpbrk(c->host_name, " ,"))
        return GP_OK;
    return rt_config_fail(
        c->source, "api.host_name", err,
        "not a host name: at most %d bytes, no blanks, commas or control characters", HOST_MAX);
}

static gp_status read_service(agent_config *c, gp_err *err)
{
    rt_config *s = c->source;

    GP_TRY(read_addrs(c, "api.addr", 1, c->listen, &c->n_listen, err));
    GP_TRY(read_addrs(c, "api.dial_out", 0, c->dial_out, &c->n_dial_out, err));
    GP_TRY(rt_config_str(s, "api.key_file", "", &c->key_file, err));
    GP_TRY(rt_config_str(s, "api.trusted_keys", "", &c->trusted_keys, err));
    GP_TRY(read_host_name(c, err));
    GP_TRY(rt_config_str(s, "api.fleet", "", &c->fleet, err));
    GP_TRY(rt_config_list(s, "api.also_named", &c->names, &c->n_names, err));
    GP_TRY(rt_config_list(s, "api.groups", &c->groups, &c->n_groups, err));
    if (c->n_listen + c->n_dial_out && (!*c->key_file || !*c->trusted_keys))
        return rt_config_fail(s, "api.addr", err,
                              "the query service needs api.key_file (gpkey new agent) and "
                              "api.trusted_keys");
    return GP_OK;
}

static gp_status read_audit(agent_config *c, gp_err *err)
{
    GP_TRY(svc_audit_read(c->source, &c->audit, err));
    if (*c->audit.file && c->n_listen + c->n_dial_out == 0)
        return rt_config_fail(c->source, "audit.file", err,
                              "there is nothing to log without a query service (api.addr)");
    return GP_OK;
}

gp_status agent_config_api(agent_config *c, gp_err *err)
{
    int64_t timeout;
    int profiling;

    GP_TRY(read_service(c, err));
    GP_TRY(read_audit(c, err));
    GP_TRY(rt_config_bool(c->source, "api.metrics", 0, &c->metrics, err));
    GP_TRY(
        rt_config_bool(c->source, "api.disable_iface_metrics", 0, &c->disable_iface_metrics, err));
    GP_TRY(rt_config_str(c->source, "api.metrics_addr", "127.0.0.1:9145", &c->metrics_addr, err));
    GP_TRY(rt_config_bool(c->source, "api.metrics_allow_remote", 0, &c->metrics_remote, err));
    gp_err why = {0};
    if (c->metrics && rt_http_check(c->metrics_addr, c->metrics_remote, &why) != GP_OK)
        return rt_config_fail(
            c->source, "api.metrics_addr", err, "%s%s", why.msg,
            why.code == GP_EDENIED ? " (api.metrics_allow_remote: true permits it)" : "");
    GP_TRY(check_rate(c, err));
    GP_TRY(rt_config_i64(c->source, "api.request_timeout", 0, 0, INT32_MAX, &timeout, err));
    GP_TRY(rt_config_bool(c->source, "api.profiling", 0, &profiling, err));
    if (timeout)
        rt_config_warn(c->source, "api.request_timeout",
                       "no effect, callers send their own deadline");
    if (profiling)
        rt_config_warn(c->source, "api.profiling", "no effect, use perf on the process");
    return check_keys(c, err);
}
