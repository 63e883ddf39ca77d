/* floor.h - lower bounds that the engine's CPU time is held against. */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include "godb/db.h"

/* CPU seconds to read and decode the columns in cols (bit 1 << godb_col) of all blocks of eth0. */
gp_status floor_decode(const godb_db *db, unsigned cols, double *cpu_s, gp_err *err);
/* CPU seconds to add `rows` times to random ones of `groups` entries of 24 bytes. */
gp_status floor_table(uint64_t groups, uint64_t rows, double *cpu_s, gp_err *err);

#endif
