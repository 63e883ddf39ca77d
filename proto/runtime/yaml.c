/* yaml.c - libyaml documents to rt_node trees, with limits on size, depth and nodes. */
#include "node.h"

#include "gp/bytes.h"
#include "gp/mem.h"

#include <string.h>
#include <yaml.h>

struct conv {
    yaml_document_t *doc;
    gp_arena *arena;
    const char *file;
    gp_err *err;
};

static gp_status conv_node(struct conv *c, int id, const char *path, int depth, rt_node **out);

static gp_status no_memory(struct conv *c)
{
    return gp_fail(c->err, GP_ELIMIT, 0, "%s: too large when its aliases are expanded", c->file);
}

static const char *arena_text(gp_arena *a, const void *s, size_t len)
{
    char *p = gp_arena_alloc(a, len + 1, 1);
    if (p)
        memcpy(p, s, len);
    return p;
}

static const char *join_path(struct conv *c, const char *path, const char *key)
{
    size_t a = strlen(path), b = strlen(key);
    char *p = gp_arena_alloc(c->arena, a + b + 2, 1);
    if (!p)
        return NULL;
    memcpy(p, path, a);
    if (a)
        p[a++] = '.';
    memcpy(p + a, key, b);
    return p;
}

static int plain_null(const yaml_node_t *y)
{
    const char *s = (const char *)y->data.scalar.value;
    return y->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (*s == 0 || strcmp(s, "~") == 0 || strcmp(s, "null") == 0 || strcmp(s, "Null") == 0 ||
            strcmp(s, "NULL") == 0);
}

static gp_status conv_scalar(struct conv *c, const yaml_node_t *y, rt_node *n)
{
    size_t len = y->data.scalar.length;
    if (memchr(y->data.scalar.value, 0, len))
        return rt_node_fail(n, c->err, "a NUL character is not allowed");
    if (plain_null(y)) {
        n->kind = RT_NULL;
        return GP_OK;
    }
    n->kind = RT_SCALAR;
    n->text = arena_text(c->arena, y->data.scalar.value, len);
    return n->text ? GP_OK : no_memory(c);
}

static gp_status conv_list(struct conv *c, const yaml_node_t *y, rt_node *n, int depth)
{
    n->kind = RT_LIST;
    size_t count = (size_t)(y->data.sequence.items.top - y->data.sequence.items.start);
    n->values = gp_arena_alloc(c->arena, count + 1, sizeof *n->values);
    if (!n->values)
        return no_memory(c);
    for (size_t i = 0; i < count; i++) {
        char idx[32];
        snprintf(idx, sizeof idx, "%zu", i);
        const char *path = join_path(c, n->path, idx);
        if (!path)
            return no_memory(c);
        GP_TRY(conv_node(c, y->data.sequence.items.start[i], path, depth + 1, &n->values[i]));
        n->n = i + 1;
    }
    return GP_OK;
}

static int cmp_str(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const rt_node *last_of(const rt_node *n, const char *key)
{
    size_t i = n->n;
    while (strcmp(n->keys[--i], key) != 0)
        ;
    return n->values[i];
}

/* Sorted copy instead of comparing all pairs: endpoint tables have thousands of keys. */
static gp_status check_duplicates(struct conv *c, const rt_node *n)
{
    if (n->n < 2)
        return GP_OK;
    GP_CLEANUP(gp_freep) const char **s = gp_alloc(n->n, sizeof *s);
    if (!s)
        return gp_fail(c->err, GP_ENOMEM, 0, "%s: out of memory", c->file);
    memcpy(s, n->keys, n->n * sizeof *s);
    qsort(s, n->n, sizeof *s, cmp_str);
    for (size_t i = 1; i < n->n; i++) {
        if (strcmp(s[i - 1], s[i]) == 0)
            return rt_node_fail(last_of(n, s[i]), c->err, "appears twice");
    }
    return GP_OK;
}

static gp_status conv_map(struct conv *c, const yaml_node_t *y, rt_node *n, int depth)
{
    n->kind = RT_MAP;
    size_t count = (size_t)(y->data.mapping.pairs.top - y->data.mapping.pairs.start);
    n->values = gp_arena_alloc(c->arena, count + 1, sizeof *n->values);
    n->keys = gp_arena_alloc(c->arena, count + 1, sizeof *n->keys);
    if (!n->values || !n->keys)
        return no_memory(c);
    for (size_t i = 0; i < count; i++) {
        const yaml_node_pair_t *p = y->data.mapping.pairs.start + i;
        const yaml_node_t *k = yaml_document_get_node(c->doc, p->key);
        if (!k || k->type != YAML_SCALAR_NODE ||
            memchr(k->data.scalar.value, 0, k->data.scalar.length))
            return rt_node_fail(n, c->err, "keys must be plain text");
        n->keys[i] = arena_text(c->arena, k->data.scalar.value, k->data.scalar.length);
        const char *path = n->keys[i] ? join_path(c, n->path, n->keys[i]) : NULL;
        if (!path)
            return no_memory(c);
        GP_TRY(conv_node(c, p->value, path, depth + 1, &n->values[i]));
        /* The line of the key reads better in errors than that of a value below it. */
        n->values[i]->line = (unsigned)k->start_mark.line + 1;
        n->n = i + 1;
    }
    return check_duplicates(c, n);
}

static gp_status conv_node(struct conv *c, int id, const char *path, int depth, rt_node **out)
{
    const yaml_node_t *y = yaml_document_get_node(c->doc, id);
    rt_node *n = gp_arena_alloc(c->arena, 1, sizeof *n);
    if (!y || !n)
        return no_memory(c);
    n->file = c->file;
    n->path = path;
    n->line = (unsigned)y->start_mark.line + 1;
    *out = n;
    if (depth > RT_CONFIG_MAX_DEPTH)
        return gp_fail(c->err, GP_ELIMIT, 0, "%s:%u: nested deeper than %d levels", c->file,
                       n->line, RT_CONFIG_MAX_DEPTH);
    switch (y->type) {
    case YAML_SCALAR_NODE:
        return conv_scalar(c, y, n);
    case YAML_SEQUENCE_NODE:
        return conv_list(c, y, n, depth);
    case YAML_MAPPING_NODE:
        return conv_map(c, y, n, depth);
    default:
        return rt_node_fail(n, c->err, "not a value");
    }
}

static gp_status syntax_error(const yaml_parser_t *p, const char *name, gp_err *err)
{
    const char *what = p->problem ? p->problem : "malformed";
    if (p->error == YAML_MEMORY_ERROR)
        return gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", name);
    if (p->error == YAML_READER_ERROR)
        return gp_fail(err, GP_EINVAL, 0, "%s: byte %zu: %s (is it UTF-8 text?)", name,
                       p->problem_offset, what);
    return gp_fail(err, GP_EINVAL, 0, "%s:%zu:%zu: %s%s%s", name, p->problem_mark.line + 1,
                   p->problem_mark.column + 1, what, p->context ? ", " : "",
                   p->context ? p->context : "");
}

static gp_status convert(const char *name, yaml_document_t *doc, gp_arena *arena, rt_node **out,
                         gp_err *err)
{
    struct conv c = {.doc = doc, .arena = arena, .file = name, .err = err};
    yaml_node_t *top = yaml_document_get_root_node(doc);
    if (top && !(top->type == YAML_SCALAR_NODE && plain_null(top))) {
        GP_TRY(conv_node(&c, 1, "", 0, out));
        if ((*out)->kind != RT_MAP)
            return gp_fail(err, GP_EINVAL, 0, "%s: expected \"key: value\" lines at the top level",
                           name);
        return GP_OK;
    }
    rt_node *n = gp_arena_alloc(arena, 1, sizeof *n);
    if (!n)
        return no_memory(&c);
    *n = (rt_node){.kind = RT_MAP, .line = 1, .file = name, .path = ""};
    *out = n;
    return GP_OK;
}

/* A second document would be ignored silently otherwise. */
static gp_status expect_end(yaml_parser_t *p, const char *name, gp_err *err)
{
    yaml_document_t rest;
    if (!yaml_parser_load(p, &rest))
        return syntax_error(p, name, err);
    int more = yaml_document_get_root_node(&rest) != NULL;
    yaml_document_delete(&rest);
    return more ? gp_fail(err, GP_EINVAL, 0, "%s: more than one document", name) : GP_OK;
}

gp_status rt_yaml_parse(const char *name, const void *text, size_t len, gp_arena *arena,
                        rt_node **out, gp_err *err)
{
    yaml_parser_t p;
    yaml_document_t doc;
    const char *own = arena_text(arena, name, strlen(name));
    if (!own || !yaml_parser_initialize(&p))
        return gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", name);
    yaml_parser_set_input_string(&p, text ? text : (const unsigned char *)"", text ? len : 0);
    gp_status st;
    if (!yaml_parser_load(&p, &doc)) {
        st = syntax_error(&p, name, err);
        goto out;
    }
    st = convert(own, &doc, arena, out, err);
    int had_root = yaml_document_get_root_node(&doc) != NULL;
    yaml_document_delete(&doc);
    if (st == GP_OK && had_root)
        st = expect_end(&p, name, err);
out:
    yaml_parser_delete(&p);
    return st;
}
