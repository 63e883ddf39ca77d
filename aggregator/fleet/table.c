/* table.c - the endpoint table: YAML to checked entries. */
#include "fleet/table.h"

#include "gp/arena.h"
#include "gp/mem.h"
#include "rpc/rpc.h"
#include "rt/config.h"
#include "wire/selector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TIMEOUT_NS (INT64_C(30) * 60 * 1000000000)
#define MAX_TIMEOUT_NS     (INT64_C(24) * 3600 * 1000000000)

struct fleet_table {
    rt_config *config; /* owns the strings */
    gp_arena *arena;   /* owns normalised addresses and lists */
    fleet_endpoint *v; /* sorted by id */
    size_t n;
    const fleet_endpoint **renamed; /* those with another name than their id, sorted by name */
    size_t n_renamed;
};

void fleet_table_free(fleet_table *t)
{
    if (!t)
        return;
    rt_config_free(t->config);
    gp_arena_free(t->arena);
    gp_free(t->v);
    gp_free(t->renamed);
    gp_free(t);
}

/* "host:port", with or without a scheme before it. */
static gp_status read_addr(fleet_table *t, const rt_node *n, const char *addr, const char **out,
                           gp_err *err)
{
    GP_CLEANUP(gp_freep) char *url = NULL;
    gp_err why = {0};
    if (strcmp(addr, FLEET_DIAL_IN) == 0) {
        *out = FLEET_DIAL_IN;
        return GP_OK;
    }
    if (rpc_address(addr, 0, &url, &why) != GP_OK)
        return rt_node_fail(n, err, "%s", why.msg);
    size_t len = strlen(url) + 1;
    char *s = gp_arena_alloc(t->arena, len, 1);
    if (!s)
        return gp_fail(err, GP_ENOMEM, 0, "endpoint table: out of memory");
    memcpy(s, url, len);
    *out = s;
    return GP_OK;
}

static gp_status read_groups(fleet_table *t, const rt_node *n, fleet_endpoint *e, gp_err *err)
{
    if (rt_node_kind(n) == RT_NULL)
        return GP_OK;
    size_t count = rt_node_kind(n) == RT_LIST ? rt_node_count(n) : 1;
    if (count > FLEET_MAX_GROUPS)
        return rt_node_fail(n, err, "at most %d groups", FLEET_MAX_GROUPS);
    const char **g = gp_arena_alloc(t->arena, count, sizeof *g);
    if (!g)
        return gp_fail(err, GP_ENOMEM, 0, "endpoint table: out of memory");
    for (size_t i = 0; i < count; i++) {
        const rt_node *item = rt_node_kind(n) == RT_LIST ? rt_node_at(n, i) : n;
        GP_TRY(rt_node_str(item, "", &g[i], err));
        if (!*g[i] || strpbrk(g[i], ",!@[] \t"))
            return rt_node_fail(item, err, "\"%s\" can't be a group (used as @NAME)", g[i]);
    }
    e->groups = g;
    e->n_groups = count;
    return GP_OK;
}

static gp_status read_kind(const rt_node *n, fleet_endpoint *e, gp_err *err)
{
    const char *s;
    GP_TRY(rt_node_str(rt_node_get(n, "kind"), "agent", &s, err));
    if (strcmp(s, "agent") == 0)
        e->kind = AUTH_KIND_AGENT;
    else if (strcmp(s, "aggregator") == 0)
        e->kind = AUTH_KIND_AGGREGATOR;
    else
        return rt_node_fail(rt_node_get(n, "kind"), err, "expected agent or aggregator, got \"%s\"",
                            s);
    GP_TRY(rt_node_str(rt_node_get(n, "hosts"), NULL, &e->hosts, err));
    if (!e->hosts)
        return GP_OK;
    if (e->kind == AUTH_KIND_AGENT)
        return rt_node_fail(rt_node_get(n, "hosts"), err, "only aggregators have hosts");
    wire_selector *sel = NULL;
    gp_err why = {0};
    if (wire_selector_parse(e->hosts, &sel, &why) != GP_OK)
        return rt_node_fail(rt_node_get(n, "hosts"), err, "%s", why.msg);
    wire_selector_free(sel);
    return GP_OK;
}

static gp_status read_entry(fleet_table *t, const char *id, const rt_node *n, fleet_endpoint *e,
                            gp_err *err)
{
    const char *addr, *unused;
    int64_t timeout_ns;
    if (!*id || strlen(id) > 255)
        return rt_node_fail(n, err, "expected a host ID of 1 to 255 bytes");
    if (strpbrk(id, ",!*?[]@ \t") || strcasecmp(id, "any") == 0)
        return rt_node_fail(n, err,
                            "a host ID can't be \"any\" or hold one of , ! * ? [ ] @ or blanks");
    if (rt_node_kind(n) != RT_MAP)
        return rt_node_fail(n, err, "expected settings such as \"addr: host:port\" below the host");
    *e = (fleet_endpoint){.id = id, .line = rt_node_line(n)};
    GP_TRY(rt_node_bool(rt_node_get(n, "disabled"), 0, &e->disabled, err));
    GP_TRY(rt_node_str(rt_node_get(n, "addr"), "", &addr, err));
    if (!*addr)
        return rt_node_fail(n, err, "addr is missing");
    GP_TRY(read_addr(t, rt_node_get(n, "addr"), addr, &e->addr, err));
    GP_TRY(rt_node_str(rt_node_get(n, "name"), id, &e->name, err));
    GP_TRY(rt_node_duration(rt_node_get(n, "timeout"), DEFAULT_TIMEOUT_NS, 1000000, MAX_TIMEOUT_NS,
                            &timeout_ns, err));
    e->timeout_ms = timeout_ns / 1000000;
    GP_TRY(rt_node_bool(rt_node_get(n, "log"), 0, &e->log, err));
    GP_TRY(rt_node_str(rt_node_get(n, "scheme"), NULL, &unused, err));
    GP_TRY(rt_node_str(rt_node_get(n, "key"), NULL, &unused, err));
    GP_TRY(read_kind(n, e, err));
    return read_groups(t, rt_node_get(n, "groups"), e, err);
}

static int cmp_id(const void *a, const void *b)
{
    const fleet_endpoint *x = a, *y = b;
    return strcmp(x->id, y->id);
}

static int cmp_name(const void *a, const void *b)
{
    const fleet_endpoint *const *x = a, *const *y = b;
    int c = strcmp((*x)->name, (*y)->name);
    return c ? c : strcmp((*x)->id, (*y)->id);
}

static gp_status index_names(fleet_table *t, gp_err *err)
{
    t->renamed = gp_calloc(t->n ? t->n : 1, sizeof *t->renamed);
    if (!t->renamed)
        return gp_fail(err, GP_ENOMEM, 0, "endpoint table: out of memory");
    for (size_t i = 0; i < t->n; i++) {
        if (strcmp(t->v[i].name, t->v[i].id) != 0)
            t->renamed[t->n_renamed++] = &t->v[i];
    }
    qsort(t->renamed, t->n_renamed, sizeof *t->renamed, cmp_name);
    return GP_OK;
}

static gp_status read_all(fleet_table *t, const char *name, gp_err *err)
{
    const rt_node *root = rt_config_root(t->config);
    size_t n = rt_node_count(root);
    if (n > FLEET_MAX_HOSTS)
        return gp_fail(err, GP_ELIMIT, 0, "%s: more than %d hosts", name, FLEET_MAX_HOSTS);
    t->v = gp_calloc(n ? n : 1, sizeof *t->v);
    if (!t->v)
        return gp_fail(err, GP_ENOMEM, 0, "endpoint table: out of memory");
    for (size_t i = 0; i < n; i++) {
        GP_TRY(read_entry(t, rt_node_key(root, i), rt_node_at(root, i), &t->v[i], err));
        t->n = i + 1;
    }
    GP_TRY(rt_config_check(t->config, 1, err));
    qsort(t->v, t->n, sizeof *t->v, cmp_id);
    return index_names(t, err);
}

static gp_status build(const char *name, rt_config *c, fleet_table **out, gp_err *err)
{
    fleet_table *t = gp_calloc(1, sizeof *t);
    if (!t) {
        rt_config_free(c);
        return gp_fail(err, GP_ENOMEM, 0, "endpoint table: out of memory");
    }
    t->config = c;
    t->arena = gp_arena_new(64 * 1024 * 1024);
    gp_status st = t->arena ? read_all(t, name, err)
                            : gp_fail(err, GP_ENOMEM, 0, "endpoint table: out of memory");
    if (st != GP_OK) {
        fleet_table_free(t);
        return st;
    }
    *out = t;
    return GP_OK;
}

gp_status fleet_table_parse(const char *name, const void *text, size_t len, fleet_table **out,
                            gp_err *err)
{
    rt_config *c = NULL;
    GP_TRY(rt_config_parse(name, text, len, &c, err));
    return build(name, c, out, err);
}

gp_status fleet_table_load(const char *path, fleet_table **out, gp_err *err)
{
    rt_config *c = NULL;
    GP_TRY(rt_config_load(path, &c, err));
    return build(path, c, out, err);
}

size_t fleet_table_count(const fleet_table *t)
{
    return t->n;
}

const fleet_endpoint *fleet_table_at(const fleet_table *t, size_t i)
{
    return i < t->n ? &t->v[i] : NULL;
}

const fleet_endpoint *fleet_table_find(const fleet_table *t, const char *id)
{
    fleet_endpoint key = {.id = id};
    return t->n ? bsearch(&key, t->v, t->n, sizeof *t->v, cmp_id) : NULL;
}

const fleet_endpoint *fleet_table_lookup(const fleet_table *t, const char *host)
{
    const fleet_endpoint *e = fleet_table_find(t, host);
    size_t lo = 0, hi = t->n_renamed;
    while (!e && lo < hi) { /* the first of that name */
        size_t mid = lo + (hi - lo) / 2;
        if (strcmp(t->renamed[mid]->name, host) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (!e && lo < t->n_renamed && strcmp(t->renamed[lo]->name, host) == 0)
        e = t->renamed[lo];
    return e;
}
