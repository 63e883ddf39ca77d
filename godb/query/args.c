/* args.c - the arguments object: defaults, copies, and printing it as JSON. */
#include "query/args.h"

#include "args_int.h"
#include "gp/mem.h"
#include "query/json.h"

#include <string.h>

const query_member query_members[] = {
    {"query", MEMBER_TEXT, offsetof(query_args, query)},
    {"ifaces", MEMBER_TEXT, offsetof(query_args, ifaces)},
    {"query_hosts", MEMBER_TEXT, offsetof(query_args, query_hosts)},
    {"query_hosts_resolver_type", MEMBER_TEXT, offsetof(query_args, hosts_resolver)},
    {"hostname", MEMBER_TEXT, offsetof(query_args, hostname)},
    {"host_id", MEMBER_U64, offsetof(query_args, host_id)},
    {"condition", MEMBER_TEXT, offsetof(query_args, condition)},
    {"in", MEMBER_BOOL, offsetof(query_args, in)},
    {"out", MEMBER_BOOL, offsetof(query_args, out)},
    {"sum", MEMBER_BOOL, offsetof(query_args, sum)},
    {"first", MEMBER_TEXT, offsetof(query_args, first)},
    {"last", MEMBER_TEXT, offsetof(query_args, last)},
    {"time_resolution", MEMBER_TEXT, offsetof(query_args, time_resolution)},
    {"format", MEMBER_TEXT, offsetof(query_args, format)},
    {"sort_by", MEMBER_TEXT, offsetof(query_args, sort_by)},
    {"num_results", MEMBER_U64, offsetof(query_args, num_results)},
    {"sort_ascending", MEMBER_BOOL, offsetof(query_args, sort_ascending)},
    {"list", MEMBER_BOOL, offsetof(query_args, list)},
    {"version", MEMBER_BOOL, offsetof(query_args, version)},
    {"dns_resolution", MEMBER_DNS, 0},
    {"max_mem_pct", MEMBER_I64, offsetof(query_args, max_mem_pct)},
    {"low_mem", MEMBER_BOOL, offsetof(query_args, low_mem)},
    {"keepalive", MEMBER_DURATION, offsetof(query_args, keepalive_ns)},
    {"caller", MEMBER_TEXT, offsetof(query_args, caller)},
    {"live", MEMBER_BOOL, offsetof(query_args, live)},
    {"merge_hosts", MEMBER_BOOL, offsetof(query_args, merge_hosts)},
};
_Static_assert(GP_COUNT(query_members) == QUERY_N_MEMBERS, "args_int.h says how many");

const query_member query_dns_members[] = {
    {"enabled", MEMBER_BOOL, offsetof(query_args, dns_enabled)},
    {"timeout", MEMBER_DURATION, offsetof(query_args, dns_timeout_ns)},
    {"max_rows", MEMBER_I64, offsetof(query_args, dns_max_rows)},
};
_Static_assert(GP_COUNT(query_dns_members) == QUERY_N_DNS_MEMBERS, "args_int.h says how many");

char **query_member_text(query_args *a, const query_member *m)
{
    return (char **)((char *)a + m->offset);
}

gp_status query_args_set(char **member, const char *value)
{
    char *copy = NULL;

    if (value) {
        copy = gp_strdup(value);
        if (!copy)
            return GP_ENOMEM;
    }
    gp_free(*member);
    *member = copy;
    return GP_OK;
}

void query_args_clear(query_args *a)
{
    for (size_t i = 0; i < QUERY_N_MEMBERS; i++)
        if (query_members[i].kind == MEMBER_TEXT)
            gp_free(*query_member_text(a, &query_members[i]));
    *a = (query_args){0};
}

gp_status query_args_copy(query_args *dst, const query_args *src)
{
    query_args a = *src, from = *src;

    for (size_t i = 0; i < QUERY_N_MEMBERS; i++)
        if (query_members[i].kind == MEMBER_TEXT)
            *query_member_text(&a, &query_members[i]) = NULL;
    for (size_t i = 0; i < QUERY_N_MEMBERS; i++) {
        const query_member *m = &query_members[i];
        if (m->kind == MEMBER_TEXT &&
            query_args_set(query_member_text(&a, m), *query_member_text(&from, m)) != GP_OK) {
            query_args_clear(&a);
            return GP_ENOMEM;
        }
    }
    *dst = a;
    return GP_OK;
}

gp_status query_args_init(query_args *a)
{
    query_args d = {.num_results = QUERY_DEFAULT_RESULTS,
                    .dns_timeout_ns = QUERY_DEFAULT_DNS_TIMEOUT_NS,
                    .dns_max_rows = QUERY_DEFAULT_DNS_ROWS,
                    .max_mem_pct = QUERY_DEFAULT_MEM_PCT};

    if (query_args_set(&d.format, "txt") != GP_OK || query_args_set(&d.sort_by, "bytes") != GP_OK ||
        query_args_set(&d.time_resolution, "5m") != GP_OK ||
        query_args_set(&d.hosts_resolver, "string") != GP_OK) {
        query_args_clear(&d);
        return GP_ENOMEM;
    }
    *a = d;
    return GP_OK;
}

void query_dns_to_json(const query_args *a, gp_buf *out)
{
    query_json_object o = query_json_open(out);

    query_json_key(&o, "enabled");
    gp_buf_adds(out, a->dns_enabled ? "true" : "false");
    query_json_int_opt(&o, "timeout", a->dns_timeout_ns);
    query_json_int_opt(&o, "max_rows", a->dns_max_rows);
    query_json_close(&o);
}

void query_args_to_json(const query_args *a, gp_buf *out)
{
    query_args from = *a;
    query_json_object o = query_json_open(out);

    for (size_t i = 0; i < QUERY_N_MEMBERS; i++) {
        const query_member *m = &query_members[i];
        const char *p = (const char *)&from + m->offset;
        int flag;
        uint64_t u;
        int64_t v;
        switch (m->kind) {
        case MEMBER_TEXT:
            if (i < 2) /* query and ifaces are always there */
                query_json_text(&o, m->name, *query_member_text(&from, m));
            else
                query_json_text_opt(&o, m->name, *query_member_text(&from, m));
            break;
        case MEMBER_BOOL:
            memcpy(&flag, p, sizeof flag);
            query_json_true_opt(&o, m->name, flag);
            break;
        case MEMBER_U64:
            memcpy(&u, p, sizeof u);
            query_json_uint_opt(&o, m->name, u);
            break;
        case MEMBER_I64:
        case MEMBER_DURATION:
            memcpy(&v, p, sizeof v);
            query_json_int_opt(&o, m->name, v);
            break;
        case MEMBER_DNS:
            query_json_key(&o, m->name);
            query_dns_to_json(&from, out);
            break;
        }
    }
    query_json_close(&o);
}
