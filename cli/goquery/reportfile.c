/* reportfile.c - report files: every key is known by a table, errors name file, line and key. */
#include "reportfile.h"

#include "gp/io.h"
#include "gp/mem.h"
#include "query/suggest.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { MAX_STORED_BYTES = 4 << 20 };

typedef enum kind { TEXT, FLAG, COUNT, NUMBER, DURATION } kind;

/* The arguments that a report may set, named as in stored queries (query.md 9.1). */
static const struct member {
    const char *key;
    kind kind;
    size_t at; /* in query_args */
} members[] = {
    {"query", TEXT, offsetof(query_args, query)},
    {"ifaces", TEXT, offsetof(query_args, ifaces)},
    {"query_hosts", TEXT, offsetof(query_args, query_hosts)},
    {"query_hosts_resolver_type", TEXT, offsetof(query_args, hosts_resolver)},
    {"condition", TEXT, offsetof(query_args, condition)},
    {"in", FLAG, offsetof(query_args, in)},
    {"out", FLAG, offsetof(query_args, out)},
    {"sum", FLAG, offsetof(query_args, sum)},
    {"first", TEXT, offsetof(query_args, first)},
    {"last", TEXT, offsetof(query_args, last)},
    {"time_resolution", TEXT, offsetof(query_args, time_resolution)},
    {"sort_by", TEXT, offsetof(query_args, sort_by)},
    {"sort_ascending", FLAG, offsetof(query_args, sort_ascending)},
    {"num_results", COUNT, offsetof(query_args, num_results)},
    {"dns_resolution.enabled", FLAG, offsetof(query_args, dns_enabled)},
    {"dns_resolution.timeout", DURATION, offsetof(query_args, dns_timeout_ns)},
    {"dns_resolution.max_rows", NUMBER, offsetof(query_args, dns_max_rows)},
    {"max_mem_pct", NUMBER, offsetof(query_args, max_mem_pct)},
    {"low_mem", FLAG, offsetof(query_args, low_mem)},
    {"merge_hosts", FLAG, offsetof(query_args, merge_hosts)},
};

/* "a" or "a.b" below a map; NULL if absent. */
static const rt_node *find(const rt_node *map, const char *key)
{
    char first[64];
    const char *dot = strchr(key, '.');
    if (!dot)
        return rt_node_get(map, key);
    snprintf(first, sizeof first, "%.*s", (int)(dot - key), key);
    return rt_node_get(rt_node_get(map, first), dot + 1);
}

static gp_status set_member(const struct member *m, const rt_node *n, query_args *a, gp_err *err)
{
    char *at = (char *)a + m->at;
    void *p = at;
    const char *text;
    int64_t number;
    switch (m->kind) {
    case TEXT:
        GP_TRY(rt_node_str(n, "", &text, err));
        return query_args_set(p, text);
    case FLAG:
        return rt_node_bool(n, 0, p, err);
    case COUNT:
        GP_TRY(rt_node_i64(n, 0, 1, INT64_MAX, &number, err));
        *(uint64_t *)p = (uint64_t)number;
        return GP_OK;
    case NUMBER:
        return rt_node_i64(n, 0, 0, INT64_MAX, p, err);
    case DURATION:
        return rt_node_duration(n, 0, 0, INT64_MAX, p, err);
    }
    return GP_OK;
}

static gp_status set_members(const rt_node *map, query_args *a, gp_err *err)
{
    for (size_t i = 0; i < GP_COUNT(members); i++) {
        const rt_node *n = find(map, members[i].key);
        if (n)
            GP_TRY(set_member(&members[i], n, a, err));
    }
    return GP_OK;
}

/* What the command line says wins. */
static gp_status set_top(query_args *a, const query_args *top)
{
    for (size_t i = 0; i < GP_COUNT(members); i++) {
        char *const *from = (char *const *)(const void *)((const char *)top + members[i].at);
        void *to = (char *)a + members[i].at;
        if (members[i].kind == TEXT && *from && **from)
            GP_TRY(query_args_set(to, *from));
    }
    return GP_OK;
}

/* `stored: FILE`, relative to the report file: a JSON object as for --stored-query. */
static gp_status load_stored(const char *path, const rt_node *n, query_args *a, gp_err *err)
{
    const char *name, *slash = strrchr(path, '/');
    gp_err why = {0};
    gp_buf b = {0};
    GP_TRY(rt_node_str(n, "", &name, err));
    GP_CLEANUP(gp_freep)
    char *full = *name == '/' || !slash ? gp_strdup(name)
                                        : gp_asprintf("%.*s/%s", (int)(slash - path), path, name);
    if (!full)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    gp_status st = gp_read_file(AT_FDCWD, full, MAX_STORED_BYTES, &b, &why);
    if (st == GP_OK)
        st = query_args_from_json(a, b.len ? b.data : (const uint8_t *)"", b.len, &why);
    gp_buf_free(&b);
    return st == GP_OK ? GP_OK : rt_node_fail(n, err, "%s: %s", full, why.msg);
}

static gp_status load_chart(const rt_node *map, report_query *q, gp_err *err)
{
    static const char *const names[] = {"auto", "none", "time", "bars"};
    const rt_node *n = rt_node_get(map, "chart"), *table = rt_node_get(map, "table");
    const char *text;
    GP_TRY(rt_node_str(n, "auto", &text, err));
    q->table = -1;
    if (table)
        GP_TRY(rt_node_bool(table, 1, &q->table, err));
    for (size_t i = 0; i < GP_COUNT(names); i++)
        if (strcmp(text, names[i]) == 0) {
            q->chart = (report_chart)i;
            return GP_OK;
        }
    return rt_node_fail(n, err, "expected auto, none, time or bars, got \"%.40s\"", text);
}

static gp_status load_query(const char *path, const rt_node *map, const query_args *defaults,
                            const query_args *top, report_query *q, gp_err *err)
{
    const rt_node *stored = rt_node_get(map, "stored");
    if (rt_node_kind(map) != RT_MAP)
        return rt_node_fail(map, err, "expected a query with title and arguments");
    GP_TRY(query_args_copy(&q->args, defaults));
    if (stored)
        GP_TRY(load_stored(path, stored, &q->args, err));
    GP_TRY(set_members(map, &q->args, err));
    q->limited = stored || rt_node_get(map, "num_results");
    GP_TRY(set_top(&q->args, top));
    GP_TRY(rt_node_str(rt_node_get(map, "title"), "", &q->title, err));
    GP_TRY(rt_node_str(rt_node_get(map, "description"), "", &q->about, err));
    if (!*q->title)
        return rt_node_fail(map, err, "title: expected a text, nothing is given");
    if (!q->args.query || !*q->args.query)
        return rt_node_fail(map, err,
                            "query: expected a query type such as sip,dip, nothing is "
                            "given");
    return load_chart(map, q, err);
}

typedef struct unused {
    char path[128];
    unsigned line;
} unused;

static void on_unused(void *ctx, const char *path, unsigned line)
{
    unused *u = ctx;
    if (u->line == 0 || line < u->line) {
        u->line = line;
        snprintf(u->path, sizeof u->path, "%s", path);
    }
}

static gp_status check_unused(const char *path, rt_config *conf, gp_err *err)
{
    static const char *const others[] = {"title", "description", "defaults", "queries",
                                         "chart", "table",       "stored",   "dns_resolution"};
    const char *known[GP_COUNT(members) + GP_COUNT(others)];
    unused u = {0};
    if (rt_config_unused(conf, on_unused, &u) == 0)
        return GP_OK;
    for (size_t i = 0; i < GP_COUNT(others); i++)
        known[i] = others[i];
    for (size_t i = 0; i < GP_COUNT(members); i++)
        known[GP_COUNT(others) + i] = members[i].key;
    const char *dot = strrchr(u.path, '.');
    const char *near = query_suggest(dot ? dot + 1 : u.path, known, GP_COUNT(known));
    return gp_fail(err, GP_EINVAL, 0, "%s:%u: %s: unknown key%s%s%s", path, u.line, u.path,
                   near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

gp_status report_file_load(const char *path, const query_args *base, const query_args *top,
                           report_file *out, gp_err *err)
{
    query_args defaults = {0};
    GP_TRY(rt_config_load(path, &out->conf, err));
    GP_TRY(rt_config_str(out->conf, "title", "Network traffic", &out->title, err));
    GP_TRY(rt_config_str(out->conf, "description", "", &out->about, err));
    const rt_node *list = rt_config_node(out->conf, "queries");
    size_t n = rt_node_count(list);
    if (rt_node_kind(list) != RT_LIST || n == 0 || n > REPORT_MAX_QUERIES)
        return gp_fail(err, GP_EINVAL, 0, "%s:%u: queries: expected a list of 1 to %d queries",
                       path, list ? rt_node_line(list) : 1, REPORT_MAX_QUERIES);
    out->v = gp_calloc(n, sizeof *out->v);
    if (!out->v)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    gp_status st = query_args_copy(&defaults, base);
    if (st == GP_OK)
        st = set_members(rt_config_node(out->conf, "defaults"), &defaults, err);
    for (size_t i = 0; st == GP_OK && i < n; i++) {
        out->n = i + 1;
        st = load_query(path, rt_node_at(list, i), &defaults, top, &out->v[i], err);
    }
    query_args_clear(&defaults);
    return st == GP_OK ? check_unused(path, out->conf, err) : st;
}

void report_file_free(report_file *f)
{
    for (size_t i = 0; i < f->n; i++)
        query_args_clear(&f->v[i].args);
    gp_free(f->v);
    rt_config_free(f->conf);
    *f = (report_file){0};
}
