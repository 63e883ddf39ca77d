/* merge_day.h - one day of a merge: both sides, the decision, copying or rebuilding in staging. */
#ifndef GODB_STORE_MERGE_DAY_H
#define GODB_STORE_MERGE_DAY_H

#include "encoder.h"
#include "godb/day.h"
#include "godb/db.h"
#include "godb/merge.h"
#include "stage.h"

/* One of the two versions of a day. */
typedef struct godb_side {
    const godb_db *db;
    const godb_dayref *ref; /* NULL: the day is absent */
    godb_day *day;
    godb_reader *reader; /* borrowed from the merge */
    int complete;
} godb_side;

/* Tools of a merge, made once. */
typedef struct godb_merge_tools {
    godb_encoder encoder;
    godb_payload payload;
    godb_reader *reader[2]; /* source, destination */
} godb_merge_tools;

/* Open the day (nothing to do when it is absent) and test whether it is complete (8.1, step 1). */
gp_status godb_side_open(godb_side *s, int64_t tolerance_s, gp_err *err) GP_MUST_CHECK;
void godb_side_close(godb_side *s);

/* The action table (8.1, step 2). */
godb_merge_action godb_merge_decide(const godb_side *src, const godb_side *dst, int overwrite);

/* Copy the source's directory into staging_month_fd under its own name and check every block there.
 * *sound = 0: a block is damaged or displaced (D1), so the copy (which is left) must not be used.
 */
gp_status godb_merge_copy(const godb_side *src, int staging_iface_fd, const char *month,
                          const char *name, int *sound, gp_err *err) GP_MUST_CHECK;

/* What a rebuild did. */
typedef struct godb_rebuilt {
    char name[GODB_DAYNAME_CAP]; /* of the day directory below <staging_iface>/<YYYY>/<MM> */
    char month[16];              /* "<YYYY>/<MM>" there */
    uint64_t blocks;             /* 0: nothing was made */
    uint64_t conflicts[2];       /* same timestamp on both sides: won by source, destination */
    uint64_t dropped;            /* blocks of the source that could not be read */
} godb_rebuilt;

/* Write the union of both sides' blocks to staging (8.1, step 4). prefer: 0 = the source wins where
 * both have a block of the same time, 1 = the destination. A block that cannot be read gives way to
 * the other side's; otherwise it is left out when it is the source's, and GP_ECORRUPT when it is
 * the destination's, whose day would lose it. */
gp_status godb_merge_rebuild(godb_merge_tools *t, godb_side *side[2], int prefer,
                             int staging_iface_fd, int64_t day_s, gp_cancel *cancel,
                             godb_rebuilt *out, gp_buf *note, gp_err *err) GP_MUST_CHECK;

#endif
