/* args_api.c - the strict reading of arguments that an API does: every member checked (spec 9.3).
 */
#include "args_decode.h"
#include "gp/mem.h"
#include "problems.h"
#include "query/suggest.h"

#include <stdio.h>
#include <string.h>

enum { MIN_QUERY = 3, MIN_IFACES = 2 }; /* bytes */

typedef struct strict {
    query_args *a;
    int wide; /* as in query_decoder */
    query_problems *problems;
} strict;

static int append(const char *bytes, size_t n, void *buf)
{
    gp_buf_add(buf, bytes, n);
    return 0;
}

/* A problem at body.<object>.<member>; the value is shown as JSON text, NULL: none. */
static gp_status add(strict *s, const char *object, const char *member, const char *message,
                     const json_t *value)
{
    gp_buf location = {0}, shown = {0};
    gp_status st = GP_ENOMEM;

    gp_buf_printf(&location, "body%s%s%s%.100s", *object ? "." : "", object, *member ? "." : "",
                  member);
    if (value && json_is_string(value))
        gp_buf_adds(&shown, json_string_value(value));
    else if (value && json_dump_callback(value, append, &shown, JSON_ENCODE_ANY | JSON_COMPACT))
        shown.failed = 1;
    if (gp_buf_str(&location) && gp_buf_str(&shown))
        st = query_problem_add(s->problems, gp_buf_str(&location), gp_strdup(message),
                               gp_buf_str(&shown), NULL);
    gp_buf_free(&location);
    gp_buf_free(&shown);
    return st;
}

static int in_list(const char *s, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(s, list[i]) == 0)
            return 1;
    return 0;
}

/* What the schema says of a member's value besides its type; NULL: fine. */
static const char *limit(const query_args *a, const char *member)
{
    size_t n;
    const char *const *list;

    if (strcmp(member, "query") == 0 && strlen(a->query) < MIN_QUERY)
        return "expected length >= 3";
    if (strcmp(member, "ifaces") == 0 && strlen(a->ifaces) < MIN_IFACES)
        return "expected length >= 2";
    if (strcmp(member, "format") == 0) {
        list = query_format_names(&n);
        return in_list(a->format, list, n) ? NULL
                                           : "expected one of csv, html, json, md, ndjson, txt";
    }
    if (strcmp(member, "sort_by") == 0) {
        list = query_sort_names(&n);
        return in_list(a->sort_by, list, n) ? NULL : "expected one of bytes, packets, time";
    }
    if (strcmp(member, "num_results") == 0 && a->num_results < 1)
        return "expected number >= 1";
    if (strcmp(member, "max_mem_pct") == 0 && (a->max_mem_pct < 1 || a->max_mem_pct > 100))
        return "expected number >= 1 and <= 100";
    if (strcmp(member, "timeout") == 0 && a->dns_timeout_ns < 0)
        return "expected number >= 0";
    if (strcmp(member, "max_rows") == 0 && a->dns_max_rows < 1)
        return "expected number >= 1";
    if (strcmp(member, "keepalive") == 0 && a->keepalive_ns < 0)
        return "expected number >= 0";
    return NULL;
}

static gp_status read_object(strict *s, const char *object, json_t *o, const query_member *members,
                             size_t n)
{
    for (void *it = json_object_iter(o); it; it = json_object_iter_next(o, it)) {
        const char *key = json_object_iter_key(it);
        json_t *v = json_object_iter_value(it);
        size_t i = 0;
        while (i < n && strcmp(key, members[i].name) != 0)
            i++;
        if (i == n) {
            GP_TRY(add(s, object, key, "unexpected property", v));
            continue;
        }
        if (json_is_null(v))
            continue;
        if (members[i].kind == MEMBER_DNS && json_is_object(v)) {
            GP_TRY(read_object(s, key, v, query_dns_members, QUERY_N_DNS_MEMBERS));
            continue;
        }
        gp_err why = {0};
        query_decoder d = {.a = s->a, .wide = s->wide, .err = &why};
        gp_status st = query_member_set(&d, &members[i], v);
        const char *wrong = st == GP_OK ? limit(s->a, key) : why.msg;
        if (st != GP_OK && st != GP_EINVAL)
            return st;
        if (wrong)
            GP_TRY(add(s, object, key, wrong, v));
    }
    return GP_OK;
}

static gp_status check_required(strict *s, const json_t *o)
{
    static const char *const required[] = {"query", "ifaces"};
    char message[64];

    for (size_t i = 0; i < GP_COUNT(required); i++) {
        const json_t *v = json_object_get(o, required[i]);
        if (v && !json_is_null(v))
            continue;
        (void)snprintf(message, sizeof message, "expected required property %s to be present",
                       required[i]);
        GP_TRY(add(s, "", "", message, NULL));
    }
    return GP_OK;
}

gp_status query_args_from_api(query_args *a, const void *bytes, size_t len,
                              query_problems *problems, gp_err *err)
{
    query_args fresh = {0};
    gp_err why = {0};
    strict s = {.a = &fresh, .problems = problems};
    json_t *o = query_json_load(bytes, len, 0, &s.wide, &why);

    if (!o) {
        if (add(&s, "", "", why.msg, NULL) != GP_OK)
            return gp_fail(err, GP_ENOMEM, 0, "arguments");
        return gp_fail(err, GP_ECORRUPT, 0, "%s", why.msg);
    }
    gp_status st = check_required(&s, o);
    if (st == GP_OK)
        st = read_object(&s, "", o, query_members, QUERY_N_MEMBERS);
    json_decref(o);
    if (st == GP_OK && problems->n == 0) {
        *a = fresh;
        return GP_OK;
    }
    query_args_clear(&fresh);
    if (st != GP_OK)
        return gp_fail(err, st, 0, "arguments");
    return gp_fail(err, GP_EINVAL, 0, "%s: %.160s", problems->v[0].location,
                   problems->v[0].message);
}
