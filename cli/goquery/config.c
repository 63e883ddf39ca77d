/* config.c - configuration file (.yaml, .json, .toml, .env) and environment into options. */
#include "config.h"

#include "gp/io.h"
#include "rt/config.h"
#include "toml.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_KEY = 128 };

typedef struct settings {
    goquery_opts *o;
    const cli_line *line;
    gp_arena *arena;
    const char *source; /* file name, for messages */
    int from_env_file;  /* keys may be written as environment variables */
} settings;

static char *keep(gp_arena *a, const char *s, size_t n)
{
    char *p = gp_arena_alloc(a, n + 1, 1);
    if (p)
        memcpy(p, s, n);
    return p;
}

/* Set one option from text if it may be set and no flag did. */
static gp_status apply(settings *s, const cli_opt *opt, const char *value, const char *source,
                       gp_err *err)
{
    if (!(opt->flags & CLI_CONFIG) || cli_given(s->line, opt->name))
        return GP_OK;
    char *text = keep(s->arena, value, strlen(value));
    if (!text)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    return cli_set(opt, text, s->o, source, err);
}

/* "db.path" to "DB.PATH", and with underscores to "DB_PATH". */
static void env_name(const char *key, int underscores, char *buf, size_t cap)
{
    size_t i = 0;
    for (; key[i] && i + 1 < cap; i++)
        buf[i] = underscores && (key[i] == '.' || key[i] == '-')
                     ? '_'
                     : (char)toupper((unsigned char)key[i]);
    buf[i] = '\0';
}

static const cli_opt *find_env(const cli_line *line, const char *key)
{
    for (const cli_opt *o = goquery_root.opts; o->name; o++) {
        char name[MAX_KEY];
        env_name(o->name, 1, name, sizeof name);
        if (strcasecmp(name, key) == 0)
            return cli_find(line, o->name);
    }
    return NULL;
}

/* A setting of the file; keys nobody knows are ignored. */
static gp_status on_setting(void *ctx, const char *key, const char *value, unsigned line,
                            gp_err *err)
{
    settings *s = ctx;
    char source[300];
    const cli_opt *o = cli_find(s->line, key);
    if (!o && s->from_env_file)
        o = find_env(s->line, key);
    if (!o)
        return GP_OK;
    if (line)
        snprintf(source, sizeof source, "%s, line %u", s->source, line);
    else
        snprintf(source, sizeof source, "%s", s->source);
    return apply(s, o, value, source, err);
}

/* All scalars below a node of YAML. */
static gp_status walk(settings *s, const rt_node *n, const char *key, gp_err *err)
{
    if (rt_node_kind(n) == RT_SCALAR) {
        const char *text = NULL;
        GP_TRY(rt_node_str(n, NULL, &text, err));
        return text ? on_setting(s, key, text, rt_node_line(n), err) : GP_OK;
    }
    for (size_t i = 0; rt_node_kind(n) == RT_MAP && i < rt_node_count(n); i++) {
        char sub[MAX_KEY];
        int len = snprintf(sub, sizeof sub, "%s%s%s", key, *key ? "." : "", rt_node_key(n, i));
        if (len > 0 && (size_t)len < sizeof sub)
            GP_TRY(walk(s, rt_node_at(n, i), sub, err));
    }
    return GP_OK;
}

static gp_status load_tree(settings *s, gp_err *err)
{
    GP_CLEANUP(rt_config_freep) rt_config *c = NULL;
    GP_TRY(rt_config_load(s->source, &c, err));
    return walk(s, rt_config_root(c), "", err);
}

static gp_status load_flat(settings *s,
                           gp_status (*parse)(const char *, size_t, goquery_setting_fn, void *,
                                              gp_err *),
                           gp_err *err)
{
    gp_buf b = {0};
    gp_status st = gp_read_file(AT_FDCWD, s->source, GOQUERY_CONFIG_MAX_BYTES, &b, err);
    if (st == GP_OK) {
        st = parse(b.len ? (const char *)b.data : "", b.len, on_setting, s, err);
        if (st != GP_OK && !strstr(err->msg, s->source))
            st = gp_fail_context(err, st, "%s", s->source);
    }
    gp_buf_free(&b);
    return st;
}

static gp_status load_file(settings *s, gp_err *err)
{
    const char *slash = strrchr(s->source, '/'), *base = slash ? slash + 1 : s->source;
    const char *ext = strrchr(base, '.');
    ext = ext ? ext + 1 : "";
    if (strcasecmp(ext, "yaml") == 0 || strcasecmp(ext, "yml") == 0)
        return load_tree(s, err);
    if (strcasecmp(ext, "json") == 0)
        return load_flat(s, goquery_json, err);
    if (strcasecmp(ext, "toml") == 0)
        return load_flat(s, goquery_toml, err);
    if (strcasecmp(ext, "env") == 0 || strcasecmp(ext, "dotenv") == 0) {
        s->from_env_file = 1;
        return load_flat(s, goquery_dotenv, err);
    }
    return gp_fail(
        err, GP_EINVAL, 0,
        "%.150s: unsupported type of configuration file \"%.20s\": expected .yaml, .yml, "
        ".json, .toml or .env",
        s->source, ext);
}

/* DB.PATH, which only env(1) and programs can set, and DB_PATH. */
static gp_status load_env(settings *s, gp_err *err)
{
    for (const cli_opt *o = goquery_root.opts; o->name; o++) {
        char name[MAX_KEY];
        if (!(o->flags & CLI_CONFIG) || cli_find(s->line, o->name) != o)
            continue;
        for (int underscores = 0; underscores < 2; underscores++) {
            env_name(o->name, underscores, name, sizeof name);
            const char *value = getenv(name);
            if (!value || !*value)
                continue;
            GP_TRY(apply(s, o, value, name, err));
            break;
        }
    }
    return GP_OK;
}

/* Without white space around it (from 4.2.8 on). NULL if out of memory. */
static const char *trim(gp_arena *a, const char *s)
{
    size_t n = strlen(s);
    while (n && isspace((unsigned char)s[n - 1]))
        n--;
    while (n && isspace((unsigned char)*s)) {
        s++;
        n--;
    }
    return keep(a, s, n);
}

gp_status goquery_config(goquery_opts *o, const cli_line *line, gp_arena *arena, gp_err *err)
{
    settings s = {.o = o, .line = line, .arena = arena, .source = o->config};
    if (*o->config) {
        GP_TRY(load_file(&s, err));
        GP_TRY(load_env(&s, err));
    }
    o->db_path = trim(arena, o->db_path);
    o->server_addr = trim(arena, o->server_addr);
    if (!o->db_path || !o->server_addr)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    return GP_OK;
}
