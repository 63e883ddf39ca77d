/* merge_list.h - the days of an interface for a merge: strictly, nothing is passed over (8.1). */
#ifndef GODB_STORE_MERGE_LIST_H
#define GODB_STORE_MERGE_LIST_H

#include "godb/db.h"
#include "gp/bytes.h"
#include "strv.h"

/* Days of iface below root_fd, rising. A missing interface has no days. GP_ECORRUPT for a directory
 * in a month that is not a day, or for a second directory of a day. backups (may be NULL) gets the
 * paths below the root of days that a merge had set aside when it died (7.2). */
gp_status godb_merge_days(int root_fd, const char *iface, godb_days *out, godb_strv *backups,
                          gp_err *err) GP_MUST_CHECK;

/* Undo what a merge that died left in an interface: a day that only exists as a backup gets its
 * name back; a backup whose blocks are all in the day is removed; others are left and told in note.
 */
gp_status godb_merge_recover(int root_fd, const char *iface, gp_buf *note,
                             gp_err *err) GP_MUST_CHECK;

#endif
