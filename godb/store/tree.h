/* tree.h - whole directory trees: remove, copy, measure. Symbolic links are never followed. */
#ifndef GODB_STORE_TREE_H
#define GODB_STORE_TREE_H

#include "gp/err.h"

#include <stdint.h>

enum { GODB_TREE_DEPTH = 12 }; /* levels of directories handled; deeper is GP_ELIMIT */

/* Remove dirfd/name with everything below it. GP_OK also when it does not exist. */
gp_status godb_tree_remove(int dirfd, const char *name, gp_err *err) GP_MUST_CHECK;

/* Copy regular files and directories of the directory `from` into the directory `to`, which has
 * none of these names yet. Modes are preserved. `first` (may be NULL) is copied before all other
 * files of the top level: with .blockmeta first, a day that is being appended to is copied
 * consistently (godb-format.md 5.5). Temporary metadata files and everything that is neither file
 * nor directory is left out. Files reach the disk before it returns. */
gp_status godb_tree_copy(int from, int to, const char *first, gp_err *err) GP_MUST_CHECK;

/* Disk space of the tree in bytes, and the latest modification of anything in it. */
gp_status godb_tree_measure(int dirfd, uint64_t *bytes, int64_t *latest_s,
                            gp_err *err) GP_MUST_CHECK;

#endif
