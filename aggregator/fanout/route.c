/* route.c - from the selector of a query to legs: agents by ID, the rest through other aggregators.
 */
#include "fanout_int.h"

#include "gp/mem.h"
#include "wire/limits.h"

#include <stdio.h>
#include <string.h>

enum { MAX_LEFT_OUT = WIRE_MAX_TARGETS / 2 }; /* bytes */

static const char *known_id(void *ctx, size_t i)
{
    return fleet_table_at(ctx, i)->id;
}

static int entry_in_group(const fleet_endpoint *e, const char *group)
{
    for (size_t k = 0; k < e->n_groups; k++) {
        if (strcmp(e->groups[k], group) == 0)
            return 1;
    }
    return 0;
}

static int known_in_group(void *ctx, size_t i, const char *group)
{
    return entry_in_group(fleet_table_at(ctx, i), group);
}

static const char *known_address(void *ctx, size_t i)
{
    return fleet_table_at(ctx, i)->addr;
}

resolver_known fanout_known(const fleet_table *t)
{
    union {
        const fleet_table *c;
        void *m;
    } u = {.c = t};
    return (resolver_known){.ctx = u.m,
                            .n = fleet_table_count(t),
                            .id = known_id,
                            .in_group = known_in_group,
                            .address = known_address};
}

gp_status fanout_behind_new(const fleet_table *t, wire_selector ***out, gp_err *err)
{
    size_t n = fleet_table_count(t);
    wire_selector **v = gp_calloc(n ? n : 1, sizeof *v);
    if (!v)
        return gp_fail(err, GP_ENOMEM, 0, "query: out of memory");
    for (size_t i = 0; i < n; i++) {
        const fleet_endpoint *e = fleet_table_at(t, i);
        gp_status st = e->hosts ? wire_selector_parse(e->hosts, &v[i], err) : GP_OK;
        if (st != GP_OK) {
            fanout_behind_free(v, n);
            return st;
        }
    }
    *out = v;
    return GP_OK;
}

void fanout_behind_free(wire_selector **behind, size_t n)
{
    for (size_t i = 0; behind && i < n; i++)
        wire_selector_free(behind[i]);
    gp_free(behind);
}

const fleet_endpoint *fanout_behind(const fleet_table *t, wire_selector *const *behind,
                                    const char *host)
{
    for (size_t i = 0; i < fleet_table_count(t); i++) {
        if (behind[i] && wire_selector_covers(behind[i], &host, 1, NULL, 0) == WIRE_COVERS)
            return fleet_table_at(t, i);
    }
    return NULL;
}

struct router {
    job *j;
    const fleet_table *t;
    gp_buf *parts;          /* per table entry: what an aggregator is asked for */
    wire_selector **behind; /* per table entry: hosts behind an aggregator, or NULL */
    uint8_t *agent;         /* per table entry: 1 = asked */
    uint8_t *whole;   /* per table entry: 1 = an aggregator that was named itself: all behind it */
    const char *type; /* resolver; NULL or "" = the default */
    wire_selector *sel; /* NULL when the resolver has a grammar of its own */
    gp_err *err;
};

static void add_part(gp_buf *b, const char *item)
{
    gp_buf_printf(b, "%s%s", b->len ? "," : "", item);
}

/* Add what is left of "any" or a glob within the hosts that the user's key may ask. What overlaps
 * them in part only is left out: a selector can't say it, and who needs it can name his hosts. */
static void add_within(gp_buf *b, const char *item, const char *globs)
{
    char one[sizeof((auth_peer *)0)->host_globs];

    if (auth_globs_within(strpbrk(item, "*?") ? item : "*", globs)) {
        add_part(b, item);
        return;
    }
    while (*globs) {
        size_t n = strcspn(globs, ",");
        snprintf(one, sizeof one, "%.*s", (int)n, globs);
        globs += n + (globs[n] == ',');
        /* these mean something else in a selector; no host is called so */
        if (n && !strpbrk(one, "!@[]") && auth_globs_within(one, strpbrk(item, "*?") ? item : "*"))
            add_part(b, one);
    }
}

/* A host that is not in the table may be behind an aggregator. */
static gp_status route_unknown(struct router *r, const char *host)
{
    gp_err why = {0};
    if (auth_scope_host(&r->j->who, &host, 1, &why) != GP_OK)
        return fanout_fail_host(r->j, host, RESULT_DENIED, why.msg, r->err);
    /* the first one only: a host must not be asked twice */
    const fleet_endpoint *e = fanout_behind(r->t, r->behind, host);
    if (!e)
        return fanout_fail_host(r->j, host, RESULT_NOT_FOUND, "unknown host", r->err);
    add_part(&r->parts[e - fleet_table_at(r->t, 0)], host);
    return GP_OK;
}

/* Is the entry not to be asked? Who names a disabled host is told that it is. */
static int left_out(const struct router *r, const fleet_endpoint *e)
{
    if (!e->disabled)
        return 0;
    for (size_t i = 0; r->sel && i < wire_selector_count(r->sel); i++) {
        const wire_item *it = wire_selector_item(r->sel, i);
        if (!it->negative && (it->kind == WIRE_ITEM_NAME || it->kind == WIRE_ITEM_RANGE) &&
            (wire_item_match(it, e->id) || wire_item_match(it, e->name)))
            return 0;
    }
    return 1;
}

/* An agent is asked when the limits of the user's key allow it, as the agent itself decides. */
static gp_status route_agent(struct router *r, const fleet_endpoint *e)
{
    const char *names[] = {e->id, e->name};
    gp_err why = {0};
    if (auth_scope_host(&r->j->who, names, GP_COUNT(names), &why) != GP_OK)
        return fanout_fail_host(r->j, e->name, RESULT_DENIED, why.msg, r->err);
    r->agent[e - fleet_table_at(r->t, 0)] = 1;
    return GP_OK;
}

static gp_status route_hosts(struct router *r, const resolver_hosts *hosts)
{
    for (size_t i = 0; i < hosts->n; i++) {
        const fleet_endpoint *e = fleet_table_lookup(r->t, hosts->v[i]);
        if (e && left_out(r, e))
            continue;
        if (!e)
            GP_TRY(route_unknown(r, hosts->v[i]));
        else if (e->kind == AUTH_KIND_AGENT)
            GP_TRY(route_agent(r, e));
        else
            r->whole[e - fleet_table_at(r->t, 0)] = 1;
    }
    return GP_OK;
}

/* Is the i-th entry, an aggregator, taken away as a whole? */
static int excluded(const struct router *r, size_t i)
{
    for (size_t k = 0; k < wire_selector_count(r->sel); k++) {
        const wire_item *it = wire_selector_item(r->sel, k);
        if (it->negative &&
            (it->kind == WIRE_ITEM_GROUP ? entry_in_group(fleet_table_at(r->t, i), it->text)
                                         : wire_item_match(it, fleet_table_at(r->t, i)->id)))
            return 1;
    }
    return 0;
}

/* Hosts that are asked directly and are behind the i-th entry as well: not twice. */
static void leave_out_ours(const struct router *r, size_t i, gp_buf *part)
{
    for (size_t k = 0; r->behind[i] && k < fleet_table_count(r->t); k++) {
        const char *id = fleet_table_at(r->t, k)->id;
        if (r->agent[k] && part->len < MAX_LEFT_OUT &&
            wire_selector_covers(r->behind[i], &id, 1, NULL, 0) == WIRE_COVERS)
            gp_buf_printf(part, ",!%s", id);
    }
}

/* What aggregators are asked for besides hosts by name, within what the user's key allows. */
struct open {
    int asked; /* "any" or globs are in the selector */
    gp_buf part, all, negative;
};

/* Groups are those of our own table: nobody below knows them. */
static gp_status open_new(const struct router *r, int names_only, struct open *o)
{
    const char *globs = r->j->who.host_globs;
    add_within(&o->all, "any", globs);
    for (size_t i = 0; r->sel && i < wire_selector_count(r->sel); i++) {
        const wire_item *it = wire_selector_item(r->sel, i);
        if (it->negative && it->kind != WIRE_ITEM_GROUP) {
            gp_buf_printf(&o->negative, ",!%s", it->text);
        } else if (!names_only && (it->kind == WIRE_ITEM_ANY || it->kind == WIRE_ITEM_GLOB)) {
            o->asked = 1;
            add_within(&o->part, it->text, globs);
        }
    }
    return gp_buf_str(&o->part) && gp_buf_str(&o->all) && gp_buf_str(&o->negative)
               ? GP_OK
               : gp_fail(r->err, GP_ENOMEM, 0, "query: out of memory");
}

static gp_status route_aggregator(const struct router *r, size_t i, const struct open *o)
{
    const fleet_endpoint *e = fleet_table_at(r->t, i);
    gp_buf *part = &r->parts[i];
    const gp_buf *more = r->whole[i] ? &o->all : &o->part;
    int wide = r->whole[i] || (o->asked && !left_out(r, e));
    if (wide && more->len)
        add_part(part, (const char *)more->data);
    if (part->len)
        gp_buf_add(part, o->negative.data, o->negative.len);
    else if (wide)
        return fanout_fail_host(r->j, e->name, RESULT_DENIED,
                                "the user's key is not allowed to ask the hosts behind it", r->err);
    if (wide)
        leave_out_ours(r, i, part);
    return GP_OK;
}

/* Exclusions hold behind aggregators, too, and so do "any" and globs, unless the resolver says
 * names only. */
static gp_status route_aggregators(struct router *r, int names_only)
{
    struct open o = {0};
    gp_status st = open_new(r, names_only, &o);
    for (size_t i = 0; st == GP_OK && i < fleet_table_count(r->t); i++) {
        int out = !names_only && excluded(r, i);
        if (fleet_table_at(r->t, i)->kind != AUTH_KIND_AGGREGATOR)
            continue;
        if (r->whole[i] || out)
            gp_buf_clear(&r->parts[i]);
        if (!out)
            st = route_aggregator(r, i, &o);
    }
    gp_buf_free(&o.part);
    gp_buf_free(&o.all);
    gp_buf_free(&o.negative);
    return st;
}

static gp_status add_leg(struct router *r, size_t i)
{
    job *j = r->j;
    const fleet_endpoint *e = fleet_table_at(r->t, i);
    leg *l = &j->legs[j->n_legs];
    l->job = j;
    l->id = gp_strdup(e->id);
    l->name = gp_strdup(e->name);
    l->timeout_ms = e->timeout_ms;
    l->is_aggregator = e->kind == AUTH_KIND_AGGREGATOR;
    l->targets = l->is_aggregator ? gp_buf_take(&r->parts[i]) : NULL;
    j->n_legs++;
    if (!l->id || !l->name || (l->is_aggregator && !l->targets))
        return gp_fail(r->err, GP_ENOMEM, 0, "query: out of memory");
    return GP_OK;
}

/* Random order: parallel queries then don't hit the same hosts at the same time. */
static void shuffle(leg *legs, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        uint32_t r;
        auth_random(&r, sizeof r);
        leg t = legs[i - 1];
        legs[i - 1] = legs[r % i];
        legs[r % i] = t;
    }
}

static gp_status make_legs(struct router *r)
{
    job *j = r->j;
    size_t n = 0;
    for (size_t i = 0; i < fleet_table_count(r->t); i++)
        n += r->agent[i] || r->parts[i].len;
    j->legs = gp_calloc(n ? n : 1, sizeof *j->legs);
    if (!j->legs)
        return gp_fail(r->err, GP_ENOMEM, 0, "query: out of memory");
    for (size_t i = 0; i < fleet_table_count(r->t); i++) {
        if (r->agent[i] || r->parts[i].len)
            GP_TRY(add_leg(r, i));
    }
    shuffle(j->legs, j->n_legs);
    return GP_OK;
}

gp_status fanout_route(job *j, gp_err *err)
{
    fleet_view *v = fleet_view_get(j->f->o.fleet);
    const fleet_table *t = fleet_view_table(v);
    size_t n = fleet_table_count(t);
    resolver_hosts hosts = {0};
    const char *selector = j->req.targets ? j->req.targets : j->q.hosts ? j->q.hosts : "";
    /* An aggregator above has resolved already: our part is a selector. */
    const char *type = j->req.targets ? "string" : j->q.resolver;
    int names_only = 0;
    struct router r = {.j = j, .t = t, .err = err};
    r.parts = gp_calloc(n ? n : 1, sizeof *r.parts);
    r.agent = gp_calloc(n ? n : 1, 1);
    r.whole = gp_calloc(n ? n : 1, 1);
    gp_status st = r.parts && r.agent && r.whole
                       ? fanout_resolve(j->f, t, type, selector, &hosts, &names_only, err)
                       : gp_fail(err, GP_ENOMEM, 0, "query: out of memory");
    if (st == GP_OK)
        st = fanout_behind_new(t, &r.behind, err);
    if (st == GP_OK) {
        gp_status parsed = wire_selector_parse(selector, &r.sel, names_only ? NULL : err);
        st = names_only ? GP_OK : parsed;
    }
    if (st == GP_OK)
        st = route_hosts(&r, &hosts);
    if (st == GP_OK)
        st = route_aggregators(&r, names_only);
    if (st == GP_OK)
        st = make_legs(&r);
    for (size_t i = 0; r.parts && i < n; i++)
        gp_buf_free(&r.parts[i]);
    gp_free(r.parts);
    fanout_behind_free(r.behind, n);
    gp_free(r.agent);
    gp_free(r.whole);
    wire_selector_free(r.sel);
    resolver_hosts_clear(&hosts);
    fleet_view_put(v);
    return st;
}
