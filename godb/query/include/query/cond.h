/* cond.h - conditions: from text to a normalised tree (spec query.md 3). */
#ifndef QUERY_COND_H
#define QUERY_COND_H

#include "gp/addr.h"
#include "gp/err.h"
#include "query/fields.h"

#include <stddef.h>
#include <stdint.h>

typedef enum query_op { QUERY_EQ, QUERY_NE, QUERY_LT, QUERY_LE, QUERY_GT, QUERY_GE } query_op;

typedef enum query_node_kind { QUERY_AND, QUERY_OR, QUERY_CMP } query_node_kind;

/* Negation normal form: there is no "not". Chains are balanced: a chain of n terms is about log2(n)
 * deep, and the deepest tree there is (512 nested brackets of 1 MiB text) stays below 1,100 levels,
 * so walking it by recursion is safe. */
typedef struct query_node query_node;
struct query_node {
    query_node_kind kind;
    const query_node *left, *right; /* AND, OR; never NULL there */
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

/* Which rows a condition can look at (3.9, U20); a matter of the planner: query_cond_match() does
 * not look at it. */
typedef enum query_family {
    QUERY_FAMILY_ANY = 0, /* no address comparison, or both families */
    QUERY_FAMILY_V4 = 4,
    QUERY_FAMILY_V6 = 6,
} query_family;

/* Read-only after parsing; threads may share one. */
typedef struct query_cond {
    const query_node *root; /* NULL: everything matches */
    query_dirfilter dirfilter;
    query_family family;
    unsigned attr_mask;   /* 1 << query_attr of the attributes compared */
    size_t n_cmp;         /* comparisons in the tree */
    size_t n_names;       /* distinct host names that were looked up */
    char *text;           /* result form (3.8); "" when empty */
    char *statement_text; /* tokens joined by blanks */
    void *arena;          /* owns the nodes */
} query_cond;

/* Addresses of one name; v is gp_alloc'ed and freed by the caller of the resolver. */
typedef struct query_addrs {
    gp_addr *v;
    size_t n;
} query_addrs;

/* Look n host names up, in parallel, for names in conditions (3.6). out: n entries, zeroed by the
 * caller; out[i] gets the addresses of names[i] in the resolver's order. timeout_ns: one limit for
 * all, 0 = immediate time-out. GP_EDEADLINE at the limit; any other failure names the host in err.
 * What is in out is freed by the caller on failure too. */
typedef gp_status (*query_lookup)(void *ctx, const char *const *names, size_t n, int64_t timeout_ns,
                                  query_addrs *out, gp_err *err);

/* The system's hosts file and DNS (A and AAAA). ctx unused. Any thread; makes none. */
gp_status query_lookup_system(void *ctx, const char *const *names, size_t n, int64_t timeout_ns,
                              query_addrs *out, gp_err *err) GP_MUST_CHECK;

/* Parse, desugar, resolve, normalise. text NULL or "" gives an empty condition. lookup NULL: names
 * are errors. GP_EINVAL for a bad condition (GP_ELIMIT and GP_ENOMEM for the machine's limits);
 * *caret (may be NULL) is then filled for syntax errors (its text NULL for semantic ones), and
 * *message (may be NULL) gets the whole description of 3.10 incl. the caret display, to be freed;
 * err->msg has one line. */
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

/* Sanitised condition as tokens joined by blanks (statement form), also for invalid input: for
 * error displays. New string, gp_free() it; the text as it is if it is too long to be scanned. */
char *query_cond_sanitise(const char *text) GP_MUST_CHECK;

#endif
