/* reportpage.h - a report as one HTML or Markdown page that needs no other file. */
#ifndef GOQUERY_REPORTPAGE_H
#define GOQUERY_REPORTPAGE_H

#include "gp/bytes.h"
#include "query/stmt.h"
#include "reportfile.h"
#include "result/result.h"

/* What comes before and after the sections. source: where the data is from. */
void report_page_begin(const report_file *f, int html, const char *source, int64_t now_s,
                       gp_buf *out);
void report_page_end(int html, const char *summary, gp_buf *out);

/* A section with chart, table and figures of one query; number counts from 1. */
gp_status report_page_result(const report_query *q, size_t number, int html, const query_stmt *s,
                             const result *r, gp_buf *out, gp_err *err) GP_MUST_CHECK;
/* A section that says why there is no result. */
void report_page_failure(const report_query *q, size_t number, int html, const char *text,
                         gp_buf *out);

/* One result in a format for files (csv, json, ...). */
gp_status report_render(const result *r, const query_stmt *s, query_format format, gp_buf *out,
                        gp_err *err) GP_MUST_CHECK;

/* The chart that a query gets: never REPORT_AUTO. */
report_chart report_chart_of(const report_query *q, const query_stmt *s);

#endif
