/* cond_int.h - the tree between the stages of a condition: parsed, valued, resolved, normalised. */
#ifndef QUERY_COND_INT_H
#define QUERY_COND_INT_H

#include "gp/arena.h"
#include "query/cond.h"
#include "query/tokens.h"

enum {
    QUERY_COND_ARENA = 512 * 1024 * 1024
}; /* bytes of nodes; names with many addresses multiply */

typedef enum cond_kind { COND_CMP, COND_AND, COND_OR, COND_NOT } cond_kind;

typedef enum cond_attr {
    COND_SIP,
    COND_DIP,
    COND_SNET,
    COND_DNET,
    COND_DPORT,
    COND_PROTO,
    COND_HOST, /* either of sip, dip */
    COND_NET,  /* either of snet, dnet */
    COND_DIR,
} cond_attr;

/* One node. AND and OR have two or more children, NOT one. */
typedef struct cond_node cond_node;
struct cond_node {
    uint8_t kind;    /* cond_kind */
    uint8_t attr;    /* CMP: cond_attr */
    uint8_t op;      /* CMP: query_op */
    uint8_t has_dir; /* a direction filter is in here */
    unsigned height; /* levels of AND, OR, NOT below, this one included */
    uint16_t number; /* CMP of dport, proto: the value */
    uint32_t n_nets; /* CMP of addresses: how many; 0 before a name is resolved */
    const gp_net *nets;
    const char *text; /* CMP: value as printed, not NUL-terminated; NULL: print the address */
    uint32_t text_len;
    const query_token *name; /* CMP: attribute as written */
    cond_node *next;         /* sibling */
    cond_node *first, *last; /* children */
    cond_node *next_cmp;     /* parsed tree: next comparison of the text */
};

/* What the stages share. */
typedef struct cond_ctx {
    gp_arena *arena; /* nodes of the intermediate trees */
    query_tokens tokens;
    cond_node *root;      /* NULL: empty */
    cond_node *first_cmp; /* comparisons in the order of the text */
    cond_node *filter;    /* the direction filter, taken out of the tree by query_cond_split() */
    int filter_last;      /* it was the right operand */
    size_t n_names;       /* distinct host names that were looked up */
    query_caret *caret;   /* may be NULL */
    gp_err *err;          /* may be NULL */
} cond_ctx;

/* cond_parse.c: tokens to tree. Fills caret for syntax errors. */
gp_status query_cond_tree(cond_ctx *c) GP_MUST_CHECK;
cond_node *query_cond_node(cond_ctx *c, cond_kind kind) GP_MUST_CHECK; /* NULL: out of memory */
void query_cond_append(cond_node *parent, cond_node *child);
/* "condition tree exceeds maximum nesting depth" */
gp_status query_cond_too_deep(cond_ctx *c);

/* cond_dir.c: find, check and take out the direction filter (3.4). */
gp_status query_cond_split(cond_ctx *c) GP_MUST_CHECK;
query_dirfilter query_cond_dirfilter(const cond_node *filter);

/* cond_value.c: operators and values of all comparisons; names are left without nets. */
gp_status query_cond_values(cond_ctx *c) GP_MUST_CHECK;
const char *query_op_text(query_op op);

/* cond_names.c: look up what query_cond_values() left (3.6). */
gp_status query_cond_resolve(cond_ctx *c, query_lookup lookup, void *lookup_ctx,
                             int64_t timeout_ns) GP_MUST_CHECK;

/* cond_norm.c: desugar, negation normal form; *out: the result form's tree. c->root must be set. */
gp_status query_cond_normalise(cond_ctx *c, cond_node **out) GP_MUST_CHECK;
/* Result form of a normalised tree (3.8). */
void query_cond_print(const cond_node *n, gp_buf *out);
/* Balanced binary tree in q->arena; sets root, family, attr_mask, n_cmp. */
gp_status query_cond_balance(cond_ctx *c, const cond_node *n, query_cond *q) GP_MUST_CHECK;

#endif
