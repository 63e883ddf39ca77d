/* naive.h - the slow, plain way to answer a query: one row after the other, for comparison. */
#ifndef NAIVE_H
#define NAIVE_H

#include <stddef.h>
#include <stdint.h>

typedef struct naive_row {
    int iface;
    int64_t time_s;
    uint8_t family, proto;
    uint16_t dport;
    uint8_t sip[16], dip[16];
    uint64_t c[4]; /* bytes rcvd, bytes sent, packets rcvd, packets sent */
} naive_row;

typedef enum naive_kind { NAIVE_AND, NAIVE_OR, NAIVE_NOT, NAIVE_CMP } naive_kind;
typedef enum naive_attr {
    NAIVE_SIP,
    NAIVE_DIP,
    NAIVE_HOST, /* either address */
    NAIVE_DPORT,
    NAIVE_PROTO
} naive_attr;
typedef enum naive_op { NAIVE_EQ, NAIVE_NE, NAIVE_LT, NAIVE_LE, NAIVE_GT, NAIVE_GE } naive_op;

/* A condition as it was written, before any rewriting. */
typedef struct naive_cond naive_cond;
struct naive_cond {
    naive_kind kind;
    const naive_cond *l, *r; /* NOT: l */
    naive_attr attr;
    naive_op op;
    uint8_t family, addr[16];
    unsigned prefix; /* 32 or 128: an address */
    unsigned value;
};

typedef enum naive_dir { NAIVE_ALL, NAIVE_IN, NAIVE_OUT, NAIVE_UNI, NAIVE_BI } naive_dir;
typedef enum naive_sort { NAIVE_BYTES, NAIVE_PACKETS, NAIVE_TIME } naive_sort;

typedef struct naive_query {
    int sip, dip, dport, proto, time; /* key */
    unsigned ifaces;                  /* bit per interface */
    const naive_cond *cond;           /* NULL: all */
    naive_dir dir;
    int64_t first_s, last_s;
    int64_t bin_s; /* 0: no binning */
    naive_sort sort;
    int in, out; /* counters to sort by; both or none: the sum */
    int ascending;
} naive_query;

/* Groups in the order of the query. names: of the interfaces. */
typedef struct naive_result {
    naive_row *v; /* free with naive_result_free(); members that are not in the key are 0 */
    size_t n;
    uint64_t totals[4];
} naive_result;

void naive_run(const naive_row *rows, size_t n, const char *const *names, const naive_query *q,
               naive_result *out);
void naive_result_free(naive_result *r);
/* Sort groups as a stream sends them: interface, family, sip, dip, dport, proto, time. */
void naive_stream_order(naive_result *r, const char *const *names);

#endif
