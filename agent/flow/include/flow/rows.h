/* rows.h - a frozen bank as database rows: source ports dropped, sorted, equal keys added up. */
#ifndef FLOW_ROWS_H
#define FLOW_ROWS_H

#include "flow/table.h"
#include "godb/writer.h"

/* Add all entries of the bank to the sorter (spec 2.4). Rows are in the sorter's order after
 * godb_sorter_finish(). */
gp_status flow_rows_add(const flow_bank *b, godb_sorter *s, gp_err *err) GP_MUST_CHECK;

#endif
