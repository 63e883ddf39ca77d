/* merge_day.c - one day of a merge: both sides, the decision, copying or rebuilding in staging. */
#include "merge_day.h"

#include "day.h"
#include "dirs.h"
#include "displaced.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEFAULT_STEP_S = 300 }; /* taken for the length of a single block (8.1) */

gp_status godb_side_open(godb_side *s, int64_t tolerance_s, gp_err *err)
{
    s->complete = 0;
    s->day = NULL;
    if (!s->ref)
        return GP_OK;
    GP_TRY(godb_day_open(s->db, s->ref, &s->day, err));
    size_t n = godb_day_n_blocks(s->day);
    if (n == 0)
        return GP_OK;
    int64_t day_s = s->ref->day_s;
    int64_t first = godb_day_block(s->day, 0)->time_s, last = godb_day_block(s->day, n - 1)->time_s;
    int64_t step = n > 1 ? last - godb_day_block(s->day, n - 2)->time_s : DEFAULT_STEP_S;
    s->complete = first <= day_s + tolerance_s && last + step >= day_s + 86399 - tolerance_s;
    return GP_OK;
}

void godb_side_close(godb_side *s)
{
    godb_day_close(s->day);
    s->day = NULL;
}

godb_merge_action godb_merge_decide(const godb_side *src, const godb_side *dst, int overwrite)
{
    if (!dst->ref)
        return src->complete ? GODB_MERGE_COPY : GODB_MERGE_REBUILD;
    if (!src->complete)
        return GODB_MERGE_REBUILD;
    if (overwrite)
        return GODB_MERGE_COPY;
    return dst->complete ? GODB_MERGE_SKIP : GODB_MERGE_REBUILD;
}

/* ---- copy ---- */

/* 1 if every column of every block decodes where .blockmeta says it is. */
static gp_status check_blocks(const godb_day *d, godb_reader *r, int *sound, gp_err *err)
{
    *sound = 1;
    for (int c = 0; c < GODB_N_COLS && *sound; c++) {
        godb_places *moved = NULL;
        int suspect = 0, fd;
        for (size_t i = 0; i < d->meta.n; i++)
            suspect |= godb_displaced_possible(&d->meta.blocks[i], (godb_col)c);
        if (!suspect || godb_day_col_fd(d, (godb_col)c, &fd, NULL) != GP_OK)
            continue;
        GP_TRY(godb_displaced_scan(fd, &d->meta, (godb_col)c, NULL, NULL, &moved, err));
        *sound = moved == NULL;
        godb_places_free(moved);
    }
    for (size_t i = 0; i < godb_day_n_blocks(d) && *sound; i++) {
        godb_rows rows;
        gp_err why = {0};
        gp_status st = godb_reader_rows(r, d, i, &rows, &why);
        if (st == GP_ENOMEM)
            return gp_fail(err, st, 0, "%s", why.msg);
        *sound = st == GP_OK;
    }
    return GP_OK;
}

gp_status godb_merge_copy(const godb_side *src, int staging_iface_fd, const char *month,
                          const char *name, int *sound, gp_err *err)
{
    char path[GODB_PATH_CAP];
    struct stat st;
    GP_CLEANUP(gp_closep) int month_fd = -1;
    GP_CLEANUP(gp_closep) int to = -1;

    GP_TRY(godb_dirs_make(staging_iface_fd, month, 0700, &month_fd, err));
    if (fstat(godb_day_dirfd(src->day), &st) != 0 || mkdirat(month_fd, name, 0700) != 0)
        return gp_fail(err, GP_EIO, errno, "making a copy of %s failed", src->ref->path);
    to = godb_dir_open(month_fd, name);
    if (to < 0)
        return gp_fail(err, GP_EIO, errno, "making a copy of %s failed", src->ref->path);
    gp_status rc = godb_tree_copy(godb_day_dirfd(src->day), to, ".blockmeta", err);
    if (rc != GP_OK)
        return gp_fail_context(err, rc, "copying %s", src->ref->path);
    if (fchmod(to, st.st_mode & 07777) != 0)
        return gp_fail(err, GP_EIO, errno, "making a copy of %s failed", src->ref->path);

    /* What is taken over is the copy, so that is what has to be sound. */
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", month_fd);
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    GP_CLEANUP(godb_day_closep) godb_day *day = NULL;
    godb_dayref ref = {.day_s = src->ref->day_s, .path = gp_strdup(name)};
    if (!ref.path)
        return gp_fail(err, GP_ENOMEM, 0, "merge: out of memory");
    rc = godb_db_open(path, &db, err);
    if (rc == GP_OK)
        rc = godb_day_open(db, &ref, &day, err);
    gp_free(ref.path);
    GP_TRY(rc);
    if (!day->meta.append_ok) {
        *sound = 0;
        return GP_OK;
    }
    return check_blocks(day, src->reader, sound, err);
}

/* ---- rebuild ---- */

/* A block of either side. */
struct entry {
    int64_t time_s;
    int order; /* 0: the preferred side */
    int side;
    size_t block;
};

static int by_time(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->time_s != y->time_s)
        return x->time_s < y->time_s ? -1 : 1;
    return x->order - y->order;
}

static struct entry *list_blocks(godb_side *side[2], int prefer, size_t *n)
{
    size_t total = 0, at = 0;

    for (int s = 0; s < 2; s++)
        total += side[s]->day ? godb_day_n_blocks(side[s]->day) : 0;
    struct entry *v = gp_calloc(total + 1, sizeof *v);
    for (int s = 0; v && s < 2; s++)
        for (size_t i = 0; side[s]->day && i < godb_day_n_blocks(side[s]->day); i++)
            v[at++] = (struct entry){.time_s = godb_day_block(side[s]->day, i)->time_s,
                                     .order = s != prefer,
                                     .side = s,
                                     .block = i};
    if (v && total > 1)
        qsort(v, total, sizeof *v, by_time);
    *n = total;
    return v;
}

/* Encode block e from its raw columns; fails when it cannot be read or its columns disagree. */
static gp_status read_block(godb_merge_tools *t, godb_side *s, const struct entry *e,
                            godb_encoded *out, gp_err *err)
{
    const uint8_t *raw[GODB_N_COLS];

    for (int c = 0; c < GODB_N_COLS; c++)
        GP_TRY(godb_reader_col(s->reader, s->day, e->block, (godb_col)c, &raw[c], NULL, err));
    return godb_encode_raw(&t->encoder, GODB_CODEC_LZ4, 0, godb_day_block(s->day, e->block), raw,
                           &t->payload, out, err);
}

/* The block of one time: e[0], or the other side's e[1] (n = 2) where e[0] is damaged. *used = -1:
 * it has to be left out. */
static gp_status choose(godb_merge_tools *t, godb_side *side[2], const struct entry *e, size_t n,
                        godb_encoded *out, int *used, godb_rebuilt *stats, gp_err *err)
{
    gp_err lost = {0}; /* of the destination's block */

    *used = -1;
    for (size_t i = 0; i < n; i++) {
        gp_err why = {0};
        gp_status st = read_block(t, side[e[i].side], &e[i], out, &why);
        if (st == GP_OK) {
            *used = e[i].side;
            return GP_OK;
        }
        if (st == GP_ENOMEM)
            return gp_fail(err, st, 0, "%s", why.msg);
        if (e[i].side == 1)
            lost = why;
        stats->dropped += e[i].side == 0;
    }
    if (lost.code != GP_OK)
        return gp_fail(err, GP_ECORRUPT, 0,
                       "destination: %s; repair the destination before merging into it", lost.msg);
    return GP_OK;
}

static gp_status put_all(godb_merge_tools *t, godb_side *side[2], const struct entry *v, size_t n,
                         godb_daywriter *dw, gp_cancel *cancel, godb_rebuilt *out, gp_err *err)
{
    for (size_t i = 0; i < n;) {
        size_t same = i + 1 < n && v[i + 1].time_s == v[i].time_s ? 2 : 1;
        godb_encoded e;
        int used;
        gp_status st = gp_cancel_check(cancel);
        if (st != GP_OK)
            return gp_fail(err, st, 0, "merge: %s", gp_status_name(st));
        GP_TRY(choose(t, side, &v[i], same, &e, &used, out, err));
        if (same == 2 && used >= 0)
            out->conflicts[used]++;
        if (used >= 0)
            GP_TRY(godb_daywriter_put(dw, &e, err));
        i += same;
    }
    return GP_OK;
}

gp_status godb_merge_rebuild(godb_merge_tools *t, godb_side *side[2], int prefer,
                             int staging_iface_fd, int64_t day_s, gp_cancel *cancel,
                             godb_rebuilt *out, gp_buf *note, gp_err *err)
{
    const godb_dayopts opts = {.mode = GODB_FILE_MODE, .sync = GODB_SYNC_BLOCK};
    godb_month m = godb_month_local(day_s);
    godb_daywriter dw;
    size_t n;

    *out = (godb_rebuilt){0};
    (void)snprintf(out->month, sizeof out->month, "%d/%02d", m.year, m.month);
    GP_CLEANUP(gp_freep) struct entry *v = list_blocks(side, prefer, &n);
    if (!v)
        return gp_fail(err, GP_ENOMEM, 0, "merge: out of memory");
    gp_status st = godb_daywriter_open(&dw, staging_iface_fd, day_s, &opts, note, err);
    if (st == GP_OK)
        st = put_all(t, side, v, n, &dw, cancel, out, err);
    if (st == GP_OK)
        st = godb_daywriter_commit(&dw, note, err);
    out->blocks = dw.committed;
    memcpy(out->name, dw.name, sizeof out->name);
    godb_daywriter_close(&dw);
    return st;
}
