/* exec.h - run a statement on a database: scan, filter, aggregate, sort (docs/architecture.md). */
#ifndef EXEC_EXEC_H
#define EXEC_EXEC_H

#include "godb/columns.h"
#include "godb/db.h"
#include "gp/clock.h"
#include "gp/err.h"
#include "query/stmt.h"
#include "result/result.h"

/* Progress so far; sent from a worker thread, at most every progress_ms. */
typedef struct exec_progress {
    uint64_t blocks_done, blocks_total; /* total counts selected blocks of opened days; grows */
    uint64_t days_done, days_total;
    uint64_t rows;  /* rows looked at */
    uint64_t bytes; /* decoded */
} exec_progress;

/* Flows that are still in memory (live queries). Called once per selected interface before its days
 * are listed. Returns the rows of the running interval that are not yet in any block with
 * time <= *stored_upto_s; blocks later than that are ignored by this query, so nothing counts
 * twice. *release is called with handle when the rows are no longer needed. */
typedef struct exec_live {
    gp_status (*get)(void *ctx, const char *iface, godb_rows *rows, int64_t *time_s,
                     int64_t *stored_upto_s, void **handle, gp_err *err);
    void (*release)(void *ctx, void *handle);
    /* Names of interfaces that have live flows (they may have no directory yet); NULL-ended. */
    const char *const *ifaces;
    void *ctx;
} exec_live;

enum { EXEC_PARTIAL_MAX = 1000 };

typedef struct exec_opts {
    unsigned threads;   /* 0 = one per CPU */
    uint64_t mem_limit; /* bytes for this query; 0 = stmt->max_mem_pct of physical memory */
    uint64_t max_rows;  /* rows kept after sorting; 0 = all */
    int bin; /* fill time bins of stmt->bin_s here (4.6), so that max_rows may cut: hits_total
              * counts binned rows, and result_bin() must not follow */
    int text_names;    /* leave out stored interfaces with control characters in their names, for a
                        * result that is sent: the receiver would refuse all of it */
    gp_cancel *cancel; /* may be NULL; checked at least once a block */
    const char *host, *host_id; /* labels of every row */
    const exec_live *live;      /* NULL: database only */
    void (*progress)(void *ctx, const exec_progress *p);
    void *progress_ctx;
    int64_t progress_ms;
    /* Rows so far: the first partial_rows (at most EXEC_PARTIAL_MAX) of what was scanned up to now,
     * with totals and hits of it, from a worker thread like progress and never at the same time as
     * it; first after partial_ms, then at most so often and for a fifth of the time. exec_run()
     * only. */
    void (*partial)(void *ctx, const result *so_far);
    void *partial_ctx;
    int64_t partial_ms;
    unsigned partial_rows;
    void (*warn)(void *ctx, const char *text); /* skipped days, corrupt blocks; one line each */
    void *warn_ctx;
} exec_opts;

/* Run stmt. *out is initialised here and filled: rows sorted (5.5) and cut to max_rows, hits_total,
 * totals, stats, time span, interfaces, status. GP_EINVAL "no interfaces provided" when nothing is
 * selected; GP_ELIMIT over budget; GP_ECANCELLED / GP_EDEADLINE. Without opts->bin, binning and the
 * user's limit are the caller's (result_bin, result_sort). */
gp_status exec_run(const godb_db *db, const query_stmt *stmt, const exec_opts *opts, result *out,
                   gp_err *err) GP_MUST_CHECK;

/* Rows in batches instead of in *out: sorted by (family, sip, dip, dport, proto, time) within each
 * interface, at most 8,192 a call, in constant extra memory. Summary goes to *out as above.
 * sink returns a status other than GP_OK to stop. */
typedef gp_status (*exec_sink)(void *ctx, const result *labels, const result_row *rows, size_t n);
gp_status exec_stream(const godb_db *db, const query_stmt *stmt, const exec_opts *opts,
                      exec_sink sink, void *sink_ctx, result *out, gp_err *err) GP_MUST_CHECK;

#endif
