/* args_json.c - reading an arguments object from JSON, on top of what is there (spec 2.8, U12). */
#include "args_decode.h"
#include "gp/mem.h"
#include "gp/num.h"
#include "limits.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Values of `wide`; beyond: 2^64 as a double may be a number that is too large. */
enum { WIDE = 1, WIDE_BEYOND = 2, ESCAPE = 6 };

/* Where int64 and uint64 end. */
static const double I64_END = 9223372036854775808.0, U64_END = 18446744073709551616.0;

static const char *type_name(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    default:
        return "true or false";
    }
}

/* Of members inside the one object there is. */
static const char *prefix(const query_member *m)
{
    for (size_t i = 0; i < QUERY_N_DNS_MEMBERS; i++)
        if (m == &query_dns_members[i])
            return "dns_resolution.";
    return "";
}

static gp_status wrong(const query_decoder *d, const query_member *m, const json_t *v)
{
    static const char *const wants[] = {
        [MEMBER_TEXT] = "a string",
        [MEMBER_BOOL] = "true or false",
        [MEMBER_U64] = "a whole number of at least 0",
        [MEMBER_I64] = "a whole number",
        [MEMBER_DURATION] = "a duration such as \"1s\", or nanoseconds as a whole number",
        [MEMBER_DNS] = "an object",
    };
    return gp_fail(d->err, GP_EINVAL, 0, "%s%s: got %s, want %s", prefix(m), m->name, type_name(v),
                   wants[m->kind]);
}

static int get_i64(const query_decoder *d, const json_t *v, int64_t *out)
{
    if (json_is_integer(v)) {
        *out = json_integer_value(v);
        return 1;
    }
    double r = json_is_real(v) ? json_real_value(v) : 0.5;
    if (!d->wide || r < -I64_END || r >= I64_END || r != (double)(int64_t)r)
        return 0;
    *out = (int64_t)r;
    return 1;
}

static int get_u64(const query_decoder *d, const json_t *v, uint64_t *out)
{
    int64_t i;

    if (get_i64(d, v, &i)) {
        *out = (uint64_t)i;
        return i >= 0;
    }
    double r = d->wide && json_is_real(v) ? json_real_value(v) : -1;
    if (r < I64_END || r > U64_END || (r >= U64_END && d->wide == WIDE_BEYOND))
        return 0;
    *out = r >= U64_END ? UINT64_MAX : (uint64_t)r; /* 2^64 - 1 was rounded up */
    return 1;
}

static gp_status set_object(const query_decoder *d, json_t *o, const query_member *members,
                            size_t n);

gp_status query_member_set(const query_decoder *d, const query_member *m, json_t *v)
{
    char *p = (char *)d->a + m->offset;
    int64_t i;
    uint64_t u;

    switch (m->kind) {
    case MEMBER_TEXT:
        if (!json_is_string(v))
            return wrong(d, m, v);
        if (query_args_set(query_member_text(d->a, m), json_string_value(v)) != GP_OK)
            return gp_fail(d->err, GP_ENOMEM, 0, "%s", m->name);
        return GP_OK;
    case MEMBER_BOOL:
        if (!json_is_boolean(v))
            return wrong(d, m, v);
        memcpy(p, &(int){json_is_true(v)}, sizeof(int));
        return GP_OK;
    case MEMBER_U64:
        if (!get_u64(d, v, &u))
            return wrong(d, m, v);
        memcpy(p, &u, sizeof u);
        return GP_OK;
    case MEMBER_DURATION:
        if (json_is_string(v) &&
            gp_num_duration_ns(json_string_value(v), json_string_length(v), &i))
            break;
        /* fallthrough */
    case MEMBER_I64:
        if (!get_i64(d, v, &i))
            return wrong(d, m, v);
        break;
    case MEMBER_DNS:
        if (!json_is_object(v))
            return wrong(d, m, v);
        return set_object(d, v, query_dns_members, QUERY_N_DNS_MEMBERS);
    }
    memcpy(p, &i, sizeof i);
    return GP_OK;
}

static gp_status set_object(const query_decoder *d, json_t *o, const query_member *members,
                            size_t n)
{
    uint32_t seen = 0; /* bit of a member */
    gp_status st = GP_OK;

    for (void *it = json_object_iter(o); it && st == GP_OK; it = json_object_iter_next(o, it)) {
        json_t *v = json_object_iter_value(it);
        size_t i = 0;
        while (i < n && strcasecmp(json_object_iter_key(it), members[i].name) != 0)
            i++;
        if (i == n)
            continue;
        if (seen & 1u << i)
            st = gp_fail(d->err, GP_EINVAL, 0, "%s%s: given twice", prefix(&members[i]),
                         members[i].name);
        else if (!json_is_null(v))
            st = query_member_set(d, &members[i], v);
        seen |= 1u << i;
    }
    return st;
}

/* \uXXXX at p? */
static int is_escape(const char *p, size_t n, unsigned *u)
{
    uint8_t b[2];

    if (n < ESCAPE || p[0] != '\\' || p[1] != 'u' || !gp_unhex(p + 2, 4, b, sizeof b))
        return 0;
    *u = (unsigned)b[0] << 8 | b[1];
    return 1;
}

/* Half a surrogate pair names no character: \ufffd, as Go reads it. Returns how many there were. */
static size_t mend_surrogates(char *s, size_t n)
{
    size_t mended = 0;
    unsigned u, low;

    for (size_t i = 0; i < n;) {
        if (!is_escape(s + i, n - i, &u)) {
            i += s[i] == '\\' ? 2 : 1;
            continue;
        }
        if ((u & 0xFC00) == 0xD800 && is_escape(s + i + ESCAPE, n - i - ESCAPE, &low) &&
            (low & 0xFC00) == 0xDC00) {
            i += ESCAPE;
        } else if ((u & 0xF800) == 0xD800) {
            memcpy(s + i, "\\ufffd", ESCAPE);
            mended++;
        }
        i += ESCAPE;
    }
    return mended;
}

/* A whole number that is more than 2^64 - 1, and the same as a double? */
static int has_beyond(const char *s, size_t n)
{
    static const char most[] = "18446744073709551615", same[] = "18446744073709553664";
    const size_t len = sizeof most - 1;

    for (size_t i = 0; i < n;) {
        size_t k = i, digits = 0;
        if (s[i] == '"') { /* on behind the text */
            for (i++; i < n && s[i] != '"'; i++)
                i += s[i] == '\\';
            i++;
            continue;
        }
        for (; k < n && (isalnum((unsigned char)s[k]) || (s[k] && strchr("+-.", s[k]))); k++)
            digits += isdigit((unsigned char)s[k]) != 0;
        if (k - i == len && digits == len && memcmp(s + i, most, len) > 0 &&
            memcmp(s + i, same, len) <= 0)
            return 1;
        i = k > i ? k : i + 1;
    }
    return 0;
}

/* num_results may go to 2^64 - 1, jansson's integers do not: such texts are read again with all
 * numbers as reals only if that is what stopped it. */
static json_t *load_text(const char *s, size_t len, size_t flags, int *wide, json_error_t *why)
{
    json_t *v = json_loadb(s, len, flags, why);

    *wide = 0;
    if (v || json_error_code(why) != json_error_numeric_overflow)
        return v;
    *wide = has_beyond(s, len) ? WIDE_BEYOND : WIDE;
    return json_loadb(s, len, flags | JSON_DECODE_INT_AS_REAL, why);
}

json_t *query_json_load(const void *bytes, size_t len, size_t more_flags, int *wide, gp_err *err)
{
    const size_t flags = JSON_REJECT_DUPLICATES | more_flags;
    json_error_t why;

    *wide = 0;
    if (len > QUERY_MAX_JSON) {
        (void)gp_fail(err, GP_EINVAL, 0, "arguments of %zu bytes, at most %d", len, QUERY_MAX_JSON);
        return NULL;
    }
    json_t *v = load_text(bytes, len, flags, wide, &why);
    char *copy = v || !len ? NULL : gp_alloc(len, 1);
    if (copy && mend_surrogates(memcpy(copy, bytes, len), len))
        v = load_text(copy, len, flags, wide, &why);
    gp_free(copy);
    if (!v) {
        static const char either[] = "'[' or '{' expected"; /* jansson; we take objects only */
        int start = strncmp(why.text, either, sizeof either - 1) == 0;
        (void)gp_fail(err, GP_EINVAL, 0, "not JSON: line %d, column %d: %s%.120s", why.line,
                      why.column, start ? "an object expected" : "",
                      why.text + (start ? sizeof either - 1 : 0));
        return NULL;
    }
    if (json_is_object(v))
        return v;
    (void)gp_fail(err, GP_EINVAL, 0, "got %s, want an object with the query's arguments",
                  type_name(v));
    json_decref(v);
    return NULL;
}

/* A null in place of the object, which says nothing. */
static int is_null(const char *s, size_t len)
{
    size_t i = 0;

    while (i < len && s[i] && strchr(" \t\r\n", s[i]))
        i++;
    return len - i >= 4 && memcmp(s + i, "null", 4) == 0 &&
           (len - i == 4 || !isalnum((unsigned char)s[i + 4]));
}

gp_status query_args_from_json(query_args *a, const void *bytes, size_t len, gp_err *err)
{
    query_args copy = {0};
    query_decoder d = {.a = &copy, .err = err};

    if (is_null(bytes, len))
        return GP_OK;
    json_t *v = query_json_load(bytes, len, JSON_DISABLE_EOF_CHECK, &d.wide, err);
    if (!v)
        return GP_EINVAL;
    gp_status st = query_args_copy(&copy, a);
    if (st == GP_OK)
        st = set_object(&d, v, query_members, QUERY_N_MEMBERS);
    else
        st = gp_fail(err, GP_ENOMEM, 0, "arguments");
    json_decref(v);
    if (st != GP_OK) {
        query_args_clear(&copy);
        return st;
    }
    query_args_clear(a);
    *a = copy;
    return GP_OK;
}
