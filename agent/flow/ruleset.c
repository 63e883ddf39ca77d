/* ruleset.c - interface rules: literal names before expressions, file order among those. */
#include "flow/ruleset.h"

#include "gp/bytes.h"
#include "gp/mem.h"

#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { MATCH_LIMIT = 100000, DEPTH_LIMIT = 250, MAX_RULES = 4096, MAX_PATTERN = 256 };

typedef struct rule {
    char *name;       /* literal, or NULL */
    pcre2_code *code; /* expression, or NULL */
    capture_conf conf;
} rule;

struct flow_ruleset {
    rule *rules;
    size_t n, cap;
    int n_regex;
    int detect;
    capture_conf detect_conf;
    rule *exclude;
    size_t n_exclude, cap_exclude;
    pcre2_match_context *limits;
};

gp_status flow_ruleset_new(flow_ruleset **out, gp_err *err)
{
    flow_ruleset *rs = gp_calloc(1, sizeof *rs);

    if (rs)
        rs->limits = pcre2_match_context_create(NULL);
    if (!rs || !rs->limits) {
        gp_free(rs);
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    }
    (void)pcre2_set_match_limit(rs->limits, MATCH_LIMIT);
    (void)pcre2_set_depth_limit(rs->limits, DEPTH_LIMIT);
    *out = rs;
    return GP_OK;
}

static void free_rules(rule *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        gp_free(v[i].name);
        pcre2_code_free(v[i].code);
    }
    gp_free(v);
}

void flow_ruleset_free(flow_ruleset *rs)
{
    if (!rs)
        return;
    free_rules(rs->rules, rs->n);
    free_rules(rs->exclude, rs->n_exclude);
    pcre2_match_context_free(rs->limits);
    gp_free(rs);
}

/* "/text/" is an expression; everything else is a name. */
static int is_regex(const char *pattern, size_t len)
{
    return len >= 2 && pattern[0] == '/' && pattern[len - 1] == '/';
}

static gp_status compile(const char *pattern, size_t len, pcre2_code **out, gp_err *err)
{
    int code;
    PCRE2_SIZE at;
    PCRE2_UCHAR text[128];

    *out =
        pcre2_compile((PCRE2_SPTR)pattern + 1, len - 2, PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
    if (*out)
        return GP_OK;
    (void)pcre2_get_error_message(code, text, sizeof text);
    return gp_fail(err, GP_EINVAL, 0, "%s: not a regular expression: %s (at character %zu)",
                   pattern, (const char *)text, (size_t)at + 1);
}

static gp_status add(rule **v, size_t *n, size_t *cap, const char *pattern, rule *r, gp_err *err)
{
    size_t len = strlen(pattern);

    if (len == 0 || len > MAX_PATTERN)
        return gp_fail(err, GP_EINVAL, 0, "interface pattern of %zu characters, expected 1 to %d",
                       len, MAX_PATTERN);
    if (*n == MAX_RULES)
        return gp_fail(err, GP_ELIMIT, 0, "more than %d interface patterns", MAX_RULES);
    if (*n == *cap) {
        size_t more = *cap ? *cap * 2 : 8;
        rule *bigger = gp_realloc(*v, more, sizeof *bigger);
        if (!bigger)
            return gp_fail(err, GP_ENOMEM, 0, "out of memory");
        *v = bigger;
        *cap = more;
    }
    if (is_regex(pattern, len)) {
        GP_TRY(compile(pattern, len, &r->code, err));
    } else if (!gp_text_ok(pattern, CAPTURE_NAME_CAP - 1) || strchr(pattern, '/')) {
        return gp_fail(
            err, GP_EINVAL, 0,
            "%s: not an interface name (at most 15 characters, no slash, no control characters); "
            "expressions are written /regex/",
            pattern);
    } else if (!(r->name = gp_strdup(pattern))) {
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    }
    (*v)[(*n)++] = *r;
    return GP_OK;
}

gp_status flow_ruleset_add(flow_ruleset *rs, const char *pattern, const capture_conf *conf,
                           gp_err *err)
{
    rule r = {.conf = *conf};

    GP_TRY(add(&rs->rules, &rs->n, &rs->cap, pattern, &r, err));
    rs->n_regex += r.code != NULL;
    return GP_OK;
}

void flow_ruleset_detect(flow_ruleset *rs, const capture_conf *conf)
{
    rs->detect = 1;
    rs->detect_conf = *conf;
}

gp_status flow_ruleset_exclude(flow_ruleset *rs, const char *pattern, gp_err *err)
{
    rule r = {0};
    return add(&rs->exclude, &rs->n_exclude, &rs->cap_exclude, pattern, &r, err);
}

static int matches(const flow_ruleset *rs, const rule *r, const char *name)
{
    if (r->name)
        return strcmp(r->name, name) == 0;
    pcre2_match_data *md = pcre2_match_data_create(1, NULL);
    if (!md)
        return 0;
    int got = pcre2_match(r->code, (PCRE2_SPTR)name, strlen(name), 0, 0, md, rs->limits);
    pcre2_match_data_free(md);
    return got >= 0;
}

const capture_conf *flow_ruleset_conf(const flow_ruleset *rs, const char *name)
{
    const rule *found = NULL;

    for (size_t i = 0; i < rs->n && !(found && found->name); i++) {
        const rule *r = &rs->rules[i];
        if ((r->name || !found) && matches(rs, r, name))
            found = r;
    }
    if (found)
        return found->conf.disable ? NULL : &found->conf;
    if (!rs->detect)
        return NULL;
    for (size_t i = 0; i < rs->n_exclude; i++)
        if (matches(rs, &rs->exclude[i], name))
            return NULL;
    return &rs->detect_conf;
}

int flow_ruleset_names(const flow_ruleset *rs, const char *name)
{
    for (size_t i = 0; i < rs->n; i++)
        if (rs->rules[i].name && strcmp(rs->rules[i].name, name) == 0)
            return !rs->rules[i].conf.disable;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const flow_wanted *)a)->name, ((const flow_wanted *)b)->name);
}

static int has_link(const capture_link *links, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(links[i].name, name) == 0)
            return 1;
    return 0;
}

const capture_link *flow_ruleset_unnamed(const flow_ruleset *rs, const capture_link *links,
                                         size_t n_links, size_t *n)
{
    const capture_link *first = NULL;

    *n = 0;
    for (size_t i = 0; i < n_links; i++) {
        if (gp_text_ok(links[i].name, CAPTURE_NAME_CAP) || !flow_ruleset_conf(rs, links[i].name))
            continue;
        if (++*n == 1)
            first = &links[i];
    }
    return first;
}

gp_status flow_ruleset_match(const flow_ruleset *rs, const capture_link *links, size_t n_links,
                             flow_wanted **out, size_t *n, gp_err *err)
{
    GP_CLEANUP(gp_freep) flow_wanted *v = gp_calloc(n_links + rs->n + 1, sizeof *v);
    size_t k = 0;

    if (!v)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    for (size_t i = 0; i < n_links; i++) {
        const capture_conf *conf = flow_ruleset_conf(rs, links[i].name);
        if (!conf || !gp_text_ok(links[i].name, CAPTURE_NAME_CAP)) /* flow_ruleset_unnamed() */
            continue;
        memcpy(v[k].name, links[i].name, sizeof v[k].name);
        v[k].conf = conf;
        v[k++].exists = 1;
    }
    for (size_t i = 0; i < rs->n && !rs->n_regex && !rs->detect; i++) {
        const rule *r = &rs->rules[i];
        if (r->conf.disable || has_link(links, n_links, r->name))
            continue;
        (void)strncpy(v[k].name, r->name, sizeof v[k].name - 1);
        v[k++].conf = &r->conf;
    }
    if (k > FLOW_MAX_IFACES)
        return gp_fail(err, GP_ELIMIT, 0, "%zu interfaces to capture, at most %d are possible", k,
                       FLOW_MAX_IFACES);
    qsort(v, k, sizeof *v, by_name);
    *out = v;
    *n = k;
    v = NULL;
    return GP_OK;
}
