/* rows.h - banks as database rows: source ports dropped, sorted, equal keys added up
 * (capture.md 2.4). */
#ifndef FLOW_ROWS_H
#define FLOW_ROWS_H

#include "flow/table.h"
#include "godb/columns.h"

/* Memory to make rows in, kept from block to block. One thread. */
typedef struct flow_rows flow_rows;

gp_status flow_rows_new(flow_rows **out, gp_err *err) GP_MUST_CHECK;
void flow_rows_free(flow_rows *r); /* NULL is fine */
static inline void flow_rows_freep(flow_rows **r)
{
    flow_rows_free(*r);
}

/* The flows of n frozen banks together, as stored. *out borrows from r until the next call on it.
 */
gp_status flow_rows_make(flow_rows *r, flow_bank *const *banks, size_t n, godb_rows *out,
                         gp_err *err) GP_MUST_CHECK;

/* Give memory back when the last block was much smaller than the largest. */
void flow_rows_trim(flow_rows *r);

#endif
