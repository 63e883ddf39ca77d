/* batch_order.h - the order in which rows are coded; private to the room. */
#ifndef WIRE_BATCH_ORDER_H
#define WIRE_BATCH_ORDER_H

#include "gp/err.h"
#include "result/result.h"

enum { BATCH_ORDER_ROWS = 64 * 1024 }; /* sorted together, at most: more do not fit the caches */

typedef struct batch_entry {
    uint64_t key;
    uint32_t row;   /* index */
    uint32_t class; /* families of its addresses */
} batch_entry;

/* Zeroed before use; buffers grow with what is sorted and are kept. */
typedef struct batch_order {
    batch_entry *v, *tmp; /* v: in order */
    size_t n, cap;
} batch_order;

/* Sort n <= BATCH_ORDER_ROWS rows: by families, then by addresses, so that neighbours share what
 * they can; rows with the same addresses stay in order. GP_EINVAL for a row with an unknown family
 * or two families. */
gp_status wire_order_rows(batch_order *o, const result_row *rows, size_t n,
                          gp_err *err) GP_MUST_CHECK;

/* The rows from place i on that have the same families: entries, *n of them. */
const batch_entry *wire_order_run(const batch_order *o, size_t i, size_t *n);

/* Copy the rows of n entries to out. */
void wire_order_gather(const batch_entry *v, size_t n, const result_row *rows, result_row *out);

void wire_order_free(batch_order *o);

/* 0, 4 or 6. */
static inline unsigned batch_family(const result_row *r)
{
    return r->sip_family ? r->sip_family : r->dip_family;
}

#endif
