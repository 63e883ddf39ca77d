/* node.c - reading values out of the tree of a configuration file. */
#include "node.h"

#include "gp/num.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Marks are bookkeeping for rt_config_unused() and rt_config_check(), not part of the value; so
 * nodes are const outside.
 */
static rt_node *marks_of(const rt_node *n)
{
    union {
        const rt_node *c;
        rt_node *m;
    } u = {.c = n};
    return u.m;
}

static void mark(const rt_node *n)
{
    if (n)
        marks_of(n)->used = 1;
}

static void mark_no_map(const rt_node *n)
{
    if (n && n->kind != RT_NULL)
        marks_of(n)->no_map = 1;
}

rt_kind rt_node_kind(const rt_node *n)
{
    mark(n);
    return n ? n->kind : RT_NULL;
}

size_t rt_node_count(const rt_node *n)
{
    return n && (n->kind == RT_MAP || n->kind == RT_LIST) ? n->n : 0;
}

const char *rt_node_key(const rt_node *n, size_t i)
{
    return n && n->kind == RT_MAP && i < n->n ? n->keys[i] : NULL;
}

const rt_node *rt_node_at(const rt_node *n, size_t i)
{
    mark(n);
    const rt_node *v = i < rt_node_count(n) ? n->values[i] : NULL;
    mark(v);
    return v;
}

const rt_node *rt_node_get(const rt_node *n, const char *key)
{
    mark(n);
    if (!n || n->kind != RT_MAP) {
        mark_no_map(n);
        return NULL;
    }
    for (size_t i = 0; i < n->n; i++) {
        if (strcasecmp(n->keys[i], key) == 0) {
            mark(n->values[i]);
            return n->values[i];
        }
    }
    return NULL;
}

const char *rt_node_path(const rt_node *n)
{
    return n ? n->path : "";
}

unsigned rt_node_line(const rt_node *n)
{
    return n ? n->line : 0;
}

void rt_node_mark(const rt_node *n)
{
    mark(n);
    for (size_t i = 0; i < rt_node_count(n); i++)
        rt_node_mark(n->values[i]);
}

GP_PRINTF(3, 0)
static gp_status fail_v(const rt_node *n, gp_err *err, const char *fmt, va_list ap)
{
    char text[200];
    vsnprintf(text, sizeof text, fmt, ap);
    if (!n)
        return gp_fail(err, GP_EINVAL, 0, "%s", text);
    return gp_fail(err, GP_EINVAL, 0, "%s:%u: %s%s%s", n->file, n->line, n->path,
                   *n->path ? ": " : "", text);
}

gp_status rt_node_fail(const rt_node *n, gp_err *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    gp_status st = fail_v(n, err, fmt, ap);
    va_end(ap);
    return st;
}

/* ---- texts to values ---- */

gp_status rt_text_bool(const char *source, const char *s, int *out, gp_err *err)
{
    static const char *const yes[] = {"true", "yes", "on", "1", "t"};
    static const char *const no[] = {"false", "no", "off", "0", "f"};
    for (size_t i = 0; i < GP_COUNT(yes); i++) {
        if (strcasecmp(s, yes[i]) == 0 || strcasecmp(s, no[i]) == 0) {
            *out = strcasecmp(s, yes[i]) == 0;
            return GP_OK;
        }
    }
    return gp_fail(err, GP_EINVAL, 0, "%s: expected true or false, got \"%s\"", source, s);
}

gp_status rt_text_i64(const char *source, const char *s, int64_t min, int64_t max, int64_t *out,
                      gp_err *err)
{
    int64_t v;
    if (!gp_num_i64_prefixed(s, strlen(s), &v) || v < min || v > max) {
        if (min == INT64_MIN && max == INT64_MAX)
            return gp_fail(err, GP_EINVAL, 0, "%s: expected a whole number, got \"%s\"", source, s);
        if (max == INT64_MAX)
            return gp_fail(err, GP_EINVAL, 0, "%s: expected a whole number >= %lld, got \"%s\"",
                           source, (long long)min, s);
        return gp_fail(err, GP_EINVAL, 0,
                       "%s: expected a whole number from %lld to %lld, got \"%s\"", source,
                       (long long)min, (long long)max, s);
    }
    *out = v;
    return GP_OK;
}

gp_status rt_text_f64(const char *source, const char *s, double min, double max, double *out,
                      gp_err *err)
{
    double v;
    if (!gp_num_f64(s, strlen(s), &v) || v < min || v > max)
        return gp_fail(err, GP_EINVAL, 0, "%s: expected a number from %g to %g, got \"%s\"", source,
                       min, max, s);
    *out = v;
    return GP_OK;
}

gp_status rt_text_duration(const char *source, const char *s, int64_t min_ns, int64_t max_ns,
                           int64_t *out_ns, gp_err *err)
{
    int64_t v;
    double sec;
    char a[32], b[32];
    if (gp_num_f64(s, strlen(s), &sec)) {
        if (sec < -9e9 || sec > 9e9) /* 9e9 s fits int64 nanoseconds */
            return gp_fail(err, GP_EINVAL, 0, "%s: the duration %s is out of range", source, s);
        v = (int64_t)(sec * 1e9);
    } else if (!gp_num_duration_ns(s, strlen(s), &v)) {
        return gp_fail(err, GP_EINVAL, 0,
                       "%s: expected a duration such as 500ms, 30s or 1h30m, got \"%s\"", source,
                       s);
    }
    if (v < min_ns || v > max_ns)
        return gp_fail(err, GP_EINVAL, 0, "%s: expected a duration from %s to %s, got \"%s\"",
                       source, gp_num_duration_str(min_ns, a, sizeof a),
                       gp_num_duration_str(max_ns, b, sizeof b), s);
    *out_ns = v;
    return GP_OK;
}

gp_status rt_text_bytes(const char *source, const char *s, uint64_t min, uint64_t max,
                        uint64_t *out, gp_err *err)
{
    uint64_t v;
    if (!gp_num_bytes(s, strlen(s), &v))
        return gp_fail(err, GP_EINVAL, 0,
                       "%s: expected a size such as 4096, 64M or 1.5G, got \"%s\"", source, s);
    if (v < min || v > max)
        return gp_fail(err, GP_EINVAL, 0, "%s: expected %llu to %llu bytes, got \"%s\"", source,
                       (unsigned long long)min, (unsigned long long)max, s);
    *out = v;
    return GP_OK;
}

/* ---- values of nodes ---- */

static void source_of(const rt_node *n, char *buf, size_t cap)
{
    snprintf(buf, cap, "%s:%u: %s", n->file, n->line, n->path);
}

static gp_status want_scalar(const rt_node *n, gp_err *err)
{
    if (n->kind == RT_SCALAR)
        return GP_OK;
    return rt_node_fail(n, err, "expected a single value, got a %s",
                        n->kind == RT_MAP ? "map" : "list");
}

gp_status rt_node_str(const rt_node *n, const char *def, const char **out, gp_err *err)
{
    if (rt_node_kind(n) == RT_NULL) {
        *out = def;
        return GP_OK;
    }
    GP_TRY(want_scalar(n, err));
    *out = n->text;
    return GP_OK;
}

#define SCALAR_OR_DEFAULT()                                                                        \
    char source[512];                                                                              \
    if (rt_node_kind(n) == RT_NULL) {                                                              \
        *out = def;                                                                                \
        return GP_OK;                                                                              \
    }                                                                                              \
    GP_TRY(want_scalar(n, err));                                                                   \
    source_of(n, source, sizeof source)

gp_status rt_node_bool(const rt_node *n, int def, int *out, gp_err *err)
{
    SCALAR_OR_DEFAULT();
    return rt_text_bool(source, n->text, out, err);
}

gp_status rt_node_i64(const rt_node *n, int64_t def, int64_t min, int64_t max, int64_t *out,
                      gp_err *err)
{
    SCALAR_OR_DEFAULT();
    return rt_text_i64(source, n->text, min, max, out, err);
}

gp_status rt_node_f64(const rt_node *n, double def, double min, double max, double *out,
                      gp_err *err)
{
    SCALAR_OR_DEFAULT();
    return rt_text_f64(source, n->text, min, max, out, err);
}

gp_status rt_node_duration(const rt_node *n, int64_t def, int64_t min_ns, int64_t max_ns,
                           int64_t *out, gp_err *err)
{
    SCALAR_OR_DEFAULT();
    return rt_text_duration(source, n->text, min_ns, max_ns, out, err);
}

gp_status rt_node_bytes(const rt_node *n, uint64_t def, uint64_t min, uint64_t max, uint64_t *out,
                        gp_err *err)
{
    SCALAR_OR_DEFAULT();
    return rt_text_bytes(source, n->text, min, max, out, err);
}
