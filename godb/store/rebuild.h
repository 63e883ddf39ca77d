/* rebuild.h - write a day anew from those of its blocks that can be read for certain. */
#ifndef GODB_STORE_REBUILD_H
#define GODB_STORE_REBUILD_H

#include "day.h"
#include "daywriter.h"
#include "godb/index.h"

typedef struct godb_rebuild {
    uint64_t kept, lost;         /* blocks */
    char name[GODB_DAYNAME_CAP]; /* of the new directory */
    char month[32];              /* "<YYYY>/<MM>" below the interface directory it was written to */
} godb_rebuild;

/* Copy every block of d that decodes, agrees with its checksum (where .index has one) and has a
 * place in the time order into a day below the interface directory iface_fd, byte for byte; blocks
 * that D1 displaced get their right bytes. iface_fd -1: only count. What is lost is told in note.
 */
gp_status godb_day_rebuild(godb_day *d, const godb_dayopts *opts, int iface_fd, godb_rebuild *out,
                           gp_buf *note, gp_err *err) GP_MUST_CHECK;

/* Rebuild the day `name` in month_fd, put the result in its place in one step and move the original
 * to the quarantine. path: of the day below root. The caller holds the interface's lock.
 * GP_ECORRUPT when no block is left (nothing is changed then). */
gp_status godb_day_replace(const char *root, const char *quarantine, int month_fd, const char *name,
                           const char *path, int64_t day_s, const godb_dayopts *opts,
                           godb_rebuild *out, gp_buf *note, gp_err *err) GP_MUST_CHECK;

#endif
