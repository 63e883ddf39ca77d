/* cond.h - conditions: from text to a normalised tree (spec query.md 3). */
#ifndef QUERY_COND_H
#define QUERY_COND_H

#include "gp/addr.h"
#include "gp/err.h"
#include "query/fields.h"

typedef enum query_op { QUERY_EQ, QUERY_NE, QUERY_LT, QUERY_LE, QUERY_GT, QUERY_GE } query_op;

typedef enum query_node_kind { QUERY_AND, QUERY_OR, QUERY_CMP } query_node_kind;

/* Negation normal form: there is no "not". Chains are balanced, so depth stays small. */
typedef struct query_node query_node;
struct query_node {
    query_node_kind kind;
    const query_node *left, *right; /* AND, OR */
    /* CMP: */
    query_attr attr; /* sip and dip: op is EQ or NE */
    query_op op;
    gp_net net;     /* sip, dip: address is prefix 32 / 128 */
    uint16_t value; /* dport, proto */
};

typedef enum query_dirfilter {
    QUERY_DIR_NONE,
    QUERY_DIR_IN,  /* packets received > 0, sent = 0 */
    QUERY_DIR_OUT, /* sent > 0, received = 0 */
    QUERY_DIR_UNI, /* exactly one of them is 0 */
    QUERY_DIR_BI,  /* both > 0 */
} query_dirfilter;

typedef enum query_family { /* which rows a condition can look at (3.9, U20) */
                            QUERY_FAMILY_ANY = 0, /* no address comparison, or both families */
                            QUERY_FAMILY_V4 = 4,
                            QUERY_FAMILY_V6 = 6
} query_family;

/* Read-only after parsing; threads may share one. */
typedef struct query_cond {
    const query_node *root; /* NULL: everything matches */
    query_dirfilter dirfilter;
    query_family family;
    char *text;           /* result form (3.8); "" when empty */
    char *statement_text; /* tokens joined by blanks */
    unsigned attr_mask;   /* 1 << query_attr of the attributes compared */
    void *arena;          /* owns the nodes */
} query_cond;

/* Look a host name up: append addresses to *out. For names in conditions (3.6); NULL = names are
 * errors. Must return within timeout_ns (GP_EDEADLINE otherwise). */
typedef struct query_addrs {
    gp_addr *v; /* gp_alloc'ed; freed by the caller of the resolver */
    size_t n;
} query_addrs;
typedef gp_status (*query_lookup)(void *ctx, const char *const *names, size_t n, int64_t timeout_ns,
                                  query_addrs *out, gp_err *err);

/* The system resolver (hosts file, DNS; A and AAAA), all names in parallel. */
gp_status query_lookup_system(void *ctx, const char *const *names, size_t n, int64_t timeout_ns,
                              query_addrs *out, gp_err *err) GP_MUST_CHECK;

/* Parse, desugar, resolve, normalise. text NULL or "" gives an empty condition. GP_EINVAL for a bad
 * condition; *caret (may be NULL) is filled for syntax errors (text NULL for semantic ones), and
 * *message (may be NULL) gets the whole description of 3.10 incl. the caret display, to be freed. */
gp_status query_cond_parse(const char *text, query_lookup lookup, void *lookup_ctx,
                           int64_t lookup_timeout_ns, query_cond **out, query_caret *caret,
                           char **message, gp_err *err) GP_MUST_CHECK;
void query_cond_free(query_cond *c);
static inline void query_cond_freep(query_cond **c)
{
    query_cond_free(*c);
}

/* Row by row evaluation (tests, live flows). */
typedef struct query_flow {
    gp_addr sip, dip;
    uint16_t dport;
    uint8_t proto;
} query_flow;
int query_cond_match(const query_cond *c, const query_flow *f);
/* The direction filter on aggregated packet counters. */
int query_dirfilter_match(query_dirfilter f, uint64_t pkts_rcvd, uint64_t pkts_sent);

/* Sanitised condition as tokens joined by blanks (statement form), also for invalid input: for error
 * displays. New string. */
char *query_cond_sanitise(const char *text);

#endif
