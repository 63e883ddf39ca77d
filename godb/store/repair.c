/* repair.c - look at every day with the eyes of check, and do the one thing that helps. */
#include "godb/repair.h"

#include "checkday.h"
#include "db.h"
#include "dirs.h"
#include "gp/io.h"
#include "indexfile.h"
#include "kind.h"
#include "lock.h"
#include "merge_list.h"
#include "quarantine.h"
#include "rebuild.h"
#include "stage.h"
#include "suffix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct repair {
    const char *root;
    const godb_db *db;
    const godb_repair_opts *o;
    godb_repair_fn fn;
    void *ctx;
    godb_repair_stats *stats;
    godb_reader *reader;
    int has_days; /* of the interface: without one nothing in it is known to be ours */
};

/* A day with what was found in it. */
struct patient {
    const godb_dayref *ref;
    int month_fd, fd; /* the month and the day */
    const char *name;
    uint64_t n[GODB_PROBLEM_N_KINDS];
    const char *why; /* the first finding that calls for the action */
    int gone;        /* it is (or would be) in the tree no more */
};

const char *godb_repair_name(godb_repair_kind k)
{
    static const char *const names[GODB_REPAIR_N_KINDS] = {
        "rename", "truncate", "rebuild", "quarantine", "remove", "index", "leave"};
    return (unsigned)k < GP_COUNT(names) ? names[k] : "?";
}

static void report(struct repair *r, godb_repair_kind kind, const char *path, gp_status st,
                   const godb_rebuild *b, const char *text)
{
    godb_repair_action a = {.kind = kind, .path = path, .status = st, .text = text};

    if (b) {
        a.blocks_kept = b->kept;
        a.blocks_lost = b->lost;
        if (st == GP_OK) {
            r->stats->blocks_kept += b->kept;
            r->stats->blocks_lost += b->lost;
        }
    }
    r->stats->n[kind] += st == GP_OK;
    r->stats->failed += st != GP_OK;
    if (r->fn)
        r->fn(r->ctx, &a);
}

/* Report an action that did (err NULL or empty) or did not work. */
static void done(struct repair *r, godb_repair_kind kind, const char *path, gp_status st,
                 const char *why, const char *what, const gp_err *err, const godb_rebuild *b)
{
    GP_CLEANUP(gp_buf_free) gp_buf text = {0};

    gp_buf_printf(&text, "%s; %s%s", why,
                  st == GP_OK ? what : "failed: ", st == GP_OK ? "" : err->msg);
    const char *line = gp_buf_str(&text);
    report(r, kind, path, st, b, line ? line : why);
}

/* What is found, but not repaired: reported, so that nobody takes it for repaired. */
static void leave(struct repair *r, const char *path, const char *why, const char *because)
{
    done(r, GODB_REPAIR_LEAVE, path, GP_OK, why, because, NULL, NULL);
}

static void quarantine(struct repair *r, struct patient *p)
{
    GP_CLEANUP(gp_buf_free) gp_buf where = {0};
    gp_err err = {0};
    gp_status st = GP_OK;

    if (!r->has_days) {
        leave(r, p->ref->path, p->why,
              "no directory of this interface has anything of a day in it");
        return;
    }
    gp_buf_adds(&where, "moved to ");
    if (!r->o->dry_run)
        st = godb_quarantine(r->root, r->o->quarantine, p->month_fd, p->name, p->ref->path, &where,
                             &err);
    p->gone = st == GP_OK;
    r->stats->days_lost += st == GP_OK && p->n[GODB_PROBLEM_NO_BLOCKS] == 0;
    const char *what = r->o->dry_run ? "to be moved to the quarantine" : gp_buf_str(&where);
    done(r, GODB_REPAIR_QUARANTINE, p->ref->path, st, p->why, what ? what : "moved", &err, NULL);
}

static mode_t mode_of(const struct patient *p)
{
    struct stat st;

    if (fstatat(p->fd, ".blockmeta", &st, AT_SYMLINK_NOFOLLOW) != 0)
        return GODB_FILE_MODE;
    return st.st_mode & 0777;
}

static void rebuild(struct repair *r, struct patient *p)
{
    const godb_dayopts o = {.mode = mode_of(p), .sync = GODB_SYNC_BLOCK};
    GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
    GP_CLEANUP(gp_buf_free) gp_buf note = {0};
    godb_rebuild b = {0};
    gp_err err = {0};
    gp_status st = godb_day_open_fd(p->fd, p->ref->day_s, p->ref->path, &d, &err);

    if (st == GP_OK)
        st = godb_day_rebuild(d, &o, -1, &b, &note, &err);
    if (st == GP_OK && b.kept == 0) {
        quarantine(r, p);
        return;
    }
    gp_buf_clear(&note);
    if (st == GP_OK && !r->o->dry_run)
        st = godb_day_replace(r->root, r->o->quarantine, p->month_fd, p->name, p->ref->path,
                              p->ref->day_s, &o, &b, &note, &err);
    const char *what = r->o->dry_run ? "to be written anew" : gp_buf_str(&note);
    done(r, GODB_REPAIR_REBUILD, p->ref->path, st, p->why, what ? what : "written anew", &err, &b);
}

static void truncate_columns(struct repair *r, struct patient *p)
{
    GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
    gp_err err = {0};
    gp_status st = godb_day_open_fd(p->fd, p->ref->day_s, p->ref->path, &d, &err);

    for (int c = 0; c < GODB_N_COLS && st == GP_OK && !r->o->dry_run; c++) {
        const char *name = godb_col_file((godb_col)c);
        struct stat have;
        if (fstatat(p->fd, name, &have, AT_SYMLINK_NOFOLLOW) != 0 ||
            (uint64_t)have.st_size <= d->meta.append[c])
            continue;
        GP_CLEANUP(gp_closep) int fd = openat(p->fd, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || ftruncate(fd, (off_t)d->meta.append[c]) != 0)
            st = gp_fail(&err, GP_EIO, errno, "cutting %s failed", name);
    }
    done(r, GODB_REPAIR_TRUNCATE, p->ref->path, st, p->why,
         r->o->dry_run ? "to be cut off" : "cut off", &err, NULL);
}

static void make_index(struct repair *r, struct patient *p)
{
    GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
    gp_err err = {0};
    gp_status st = godb_day_open_fd(p->fd, p->ref->day_s, p->ref->path, &d, &err);

    if (st == GP_OK && !r->o->dry_run)
        st = godb_index_extend(d, mode_of(p), SIZE_MAX, 1, NULL, &err);
    done(r, GODB_REPAIR_INDEX, p->ref->path, st, p->why,
         r->o->dry_run ? "to be made anew" : "made anew", &err, NULL);
}

static gp_status remove_tmp(void *ctx, const char *name, int is_dir)
{
    int fd = *(int *)ctx;

    if (!is_dir && strncmp(name, ".tmp-metadata-", 14) == 0 && unlinkat(fd, name, 0) != 0)
        return GP_EIO;
    return GP_OK;
}

static void remove_tmps(struct repair *r, struct patient *p)
{
    gp_err err = {0};
    gp_status st = r->o->dry_run ? GP_OK : godb_dir_each(p->fd, remove_tmp, &p->fd, &err);

    done(r, GODB_REPAIR_REMOVE, p->ref->path, st, p->why,
         r->o->dry_run ? "to be deleted" : "deleted", &err, NULL);
}

/* A directory without anything in it can go; rmdir() decides. */
static int remove_empty(struct repair *r, struct patient *p)
{
    int entries = 0;
    DIR *dir = fdopendir(fcntl(p->fd, F_DUPFD_CLOEXEC, 0));

    for (const struct dirent *e; dir && (e = readdir(dir));)
        entries += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    if (dir)
        closedir(dir);
    if (!dir || entries > 0)
        return 0;
    gp_err err = {0};
    gp_status st = GP_OK;
    p->gone = 1;
    if (!r->o->dry_run && unlinkat(p->month_fd, p->name, AT_REMOVEDIR) != 0)
        st = gp_fail(&err, GP_EIO, errno, "removing it failed");
    done(r, GODB_REPAIR_REMOVE, p->ref->path, st, p->why,
         r->o->dry_run ? "empty, to be deleted" : "empty, deleted", &err, NULL);
    return 1;
}

static void rename_day(struct repair *r, struct patient *p)
{
    char want[GODB_DAYNAME_CAP], what[GODB_DAYNAME_CAP + 32];
    GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
    gp_err err = {0};
    gp_status st = godb_day_open_fd(p->fd, p->ref->day_s, p->ref->path, &d, &err);

    if (st == GP_OK) {
        godb_dayname_format(p->ref->day_s, &d->meta.totals, want);
        snprintf(what, sizeof what, "%s %s", r->o->dry_run ? "to be renamed to" : "renamed to",
                 want);
        if (!r->o->dry_run &&
            renameat2(p->month_fd, p->name, p->month_fd, want, RENAME_NOREPLACE) != 0)
            st = gp_fail(&err, GP_EIO, errno, "renaming it to %s failed", want);
    }
    done(r, GODB_REPAIR_RENAME, p->ref->path, st, p->why, what, &err, NULL);
}

static void leave_rows(struct repair *r, struct patient *p)
{
    leave(r, p->ref->path, p->why,
          "they are read as they are: whether the order or the rows are wrong cannot be told");
}

static void leave_inside(struct repair *r, struct patient *p)
{
    leave(r, p->ref->path, p->why, "readers pass over it");
}

/* Which finding calls for which action; the first line that applies wins, the small ones (from
 * truncate on) are done all. */
static const struct {
    godb_problem_kind kind;
    void (*act)(struct repair *r, struct patient *p);
    int small;
} cures[] = {
    {GODB_PROBLEM_META_MISSING, quarantine, 0}, {GODB_PROBLEM_META_CORRUPT, quarantine, 0},
    {GODB_PROBLEM_NO_BLOCKS, quarantine, 0},    {GODB_PROBLEM_BLOCK_UNUSABLE, rebuild, 0},
    {GODB_PROBLEM_COLUMN_SHORT, rebuild, 0},    {GODB_PROBLEM_DISPLACED, rebuild, 0},
    {GODB_PROBLEM_DISPLACED_LOST, rebuild, 0},  {GODB_PROBLEM_DECODE, rebuild, 0},
    {GODB_PROBLEM_CHECKSUM, rebuild, 0},        {GODB_PROBLEM_TIME_ORDER, rebuild, 0},
    {GODB_PROBLEM_TOTALS, rebuild, 0},          {GODB_PROBLEM_META_ODD, rebuild, 0},
    {GODB_PROBLEM_TMP_FILE, remove_tmps, 1},    {GODB_PROBLEM_COLUMN_TAIL, truncate_columns, 1},
    {GODB_PROBLEM_INDEX_STALE, make_index, 1},  {GODB_PROBLEM_SUFFIX, rename_day, 1},
    {GODB_PROBLEM_STRAY_NAME, leave_inside, 1}, {GODB_PROBLEM_ROW_ORDER, leave_rows, 1},
};

/* 1 if there was something to do. */
static int treat(struct repair *r, struct patient *p, const godb_findings *f)
{
    int acted = 0;

    for (size_t i = 0; i < GP_COUNT(cures); i++) {
        if (p->n[cures[i].kind] == 0)
            continue;
        for (size_t k = f->n; k-- > 0;) /* the first text of that kind stays */
            if (f->v[k].kind == cures[i].kind)
                p->why = (const char *)f->texts.data + f->v[k].text;
        acted = 1;
        if (cures[i].act == quarantine && remove_empty(r, p))
            return 1;
        cures[i].act(r, p);
        if (!cures[i].small)
            return 1;
    }
    return acted;
}

/* The second of two directories of a day that both stay. */
static int is_twin(struct repair *r, const godb_dayref *ref, const godb_dayref *before)
{
    GP_CLEANUP(gp_buf_free) gp_buf why = {0};

    if (!before || before->day_s != ref->day_s)
        return 0;
    gp_buf_printf(&why, "another directory of the same day as %s", before->path);
    const char *text = gp_buf_str(&why);
    leave(r, ref->path, text ? text : "another directory of the same day",
          "move one of them to a database of its own and `gpdb merge` that");
    return 1;
}

/* *last: the day before that is still in the tree, or NULL. */
static gp_status repair_day(struct repair *r, const godb_dayref *ref, const godb_dayref **last,
                            gp_err *err)
{
    char month[GODB_PATH_CAP];
    const char *slash = strrchr(ref->path, '/');
    struct patient p = {.ref = ref, .name = slash + 1, .month_fd = -1, .fd = -1};
    godb_findings f = {0};
    godb_checked checked = {0};

    r->stats->days++;
    snprintf(month, sizeof month, "%.*s", (int)(slash - ref->path), ref->path);
    gp_status st = godb_check_day(r->db, r->reader, ref, 0, &f, &checked, err);
    for (size_t i = 0; i < f.n; i++)
        p.n[f.v[i].kind]++;
    p.month_fd = godb_dir_open(r->db->fd, month);
    p.fd = p.month_fd >= 0 ? godb_dir_open(p.month_fd, p.name) : -1;
    if (st == GP_OK && p.fd >= 0) {
        int acted = treat(r, &p, &f);
        if (!p.gone) {
            acted |= is_twin(r, ref, *last);
            *last = ref;
        }
        r->stats->days_ok += !acted;
    }
    gp_closep(&p.fd);
    gp_closep(&p.month_fd);
    godb_findings_free(&f);
    return st;
}

/* Move a directory that does not belong into the tree out of it. */
static void evict(struct repair *r, const char *path, const char *why)
{
    GP_CLEANUP(gp_buf_free) gp_buf where = {0};
    gp_err err = {0};
    gp_status st = GP_OK;

    if (!r->has_days) {
        leave(r, path, why, "no day lies below this interface, so it may be something else");
        return;
    }
    gp_buf_adds(&where, "moved to ");
    if (!r->o->dry_run)
        st = godb_quarantine(r->root, r->o->quarantine, r->db->fd, path, path, &where, &err);
    const char *what = r->o->dry_run ? "to be moved to the quarantine" : gp_buf_str(&where);
    done(r, GODB_REPAIR_QUARANTINE, path, st, why, what ? what : "moved", &err, NULL);
}

/* Backups of days: back in place or deleted where it is clear, else out of the way. */
static void undo_merge(struct repair *r, const char *iface, const godb_findings *f)
{
    GP_CLEANUP(gp_buf_free) gp_buf note = {0};
    gp_err err = {0};
    gp_status st = r->o->dry_run ? GP_OK : godb_merge_recover(r->db->fd, iface, &note, &err);
    const char *what = r->o->dry_run ? "to be undone" : gp_buf_str(&note);

    done(r, GODB_REPAIR_REMOVE, iface, st, "leftovers of an interrupted merge",
         what && *what ? what : "undone", &err, NULL);
    for (size_t i = 0; i < f->n && !r->o->dry_run; i++) {
        const char *path = (const char *)f->texts.data + f->v[i].path;
        int left = f->v[i].kind == GODB_PROBLEM_MERGE_LEFTOVER;
        GP_CLEANUP(gp_closep) int fd = left ? godb_dir_open(r->db->fd, path) : -1;
        if (fd >= 0)
            evict(r, path, "backup that is not all in the day");
    }
}

/* Stray names and leftovers of merges below an interface. */
static void repair_names(struct repair *r, const char *iface, const godb_findings *f)
{
    int leftover = 0;

    for (size_t i = 0; i < f->n; i++) {
        const char *texts = (const char *)f->texts.data;
        leftover |= f->v[i].kind == GODB_PROBLEM_MERGE_LEFTOVER;
        if (f->v[i].kind == GODB_PROBLEM_STRAY_NAME)
            evict(r, texts + f->v[i].path, texts + f->v[i].text);
    }
    if (leftover)
        undo_merge(r, iface, f);
}

static gp_status repair_iface(struct repair *r, const char *iface, gp_err *err)
{
    GP_CLEANUP(gp_closep) int lock = -1;
    godb_findings f = {0};
    godb_days days = {0};
    const godb_dayref *last = NULL;
    gp_err why = {0};

    if (!r->o->dry_run) {
        gp_status locked = godb_iface_lock(r->db->fd, r->root, iface, &lock, &why);
        if (locked == GP_ENOTFOUND)
            return gp_fail(err, locked, 0, "%s", why.msg);
        if (locked != GP_OK) {
            report(r, GODB_REPAIR_LEAVE, iface, locked, NULL, why.msg);
            return GP_OK;
        }
    }
    r->has_days = godb_iface_look(r->db, iface).has_day;
    gp_status st = godb_check_names(r->db, iface, r->o->first_s, r->o->last_s, &days, &f, err);
    if (st == GP_OK)
        repair_names(r, iface, &f);
    for (size_t i = 0; st == GP_OK && i < days.n; i++) {
        st = gp_cancel_check(r->o->cancel);
        if (st != GP_OK)
            gp_fail(err, st, 0, "repair: %s", gp_status_name(st));
        else
            st = repair_day(r, &days.v[i], &last, err);
    }
    godb_findings_free(&f);
    godb_days_free(&days);
    return st;
}

/* Staging trees below the root. They may hold the only copy of a day that was being exchanged. */
static gp_status stage_entry(void *ctx, const char *name, int is_dir)
{
    struct repair *r = ctx;
    GP_CLEANUP(gp_buf_free) gp_buf where = {0};
    GP_CLEANUP(gp_closep) int lock = -1;
    gp_err err = {0};
    gp_status st = GP_OK;

    if (!is_dir || !godb_stage_is_name(name))
        return GP_OK;
    if (!godb_stage_is_dead(r->db->fd, name, &lock)) {
        leave(r, name, "staging tree of a merge", "another merge may be using it");
        return GP_OK;
    }
    gp_buf_adds(&where, "moved to ");
    if (!r->o->dry_run)
        st = godb_quarantine(r->root, r->o->quarantine, r->db->fd, name, name, &where, &err);
    const char *what = r->o->dry_run ? "to be moved to the quarantine" : gp_buf_str(&where);
    done(r, GODB_REPAIR_QUARANTINE, name, st, "staging tree of a merge that died",
         what ? what : "moved", &err, NULL);
    return GP_OK;
}

gp_status godb_repair(const char *root, const godb_repair_opts *opts, godb_repair_fn fn, void *ctx,
                      godb_repair_stats *stats, gp_err *err)
{
    static const godb_repair_opts defaults = GODB_REPAIR_OPTS_INIT;
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    GP_CLEANUP(godb_reader_freep) godb_reader *reader = NULL;
    char **all = NULL;
    size_t n = 0;

    *stats = (godb_repair_stats){0};
    GP_TRY(godb_db_open(root, &db, err));
    GP_TRY(godb_db_require(db, err));
    GP_TRY(godb_reader_new(&reader, err));
    struct repair r = {.root = root,
                       .db = db,
                       .o = opts ? opts : &defaults,
                       .fn = fn,
                       .ctx = ctx,
                       .stats = stats,
                       .reader = reader};
    gp_status st = GP_OK;
    if (!r.o->ifaces) {
        st = godb_dir_each(db->fd, stage_entry, &r, err);
        if (st == GP_OK)
            st = godb_db_ifaces(db, &all, &n, err);
    }
    const char *const *names = r.o->ifaces ? r.o->ifaces : (const char *const *)all;
    for (size_t i = 0; st == GP_OK && names && names[i]; i++)
        st = repair_iface(&r, names[i], err);
    godb_strv_free(all);
    return st;
}
