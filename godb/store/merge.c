/* merge.c - merge one database into another, day by day (godb-format.md 8.1). */
#include "godb/merge.h"

#include "db.h"
#include "dirs.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "lock.h"
#include "merge_day.h"
#include "merge_list.h"
#include "strv.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { DEFAULT_TOLERANCE_S = 300, DIR_MODE = 0755 };

struct merge {
    const godb_merge_opts *opts;
    godb_merge_stats *stats;
    godb_db *src, *dst;
    int64_t tolerance_s;
    godb_stage stage;
    godb_merge_tools tools;
    gp_buf note;
    /* the interface under way */
    const char *iface;
    int dst_iface_fd;   /* locked; -1 in a dry run */
    int stage_iface_fd; /* -1 in a dry run */
};

/* ---- preconditions ---- */

static gp_status check_paths(const char *src, const char *dst, gp_err *err)
{
    GP_CLEANUP(gp_freep) char *a = NULL;
    GP_CLEANUP(gp_freep) char *b = NULL;
    GP_CLEANUP(gp_closep) int dst_fd = -1;
    struct stat st;

    if (stat(src, &st) != 0)
        return gp_fail(err, errno == ENOENT ? GP_ENOTFOUND : GP_EIO, errno, "source %s", src);
    if (!S_ISDIR(st.st_mode))
        return gp_fail(err, GP_EINVAL, 0, "source %s is not a directory", src);
    gp_status made = godb_root_make(dst, GODB_ROOT_MODE, 1, &dst_fd, err);
    if (made != GP_OK)
        return gp_fail_context(err, made, "destination");
    char *real[2] = {realpath(src, NULL), realpath(dst, NULL)};
    a = real[0] ? gp_asprintf("%s/", real[0]) : NULL;
    b = real[1] ? gp_asprintf("%s/", real[1]) : NULL;
    free(real[0]); /* layout: allow free - from realpath */
    free(real[1]); /* layout: allow free - from realpath */
    if (!a || !b)
        return gp_fail(err, GP_EIO, errno, "looking up %s and %s failed", src, dst);
    if (strcmp(a, b) == 0)
        return gp_fail(err, GP_EINVAL, 0, "source and destination are the same: %s", src);
    if (strncmp(a, b, strlen(a)) == 0 || strncmp(a, b, strlen(b)) == 0)
        return gp_fail(err, GP_EINVAL, 0, "one of %s and %s lies inside the other", src, dst);
    return GP_OK;
}

static char *trimmed(const char *s)
{
    size_t n;

    while (*s == ' ' || (*s >= '\t' && *s <= '\r'))
        s++;
    for (n = strlen(s); n > 0 && (s[n - 1] == ' ' || (s[n - 1] >= '\t' && s[n - 1] <= '\r')); n--)
        continue;
    return gp_strndup(s, n);
}

static int has(char *const *v, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(v[i], name) == 0)
            return 1;
    return 0;
}

/* Interfaces to merge: those asked for, or all of the source. */
static gp_status select_ifaces(const struct merge *m, godb_strv *out, gp_err *err)
{
    char **all = NULL;
    size_t n = 0;
    gp_status st = godb_db_ifaces(m->src, &all, &n, err);

    for (const char *const *p = m->opts->ifaces; st == GP_OK && p && *p; p++) {
        GP_CLEANUP(gp_freep) char *name = trimmed(*p);
        if (!name)
            st = gp_fail(err, GP_ENOMEM, 0, "merge: out of memory");
        else if (*name && !has(all, n, name))
            st = gp_fail(err, GP_ENOTFOUND, 0, "source %s has no interface '%s'",
                         godb_db_path(m->src), name);
        else if (*name && !has(out->v, out->n, name) && godb_strv_add(out, name) != GP_OK)
            st = gp_fail(err, GP_ENOMEM, 0, "merge: out of memory");
    }
    if (!m->opts->ifaces || out->n == 0)
        for (size_t i = 0; i < n && st == GP_OK; i++)
            if (godb_strv_add(out, all[i]) != GP_OK)
                st = gp_fail(err, GP_ENOMEM, 0, "merge: out of memory");
    godb_strv_free(all);
    if (st == GP_OK && godb_strv_finish(out) != GP_OK)
        st = gp_fail(err, GP_ENOMEM, 0, "merge: out of memory");
    return st;
}

static void tell(struct merge *m)
{
    if (m->note.len == 0)
        return;
    while (m->note.len > 0 && strchr("; ", m->note.data[m->note.len - 1]))
        m->note.len--;
    const char *text = gp_buf_str(&m->note);
    if (m->opts->on_note && text)
        m->opts->on_note(m->opts->ctx, text);
    gp_buf_clear(&m->note);
}

/* ---- one day ---- */

/* Bring the staged day <month>/<staged> into the destination. */
static gp_status commit(struct merge *m, const godb_side *dst, int64_t day_s, const char *month,
                        const char *staged, gp_err *err)
{
    GP_CLEANUP(gp_closep) int from = -1;
    GP_CLEANUP(gp_closep) int to = -1;
    char where[GODB_PATH_CAP];
    const char *old = NULL, *rel = month;

    from = godb_dir_open(m->stage_iface_fd, month);
    if (from < 0)
        return gp_fail(err, GP_EIO, errno, "opening the staged month failed");
    if (dst->ref) { /* stays in the month where it is, whatever time zone wrote it */
        const char *slash = strrchr(dst->ref->path, '/');
        size_t skip = strlen(m->iface) + 1, len = (size_t)(slash - dst->ref->path) - skip;
        memcpy(where, dst->ref->path + skip, len);
        where[len] = '\0';
        rel = where;
        old = slash + 1;
    }
    GP_TRY(godb_dirs_make(m->dst_iface_fd, rel, DIR_MODE, &to, err));
    return godb_stage_commit(from, staged, to, day_s, old, staged, &m->note, err);
}

static gp_status rebuild(struct merge *m, godb_side *src, godb_side *dst, int64_t day_s,
                         gp_err *err)
{
    godb_side *side[2] = {src, dst};
    godb_rebuilt done;

    GP_TRY(godb_merge_rebuild(&m->tools, side, m->opts->overwrite ? 0 : 1, m->stage_iface_fd, day_s,
                              m->opts->cancel, &done, &m->note, err));
    m->stats->blocks_dropped += done.dropped;
    if (done.dropped > 0)
        gp_buf_printf(&m->note, "%s: %llu damaged blocks were left out; ", src->ref->path,
                      (unsigned long long)done.dropped);
    if (done.blocks == 0) { /* never a day without blocks (2.3) */
        gp_buf_printf(&m->note, "%s has no blocks; ", src->ref->path);
        m->stats->days_skipped++;
        return GP_OK;
    }
    GP_TRY(commit(m, dst, day_s, done.month, done.name, err));
    m->stats->days_rebuilt++;
    m->stats->conflicts_src += done.conflicts[0];
    m->stats->conflicts_dst += done.conflicts[1];
    return GP_OK;
}

static gp_status copy(struct merge *m, godb_side *src, godb_side *dst, int64_t day_s, gp_err *err)
{
    char month[16];
    int sound = 0;
    godb_month local = godb_month_local(day_s);
    const char *name = strrchr(src->ref->path, '/') + 1;
    GP_CLEANUP(gp_closep) int month_fd = -1;

    (void)snprintf(month, sizeof month, "%d/%02d", local.year, local.month);
    GP_TRY(godb_merge_copy(src, m->stage_iface_fd, month, name, &sound, err));
    if (!sound) { /* take over only what can be read */
        month_fd = godb_dir_open(m->stage_iface_fd, month);
        if (month_fd < 0)
            return gp_fail(err, GP_EIO, errno, "opening the staged month failed");
        GP_TRY(godb_tree_remove(month_fd, name, err));
        return rebuild(m, src, dst, day_s, err);
    }
    GP_TRY(commit(m, dst, day_s, month, name, err));
    m->stats->days_copied++;
    return GP_OK;
}

static gp_status act(struct merge *m, godb_side *src, godb_side *dst, gp_err *err)
{
    int64_t day_s = src->ref->day_s;
    godb_merge_day d = {.iface = m->iface,
                        .day_s = day_s,
                        .action = godb_merge_decide(src, dst, m->opts->overwrite),
                        .src_complete = src->complete,
                        .dst_present = dst->ref != NULL,
                        .dst_complete = dst->complete};

    if (m->opts->on_day)
        m->opts->on_day(m->opts->ctx, &d);
    if (d.action == GODB_MERGE_SKIP) {
        m->stats->days_skipped++;
        return GP_OK;
    }
    if (m->opts->dry_run) {
        m->stats->days_copied += d.action == GODB_MERGE_COPY;
        m->stats->days_rebuilt += d.action == GODB_MERGE_REBUILD;
        return GP_OK;
    }
    return d.action == GODB_MERGE_COPY ? copy(m, src, dst, day_s, err)
                                       : rebuild(m, src, dst, day_s, err);
}

static gp_status one_day(struct merge *m, const godb_dayref *src_ref, const godb_dayref *dst_ref,
                         gp_err *err)
{
    godb_side src = {.db = m->src, .ref = src_ref, .reader = m->tools.reader[0]};
    godb_side dst = {.db = m->dst, .ref = dst_ref, .reader = m->tools.reader[1]};
    gp_status st = gp_cancel_check(m->opts->cancel);

    if (st != GP_OK)
        return gp_fail(err, st, 0, "merge: %s", gp_status_name(st));
    st = godb_side_open(&src, m->tolerance_s, err);
    if (st != GP_OK)
        return gp_fail_context(err, st, "source");
    st = godb_side_open(&dst, m->tolerance_s, err);
    if (st != GP_OK)
        st = gp_fail_context(err, st, "destination");
    if (st == GP_OK)
        st = act(m, &src, &dst, err);
    godb_side_close(&src);
    godb_side_close(&dst);
    tell(m);
    return st;
}

/* ---- one interface ---- */

static gp_status all_days(struct merge *m, const godb_days *src, const godb_days *dst, gp_err *err)
{
    size_t k = 0;

    for (size_t i = 0; i < src->n; i++) {
        while (k < dst->n && dst->v[k].day_s < src->v[i].day_s)
            k++;
        int both = k < dst->n && dst->v[k].day_s == src->v[i].day_s;
        GP_TRY(one_day(m, &src->v[i], both ? &dst->v[k] : NULL, err));
    }
    return GP_OK;
}

/* Make and lock the destination's interface, have a place in the staging tree. */
static gp_status prepare(struct merge *m, gp_err *err)
{
    if (mkdirat(m->dst->fd, m->iface, DIR_MODE) != 0 && errno != EEXIST)
        return gp_fail(err, GP_EIO, errno, "making %s/%s failed", m->dst->path, m->iface);
    if (fsync(m->dst->fd) != 0)
        return gp_fail(err, GP_EIO, errno, "syncing %s failed", m->dst->path);
    GP_TRY(godb_iface_lock(m->dst->fd, m->dst->path, m->iface, &m->dst_iface_fd, err));
    GP_TRY(godb_merge_recover(m->dst->fd, m->iface, &m->note, err));
    if (mkdirat(m->stage.fd, m->iface, 0700) != 0 && errno != EEXIST)
        return gp_fail(err, GP_EIO, errno, "making a staging directory failed");
    m->stage_iface_fd = godb_dir_open(m->stage.fd, m->iface);
    if (m->stage_iface_fd < 0)
        return gp_fail(err, GP_EIO, errno, "opening the staging directory failed");
    return GP_OK;
}

static gp_status one_iface(struct merge *m, gp_err *err)
{
    godb_days src = {0}, dst = {0};
    gp_status st = godb_merge_days(m->src->fd, m->iface, &src, NULL, err);

    if (st != GP_OK)
        return gp_fail_context(err, st, "source");
    if (src.n == 0)
        return GP_OK;
    m->dst_iface_fd = m->stage_iface_fd = -1;
    if (!m->opts->dry_run)
        st = prepare(m, err);
    tell(m);
    if (st == GP_OK)
        st = godb_merge_days(m->dst->fd, m->iface, &dst, NULL, err);
    if (st != GP_OK)
        st = gp_fail_context(err, st, "destination");
    else
        st = all_days(m, &src, &dst, err);
    m->stats->ifaces += st == GP_OK;
    gp_closep(&m->dst_iface_fd);
    gp_closep(&m->stage_iface_fd);
    godb_days_free(&src);
    godb_days_free(&dst);
    return st;
}

static gp_status run(struct merge *m, gp_err *err)
{
    godb_strv ifaces = {0};
    gp_err late = {0};
    gp_status st = select_ifaces(m, &ifaces, err);

    if (st == GP_OK && !m->opts->dry_run && ifaces.n > 0) {
        st = godb_stage_sweep(m->dst->fd, &m->note, err);
        if (st == GP_OK)
            st = godb_stage_open(m->dst->fd, &m->stage, err);
    }
    for (size_t i = 0; i < ifaces.n && st == GP_OK; i++) {
        m->iface = ifaces.v[i];
        st = one_iface(m, err);
    }
    if (godb_stage_close(&m->stage, &late) != GP_OK)
        gp_buf_printf(&m->note, "%s; ", late.msg);
    tell(m);
    godb_strv_free(ifaces.v);
    return st;
}

gp_status godb_merge(const char *src, const char *dst, const godb_merge_opts *opts,
                     godb_merge_stats *stats, gp_err *err)
{
    static const godb_merge_opts defaults = {0};
    godb_merge_stats none = {0};
    struct merge m = {
        .opts = opts ? opts : &defaults, .stats = stats ? stats : &none, .stage = {.fd = -1}};

    *m.stats = (godb_merge_stats){0};
    m.tolerance_s = m.opts->tolerance_s > 0 ? m.opts->tolerance_s : DEFAULT_TOLERANCE_S;
    GP_TRY(check_paths(src, dst, err));
    tzset(); /* localtime_r() need not do it, and paths follow local time (1.3) */
    gp_status st = godb_db_open(src, &m.src, err);
    if (st == GP_OK)
        st = godb_db_open(dst, &m.dst, err);
    for (int i = 0; i < 2 && st == GP_OK; i++)
        st = godb_reader_new(&m.tools.reader[i], err);
    if (st == GP_OK)
        st = godb_encoder_init(&m.tools.encoder, err);
    if (st == GP_OK)
        st = run(&m, err);
    godb_encoder_free(&m.tools.encoder);
    godb_payload_free(&m.tools.payload);
    godb_reader_free(m.tools.reader[0]);
    godb_reader_free(m.tools.reader[1]);
    gp_buf_free(&m.note);
    godb_db_close(m.src);
    godb_db_close(m.dst);
    return st;
}
