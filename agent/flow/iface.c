/* iface.c - one captured interface: open, rotate into pending blocks, stop. */
#include "gp/clock.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "gp/pool.h"
#include "internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define NS INT64_C(1000000000)

enum {
    CAPTURE_FDS = 3, /* two sockets, one eventfd */
    WRITER_FDS = 3,  /* between two blocks: interface, month and day */
    CLOSERS = 16,    /* interfaces closed at the same time */
    SPARE_FDS = 64,  /* columns, queries, clients, log */
};

int64_t flow_now_s(const flow_manager *m)
{
    return (m->wall_ns ? m->wall_ns(m->ctx) : gp_wall_ns()) / NS;
}

int64_t flow_next_boundary(const flow_manager *m)
{
    return (flow_now_s(m) / m->interval_s + 1) * m->interval_s;
}

void flow_emit(flow_manager *m, const flow_event *e)
{
    flow_event copy = *e;

    if (!copy.text)
        copy.text = "";
    if (m->event)
        m->event(m->ctx, &copy);
}

void flow_emit_text(flow_manager *m, flow_event_kind kind, const char *iface, const char *text)
{
    flow_emit(m, &(flow_event){.kind = kind, .iface = iface, .text = text});
}

flow_iface *flow_iface_new(flow_manager *m, const char *name, const capture_conf *conf)
{
    flow_iface *i = gp_calloc(1, sizeof *i);

    if (!i)
        return NULL;
    (void)snprintf(i->name, sizeof i->name, "%s", name);
    i->conf = *conf;
    i->m = m;
    atomic_init(&i->refs, 1);
    pthread_mutex_init(&i->mu, NULL);
    return i;
}

flow_iface *flow_iface_ref(flow_iface *i)
{
    atomic_fetch_add_explicit(&i->refs, 1, memory_order_relaxed);
    return i;
}

void flow_iface_unref(flow_iface *i)
{
    if (!i || atomic_fetch_sub_explicit(&i->refs, 1, memory_order_acq_rel) != 1)
        return;
    while (i->head) {
        pending *p = i->head;
        i->head = p->next;
        flow_bank_unref(p->bank);
        gp_free(p);
    }
    godb_writer_close(i->writer);
    pthread_mutex_destroy(&i->mu);
    gp_free(i);
}

flow_iface *flow_iface_find(flow_manager *m, const char *name)
{
    flow_iface *found = NULL;

    pthread_mutex_lock(&m->mu);
    for (size_t k = 0; k < m->n_ifaces && !found; k++)
        if (strcmp(m->ifaces[k]->name, name) == 0)
            found = flow_iface_ref(m->ifaces[k]);
    pthread_mutex_unlock(&m->mu);
    return found;
}

gp_status flow_iface_all(flow_manager *m, flow_iface ***out, size_t *n, gp_err *err)
{
    pthread_mutex_lock(&m->mu);
    flow_iface **v = gp_calloc(m->n_ifaces + 1, sizeof *v);
    *n = v ? m->n_ifaces : 0;
    for (size_t k = 0; k < *n; k++)
        v[k] = flow_iface_ref(m->ifaces[k]);
    pthread_mutex_unlock(&m->mu);
    if (!v)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    *out = v;
    return GP_OK;
}

void flow_iface_unref_all(flow_iface **v, size_t n)
{
    for (size_t k = 0; v && k < n; k++)
        flow_iface_unref(v[k]);
    gp_free(v);
}

/* In the worker's thread, perhaps before i->worker is set. */
static void on_fail(void *ctx, const char *text)
{
    flow_iface *i = ctx;

    flow_emit_text(i->m, FLOW_EV_FAILED, i->name, text);
    flow_control_wake(i->m);
}

static void on_full(void *ctx)
{
    flow_iface *i = ctx;
    flow_emit_text(i->m, FLOW_EV_FULL, i->name, "");
    flow_control_wake(i->m);
}

/* The database's newest block, so that ours are later; before the first rotation. Without it
 * (locked, unreadable; the writer thread will try again and say so) everything stored is taken to
 * be older than now. The handle is closed again: the writer thread opens its own with the first
 * block. */
static void find_last(flow_iface *i)
{
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    gp_err err = {0};
    int64_t last = 0;

    if (godb_writer_open(i->m->db, i->name, &i->m->writer_opts, &w, &err) != GP_OK ||
        godb_writer_last_time(w, &last, &err) != GP_OK) {
        flow_emit_text(i->m, FLOW_EV_WRITE_FAILED, i->name, err.msg);
        last = flow_now_s(i->m);
    }
    pthread_mutex_lock(&i->mu);
    i->last_s = last;
    i->has_last = 1;
    pthread_mutex_unlock(&i->mu);
}

/* Descriptors are left for writing what is captured, and for the rest of the process. */
static gp_status check_fds(const flow_manager *m, gp_err *err)
{
    struct rlimit lim;
    unsigned left = SPARE_FDS + (CAPTURE_FDS + WRITER_FDS) + WRITER_FDS * atomic_load(&m->running);

    if (getrlimit(RLIMIT_NOFILE, &lim) != 0 || lim.rlim_cur == RLIM_INFINITY)
        return GP_OK;
    GP_CLEANUP(gp_closep) int lowest = fcntl(m->wake_fd, F_DUPFD_CLOEXEC, 0);
    if (lowest >= 0 && (rlim_t)lowest + left <= lim.rlim_cur)
        return GP_OK;
    return gp_fail(err, GP_ELIMIT, 0,
                   "too many open files: the limit is %llu (LimitNOFILE, ulimit -n)",
                   (unsigned long long)lim.rlim_cur);
}

gp_status flow_iface_open(flow_iface *i, gp_err *err)
{
    flow_worker_opts o = {.iface = i->name,
                          .conf = &i->conf,
                          .max_entries = i->m->max_entries,
                          .compat = i->m->compat,
                          .fragments = i->m->fragments,
                          .on_fail = on_fail,
                          .on_full = on_full,
                          .ctx = i};
    gp_err why = {0};

    pthread_mutex_lock(&i->mu); /* on_fail may come at once and looks at i->worker */
    gp_status st = check_fds(i->m, &why);
    if (st == GP_OK)
        st = flow_worker_start(&o, &i->worker, &why);
    int news = st != i->error_code;
    i->error_code = st;
    (void)snprintf(i->error, sizeof i->error, "%s", st == GP_OK ? "" : why.msg);
    if (st == GP_OK) {
        i->started_ns = gp_wall_ns();
        atomic_fetch_add(&i->m->running, 1);
        i->capture = atomic_fetch_add(&i->m->captures, 1) + 1;
        memset(&i->base, 0, sizeof i->base);
    }
    pthread_mutex_unlock(&i->mu);
    if (st == GP_OK && !i->has_last)
        find_last(i);
    if (st == GP_OK)
        flow_emit_text(i->m, FLOW_EV_OPENED, i->name, "");
    else if (news) /* D-27: one line per state change */
        flow_emit_text(i->m, FLOW_EV_OPEN_FAILED, i->name, why.msg);
    if (st != GP_OK)
        return gp_fail(err, st, 0, "%s", why.msg);
    return GP_OK;
}

/* Under i->mu: put a frozen bank on the pending list with a timestamp later than all before (4.6).
 */
static int add_pending(flow_iface *i, int64_t time_s, flow_bank *bank, uint64_t drops)
{
    pending *p = gp_calloc(1, sizeof *p);

    if (!p)
        return 0;
    p->time_s = time_s > i->last_s ? time_s : i->last_s + 1;
    p->bank = bank;
    p->drops = drops;
    p->rotated_ns = gp_mono_ns();
    i->last_s = p->time_s;
    if (i->tail)
        i->tail->next = p;
    else
        i->head = p;
    i->tail = p;
    i->n_pending++;
    pthread_mutex_lock(&i->m->mu);
    i->m->kept_bytes += flow_bank_bytes(bank);
    i->m->info.last_writeout_s = p->time_s;
    pthread_mutex_unlock(&i->m->mu);
    return 1;
}

void flow_lose(flow_iface *i, int64_t time_s, uint64_t n, const char *why)
{
    pthread_mutex_lock(&i->m->mu);
    i->m->info.flows_lost += n;
    pthread_mutex_unlock(&i->m->mu);
    flow_emit(
        i->m,
        &(flow_event){
            .kind = FLOW_EV_LOST, .iface = i->name, .text = why, .time_s = time_s, .count = n});
}

gp_status flow_iface_rotate(flow_iface *i, int64_t time_s, gp_err *err)
{
    flow_worker_counts now;
    flow_bank *bank = NULL;
    gp_err why = {0};
    flow_event e = {.kind = FLOW_EV_ROTATED, .iface = i->name, .time_s = time_s};

    pthread_mutex_lock(&i->mu);
    if (!i->worker) {
        pthread_mutex_unlock(&i->mu);
        return GP_OK;
    }
    gp_status st = flow_worker_rotate(i->worker, &bank, &now, &why);
    int ended = st == GP_OK; /* else it goes on, and all of it comes with the next block */
    if (ended) {
        e.counts = &now;
        e.capture = i->capture;
        e.entries = flow_bank_count(bank);
        flow_bank_totals(bank, e.totals);
        e.drops = now.capture.dropped - i->base.capture.dropped + now.lost - i->base.lost;
        i->base = now;
        if (!add_pending(i, time_s, bank, e.drops)) {
            flow_bank_unref(bank);
            st = gp_fail(&why, GP_ENOMEM, 0, "out of memory");
        }
    }
    pthread_mutex_unlock(&i->mu);
    if (st != GP_OK) {
        if (ended)
            flow_lose(i, time_s, e.entries, why.msg);
        else
            flow_emit_text(i->m, FLOW_EV_NOTE, i->name, why.msg);
        return gp_fail(err, st, 0, "%s: %s", i->name, why.msg);
    }
    flow_emit(i->m, &e);
    if (now.no_stats) /* D-12: drops come with a later block */
        flow_emit_text(i->m, FLOW_EV_NOTE, i->name,
                       "the kernel's packet counters cannot be read: no drops in this block");
    flow_writer_queue(i);
    return GP_OK;
}

/* Workers to be closed; each costs a grace period of the kernel, of which several pass at once. */
typedef struct closing {
    flow_worker **v;
    size_t n;
    atomic_size_t next;
} closing;

static void close_some(void *ctx, unsigned thread)
{
    closing *c = ctx;
    (void)thread;

    for (size_t k; (k = atomic_fetch_add(&c->next, 1)) < c->n;)
        flow_worker_stop(c->v[k]);
}

/* The last rotation; the worker, which is no longer the interface's, or NULL. */
static flow_worker *take_worker(flow_iface *i, int64_t time_s)
{
    gp_err err = {0};

    if (!i->worker)
        return NULL;
    (void)flow_iface_rotate(i, time_s, &err);
    pthread_mutex_lock(&i->mu);
    flow_worker *w = i->worker;
    i->worker = NULL;
    pthread_mutex_unlock(&i->mu);
    return w;
}

void flow_iface_stop_all(flow_iface **v, size_t n, int64_t time_s)
{
    GP_CLEANUP(gp_freep) flow_worker **gone = gp_calloc(n + 1, sizeof(flow_worker *));
    closing c = {.v = gone, .n = n};

    for (size_t k = 0; k < n; k++)
        if (v[k]->worker)
            flow_worker_drain_begin(v[k]->worker);
    for (size_t k = 0; k < n; k++)
        if (v[k]->worker)
            flow_worker_drain_wait(v[k]->worker);
    /* All intervals are with the writer before any socket closes. */
    for (size_t k = 0; k < n; k++) {
        int open = v[k]->worker != NULL;
        flow_worker *w = take_worker(v[k], time_s);
        if (gone)
            gone[k] = w;
        else
            flow_worker_stop(w);
        if (open) {
            atomic_fetch_sub(&v[k]->m->running, 1);
            flow_emit_text(v[k]->m, FLOW_EV_CLOSED, v[k]->name, "");
        }
    }
    atomic_init(&c.next, 0);
    if (gone && gp_parallel(n < CLOSERS ? (unsigned)n : CLOSERS, close_some, &c, NULL) != GP_OK)
        close_some(&c, 0);
}
