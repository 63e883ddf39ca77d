/* days.c - which day directories of an interface can hold blocks of a time range (6.1). */
#include "days.h"

#include "db.h"
#include "dirs.h"
#include "gp/bytes.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "gp/num.h"
#include "suffix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    LIST_TRIES = 8,          /* listings of a month that changes while it is read */
    WIDEN_MONTHS = 1,        /* local time of the writer: a month may be off by one (1.3) */
    MAX_SKIPPED_TEXT = 1024, /* bytes of explanation kept */
    WHERE_CAP = 24           /* "<year>/<month>", both of at most 10 digits */
};
#define LAST_TIME 253402300799LL /* end of the year 9999 */

/* State of one walk below an interface. */
struct walk {
    const char *iface;
    int64_t first_s, last_s;    /* selects days (6.1) */
    int64_t lo_month, hi_month; /* year * 12 + month - 1, widened */
    godb_days *out;
    size_t cap;        /* allocated entries of out->v */
    size_t month_from; /* first entry of out that belongs to the month being listed */
    gp_buf skipped;
    int fd;                /* directory being listed */
    uint64_t year;         /* while its months are listed */
    char where[WHERE_CAP]; /* path of that directory below the interface */
    gp_err *err;
};

void godb_days_free(godb_days *d)
{
    for (size_t i = 0; i < d->n; i++)
        gp_free(d->v[i].path);
    gp_free(d->v);
    gp_free(d->skipped_text);
    *d = (godb_days){0};
}

static void skip(struct walk *w, const char *path, const char *name, const char *why)
{
    w->out->skipped++;
    if (w->skipped.len < MAX_SKIPPED_TEXT)
        gp_buf_printf(&w->skipped, "%s%s%s%s: %s", w->skipped.len ? "; " : "", path,
                      *name ? "/" : "", name, why);
}

static void skip_entry(struct walk *w, const char *name, const char *why)
{
    char path[GODB_PATH_CAP];
    snprintf(path, sizeof path, "%s%s%s", w->iface, *w->where ? "/" : "", w->where);
    skip(w, path, name, why);
}

static const char *name_of(const godb_dayref *r)
{
    return strrchr(r->path, '/') + 1;
}

static gp_status add_day(struct walk *w, const char *name, const godb_dayname *d)
{
    for (size_t i = w->month_from; i < w->out->n; i++) /* seen in an earlier listing? */
        if (w->out->v[i].day_s == d->day_s && strcmp(name_of(&w->out->v[i]), name) == 0)
            return GP_OK;
    if (w->out->n == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 64;
        godb_dayref *v = gp_realloc(w->out->v, cap, sizeof *v);
        if (!v)
            return GP_ENOMEM;
        w->out->v = v;
        w->cap = cap;
    }
    char *path = gp_asprintf("%s/%s/%s", w->iface, w->where, name);
    if (!path)
        return GP_ENOMEM;
    w->out->v[w->out->n++] = (godb_dayref){
        .day_s = d->day_s, .path = path, .has_totals = d->has_totals, .totals = d->totals};
    return GP_OK;
}

static gp_status day_entry(void *ctx, const char *name, int is_dir)
{
    struct walk *w = ctx;
    godb_dayname d;

    if (!is_dir || godb_dayname_is_backup(name))
        return GP_OK;
    if (strlen(name) >= GODB_DAYNAME_CAP || !godb_dayname_parse(name, &d)) {
        skip_entry(w, name, "not the name of a day");
        return GP_OK;
    }
    if (w->first_s >= d.day_s + GODB_DAY_S || d.day_s >= w->last_s + GODB_BLOCK_S)
        return GP_OK;
    return add_day(w, name, &d);
}

int godb_dir_quiet(const struct stat *before, const struct stat *after,
                   const struct timespec *start)
{
    return before->st_mtim.tv_sec == after->st_mtim.tv_sec &&
           before->st_mtim.tv_nsec == after->st_mtim.tv_nsec &&
           (after->st_mtim.tv_sec < start->tv_sec ||
            (after->st_mtim.tv_sec == start->tv_sec && after->st_mtim.tv_nsec < start->tv_nsec));
}

/* readdir() may miss a day that is renamed while it runs; the union of several listings of a month
 * that is being written to does not. */
static gp_status list_days(struct walk *w)
{
    struct stat before, after;
    struct timespec start;
    unsigned skipped = w->out->skipped;
    size_t text = w->skipped.len;

    w->month_from = w->out->n;
    for (int i = 0; i < LIST_TRIES; i++) {
        w->out->skipped = skipped;
        w->skipped.len = text;
        clock_gettime(CLOCK_REALTIME_COARSE, &start);
        int ok = fstat(w->fd, &before) == 0;
        GP_TRY(godb_dir_each(w->fd, day_entry, w, w->err));
        if (ok && fstat(w->fd, &after) == 0 && godb_dir_quiet(&before, &after, &start))
            break;
    }
    return GP_OK;
}

/* Enter the directory name, whose entries fn wants; a directory that vanished is empty. */
static gp_status descend(struct walk *w, const char *name, gp_status (*list)(struct walk *))
{
    int parent = w->fd;
    size_t len = strlen(w->where);
    GP_CLEANUP(gp_closep) int fd = godb_dir_open(parent, name);

    if (fd < 0 && errno == ENOENT)
        return GP_OK;
    int why = errno;
    if (name != w->iface)
        snprintf(w->where + len, sizeof w->where - len, "%s%s", len ? "/" : "", name);
    if (fd < 0)
        return gp_fail(w->err, GP_EIO, why, "opening %s%s%s failed", w->iface, *w->where ? "/" : "",
                       w->where);
    w->fd = fd;
    gp_status st = list(w);
    w->fd = parent;
    w->where[len] = '\0';
    return st;
}

/* A directory name that must be a decimal number. */
static int number_entry(struct walk *w, const char *name, int is_dir, const char *why, uint64_t *v)
{
    if (!is_dir)
        return 0;
    size_t len = strlen(name);
    if (len < WHERE_CAP / 2 - 1 && gp_num_u64(name, len, INT32_MAX, v))
        return 1;
    skip_entry(w, name, why);
    return 0;
}

static gp_status month_entry(void *ctx, const char *name, int is_dir)
{
    struct walk *w = ctx;
    uint64_t month;

    if (!number_entry(w, name, is_dir, "not the name of a month", &month))
        return GP_OK;
    int64_t at = (int64_t)(w->year * 12 + month) - 1;
    if (at < w->lo_month || at > w->hi_month)
        return GP_OK;
    return descend(w, name, list_days);
}

static gp_status list_months(struct walk *w)
{
    return godb_dir_each(w->fd, month_entry, w, w->err);
}

static gp_status year_entry(void *ctx, const char *name, int is_dir)
{
    struct walk *w = ctx;

    if (!number_entry(w, name, is_dir, "not the name of a year", &w->year))
        return GP_OK;
    int64_t from = (int64_t)w->year * 12;
    if (from + 11 < w->lo_month || from > w->hi_month)
        return GP_OK;
    return descend(w, name, list_months);
}

static gp_status list_years(struct walk *w)
{
    return godb_dir_each(w->fd, year_entry, w, w->err);
}

static int by_day(const void *a, const void *b)
{
    const godb_dayref *x = a, *y = b;
    if (x->day_s != y->day_s)
        return x->day_s < y->day_s ? -1 : 1;
    return strcmp(x->path, y->path);
}

/* One of several directories of the same day. */
struct copy {
    size_t at; /* index in days */
    int alive;
    ino_t ino;
    int has_span;
    int64_t first_s, last_s; /* of its blocks */
};

static struct copy look_at(const godb_db *db, const godb_days *days, size_t at)
{
    struct copy c = {.at = at};
    struct stat st;
    GP_CLEANUP(gp_closep) int fd = godb_dir_open(db->fd, days->v[at].path);

    if (fd >= 0 && fstat(fd, &st) == 0) {
        c.alive = 1;
        c.ino = st.st_ino;
        c.has_span = godb_day_span(fd, days->v[at].day_s, &c.first_s, &c.last_s);
    }
    return c;
}

/* Look at the directory at `at`, at a moment when best is as it says: both were there together only
 * if best still is after the look (else one replaced the other in between, as a merge does). */
static struct copy look_beside(const godb_db *db, const godb_days *days, size_t at,
                               struct copy *best)
{
    struct copy c, before;
    int tries = 0;

    do {
        before = *best;
        c = look_at(db, days, at);
        *best = look_at(db, days, before.at);
    } while ((best->alive != before.alive || best->ino != before.ino) && ++tries < LIST_TRIES);
    return c;
}

/* Should y be left out in favour of x (or the other way round, by which has the later block)? */
static int same_data(const struct copy *x, const struct copy *y)
{
    if (x->ino == y->ino || !x->has_span || !y->has_span)
        return 1;
    return x->first_s <= y->last_s && y->first_s <= x->last_s;
}

/* Directories [from, to) of one day, more than one. Names of a directory that was renamed meanwhile
 * count once. Real copies (a crash, a changed time zone) all stay when their blocks lie in separate
 * times; of overlapping ones the one with the latest block stays, so nothing shows twice. */
static void settle(const godb_db *db, struct walk *w, size_t from, size_t to)
{
    struct copy best = look_at(db, w->out, from);

    for (size_t i = from + 1; i < to; i++) {
        struct copy c = look_beside(db, w->out, i, &best);
        if (best.alive && c.alive && !same_data(&best, &c))
            continue;
        int other =
            c.alive && (!best.alive || (c.has_span && (!best.has_span || c.last_s > best.last_s)));
        struct copy loser = other ? best : c;
        if (best.alive && c.alive && best.ino != c.ino)
            skip(w, w->out->v[loser.at].path, "", "second copy of a day");
        gp_free(w->out->v[loser.at].path);
        w->out->v[loser.at].path = NULL;
        if (other)
            best = c;
    }
}

static void settle_all(const godb_db *db, struct walk *w)
{
    godb_days *d = w->out;
    size_t kept = 0;

    for (size_t i = 0, end; i < d->n; i = end) {
        for (end = i + 1; end < d->n && d->v[end].day_s == d->v[i].day_s;)
            end++;
        if (end - i > 1)
            settle(db, w, i, end);
    }
    for (size_t i = 0; i < d->n; i++)
        if (d->v[i].path)
            d->v[kept++] = d->v[i];
    d->n = kept;
}

static int64_t month_number(int64_t t)
{
    if (t < 0)
        t = 0;
    if (t > LAST_TIME)
        t = LAST_TIME;
    godb_month m = godb_month_utc(t);
    return (int64_t)m.year * 12 + m.month - 1;
}

gp_status godb_db_days(const godb_db *db, const char *iface, int64_t first_s, int64_t last_s,
                       godb_days *out, gp_err *err)
{
    if (!godb_iface_name_ok(iface))
        return gp_fail(err, GP_EINVAL, 0, "'%s' is not an interface name", iface);
    if (last_s > LAST_TIME)
        last_s = LAST_TIME;
    if (last_s < -LAST_TIME)
        last_s = -LAST_TIME;
    godb_days days = {0};
    struct walk w = {.iface = iface,
                     .first_s = first_s,
                     .last_s = last_s,
                     .lo_month = month_number(first_s) - WIDEN_MONTHS,
                     .hi_month = month_number(last_s + GODB_BLOCK_S) + WIDEN_MONTHS,
                     .out = &days,
                     .fd = db->fd,
                     .err = err};

    gp_status st = first_s > last_s ? GP_OK : descend(&w, iface, list_years);
    if (st == GP_OK && days.n > 1) {
        qsort(days.v, days.n, sizeof *days.v, by_day);
        settle_all(db, &w);
    }
    if (st == GP_OK && w.skipped.len && !(days.skipped_text = gp_buf_take(&w.skipped)))
        st = GP_ENOMEM;
    gp_buf_free(&w.skipped);
    if (st != GP_OK) {
        godb_days_free(&days);
        return st == GP_ENOMEM ? gp_fail(err, st, 0, "listing %s: out of memory", iface) : st;
    }
    *out = days;
    return GP_OK;
}
