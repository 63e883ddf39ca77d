/* replay.h - capture files through parser and flow table into five-minute blocks by packet time. */
#ifndef FLOW_REPLAY_H
#define FLOW_REPLAY_H

#include "flow/table.h"
#include "gp/addr.h"
#include "gp/err.h"

enum {
    FLOW_INTERVAL_S = 300,   /* spec 4.1 */
    FLOW_REPLAY_FILES = 256, /* files of one replay, all open at once */
};

typedef struct flow_replay_opts {
    const char *const *files; /* merged by packet time; each alone is read in its own order */
    size_t n_files;
    const gp_net *local; /* a packet from one of these is "sent", all others are "received"; */
    size_t n_local;      /* cooked captures know it themselves */
    int one_block;       /* 1: no rotation but after the last packet */
    int fragments;       /* 1: later fragments count into the flow of the first (D-43) */
    flow_table_opts table;
    void (*warn)(void *ctx, const char *text); /* a file that breaks off; one line each */
    void *warn_ctx;
} flow_replay_opts;

typedef struct flow_replay_stats {
    uint64_t frames;                   /* read */
    uint64_t received;                 /* IP frames: those that a live capture would see (1.2) */
    uint64_t errors[CAPTURE_N_ERRORS]; /* by kind, 1.8 */
    uint64_t processed;                /* in flows, invalid and truncated */
    uint64_t packets, bytes;           /* in flows */
    uint64_t lost;                     /* found no entry in a full table */
    uint64_t late;         /* older than the running interval or of no time between 1970 and 2100;
                              counted into it, or into the first one */
    uint64_t blocks;       /* handed to the sink */
    uint64_t entries;      /* 5-tuples, summed over blocks */
    uint64_t broken_files; /* could not be read to the end */
    int64_t first_ns, last_ns; /* earliest and latest packet; 0 if none */
} flow_replay_stats;

/* One interval's flows. time_s: its end, a multiple of 300 (spec 4.1), rising from call to call.
 * Intervals without packets are left out: a capture file does not tell whether anyone was
 * listening. */
typedef gp_status (*flow_block_fn)(void *ctx, int64_t time_s, flow_bank *bank, gp_err *err);

/* Read all files and hand their blocks to fn in time order. Fails when a file cannot be opened
 * (before anything was handed out), when there are packets and none has a time between 1970 and
 * 2100 (GP_ECORRUPT; with one_block times do not matter), when fn fails, or out of memory. *st is
 * filled in any case. */
gp_status flow_replay(const flow_replay_opts *o, flow_block_fn fn, void *ctx, flow_replay_stats *st,
                      gp_err *err) GP_MUST_CHECK;

#endif
