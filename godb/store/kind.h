/* kind.h - is a directory a goDB at all? Asked before anything in it is called damaged or moved. */
#ifndef GODB_STORE_KIND_H
#define GODB_STORE_KIND_H

#include "godb/db.h"

/* What lies below a directory of the root. */
typedef struct godb_iface_kind {
    int has_day;    /* somewhere YYYY/MM/<day> has a .blockmeta or a column, damaged or not */
    int has_strays; /* a directory that is no year, month or day; told only when has_day is 0 */
} godb_iface_kind;

/* Stops at the first day. What cannot be opened counts as not there. */
godb_iface_kind godb_iface_look(const godb_db *db, const char *iface);

/* 1 if the directory has something in it, but nothing of a day: its name is one by chance ("0" is).
 */
int godb_dir_is_foreign(int dir_fd);

/* GP_EINVAL when the root has directories but nothing of a goDB: no day below any of them, and
 * other things where years, months and days belong. An empty root and empty interfaces are fine
 * (1.2). */
gp_status godb_db_require(const godb_db *db, gp_err *err) GP_MUST_CHECK;

#endif
