/* querylog.h - the query log: what was asked and how it went, as JSON lines (query.md 2.10). */
#ifndef GOQUERY_QUERYLOG_H
#define GOQUERY_QUERYLOG_H

#include "query/stmt.h"
#include "result/result.h"

/* One thread. fd -1: nothing is written. */
typedef struct goquery_querylog {
    int fd;
    int owned; /* close it */
} goquery_querylog;

/* path: file to append to, stdout, stderr, devnull (any case), "" = none. A file that cannot be
 * opened is logged and otherwise ignored. */
void goquery_querylog_open(goquery_querylog *l, const char *path);
void goquery_querylog_close(goquery_querylog *l);

/* "preparing query" with the arguments, "running query" with the statement. */
void goquery_querylog_args(const goquery_querylog *l, const query_args *args);
void goquery_querylog_stmt(const goquery_querylog *l, const query_stmt *stmt);
/* "query finished"; r may be NULL. */
void goquery_querylog_end(const goquery_querylog *l, const result *r);
/* A line with `args` as one string (list). */
void goquery_querylog_text(const goquery_querylog *l, const char *msg, const char *args);

#endif
