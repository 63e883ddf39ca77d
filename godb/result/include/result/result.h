/* result.h - a query's answer: rows with labels, summary, host statuses (spec query.md 5, 6.6). */
#ifndef RESULT_RESULT_H
#define RESULT_RESULT_H

#include "gp/addr.h"
#include "gp/arena.h"
#include "gp/err.h"
#include "query/fields.h"
#include "query/stmt.h"

#include <stddef.h>
#include <stdint.h>

typedef struct result_counters {
    uint64_t bytes_rcvd, bytes_sent, pkts_rcvd, pkts_sent;
} result_counters;

/* One aggregated row; 88 bytes. Attributes that were not queried are zero / family 0. */
typedef struct result_row {
    int64_t time_s;                 /* block end, Unix seconds; 0 = no time label */
    uint32_t host;                  /* index into result.hosts */
    uint32_t iface;                 /* index into result.names */
    uint8_t sip[16], dip[16];       /* network order; IPv4 in the first four bytes */
    uint8_t sip_family, dip_family; /* 0 (absent), 4, 6 */
    uint16_t dport;                 /* host order */
    uint8_t proto;
    result_counters c;
} result_row;

typedef struct result_host {
    const char *name, *id; /* label host and label host_id; "" = absent */
} result_host;

typedef enum result_code {
    RESULT_OK,
    RESULT_EMPTY,        /* data, but no matching rows */
    RESULT_MISSING_DATA, /* no data for interface(s) / range */
    RESULT_ERROR,
    RESULT_TOO_MANY_REQUESTS,
    RESULT_TIMEOUT,     /* ours: no answer within the deadline */
    RESULT_UNREACHABLE, /* ours: could not connect or connection lost */
    RESULT_DENIED,      /* ours: signature, certificate, role or scope refused */
    RESULT_NOT_FOUND,   /* ours: unknown host or interface */
    RESULT_N_CODES
} result_code;
const char *result_code_name(result_code c); /* wire text: "ok", "missing data", ... */
int result_code_from_name(const char *name); /* -1 if unknown */

typedef struct result_host_status {
    const char *host;
    result_code code;
    const char *message; /* "" = none */
} result_host_status;

typedef struct result_stats {
    uint64_t bytes_loaded, bytes_decompressed, blocks_processed, blocks_corrupted,
        directories_processed, workloads;
} result_stats;

/* Strings and label tables live in `arena`; rows are one gp_alloc'ed array. One thread. Fill the
 * tables through the functions below: they keep names unique and find them by hash. */
struct result_index; /* private: label text -> position */
typedef struct result {
    gp_arena *arena;
    const char *hostname; /* host that ran the query; "" in merged results */
    result_code status;
    const char *status_message;
    result_host_status *host_statuses; /* sorted by host */
    size_t n_host_statuses;
    const char **ifaces; /* summary: names, sorted, unique */
    size_t n_ifaces;
    int64_t time_first_s, time_last_s; /* covered span (4.4) */
    result_counters totals;            /* over all rows before truncation */
    int64_t query_start_ns;            /* wall clock */
    int64_t query_duration_ns;
    int64_t resolution_ns;
    uint64_t hits_total; /* rows before truncation; displayed = n_rows */
    int data_available;
    int has_stats;
    result_stats stats;
    query_fields fields;   /* attributes in query order */
    const char *condition; /* result form; "" = none */
    result_host *hosts;    /* host label table */
    size_t n_hosts;
    const char **names; /* interface label table (n_names entries) */
    size_t n_names;
    result_row *rows;
    size_t n_rows, cap_rows;
    /* private: */
    size_t cap_host_statuses, cap_ifaces, cap_hosts, cap_names;
    struct result_index *host_index, *name_index;
} result;

/* mem_limit: most bytes the strings and tables may take (rows are counted by whoever adds them). */
gp_status result_init(result *r, size_t mem_limit, gp_err *err) GP_MUST_CHECK;
void result_clear(result *r); /* frees everything, zeroes the struct; fine on a zeroed one */
const char *result_strdup(result *r, const char *s); /* into the arena; NULL if out of memory */
/* Find or add a label; returns the index, or UINT32_MAX if out of memory. */
uint32_t result_host_id(result *r, const char *name, const char *id);
uint32_t result_iface_id(result *r, const char *name);
/* 1 if a host of that name and ID has a label. */
int result_has_host(const result *r, const char *name, const char *id);
/* Status of a host; NULL if it has none. Borrowed until the next one is added. */
const result_host_status *result_find_host_status(const result *r, const char *host);
/* A later status of the same host replaces the earlier one (11). Kept sorted by host. */
gp_status result_add_host_status(result *r, const char *host, result_code code, const char *message,
                                 gp_err *err) GP_MUST_CHECK;
/* Kept sorted and unique. */
gp_status result_add_iface(result *r, const char *name, gp_err *err) GP_MUST_CHECK;
/* Room for n more rows at r->rows + r->n_rows (n_rows is not changed). GP_ENOMEM. */
gp_status result_reserve_rows(result *r, size_t n, gp_err *err) GP_MUST_CHECK;

/* Set status from rows, data_available and interfaces (11): ok, empty or missing data. */
void result_finish_status(result *r);

/* ---- order, limit, binning (5.5, 5.6, 4.6) ---- */

typedef struct result_order {
    query_sort sort;
    query_direction direction;
    int ascending;
    uint8_t has_time; /* time label selected: by time, ascending */
} result_order;
result_order result_order_of(const query_stmt *s);

/* <0, 0, >0 as a comes before, with, after b. Hosts and interfaces are compared by name. */
int result_row_cmp(const result *r, const result_order *o, const result_row *a,
                   const result_row *b);
/* Sort all rows; with limit > 0 only the first limit rows are kept (hits_total is not changed):
 * a bounded heap, O(n log limit). */
gp_status result_sort(result *r, const result_order *o, uint64_t limit, gp_err *err) GP_MUST_CHECK;
/* Put rows into time bins of s->bin_s, adding up equal ones; re-sorts and sets hits_total. No-op
 * for 300 s or without the time label. */
gp_status result_bin(result *r, const query_stmt *s, gp_err *err) GP_MUST_CHECK;

/* ---- merging of partial results (11) ---- */

/* An account of bytes that several results and mergers share. take: 0 = not allowed. */
typedef struct result_quota {
    int (*take)(void *ctx, uint64_t bytes);
    void (*give)(void *ctx, uint64_t bytes);
    void *ctx;
} result_quota;

typedef struct result_merger result_merger; /* one thread */
/* merge_hosts: rows that differ only in host are added up (host label dropped).
 * mem_limit: bytes for table and strings; GP_ELIMIT when it would be passed. */
gp_status result_merger_new(const query_stmt *s, int merge_hosts, size_t mem_limit,
                            result_merger **out, gp_err *err) GP_MUST_CHECK;
void result_merger_free(result_merger *m);
/* Take the bytes of its table from q as well (GP_ELIMIT when q has none), and give them back when
 * it is freed. Before the first row; q is borrowed. */
void result_merger_quota(result_merger *m, const result_quota *q);
/* Rows held, before binning: what result_merger_get() may copy. */
uint64_t result_merger_rows(const result_merger *m);
/* Merge rows and summary of one partial result. part is not changed and may be freed after. */
gp_status result_merger_add(result_merger *m, const result *part, gp_err *err) GP_MUST_CHECK;
/* Record a host that failed altogether. */
gp_status result_merger_host(result_merger *m, const char *host, result_code code,
                             const char *message, gp_err *err) GP_MUST_CHECK;
/* The merged result so far: sorted, binned, cut to limit rows (0 = all). The merger stays usable.
 */
gp_status result_merger_get(result_merger *m, uint64_t limit, result *out,
                            gp_err *err) GP_MUST_CHECK;

#endif
