/* hostfile.c - the resolvers "file" (a list of hosts with groups) and "static" (a fixed list).
 *
 * A host list, one entry a line:
 *   # comment
 *   fw1.zrh                     a host; ranges are fine: fw[01-20].zrh
 *   @dmz: edge-1, edge-[2-4]    a group; its members are hosts of the list, too
 *   @all-fw: @zrh, fw9.gva      groups may hold groups that stand above them */
#include "kinds.h"

#include "gp/io.h"
#include "gp/mem.h"
#include "rt/config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE = 16 * 1024 * 1024, MAX_GROUPS = 4096 };

struct group {
    char *name;
    resolver_hosts members; /* sorted */
};

struct hostfile {
    resolver_hosts all; /* sorted */
    struct group *groups;
    size_t n_groups, cap_groups;
};

static void close_file(void *state)
{
    struct hostfile *f = state;
    if (!f)
        return;
    for (size_t i = 0; i < f->n_groups; i++) {
        gp_free(f->groups[i].name);
        resolver_hosts_clear(&f->groups[i].members);
    }
    gp_free(f->groups);
    resolver_hosts_clear(&f->all);
    gp_free(f);
}

static struct group *find_group(const struct hostfile *f, const char *name)
{
    for (size_t i = 0; i < f->n_groups; i++) {
        if (strcmp(f->groups[i].name, name) == 0)
            return &f->groups[i];
    }
    return NULL;
}

/* ---- as a set of known hosts ---- */

static const char *file_id(void *ctx, size_t i)
{
    const struct hostfile *f = ctx;
    return f->all.v[i];
}

static int cmp_name(const void *key, const void *elem)
{
    return strcmp(key, *(char *const *)elem);
}

static int file_in_group(void *ctx, size_t i, const char *group)
{
    const struct hostfile *f = ctx;
    const struct group *g = find_group(f, group);
    return g && g->members.n &&
           bsearch(f->all.v[i], g->members.v, g->members.n, sizeof *g->members.v, cmp_name) != NULL;
}

static resolver_known known_of(const struct hostfile *f)
{
    union {
        const struct hostfile *c;
        void *m;
    } u = {.c = f};
    return (resolver_known){.ctx = u.m, .n = f->all.n, .id = file_id, .in_group = file_in_group};
}

static gp_status resolve_file(const void *state, const char *selector, const resolver_known *known,
                              resolver_hosts *out, gp_err *err)
{
    resolver_known own = known_of(state);
    (void)known;
    return resolver_select(selector, &own, out, err);
}

/* ---- reading ---- */

/* Members: the selector grammar, in which groups mean those read so far. */
static gp_status add_hosts(struct hostfile *f, const char *text, resolver_hosts *out, gp_err *err)
{
    resolver_known known = known_of(f);
    GP_TRY(resolver_select(text, &known, out, err));
    for (size_t i = 0; i < out->n; i++)
        GP_TRY(resolver_hosts_add(&f->all, out->v[i], err));
    resolver_hosts_sort(out);
    resolver_hosts_sort(&f->all);
    return GP_OK;
}

static gp_status add_group(struct hostfile *f, char *line, gp_err *err)
{
    char *colon = strchr(line, ':');
    if (!colon || colon == line + 1)
        return gp_fail(err, GP_EINVAL, 0, "expected \"@group: host, host\"");
    *colon = 0;
    char *name = line + 1;
    name[strcspn(name, " \t")] = 0;
    if (find_group(f, name))
        return gp_fail(err, GP_EINVAL, 0, "group @%s appears twice", name);
    if (f->n_groups == MAX_GROUPS)
        return gp_fail(err, GP_ELIMIT, 0, "more than %d groups", MAX_GROUPS);
    if (f->n_groups == f->cap_groups) {
        size_t cap = f->cap_groups ? 2 * f->cap_groups : 16;
        struct group *g = gp_realloc(f->groups, cap, sizeof *g);
        if (!g)
            return gp_fail(err, GP_ENOMEM, 0, "out of memory");
        f->groups = g;
        f->cap_groups = cap;
    }
    struct group g = {.name = gp_strdup(name)};
    gp_status st = g.name ? add_hosts(f, colon + 1, &g.members, err)
                          : gp_fail(err, GP_ENOMEM, 0, "out of memory");
    if (st != GP_OK) {
        gp_free(g.name);
        resolver_hosts_clear(&g.members);
        return st;
    }
    f->groups[f->n_groups++] = g;
    return GP_OK;
}

static gp_status add_line(struct hostfile *f, char *line, gp_err *err)
{
    resolver_hosts hosts = {0};
    line[strcspn(line, "#\r")] = 0;
    line += strspn(line, " \t");
    if (!*line)
        return GP_OK;
    if (*line == '@' && strchr(line, ':'))
        return add_group(f, line, err);
    gp_status st = add_hosts(f, line, &hosts, err);
    if (st == GP_OK && hosts.n == 0)
        st = gp_fail(err, GP_EINVAL, 0,
                     "names no host (exclusions hold for their own line, globs for lines above)");
    resolver_hosts_clear(&hosts);
    return st;
}

static gp_status read_lines(struct hostfile *f, const char *path, char *text, gp_err *err)
{
    unsigned no = 1;
    for (char *line = text, *next; line; line = next, no++) {
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        gp_status st = add_line(f, line, err);
        if (st != GP_OK)
            return gp_fail_context(err, st, "%s:%u", path, no);
    }
    return GP_OK;
}

static gp_status open_file(const char *config, void **state, gp_err *err)
{
    gp_buf b = {0};
    if (!*config)
        return gp_fail(err, GP_EINVAL, 0, "needs a host list (hosts.resolvers: config)");
    struct hostfile *f = gp_calloc(1, sizeof *f);
    if (!f)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    gp_status st = gp_read_file(AT_FDCWD, config, MAX_FILE, &b, err);
    if (st == GP_OK && memchr(b.data ? b.data : (const uint8_t *)"", 0, b.len))
        st = gp_fail(err, GP_EINVAL, 0, "%s: not a text file", config);
    char *text = st == GP_OK ? gp_buf_take(&b) : NULL;
    if (st == GP_OK)
        st = text ? read_lines(f, config, text, err) : gp_fail(err, GP_ENOMEM, 0, "out of memory");
    gp_free(text);
    gp_buf_free(&b);
    if (st != GP_OK) {
        close_file(f);
        return st;
    }
    *state = f;
    return GP_OK;
}

const resolver_kind resolver_file = {
    .type = "file", .open = open_file, .resolve = resolve_file, .close = close_file};

/* ---- static: always the same list (fleet.md 2) ---- */

static gp_status read_ids(const char *config, struct hostfile *f, gp_err *err)
{
    rt_config *c = NULL;
    const char *const *ids;
    size_t n;
    GP_TRY(rt_config_load(config, &c, err));
    gp_status st = rt_config_list(c, "ids", &ids, &n, err);
    if (st == GP_OK && n == 0)
        st = gp_fail(err, GP_EINVAL, 0, "%s: ids: expected a list of host IDs", config);
    if (st == GP_OK)
        st = rt_config_check(c, 1, err);
    for (size_t i = 0; st == GP_OK && i < n; i++)
        st = resolver_is_host(ids[i])
                 ? resolver_hosts_add(&f->all, ids[i], err)
                 : rt_config_fail(c, "ids", err, "\"%.60s\" can't be a host ID", ids[i]);
    rt_config_free(c);
    return st;
}

static gp_status open_static(const char *config, void **state, gp_err *err)
{
    struct hostfile *f = gp_calloc(1, sizeof *f);
    if (!f)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    gp_status st = *config ? read_ids(config, f, err) : GP_OK; /* without a file: no hosts */
    if (st != GP_OK) {
        close_file(f);
        return st;
    }
    *state = f;
    return GP_OK;
}

static gp_status resolve_static(const void *state, const char *selector,
                                const resolver_known *known, resolver_hosts *out, gp_err *err)
{
    const struct hostfile *f = state;
    (void)selector;
    (void)known;
    for (size_t i = 0; i < f->all.n; i++)
        GP_TRY(resolver_hosts_add(out, f->all.v[i], err));
    return GP_OK;
}

const resolver_kind resolver_static = {
    .type = "static", .open = open_static, .resolve = resolve_static, .close = close_file};
