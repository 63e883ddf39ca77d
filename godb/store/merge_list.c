/* merge_list.c - the days of an interface for a merge: strictly, nothing is passed over (8.1). */
#include "merge_list.h"

#include "blockmeta.h"
#include "dirs.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "gp/num.h"
#include "suffix.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LIST_TRIES = 8, WHERE_CAP = 600 };

struct listing {
    godb_days *out;
    size_t cap;
    godb_strv *backups;
    int fd;                /* directory being listed */
    char where[WHERE_CAP]; /* its path below the root */
    gp_err *err;
};

static gp_status add_day(struct listing *l, const char *name, const godb_dayname *d)
{
    if (l->out->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 64;
        godb_dayref *v = gp_realloc(l->out->v, cap, sizeof *v);
        if (!v)
            return gp_fail(l->err, GP_ENOMEM, 0, "listing days: out of memory");
        l->out->v = v;
        l->cap = cap;
    }
    char *path = gp_asprintf("%s/%s", l->where, name);
    if (!path)
        return gp_fail(l->err, GP_ENOMEM, 0, "listing days: out of memory");
    l->out->v[l->out->n++] = (godb_dayref){
        .day_s = d->day_s, .path = path, .has_totals = d->has_totals, .totals = d->totals};
    return GP_OK;
}

static gp_status day_entry(void *ctx, const char *name, int is_dir)
{
    struct listing *l = ctx;
    godb_dayname d;

    if (!is_dir)
        return GP_OK;
    if (godb_dayname_is_backup(name)) {
        GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/%s", l->where, name);
        if (!path || (l->backups && godb_strv_add(l->backups, path) != GP_OK))
            return gp_fail(l->err, GP_ENOMEM, 0, "listing days: out of memory");
        return GP_OK;
    }
    if (strlen(name) >= GODB_DAYNAME_CAP || !godb_dayname_parse(name, &d))
        return gp_fail(l->err, GP_ECORRUPT, 0, "%s/%s is not the name of a day", l->where, name);
    return add_day(l, name, &d);
}

static void forget_from(struct listing *l, size_t from)
{
    while (l->out->n > from)
        gp_free(l->out->v[--l->out->n].path);
}

static int has_double(const godb_days *d, size_t from)
{
    for (size_t i = from; i < d->n; i++)
        for (size_t k = i + 1; k < d->n; k++)
            if (d->v[i].day_s == d->v[k].day_s)
                return 1;
    return 0;
}

/* A day that is renamed while the month is read can be seen twice or not at all: list again until
 * the month stands still. */
static gp_status list_month(struct listing *l)
{
    size_t from = l->out->n, n_backups = l->backups ? l->backups->n : 0;

    for (int i = 0; i < LIST_TRIES; i++) {
        struct stat before, after;
        forget_from(l, from);
        while (l->backups && l->backups->n > n_backups)
            gp_free(l->backups->v[--l->backups->n]);
        if (fstat(l->fd, &before) != 0)
            return gp_fail(l->err, GP_EIO, errno, "%s", l->where);
        GP_TRY(godb_dir_each(l->fd, day_entry, l, l->err));
        if (fstat(l->fd, &after) == 0 && after.st_mtim.tv_sec == before.st_mtim.tv_sec &&
            after.st_mtim.tv_nsec == before.st_mtim.tv_nsec && !has_double(l->out, from))
            break;
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    return GP_OK;
}

/* Call list for the directory name below the current one. */
static gp_status descend(struct listing *l, const char *name, gp_status (*list)(struct listing *))
{
    int parent = l->fd;
    size_t len = strlen(l->where);
    GP_CLEANUP(gp_closep) int fd = godb_dir_open(parent, name);

    if (fd < 0)
        return errno == ENOENT ? GP_OK : gp_fail(l->err, GP_EIO, errno, "%s/%s", l->where, name);
    int n = snprintf(l->where + len, sizeof l->where - len, "%s%s", len ? "/" : "", name);
    if (n < 0 || (size_t)n >= sizeof l->where - len)
        return gp_fail(l->err, GP_EINVAL, 0, "the name of interface %s is too long", name);
    l->fd = fd;
    gp_status st = list(l);
    l->fd = parent;
    l->where[len] = '\0';
    return st;
}

static int is_number(const char *name)
{
    uint64_t v;
    return gp_num_u64(name, strlen(name), INT32_MAX, &v);
}

static gp_status month_entry(void *ctx, const char *name, int is_dir)
{
    return is_dir && is_number(name) ? descend(ctx, name, list_month) : GP_OK;
}

static gp_status list_months(struct listing *l)
{
    return godb_dir_each(l->fd, month_entry, l, l->err);
}

static gp_status year_entry(void *ctx, const char *name, int is_dir)
{
    return is_dir && is_number(name) ? descend(ctx, name, list_months) : GP_OK;
}

static gp_status list_years(struct listing *l)
{
    return godb_dir_each(l->fd, year_entry, l, l->err);
}

static int by_day(const void *a, const void *b)
{
    const godb_dayref *x = a, *y = b;
    return x->day_s < y->day_s ? -1 : x->day_s > y->day_s;
}

gp_status godb_merge_days(int root_fd, const char *iface, godb_days *out, godb_strv *backups,
                          gp_err *err)
{
    godb_days days = {0};
    struct listing l = {.out = &days, .backups = backups, .fd = root_fd, .err = err};
    gp_status st = descend(&l, iface, list_years);

    if (st == GP_OK && days.n > 1)
        qsort(days.v, days.n, sizeof *days.v, by_day);
    for (size_t i = 1; i < days.n && st == GP_OK; i++)
        if (days.v[i].day_s == days.v[i - 1].day_s)
            st = gp_fail(err, GP_ECORRUPT, 0, "two directories of one day: %s and %s",
                         days.v[i - 1].path, days.v[i].path);
    if (st != GP_OK) {
        godb_days_free(&days);
        return st;
    }
    *out = days;
    return GP_OK;
}

/* ---- recovery ---- */

static gp_status read_times(int root_fd, const char *path, int64_t day_s, godb_blockmeta *m)
{
    GP_CLEANUP(gp_buf_free) gp_buf buf = {0};
    GP_CLEANUP(gp_closep) int fd = godb_dir_open(root_fd, path);

    if (fd < 0)
        return GP_EIO;
    GP_TRY(gp_read_file(fd, ".blockmeta", GODB_META_MAX, &buf, NULL));
    return godb_blockmeta_parse(buf.data, buf.len, day_s, m, NULL);
}

/* 1 if every block of the backup is in the day. */
static int covers(int root_fd, const char *day, const char *backup, int64_t day_s)
{
    godb_blockmeta d = {0}, b = {0};
    int all = read_times(root_fd, day, day_s, &d) == GP_OK &&
              read_times(root_fd, backup, day_s, &b) == GP_OK;

    for (size_t i = 0; all && i < b.n; i++) {
        int found = 0;
        for (size_t k = 0; k < d.n && !found; k++)
            found = d.blocks[k].time_s == b.blocks[i].time_s;
        all = found;
    }
    godb_blockmeta_free(&d);
    godb_blockmeta_free(&b);
    return all;
}

static gp_status recover_one(int root_fd, const char *backup, const godb_days *days, gp_buf *note,
                             gp_err *err)
{
    char name[GODB_PATH_CAP];
    const char *slash = strrchr(backup, '/'), *end = strstr(slash, ".gpdb-merge-backup-");
    godb_dayname d;

    if (!end || (size_t)(end - backup) >= sizeof name)
        return GP_OK;
    memcpy(name, backup, (size_t)(end - backup));
    name[end - backup] = '\0';
    if (!godb_dayname_parse(strrchr(name, '/') + 1, &d)) {
        gp_buf_printf(note, "%s is left alone: not the backup of a day; ", backup);
        return GP_OK;
    }
    for (size_t i = 0; i < days->n; i++) {
        if (days->v[i].day_s != d.day_s)
            continue;
        if (covers(root_fd, days->v[i].path, backup, d.day_s))
            return godb_tree_remove(root_fd, backup, err);
        gp_buf_printf(note, "%s is left alone: it has blocks that %s lacks; ", backup,
                      days->v[i].path);
        return GP_OK;
    }
    if (renameat2(root_fd, backup, root_fd, name, RENAME_NOREPLACE) != 0 &&
        (errno != EINVAL || renameat(root_fd, backup, root_fd, name) != 0))
        return gp_fail(err, GP_EIO, errno, "renaming %s failed", backup);
    gp_buf_printf(note, "%s was left by a merge that died and is back in place; ", name);
    return GP_OK;
}

gp_status godb_merge_recover(int root_fd, const char *iface, gp_buf *note, gp_err *err)
{
    godb_days days = {0};
    godb_strv backups = {0};
    gp_status st = godb_merge_days(root_fd, iface, &days, &backups, err);

    for (size_t i = 0; i < backups.n && st == GP_OK; i++)
        st = recover_one(root_fd, backups.v[i], &days, note, err);
    for (size_t i = 0; i < backups.n; i++)
        gp_free(backups.v[i]);
    gp_free(backups.v);
    godb_days_free(&days);
    return st;
}
