/* select.c - the selector grammar over a set of known hosts; the resolver "string". */
#include "kinds.h"

#include <stdlib.h>
#include <string.h>

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

static int cmp_name(const void *key, const void *elem)
{
    return strcmp(key, *(char *const *)elem);
}

static int kept(void *ctx, const char *name)
{
    const struct keep *k = ctx;
    for (size_t i = 0; i < wire_selector_count(k->sel); i++) {
        const wire_item *it = wire_selector_item(k->sel, i);
        if (it->negative && wire_item_match(it, name))
            return 0;
    }
    return k->excluded->n == 0 ||
           !bsearch(name, k->excluded->v, k->excluded->n, sizeof *k->excluded->v, cmp_name);
}

static gp_status select_items(struct resolve *r, const wire_selector *sel)
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
    resolver_hosts_sort(&excluded);
    struct keep k = {.sel = sel, .excluded = &excluded};
    if (st == GP_OK)
        resolver_hosts_filter(r->out, kept, &k);
    resolver_hosts_clear(&excluded);
    return st;
}

gp_status resolver_select(const char *selector, const resolver_known *known, resolver_hosts *out,
                          gp_err *err)
{
    GP_CLEANUP(wire_selector_freep) wire_selector *sel = NULL;
    struct resolve r = {.known = known, .out = out, .err = err};
    GP_TRY(wire_selector_parse(selector, &sel, err));
    return select_items(&r, sel);
}

static gp_status resolve_string(const void *state, const char *selector,
                                const resolver_known *known, resolver_hosts *out, gp_err *err)
{
    (void)state;
    return resolver_select(selector, known, out, err);
}

const resolver_kind resolver_string = {.type = "string", .resolve = resolve_string};
