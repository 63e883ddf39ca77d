/* inspect.h - metadata of days and blocks as tables and JSON. */
#ifndef GPDB_INSPECT_H
#define GPDB_INSPECT_H

#include "godb/day.h"
#include "godb/db.h"

#include <stdio.h>

/* One line (or object) for each day. *bad is set when one cannot be read. */
gp_status inspect_days_table(const godb_db *db, const char *iface, const godb_days *days, FILE *out,
                             int *bad, gp_err *err) GP_MUST_CHECK;
gp_status inspect_days_json(const godb_db *db, const char *iface, const godb_days *days, FILE *out,
                            int *bad, gp_err *err) GP_MUST_CHECK;

/* One line (or object) for each block. detailed: columns one by one. *bad is set when one is not
 * usable. */
gp_status inspect_day_table(const godb_day *d, const godb_dayref *ref, int detailed, FILE *out,
                            int *bad, gp_err *err) GP_MUST_CHECK;
gp_status inspect_day_json(const godb_day *d, const godb_dayref *ref, FILE *out, int *bad,
                           gp_err *err) GP_MUST_CHECK;

#endif
