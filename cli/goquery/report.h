/* report.h - how goquery tells the user what went wrong (query.md 7.1). */
#ifndef GOQUERY_REPORT_H
#define GOQUERY_REPORT_H

#include "gp/err.h"
#include "query/stmt.h"

enum { GOQUERY_FAILED = 1, GOQUERY_HOSTS_FAILED = 3 };

/* "Error running query: <text>" on standard error; returns GOQUERY_FAILED. */
int goquery_fail(const char *fmt, ...) GP_PRINTF(1, 2);
/* Argument errors with their details, and hints. */
int goquery_fail_problems(const query_problems *p);
/* Execution error with the statement. */
int goquery_fail_stmt(const query_stmt *s, const char *text);

/* Flush standard output at the end of a command: the exit code, or GOQUERY_FAILED with a message
 * when something could not be written. A closed pipe ends the program quietly. */
int goquery_finish(int code);

#endif
