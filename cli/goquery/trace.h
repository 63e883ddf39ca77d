/* trace.h - the trace a query belongs to: identifiers in, one span out (query.md 2.3). */
#ifndef GOQUERY_TRACE_H
#define GOQUERY_TRACE_H

#include "options.h"

typedef struct goquery_trace {
    char trace_id[33];  /* 32 hex digits; "" = none known */
    char parent_id[17]; /* 16 hex digits; "" = root */
    char span_id[17];
    int to_stdout;
    int64_t start_ns; /* wall clock */
} goquery_trace;

/* Read --traceparent; decide where the span goes. A malformed identifier is logged and ignored. */
void goquery_trace_start(goquery_trace *t, const goquery_opts *o);
/* Print the span, if it is to be printed. query: the query type; ok: it succeeded. */
void goquery_trace_end(const goquery_trace *t, const char *query, int ok);

#endif
