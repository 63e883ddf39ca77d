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

static const char *expected(const cli_opt *o)
{
    int above = (o->flags & CLI_NOT_BELOW_0) != 0;
    switch (o->type) {
    case CLI_BOOL:
        return "true or false";
    case CLI_U64:
        return "a whole number, 0 or more";
    case CLI_I64:
        return above ? "a whole number, 0 or more" : "a whole number";
    case CLI_DURATION:
        return above ? "a duration of 0 or more, such as 30s, 5m or 1h30m"
                     : "a duration with units, such as 30s, 5m or 1h30m";
    case CLI_BYTES:
        return "a size such as 500K, 64M or 2G";
    case CLI_STRING:
    case CLI_STRINGS:
        break;
    }
    return "text";
}

/* Does the text look like a value of the type, only larger? Zeros for its digits tell. */
static int too_large(const cli_opt *o, const char *text)
{
    char zeros[64];
    size_t n = strlen(text);
    int64_t value;
    if (o->type == CLI_U64 || o->type == CLI_I64) {
        n -= o->type == CLI_I64 && *text == '-';
        text += o->type == CLI_I64 && *text == '-';
        return n && *text != '0' && strspn(text, "0123456789") == n &&
               !(o->type == CLI_I64 && gp_num_i64_prefixed(text, n, &value));
    }
    if (o->type != CLI_DURATION || n == 0 || n >= sizeof zeros || text[n - 1] < 'a' ||
        gp_num_duration_ns(text, n, &value)) /* a zero needs no unit; small, but refused */
        return 0;
    for (size_t i = 0; i <= n; i++)
        zeros[i] = (char)(text[i] >= '0' && text[i] <= '9' ? '0' : text[i]);
    return gp_num_duration_ns(zeros, n, &value);
}

/* What is wrong with the text: "expected a whole number". */
static void describe(const cli_opt *o, const char *text, char *buf, size_t cap)
{
    size_t n = 0;
    if (too_large(o, text)) {
        snprintf(buf, cap, "out of range");
        return;
    }
    if (!(o->flags & CLI_ONE_OF)) {
        snprintf(buf, cap, "expected %s", expected(o));
        return;
    }
    for (size_t i = 0; o->choices[i] && n < cap; i++)
        n += (size_t)snprintf(buf + n, cap - n, "%s%s",
                              i == 0              ? "expected "
                              : o->choices[i + 1] ? ", "
                                                  : " or ",
                              o->choices[i]);
}

static int among(const char *text, const char *const *choices)
{
    for (size_t i = 0; choices[i]; i++)
        if (strcmp(text, choices[i]) == 0)
            return 1;
    return 0;
}

gp_status cli_value_set(const cli_opt *o, const char *text, void *values, const char *shown,
                        cli_line *l, gp_err *err)
{
    char *at = (char *)values + o->at;
    void *target = at;
    char why[160];
    int64_t i = 0;
    int ok = 1;
    switch (o->type) {
    case CLI_BOOL:
        ok = parse_bool(text, target);
        break;
    case CLI_STRING:
        ok = !(o->flags & CLI_ONE_OF) || among(text, o->choices);
        if (ok)
            memcpy(target, &text, sizeof text);
        break;
    case CLI_U64:
        ok = parse_u64(text, target);
        break;
    case CLI_I64:
        ok = gp_num_i64_prefixed(text, strlen(text), &i);
        break;
    case CLI_DURATION:
        ok = gp_num_duration_ns(text, strlen(text), &i);
        break;
    case CLI_BYTES:
        ok = gp_num_bytes(text, strlen(text), target);
        break;
    case CLI_STRINGS:
        return append(target, text, l, err);
    }
    if (ok && (o->type == CLI_I64 || o->type == CLI_DURATION)) {
        ok = i >= 0 || !(o->flags & CLI_NOT_BELOW_0);
        if (ok)
            memcpy(target, &i, sizeof i);
    }
    if (ok)
        return GP_OK;
    describe(o, text, why, sizeof why);
    return gp_fail(err, GP_EINVAL, 0, "invalid argument \"%.80s\" for \"%s\" flag: %s", text, shown,
                   why);
}

gp_status cli_set(const cli_opt *o, const char *text, void *values, const char *source, gp_err *err)
{
    char why[160];
    gp_status st = cli_value_set(o, text, values, o->name, NULL, err);
    if (st != GP_EINVAL)
        return st;
    describe(o, text, why, sizeof why);
    return gp_fail(err, st, 0, "%s: %s: %s, got \"%.80s\"", source, o->name, why, text);
}
