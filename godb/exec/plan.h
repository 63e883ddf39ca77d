/* plan.h - what a statement means for the scan: key layout, filters, columns, way of aggregating.
 */
#ifndef EXEC_PLAN_H
#define EXEC_PLAN_H

#include "pred.h"
#include "query/stmt.h"
#include "result/result.h"

enum {
    EXEC_KW_MAX = 6, /* key words: sip and dip of IPv6, ports, time */
    EXEC_N_FAMILIES = 2
};

/* Where one attribute sits in the packed key. Keys are packed from the top bit of word 0 down, so
 * that comparing words as numbers is the order (sip, dip, dport, proto, time). */
typedef struct exec_keyfield {
    uint8_t attr;  /* query_attr */
    uint8_t word;  /* first word */
    uint8_t shift; /* left shift of the value; IPv6 addresses fill two words */
    uint8_t first; /* 1: no earlier field in this word, so it assigns instead of or-ing */
} exec_keyfield;

typedef struct exec_keylayout {
    unsigned kw;   /* words, the time word included; at least 1 */
    int time_word; /* index of the word with the block time, or -1 */
    unsigned n_fields;
    exec_keyfield f[QUERY_N_ATTRS];
} exec_keylayout;

typedef enum exec_agg {
    EXEC_AGG_TABLE,  /* hash tables shared by all workers */
    EXEC_AGG_DIRECT, /* arrays indexed by port and protocol, per worker */
    EXEC_AGG_SUM,    /* no attribute: one sum */
} exec_agg;

/* Read-only while the workers run. */
typedef struct exec_plan {
    unsigned key_attrs; /* bit 1 << query_attr */
    int split;          /* an address is in the key: one table per family */
    int timed;          /* the block time is part of the key */
    int one_address;    /* sip or dip alone, without the time */
    int sorted_prefix;  /* stored order makes equal keys of a block adjacent */
    int unique;         /* all four attributes: a block has no equal keys */
    exec_agg agg;
    exec_keylayout key[EXEC_N_FAMILIES]; /* equal ones when not split */
    exec_filter filter[EXEC_N_FAMILIES]; /* 0: IPv4, 1: IPv6 */
    query_dirfilter dirfilter;
    gp_arena *arena; /* owns the predicates */
} exec_plan;

/* timed_key: put the block time into the packed key (queries with the time label). */
gp_status exec_plan_build(const query_stmt *stmt, exec_plan *p, gp_err *err) GP_MUST_CHECK;
void exec_plan_free(exec_plan *p);

/* Unpack a key into the attribute and time members of row (zeroed before by the caller). */
void exec_key_to_row(const exec_plan *p, int family, const uint64_t *key, result_row *row);

#endif
