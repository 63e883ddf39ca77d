/* export_rows.h - rows as CSV text. */
#ifndef GODB_STORE_EXPORT_ROWS_H
#define GODB_STORE_EXPORT_ROWS_H

#include "godb/writer.h"
#include "gp/bytes.h"

/* Append the line with the column names. */
void godb_export_heading(gp_buf *out);

/* Append text as one CSV field, quoted where needed (RFC 4180). */
void godb_export_field(gp_buf *out, const char *text);

/* 1 if the name survives being a CSV field that is trimmed when read. */
int godb_export_name_ok(const char *iface);

/* Append rows [from, ...) until all are there or out has about most bytes; returns the next row.
 * iface: the name as a field. Check out->failed. */
size_t godb_export_rows(gp_buf *out, int64_t time_s, const gp_buf *iface, const godb_rows *rows,
                        size_t from, size_t most);

/* Row i by itself. */
godb_row godb_rows_get(const godb_rows *rows, size_t i);

#endif
