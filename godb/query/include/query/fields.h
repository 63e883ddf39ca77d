/* fields.h - attributes and labels of a query: "sip,dip,time" (spec query.md 1). */
#ifndef QUERY_FIELDS_H
#define QUERY_FIELDS_H

#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>

typedef enum query_attr {
    QUERY_SIP,
    QUERY_DIP,
    QUERY_DPORT,
    QUERY_PROTO,
    QUERY_N_ATTRS
} query_attr;

/* bits of query_fields.labels */
enum {
    QUERY_LABEL_TIME = 1,
    QUERY_LABEL_HOST = 2,
    QUERY_LABEL_HOSTID = 4,
    QUERY_LABEL_IFACE = 8,
};

typedef struct query_fields {
    uint8_t attrs[QUERY_N_ATTRS]; /* query_attr in the order requested */
    uint8_t n_attrs;
    uint8_t attr_mask; /* bit 1 << query_attr */
    uint8_t labels;    /* QUERY_LABEL_* as selected by the query text */
} query_fields;

/* Where the first offending token is: for caret displays. Zero-initialise; all members are owned by
 * whoever holds the struct. */
typedef struct query_caret {
    char *text;    /* tokens re-joined; NULL: nothing to point at */
    size_t offset; /* column of '^' in code points */
    char *what;    /* description, e.g. "unknown attribute" */
    char *word;    /* the offending token, "" past the end; for suggestions */
} query_caret;
void query_caret_clear(query_caret *c);

/* Parse a query type. GP_EINVAL for an unknown name, and then *caret (may be NULL) is filled. */
gp_status query_fields_parse(const char *text, query_fields *out, query_caret *caret,
                             gp_err *err) GP_MUST_CHECK;

/* Canonical text sent to servers: shorthands replaced, aliases as typed, white space dropped.
 * New string, free with gp_free(); NULL if out of memory. Unknown names are kept. */
char *query_fields_expand(const char *text) GP_MUST_CHECK;

/* The same plus ",host" unless the host-name label is selected already (1.2, U3): what is asked of
 * many hosts when the answer is shown as a table. Text with unknown names is only expanded. */
char *query_fields_expand_host(const char *text) GP_MUST_CHECK;

const char *query_attr_name(query_attr a); /* "sip", "dip", "dport", "proto" */

#endif
