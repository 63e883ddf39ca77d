/* stmt.h - a checked query: everything the engine, merger and printers need (spec query.md 7.3). */
#ifndef QUERY_STMT_H
#define QUERY_STMT_H

#include "gp/bytes.h"
#include "query/args.h"
#include "query/cond.h"
#include "query/fields.h"
#include "query/ifsel.h"
#include "query/timearg.h"

typedef enum query_sort { QUERY_SORT_BYTES, QUERY_SORT_PACKETS, QUERY_SORT_TIME } query_sort;
typedef enum query_direction {
    QUERY_BOTH, /* in and out shown apart, sorted by their sum */
    QUERY_SUM,
    QUERY_IN,
    QUERY_OUT,
} query_direction;
typedef enum query_format {
    QUERY_TXT,
    QUERY_JSON,
    QUERY_CSV,
    QUERY_NDJSON, /* ours: one row a line */
    QUERY_MD,     /* ours: Markdown table */
    QUERY_HTML,   /* ours: HTML fragment */
} query_format;

/* Read-only after preparing; threads may share one. Text members are owned. */
typedef struct query_stmt {
    query_fields fields;
    unsigned labels; /* fields.labels plus the automatic interface label (1.2) */
    query_ifsel *ifsel;
    query_cond *cond;        /* never NULL */
    int64_t first_s, last_s; /* both included; last_s may be QUERY_TIME_MAX */
    int64_t bin_s;           /* 300 = no binning; only looked at with the time label */
    query_direction direction;
    query_sort sort; /* time queries are forced to QUERY_SORT_TIME, ascending */
    int ascending;
    uint64_t limit; /* rows shown */
    query_format format;
    int live, low_mem, merge_hosts;
    unsigned max_mem_pct;
    int64_t keepalive_ns;
    int dns_enabled;
    int64_t dns_timeout_ns;
    int64_t dns_max_rows;
    query_args args; /* as used, fit to be sent on: defaults filled in, query expanded, first and
                        last as epoch seconds (U38), condition in statement form, or with addresses
                        in place of host names (U43) */
} query_stmt;

/* One failed check (7.3): for CLI headings and API problem documents. */
typedef struct query_problem {
    char *location;      /* "body.query" */
    char *message;       /* may span lines */
    char *value;         /* the echoed value as text */
    char *hint;          /* "did you mean \"dport\"?", or NULL */
    int value_is_number; /* JSON shows `number` instead of the text */
    int64_t number;
} query_problem;
typedef struct query_problems {
    query_problem *v;
    size_t n;
} query_problems;
void query_problems_clear(query_problems *p);
/* "failed to prepare query:" and the details as in 7.1, ending in a newline; appended to out. */
void query_problems_format(const query_problems *p, gp_buf *out);
/* The hints, one line each, if there are any. For what follows the text above. */
void query_problems_hints(const query_problems *p, gp_buf *out);
/* The array `errors` of a problem document (9.4). */
void query_problems_to_json(const query_problems *p, gp_buf *out);

/* Read arguments as an API does (9.3): case-sensitive, every member known and within its limits,
 * `query` and `ifaces` present, nothing behind the object. All problems are collected ("validation
 * failed"). GP_ECORRUPT for what is no JSON object (HTTP 400), GP_EINVAL for the rest (422); *a:
 * {0} or cleared, changed only on GP_OK. Defaults (9.2) come with query_env.api_defaults. */
gp_status query_args_from_api(query_args *a, const void *bytes, size_t len,
                              query_problems *problems, gp_err *err) GP_MUST_CHECK;

typedef struct query_env {
    int64_t now_s;       /* injected clock */
    query_lookup lookup; /* NULL: names in conditions are errors */
    void *lookup_ctx;
    int need_hosts;   /* 1: query_hosts must be given (query servers) */
    int api_defaults; /* 1: members that are empty or zero get the API's defaults (9.2), so `last`
                         means QUERY_TIME_MAX and the format json */
} query_env;

/* Run all checks in the order of 7.3 and collect all problems. GP_EINVAL when *problems is not
 * empty; other codes for system failures. args is copied. *problems: {0} or cleared; the caller
 * clears it. err has the first problem in one line. */
gp_status query_prepare(const query_args *args, const query_env *env, query_stmt **out,
                        query_problems *problems, gp_err *err) GP_MUST_CHECK;
void query_stmt_free(query_stmt *s);
static inline void query_stmt_freep(query_stmt **s)
{
    query_stmt_free(*s);
}

/* 1 if several interfaces are to be told apart in the output though the query does not name the
 * label (1.2, U2): `selected` = number of interfaces really selected. */
int query_auto_iface_label(const query_stmt *s, size_t selected);

/* The multi-line block of execution errors (7.1): "failed to execute query ... Statement: ...". */
void query_error_dump(const query_stmt *s, const char *text, gp_buf *out);

/* The statement as one JSON object, as the query log has it (2.10, `stmt`). */
void query_stmt_to_json(const query_stmt *s, gp_buf *out);

const char *query_format_name(query_format f);       /* "txt" */
const char *query_sort_name(query_sort s);           /* "bytes" */
const char *query_direction_name(query_direction d); /* "sum", "in", "out", "bi-directional" */

#endif
