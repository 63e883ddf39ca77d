/* config_api.c - the api section: address, metrics, rate limits, and keys of the reference. */
#include "config.h"

#include <stdio.h>
#include <string.h>

enum { KEY_MIN = 32 };

/* Both are printed in the reference's documentation, so everybody has them. */
static const char *const published[] = {
    "da53ae3fb482db63d9606a9324a694bf51f7ad47623c04ab7b97a811f2a78e05",
    "9e3b84ae1437a73154ac5c48a37d5085a3f6e68621b56b626f81620de271a2f6",
};

/* The text of a key is never printed (D-37). */
static gp_status check_keys(agent_config *c, void (*warn)(void *ctx, const char *text), void *ctx,
                            gp_err *err)
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
    if (n && warn)
        warn(ctx, "api.keys: no effect, access is granted to key files and certificates");
    return GP_OK;
}

static gp_status check_rate(agent_config *c, gp_err *err)
{
    agent_rate_limit *r = &c->rate;

    GP_TRY(rt_config_f64(c->source, "api.query_rate_limit.max_req_per_sec", 0, 0, 1e9,
                         &r->max_req_per_sec, err));
    GP_TRY(rt_config_i64(c->source, "api.query_rate_limit.max_burst", 0, 0, INT32_MAX,
                         &r->max_burst, err));
    GP_TRY(rt_config_i64(c->source, "api.query_rate_limit.max_concurrent", 0, 0, INT32_MAX,
                         &r->max_concurrent, err));
    if ((r->max_req_per_sec > 0) != (r->max_burst > 0))
        return rt_config_fail(c->source, "api.query_rate_limit.max_req_per_sec", err,
                              "max_req_per_sec and max_burst go together: both above 0, or none");
    return GP_OK;
}

gp_status agent_config_api(agent_config *c, void (*warn)(void *ctx, const char *text), void *ctx,
                           gp_err *err)
{
    int64_t timeout;
    int profiling;

    GP_TRY(rt_config_str(c->source, "api.addr", "", &c->api_addr, err));
    GP_TRY(rt_config_bool(c->source, "api.metrics", 0, &c->metrics, err));
    GP_TRY(
        rt_config_bool(c->source, "api.disable_iface_metrics", 0, &c->disable_iface_metrics, err));
    GP_TRY(rt_config_str(c->source, "api.metrics_addr", "127.0.0.1:8146", &c->metrics_addr, err));
    GP_TRY(check_rate(c, err));
    GP_TRY(rt_config_i64(c->source, "api.request_timeout", 0, 0, INT32_MAX, &timeout, err));
    GP_TRY(rt_config_bool(c->source, "api.profiling", 0, &profiling, err));
    if (warn && timeout)
        warn(ctx, "api.request_timeout: no effect, callers send their own deadline");
    if (warn && profiling)
        warn(ctx, "api.profiling: no effect, use perf on the process");
    return check_keys(c, warn, ctx, err);
}
