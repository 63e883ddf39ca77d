/* ifsel.c - interface selectors: parse lists and patterns, pick from the interfaces there are. */
#include "query/ifsel.h"

#include "gp/mem.h"
#include "ifsel_int.h"
#include "limits.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NAME_MAX_LEN = 15 }; /* IFNAMSIZ - 1 */

struct query_ifsel {
    char *text; /* as given; the names point into list */
    char *list; /* text with its commas cut */
    int any;
    const char **take; /* sorted, distinct */
    size_t n_take;
    const char **drop; /* sorted, distinct */
    size_t n_drop;
    pcre2_code *regex; /* NULL: a list */
    pcre2_match_context *limits;
};

void query_ifsel_free(query_ifsel *s)
{
    if (!s)
        return;
    pcre2_code_free(s->regex);
    pcre2_match_context_free(s->limits);
    gp_free(s->take);
    gp_free(s->drop);
    gp_free(s->list);
    gp_free(s->text);
    gp_free(s);
}

int query_ifsel_is_regex(const query_ifsel *s)
{
    return s->regex != NULL;
}

int query_ifsel_is_any(const query_ifsel *s)
{
    return s->any;
}

size_t query_ifsel_n_positive(const query_ifsel *s)
{
    return s->n_take;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t sort_distinct(const char **v, size_t n)
{
    size_t kept = 0;

    if (n)
        qsort(v, n, sizeof *v, by_text);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || strcmp(v[kept - 1], v[i]) != 0)
            v[kept++] = v[i];
    return kept;
}

static int contains(const char *const *v, size_t n, const char *name)
{
    return n && bsearch(&name, v, n, sizeof *v, by_text) != NULL;
}

/* A pattern in RE2 syntax as far as PCRE2 has it: unanchored, $ only at the very end, UTF-8. */
static gp_status parse_regex(query_ifsel *s, const char *pattern, size_t len, gp_err *err)
{
    const uint32_t options = PCRE2_DOLLAR_ENDONLY | PCRE2_UTF | PCRE2_MATCH_INVALID_UTF |
                             PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_CAPTURE;
    pcre2_compile_context *cc = pcre2_compile_context_create(NULL);
    int code = 0;
    PCRE2_SIZE at = query_re2_beyond(pattern, len);

    if (at < len) {
        pcre2_compile_context_free(cc);
        return gp_fail(err, GP_EINVAL, 0,
                       "invalid interface name: bad regular expression at offset %zu: RE2 has no "
                       "such construct",
                       at);
    }
    s->limits = pcre2_match_context_create(NULL);
    if (!cc || !s->limits) {
        pcre2_compile_context_free(cc);
        return gp_fail(err, GP_ENOMEM, 0, "interface pattern");
    }
    pcre2_set_max_pattern_length(cc, QUERY_MAX_REGEX);
    pcre2_set_parens_nest_limit(cc, QUERY_REGEX_NEST);
    s->regex = pcre2_compile((PCRE2_SPTR)pattern, len, options, &code, &at, cc);
    pcre2_compile_context_free(cc);
    if (!s->regex) {
        PCRE2_UCHAR why[128];
        pcre2_get_error_message(code, why, sizeof why);
        return gp_fail(err, GP_EINVAL, 0,
                       "invalid interface name: bad regular expression at offset %zu: %s", at, why);
    }
    pcre2_set_match_limit(s->limits, QUERY_REGEX_MATCH);
    pcre2_set_depth_limit(s->limits, QUERY_REGEX_DEPTH);
    pcre2_set_heap_limit(s->limits, QUERY_REGEX_HEAP_KIB);
    return GP_OK;
}

static int name_ok(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:_-");

    return n >= 1 && n <= NAME_MAX_LEN && s[n] == 0;
}

static gp_status parse_element(query_ifsel *s, const char *e, gp_err *err)
{
    int negated = *e == '!';
    const char *name = e + negated;

    if (*e == 0)
        return gp_fail(err, GP_EINVAL, 0, "invalid interface name: empty element in the list");
    if (!name_ok(name))
        return gp_fail(err, GP_EINVAL, 0,
                       "invalid interface name: \"%.64s\" (1 to %d letters, digits, . : _ -, "
                       "\"!\" before it to leave it out, or /pattern/)",
                       e, NAME_MAX_LEN);
    if (negated)
        s->drop[s->n_drop++] = name;
    else if (strcasecmp(name, "any") == 0)
        s->any = 1;
    else
        s->take[s->n_take++] = name;
    return GP_OK;
}

static gp_status parse_list(query_ifsel *s, gp_err *err)
{
    size_t elements = 1;

    for (const char *p = s->list; *p; p++)
        elements += *p == ',';
    s->take = gp_calloc(elements, sizeof *s->take);
    s->drop = gp_calloc(elements, sizeof *s->drop);
    if (!s->take || !s->drop)
        return gp_fail(err, GP_ENOMEM, 0, "interface list");
    for (char *p = s->list, *next; p; p = next) {
        next = strchr(p, ',');
        if (next)
            *next++ = 0;
        GP_TRY(parse_element(s, p, err));
    }
    s->n_take = sort_distinct(s->take, s->n_take);
    s->n_drop = sort_distinct(s->drop, s->n_drop);
    return GP_OK;
}

gp_status query_ifsel_parse(const char *text, query_ifsel **out, gp_err *err)
{
    size_t len = text ? strnlen(text, QUERY_MAX_TEXT + 1) : 0;

    if (len == 0)
        return gp_fail(err, GP_EINVAL, 0, "invalid interface name: nothing given");
    if (len > QUERY_MAX_TEXT)
        return gp_fail(err, GP_EINVAL, 0, "invalid interface name: longer than %d bytes",
                       QUERY_MAX_TEXT);
    query_ifsel *s = gp_calloc(1, sizeof *s);
    if (!s)
        return gp_fail(err, GP_ENOMEM, 0, "interface list");
    s->text = gp_strdup(text);
    s->list = gp_strdup(text);
    gp_status st;
    if (!s->text || !s->list)
        st = gp_fail(err, GP_ENOMEM, 0, "interface list");
    else if (len > 2 && text[0] == '/' && text[len - 1] == '/')
        st = parse_regex(s, s->text + 1, len - 2, err);
    else
        st = parse_list(s, err);
    if (st != GP_OK) {
        query_ifsel_free(s);
        return st;
    }
    *out = s;
    return GP_OK;
}

/* 1, 0, or -1 when the pattern ran into a limit (or out of memory). */
static int match_regex(const query_ifsel *s, const char *name)
{
    pcre2_match_data *md = pcre2_match_data_create(1, NULL);

    if (!md)
        return -1;
    int rc = pcre2_match(s->regex, (PCRE2_SPTR)name, strlen(name), 0, 0, md, s->limits);
    pcre2_match_data_free(md);
    return rc >= 0 ? 1 : rc == PCRE2_ERROR_NOMATCH ? 0 : -1;
}

static int match(const query_ifsel *s, const char *name)
{
    if (s->regex)
        return match_regex(s, name);
    return (s->any || contains(s->take, s->n_take, name)) && !contains(s->drop, s->n_drop, name);
}

int query_ifsel_match(const query_ifsel *s, const char *iface)
{
    return match(s, iface) == 1;
}

gp_status query_ifsel_select(const query_ifsel *s, char *const *all, size_t n_all,
                             const char ***out, size_t *n, gp_err *err)
{
    const char **v = gp_calloc(n_all, sizeof *v);
    size_t kept = 0;

    if (!v)
        return gp_fail(err, GP_ENOMEM, 0, "list of %zu interfaces", n_all);
    for (size_t i = 0; i < n_all; i++) {
        int m = match(s, all[i]);
        if (m < 0) {
            gp_free(v);
            return gp_fail(err, GP_ELIMIT, 0,
                           "interface pattern %.64s takes too long to match; write a simpler one",
                           s->text);
        }
        if (m && !(kept && strcmp(v[kept - 1], all[i]) == 0))
            v[kept++] = all[i];
    }
    *out = v;
    *n = kept;
    return GP_OK;
}

void query_ifsel_list(const query_ifsel *s, gp_buf *out, const char *sep,
                      void (*put)(gp_buf *, const char *))
{
    if (s->regex) {
        put(out, s->text);
        return;
    }
    for (const char *p = s->list, *end = p + strlen(s->text); p <= end; p += strlen(p) + 1) {
        if (p != s->list)
            gp_buf_adds(out, sep);
        put(out, p);
    }
}
