/* scan.h - one query's shared state, its workers, and the scan of one block. */
#ifndef EXEC_SCAN_H
#define EXEC_SCAN_H

#include "direct.h"
#include "exec/exec.h"
#include "godb/day.h"
#include "handout.h"
#include "leaves.h"
#include "mem.h"
#include "plan.h"
#include "table.h"

struct exec_worker;

enum { EXEC_WARN_MAX = 1000 }; /* texts kept; more are only counted */

/* State of one query. Fields without a note are read-only while workers run. */
typedef struct exec_ctx {
    const godb_db *db;
    const query_stmt *stmt;
    const exec_opts *opts;
    exec_plan plan;
    exec_mem mem;
    exec_slabs slabs; /* of the shared tables */
    exec_table table[EXEC_N_FAMILIES];
    unsigned n_tables;
    unsigned n_threads;
    struct exec_worker *workers;
    uint64_t seed[EXEC_KW_MAX];
    int append;           /* groups of blocks are complete (times are unique): never look them up */
    int64_t bin_s;        /* wider time bins to fill; 0: none */
    int top_n;            /* only the first rows are wanted, by time: `early` is possible */
    int early;            /* groups were counted and filtered when their block was done (timed.c) */
    struct exec_cut *cut; /* lock */
    _Atomic int64_t cut_s;   /* groups after it need not be kept */
    int64_t first_s, last_s; /* of this interface: last_s is cut to what live flows leave */
    exec_sched *sched;
    const char *iface;
    uint64_t days_failed; /* could not be opened */

    atomic_int again;  /* a block time occurs twice: the interface needs append = 0 */
    atomic_int failed; /* first failure wins; lock protects the next three */
    pthread_mutex_t lock;
    gp_status status;
    gp_err err;
    char **warnings; /* lock; delivered by the calling thread */
    size_t n_warnings, warnings_lost;
    _Atomic uint64_t blocks_done, blocks_total, days_done, days_total, rows, bytes;
    _Atomic int64_t next_progress_ns;
    atomic_flag in_progress;  /* a worker is inside opts->progress or opts->partial */
    struct exec_final *final; /* for snapshots; NULL: none are wanted */
    int64_t next_partial_ns;  /* in_progress */
    int partial_asked;        /* in_progress: workers were asked to hand over, a snapshot follows */
    atomic_uint hand_over;    /* grows when workers shall put what they hold into the tables */
} exec_ctx;

/* A block, or live flows, as a source of columns. */
typedef struct exec_block {
    int64_t time_s;
    uint32_t n[EXEC_N_FAMILIES];
    const godb_day *day; /* NULL: live */
    size_t index;
    const godb_rows *live;
    const godb_index *ix;            /* of the day, or NULL */
    uint32_t rows;                   /* only the first ones are needed: columns are decoded so far;
                                        shrinks while the block is worked on */
    const uint8_t *col[GODB_N_COLS]; /* decoded; NULL: not yet */
    uint32_t raw[GODB_N_COLS];       /* bytes */
} exec_block;

/* How often a top-level term emptied a block alone: cheap and sharp terms go first. */
typedef struct exec_conj_stat {
    uint32_t tried, emptied;
} exec_conj_stat;

/* One thread's. */
typedef struct exec_worker {
    exec_ctx *x;
    godb_reader *reader;
    exec_vec *vec;
    exec_feed feed[EXEC_N_FAMILIES];
    exec_direct direct;
    exec_leaves leaves;                  /* plan.one_address: in front of table 0 */
    exec_slabs local_slabs;              /* of local */
    exec_table local[EXEC_N_FAMILIES];   /* of this worker alone (local.c) */
    uint8_t past_front[EXEC_N_FAMILIES]; /* groups go to the shared tables at once */
    uint64_t sum[4];                     /* EXEC_AGG_SUM */
    int has_sum;
    uint8_t *mask, *scratch;
    uint32_t *sel;
    size_t cap_rows, scratch_bytes;
    uint8_t order[EXEC_N_FAMILIES][EXEC_CONJ_MAX];
    exec_conj_stat conj[EXEC_N_FAMILIES][EXEC_CONJ_MAX];
    unsigned filtered;  /* blocks since the terms were put in order */
    result_stats stats; /* of the interface at hand */
    unsigned days_failed;
    char skip_why[sizeof((gp_err *)0)->msg]; /* reason of the last block skipped, and how many */
    unsigned skip_more;                      /* more had the same */
    uint64_t tally_hits, tally[4];           /* groups counted early, of the interface at hand */
    uint64_t rows;
    unsigned handed_over; /* exec_ctx.hand_over when it last did */
} exec_worker;

gp_status exec_worker_init(exec_worker *w, exec_ctx *x, gp_err *err) GP_MUST_CHECK;
void exec_worker_free(exec_worker *w);

/* Scan one block. Corrupt ones are counted and reported, not an error. */
gp_status exec_scan_block(exec_worker *w, exec_block *b, gp_err *err) GP_MUST_CHECK;
/* Hand everything the worker holds to the shared tables. */
gp_status exec_worker_finish(exec_worker *w, gp_err *err) GP_MUST_CHECK;

/* Batches of the shared table t, made on first use. */
gp_status exec_feed_ready(exec_worker *w, unsigned t, gp_err *err) GP_MUST_CHECK;
/* The groups in w->vec to the local table t: for keys with time, those of the block at hand. */
gp_status exec_local_add(exec_worker *w, unsigned t, gp_err *err) GP_MUST_CHECK;
/* The block is done: pass its groups on. */
gp_status exec_local_flush(exec_worker *w, int64_t time_s, unsigned t, gp_err *err) GP_MUST_CHECK;
/* The groups in w->vec to the local table while it is small, else to the shared one. */
gp_status exec_front_add(exec_worker *w, unsigned t, gp_err *err) GP_MUST_CHECK;
/* Everything in the local table to the shared one's batches. */
gp_status exec_front_flush(exec_worker *w, unsigned t, gp_err *err) GP_MUST_CHECK;
void exec_local_forget(exec_worker *w, unsigned t);
/* Send the groups in w->vec, complete for the block of time_s, to table t. (timed.c) */
gp_status exec_emit_timed(exec_worker *w, int64_t time_s, unsigned t, gp_err *err) GP_MUST_CHECK;
/* Set-up for queries that want the first `limit` rows by time. */
gp_status exec_cut_init(exec_ctx *x, uint64_t limit, gp_err *err) GP_MUST_CHECK;
void exec_cut_reset(exec_ctx *x);

/* Rows of part f that pass the filter: count in *n_sel; *matched = 1 for each of them, else 0, or
 * NULL for all or none; valid until the next block. (filter.c) */
gp_status exec_filter_block(exec_worker *w, exec_block *b, unsigned f, size_t *n_sel,
                            const uint8_t **matched, gp_err *err) GP_MUST_CHECK;
/* Column c of the block, decoded on first use. (scan.c) */
gp_status exec_block_col(exec_worker *w, exec_block *b, godb_col c, gp_err *err) GP_MUST_CHECK;
/* Pointers to part f of the attribute columns that are loaded. */
void exec_block_cols(const exec_block *b, unsigned f, exec_cols *out);

/* With in_progress held: a snapshot for opts->partial when it is due. (partial.c) */
void exec_partial(exec_ctx *x);
/* Remember the first failure; everybody stops. */
void exec_failed(exec_ctx *x, gp_status st, const gp_err *err);
/* The failure that was remembered, or GP_OK. Call when no worker runs. */
gp_status exec_check(exec_ctx *x, gp_err *err) GP_MUST_CHECK;
/* Groups in the shared tables. */
uint64_t exec_groups(const exec_ctx *x);
/* 1 when starting threads to look at the groups would cost more than it gives. */
int exec_few_groups(const exec_ctx *x);

/* Scan the days of x->iface (and its live flows) into the tables. *days: how many. Adds to
 * out->time_first_s/last_s, stats and data_available. (run.c) */
gp_status exec_run_iface(exec_ctx *x, result *out, int *have_span, gp_err *err) GP_MUST_CHECK;

void exec_warn(exec_ctx *x, const char *fmt, ...) GP_PRINTF(2, 3);

#endif
