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
    gp_status status; /* GP_OK, or why it could not be deleted: text */
    const char *text; /* "" with GP_OK */
} godb_retain_day;
/* Called for each day that is (or, in a dry run, would be) deleted. Pointers are valid during the
 * call. */
typedef void (*godb_retain_fn)(void *ctx, const godb_retain_day *d);

/* Limits that are 0 do not apply; the oldest days go first, over all selected interfaces. A day
 * that may still be written to is never deleted: one that ended less than an hour ago or lies in
 * the future, and one that was changed in the last ten minutes. */
typedef struct godb_retain_opts {
    const char *const *ifaces; /* names, NULL-ended; NULL = all */
    int64_t now_s;             /* 0 = the clock */
    int64_t max_age_s;         /* days that ended longer ago than this */
    uint64_t max_bytes;        /* of the selected interfaces together */
    uint64_t max_iface_bytes;  /* of each selected interface */
    /* On the file system, for unprivileged users. No day goes when all of them were not enough. */
    uint64_t min_free_bytes;
    double min_free_percent; /* of the file system, 0..100; the larger of the two counts */
    int dry_run;
    gp_cancel *cancel; /* may be NULL */
} godb_retain_opts;

typedef struct godb_retain_stats {
    uint64_t days, days_deleted, days_failed;
    uint64_t bytes, bytes_deleted; /* disk space before; what was or would be freed */
    uint64_t free_bytes;           /* on the file system, before */
    uint64_t
        bytes_missing; /* what would have to go in addition to meet the limits; 0 = they are met */
    int free_out_of_reach; /* deleting all days would not free enough, so none went for that */
} godb_retain_stats;

/* Needs no lock. A day leaves the database by one rename, so readers see it whole or not at all;
 * those that have it open may go on with the columns they have open. GP_ENOTFOUND for an interface
 * of opts that does not exist. */
gp_status godb_retain(const char *root, const godb_retain_opts *opts, godb_retain_fn fn, void *ctx,
                      godb_retain_stats *stats, gp_err *err) GP_MUST_CHECK;

/* "90d", "12h", "6w", "1y6w": seconds, more than 0. GP_EINVAL says what was expected. */
gp_status godb_retain_parse_age(const char *text, int64_t *out_s, gp_err *err) GP_MUST_CHECK;
/* "20G" or "10%": one of the two is set, the other 0; "" is no limit. GP_EINVAL as above. */
gp_status godb_retain_parse_free(const char *text, uint64_t *bytes, double *percent,
                                 gp_err *err) GP_MUST_CHECK;

#endif
