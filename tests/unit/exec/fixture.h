/* fixture.h - small databases with known rows, and queries on them. */
#ifndef EXEC_FIXTURE_H
#define EXEC_FIXTURE_H

#include "exec/exec.h"
#include "godb/writer.h"
#include "test.h"

#define DAY0 INT64_C(1700006400) /* first second of a UTC day */

/* Append a block of n IPv4 rows 10.0.0.<i> -> 10.1.0.<i % 4>, port 443 (odd i: 53), TCP (odd i:
 * UDP), with 10, 20, 1, 2 as counters (times scale). */
void fixture_block(godb_writer *w, int64_t time_s, unsigned n, uint64_t scale);
/* n_blocks blocks of n rows on each of n_days days: times DAY0 + day + 300 (1 + i). */
void fixture_db(const char *dir, const char *iface, unsigned n_days, unsigned n_blocks, unsigned n,
                uint8_t codec);
/* Prepared statement; all arguments may be NULL (first and last as text). */
query_stmt *fixture_stmt(const char *query, const char *ifaces, const char *cond, const char *first,
                         const char *last);
/* Path of the only file `name` below dir (first found); gp_free() it. */
char *fixture_find(const char *dir, const char *name);

#endif
