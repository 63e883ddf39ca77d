/* retain.h - delete old days: by age, by size, or until enough of the disk is free. */
#ifndef GODB_RETAIN_H
#define GODB_RETAIN_H

#include "godb/columns.h"
#include "gp/clock.h"
#include "gp/err.h"

typedef struct godb_retain_day {
    const char *iface;
    const char *path; /* below the root */
    int64_t day_s;
    uint64_t bytes;   /* disk space it occupies */
    const char *why;  /* "age", "size" or "free" */
    gp_status status; /* GP_OK, or why it could not be deleted */
} godb_retain_day;
/* Called for each day that is (or, in a dry run, would be) deleted. */
typedef void (*godb_retain_fn)(void *ctx, const godb_retain_day *d);

/* Limits that are 0 do not apply; the oldest days go first, over all selected interfaces. The
 * newest day of an interface is never deleted: it is being written to. */
typedef struct godb_retain_opts {
    const char *const *ifaces; /* names, NULL-ended; NULL = all */
    int64_t now_s;             /* 0 = the clock */
    int64_t max_age_s;         /* days that ended longer ago than this */
    uint64_t max_bytes;        /* of the selected interfaces together */
    uint64_t min_free_bytes;   /* on the file system */
    int dry_run;
    gp_cancel *cancel; /* may be NULL */
} godb_retain_opts;

typedef struct godb_retain_stats {
    uint64_t days, days_deleted, days_failed;
    uint64_t bytes, bytes_deleted; /* disk space before; what was or would be freed */
} godb_retain_stats;

/* Needs no lock: a writer only touches the newest day, readers that have a day open keep it. */
gp_status godb_retain(const char *root, const godb_retain_opts *opts, godb_retain_fn fn, void *ctx,
                      godb_retain_stats *stats, gp_err *err) GP_MUST_CHECK;

#endif
