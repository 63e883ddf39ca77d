/* args_int.h - the members of the arguments object as a table, and the default values. */
#ifndef QUERY_ARGS_INT_H
#define QUERY_ARGS_INT_H

#include "query/args.h"

enum {
    QUERY_DEFAULT_RESULTS = 1000,
    QUERY_DEFAULT_DNS_ROWS = 25,
    QUERY_DEFAULT_MEM_PCT = 60,
    QUERY_DEFAULT_DNS_TIMEOUT_NS = 1000000000,
};

typedef enum query_member_kind {
    MEMBER_TEXT,     /* char * */
    MEMBER_BOOL,     /* int */
    MEMBER_U64,      /* uint64_t */
    MEMBER_I64,      /* int64_t */
    MEMBER_DURATION, /* int64_t, ns */
    MEMBER_DNS,      /* an object with the members of query_dns_members */
} query_member_kind;

typedef struct query_member {
    const char *name; /* in JSON */
    query_member_kind kind;
    size_t offset; /* in query_args */
} query_member;

enum { QUERY_N_MEMBERS = 26, QUERY_N_DNS_MEMBERS = 3 };
extern const query_member query_members[]; /* in the order they are printed (spec 9.1) */
extern const query_member query_dns_members[];

/* The string that a MEMBER_TEXT names. */
char **query_member_text(query_args *a, const query_member *m);

/* {"enabled":...}: the value of dns_resolution. */
void query_dns_to_json(const query_args *a, gp_buf *out);

#endif
