/* config_iface.c - interfaces and autodetection: ring sizes, filters, names and expressions. */
#include "config.h"

#include <stdio.h>
#include <string.h>

enum { MIB = 1024 * 1024, DETECT_BLOCKS = 4 };

#define RING_MAX (INT64_C(2) << 30)

void agent_config_default_capture(capture_conf *conf)
{
    *conf = (capture_conf){.block_size = MIB, .num_blocks = DETECT_BLOCKS};
}

static gp_status read_insn(const rt_node *n, capture_insn *out, gp_err *err)
{
    int64_t op, jt, jf, k;

    if (rt_node_kind(n) != RT_MAP || !rt_node_get(n, "op"))
        return rt_node_fail(n, err, "expected an instruction {op, jt, jf, k}");
    GP_TRY(rt_node_i64(rt_node_get(n, "op"), 0, 0, UINT16_MAX, &op, err));
    GP_TRY(rt_node_i64(rt_node_get(n, "jt"), 0, 0, UINT8_MAX, &jt, err));
    GP_TRY(rt_node_i64(rt_node_get(n, "jf"), 0, 0, UINT8_MAX, &jf, err));
    GP_TRY(rt_node_i64(rt_node_get(n, "k"), 0, 0, UINT32_MAX, &k, err));
    *out = (capture_insn){(uint16_t)op, (uint8_t)jt, (uint8_t)jf, (uint32_t)k};
    return GP_OK;
}

static gp_status read_filters(const rt_node *n, capture_conf *out, gp_err *err)
{
    size_t count = rt_node_count(n);

    if (rt_node_kind(n) == RT_NULL)
        return GP_OK;
    if (rt_node_kind(n) != RT_LIST)
        return rt_node_fail(n, err, "expected a list of instructions {op, jt, jf, k}");
    if (count > CAPTURE_EXTRA_MAX)
        return rt_node_fail(n, err, "%zu instructions, at most %d are possible", count,
                            CAPTURE_EXTRA_MAX);
    for (size_t i = 0; i < count; i++)
        GP_TRY(read_insn(rt_node_at(n, i), &out->extra[i], err));
    out->n_extra = (uint32_t)count;
    gp_err why = {0};
    if (capture_conf_check(out, &why) != GP_OK)
        return rt_node_fail(n, err, "%s", why.msg);
    return GP_OK;
}

static gp_status read_ring(const rt_node *iface, capture_conf *out, gp_err *err)
{
    const rt_node *ring = rt_node_get(iface, "ring_buffer");
    int64_t size, blocks;

    if (rt_node_kind(ring) == RT_NULL)
        return rt_node_fail(iface, err,
                            "no ring buffer settings (ring_buffer: {block_size: "
                            "1048576, num_blocks: 4})");
    if (rt_node_kind(ring) != RT_MAP)
        return rt_node_fail(ring, err, "expected block_size and num_blocks");
    GP_TRY(rt_node_i64(rt_node_get(ring, "block_size"), 0, 1, RING_MAX, &size, err));
    GP_TRY(rt_node_i64(rt_node_get(ring, "num_blocks"), 0, 1, RING_MAX, &blocks, err));
    if (size == 0)
        return rt_node_fail(ring, err, "block_size is missing (bytes)");
    if (blocks == 0)
        return rt_node_fail(ring, err, "num_blocks is missing");
    if (blocks > RING_MAX / size)
        return rt_node_fail(ring, err, "block_size * num_blocks is above 2 GiB");
    out->block_size = (uint64_t)size;
    out->num_blocks = (uint64_t)blocks;
    return GP_OK;
}

gp_status agent_config_iface(const rt_node *n, capture_conf *out, gp_err *err)
{
    int promisc, ignore, disable;
    int64_t sample;

    memset(out, 0, sizeof *out);
    if (rt_node_kind(n) != RT_MAP)
        return rt_node_fail(n, err,
                            "no ring buffer settings (ring_buffer: {block_size: 1048576, "
                            "num_blocks: 4})");
    GP_TRY(rt_node_bool(rt_node_get(n, "disable"), 0, &disable, err));
    GP_TRY(rt_node_bool(rt_node_get(n, "promisc"), 0, &promisc, err));
    GP_TRY(rt_node_bool(rt_node_get(n, "ignore_vlans"), 0, &ignore, err));
    GP_TRY(rt_node_i64(rt_node_get(n, "sample"), 1, 1, CAPTURE_SAMPLE_MAX, &sample, err));
    GP_TRY(read_filters(rt_node_get(n, "extra_bpf_filters"), out, err));
    out->disable = disable != 0;
    out->promisc = promisc != 0;
    out->ignore_vlans = ignore != 0;
    out->sample = (uint32_t)sample;
    if (!disable)
        return read_ring(n, out, err);
    if (promisc || ignore || sample > 1 || out->n_extra ||
        rt_node_kind(rt_node_get(n, "ring_buffer")) != RT_NULL)
        return rt_node_fail(n, err, "disable: true conflicts with the other settings");
    return GP_OK;
}

static gp_status read_detection(agent_config *c, gp_err *err)
{
    const char *const *exclude;
    capture_conf conf;
    size_t n;

    GP_TRY(rt_config_bool(c->source, "autodetection.enabled", 0, &c->detect, err));
    GP_TRY(rt_config_list(c->source, "autodetection.exclude", &exclude, &n, err));
    for (size_t i = 0; i < n; i++) {
        gp_err why = {0};
        if (flow_ruleset_exclude(c->rules, exclude[i], &why) != GP_OK)
            return rt_config_fail(c->source, "autodetection.exclude", err, "%s", why.msg);
    }
    agent_config_default_capture(&conf);
    if (c->detect)
        flow_ruleset_detect(c->rules, &conf);
    return GP_OK;
}

/* All interfaces of a map into rs; *captured: how many are not disabled. */
static gp_status add_ifaces(const rt_node *ifaces, flow_ruleset *rs, size_t *captured, gp_err *err)
{
    size_t n = rt_node_count(ifaces);

    *captured = 0;
    if (n > FLOW_MAX_IFACES)
        return rt_node_fail(ifaces, err, "%zu interfaces, at most %d are possible", n,
                            FLOW_MAX_IFACES);
    for (size_t i = 0; i < n; i++) {
        capture_conf conf;
        gp_err why = {0};
        const rt_node *node = rt_node_at(ifaces, i);
        GP_TRY(agent_config_iface(node, &conf, err));
        if (flow_ruleset_add(rs, rt_node_key(ifaces, i), &conf, &why) != GP_OK)
            return rt_node_fail(node, err, "%s", why.msg);
        *captured += !conf.disable;
    }
    return GP_OK;
}

gp_status agent_config_ifaces(agent_config *c, gp_err *err)
{
    size_t captured;

    GP_TRY(flow_ruleset_new(&c->rules, err));
    GP_TRY(read_detection(c, err));
    const rt_node *ifaces = rt_config_node(c->source, "interfaces");
    if (rt_node_kind(ifaces) != RT_NULL && rt_node_kind(ifaces) != RT_MAP)
        return rt_node_fail(ifaces, err, "expected interface names with their settings");
    GP_TRY(add_ifaces(ifaces, c->rules, &captured, err));
    if (c->detect && captured)
        return rt_node_fail(ifaces, err,
                            "autodetection.enabled conflicts with interfaces: "
                            "exclude with autodetection.exclude or disable: true");
    if (!c->detect && !captured)
        return rt_config_fail(c->source, "interfaces", err,
                              "no interfaces to capture on, and autodetection.enabled is false");
    return GP_OK;
}

/* ---- requests ---- */

gp_status agent_config_request(const char *text, size_t len, flow_ruleset **out, gp_err *err)
{
    GP_CLEANUP(rt_config_freep) rt_config *c = NULL;
    flow_ruleset *rs = NULL;
    size_t captured = 0;

    GP_TRY(rt_config_parse("request", text, len, &c, err));
    GP_TRY(flow_ruleset_new(&rs, err));
    gp_status st = add_ifaces(rt_config_root(c), rs, &captured, err);
    if (st == GP_OK)
        st = rt_config_check(c, 1, err);
    if (st == GP_OK && captured == 0)
        st = gp_fail(err, GP_EINVAL, 0, "request: no interfaces to capture on");
    if (st != GP_OK) {
        flow_ruleset_free(rs);
        return st;
    }
    *out = rs;
    return GP_OK;
}
