/* chart.h - results as inline SVG: amounts over time, and the largest groups as bars. */
#ifndef GOQUERY_CHART_H
#define GOQUERY_CHART_H

#include "gp/bytes.h"
#include "query/stmt.h"
#include "result/result.h"

/* Append text with what HTML and SVG would take for markup replaced. */
void goquery_html(gp_buf *out, const char *text);

/* An <svg> element without blank lines; title is what a screen reader says. Bytes, or packets when
 * the query sorts by them; received and sent apart unless the direction says otherwise. Nothing is
 * appended when there are no rows. */
void goquery_chart_time(const result *r, const query_stmt *s, const char *title, gp_buf *out);
void goquery_chart_bars(const result *r, const query_stmt *s, const char *title, gp_buf *out);

#endif
