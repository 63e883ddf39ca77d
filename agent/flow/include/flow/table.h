/* table.h - the flow table: packets folded into 5-tuples, one bank per interval (capture.md 2 to
 * 4).
 *
 *   worker --flow_table_add()--> [active bank]        rotate: active becomes previous, a fresh one
 *                  \--on a miss--> [previous bank]    becomes active, and the writer gets the
 * frozen one
 *
 * A bank holds the flows of one interval and is frozen by rotation, so the writer and live queries
 * read it while capture goes on with the next one: nothing is locked and nothing is zeroed. What
 * spec 4.3 calls "keeping" an entry is done on a miss: a 5-tuple that had packets in the previous
 * interval takes over its orientation from there. So an entry lives exactly as long as it has a
 * packet per interval.
 */
#ifndef FLOW_TABLE_H
#define FLOW_TABLE_H

#include "capture/packet.h"
#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>

enum {
    FLOW_ENTRIES_DEFAULT = 2000000, /* most entries of a bank (spec 4.9) */
    FLOW_ENTRIES_MIN = 1024,
    FLOW_ENTRIES_MAX = 500000000,
};

/* Order of the counters; the same as goDB's columns. */
enum { FLOW_BYTES_IN, FLOW_BYTES_OUT, FLOW_PKTS_IN, FLOW_PKTS_OUT, FLOW_N_COUNTERS };

/* The flows of one interval. Counted references; filled by one thread, then frozen and read-only
 * for any number of threads. */
typedef struct flow_bank flow_bank;

/* How much of a bank was copied, of a running interval; all zero at first. */
typedef struct flow_bank_cursor {
    uint32_t entries[2]; /* IPv4, IPv6: what is to be copied */
    uint32_t chunks[2];  /* copied so far */
    int begun;
} flow_bank_cursor;

/* One entry, oriented: src is the client. */
typedef struct flow_row {
    uint8_t family, proto;
    uint8_t sure;             /* 1: orientation by evidence of spec 3.6 */
    uint16_t sport, dport;    /* host order; 0 = blanked or none */
    uint8_t src[16], dst[16]; /* IPv4 in the first four, the rest zero */
    uint64_t counter[FLOW_N_COUNTERS];
} flow_row;

/* An empty bank with room for about `expect` entries before its index must grow; never more than
 * max_entries plus one eighth (see flow_table_add()). */
gp_status flow_bank_new(size_t expect, size_t max_entries, flow_bank **out,
                        gp_err *err) GP_MUST_CHECK;
flow_bank *flow_bank_ref(flow_bank *b); /* any thread; returns b */
void flow_bank_unref(flow_bank *b);     /* any thread; NULL is fine */
static inline void flow_bank_unrefp(flow_bank **b)
{
    flow_bank_unref(*b);
}
size_t flow_bank_count(const flow_bank *b); /* entries, both families */
/* Entry i < flow_bank_count(), in order of creation within the family, IPv4 first. */
void flow_bank_row(const flow_bank *b, size_t i, flow_row *out);
/* Sums of the counters of all entries. */
void flow_bank_totals(const flow_bank *b, uint64_t totals[FLOW_N_COUNTERS]);
size_t flow_bank_bytes(const flow_bank *b); /* memory held */

/* One thread. */
typedef struct flow_table flow_table;

typedef struct flow_table_opts {
    size_t max_entries; /* 0 = FLOW_ENTRIES_DEFAULT */
    int compat;         /* no later correction of direction (3.6), narrow multicast (D-9) */
    int by_endpoint;    /* for tests: count as sent what travels from a flow's source, as received
                           what travels to it, instead of capture_pkt.dir */
    uint32_t scale;     /* with sampling: each packet stands for so many; 0 = 1 */
    uint64_t seed;      /* of the hash; 0 = random (remote parties choose the keys) */
} flow_table_opts;

/* opts may be NULL. */
gp_status flow_table_new(const flow_table_opts *opts, flow_table **out, gp_err *err) GP_MUST_CHECK;
void flow_table_free(flow_table *t); /* NULL is fine */
static inline void flow_table_freep(flow_table **t)
{
    flow_table_free(*t);
}

/* Count n packets. At max_entries new 5-tuples share an entry without source port, which loses
 * nothing that is stored (4.9); those have an eighth of max_entries on top for themselves. When
 * that is full too, or memory is out, the packet is counted by flow_table_lost(). */
void flow_table_add(flow_table *t, const capture_pkt *pkts, size_t n);

/* Make `fresh` the active bank (the table takes the reference) and return the one it replaces, now
 * frozen, with a reference for the caller. The table keeps another one until the next rotation, to
 * carry orientations over. *retired: the bank before that (or NULL), whose reference goes to the
 * caller too, because freeing it may take milliseconds. O(1). */
flow_bank *flow_table_rotate(flow_table *t, flow_bank *fresh, flow_bank **retired);

/* The active bank, borrowed; only for the thread that owns the table. */
flow_bank *flow_table_active(const flow_table *t);

/* Since creation: packets that found no entry; packets in entries without source port (overflow).
 * As capture counts them: sampled ones, and without later fragments. */
uint64_t flow_table_lost(const flow_table *t);
uint64_t flow_table_shared(const flow_table *t);
/* 1 when the active bank has reached max_entries: time for an early rotation. */
int flow_table_full(const flow_table *t);

#endif
