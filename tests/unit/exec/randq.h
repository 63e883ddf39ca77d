/* randq.h - random queries, as text for the program and as a tree for the plain evaluator. */
#ifndef RANDQ_H
#define RANDQ_H

#include "gp/arena.h"
#include "gp/bytes.h"
#include "randdb.h"

typedef struct randq {
    naive_query q;
    gp_arena *arena; /* owns the condition */
    gp_buf query, cond, ifaces;
    const char *query_text, *cond_text, *ifaces_text; /* of the buffers */
    char first[32], last[32];
    const char *sort_by;
    int in, out, sum;
    unsigned threads;
    const char *resolution; /* "" or a duration */
    int bin_late;           /* by result_bin() instead of the engine */
    int low_mem, stream;
    uint64_t limit; /* 0 = all rows */
} randq;

void randq_make(randq *r, const randdb *db, test_rng *rng);
void randq_free(randq *r);

#endif
