/* args.h - the arguments object: what a user asks, before any checking (spec query.md 9.1). */
#ifndef QUERY_ARGS_H
#define QUERY_ARGS_H

#include "gp/bytes.h"
#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>

/* Strings are owned by the struct (gp_strdup); NULL and "" mean the same: not given. */
typedef struct query_args {
    char *query;           /* query type, e.g. "sip,dip" */
    char *ifaces;          /* interface argument */
    char *query_hosts;     /* host selector (query-server mode) */
    char *hosts_resolver;  /* query_hosts_resolver_type */
    char *hostname;        /* informational */
    uint64_t host_id;      /* informational */
    char *condition;       /* any spelling */
    int in, out, sum;      /* counter direction shown */
    char *first, *last;    /* any form of 4.1 */
    char *time_resolution; /* "", "auto" or a duration */
    char *format;          /* txt, json, csv, (ours:) ndjson, md, html */
    char *sort_by;         /* bytes, packets, time */
    uint64_t num_results;
    int sort_ascending;
    int list, version; /* accepted, no effect */
    int dns_enabled;
    int64_t dns_timeout_ns; /* also the limit for names in conditions */
    int64_t dns_max_rows;
    int64_t max_mem_pct;
    int low_mem;
    int64_t keepalive_ns;
    char *caller;
    int live;
    int merge_hosts; /* ours: add up rows of different hosts */
} query_args;

/* Command-line defaults of 9.2 (format txt, sort_by bytes, 1000 results, ...). Frees nothing: for a
 * struct that was never used. For an API request start from {0} instead. */
gp_status query_args_init(query_args *a) GP_MUST_CHECK;
void query_args_clear(query_args *a); /* frees the strings, zeroes the struct */
/* dst: {0} or cleared. */
gp_status query_args_copy(query_args *dst, const query_args *src) GP_MUST_CHECK;
/* Replace one string member: query_args_set(&a->query, "sip"). NULL value clears. */
gp_status query_args_set(char **member, const char *value) GP_MUST_CHECK;

/* Decode a JSON object on top of *a: members present win (2.8). Keys case-insensitive, unknown keys
 * ignored, null leaves the value, text after the object ignored, durations as ns or as text (U12).
 * GP_EINVAL with a text that names the member and what it takes; *a is then unchanged. */
gp_status query_args_from_json(query_args *a, const void *bytes, size_t len,
                               gp_err *err) GP_MUST_CHECK;

/* Emit as one line of JSON in the member order of 9.1, zero members left out (query, ifaces and
 * dns_resolution are always there). Appends to out. */
void query_args_to_json(const query_args *a, gp_buf *out);

#endif
