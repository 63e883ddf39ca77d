/* resolver.c - the resolvers of a daemon. */
#include "resolver/resolver.h"

#include "gp/bytes.h"
#include "gp/mem.h"
#include "kinds.h"

#include <string.h>

static const resolver_kind *const kinds[] = {&resolver_string, &resolver_static, &resolver_file,
                                             &resolver_dns, &resolver_command};

struct resolver_set {
    struct entry {
        const resolver_kind *kind; /* NULL: not configured */
        void *state;
    } v[GP_COUNT(kinds)];
    size_t default_index;
};

void resolver_set_free(resolver_set *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < GP_COUNT(kinds); i++) {
        if (s->v[i].kind && s->v[i].kind->close)
            s->v[i].kind->close(s->v[i].state);
    }
    gp_free(s);
}

static gp_status find_kind(const char *type, size_t *out, gp_err *err)
{
    gp_buf names = {.limit = 200};
    for (size_t i = 0; i < GP_COUNT(kinds); i++) {
        gp_buf_printf(&names, "%s%s", i ? ", " : "", kinds[i]->type);
        if (strcmp(kinds[i]->type, type) == 0) {
            gp_buf_free(&names);
            *out = i;
            return GP_OK;
        }
    }
    const char *list = gp_buf_str(&names);
    gp_status st = gp_fail(err, GP_ENOTFOUND, 0, "unknown resolver \"%s\" (there are: %s)", type,
                           list ? list : "string");
    gp_buf_free(&names);
    return st;
}

static gp_status open_one(resolver_set *s, size_t i, const char *config, gp_err *err)
{
    struct entry *e = &s->v[i];
    if (e->kind) /* the first of a type wins */
        return GP_OK;
    if (kinds[i]->open) {
        gp_status st = kinds[i]->open(config ? config : "", &e->state, err);
        if (st != GP_OK)
            return gp_fail_context(err, st, "resolver %s", kinds[i]->type);
    }
    e->kind = kinds[i];
    return GP_OK;
}

static gp_status open_all(resolver_set *s, const resolver_conf *confs, size_t n,
                          const char *default_type, gp_err *err)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        gp_status st = find_kind(confs[i].type, &k, err);
        if (st == GP_OK)
            st = open_one(s, k, confs[i].config, err);
        if (st != GP_OK)
            return confs[i].where ? gp_fail_context(err, st, "%s", confs[i].where) : st;
    }
    GP_TRY(open_one(s, 0, "", err));
    GP_TRY(
        find_kind(default_type && *default_type ? default_type : "string", &s->default_index, err));
    return open_one(s, s->default_index, "", err);
}

gp_status resolver_set_new(const resolver_conf *confs, size_t n, const char *default_type,
                           resolver_set **out, gp_err *err)
{
    resolver_set *s = gp_calloc(1, sizeof *s);
    if (!s)
        return gp_fail(err, GP_ENOMEM, 0, "resolvers: out of memory");
    gp_status st = open_all(s, confs, n, default_type, err);
    if (st != GP_OK) {
        resolver_set_free(s);
        return st;
    }
    *out = s;
    return GP_OK;
}

int resolver_names_only(const resolver_set *s, const char *type)
{
    const char *t = type && *type ? type : kinds[s->default_index]->type;
    return strcmp(t, resolver_string.type) != 0;
}

static int blank(const char *s)
{
    return s[strspn(s, " \t\r\n,")] == 0;
}

gp_status resolver_resolve(const resolver_set *s, const char *type, const char *selector,
                           const resolver_known *known, resolver_hosts *out, gp_err *err)
{
    size_t k = s->default_index;
    resolver_hosts hosts = {0};
    if (type && *type)
        GP_TRY(find_kind(type, &k, err));
    if (!s->v[k].kind)
        return gp_fail(err, GP_ENOTFOUND, 0, "resolver \"%s\" is not configured here",
                       kinds[k]->type);
    if (!selector || blank(selector))
        return gp_fail(err, GP_EINVAL, 0, "the host selector is empty");
    gp_status st = s->v[k].kind->resolve(s->v[k].state, selector, known, &hosts, err);
    if (st != GP_OK) {
        resolver_hosts_clear(&hosts);
        return st;
    }
    resolver_hosts_sort(&hosts);
    *out = hosts;
    return GP_OK;
}
