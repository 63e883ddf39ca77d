/* resolver.c - the resolvers of a daemon, and the selector grammar they share. */
#include "resolver/resolver.h"

#include "gp/mem.h"
#include "hosts.h"
#include "wire/selector.h"

#include <string.h>

struct resolver_set {
    char *default_type;
};

void resolver_set_free(resolver_set *s)
{
    if (!s)
        return;
    gp_free(s->default_type);
    gp_free(s);
}

static gp_status check_type(const char *type, gp_err *err)
{
    if (strcmp(type, "string") == 0)
        return GP_OK;
    return gp_fail(err, GP_ENOTFOUND, 0, "unknown resolver \"%s\" (there is: string)", type);
}

gp_status resolver_set_new(const resolver_conf *confs, size_t n, const char *default_type,
                           resolver_set **out, gp_err *err)
{
    for (size_t i = 0; i < n; i++)
        GP_TRY(check_type(confs[i].type, err));
    GP_TRY(check_type(default_type && *default_type ? default_type : "string", err));
    resolver_set *s = gp_calloc(1, sizeof *s);
    if (!s)
        return gp_fail(err, GP_ENOMEM, 0, "resolvers: out of memory");
    s->default_type = gp_strdup(default_type && *default_type ? default_type : "string");
    if (!s->default_type) {
        resolver_set_free(s);
        return gp_fail(err, GP_ENOMEM, 0, "resolvers: out of memory");
    }
    *out = s;
    return GP_OK;
}

/* ---- one selector ---- */

struct resolve {
    const resolver_known *known;
    resolver_hosts *out;
    gp_err *err;
};

static gp_status add_name(void *ctx, const char *name)
{
    struct resolve *r = ctx;
    return resolver_hosts_add(r->out, name, r->err);
}

static gp_status add_known(struct resolve *r, const wire_item *it)
{
    size_t hits = 0;
    for (size_t i = 0; i < r->known->n; i++) {
        const char *id = r->known->id(r->known->ctx, i);
        int hit = it->kind == WIRE_ITEM_GROUP ? r->known->in_group(r->known->ctx, i, it->text)
                                              : wire_item_match(it, id);
        if (hit)
            GP_TRY(add_name(r, id));
        hits += hit != 0;
    }
    if (it->kind == WIRE_ITEM_GROUP && hits == 0)
        return gp_fail(r->err, GP_ENOTFOUND, 0, "unknown group \"@%s\"", it->text);
    return GP_OK;
}

static gp_status add_item(struct resolve *r, const wire_item *it)
{
    switch (it->kind) {
    case WIRE_ITEM_NAME:
        return add_name(r, it->text);
    case WIRE_ITEM_RANGE:
        return wire_item_expand(it, RESOLVER_MAX_HOSTS, add_name, r, r->err);
    default:
        return add_known(r, it);
    }
}

struct keep {
    const wire_selector *sel;
    const resolver_hosts *excluded; /* members of excluded groups, sorted */
};

static int kept(void *ctx, const char *name)
{
    const struct keep *k = ctx;
    for (size_t i = 0; i < wire_selector_count(k->sel); i++) {
        const wire_item *it = wire_selector_item(k->sel, i);
        if (it->negative && wire_item_match(it, name))
            return 0;
    }
    for (size_t i = 0; i < k->excluded->n; i++) {
        if (strcmp(k->excluded->v[i], name) == 0)
            return 0;
    }
    return 1;
}

static gp_status resolve_items(struct resolve *r, const wire_selector *sel)
{
    resolver_hosts excluded = {0};
    struct resolve x = {.known = r->known, .out = &excluded, .err = r->err};
    gp_status st = GP_OK;
    for (size_t i = 0; i < wire_selector_count(sel) && st == GP_OK; i++) {
        const wire_item *it = wire_selector_item(sel, i);
        if (!it->negative)
            st = add_item(r, it);
        else if (it->kind == WIRE_ITEM_GROUP)
            st = add_known(&x, it);
    }
    struct keep k = {.sel = sel, .excluded = &excluded};
    if (st == GP_OK) {
        resolver_hosts_sort(r->out);
        resolver_hosts_filter(r->out, kept, &k);
    }
    resolver_hosts_clear(&excluded);
    return st;
}

gp_status resolver_resolve(const resolver_set *s, const char *type, const char *selector,
                           const resolver_known *known, resolver_hosts *out, gp_err *err)
{
    wire_selector *sel = NULL;
    resolver_hosts hosts = {0};
    struct resolve r = {.known = known, .out = &hosts, .err = err};
    GP_TRY(check_type(type && *type ? type : s->default_type, err));
    GP_TRY(wire_selector_parse(selector, &sel, err));
    gp_status st = wire_selector_count(sel) == 0
                       ? gp_fail(err, GP_EINVAL, 0, "the host selector is empty")
                       : resolve_items(&r, sel);
    wire_selector_free(sel);
    if (st != GP_OK) {
        resolver_hosts_clear(&hosts);
        return st;
    }
    *out = hosts;
    return GP_OK;
}
