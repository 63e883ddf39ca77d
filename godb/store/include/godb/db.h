/* db.h - a database root: interfaces, days of an interface, host identity (godb-format.md 1, 6.1).
 */
#ifndef GODB_DB_H
#define GODB_DB_H

#include "godb/columns.h"
#include "gp/err.h"

/* Read-only after opening; any number of threads may share one. */
typedef struct godb_db godb_db;

/* Open the root directory. GP_ENOTFOUND / GP_EIO with the OS text. */
gp_status godb_db_open(const char *path, godb_db **out, gp_err *err) GP_MUST_CHECK;
void godb_db_close(godb_db *db);
static inline void godb_db_closep(godb_db **db)
{
    godb_db_close(*db);
}
/* When the database's path leads to another directory than the open one (that was deleted or moved,
 * and one is there again), go on with that: for who holds it open for long. What is being read
 * meanwhile may miss days. Two system calls when nothing changed. */
void godb_db_follow(const godb_db *db);

const char *godb_db_path(const godb_db *db);

/* Names of all interface directories, byte order; merge staging directories and a lost+found
 * without years are left out. NULL-ended array owned by the caller; free with godb_strv_free(). *n
 * = number of names. */
gp_status godb_db_ifaces(const godb_db *db, char ***names, size_t *n, gp_err *err) GP_MUST_CHECK;
void godb_strv_free(char **v);
/* Take names with control characters out of such an array (NULL is fine): for what is sent, because
 * the receiver would refuse all of it. Returns how many are left. */
size_t godb_strv_keep_text(char **v);

/* 1 if the name may be used as an interface directory (1.2): not empty, ".", "..", no '/', '\\'. */
int godb_iface_name_ok(const char *name);

/* A day directory as it was found in a listing. */
typedef struct godb_dayref {
    int64_t day_s;      /* D: first second of the UTC day */
    char *path;         /* relative to the root, e.g. "eth0/2016/02/1456444800_mm1-..." */
    int has_totals;     /* 1 if the suffix decoded strictly */
    godb_totals totals; /* from the suffix */
} godb_dayref;

typedef struct godb_days {
    godb_dayref *v; /* rising day_s */
    size_t n;
    unsigned skipped; /* stray names and second copies of a day that were left out (with a text) */
    char *skipped_text;
} godb_days;

/* Days of iface that can hold blocks with first_s <= time <= last_s (6.1), rising. A missing
 * interface gives n = 0. Free with godb_days_free(). */
gp_status godb_db_days(const godb_db *db, const char *iface, int64_t first_s, int64_t last_s,
                       godb_days *out, gp_err *err) GP_MUST_CHECK;
void godb_days_free(godb_days *d);

/* Host identity (7.1): machine-id, else dbus machine-id, else <root>/host.id (made if missing),
 * else "UNKNOWN". db_path may be NULL. Writes at most cap bytes with NUL. */
void godb_host_id(const char *db_path, char *buf, size_t cap);

#endif
