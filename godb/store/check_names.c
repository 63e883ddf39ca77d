/* check_names.c - every name below an interface, as strictly as the reference reads them (1.9). */
#include "checkday.h"
#include "db.h"
#include "dirs.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "gp/num.h"
#include "suffix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Level of the directory being listed: 0 the interface, 1 a year, 2 a month. */
struct names {
    int fd, level;
    char path[GODB_PATH_CAP]; /* of that directory, below the root */
    int64_t first_s, last_s;
    godb_days *out;
    size_t cap;
    godb_findings *f;
    gp_err *err;
};

static gp_status list(struct names *w);

static void stray(struct names *w, const char *name, const char *what)
{
    char path[GODB_PATH_CAP + 256];
    godb_spot at = {.path = path, .block = -1, .col = -1};

    snprintf(path, sizeof path, "%s/%s", w->path, name);
    godb_find(w->f, GODB_PROBLEM_STRAY_NAME, GODB_WARNING, &at,
              "not the name of a %s: queries of the reference fail on it", what);
}

static gp_status add_day(struct names *w, const char *name, const godb_dayname *d)
{
    if (w->out->n == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 64;
        godb_dayref *v = gp_realloc(w->out->v, cap, sizeof *v);
        if (!v)
            return GP_ENOMEM;
        w->out->v = v;
        w->cap = cap;
    }
    char *path = gp_asprintf("%s/%s", w->path, name);
    if (!path)
        return GP_ENOMEM;
    w->out->v[w->out->n++] = (godb_dayref){
        .day_s = d->day_s, .path = path, .has_totals = d->has_totals, .totals = d->totals};
    return GP_OK;
}

static gp_status day_entry(struct names *w, const char *name)
{
    godb_dayname d;

    if (godb_dayname_is_backup(name)) {
        char path[GODB_PATH_CAP + 256];
        godb_spot at = {.path = path, .block = -1, .col = -1};
        snprintf(path, sizeof path, "%s/%s", w->path, name);
        godb_find(w->f, GODB_PROBLEM_MERGE_LEFTOVER, GODB_WARNING, &at,
                  "backup of a running or interrupted merge; the reference counts it as a day");
        return GP_OK;
    }
    if (strlen(name) >= GODB_DAYNAME_CAP || !godb_dayname_parse(name, &d)) {
        stray(w, name, "day");
        return GP_OK;
    }
    if (w->first_s >= d.day_s + GODB_DAY_S || d.day_s > w->last_s)
        return GP_OK;
    return add_day(w, name, &d);
}

static gp_status entry(void *ctx, const char *name, int is_dir)
{
    struct names *w = ctx;
    uint64_t number;

    if (!is_dir)
        return GP_OK;
    if (w->level == 2)
        return day_entry(w, name);
    if (!gp_num_u64(name, strlen(name), INT32_MAX, &number)) {
        stray(w, name, w->level ? "month" : "year");
        return GP_OK;
    }
    int parent = w->fd;
    size_t len = strlen(w->path);
    GP_CLEANUP(gp_closep) int fd = godb_dir_open(parent, name);
    if (fd < 0)
        return errno == ENOENT ? GP_OK : gp_fail(w->err, GP_EIO, errno, "%s/%s", w->path, name);
    snprintf(w->path + len, sizeof w->path - len, "/%s", name);
    w->fd = fd;
    w->level++;
    gp_status st = list(w);
    w->level--;
    w->fd = parent;
    w->path[len] = '\0';
    return st;
}

static gp_status list(struct names *w)
{
    return godb_dir_each(w->fd, entry, w, w->err);
}

static int by_day(const void *a, const void *b)
{
    const godb_dayref *x = a, *y = b;
    if (x->day_s != y->day_s)
        return x->day_s < y->day_s ? -1 : 1;
    return strcmp(x->path, y->path);
}

static int exists(const godb_db *db, const char *path)
{
    GP_CLEANUP(gp_closep) int fd = godb_dir_open(db->fd, path);
    return fd >= 0;
}

/* Two names of a day: one directory that was renamed while it was listed, or really two. */
static void find_duplicates(const godb_db *db, struct names *w)
{
    godb_days *d = w->out;
    size_t kept = 0;

    for (size_t i = 0; i < d->n; i++) {
        int twin = (kept > 0 && d->v[kept - 1].day_s == d->v[i].day_s) ||
                   (i + 1 < d->n && d->v[i + 1].day_s == d->v[i].day_s);
        if (twin && !exists(db, d->v[i].path)) {
            gp_free(d->v[i].path);
            continue;
        }
        d->v[kept++] = d->v[i];
    }
    d->n = kept;
    for (size_t i = 1; i < d->n; i++)
        if (d->v[i].day_s == d->v[i - 1].day_s) {
            godb_spot at = {d->v[i].path, d->v[i].day_s, -1, 0, -1};
            godb_find(w->f, GODB_PROBLEM_DUPLICATE_DAY, GODB_WARNING, &at,
                      "another directory of the same day as %s", d->v[i - 1].path);
        }
}

gp_status godb_check_names(const godb_db *db, const char *iface, int64_t first_s, int64_t last_s,
                           godb_days *out, godb_findings *f, gp_err *err)
{
    struct names w = {.first_s = first_s, .last_s = last_s, .out = out, .f = f, .err = err};
    GP_CLEANUP(gp_closep) int fd = godb_dir_open(db->fd, iface);

    *out = (godb_days){0};
    if (fd < 0)
        return gp_fail(err, errno == ENOENT ? GP_ENOTFOUND : GP_EIO, errno, "interface %s", iface);
    snprintf(w.path, sizeof w.path, "%s", iface);
    w.fd = fd;
    gp_status st = list(&w);
    if (st != GP_OK) {
        godb_days_free(out);
        return st == GP_ENOMEM ? gp_fail(err, st, 0, "listing %s: out of memory", iface) : st;
    }
    if (out->n > 1) {
        qsort(out->v, out->n, sizeof *out->v, by_day);
        find_duplicates(db, &w);
    }
    return GP_OK;
}
