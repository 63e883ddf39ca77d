/* dirs.h - directory entries of the tree, and the search for one day in its month (1.3, 1.7). */
#ifndef GODB_STORE_DIRS_H
#define GODB_STORE_DIRS_H

#include "godb/columns.h"
#include "gp/err.h"
#include "limits.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Open a directory below dirfd without following a symbolic link; -1 with errno. */
int godb_dir_open(int dirfd, const char *name);

/* Call fn for every entry of the directory dirfd ("." and ".." left out) until it returns something
 * else than GP_OK. is_dir: by the entry's own type, symbolic links are none. dirfd stays open. */
typedef gp_status (*godb_entry_fn)(void *ctx, const char *name, int is_dir);
gp_status godb_dir_each(int dirfd, godb_entry_fn fn, void *ctx, gp_err *err) GP_MUST_CHECK;

/* Year and month of the instant day_s, local time or UTC. */
typedef struct godb_month {
    int year, month; /* month 1..12 */
} godb_month;
godb_month godb_month_local(int64_t day_s);
godb_month godb_month_utc(int64_t day_s);

/* Names of day_s in the month directory: *n = how many directories there are (0, 1, or more in an
 * inconsistent tree), name = the one to use (of several: the latest last block). GP_OK also for 0.
 */
gp_status godb_day_find(int month_fd, int64_t day_s, char name[GODB_DAYNAME_CAP], unsigned *n,
                        gp_err *err) GP_MUST_CHECK;
/* The same for who holds the interface's lock, so that nothing can be renamed meanwhile. */
gp_status godb_day_find_locked(int month_fd, int64_t day_s, char name[GODB_DAYNAME_CAP],
                               unsigned *n, gp_err *err) GP_MUST_CHECK;

/* Timestamps of the first and last block by .blockmeta of a day directory; false if unreadable or
 * without blocks. */
int godb_day_span(int dirfd, int64_t day_s, int64_t *first_s, int64_t *last_s);

/* Make database root `path` with that mode if it is not there, and open it. sync: its entry is on
 * the disk afterwards, also if it was made by a process that died before it synced it. */
gp_status godb_root_make(const char *path, mode_t mode, int sync, int *fd,
                         gp_err *err) GP_MUST_CHECK;

enum { GODB_ROOT_MODE = 0755 }; /* unless an import makes the root (1.8) */

/* Directory mode for file mode P (1.8). */
mode_t godb_dir_mode(mode_t p);

#endif
