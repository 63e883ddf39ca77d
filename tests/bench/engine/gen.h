/* gen.h - a made-up month of flows, the same on every run: for benchmarks and big tests. */
#ifndef BENCH_ENGINE_GEN_H
#define BENCH_ENGINE_GEN_H

#include "gp/err.h"

#include <stdint.h>

typedef struct gen_opts {
    const char *root, *iface;
    unsigned days, blocks; /* blocks a day, at most 288 */
    unsigned rows;         /* flows a block, about */
    int64_t first_day_s;   /* first second of the first day */
    uint8_t codec;         /* godb_codec_id */
    int level;             /* 0 = default */
} gen_opts;

#define GEN_OPTS_INIT                                                                              \
    {                                                                                              \
        .iface = "eth0", .days = 30, .blocks = 288, .rows = 2080, .first_day_s = 1717200000,       \
        .codec = 3                                                                                 \
    }

/* Write the database (interface must not exist). *rows: flows written. */
gp_status gen_database(const gen_opts *o, uint64_t *rows, gp_err *err) GP_MUST_CHECK;

/* Busiest IPv4 source address of every generated database, as text. */
#define GEN_BUSY_SIP "10.17.0.1"
/* One that is seen in about a third of the blocks. */
#define GEN_SIP "10.17.0.121"
/* One with a few flows in the whole month. */
#define GEN_RARE_SIP "10.17.90.7"

#endif
