/* check.h - verify a whole database: names, metadata, every column block, checksums. */
#ifndef GODB_CHECK_H
#define GODB_CHECK_H

#include "godb/columns.h"
#include "godb/db.h"
#include "gp/clock.h"
#include "gp/err.h"

/* What can be wrong (spec section). godb_problem_name() gives the identifier of each. */
typedef enum godb_problem_kind {
    GODB_PROBLEM_STRAY_NAME,     /* directory whose name is no year, month or day (1.9) */
    GODB_PROBLEM_DUPLICATE_DAY,  /* more than one directory of a day (1.7) */
    GODB_PROBLEM_MERGE_LEFTOVER, /* backup or staging tree of a merge that died (7.2) */
    GODB_PROBLEM_TMP_FILE,       /* .tmp-metadata-* of a write that died (5.4) */
    GODB_PROBLEM_META_MISSING,   /* day directory without .blockmeta (5.4) */
    GODB_PROBLEM_META_CORRUPT,   /* .blockmeta does not parse (2.5) */
    GODB_PROBLEM_META_ODD,       /* tolerated: trailing bytes, append positions, row totals */
    GODB_PROBLEM_NO_BLOCKS,      /* day with zero blocks: faults the reference (2.3, D3) */
    GODB_PROBLEM_BLOCK_UNUSABLE, /* descriptor contradicts itself (2.5, item 7 and 8) */
    GODB_PROBLEM_TIME_ORDER,     /* timestamps that decrease, repaired on reading (D4) */
    GODB_PROBLEM_COLUMN_SHORT,   /* column file missing or ends before its append position */
    GODB_PROBLEM_COLUMN_TAIL,    /* bytes behind the append position (3.1): harmless */
    GODB_PROBLEM_DISPLACED,      /* block hit by D1, salvaged completely on reading */
    GODB_PROBLEM_DISPLACED_LOST, /* block hit by D1, or behind one, that cannot be salvaged */
    GODB_PROBLEM_DECODE,         /* payload does not decode to its raw length */
    GODB_PROBLEM_CHECKSUM,       /* stored bytes differ from the checksum in .index */
    GODB_PROBLEM_ROW_ORDER,      /* rows not in strictly rising key order (3.2) */
    GODB_PROBLEM_TOTALS,         /* counter totals of the day differ from the blocks */
    GODB_PROBLEM_SUFFIX,         /* suffix differs from the totals (5.4) */
    GODB_PROBLEM_INDEX_STALE,    /* records of .index that match no block: harmless */
    GODB_PROBLEM_N_KINDS
} godb_problem_kind;

typedef enum godb_severity {
    GODB_NOTE,    /* nothing is lost or wrong for our readers */
    GODB_WARNING, /* readers cope, or the reference would stumble; repair is advised */
    GODB_ERROR,   /* rows cannot be read */
} godb_severity;

const char *godb_problem_name(godb_problem_kind k); /* "stray-name", ...; static */
const char *godb_severity_name(godb_severity s);    /* "note", "warning", "error" */

/* One finding; pointers are valid during the call-back only. */
typedef struct godb_problem {
    godb_problem_kind kind;
    godb_severity severity;
    const char *path; /* below the root */
    int64_t day_s;    /* 0 when no day is concerned */
    int64_t block;    /* index, -1 when no single block is concerned */
    int64_t block_s;  /* its timestamp, 0 likewise */
    int col;          /* godb_col, -1 when no single column is concerned */
    const char *text; /* one line */
} godb_problem;

/* Called from the thread that called godb_check(), in order of interface and day. */
typedef void (*godb_problem_fn)(void *ctx, const godb_problem *p);

typedef struct godb_check_stats {
    uint64_t ifaces, days, blocks, rows;
    uint64_t stored_bytes, raw_bytes; /* of the column blocks verified */
    uint64_t n[GODB_PROBLEM_N_KINDS]; /* findings of each kind */
    uint64_t by_severity[GODB_ERROR + 1];
} godb_check_stats;

typedef struct godb_check_opts {
    const char *const *ifaces; /* names, NULL-ended; NULL = all */
    int64_t first_s, last_s;   /* days to look at */
    unsigned threads;          /* 0 = one for each CPU */
    int no_rows;               /* 1: do not look at row order */
    gp_cancel *cancel;         /* may be NULL */
    /* Progress, may be NULL: called from time to time by the calling thread. */
    void (*progress)(void *ctx, uint64_t days_done, uint64_t days_total);
    void *progress_ctx;
} godb_check_opts;

#define GODB_CHECK_OPTS_INIT                                                                       \
    {                                                                                              \
        .first_s = 0, .last_s = INT64_MAX                                                          \
    }

/* Read and verify everything. GP_OK also when problems were found (see *stats); fails only when the
 * database cannot be listed or is none (GP_EINVAL: no day in it, but other directories), when an
 * interface of opts does not exist, or on cancel. */
gp_status godb_check(const godb_db *db, const godb_check_opts *opts, godb_problem_fn fn, void *ctx,
                     godb_check_stats *stats, gp_err *err) GP_MUST_CHECK;

#endif
