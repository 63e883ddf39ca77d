/* randdb.h - small random databases, also with rows in an order that writers must not leave. */
#ifndef RANDDB_H
#define RANDDB_H

#include "godb/db.h"
#include "naive.h"
#include "test.h"

enum { RANDDB_IFACES = 3, RANDDB_V4 = 12, RANDDB_V6 = 8, RANDDB_PORTS = 10, RANDDB_PROTOS = 6 };

#define RANDDB_DAY0 INT64_C(1700006400) /* first second of a UTC day */

/* The rows that are in the files, and what values they take. */
typedef struct randdb {
    char *dir;
    naive_row *rows;
    size_t n, cap;
    const char *names[RANDDB_IFACES + 1];
    unsigned n_ifaces, n_days;
    uint8_t v4[RANDDB_V4][16], v6[RANDDB_V6][16]; /* addresses in use */
    uint16_t ports[RANDDB_PORTS];
    uint8_t protos[RANDDB_PROTOS];
    int64_t *times; /* of all blocks */
    size_t n_times;
} randdb;

void randdb_make(randdb *db, test_rng *rng);
void randdb_free(randdb *db);
/* A random row with values of db (no interface, no time). */
naive_row randdb_row(const randdb *db, test_rng *rng);

#endif
