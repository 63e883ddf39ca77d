/* value.c - option values: text to number, duration, list, and what to say when it is none. */
#include "internal.h"

#include "gp/mem.h"
#include "gp/num.h"

#include <string.h>

static int parse_bool(const char *s, int *out)
{
    static const char *const words[2][6] = {{"0", "f", "F", "false", "FALSE", "False"},
                                            {"1", "t", "T", "true", "TRUE", "True"}};
    for (int v = 0; v < 2; v++)
        for (size_t i = 0; i < GP_COUNT(words[v]); i++)
            if (strcmp(s, words[v][i]) == 0) {
                *out = v;
                return 1;
            }
    return 0;
}

/* Prefixed forms reach 2^63 - 1; plain decimals all 64 bits. */
static int parse_u64(const char *s, uint64_t *out)
{
    int64_t i;
    if (*s == '+' || *s == '-')
        return 0;
    if (gp_num_i64_prefixed(s, strlen(s), &i) && i >= 0) {
        *out = (uint64_t)i;
        return 1;
    }
    return s[0] != '0' && gp_num_u64(s, strlen(s), UINT64_MAX, out);
}

static gp_status append(cli_strings *list, const char *text, cli_line *l, gp_err *err)
{
    const char **p = gp_realloc(list->v, list->n + 1, sizeof *p);
    if (!p)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    list->v = p;
    if (l && list->n == 0) {
        cli_strings **lists = gp_realloc(l->lists, l->n_lists + 1, sizeof *lists);
        if (!lists)
            return gp_fail(err, GP_ENOMEM, 0, "out of memory");
        l->lists = lists;
        l->lists[l->n_lists++] = list;
    }
    list->v[list->n++] = text;
    return GP_OK;
}

static const char *expected(cli_type t)
{
    switch (t) {
    case CLI_BOOL:
        return "true or false";
    case CLI_U64:
        return "a whole number, 0 or more";
    case CLI_I64:
        return "a whole number";
    case CLI_DURATION:
        return "a duration with units, such as 30s, 5m or 1h30m";
    case CLI_BYTES:
        return "a size such as 500K, 64M or 2G";
    case CLI_STRING:
    case CLI_STRINGS:
        break;
    }
    return "text";
}

gp_status cli_value_set(const cli_opt *o, const char *text, void *values, const char *shown,
                        cli_line *l, gp_err *err)
{
    char *at = (char *)values + o->at;
    void *target = at;
    int ok = 1;
    switch (o->type) {
    case CLI_BOOL:
        ok = parse_bool(text, target);
        break;
    case CLI_STRING:
        memcpy(target, &text, sizeof text);
        break;
    case CLI_U64:
        ok = parse_u64(text, target);
        break;
    case CLI_I64:
        ok = gp_num_i64_prefixed(text, strlen(text), target);
        break;
    case CLI_DURATION:
        ok = gp_num_duration_ns(text, strlen(text), target);
        break;
    case CLI_BYTES:
        ok = gp_num_bytes(text, strlen(text), target);
        break;
    case CLI_STRINGS:
        return append(target, text, l, err);
    }
    if (!ok)
        return gp_fail(err, GP_EINVAL, 0, "invalid argument \"%.80s\" for \"%s\" flag: expected %s",
                       text, shown, expected(o->type));
    return GP_OK;
}

gp_status cli_set(const cli_opt *o, const char *text, void *values, const char *source, gp_err *err)
{
    gp_status st = cli_value_set(o, text, values, o->name, NULL, err);
    if (st == GP_EINVAL)
        return gp_fail(err, st, 0, "%s: %s: expected %s, got \"%.80s\"", source, o->name,
                       expected(o->type), text);
    return st;
}
