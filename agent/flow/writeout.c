/* writeout.c - the writing thread: pending intervals to blocks; what fails is kept and tried again.
 */
#include "checkpoint.h"
#include "flow/rows.h"
#include "gp/clock.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    RETRY_MS = 15000, /* after a failed write */
    LAST_TRIES = 3,   /* per block when the manager closes */
    LAST_TRY_PAUSE_MS = 500,
    WRITER_NICE = 5,
    SLOW_PART = 10, /* a write-out longer than this part of the interval is slow (4.1) */
};

void flow_writer_queue(flow_iface *i)
{
    flow_manager *m = i->m;

    pthread_mutex_lock(&m->mu);
    if (!i->queued) {
        i->queued = 1;
        i->next_queued = NULL;
        (void)flow_iface_ref(i);
        if (m->queue_tail)
            m->queue_tail->next_queued = i;
        else
            m->queue_head = i;
        m->queue_tail = i;
        pthread_cond_signal(&m->work);
    }
    pthread_mutex_unlock(&m->mu);
}

/* When a failed write is tried again; 0 = at once. */
static void set_retry(flow_iface *i, int64_t at_ms)
{
    pthread_mutex_lock(&i->m->mu);
    i->retry_ms = at_ms;
    pthread_cond_signal(&i->m->work);
    pthread_mutex_unlock(&i->m->mu);
}

void flow_writer_hurry(flow_iface *i)
{
    pthread_mutex_lock(&i->mu);
    i->write_failing = 0;
    pthread_mutex_unlock(&i->mu);
    set_retry(i, 0);
}

/* The oldest pending block, borrowed: only this thread removes. */
static pending *oldest(flow_iface *i)
{
    pthread_mutex_lock(&i->mu);
    pending *p = i->head;
    pthread_mutex_unlock(&i->mu);
    return p;
}

/* The block is on disk (written) or given up: forget it. */
static void forget(flow_iface *i, pending *p, int written)
{
    pthread_mutex_lock(&i->mu);
    i->head = p->next;
    if (!i->head)
        i->tail = NULL;
    i->n_pending--;
    if (written)
        i->written_s = p->time_s;
    pthread_mutex_lock(&i->m->mu);
    i->m->kept_bytes -= flow_bank_bytes(p->bank);
    pthread_mutex_unlock(&i->m->mu);
    pthread_mutex_unlock(&i->mu);
    flow_bank_unref(p->bank);
    gp_free(p);
}

/* Someone else wrote a later block: move ours behind it, and those after ours too. */
static void restamp(flow_iface *i, int64_t after_s)
{
    pthread_mutex_lock(&i->mu);
    for (pending *p = i->head; p && p->time_s <= after_s; p = p->next)
        p->time_s = ++after_s;
    if (i->last_s < after_s)
        i->last_s = after_s;
    pthread_mutex_unlock(&i->mu);
}

/* The new directory is open: leave the old one without a checkpoint, whose flows come into the new
 * one and would be there twice if the old one came back. */
static void leave_displaced(flow_iface *i)
{
    if (!i->writer)
        return;
    flow_checkpoint_remove_at(godb_writer_dir(i->writer));
    godb_writer_close(i->writer);
    i->writer = NULL;
    i->has_checkpoint = 0;
    i->saved = 0;
    flow_emit_text(i->m, FLOW_EV_NOTE, i->name,
                   "the interface's directory was deleted or moved; writing to the one that is "
                   "there now");
}

gp_status flow_writer_open(flow_iface *i, gp_err *err)
{
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    int64_t last = 0;

    if (i->writer && !godb_writer_displaced(i->writer))
        return GP_OK;
    if (i->writer)
        GP_TRY(gp_mkdir_all(i->m->db, FLOW_DB_DIR_MODE, err));
    GP_TRY(godb_writer_open(i->m->db, i->name, &i->m->writer_opts, &w, err));
    GP_TRY(flow_recover(i->m, i->name, w, err));
    GP_TRY(godb_writer_last_time(w, &last, err));
    restamp(i, last);
    leave_displaced(i);
    i->writer = w;
    w = NULL;
    return GP_OK;
}

/* Rows are needed until they are encoded; whoever wants to see them gets them made again, which is
 * cheaper than holding those of a large block while it is written. */
static gp_status encode(flow_iface *i, const pending *p, flow_rows *scratch, uint64_t *n,
                        gp_err *err)
{
    godb_rows rows;

    GP_TRY(flow_rows_make(scratch, &p->bank, 1, &rows, err));
    GP_TRY(godb_writer_encode(i->writer, p->time_s, &rows, p->drops, err));
    *n = (uint64_t)rows.n_v4 + rows.n_v6;
    flow_rows_trim(scratch);
    return GP_OK;
}

static gp_status show_rows(flow_iface *i, const pending *p, flow_rows *scratch, gp_err *err)
{
    godb_rows rows;

    if (!i->m->rows)
        return GP_OK;
    GP_TRY(flow_rows_make(scratch, &p->bank, 1, &rows, err));
    i->m->rows(i->m->ctx, i->name, p->time_s, &rows);
    return GP_OK;
}

static gp_status append(flow_iface *i, const pending *p, flow_rows *scratch, gp_err *err)
{
    int64_t t0 = gp_mono_ns(), last;
    uint64_t n = 0;

    GP_TRY(encode(i, p, scratch, &n, err));
    gp_status st = godb_writer_put(i->writer, p->time_s, err);
    if (st == GP_EEXIST && godb_writer_last_time(i->writer, &last, err) == GP_OK) {
        restamp(i, last);
        st = godb_writer_put(i->writer, p->time_s, err);
    }
    if (st != GP_OK)
        return st;
    int64_t waited = gp_mono_ns() - p->rotated_ns;
    int kept = i->write_failed || p->rotated_ns < i->healed_ns; /* told as a failure */
    if (!kept && waited > i->m->interval_s * (1000000000 / SLOW_PART))
        flow_emit(i->m, &(flow_event){.kind = FLOW_EV_SLOW,
                                      .iface = i->name,
                                      .time_s = p->time_s,
                                      .took_ns = waited,
                                      .count = (uint64_t)(waited / i->m->interval_s / 10000000)});
    const char *note = godb_writer_note(i->writer);
    if (note)
        flow_emit_text(i->m, FLOW_EV_NOTE, i->name, note);
    flow_emit(i->m, &(flow_event){.kind = FLOW_EV_WRITTEN,
                                  .iface = i->name,
                                  .time_s = p->time_s,
                                  .took_ns = gp_mono_ns() - t0,
                                  .count = n,
                                  .drops = p->drops});
    gp_err why = {0};
    if (show_rows(i, p, scratch, &why) != GP_OK)
        flow_emit_text(i->m, FLOW_EV_NOTE, i->name, why.msg);
    return GP_OK;
}

static void note_result(flow_iface *i, int ok)
{
    flow_manager *m = i->m;

    pthread_mutex_lock(&i->mu);
    i->write_failing = !ok;
    pthread_mutex_unlock(&i->mu);
    pthread_mutex_lock(&m->mu);
    m->info.writes_failed += !ok;
    pthread_cond_broadcast(&m->done);
    pthread_mutex_unlock(&m->mu);
}

static void note_failure(flow_iface *i, const pending *p, const gp_err *err)
{
    flow_emit(i->m, &(flow_event){.kind = FLOW_EV_WRITE_FAILED,
                                  .iface = i->name,
                                  .text = err->msg,
                                  .time_s = p->time_s});
    i->write_failed = 1;
    note_result(i, 0);
}

static void note_success(flow_iface *i)
{
    if (i->write_failed) {
        flow_emit(i->m, &(flow_event){
                            .kind = FLOW_EV_WRITE_OK, .iface = i->name, .time_s = i->written_s});
        i->healed_ns = gp_mono_ns();
    }
    i->write_failed = 0;
    note_result(i, 1);
}

static void give_up(flow_iface *i, pending *p, const char *why)
{
    flow_lose(i, p->time_s, flow_bank_count(p->bank), why);
    forget(i, p, 0);
}

/* While writes fail, memory is bounded: the oldest intervals go first. */
static void bound_memory(flow_iface *i)
{
    flow_manager *m = i->m;

    for (;;) {
        pthread_mutex_lock(&m->mu);
        int over = m->kept_bytes > m->keep_bytes;
        pthread_mutex_unlock(&m->mu);
        pending *p = over ? oldest(i) : NULL;
        if (!p || !p->next)
            return;
        give_up(i, p, "writing fails for too long: no more memory for waiting flows");
    }
}

/* Write all that is pending. 1 = nothing left; 0 = failed, tried again later. */
static int write_pending(flow_iface *i, flow_rows *scratch, gp_err *err)
{
    pending *p;

    while ((p = oldest(i)) != NULL) {
        gp_status st = flow_writer_open(i, err);
        if (st == GP_OK)
            st = append(i, p, scratch, err);
        if (st == GP_OK) {
            forget(i, p, 1);
            flow_checkpoint_done(i);
            note_success(i);
            continue;
        }
        if (st == GP_EINVAL) { /* no second try can help */
            give_up(i, p, err->msg);
            note_result(i, 0);
            continue;
        }
        note_failure(i, p, err);
        bound_memory(i);
        return 0;
    }
    return 1;
}

typedef enum job { JOB_WRITE, JOB_LAST_WRITE, JOB_CHECKPOINT } job;

/* Out of the queue, with m->mu held: the first that need not wait for its next try, or NULL. */
static flow_iface *dequeue(flow_manager *m)
{
    int64_t now = gp_mono_ms();
    flow_iface **at = &m->queue_head, *prev = NULL;

    while (*at && !m->stop && (*at)->retry_ms > now) {
        prev = *at;
        at = &(*at)->next_queued;
    }
    flow_iface *i = *at;
    if (!i)
        return NULL;
    *at = i->next_queued;
    if (m->queue_tail == i)
        m->queue_tail = prev;
    i->queued = 0;
    return i;
}

/* With m->mu held: the interface whose checkpoint has been due for longest, with a reference, or
 * NULL and in *wait_ms the time until one is. */
static flow_iface *checkpoint_due(flow_manager *m, int64_t *wait_ms)
{
    int64_t now = gp_mono_ms(), at;
    flow_iface *first = NULL;

    for (size_t k = 0; m->checkpoint_ms && k < m->n_ifaces; k++) {
        flow_iface *i = m->ifaces[k];
        if (i->checkpoint_ms == 0)
            i->checkpoint_ms = now + m->checkpoint_ms;
        if (!first || i->checkpoint_ms < first->checkpoint_ms)
            first = i;
    }
    if (!first)
        return NULL;
    at = first->checkpoint_ms;
    if (at < m->checkpoint_after_ms)
        at = m->checkpoint_after_ms;
    if (at <= now)
        return flow_iface_ref(first);
    if (at - now < *wait_ms)
        *wait_ms = at - now;
    return NULL;
}

/* Next interface to work on, with a reference, or NULL to end. Failed ones stay in the queue until
 * their time comes. */
static flow_iface *next_job(flow_manager *m, job *what)
{
    flow_iface *i = NULL;

    pthread_mutex_lock(&m->mu);
    for (;;) {
        int64_t wait_ms = 1000;
        *what = m->stop ? JOB_LAST_WRITE : JOB_WRITE;
        i = dequeue(m);
        if (i || m->stop)
            break;
        *what = JOB_CHECKPOINT;
        i = checkpoint_due(m, &wait_ms);
        if (i)
            break;
        struct timespec ts;
        (void)clock_gettime(CLOCK_MONOTONIC, &ts);
        int64_t ns = ts.tv_nsec + wait_ms * 1000000;
        ts.tv_sec += (time_t)(ns / 1000000000);
        ts.tv_nsec = (long)(ns % 1000000000);
        (void)pthread_cond_timedwait(&m->work, &m->mu, &ts);
    }
    pthread_mutex_unlock(&m->mu);
    return i;
}

static void last_tries(flow_iface *i, flow_rows *scratch)
{
    gp_err err = {0};
    struct timespec pause = {0, LAST_TRY_PAUSE_MS * 1000000L};

    for (int k = 0; k < LAST_TRIES; k++) {
        if (write_pending(i, scratch, &err))
            return;
        (void)nanosleep(&pause, NULL);
    }
    pending *p = oldest(i);
    int64_t first_s = p ? p->time_s : 0;
    uint64_t flows = 0;
    for (; p; p = oldest(i)) {
        flows += flow_bank_count(p->bank);
        forget(i, p, 0);
    }
    if (flows)
        flow_lose(i, first_s, flows, err.msg);
}

void *flow_writer_thread(void *arg)
{
    flow_manager *m = arg;
    GP_CLEANUP(flow_rows_freep) flow_rows *scratch = NULL;
    gp_err err = {0};
    flow_iface *i;
    job what;

    /* Linux: of this thread only. Sorting and packing yield to capture where cores are few. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), WRITER_NICE);
    while (!scratch && flow_rows_new(&scratch, &err) != GP_OK) {
        struct timespec pause = {1, 0};
        (void)nanosleep(&pause, NULL);
    }
    while ((i = next_job(m, &what)) != NULL) {
        if (what == JOB_CHECKPOINT) {
            flow_checkpoint_take(i);
        } else if (what == JOB_LAST_WRITE) {
            last_tries(i, scratch);
        } else if (!write_pending(i, scratch, &err)) {
            set_retry(i, gp_mono_ms() + RETRY_MS);
            flow_writer_queue(i);
        } else {
            set_retry(i, 0);
        }
        flow_rows_trim(scratch);
        flow_iface_unref(i);
    }
    return NULL;
}
