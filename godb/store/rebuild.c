/* rebuild.c - write a day anew from those of its blocks that can be read for certain. */
#include "rebuild.h"

#include "checkday.h"
#include "dirs.h"
#include "godb/codec.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "quarantine.h"
#include "stage.h"
#include "suffix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A block in time order. */
struct entry {
    int64_t time_s;
    size_t at;
};

static int by_time(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->time_s != y->time_s)
        return x->time_s < y->time_s ? -1 : 1;
    return x->at < y->at ? -1 : 1;
}

struct rebuild {
    godb_day *d;
    godb_reader *r;
    gp_buf col[GODB_N_COLS];
    godb_daywriter dw;
    int writing;
    godb_rebuild *out;
    gp_buf *note;
};

/* Bytes of one column as they are to be stored. */
static gp_status take_column(struct rebuild *w, size_t i, godb_col c, godb_encoded *e, gp_err *err)
{
    const godb_block *b = &w->d->meta.blocks[i];
    const godb_places *places = NULL;
    gp_buf *buf = &w->col[c];
    uint64_t off = b->offset[c];
    int fd;

    gp_buf_clear(buf);
    e->payload[c] = NULL;
    if (b->stored[c] == 0)
        return GP_OK;
    GP_TRY(godb_day_places(w->d, c, &places, err));
    uint8_t *p = gp_buf_reserve(buf, b->stored[c]);
    if (!p)
        return gp_fail(err, GP_ENOMEM, 0, "rebuild: out of memory for %u bytes", b->stored[c]);
    e->payload[c] = p;
    if (places && places->v[i].kind == GODB_PLACE_BYTES) { /* codec 1: stored is raw */
        memcpy(p, places->v[i].bytes, b->stored[c]);
        return GP_OK;
    }
    if (places && places->v[i].kind == GODB_PLACE_MOVED)
        off = places->v[i].at;
    GP_TRY(godb_day_col_fd(w->d, c, &fd, err));
    return gp_pread_full(fd, p, b->stored[c], off, err);
}

static void lose(struct rebuild *w, size_t i, const char *why)
{
    w->out->lost++;
    if (w->note && w->out->lost <= 3)
        gp_buf_printf(w->note, "block %lld is lost: %s; ", (long long)w->d->meta.blocks[i].time_s,
                      why);
}

static gp_status take_block(struct rebuild *w, size_t i, gp_err *err)
{
    godb_findings f = {0};
    godb_block_sums sums;
    godb_encoded e = {.block = w->d->meta.blocks[i]};

    godb_check_block(w->d, w->r, i, 1, w->d->path, &f, &sums);
    if (!sums.ok)
        lose(w, i, f.n ? (const char *)f.texts.data + f.v[f.n - 1].text : "unreadable");
    godb_findings_free(&f);
    if (!sums.ok)
        return GP_OK;
    if (w->writing) {
        for (int c = 0; c < GODB_N_COLS; c++)
            GP_TRY(take_column(w, i, (godb_col)c, &e, err));
        memcpy(e.sums, sums.sum, sizeof e.sums);
        GP_TRY(godb_daywriter_put(&w->dw, &e, err));
    }
    w->out->kept++;
    return GP_OK;
}

static gp_status take_all(struct rebuild *w, gp_err *err)
{
    const godb_blockmeta *m = &w->d->meta;
    GP_CLEANUP(gp_freep) struct entry *v = gp_alloc(m->n + 1, sizeof *v);

    if (!v)
        return gp_fail(err, GP_ENOMEM, 0, "rebuild: out of memory");
    for (size_t i = 0; i < m->n; i++)
        v[i] = (struct entry){m->blocks[i].time_s, i};
    qsort(v, m->n, sizeof *v, by_time);
    for (size_t i = 0; i < m->n; i++) {
        int twin = i > 0 && v[i].time_s == v[i - 1].time_s && m->blocks[v[i].at].usable &&
                   m->blocks[v[i - 1].at].usable;
        if (twin)
            lose(w, v[i].at, "another block has the same timestamp");
        else
            GP_TRY(take_block(w, v[i].at, err));
    }
    return GP_OK;
}

gp_status godb_day_rebuild(godb_day *d, const godb_dayopts *opts, int iface_fd, godb_rebuild *out,
                           gp_buf *note, gp_err *err)
{
    godb_month m = godb_month_local(d->meta.day_s);
    struct rebuild w = {.d = d, .out = out, .note = note, .writing = iface_fd >= 0};

    *out = (godb_rebuild){0};
    (void)snprintf(out->month, sizeof out->month, "%d/%02d", m.year, m.month);
    GP_TRY(godb_reader_new(&w.r, err));
    godb_day_verify(d, 1);
    gp_status st =
        w.writing ? godb_daywriter_open(&w.dw, iface_fd, d->meta.day_s, opts, note, err) : GP_OK;
    if (st == GP_OK)
        st = take_all(&w, err);
    if (w.writing) {
        if (st == GP_OK)
            st = godb_daywriter_commit(&w.dw, note, err);
        memcpy(out->name, w.dw.name, sizeof out->name);
        godb_daywriter_close(&w.dw);
    }
    for (int c = 0; c < GODB_N_COLS; c++)
        gp_buf_free(&w.col[c]);
    godb_reader_free(w.r);
    godb_day_verify(d, 0);
    return st;
}

/* Can directories of the staging tree be exchanged, and moved to the quarantine? Found out with
 * empty ones before anything of value is touched. */
static gp_status rehearse(const char *root, const char *quarantine, int stage_fd, int *exchange,
                          gp_err *err)
{
    if (mkdirat(stage_fd, "probe", 0700) != 0 || mkdirat(stage_fd, "probe2", 0700) != 0)
        return gp_fail(err, GP_EIO, errno, "making a directory in the staging tree failed");
    *exchange = renameat2(stage_fd, "probe", stage_fd, "probe2", RENAME_EXCHANGE) == 0;
    GP_CLEANUP(gp_buf_free) gp_buf where = {0};
    GP_TRY(godb_quarantine(root, quarantine, stage_fd, "probe", ".probe", &where, err));
    const char *path = gp_buf_str(&where);
    if (path)
        (void)rmdir(path);
    return GP_OK;
}

/* The staged day is complete: it takes the place of the original, which goes to the quarantine. */
static gp_status put_in_place(const char *root, const char *quarantine, int month_fd,
                              const char *name, const char *path, int64_t day_s, int iface_fd,
                              int exchange, const godb_rebuild *out, gp_buf *note, gp_err *err)
{
    GP_CLEANUP(gp_closep) int staged = godb_dir_open(iface_fd, out->month);

    if (staged < 0)
        return gp_fail(err, GP_EIO, errno, "opening the staged day failed");
    gp_buf_adds(note, "the original is in ");
    if (!exchange) { /* for a moment the day is missing; readers look again (6.5) */
        GP_TRY(godb_quarantine(root, quarantine, month_fd, name, path, note, err));
        return godb_stage_commit(staged, out->name, month_fd, day_s, NULL, out->name, note, err);
    }
    GP_TRY(godb_stage_commit(staged, out->name, month_fd, day_s, name, out->name, note, err));
    gp_status st = godb_quarantine(root, quarantine, staged, out->name, path, note, err);
    if (st != GP_OK && /* never lose the original */
        renameat2(staged, out->name, month_fd, out->name, RENAME_EXCHANGE) == 0)
        (void)renameat(month_fd, out->name, month_fd, name);
    return st;
}

gp_status godb_day_replace(const char *root, const char *quarantine, int month_fd, const char *name,
                           const char *path, int64_t day_s, const godb_dayopts *opts,
                           godb_rebuild *out, gp_buf *note, gp_err *err)
{
    GP_CLEANUP(gp_closep) int root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    GP_CLEANUP(gp_closep) int day_fd = godb_dir_open(month_fd, name);
    GP_CLEANUP(gp_closep) int iface_fd = -1;
    GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
    godb_stage stage = {.fd = -1};
    godb_dayopts o = *opts;

    if (root_fd < 0 || day_fd < 0)
        return gp_fail(err, GP_EIO, errno, "%s/%s", root, path);
    o.sync = GODB_SYNC_BLOCK; /* the exchange must find it on the disk */
    o.synced_month = NULL;    /* that of the staged tree is another one */
    GP_TRY(godb_day_open_fd(day_fd, day_s, path, &d, err));
    GP_TRY(godb_stage_open(root_fd, &stage, err));
    int exchange = 0;
    gp_status st = rehearse(root, quarantine, stage.fd, &exchange, err);
    if (st == GP_OK)
        st = godb_dirs_make(stage.fd, "day", 0700, &iface_fd, err);
    if (st == GP_OK)
        st = godb_day_rebuild(d, &o, iface_fd, out, note, err);
    if (st == GP_OK && out->kept == 0)
        st = gp_fail(err, GP_ECORRUPT, 0, "%s: no block can be read", path);
    if (st == GP_OK)
        st = put_in_place(root, quarantine, month_fd, name, path, day_s, iface_fd, exchange, out,
                          note, err);
    gp_status closed = godb_stage_close(&stage, st == GP_OK ? err : NULL);
    return st == GP_OK ? closed : st;
}
