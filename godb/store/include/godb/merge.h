/* merge.h - merge one database into another, day by day (godb-format.md 8.1). */
#ifndef GODB_MERGE_H
#define GODB_MERGE_H

#include "godb/columns.h"
#include "gp/clock.h"
#include "gp/err.h"

typedef enum godb_merge_action {
    GODB_MERGE_COPY,
    GODB_MERGE_REBUILD,
    GODB_MERGE_SKIP
} godb_merge_action;

/* One day, before it is acted on (also in a dry run). Pointers are valid during the call-back. */
typedef struct godb_merge_day {
    const char *iface;
    int64_t day_s;
    godb_merge_action action;
    int src_complete, dst_present, dst_complete;
} godb_merge_day;
typedef void (*godb_merge_fn)(void *ctx, const godb_merge_day *d);

typedef struct godb_merge_opts {
    const char *const *ifaces; /* names, NULL-ended, trimmed and deduplicated here; NULL = all */
    int overwrite;             /* the source wins instead of the destination */
    int dry_run;
    int64_t tolerance_s;  /* of completeness; <= 0: 300 (the command line default is 150) */
    godb_merge_fn on_day; /* may be NULL */
    /* One line about something left out, left over or put right; may be NULL. */
    void (*on_note)(void *ctx, const char *text);
    void *ctx;
    gp_cancel *cancel; /* may be NULL */
} godb_merge_opts;

typedef struct godb_merge_stats {
    uint64_t ifaces; /* processed: those with at least one day in the source */
    uint64_t days_copied, days_rebuilt, days_skipped;
    uint64_t conflicts_dst, conflicts_src; /* same timestamp on both sides, won by ... */
    uint64_t blocks_dropped;               /* damaged blocks of the source that were left out */
} godb_merge_stats;

/* Merge src into dst. Every block is checked before it is taken over; a day with damaged ones is
 * rebuilt from the others. Days change place atomically, so readers and crashes see the old or the
 * new version of each. A damaged block of dst that src cannot replace is GP_ECORRUPT. Any error
 * ends the merge; days committed before stay, and *stats says what was done also then. Takes the
 * destination's writer locks: GP_EEXIST when an interface is being written to. A dry run creates
 * dst if missing (as the reference does) and changes nothing else. */
gp_status godb_merge(const char *src, const char *dst, const godb_merge_opts *opts,
                     godb_merge_stats *stats, gp_err *err) GP_MUST_CHECK;

#endif
