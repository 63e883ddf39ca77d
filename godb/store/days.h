/* days.h - did a directory stand still while it was listed? */
#ifndef GODB_STORE_DAYS_H
#define GODB_STORE_DAYS_H

#include <sys/stat.h>
#include <time.h>

/* 1 if no entry was added, removed or renamed between the two looks. start: CLOCK_REALTIME_COARSE
 * taken before the first look; the kernel stamps directories with that clock, so a change that
 * happens later than `before` shows unless the stamp is of the same tick. */
int godb_dir_quiet(const struct stat *before, const struct stat *after,
                   const struct timespec *start);

#endif
