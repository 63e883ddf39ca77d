/* worker.c - the capture thread: read rings, fold packets, answer requests; see flow/worker.h.
 *
 *   requester: request on the heap, two references --[mutex, eventfd]--> worker
 *   worker: after each round takes the request, answers, signals; a requester that gave up waiting
 *           leaves its reference behind and the worker frees the rest
 */
#include "flow/worker.h"

#include "bank.h"
#include "gp/clock.h"
#include "gp/mem.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    ROUND = 2048,      /* frames per ring between two looks at requests: under 0.3 ms; so many that
                          a block of a ring is read at once */
    SLICE_CHUNKS = 4,  /* of a snapshot per round: 1 MiB, under 0.5 ms */
    STATS_MS = 100,    /* L-10 wants once a minute; status wants fresh numbers */
    ANSWER_MS = 10000, /* a worker that is silent for so long is broken */
    DRAIN_MS = 250,    /* two block retire times and a bit */
    IDLE_MS = 1000,
};

typedef enum req_kind { REQ_ROTATE, REQ_SNAPSHOT, REQ_SLICE } req_kind;

typedef struct request {
    req_kind kind;
    flow_bank *fresh;   /* rotate in: the next bank; out: NULL */
    flow_bank *retired; /* rotate out: to be freed by the requester */
    flow_bank *bank;    /* out: frozen bank or copy */
    flow_worker_counts counts;
    flow_bank *of;       /* slices: the bank they come from */
    flow_bank_cursor at; /* snapshot, slices: what was copied */
    gp_status status;
    int refs, answered; /* under w->mu */
} request;

struct flow_worker {
    capture_live *live;
    flow_table *table;
    capture_conf conf;
    size_t max_entries;
    void (*on_fail)(void *ctx, const char *text);
    void (*on_full)(void *ctx);
    void *ctx;

    pthread_t thread;
    int started;
    int wake_fd; /* eventfd */

    pthread_mutex_t ask_mu; /* held by a requester from question to answer */
    pthread_mutex_t mu;     /* req, answers, counts, error */
    pthread_cond_t cond;
    request *req;
    atomic_int pending; /* req may be set, or stop / drain: look */
    int stop, drain, drained;
    flow_worker_counts counts;
    char error[256];

    /* worker thread only */
    int failed, full_told, no_stats;
    int stale;      /* the kernel's counters were not read since the last packet */
    unsigned rings; /* that may have packets */
    int64_t next_stats_ms, drain_until_ms;
    uint64_t wire_bytes[2]; /* by capture_dir, before sampling is made up for */
    uint64_t pause_ns, pause_cpu_ns;
};

/* ---- worker side ---- */

static void take(void *ctx, const capture_pkt *pkts, size_t n)
{
    flow_worker *w = ctx;
    uint64_t all = 0, out = 0;

    for (size_t i = 0; i < n; i++) {
        all += pkts[i].len;
        out += pkts[i].dir == CAPTURE_OUT ? pkts[i].len : 0;
    }
    w->wire_bytes[CAPTURE_IN] += all - out;
    w->wire_bytes[CAPTURE_OUT] += out;
    flow_table_add(w->table, pkts, n);
}

static void current(flow_worker *w, flow_worker_counts *c)
{
    const flow_bank *b = flow_table_active(w->table);

    c->capture = *capture_live_counts(w->live);
    c->lost = flow_table_lost(w->table);
    c->capture.processed -= c->lost; /* those it handed over and no flow took */
    c->shared = flow_table_shared(w->table);
    c->entries = flow_bank_count(b);
    c->bytes = flow_bank_bytes(b);
    for (int d = 0; d < 2; d++)
        c->wire_bytes[d] = w->wire_bytes[d] * (w->conf.sample > 1 ? w->conf.sample : 1);
    c->pause_ns = w->pause_ns;
    c->pause_cpu_ns = w->pause_cpu_ns;
    c->failed = w->failed;
    c->no_stats = w->no_stats;
}

static void read_stats(flow_worker *w)
{
    if (!w->failed)
        w->no_stats = !capture_live_stats(w->live);
}

static void publish(flow_worker *w)
{
    flow_worker_counts c;

    current(w, &c);
    pthread_mutex_lock(&w->mu);
    w->counts = c;
    pthread_mutex_unlock(&w->mu);
}

static void fail(flow_worker *w, const gp_err *err)
{
    w->failed = 1;
    pthread_mutex_lock(&w->mu);
    (void)snprintf(w->error, sizeof w->error, "%s", err->msg);
    pthread_mutex_unlock(&w->mu);
    publish(w);
    if (w->on_fail)
        w->on_fail(w->ctx, err->msg);
}

static void release(request *r)
{
    flow_bank_unref(r->fresh);
    flow_bank_unref(r->retired);
    flow_bank_unref(r->bank);
    flow_bank_unref(r->of);
    gp_free(r);
}

/* Hand the answer over; frees it if nobody waits any more. */
static void answer(flow_worker *w, request *r)
{
    current(w, &r->counts);
    pthread_mutex_lock(&w->mu);
    w->req = NULL;
    w->counts = r->counts;
    r->answered = 1;
    int last = --r->refs == 0;
    pthread_cond_broadcast(&w->cond);
    pthread_mutex_unlock(&w->mu);
    if (last)
        release(r);
}

/* Nanoseconds of the thread's CPU time. */
static int64_t cpu_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* Reading waited since these moments. */
static void note_pause(flow_worker *w, int64_t since_ns, int64_t since_cpu_ns)
{
    uint64_t wall = (uint64_t)(gp_mono_ns() - since_ns), cpu = (uint64_t)(cpu_ns() - since_cpu_ns);

    w->pause_ns = wall > w->pause_ns ? wall : w->pause_ns;
    w->pause_cpu_ns = cpu > w->pause_cpu_ns ? cpu : w->pause_cpu_ns;
}

static void do_rotate(flow_worker *w, request *r)
{
    read_stats(w);
    r->bank = flow_table_rotate(w->table, r->fresh, &r->retired);
    r->fresh = NULL;
    w->full_told = 0;
    answer(w, r);
}

/* Copy the next slice; the counts that hold are those of the first slice. */
static void do_snapshot(flow_worker *w, request *r)
{
    const flow_bank *from = flow_table_active(w->table);

    r->status = flow_bank_copy_slice(from, &r->at, SLICE_CHUNKS, &r->bank);
    if (r->status != GP_EUNAVAILABLE) /* done, or out of memory */
        answer(w, r);
}

/* One slice: GP_EUNAVAILABLE says that others follow. */
static void do_slice(flow_worker *w, request *r)
{
    flow_bank *from = flow_table_active(w->table);

    if (!r->of)
        r->of = flow_bank_ref(from);
    r->status =
        r->of == from ? flow_bank_copy_slice(from, &r->at, SLICE_CHUNKS, &r->bank) : GP_ECANCELLED;
    answer(w, r);
}

static void begin_drain(flow_worker *w)
{
    if (w->drain_until_ms || w->failed)
        return;
    capture_live_shut(w->live);
    w->drain_until_ms = gp_mono_ms() + DRAIN_MS;
}

/* After the retire time and an empty round nothing is left in the rings. */
static void end_drain(flow_worker *w, int frames)
{
    int64_t past = gp_mono_ms() - w->drain_until_ms;

    if (!w->failed && (!w->drain_until_ms || past < 0 || (frames > 0 && past < DRAIN_MS * 8)))
        return;
    read_stats(w);
    publish(w);
    pthread_mutex_lock(&w->mu);
    w->drained = 1;
    pthread_cond_broadcast(&w->cond);
    pthread_mutex_unlock(&w->mu);
}

/* Look for requests; returns 1 when the thread is to end. *drain: 1 while draining. */
static int serve(flow_worker *w, int *drain)
{
    pthread_mutex_lock(&w->mu);
    request *r = w->req;
    int stop = w->stop;
    *drain = w->drain && !w->drained;
    if (!r && !*drain)
        atomic_store(&w->pending, stop);
    pthread_mutex_unlock(&w->mu);
    if (*drain)
        begin_drain(w);
    if (!r)
        return stop;
    int64_t t0 = gp_mono_ns(), cpu0 = cpu_ns();
    if (r->kind == REQ_ROTATE)
        do_rotate(w, r);
    else if (r->kind == REQ_SNAPSHOT)
        do_snapshot(w, r);
    else
        do_slice(w, r);
    note_pause(w, t0, cpu0);
    return stop;
}

/* Wait until a ring has packets, for a request, or as long as it takes. */
static void wait_for_work(flow_worker *w, int64_t timeout_ms)
{
    struct pollfd fds[CAPTURE_MAX_FDS + 1];
    int n = w->failed ? 0 : capture_live_fds(w->live, fds);
    uint64_t ticks;

    fds[n] = (struct pollfd){.fd = w->wake_fd, .events = POLLIN};
    int most = w->failed ? -1 : capture_live_timeout_ms(w->live);
    if (most >= 0 && most < timeout_ms)
        timeout_ms = most;
    int ready = poll(fds, (nfds_t)n + 1, (int)timeout_ms);
    if (ready > 0 && fds[n].revents)
        (void)!read(w->wake_fd, &ticks, sizeof ticks);
    for (int i = 0; i < n && ready > 0; i++)
        w->rings |= fds[i].revents ? 1u << i : 0;
    if (most >= 0) /* libpcap wants to look by itself */
        w->rings = CAPTURE_ALL_RINGS;
}

static int read_rings(flow_worker *w)
{
    gp_err err = {0};

    if (w->failed)
        w->rings = 0;
    if (!w->rings)
        return 0;
    int n = capture_live_read(w->live, &w->rings, ROUND, take, w, &err);
    if (n < 0) {
        fail(w, &err);
        return 0;
    }
    if (!w->full_told && flow_table_full(w->table)) {
        w->full_told = 1;
        publish(w); /* who is told looks at the numbers */
        if (w->on_full)
            w->on_full(w->ctx);
    }
    w->stale |= n > 0;
    return n;
}

/* Fresh numbers, those of the kernel ten times a second. Returns the milliseconds until they are
 * due again. */
static int64_t tell(flow_worker *w)
{
    int64_t now = gp_mono_ms();

    if (!w->stale)
        return IDLE_MS;
    if (now >= w->next_stats_ms) {
        w->next_stats_ms = now + STATS_MS;
        w->stale = 0;
        read_stats(w);
    }
    publish(w);
    return w->stale ? w->next_stats_ms - now : IDLE_MS;
}

static void *run(void *arg)
{
    flow_worker *w = arg;
    int drain = 0;

    for (;;) {
        int pending = atomic_load(&w->pending);
        if (pending)
            w->rings = CAPTURE_ALL_RINGS; /* what is there now comes before the answer */
        int n = read_rings(w);
        if (pending) {
            if (serve(w, &drain))
                break;
            if (drain)
                end_drain(w, n);
        }
        int64_t due = tell(w);
        if (!w->rings)
            wait_for_work(w, atomic_load(&w->pending) ? (drain && n == 0 ? 10 : 0) : due);
    }
    return NULL;
}

/* ---- the other side ---- */

static void wake(flow_worker *w)
{
    uint64_t one = 1;
    atomic_store(&w->pending, 1);
    (void)!write(w->wake_fd, &one, sizeof one);
}

static void deadline_in(struct timespec *ts, int64_t ms)
{
    (void)clock_gettime(CLOCK_MONOTONIC, ts);
    ts->tv_sec += (time_t)(ms / 1000);
    ts->tv_nsec += (long)(ms % 1000) * 1000000;
    if (ts->tv_nsec >= 1000000000) {
        ts->tv_sec++;
        ts->tv_nsec -= 1000000000;
    }
}

/* Ask and wait. On GP_OK r is answered and the caller's again; on failure it is gone. Slices are
 * answered with GP_EUNAVAILABLE, too, which is no failure. */
static gp_status ask(flow_worker *w, request *r, gp_err *err)
{
    struct timespec until;
    gp_status st = GP_OK;

    r->refs = 2;
    deadline_in(&until, ANSWER_MS);
    pthread_mutex_lock(&w->ask_mu);
    pthread_mutex_lock(&w->mu);
    /* an abandoned request may still be with the worker */
    while (w->req && st == GP_OK)
        if (pthread_cond_timedwait(&w->cond, &w->mu, &until) == ETIMEDOUT)
            st = GP_EDEADLINE;
    if (st == GP_OK) {
        w->req = r;
        wake(w);
        while (!r->answered && st == GP_OK)
            if (pthread_cond_timedwait(&w->cond, &w->mu, &until) == ETIMEDOUT)
                st = GP_EDEADLINE;
    } else {
        r->refs--; /* the worker never saw it */
    }
    int last = st != GP_OK && !r->answered && --r->refs == 0;
    if (r->answered)
        st = r->status == GP_EUNAVAILABLE ? GP_OK : r->status;
    int failed = st != GP_OK && r->answered;
    pthread_mutex_unlock(&w->mu);
    pthread_mutex_unlock(&w->ask_mu);
    if (last || failed)
        release(r);
    if (st == GP_EDEADLINE)
        return gp_fail(err, st, 0, "the capture thread does not answer");
    if (st == GP_ECANCELLED)
        return gp_fail(err, st, 0, "the interval has ended");
    return st == GP_OK ? GP_OK : gp_fail(err, st, 0, "no memory for a copy of the flows");
}

gp_status flow_worker_rotate(flow_worker *w, flow_bank **bank, flow_worker_counts *counts,
                             gp_err *err)
{
    flow_worker_counts now;
    request *r = gp_calloc(1, sizeof *r);

    if (!r)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    flow_worker_counts_get(w, &now);
    r->kind = REQ_ROTATE;
    /* with an index for as many entries as this interval had */
    gp_status st = flow_bank_new(now.entries, w->max_entries, &r->fresh, err);
    if (st != GP_OK) {
        gp_free(r);
        return st;
    }
    GP_TRY(ask(w, r, err));
    *bank = r->bank;
    r->bank = NULL;
    if (counts)
        *counts = r->counts;
    release(r);
    return GP_OK;
}

gp_status flow_worker_snapshot(flow_worker *w, flow_bank **copy, gp_err *err)
{
    request *r = gp_calloc(1, sizeof *r);

    if (!r)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    r->kind = REQ_SNAPSHOT;
    GP_TRY(ask(w, r, err));
    *copy = r->bank;
    r->bank = NULL;
    release(r);
    return GP_OK;
}

gp_status flow_worker_slice(flow_worker *w, flow_slices *s, flow_bank **slice, gp_err *err)
{
    request *r = gp_calloc(1, sizeof *r);

    if (!r)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    r->kind = REQ_SLICE;
    r->at = s->at;
    r->of = s->of ? flow_bank_ref(s->of) : NULL;
    GP_TRY(ask(w, r, err));
    if (!s->of)
        s->of = flow_bank_ref(r->of);
    s->at = r->at;
    s->last = r->status == GP_OK;
    *slice = r->bank;
    r->bank = NULL;
    release(r);
    return GP_OK;
}

void flow_worker_counts_get(flow_worker *w, flow_worker_counts *out)
{
    pthread_mutex_lock(&w->mu);
    *out = w->counts;
    pthread_mutex_unlock(&w->mu);
}

const char *flow_worker_error(flow_worker *w, char *buf, size_t cap)
{
    pthread_mutex_lock(&w->mu);
    (void)snprintf(buf, cap, "%s", w->error);
    pthread_mutex_unlock(&w->mu);
    return buf;
}

uint64_t flow_worker_ring_bytes(const flow_worker *w)
{
    return capture_live_ring_bytes(w->live);
}

void flow_worker_drain_begin(flow_worker *w)
{
    pthread_mutex_lock(&w->mu);
    w->drain = 1;
    wake(w);
    pthread_mutex_unlock(&w->mu);
}

void flow_worker_drain_wait(flow_worker *w)
{
    struct timespec until;

    deadline_in(&until, ANSWER_MS);
    pthread_mutex_lock(&w->mu);
    while (!w->drained)
        if (pthread_cond_timedwait(&w->cond, &w->mu, &until) == ETIMEDOUT)
            break;
    pthread_mutex_unlock(&w->mu);
}

static gp_status init_sync(flow_worker *w, gp_err *err)
{
    pthread_condattr_t attr;

    w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->wake_fd < 0)
        return gp_fail(err, GP_EIO, errno, "eventfd");
    pthread_mutex_init(&w->ask_mu, NULL);
    pthread_mutex_init(&w->mu, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->cond, &attr);
    pthread_condattr_destroy(&attr);
    return GP_OK;
}

static gp_status start(flow_worker *w, const flow_worker_opts *o, gp_err *err)
{
    flow_table_opts to = {
        .max_entries = o->max_entries, .compat = o->compat, .scale = o->conf->sample};
    unsigned how = (o->compat ? CAPTURE_COMPAT : 0) | (o->fragments ? CAPTURE_FRAGMENTS : 0);
    char name[16];

    GP_TRY(flow_table_new(&to, &w->table, err));
    GP_TRY(capture_live_open(o->iface, o->conf, how, &w->live, err));
    publish(w);
    int r = pthread_create(&w->thread, NULL, run, w);
    if (r != 0)
        return gp_fail(err, GP_EIO, r, "cannot start a capture thread");
    w->started = 1;
    (void)snprintf(name, sizeof name, "cap-%.11s", o->iface);
    (void)pthread_setname_np(w->thread, name);
    return GP_OK;
}

gp_status flow_worker_start(const flow_worker_opts *o, flow_worker **out, gp_err *err)
{
    flow_worker *w = gp_calloc(1, sizeof *w);

    if (!w)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    w->conf = *o->conf;
    w->max_entries = o->max_entries ? o->max_entries : FLOW_ENTRIES_DEFAULT;
    w->on_fail = o->on_fail;
    w->on_full = o->on_full;
    w->ctx = o->ctx;
    gp_status st = init_sync(w, err);
    if (st != GP_OK) {
        gp_free(w);
        return st;
    }
    st = start(w, o, err);
    if (st != GP_OK) {
        flow_worker_stop(w);
        return st;
    }
    *out = w;
    return GP_OK;
}

void flow_worker_stop(flow_worker *w)
{
    if (!w)
        return;
    if (w->started) {
        pthread_mutex_lock(&w->mu);
        w->stop = 1;
        wake(w);
        pthread_mutex_unlock(&w->mu);
        pthread_join(w->thread, NULL);
    }
    if (w->req) /* abandoned by its requester */
        release(w->req);
    capture_live_close(w->live);
    flow_table_free(w->table);
    pthread_cond_destroy(&w->cond);
    pthread_mutex_destroy(&w->mu);
    pthread_mutex_destroy(&w->ask_mu);
    close(w->wake_fd);
    gp_free(w);
}
