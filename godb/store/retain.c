/* retain.c - delete old days: by age, by size, or until enough of the disk is free.
 *
 * First a plan over all days, the same with and without a dry run; then each planned day is renamed
 * into a staging tree (stage.h) and removed there.
 */
#include "godb/retain.h"

#include "db.h"
#include "dirs.h"
#include "gp/bytes.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "kind.h"
#include "lock.h"
#include "stage.h"
#include "strv.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    SETTLED_S = 3600, /* a day that ended so long ago gets no more blocks */
    BUSY_S = 600,     /* a day that was changed so lately may be in use by an import */
    OLD_S =
        40 * GODB_DAY_S, /* empty months so old may go although somebody writes to the interface */
};

struct candidate {
    const char *iface; /* borrowed from the list of names */
    char *path;        /* owned */
    int64_t day_s;
    uint64_t bytes;
    int fixed;       /* may be written to: stays */
    const char *why; /* NULL: stays */
};

struct retain {
    uint64_t min_free; /* bytes; 0 = no such limit */
    godb_db *db;
    const godb_retain_opts *opts;
    godb_retain_stats *stats;
    int64_t now_s;
    struct candidate *v; /* oldest first */
    size_t n, cap;
    uint64_t planned; /* bytes of the candidates that go */
};

static gp_status add(struct retain *r, const char *iface, const godb_dayref *ref, gp_err *err)
{
    int64_t latest_s = 0;
    struct candidate c = {.iface = iface, .day_s = ref->day_s};
    GP_CLEANUP(gp_closep) int fd = godb_dir_open(r->db->fd, ref->path);

    if (fd < 0) /* renamed by its writer just now, so it stays anyway */
        return errno == ENOENT ? GP_OK : gp_fail(err, GP_EIO, errno, "%s", ref->path);
    if (godb_dir_is_foreign(fd))
        return GP_OK;
    GP_TRY(godb_tree_measure(fd, &c.bytes, &latest_s, err));
    c.fixed = c.day_s + GODB_DAY_S + SETTLED_S > r->now_s || latest_s + BUSY_S > gp_wall_s();
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 256;
        struct candidate *v = gp_realloc(r->v, cap, sizeof *v);
        if (!v)
            return gp_fail(err, GP_ENOMEM, 0, "retention: out of memory");
        r->v = v;
        r->cap = cap;
    }
    if (!(c.path = gp_strdup(ref->path)))
        return gp_fail(err, GP_ENOMEM, 0, "retention: out of memory");
    r->v[r->n++] = c;
    r->stats->days++;
    r->stats->bytes += c.bytes;
    return GP_OK;
}

static gp_status add_iface(struct retain *r, const char *iface, gp_err *err)
{
    godb_days days = {0};
    gp_status st = godb_db_days(r->db, iface, 0, INT64_MAX, &days, err);

    for (size_t i = 0; i < days.n && st == GP_OK; i++)
        st = add(r, iface, &days.v[i], err);
    godb_days_free(&days);
    return st;
}

static int by_age(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->day_s != y->day_s)
        return x->day_s < y->day_s ? -1 : 1;
    return strcmp(x->iface, y->iface);
}

static void mark(struct retain *r, struct candidate *c, const char *why)
{
    c->why = why;
    r->planned += c->bytes;
}

/* Mark the oldest days (of one interface, or with NULL of all) until `over` bytes are gone. */
static void free_up(struct retain *r, const char *iface, uint64_t over, const char *why)
{
    for (size_t i = 0; i < r->n && over > 0; i++) {
        struct candidate *c = &r->v[i];
        if (c->why || c->fixed || (iface && strcmp(c->iface, iface) != 0))
            continue;
        mark(r, c, why);
        over = over > c->bytes ? over - c->bytes : 0;
    }
    if (over > r->stats->bytes_missing)
        r->stats->bytes_missing = over;
}

static uint64_t staying(const struct retain *r, const char *iface)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < r->n; i++)
        if (!r->v[i].why && (!iface || strcmp(r->v[i].iface, iface) == 0))
            sum += r->v[i].bytes;
    return sum;
}

/* History is not sacrificed to whatever else fills the disk: when all of it would not be enough,
 * nothing goes. */
static void free_disk(struct retain *r)
{
    uint64_t have = r->stats->free_bytes + r->planned, can = 0;
    uint64_t over = have < r->min_free ? r->min_free - have : 0;

    for (size_t i = 0; i < r->n; i++)
        can += r->v[i].why || r->v[i].fixed ? 0 : r->v[i].bytes;
    if (over <= can) {
        free_up(r, NULL, over, "free");
        return;
    }
    r->stats->free_out_of_reach = 1;
    if (over > r->stats->bytes_missing)
        r->stats->bytes_missing = over;
}

static void plan(struct retain *r, char *const *ifaces, size_t n)
{
    const godb_retain_opts *o = r->opts;

    for (size_t i = 0; i < r->n && o->max_age_s > 0; i++) {
        if (r->now_s - r->v[i].day_s - GODB_DAY_S <= o->max_age_s)
            continue;
        if (r->v[i].fixed)
            r->stats->bytes_missing += r->v[i].bytes;
        else
            mark(r, &r->v[i], "age");
    }
    for (size_t i = 0; i < n && o->max_iface_bytes > 0; i++) {
        uint64_t sum = staying(r, ifaces[i]);
        free_up(r, ifaces[i], sum > o->max_iface_bytes ? sum - o->max_iface_bytes : 0, "size");
    }
    if (o->max_bytes > 0) {
        uint64_t sum = staying(r, NULL);
        free_up(r, NULL, sum > o->max_bytes ? sum - o->max_bytes : 0, "size");
    }
    if (r->min_free > 0)
        free_disk(r);
}

/* Remove the month and year of a deleted day when they are empty. A writer that is about to use
 * them must not lose them, so that needs its lock, or a time when nobody writes any more. */
static void remove_empty_parents(const struct retain *r, const struct candidate *c)
{
    char path[GODB_PATH_CAP];
    GP_CLEANUP(gp_closep) int lock = -1;

    if (godb_iface_lock(r->db->fd, r->db->path, c->iface, &lock, NULL) != GP_OK &&
        c->day_s + OLD_S > r->now_s)
        return;
    (void)snprintf(path, sizeof path, "%s", c->path);
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(path, '/');
        if (!slash || slash == path)
            return;
        *slash = '\0';
        if (unlinkat(r->db->fd, path, AT_REMOVEDIR) != 0)
            return;
    }
}

static gp_status remove_day(const struct retain *r, const struct candidate *c, godb_stage *stage,
                            gp_err *err)
{
    static const char name[] = "day";

    if (stage->fd < 0)
        GP_TRY(godb_stage_open(r->db->fd, stage, err));
    if (renameat(r->db->fd, c->path, stage->fd, name) != 0)
        return gp_fail(err, GP_EIO, errno, "moving %s out of the database failed", c->path);
    GP_TRY(godb_tree_remove(stage->fd, name, err));
    remove_empty_parents(r, c);
    return GP_OK;
}

static gp_status carry_out(struct retain *r, godb_retain_fn fn, void *ctx, gp_err *err)
{
    godb_stage stage = {.fd = -1};
    gp_status st = GP_OK;

    for (size_t i = 0; i < r->n && st == GP_OK; i++) {
        const struct candidate *c = &r->v[i];
        gp_err why = {0};
        if (!c->why)
            continue;
        st = gp_cancel_check(r->opts->cancel);
        if (st != GP_OK) {
            (void)gp_fail(err, st, 0, "retention: %s", gp_status_name(st));
            break;
        }
        gp_status day = r->opts->dry_run ? GP_OK : remove_day(r, c, &stage, &why);
        r->stats->days_deleted += day == GP_OK;
        r->stats->days_failed += day != GP_OK;
        r->stats->bytes_deleted += day == GP_OK ? c->bytes : 0;
        if (fn)
            fn(ctx, &(godb_retain_day){.iface = c->iface,
                                       .path = c->path,
                                       .day_s = c->day_s,
                                       .bytes = c->bytes,
                                       .why = c->why,
                                       .status = day,
                                       .text = why.msg});
    }
    gp_status end = godb_stage_close(&stage, st == GP_OK ? err : NULL);
    return st == GP_OK ? end : st;
}

/* The names asked for that exist, or all. */
static gp_status select_ifaces(struct retain *r, godb_strv *out, gp_err *err)
{
    char **all = NULL;
    size_t n = 0;
    gp_status st = godb_db_ifaces(r->db, &all, &n, err);

    for (const char *const *p = r->opts->ifaces; p && *p && st == GP_OK; p++) {
        int found = 0, twice = 0;
        for (size_t i = 0; i < n; i++)
            found |= strcmp(all[i], *p) == 0;
        for (size_t i = 0; i < out->n; i++)
            twice |= strcmp(out->v[i], *p) == 0;
        if (!found)
            st = gp_fail(err, GP_ENOTFOUND, 0, "no interface '%s' in %s", *p, r->db->path);
        else if (!twice && godb_strv_add(out, *p) != GP_OK)
            st = gp_fail(err, GP_ENOMEM, 0, "retention: out of memory");
    }
    for (size_t i = 0; i < n && st == GP_OK && !r->opts->ifaces; i++)
        if (godb_strv_add(out, all[i]) != GP_OK)
            st = gp_fail(err, GP_ENOMEM, 0, "retention: out of memory");
    godb_strv_free(all);
    return st;
}

static gp_status run(struct retain *r, godb_retain_fn fn, void *ctx, gp_err *err)
{
    struct statvfs vfs;
    godb_strv ifaces = {0};
    GP_CLEANUP(gp_buf_free) gp_buf note = {0};

    if (fstatvfs(r->db->fd, &vfs) != 0)
        return gp_fail(err, GP_EIO, errno, "looking at the file system of %s failed", r->db->path);
    r->stats->free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
    r->min_free =
        (uint64_t)((double)vfs.f_blocks * (double)vfs.f_frsize * r->opts->min_free_percent / 100);
    if (r->min_free < r->opts->min_free_bytes)
        r->min_free = r->opts->min_free_bytes;
    gp_status st = select_ifaces(r, &ifaces, err);
    for (size_t i = 0; i < ifaces.n && st == GP_OK; i++)
        st = add_iface(r, ifaces.v[i], err);
    if (st == GP_OK && r->n > 1)
        qsort(r->v, r->n, sizeof *r->v, by_age);
    if (st == GP_OK) {
        plan(r, ifaces.v, ifaces.n);
        if (!r->opts->dry_run) /* what an earlier run could not finish */
            st = godb_stage_sweep(r->db->fd, &note, err);
    }
    if (st == GP_OK)
        st = carry_out(r, fn, ctx, err);
    godb_strv_free(ifaces.v);
    return st;
}

gp_status godb_retain(const char *root, const godb_retain_opts *opts, godb_retain_fn fn, void *ctx,
                      godb_retain_stats *stats, gp_err *err)
{
    godb_retain_stats none = {0};
    struct retain r = {.opts = opts, .stats = stats ? stats : &none};

    *r.stats = (godb_retain_stats){0};
    r.now_s = opts->now_s ? opts->now_s : gp_wall_s();
    GP_TRY(godb_db_open(root, &r.db, err));
    gp_status st = run(&r, fn, ctx, err);
    for (size_t i = 0; i < r.n; i++)
        gp_free(r.v[i].path);
    gp_free(r.v);
    godb_db_close(r.db);
    return st;
}
