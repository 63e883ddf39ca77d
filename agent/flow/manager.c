/* manager.c - the set of captured interfaces: start, apply a configuration, flush, close. */
#include "gp/clock.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "gp/pool.h"
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    OPENERS = 8, /* interfaces opened at the same time */
};

#define KEEP_BYTES_DEFAULT (UINT64_C(512) << 20)

/* ---- start and end ---- */

static void init_sync(flow_manager *m)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&m->admin, NULL);
    pthread_mutex_init(&m->mu, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&m->work, &attr);
    pthread_cond_init(&m->done, &attr);
    pthread_condattr_destroy(&attr);
}

static void take_opts(flow_manager *m, const flow_manager_opts *o)
{
    m->writer_opts = o->writer;
    m->compat = o->compat;
    m->fragments = o->fragments;
    m->max_entries = o->max_entries ? o->max_entries : FLOW_ENTRIES_DEFAULT;
    m->interval_s = o->interval_s ? o->interval_s : GODB_BLOCK_S;
    m->keep_bytes = o->keep_bytes ? o->keep_bytes : KEEP_BYTES_DEFAULT;
    m->checkpoint_ms = o->checkpoint_ms;
    m->wall_ns = o->wall_ns;
    m->event = o->event;
    m->rows = o->rows;
    m->ctx = o->ctx;
    m->info.started_ns = gp_wall_ns();
    m->info.next_writeout_s = flow_next_boundary(m);
}

static gp_status start(flow_manager *m, const flow_manager_opts *o, gp_err *err)
{
    m->db = gp_strdup(o->db);
    if (!m->db)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    GP_TRY(gp_mkdir_all(m->db, FLOW_DB_DIR_MODE, err));
    m->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    m->timer_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (m->wake_fd < 0 || m->timer_fd < 0)
        return gp_fail(err, GP_EIO, errno, "eventfd or timerfd");
    GP_TRY(capture_linkwatch_open(&m->links, err));
    flow_recover_all(m);
    int r = pthread_create(&m->writer, NULL, flow_writer_thread, m);
    m->has_writer = r == 0;
    if (r == 0) {
        r = pthread_create(&m->control, NULL, flow_control_thread, m);
        m->has_control = r == 0;
    }
    if (r != 0)
        return gp_fail(err, GP_EIO, r, "cannot start a thread");
    (void)pthread_setname_np(m->writer, "flow-write");
    (void)pthread_setname_np(m->control, "flow-control");
    return GP_OK;
}

gp_status flow_manager_new(const flow_manager_opts *o, flow_manager **out, gp_err *err)
{
    flow_manager *m = gp_calloc(1, sizeof *m);

    if (!m)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    m->wake_fd = m->timer_fd = -1;
    init_sync(m);
    take_opts(m, o);
    gp_status st = start(m, o, err);
    if (st != GP_OK) {
        (void)flow_manager_close(m, NULL);
        return st;
    }
    *out = m;
    return GP_OK;
}

/* Take the interfaces out of the list; the writer still holds those with pending blocks. */
static void remove_all(flow_manager *m)
{
    for (size_t k = 0; k < m->n_ifaces; k++)
        flow_iface_unref(m->ifaces[k]);
    gp_free(m->ifaces);
    m->ifaces = NULL;
    m->n_ifaces = 0;
}

static void stop_threads(flow_manager *m)
{
    if (m->has_control) {
        pthread_mutex_lock(&m->mu);
        m->stop_control = 1;
        pthread_mutex_unlock(&m->mu);
        flow_control_wake(m);
        pthread_join(m->control, NULL);
    }
    pthread_mutex_lock(&m->admin);
    flow_iface_stop_all(m->ifaces, m->n_ifaces, flow_now_s(m) + 1);
    pthread_mutex_unlock(&m->admin);
    if (m->has_writer) {
        pthread_mutex_lock(&m->mu);
        m->stop = 1;
        pthread_cond_broadcast(&m->work);
        pthread_mutex_unlock(&m->mu);
        pthread_join(m->writer, NULL);
    }
}

static uint64_t flows_lost(flow_manager *m)
{
    pthread_mutex_lock(&m->mu);
    uint64_t n = m->info.flows_lost;
    pthread_mutex_unlock(&m->mu);
    return n;
}

gp_status flow_manager_finish(flow_manager *m, gp_err *err)
{
    pthread_mutex_lock(&m->admin);
    int done = m->finished;
    m->finished = 1;
    pthread_mutex_unlock(&m->admin);
    if (done)
        return GP_OK;
    uint64_t before = flows_lost(m);
    stop_threads(m);
    uint64_t lost = flows_lost(m) - before;
    if (lost)
        return gp_fail(err, GP_EIO, 0, "%llu flows could not be written at the end",
                       (unsigned long long)lost);
    return GP_OK;
}

gp_status flow_manager_close(flow_manager *m, gp_err *err)
{
    if (!m)
        return GP_OK;
    gp_status st = flow_manager_finish(m, err);
    remove_all(m);
    capture_linkwatch_close(m->links);
    flow_ruleset_free(m->rules);
    if (m->wake_fd >= 0)
        close(m->wake_fd);
    if (m->timer_fd >= 0)
        close(m->timer_fd);
    pthread_cond_destroy(&m->work);
    pthread_cond_destroy(&m->done);
    pthread_mutex_destroy(&m->mu);
    pthread_mutex_destroy(&m->admin);
    gp_free(m->db);
    gp_free(m);
    return st;
}

/* ---- the list ---- */

static int list_insert(flow_manager *m, flow_iface *i)
{
    int ok = 1;

    pthread_mutex_lock(&m->mu);
    if (m->n_ifaces == m->cap_ifaces) {
        size_t cap = m->cap_ifaces ? m->cap_ifaces * 2 : 16;
        flow_iface **v = gp_realloc(m->ifaces, cap, sizeof(flow_iface *));
        ok = v != NULL;
        if (ok) {
            m->ifaces = v;
            m->cap_ifaces = cap;
        }
    }
    if (ok) {
        size_t at = m->n_ifaces++;
        for (; at > 0 && strcmp(m->ifaces[at - 1]->name, i->name) > 0; at--)
            m->ifaces[at] = m->ifaces[at - 1];
        m->ifaces[at] = i;
    }
    pthread_mutex_unlock(&m->mu);
    return ok;
}

void flow_manager_remove(flow_manager *m, const flow_iface *i)
{
    flow_iface *gone = NULL;

    pthread_mutex_lock(&m->mu);
    for (size_t k = 0; k < m->n_ifaces; k++) {
        if (gone)
            m->ifaces[k - 1] = m->ifaces[k];
        else if (m->ifaces[k] == i)
            gone = m->ifaces[k];
    }
    m->n_ifaces -= gone != NULL;
    pthread_mutex_unlock(&m->mu);
    flow_iface_unref(gone);
}

/* In the list, not opened. NULL when out of memory. */
static flow_iface *list_new(flow_manager *m, const char *name, const capture_conf *conf)
{
    flow_iface *i = flow_iface_new(m, name, conf);

    if (!i)
        return NULL;
    if (!list_insert(m, i)) {
        flow_iface_unref(i);
        return NULL;
    }
    return i;
}

gp_status flow_manager_add(flow_manager *m, const char *name, const capture_conf *conf, gp_err *err)
{
    flow_iface *i = list_new(m, name, conf);

    if (!i)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    return flow_iface_open(i, err);
}

/* ---- apply ---- */

/* What apply works on: one entry per interface that changes. */
typedef struct job {
    flow_iface *iface;       /* with a reference */
    const flow_wanted *want; /* NULL: not wanted any more */
    int quiet;               /* it was not captured: nothing ends that a report could name (5.5) */
    flow_change change;
} job;

typedef struct plan {
    job *jobs;
    size_t n;
    atomic_size_t next; /* for the openers */
} plan;

static const flow_wanted *wanted(const flow_wanted *w, size_t n, const char *name)
{
    for (size_t k = 0; k < n; k++)
        if (strcmp(w[k].name, name) == 0)
            return &w[k];
    return NULL;
}

static void add_job(plan *p, flow_iface *i, const flow_wanted *want, flow_action action)
{
    job *j = &p->jobs[p->n++];

    j->iface = flow_iface_ref(i);
    j->want = want;
    j->change.action = action;
    (void)snprintf(j->change.name, sizeof j->change.name, "%s", i->name);
}

/* Compare running and wanted sets; new interfaces are put in the list. */
static gp_status make_plan(flow_manager *m, const flow_wanted *w, size_t n_w, plan *p, gp_err *err)
{
    flow_iface **v = NULL;
    size_t n = 0;

    GP_TRY(flow_iface_all(m, &v, &n, err));
    p->jobs = gp_calloc(n + n_w + 1, sizeof *p->jobs);
    gp_status st = p->jobs ? GP_OK : gp_fail(err, GP_ENOMEM, 0, "out of memory");
    for (size_t k = 0; st == GP_OK && k < n; k++) {
        const flow_wanted *want = wanted(w, n_w, v[k]->name);
        if (!want) {
            add_job(p, v[k], NULL, FLOW_DISABLED);
            p->jobs[p->n - 1].quiet = v[k]->worker == NULL;
        } else if (!v[k]->worker) {
            add_job(p, v[k], want, FLOW_ENABLED);
        } else if (!capture_conf_equal(&v[k]->conf, want->conf)) {
            add_job(p, v[k], want, FLOW_UPDATED);
        }
    }
    for (size_t k = 0; st == GP_OK && k < n_w; k++) {
        flow_iface *i = flow_iface_find(m, w[k].name);
        if (!i) {
            i = list_new(m, w[k].name, w[k].conf);
            if (i)
                add_job(p, i, &w[k], FLOW_ENABLED);
            else
                st = gp_fail(err, GP_ENOMEM, 0, "out of memory");
        } else {
            flow_iface_unref(i);
        }
    }
    flow_iface_unref_all(v, n);
    return st;
}

static void open_some(void *ctx, unsigned worker)
{
    plan *p = ctx;
    (void)worker;

    for (;;) {
        size_t k = atomic_fetch_add(&p->next, 1);
        if (k >= p->n)
            return;
        job *j = &p->jobs[k];
        gp_err err = {0};
        if (!j->want)
            continue;
        pthread_mutex_lock(&j->iface->mu);
        j->iface->conf = *j->want->conf;
        j->iface->error_code = GP_OK; /* an apply says again what is wrong */
        pthread_mutex_unlock(&j->iface->mu);
        j->change.ok = flow_iface_open(j->iface, &err) == GP_OK;
        if (!j->change.ok)
            (void)snprintf(j->change.error, sizeof j->change.error, "%s", err.msg);
    }
}

/* Write out and close what goes or changes, then open what comes or changes (spec 5.5). */
static void carry_out(flow_manager *m, plan *p)
{
    GP_CLEANUP(gp_freep) flow_iface **stop = gp_calloc(p->n + 1, sizeof(flow_iface *));
    size_t n_stop = 0;
    gp_err err = {0};

    for (size_t k = 0; stop && k < p->n; k++)
        if (p->jobs[k].change.action != FLOW_ENABLED)
            stop[n_stop++] = p->jobs[k].iface;
    if (stop)
        flow_iface_stop_all(stop, n_stop, flow_now_s(m) + 1);
    for (size_t k = 0; k < p->n; k++)
        if (!p->jobs[k].want) {
            p->jobs[k].change.ok = 1;
            flow_manager_remove(m, p->jobs[k].iface);
        }
    atomic_init(&p->next, 0);
    if (gp_parallel(p->n < OPENERS ? (unsigned)p->n : OPENERS, open_some, p, &err) != GP_OK)
        open_some(p, 0);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const flow_change *)a)->name, ((const flow_change *)b)->name);
}

static gp_status report(const plan *p, flow_change **changes, size_t *n, gp_err *err)
{
    if (!changes)
        return GP_OK;
    flow_change *v = gp_calloc(p->n + 1, sizeof *v);
    if (!v)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    size_t told = 0;
    for (size_t k = 0; k < p->n; k++)
        if (!p->jobs[k].quiet)
            v[told++] = p->jobs[k].change;
    qsort(v, told, sizeof *v, by_name);
    *changes = v;
    *n = told;
    return GP_OK;
}

gp_status flow_manager_apply(flow_manager *m, flow_ruleset *rs, flow_change **changes, size_t *n,
                             gp_err *err)
{
    GP_CLEANUP(gp_freep) capture_link *links = NULL;
    GP_CLEANUP(gp_freep) flow_wanted *w = NULL;
    size_t n_links = 0, n_w = 0;
    plan p = {0};

    gp_status st = capture_links_list(&links, &n_links, err);
    if (st == GP_OK)
        st = flow_ruleset_match(rs, links, n_links, &w, &n_w, err);
    if (st != GP_OK) {
        flow_ruleset_free(rs);
        return st;
    }
    pthread_mutex_lock(&m->admin);
    st = m->finished ? gp_fail(err, GP_EUNAVAILABLE, 0, "capture is shutting down")
                     : make_plan(m, w, n_w, &p, err);
    if (st == GP_OK) {
        carry_out(m, &p);
        st = report(&p, changes, n, err);
        flow_ruleset_free(m->rules);
        m->rules = rs;
        rs = NULL;
        flow_tell_unnamed(m, links, n_links);
        pthread_mutex_lock(&m->mu);
        m->info.applied = 1;
        pthread_mutex_unlock(&m->mu);
    }
    pthread_mutex_unlock(&m->admin);
    for (size_t k = 0; k < p.n; k++)
        flow_iface_unref(p.jobs[k].iface);
    gp_free(p.jobs);
    flow_ruleset_free(rs);
    return st;
}
