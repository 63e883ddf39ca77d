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
#include <unistd.h>

enum {
    PART = 4, /* at most one part in so many of the writing thread's time goes into checkpoints */
    ROW_MAX = 67,
};

/* ---- after a crash ---- */

static void say_ignored(flow_manager *m, const char *iface, const char *why)
{
    char text[sizeof(gp_err) + 64];

    (void)snprintf(text, sizeof text, "checkpoint ignored, the flows in it are lost: %s", why);
    flow_emit_text(m, FLOW_EV_NOTE, iface, text);
}

/* Append what the checkpoint holds, as a shutdown at that moment would have (4.6). */
static gp_status append(flow_manager *m, const char *iface, godb_writer *w,
                        const flow_checkpoint *c, gp_err *err)
{
    int64_t last = 0, t0 = gp_mono_ns();

    GP_TRY(godb_writer_last_time(w, &last, err));
    if (last > c->after_s) /* its block was written; only the file was not removed any more */
        return GP_OK;
    int64_t time_s = c->taken_s >= last ? c->taken_s + 1 : last + 1;
    GP_TRY(godb_writer_append(w, time_s, &c->rows, c->drops, err));
    flow_emit(m, &(flow_event){.kind = FLOW_EV_RECOVERED,
                               .iface = iface,
                               .time_s = time_s,
                               .took_ns = gp_mono_ns() - t0,
                               .count = (uint64_t)c->rows.n_v4 + c->rows.n_v6,
                               .drops = c->drops});
    if (m->rows)
        m->rows(m->ctx, iface, time_s, &c->rows);
    return GP_OK;
}

gp_status flow_recover(flow_manager *m, const char *iface, godb_writer *w, gp_err *err)
{
    GP_CLEANUP(gp_freep) char *path = flow_checkpoint_path(m->db, iface);
    gp_buf b = {0};
    flow_checkpoint c;
    gp_err why = {0};

    if (!path)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    gp_status st = gp_read_file(AT_FDCWD, path, (size_t)FLOW_ENTRIES_MAX * ROW_MAX, &b, &why);
    if (st == GP_ENOTFOUND)
        return GP_OK;
    if (st == GP_OK)
        st = flow_checkpoint_parse(b.data, b.len, &c, &why);
    if (st == GP_OK)
        st = append(m, iface, w, &c, &why);
    gp_buf_free(&b);
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
    GP_CLEANUP(gp_freep) char *path = flow_checkpoint_path(m->db, iface);
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    gp_err err = {0};

    if (!path || access(path, F_OK) != 0)
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

/* The running interval; *bank stays NULL when it ended meanwhile. i->mu excludes rotation. */
static gp_status snapshot(flow_iface *i, flow_bank **bank, flow_checkpoint *c, gp_err *err)
{
    flow_worker_counts now;
    gp_status st = GP_OK;

    pthread_mutex_lock(&i->mu);
    if (has_news(i, &now)) {
        st = flow_worker_snapshot(i->worker, bank, err);
        c->after_s = i->last_s;
        c->taken_s = flow_now_s(i->m);
        c->drops = now.capture.dropped - i->base.capture.dropped + now.lost - i->base.lost;
        i->saved = progress(&now);
        i->saved_after_s = i->last_s;
    }
    pthread_mutex_unlock(&i->mu);
    return st;
}

static gp_status take(flow_iface *i, flow_rows *scratch, flow_checkpoint *c, gp_err *err)
{
    flow_manager *m = i->m;
    GP_CLEANUP(flow_bank_unrefp) flow_bank *bank = NULL;
    mode_t mode = m->writer_opts.mode ? m->writer_opts.mode : GODB_FILE_MODE;

    if (!worth_it(i))
        return GP_OK;
    GP_TRY(flow_writer_open(i, err)); /* what a crash left comes first */
    GP_TRY(snapshot(i, &bank, c, err));
    if (!bank)
        return GP_OK;
    GP_TRY(flow_rows_make(scratch, &bank, 1, &c->rows, err));
    flow_bank_unref(bank);
    bank = NULL;
    GP_TRY(
        flow_checkpoint_write(m->db, i->name, c, mode, m->writer_opts.sync != GODB_SYNC_NONE, err));
    i->has_checkpoint = 1;
    return GP_OK;
}

void flow_checkpoint_take(flow_iface *i, flow_rows *scratch)
{
    flow_checkpoint c = {0};
    gp_err err = {0};
    int64_t t0 = gp_mono_ns();

    gp_status st = take(i, scratch, &c, &err);
    int64_t took = gp_mono_ns() - t0;
    int64_t pause_ms = PART * took / 1000000;
    i->checkpoint_ms =
        gp_mono_ms() + (pause_ms > i->m->checkpoint_ms ? pause_ms : i->m->checkpoint_ms);
    if (st != GP_OK && !i->checkpoint_failing)
        flow_emit_text(i->m, FLOW_EV_CHECKPOINT_FAILED, i->name, err.msg);
    else if (st == GP_OK && c.taken_s)
        flow_emit(i->m, &(flow_event){.kind = FLOW_EV_CHECKPOINT,
                                      .iface = i->name,
                                      .time_s = c.taken_s,
                                      .took_ns = took,
                                      .count = (uint64_t)c.rows.n_v4 + c.rows.n_v6});
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
