/* config.c - flags over environment over file over defaults, behind typed getters. */
#include "node.h"

#include "gp/bytes.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "rt/log.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Room for the tree of the largest file: about 200 bytes a node of 8 bytes of text. */
enum { TREE_BYTES = 512 * 1024 * 1024 };

struct override {
    struct override *next;
    const char *key, *value;
};

struct warning {
    struct warning *next;
    const char *text;
};

struct rt_config {
    gp_arena *arena; /* owns everything but this struct */
    rt_node *root;
    struct override *flags;
    struct warning *warnings, **last_warning; /* in order; where the next goes */
    int use_env;
    const char *env_prefix; /* "" = none */
};

gp_status rt_config_parse(const char *name, const void *text, size_t len, rt_config **out,
                          gp_err *err)
{
    if (len > RT_CONFIG_MAX_BYTES)
        return gp_fail(err, GP_ELIMIT, 0, "%s: larger than %d bytes", name, RT_CONFIG_MAX_BYTES);
    rt_config *c = gp_calloc(1, sizeof *c);
    if (!c)
        return gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", name);
    c->env_prefix = "";
    c->last_warning = &c->warnings;
    c->arena = gp_arena_new(TREE_BYTES);
    gp_status st = c->arena ? rt_yaml_parse(name, text, len, c->arena, &c->root, err)
                            : gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", name);
    if (st != GP_OK) {
        rt_config_free(c);
        return st;
    }
    *out = c;
    return GP_OK;
}

gp_status rt_config_new(rt_config **out, gp_err *err)
{
    return rt_config_parse("configuration", "", 0, out, err);
}

gp_status rt_config_load(const char *path, rt_config **out, gp_err *err)
{
    gp_buf b = {0};
    gp_status st = gp_read_file(AT_FDCWD, path, RT_CONFIG_MAX_BYTES, &b, err);
    if (st == GP_OK)
        st = rt_config_parse(path, b.data, b.len, out, err);
    gp_buf_free(&b);
    return st;
}

void rt_config_free(rt_config *c)
{
    if (!c)
        return;
    gp_arena_free(c->arena);
    gp_free(c);
}

static const char *keep(rt_config *c, const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = gp_arena_alloc(c->arena, n, 1);
    if (p)
        memcpy(p, s, n);
    return p;
}

gp_status rt_config_use_env(rt_config *c, const char *prefix, gp_err *err)
{
    c->use_env = 1;
    c->env_prefix = keep(c, prefix ? prefix : "");
    if (!c->env_prefix) {
        c->env_prefix = "";
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    }
    return GP_OK;
}

gp_status rt_config_set(rt_config *c, const char *key, const char *value, gp_err *err)
{
    struct override *o = gp_arena_alloc(c->arena, 1, sizeof *o);
    const char *k = keep(c, key), *v = keep(c, value);
    if (!o || !k || !v)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    *o = (struct override){.next = c->flags, .key = k, .value = v};
    c->flags = o; /* the latest wins */
    return GP_OK;
}

static void env_name(const char *prefix, const char *key, char *buf, size_t cap)
{
    size_t n = 0;
    for (; *prefix && n + 1 < cap; prefix++)
        buf[n++] = *prefix;
    for (; *key && n + 2 < cap; key++) {
        if (*key == '.') {
            buf[n++] = '_';
        } else if (*key == '-') {
            buf[n++] = '_';
            buf[n++] = '_';
        } else {
            buf[n++] = (char)toupper((unsigned char)*key);
        }
    }
    buf[n] = 0;
}

/* A value from flag or environment; source (for errors) is filled. NULL: look into the file. */
static const char *overridden(rt_config *c, const char *key, char *source, size_t cap)
{
    for (const struct override *o = c->flags; o; o = o->next) {
        if (strcasecmp(o->key, key) == 0) {
            snprintf(source, cap, "--%s", key);
            return o->value;
        }
    }
    for (int i = 0; c->use_env && i < 2; i++) {
        char name[256];
        if (i == 0 && !*c->env_prefix)
            continue;
        env_name(i == 0 ? c->env_prefix : "", key, name, sizeof name);
        const char *v = getenv(name);
        if (v && *v) {
            snprintf(source, cap, "environment variable %s", name);
            return v;
        }
    }
    return NULL;
}

const rt_node *rt_config_root(rt_config *c)
{
    return c->root;
}

const rt_node *rt_config_node(rt_config *c, const char *key)
{
    const rt_node *n = c->root;
    char part[128];
    while (n && *key) {
        size_t len = strcspn(key, ".");
        if (len >= sizeof part)
            return NULL;
        memcpy(part, key, len);
        part[len] = 0;
        n = rt_node_get(n, part);
        key += len + (key[len] == '.');
    }
    return n;
}

/* Both at once: what overrides the file, and its node, which is known from then on even when it
 * does not count. */
static const char *look_up(rt_config *c, const char *key, char *source, size_t cap,
                           const rt_node **node)
{
    *node = rt_config_node(c, key);
    return overridden(c, key, source, cap);
}

int rt_config_has(rt_config *c, const char *key)
{
    char source[320];
    const rt_node *node;
    return look_up(c, key, source, sizeof source, &node) != NULL || rt_node_kind(node) != RT_NULL;
}

gp_status rt_config_str(rt_config *c, const char *key, const char *def, const char **out,
                        gp_err *err)
{
    char source[320];
    const rt_node *node;
    const char *v = look_up(c, key, source, sizeof source, &node);
    if (!v)
        return rt_node_str(node, def, out, err);
    *out = v;
    return GP_OK;
}

gp_status rt_config_bool(rt_config *c, const char *key, int def, int *out, gp_err *err)
{
    char source[320];
    const rt_node *node;
    const char *v = look_up(c, key, source, sizeof source, &node);
    return v ? rt_text_bool(source, v, out, err) : rt_node_bool(node, def, out, err);
}

gp_status rt_config_i64(rt_config *c, const char *key, int64_t def, int64_t min, int64_t max,
                        int64_t *out, gp_err *err)
{
    char source[320];
    const rt_node *node;
    const char *v = look_up(c, key, source, sizeof source, &node);
    return v ? rt_text_i64(source, v, min, max, out, err)
             : rt_node_i64(node, def, min, max, out, err);
}

gp_status rt_config_f64(rt_config *c, const char *key, double def, double min, double max,
                        double *out, gp_err *err)
{
    char source[320];
    const rt_node *node;
    const char *v = look_up(c, key, source, sizeof source, &node);
    return v ? rt_text_f64(source, v, min, max, out, err)
             : rt_node_f64(node, def, min, max, out, err);
}

gp_status rt_config_duration(rt_config *c, const char *key, int64_t def_ns, int64_t min_ns,
                             int64_t max_ns, int64_t *out_ns, gp_err *err)
{
    char source[320];
    const rt_node *node;
    const char *v = look_up(c, key, source, sizeof source, &node);
    return v ? rt_text_duration(source, v, min_ns, max_ns, out_ns, err)
             : rt_node_duration(node, def_ns, min_ns, max_ns, out_ns, err);
}

gp_status rt_config_bytes(rt_config *c, const char *key, uint64_t def, uint64_t min, uint64_t max,
                          uint64_t *out, gp_err *err)
{
    char source[320];
    const rt_node *node;
    const char *v = look_up(c, key, source, sizeof source, &node);
    return v ? rt_text_bytes(source, v, min, max, out, err)
             : rt_node_bytes(node, def, min, max, out, err);
}

gp_status rt_config_choice(rt_config *c, const char *key, const char *const *names, size_t n,
                           size_t def, size_t *out, gp_err *err)
{
    const char *v;
    gp_buf all = {.limit = 200};
    GP_TRY(rt_config_str(c, key, NULL, &v, err));
    if (!v || !*v) {
        *out = def;
        return GP_OK;
    }
    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(names[i], v) == 0) {
            *out = i;
            return GP_OK;
        }
    }
    for (size_t i = 0; i < n; i++)
        gp_buf_printf(&all, "%s%s", i ? ", " : "", names[i]);
    const char *list = gp_buf_str(&all);
    gp_status st = rt_config_fail(c, key, err, "expected one of %s, got \"%s\"",
                                  list ? list : "the documented names", v);
    gp_buf_free(&all);
    return st;
}

static gp_status split(rt_config *c, const char *v, const char *const **out, size_t *n, gp_err *err)
{
    size_t cap = 1, k = 0;
    for (const char *p = v; *p; p++)
        cap += *p == ',';
    const char **list = gp_arena_alloc(c->arena, cap, sizeof *list);
    if (!list)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    while (*v) {
        size_t len = strcspn(v, ","), a = 0, b = len;
        while (a < b && isspace((unsigned char)v[a]))
            a++;
        while (b > a && isspace((unsigned char)v[b - 1]))
            b--;
        if (b > a) {
            char *s = gp_arena_alloc(c->arena, b - a + 1, 1);
            if (!s)
                return gp_fail(err, GP_ENOMEM, 0, "out of memory");
            memcpy(s, v + a, b - a);
            list[k++] = s;
        }
        v += len + (v[len] == ',');
    }
    *out = list;
    *n = k;
    return GP_OK;
}

gp_status rt_config_list(rt_config *c, const char *key, const char *const **out, size_t *n,
                         gp_err *err)
{
    char source[320];
    const rt_node *node;
    const char *v = look_up(c, key, source, sizeof source, &node);
    if (v)
        rt_node_mark(node); /* its entries are as known as it is */
    else if (rt_node_kind(node) != RT_LIST) {
        GP_TRY(rt_node_str(node, "", &v, err)); /* a map is an error here */
    }
    if (v)
        return split(c, v, out, n, err);
    const char **list = gp_arena_alloc(c->arena, node->n + 1, sizeof *list);
    if (!list)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    for (size_t i = 0; i < node->n; i++) {
        GP_TRY(rt_node_str(rt_node_at(node, i), NULL, &list[i], err));
        if (!list[i])
            return rt_node_fail(node->values[i], err, "expected text, got nothing");
    }
    *out = list;
    *n = node->n;
    return GP_OK;
}

gp_status rt_config_fail(rt_config *c, const char *key, gp_err *err, const char *fmt, ...)
{
    char text[200], source[320];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (overridden(c, key, source, sizeof source))
        return gp_fail(err, GP_EINVAL, 0, "%s: %s", source, text);
    const rt_node *n = rt_config_node(c, key);
    if (n)
        return rt_node_fail(n, err, "%s", text);
    return gp_fail(err, GP_EINVAL, 0, "%s: %s", key, text);
}

static gp_status check_below(const rt_node *n, int strict, gp_err *err)
{
    for (size_t i = 0; i < rt_node_count(n); i++) {
        const rt_node *v = n->values[i];
        if (v->no_map)
            return rt_node_fail(v, err, "expected settings below it, got a %s",
                                v->kind == RT_LIST ? "list" : "single value");
        if (!v->used && strict)
            return rt_node_fail(v, err, "unknown key");
        if (v->used)
            GP_TRY(check_below(v, strict, err));
    }
    return GP_OK;
}

gp_status rt_config_check(rt_config *c, int strict, gp_err *err)
{
    return check_below(c->root, strict, err);
}

static size_t unused_below(const rt_node *n, void (*fn)(void *, const char *, unsigned), void *ctx)
{
    size_t count = 0;
    for (size_t i = 0; i < rt_node_count(n); i++) {
        const rt_node *v = n->values[i];
        if (!v->used) {
            count++;
            if (fn)
                fn(ctx, v->path, v->line);
        } else {
            count += unused_below(v, fn, ctx);
        }
    }
    return count;
}

size_t rt_config_unused(rt_config *c, void (*fn)(void *ctx, const char *path, unsigned line),
                        void *ctx)
{
    return unused_below(c->root, fn, ctx);
}

void rt_config_warn(rt_config *c, const char *key, const char *text)
{
    struct warning *w = gp_arena_alloc(c->arena, 1, sizeof *w);
    gp_err e = {0};

    (void)rt_config_fail(c, key, &e, "%s", text);
    const char *kept = keep(c, e.msg);
    if (!w || !kept)
        return;
    *w = (struct warning){.text = kept};
    *c->last_warning = w;
    c->last_warning = &w->next;
}

/* Who hears of a key that nobody asked for. */
struct listener {
    const char *file;
    void (*fn)(void *ctx, const char *text);
    void *ctx;
};

static void warn_unused(void *ctx, const char *path, unsigned line)
{
    const struct listener *l = ctx;
    gp_err e = {0};

    (void)gp_fail(&e, GP_EINVAL, 0, "%s:%u: %s: unknown key, ignored", l->file, line, path);
    l->fn(l->ctx, e.msg);
}

void rt_config_warnings(rt_config *c, void (*fn)(void *ctx, const char *text), void *ctx)
{
    struct listener l = {c->root->file, fn, ctx};

    for (const struct warning *w = c->warnings; w; w = w->next)
        fn(ctx, w->text);
    (void)rt_config_unused(c, warn_unused, &l);
}

static void log_warning(void *ctx, const char *text)
{
    (void)ctx;
    rt_warn("configuration", RT_S("note", text));
}

void rt_config_log_warnings(rt_config *c)
{
    rt_config_warnings(c, log_warning, NULL);
}

static void print_warning(void *ctx, const char *text)
{
    const char *const *program = ctx;
    fprintf(stderr, "%s: warning: %s\n", *program, text);
}

void rt_config_print_warnings(rt_config *c, const char *program)
{
    rt_config_warnings(c, print_warning, &program);
}
