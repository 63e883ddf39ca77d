/* setaside.h - a writer meets a damaged day: what is readable stays, the rest goes out of the way.
 */
#ifndef GODB_STORE_SETASIDE_H
#define GODB_STORE_SETASIDE_H

#include "daywriter.h"

/* The day cannot be appended to (why). Rewrite it from its readable blocks and move the original to
 * "<root>.quarantine"; without readable blocks only move it (5.4). Where that is not possible
 * (other file system, no permission) its files get names that nobody reads, inside the day
 * directory. The caller holds the interface's lock. What was done is appended to note. */
gp_status godb_day_set_aside(const char *root, const char *iface, int iface_fd, int64_t day_s,
                             const godb_dayopts *opts, const char *why, gp_buf *note,
                             gp_err *err) GP_MUST_CHECK;

#endif
