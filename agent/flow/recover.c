/* recover.c - checkpoints of the running intervals: taken by the writing thread while capture goes
 * on, and written as blocks after a crash.
 *
 * Never twice: only the writing thread writes blocks and checkpoints of an interface, and it takes
 * a checkpoint only when no interval waits for the disk. So a checkpoint's flows are in no block,
 * or all in one whose time is later than after_s; then the checkpoint is stale and dropped. A
 * running agent holds the interface's lock from its first checkpoint on, so no other agent on the
 * same database takes its file for a leftover.
 */
#include "checkpoint.h"
#include "flow/rows.h"
#include "gp/clock.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* At most one part in so many of the writing thread's time goes into checkpoints of all interfaces.
 */
enum { PART = 4 };

/* ---- after a crash ---- */

static void say_ignored(flow_manager *m, const char *iface, const char *why)
{
    char text[sizeof(gp_err) + 64];

    (void)snprintf(text, sizeof text, "checkpoint ignored, the flows in it are lost: %s", why);
    flow_emit_text(m, FLOW_EV_NOTE, iface, text);
}

/* Append rows, taken at c, as a shutdown at that moment would have (4.6). */
static gp_status append(flow_manager *m, const char *iface, godb_writer *w,
                        const flow_checkpoint *c, const godb_rows *rows, gp_err *err)
{
    int64_t last = 0, t0 = gp_mono_ns();

    GP_TRY(godb_writer_last_time(w, &last, err));
    if (last > c->after_s) /* its block was written; only the file was not removed any more */
        return GP_OK;
    int64_t time_s = c->taken_s >= last ? c->taken_s + 1 : last + 1;
    GP_TRY(godb_writer_append(w, time_s, rows, c->drops, err));
    flow_emit(m, &(flow_event){.kind = FLOW_EV_RECOVERED,
                               .iface = iface,
                               .time_s = time_s,
                               .took_ns = gp_mono_ns() - t0,
                               .count = (uint64_t)rows->n_v4 + rows->n_v6,
                               .drops = c->drops});
    if (m->rows)
        m->rows(m->ctx, iface, time_s, rows);
    return GP_OK;
}

/* The file's flows as a bank; its bytes are freed again before there are rows. */
static gp_status read_bank(const char *path, flow_checkpoint *c, flow_bank **bank, gp_err *err)
{
    gp_buf b = {0};
    gp_status st =
        gp_read_file(AT_FDCWD, path, (size_t)FLOW_ENTRIES_MAX * FLOW_CHECKPOINT_V6_BYTES, &b, err);

    if (st == GP_OK)
        st = flow_checkpoint_parse(b.data, b.len, c, err);
    if (st == GP_OK)
        st = flow_checkpoint_bank(c, bank, err);
    c->records = NULL;
    gp_buf_free(&b);
    return st;
}

static gp_status store(flow_manager *m, const char *iface, godb_writer *w, const char *path,
                       gp_err *err)
{
    GP_CLEANUP(flow_bank_unrefp) flow_bank *bank = NULL;
    GP_CLEANUP(flow_rows_freep) flow_rows *space = NULL;
    flow_checkpoint c = {0};
    godb_rows rows;

    GP_TRY(read_bank(path, &c, &bank, err));
    GP_TRY(flow_rows_new(&space, err));
    GP_TRY(flow_rows_make(space, &bank, 1, &rows, err));
    return append(m, iface, w, &c, &rows, err);
}

gp_status flow_recover(flow_manager *m, const char *iface, godb_writer *w, gp_err *err)
{
    GP_CLEANUP(gp_freep) char *path = flow_checkpoint_path(m->db, iface);
    gp_err why = {0};

    if (!path)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    gp_status st = store(m, iface, w, path, &why);
    if (st == GP_ENOTFOUND)
        st = GP_OK;
    if (st == GP_ECORRUPT || st == GP_EINVAL || st == GP_ELIMIT) { /* no second try can help */
        say_ignored(m, iface, why.msg);
        st = GP_OK;
    }
    if (st != GP_OK) /* the file stays, the next try comes with the first block */
        return gp_fail(err, st, why.sys, "checkpoint: %s", why.msg);
    flow_checkpoint_remove(m->db, iface);
    return GP_OK;
}

static void recover_one(flow_manager *m, const char *iface)
{
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    gp_err err = {0};

    if (!flow_checkpoint_left(m->db, iface))
        return;
    gp_status st = godb_writer_open(m->db, iface, &m->writer_opts, &w, &err);
    if (st == GP_EEXIST) /* a running agent's: not ours */
        return;
    if (st == GP_OK)
        st = flow_recover(m, iface, w, &err);
    if (st != GP_OK)
        flow_emit_text(m, FLOW_EV_WRITE_FAILED, iface, err.msg);
}

void flow_recover_all(flow_manager *m)
{
    DIR *d = opendir(m->db);

    if (!d)
        return;
    for (const struct dirent *e; (e = readdir(d)) != NULL;) // NOLINT(concurrency-mt-unsafe)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            recover_one(m, e->d_name);
    closedir(d);
}

/* ---- while capturing ---- */

/* Packets seen so far; tells whether a new checkpoint would hold anything new. */
static uint64_t progress(const flow_worker_counts *c)
{
    return c->capture.processed + c->capture.dropped + c->lost;
}

/* Under i->mu: 1 when the running interval has packets that no checkpoint and no waiting block has.
 */
static int has_news(const flow_iface *i, flow_worker_counts *now)
{
    if (!i->worker || !i->has_last || i->head)
        return 0;
    flow_worker_counts_get(i->worker, now);
    uint64_t seen = progress(now);
    return seen != progress(&i->base) && (seen != i->saved || i->last_s != i->saved_after_s);
}

static int worth_it(flow_iface *i)
{
    flow_worker_counts now;

    pthread_mutex_lock(&i->mu);
    int yes = has_news(i, &now);
    pthread_mutex_unlock(&i->mu);
    return yes;
}

/* Where the slices of a checkpoint come from. */
typedef struct source {
    flow_iface *i;
    flow_checkpoint *c;
    flow_slices at;
} source;

/* Under i->mu, before the first slice: what the head will say. GP_ECANCELLED: nothing is new. */
static gp_status begin(const source *s)
{
    flow_iface *i = s->i;
    flow_worker_counts now;

    if (!has_news(i, &now))
        return GP_ECANCELLED;
    s->c->after_s = i->last_s;
    s->c->taken_s = flow_now_s(i->m);
    s->c->drops = now.capture.dropped - i->base.capture.dropped + now.lost - i->base.lost;
    i->saved = progress(&now);
    i->saved_after_s = i->last_s;
    return GP_OK;
}

/* i->mu excludes rotation, but only for a slice: when the interval ends meanwhile, its flows wait
 * for the disk and the checkpoint is not needed. */
static gp_status next_slice(void *ctx, flow_bank **slice, gp_err *err)
{
    source *s = ctx;
    flow_iface *i = s->i;
    gp_status st = GP_ECANCELLED;

    if (s->at.last)
        return GP_OK;
    pthread_mutex_lock(&i->mu);
    if (i->worker)
        st = s->at.of ? GP_OK : begin(s);
    if (st == GP_OK)
        st = flow_worker_slice(i->worker, &s->at, slice, err);
    pthread_mutex_unlock(&i->mu);
    return st;
}

/* c->taken_s stays 0 when there was nothing to save. */
static gp_status take(flow_iface *i, flow_checkpoint *c, gp_err *err)
{
    flow_manager *m = i->m;
    source s = {.i = i, .c = c};
    mode_t mode = m->writer_opts.mode ? m->writer_opts.mode : GODB_FILE_MODE;

    if (!worth_it(i))
        return GP_OK;
    GP_TRY(flow_writer_open(i, err)); /* what a crash left comes first */
    gp_status st = flow_checkpoint_write(m->db, i->name, c, next_slice, &s, mode,
                                         m->writer_opts.sync != GODB_SYNC_NONE, err);
    flow_slices_free(&s.at);
    if (st == GP_ECANCELLED)
        *c = (flow_checkpoint){0};
    else if (st == GP_OK)
        i->has_checkpoint = 1;
    return st == GP_ECANCELLED ? GP_OK : st;
}

void flow_checkpoint_take(flow_iface *i)
{
    flow_checkpoint c = {0};
    gp_err err = {0};
    int64_t t0 = gp_mono_ns();

    gp_status st = take(i, &c, &err);
    int64_t took = gp_mono_ns() - t0;
    int64_t now = gp_mono_ms();
    i->checkpoint_ms = now + i->m->checkpoint_ms;
    i->m->checkpoint_after_ms = now + (PART - 1) * took / 1000000;
    if (st != GP_OK && !i->checkpoint_failing)
        flow_emit_text(i->m, FLOW_EV_CHECKPOINT_FAILED, i->name, err.msg);
    else if (st == GP_OK && c.taken_s)
        flow_emit(i->m, &(flow_event){.kind = FLOW_EV_CHECKPOINT,
                                      .iface = i->name,
                                      .time_s = c.taken_s,
                                      .took_ns = took,
                                      .count = (uint64_t)c.n_v4 + c.n_v6});
    if (st != GP_OK)
        i->saved = 0; /* try again although nothing changed */
    i->checkpoint_failing = st != GP_OK;
}

void flow_checkpoint_done(flow_iface *i)
{
    if (i->has_checkpoint)
        flow_checkpoint_remove(i->m->db, i->name);
    i->has_checkpoint = 0;
}
