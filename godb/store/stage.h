/* stage.h - staging tree of a merge, and putting a staged day in the place of another in one step.
 *
 * <root>/.gpdb-merge-stage-fp<digits>/ is on the same file system as the database, so that days
 * move in and out of it by renaming (godb-format.md 7.2, 8.1).
 */
#ifndef GODB_STORE_STAGE_H
#define GODB_STORE_STAGE_H

#include "gp/bytes.h"
#include "gp/err.h"
#include "limits.h"

#include <sys/types.h>

/* A staging tree of ours, locked as long as it is open. Zero-initialise fd with -1. */
typedef struct godb_stage {
    int root_fd; /* borrowed */
    int fd;      /* the tree; -1 = none */
    char name[64];
} godb_stage;

/* Make a fresh tree (mode 0700) below root_fd. */
gp_status godb_stage_open(int root_fd, godb_stage *s, gp_err *err) GP_MUST_CHECK;
/* Remove it with all that is in it. GP_OK when it was never opened. */
gp_status godb_stage_close(godb_stage *s, gp_err *err) GP_MUST_CHECK;

/* Remove trees that a process of ours left behind when it died, and others that are older than a
 * day. What is left alone is said in note. */
gp_status godb_stage_sweep(int root_fd, gp_buf *note, gp_err *err) GP_MUST_CHECK;

/* 1 if that is the name of a staging tree, ours or of the reference. */
int godb_stage_is_name(const char *name);
/* 1 if nobody uses the tree any more, as above; it is locked while *lock is open (owned by the
 * caller). */
int godb_stage_is_dead(int root_fd, const char *name, int *lock);

/* Make (mode) and open directory path, e.g. "2024/03", below fd; all of them are synced into
 * their parents, also those that were there. */
gp_status godb_dirs_make(int fd, const char *path, mode_t mode, int *out,
                         gp_err *err) GP_MUST_CHECK;

/* Put the staged directory from_fd/staged into month_fd as name `name`. old: name of the directory
 * of the same day that is there now and is replaced, NULL = none. Readers see the old day or the
 * new one at any time, also after a crash at any point: where the file system can, both are
 * exchanged (the old one is in from_fd/staged afterwards), otherwise old is renamed to a backup for
 * a moment. Contents of the staged directory must be on the disk before. note: what went wrong
 * behind the point of no return. */
gp_status godb_stage_commit(int from_fd, const char *staged, int month_fd, int64_t day_s,
                            const char *old, const char *name, gp_buf *note,
                            gp_err *err) GP_MUST_CHECK;

#endif
