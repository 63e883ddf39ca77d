/* status.c - what the manager tells: status, write-out on demand, live rows. */
#include "flow/rows.h"
#include "gp/clock.h"
#include "gp/mem.h"
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static uint64_t since(uint64_t now, uint64_t base)
{
    return now > base ? now - base : 0;
}

/* D-10: "recent" has its own baseline, set by rotation only. */
static void counts_since(flow_worker_counts *out, const flow_worker_counts *now,
                         const flow_worker_counts *base)
{
    *out = *now;
    out->capture.received = since(now->capture.received, base->capture.received);
    out->capture.processed = since(now->capture.processed, base->capture.processed);
    out->capture.dropped = since(now->capture.dropped, base->capture.dropped);
    for (int e = 0; e < CAPTURE_N_ERRORS; e++)
        out->capture.errors[e] = since(now->capture.errors[e], base->capture.errors[e]);
    out->lost = since(now->lost, base->lost);
    out->shared = since(now->shared, base->shared);
    for (int d = 0; d < 2; d++)
        out->wire_bytes[d] = since(now->wire_bytes[d], base->wire_bytes[d]);
}

static void one_status(flow_iface *i, flow_status *s)
{
    memset(s, 0, sizeof *s);
    pthread_mutex_lock(&i->mu);
    memcpy(s->name, i->name, sizeof s->name);
    memcpy(s->error, i->error, sizeof s->error);
    s->conf = i->conf;
    s->pending_blocks = i->n_pending;
    s->last_block_s = i->written_s;
    s->state = i->worker ? FLOW_CAPTURING : FLOW_WAITING;
    if (i->worker) {
        s->started_ns = i->started_ns;
        s->capture = i->capture;
        s->ring_bytes = flow_worker_ring_bytes(i->worker);
        flow_worker_counts_get(i->worker, &s->total);
        counts_since(&s->recent, &s->total, &i->base);
    }
    pthread_mutex_unlock(&i->mu);
}

static int named(const char *const *names, size_t n, const char *name)
{
    for (size_t k = 0; k < n; k++)
        if (strcmp(names[k], name) == 0)
            return 1;
    return n == 0;
}

gp_status flow_manager_status(flow_manager *m, const char *const *names, size_t n_names,
                              flow_status **out, size_t *n, gp_err *err)
{
    flow_iface **v = NULL;
    size_t n_v = 0, k = 0;

    GP_TRY(flow_iface_all(m, &v, &n_v, err));
    flow_status *s = gp_calloc(n_v + 1, sizeof *s);
    for (size_t i = 0; s && i < n_v; i++)
        if (named(names, n_names, v[i]->name))
            one_status(v[i], &s[k++]);
    flow_iface_unref_all(v, n_v);
    if (!s)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    *out = s;
    *n = k;
    return GP_OK;
}

void flow_manager_info_get(flow_manager *m, flow_manager_info *out)
{
    gp_err err = {0};
    flow_iface **v = NULL;
    size_t n = 0;
    int failing = 0;

    if (flow_iface_all(m, &v, &n, &err) == GP_OK) {
        for (size_t k = 0; k < n; k++) {
            pthread_mutex_lock(&v[k]->mu);
            failing |= v[k]->write_failing;
            pthread_mutex_unlock(&v[k]->mu);
        }
        flow_iface_unref_all(v, n);
    }
    pthread_mutex_lock(&m->mu);
    *out = m->info;
    pthread_mutex_unlock(&m->mu);
    out->write_failing = failing;
}

/* ---- flush ---- */

/* 1 when nothing of i is waiting for the disk up to time_s; -1 when its last write failed. */
static int flushed(flow_iface *i, int64_t time_s)
{
    pthread_mutex_lock(&i->mu);
    int done = !i->head || i->head->time_s > time_s;
    int failing = i->write_failing;
    pthread_mutex_unlock(&i->mu);
    return done ? 1 : failing ? -1 : 0;
}

static gp_status wait_flushed(flow_manager *m, flow_iface **v, const int64_t *upto, size_t n,
                              gp_deadline until, gp_err *err)
{
    for (size_t k = 0; k < n; k++) {
        int got;
        while ((got = flushed(v[k], upto[k])) == 0) {
            struct timespec ts;
            if (gp_deadline_passed(until))
                return gp_fail(err, GP_EDEADLINE, 0, "%s: still not written", v[k]->name);
            (void)clock_gettime(CLOCK_MONOTONIC, &ts);
            ts.tv_nsec += 50000000;
            if (ts.tv_nsec >= 1000000000) {
                ts.tv_nsec -= 1000000000;
                ts.tv_sec++;
            }
            pthread_mutex_lock(&m->mu);
            (void)pthread_cond_timedwait(&m->done, &m->mu, &ts);
            pthread_mutex_unlock(&m->mu);
        }
        if (got < 0)
            return gp_fail(err, GP_EIO, 0, "%s: writing fails; the flows are kept", v[k]->name);
    }
    return GP_OK;
}

/* Those of v that are named and captured, moved to the front; n is updated. */
static gp_status choose(flow_iface **v, size_t *n, const char *const *names, size_t n_names,
                        gp_err *err)
{
    size_t k = 0;

    for (size_t q = 0; q < n_names; q++) {
        int found = 0;
        for (size_t i = 0; i < *n && !found; i++)
            found = strcmp(v[i]->name, names[q]) == 0 && v[i]->worker;
        if (!found)
            return gp_fail(err, GP_ENOTFOUND, 0, "%s: not captured", names[q]);
    }
    for (size_t i = 0; i < *n; i++) {
        flow_iface *t = v[i];
        if (!t->worker || !named(names, n_names, t->name))
            continue;
        v[i] = v[k];
        v[k++] = t;
    }
    *n = k;
    return GP_OK;
}

gp_status flow_manager_flush(flow_manager *m, const char *const *names, size_t n_names,
                             int64_t timeout_ms, gp_err *err)
{
    flow_iface **v = NULL;
    size_t all = 0;
    gp_deadline until = gp_deadline_in_ms(timeout_ms);

    GP_TRY(flow_iface_all(m, &v, &all, err));
    size_t n = all;
    GP_CLEANUP(gp_freep) int64_t *upto = gp_calloc(all + 1, sizeof *upto);
    gp_status st = upto ? GP_OK : gp_fail(err, GP_ENOMEM, 0, "out of memory");
    if (st == GP_OK) {
        pthread_mutex_lock(&m->admin);
        st = m->finished ? gp_fail(err, GP_EUNAVAILABLE, 0, "capture is shutting down")
                         : choose(v, &n, names, n_names, err);
        for (size_t k = 0; k < n && st == GP_OK; k++) {
            st = flow_iface_rotate(v[k], flow_now_s(m), err);
            pthread_mutex_lock(&v[k]->mu);
            upto[k] = v[k]->last_s;
            pthread_mutex_unlock(&v[k]->mu);
            flow_writer_hurry(v[k]);
        }
        pthread_mutex_unlock(&m->admin);
    }
    if (st == GP_OK)
        st = wait_flushed(m, v, upto, n, until, err);
    flow_iface_unref_all(v, all);
    return st;
}

/* ---- live rows ---- */

typedef struct live {
    flow_rows *rows;
    flow_bank **banks;
    size_t n;
} live;

/* Rows need them no more. */
static void drop_banks(live *l)
{
    for (size_t k = 0; l && k < l->n; k++)
        flow_bank_unref(l->banks[k]);
    if (l)
        l->n = 0;
}

static void live_free(live *l)
{
    if (!l)
        return;
    drop_banks(l);
    flow_rows_free(l->rows);
    gp_free(l->banks);
    gp_free(l);
}

/* Everything of i that no reader can have seen in a block with time <= *stored: rotation and this
 * exclude each other by i->mu, so a packet is on exactly one side. */
static gp_status collect(flow_iface *i, live *l, int64_t *stored, gp_err *err)
{
    gp_status st = GP_OK;

    pthread_mutex_lock(&i->mu);
    *stored = i->head ? i->head->time_s - 1 : i->last_s;
    l->banks = gp_calloc(i->n_pending + 1, sizeof(flow_bank *));
    if (!l->banks)
        st = gp_fail(err, GP_ENOMEM, 0, "out of memory");
    for (pending *p = i->head; st == GP_OK && p; p = p->next)
        l->banks[l->n++] = flow_bank_ref(p->bank);
    if (st == GP_OK && i->worker) {
        st = flow_worker_snapshot(i->worker, &l->banks[l->n], err);
        l->n += st == GP_OK;
    }
    pthread_mutex_unlock(&i->mu);
    return st;
}

gp_status flow_manager_live_get(void *ctx, const char *iface, godb_rows *rows, int64_t *time_s,
                                int64_t *stored_upto_s, void **handle, gp_err *err)
{
    flow_manager *m = ctx;
    flow_iface *i = flow_iface_find(m, iface);

    *handle = NULL;
    *rows = (godb_rows){0};
    *stored_upto_s = INT64_MAX;
    *time_s = flow_next_boundary(m);
    if (!i)
        return GP_OK;
    live *l = gp_calloc(1, sizeof *l);
    gp_status st = l ? flow_rows_new(&l->rows, err) : gp_fail(err, GP_ENOMEM, 0, "out of memory");
    int64_t stored = 0;
    if (st == GP_OK)
        st = collect(i, l, &stored, err);
    flow_iface_unref(i);
    if (st == GP_OK && l->n)
        st = flow_rows_make(l->rows, l->banks, l->n, rows, err);
    drop_banks(l);
    if (st != GP_OK) {
        live_free(l);
        return st;
    }
    *stored_upto_s = stored;
    if (*time_s <= stored)
        *time_s = stored + 1;
    *handle = l;
    return GP_OK;
}

void flow_manager_live_release(void *ctx, void *handle)
{
    (void)ctx;
    live_free(handle);
}

gp_status flow_manager_live_ifaces(flow_manager *m, char ***names, gp_err *err)
{
    flow_iface **all = NULL;
    size_t n = 0, k = 0;

    GP_TRY(flow_iface_all(m, &all, &n, err));
    char **v = gp_calloc(1, (n + 1) * sizeof *v + n * CAPTURE_NAME_CAP);
    char *text = v ? (char *)(v + n + 1) : NULL;
    for (size_t i = 0; v && i < n; i++) {
        pthread_mutex_lock(&all[i]->mu);
        int has = all[i]->worker || all[i]->head;
        pthread_mutex_unlock(&all[i]->mu);
        if (!has)
            continue;
        v[k] = text + k * CAPTURE_NAME_CAP;
        memcpy(v[k++], all[i]->name, CAPTURE_NAME_CAP);
    }
    flow_iface_unref_all(all, n);
    if (!v)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    *names = v;
    return GP_OK;
}
