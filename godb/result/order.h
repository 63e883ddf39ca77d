/* order.h - sorting rows wherever they lie: keys, ranks of names, selection of the first N. */
#ifndef RESULT_SORT_H
#define RESULT_SORT_H

#include "result/result.h"

/* Rows in chunks of 1 << shift; one array is a single chunk with shift 63. */
typedef struct order_view {
    result_row *const *chunks;
    unsigned shift;
    size_t n;
} order_view;

static inline result_row *result_order_row(const order_view *v, uint32_t i)
{
    uint64_t wide = i;
    return v->chunks[wide >> v->shift] + (wide & ((UINT64_C(1) << v->shift) - 1));
}

/* One row to be sorted: the order's first word and where the row is. */
typedef struct order_entry {
    uint64_t key;
    uint32_t idx;
} order_entry;

/* The first `limit` rows (0 = all) of view in order, as entries in a new array (gp_free). *n: how
 * many. r gives the label texts. GP_ENOMEM. */
gp_status result_order_select(const result *r, const order_view *view, const result_order *o,
                              uint64_t limit, order_entry **out, size_t *n,
                              gp_err *err) GP_MUST_CHECK;

/* Sort entries by key, rising; tmp has room for n entries and is overwritten. Stable. */
void result_radix_sort(order_entry *v, order_entry *tmp, size_t n);

#endif
