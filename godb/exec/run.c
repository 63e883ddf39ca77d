/* run.c - one interface: its days and live flows, the worker loop, progress and failures. */
#include "gp/mem.h"
#include "gp/pool.h"
#include "scan.h"

#include <stdlib.h>
#include <string.h>

enum { DAYS_A_WORKLOAD = 32, FEW_GROUPS = 16384 };

void exec_failed(exec_ctx *x, gp_status st, const gp_err *err)
{
    pthread_mutex_lock(&x->lock);
    if (!atomic_load(&x->failed)) {
        x->status = st;
        x->err = *err;
        atomic_store(&x->failed, 1);
    }
    pthread_mutex_unlock(&x->lock);
}

gp_status exec_check(exec_ctx *x, gp_err *err)
{
    if (!atomic_load(&x->failed))
        return GP_OK;
    if (err)
        *err = x->err;
    return x->status;
}

uint64_t exec_groups(const exec_ctx *x)
{
    uint64_t n = 0;

    for (unsigned t = 0; t < x->n_tables; t++)
        for (unsigned i = 0; i < EXEC_PARTS; i++)
            n += x->table[t].part[i].n;
    return n;
}

int exec_few_groups(const exec_ctx *x)
{
    return exec_groups(x) < FEW_GROUPS;
}

/* ---- progress ---- */

static void tell_progress(exec_ctx *x)
{
    const exec_opts *o = x->opts;
    int64_t now = gp_mono_ns();

    if (!o->progress || now < atomic_load(&x->next_progress_ns))
        return;
    atomic_store(&x->next_progress_ns, now + o->progress_ms * 1000000);
    /* A worker may finish its part of a day before the one with the first part counts it. */
    uint64_t done = atomic_load(&x->blocks_done), total = atomic_load(&x->blocks_total);
    exec_progress p = {.blocks_done = done,
                       .blocks_total = total > done ? total : done,
                       .days_done = atomic_load(&x->days_done),
                       .days_total = atomic_load(&x->days_total),
                       .rows = atomic_load(&x->rows),
                       .bytes = atomic_load(&x->bytes)};
    o->progress(o->progress_ctx, &p);
}

/* By a worker, after some blocks. */
static void progress(exec_ctx *x)
{
    if (!x->opts->progress && !x->final)
        return;
    if ((!x->final && gp_mono_ns() < atomic_load(&x->next_progress_ns)) ||
        atomic_flag_test_and_set(&x->in_progress))
        return;
    tell_progress(x);
    if (x->final)
        exec_partial(x);
    atomic_flag_clear(&x->in_progress);
}

/* ---- blocks ---- */

static int in_range(const exec_ctx *x, const godb_block *b)
{
    return b->time_s >= x->first_s && b->time_s <= x->last_s;
}

/* Blocks that count: those in range, and those that may be and are lost (2.5, item 8; 6.3). */
static int concerns(const exec_ctx *x, const godb_block *b)
{
    return in_range(x, b) || godb_block_unplaced(b);
}

static int cmp_i64(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* 1 if two selected blocks of the day may have the same time (only after defect D4). */
static int times_repeat(const exec_ctx *x, const godb_day *d)
{
    size_t n = godb_day_n_blocks(d), m = 0;
    int repeat = 0;

    if (godb_day_sorted(d))
        return 0;
    int64_t *t = gp_alloc(n, sizeof *t);
    if (!t)
        return 1; /* the careful way works in any case */
    for (size_t i = 0; i < n; i++)
        if (in_range(x, godb_day_block(d, i)))
            t[m++] = godb_day_block(d, i)->time_s;
    qsort(t, m, sizeof *t, cmp_i64);
    for (size_t i = 1; i < m; i++)
        repeat |= t[i] == t[i - 1];
    gp_free(t);
    return repeat;
}

/* First touch of a day by any worker. */
static void day_begins(exec_ctx *x, const godb_day *d)
{
    uint64_t n = 0;

    for (size_t i = 0; i < godb_day_n_blocks(d); i++)
        n += (uint64_t)concerns(x, godb_day_block(d, i));
    atomic_fetch_add(&x->blocks_total, n);
    if (x->append && times_repeat(x, d))
        atomic_store(&x->again, 1);
}

static gp_status one_block(exec_worker *w, const exec_day *d, size_t i, gp_err *err)
{
    exec_ctx *x = w->x;
    const godb_day *day = d->day;
    const godb_block *m = godb_day_block(day, i);

    if (!concerns(x, m))
        return GP_OK;
    gp_status st = gp_cancel_check(x->opts->cancel);
    if (st != GP_OK)
        return gp_fail(err, st, 0, "%s",
                       st == GP_EDEADLINE ? "the query's deadline passed"
                                          : "the query was cancelled");
    w->stats.blocks_processed++;
    if (!m->usable) {
        w->stats.blocks_corrupted++;
        if (godb_block_unplaced(m))
            exec_warn(x, "%s: block %zu of day %lld skipped: %s", x->iface, i,
                      (long long)godb_day_start(day), m->reason);
        else
            exec_warn(x, "%s: block %lld skipped: %s", x->iface, (long long)m->time_s, m->reason);
        return GP_OK;
    }
    if (m->n_v4 == 0 && m->n_v6 == 0)
        return GP_OK;
    exec_block b = {
        .time_s = m->time_s, .n = {m->n_v4, m->n_v6}, .day = day, .index = i, .ix = d->index};
    memcpy(b.raw, m->raw, sizeof b.raw);
    return exec_scan_block(w, &b, err);
}

/* Blocks [from, end) of a day. */
static gp_status some_blocks(exec_worker *w, const exec_day *day, size_t from, size_t end,
                             gp_err *err)
{
    exec_ctx *x = w->x;
    uint64_t rows = w->rows, bytes = w->stats.bytes_decompressed, done = w->stats.blocks_processed;

    if (from == 0)
        day_begins(x, day->day);
    unsigned hand_over = atomic_load_explicit(&x->hand_over, memory_order_relaxed);
    if (w->handed_over != hand_over) {
        w->handed_over = hand_over;
        GP_TRY(exec_worker_finish(w, err));
    }
    for (size_t i = from; i < end; i++) {
        if (atomic_load_explicit(&x->failed, memory_order_relaxed) ||
            atomic_load_explicit(&x->again, memory_order_relaxed))
            break;
        GP_TRY(one_block(w, day, i, err));
    }
    atomic_fetch_add(&x->rows, w->rows - rows);
    atomic_fetch_add(&x->bytes, w->stats.bytes_decompressed - bytes);
    atomic_fetch_add(&x->blocks_done, w->stats.blocks_processed - done);
    progress(x);
    return GP_OK;
}

static gp_status work(exec_worker *w, size_t *at, gp_err *err)
{
    exec_ctx *x = w->x;
    size_t from, end;
    int open_error;

    while (exec_sched_next(x->sched, at, &from, &end, &open_error, err)) {
        if (open_error) {
            *at = SIZE_MAX;
            if (gp_err_shortage(err))
                return err->code;
            exec_warn(x, "%s: day skipped: %s", x->iface, err->msg);
            w->days_failed++;
            continue;
        }
        GP_TRY(some_blocks(w, &x->sched->days[*at], from, end, err));
        if (atomic_load(&x->failed) || atomic_load(&x->again))
            break;
    }
    if (atomic_load(&x->failed) || atomic_load(&x->again)) {
        exec_sched_stop(x->sched, *at);
        *at = SIZE_MAX;
        return GP_OK;
    }
    return exec_worker_finish(w, err);
}

static void work_thread(void *ctx, unsigned i)
{
    exec_ctx *x = ctx;
    size_t at = SIZE_MAX;
    gp_err err = {0};
    gp_status st = work(&x->workers[i], &at, &err);

    if (st != GP_OK) {
        exec_failed(x, st, &err);
        exec_sched_stop(x->sched, at);
    }
}

/* ---- days ---- */

/* Open the first (dir 1) or last (dir -1) readable day: its time bounds the covered span (4.4). */
static godb_day *edge_day(exec_ctx *x, const godb_days *days, int dir, size_t *at)
{
    for (size_t i = 0; i < days->n; i++) {
        godb_day *d = NULL;
        *at = dir > 0 ? i : days->n - 1 - i;
        if (godb_day_open(x->db, &days->v[*at], &d, NULL) == GP_OK && godb_day_n_placed(d) > 0)
            return d;
        godb_day_close(d);
    }
    return NULL;
}

static void span_add(result *out, int *have, int64_t first_s, int64_t last_s)
{
    if (!*have || first_s < out->time_first_s)
        out->time_first_s = first_s;
    if (!*have || last_s > out->time_last_s)
        out->time_last_s = last_s;
    *have = 1;
}

/* Open the days at both ends, note the covered span, and start the hand-out with them. */
static void open_edges(exec_ctx *x, const godb_days *days, result *out, int *have_span)
{
    size_t i = 0, j = 0;
    godb_day *first = edge_day(x, days, 1, &i);

    if (!first)
        return;
    int64_t lo = godb_day_block(first, 0)->time_s;
    godb_day *last = edge_day(x, days, -1, &j);
    const godb_day *d = last ? last : first;
    int64_t hi = godb_day_block(d, godb_day_n_placed(d) - 1)->time_s;
    lo = lo > x->first_s ? lo : x->first_s;
    hi = hi < x->last_s ? hi : x->last_s;
    span_add(out, have_span, lo - GODB_BLOCK_S, hi);
    exec_sched_preopen(x->sched, i, first);
    if (last && j != i)
        exec_sched_preopen(x->sched, j, last);
    else
        godb_day_close(last);
}

static unsigned threads_for(const exec_ctx *x, const godb_days *days)
{
    size_t chunks = days->n * 2; /* a guess until a day is open */

    if (days->n == 1 && x->sched->days[0].day)
        chunks = (godb_day_n_blocks(x->sched->days[0].day) + EXEC_GRAB - 1) / EXEC_GRAB;
    return chunks < x->n_threads ? (unsigned)(chunks ? chunks : 1) : x->n_threads;
}

static gp_status scan_days(exec_ctx *x, const godb_days *days, result *out, int *have_span,
                           gp_err *err)
{
    exec_sched sched;

    if (days->n == 0)
        return GP_OK;
    GP_TRY(exec_sched_init(&sched, x->db, days->v, days->n, err));
    x->sched = &sched;
    sched.want_index = x->plan.filter[0].probes || x->plan.filter[1].probes;
    open_edges(x, days, out, have_span);
    gp_status st = gp_parallel(threads_for(x, days), work_thread, x, err);
    if (st == GP_OK)
        st = exec_check(x, err);
    out->stats.directories_processed += sched.opened;
    atomic_fetch_add(&x->days_done, days->n);
    x->sched = NULL;
    exec_sched_free(&sched);
    return st;
}

/* ---- live flows ---- */

typedef struct live {
    godb_rows rows;
    int64_t time_s;
    void *handle;
    int used;
} live;

static int has_live(const exec_live *l, const char *iface)
{
    if (!l || !l->ifaces)
        return l != NULL;
    for (const char *const *p = l->ifaces; *p; p++)
        if (strcmp(*p, iface) == 0)
            return 1;
    return 0;
}

static gp_status live_get(exec_ctx *x, live *l, gp_err *err)
{
    int64_t upto = x->last_s;

    if (!has_live(x->opts->live, x->iface))
        return GP_OK;
    gp_status st = x->opts->live->get(x->opts->live->ctx, x->iface, &l->rows, &l->time_s, &upto,
                                      &l->handle, err);
    if (st == GP_ENOTFOUND)
        return GP_OK; /* the interface is not captured any more */
    GP_TRY(st);
    l->used = 1;
    if (upto < x->last_s)
        x->last_s = upto;
    if (l->time_s <= upto)
        x->append = 0; /* a stored block may have the same time */
    return GP_OK;
}

static gp_status live_scan(exec_ctx *x, const live *l, result *out, int *have_span, gp_err *err)
{
    if (!l->used || l->time_s < x->first_s)
        return GP_OK;
    exec_block b = {.time_s = l->time_s, .n = {l->rows.n_v4, l->rows.n_v6}, .live = &l->rows};
    if (b.n[0] + b.n[1] > 0) {
        GP_TRY(exec_scan_block(&x->workers[0], &b, err));
        GP_TRY(exec_worker_finish(&x->workers[0], err));
    }
    span_add(out, have_span, *have_span ? out->time_first_s : l->time_s - GODB_BLOCK_S, l->time_s);
    return GP_OK;
}

/* ---- the interface ---- */

static gp_status iface_once(exec_ctx *x, const live *l, result *out, int *have_span, gp_err *err)
{
    godb_days days = {0};

    GP_TRY(godb_db_days(x->db, x->iface, x->first_s, x->last_s, &days, err));
    if (days.skipped)
        exec_warn(x, "%s: %u entries skipped: %s", x->iface, days.skipped,
                  days.skipped_text ? days.skipped_text : "");
    if (days.n)
        out->data_available = 1;
    atomic_fetch_add(&x->days_total, days.n);
    out->stats.workloads += (days.n + DAYS_A_WORKLOAD - 1) / DAYS_A_WORKLOAD;
    gp_status st = scan_days(x, &days, out, have_span, err);
    if (st == GP_OK && !atomic_load(&x->again))
        st = live_scan(x, l, out, have_span, err);
    godb_days_free(&days);
    return st;
}

/* Move the workers' statistics of this interface to the result. */
static void collect_stats(exec_ctx *x, result *out)
{
    for (unsigned i = 0; i < x->n_threads; i++) {
        exec_worker *w = &x->workers[i];
        out->stats.bytes_loaded += w->stats.bytes_loaded;
        out->stats.bytes_decompressed += w->stats.bytes_decompressed;
        out->stats.blocks_processed += w->stats.blocks_processed;
        out->stats.blocks_corrupted += w->stats.blocks_corrupted;
        x->days_failed += w->days_failed;
        w->stats = (result_stats){0};
        w->days_failed = 0;
    }
}

/* Forget what a first pass gathered. */
static void start_over(exec_ctx *x)
{
    for (unsigned i = 0; i < x->n_threads; i++) {
        exec_worker *w = &x->workers[i];
        w->stats = (result_stats){0};
        w->days_failed = 0;
        w->tally_hits = 0;
        memset(w->tally, 0, sizeof w->tally);
        for (unsigned t = 0; t < x->n_tables; t++) {
            exec_feed_forget(&w->feed[t]);
            exec_local_forget(w, t);
        }
    }
    for (unsigned t = 0; t < x->n_tables; t++)
        exec_table_reset(&x->table[t]);
    exec_slabs_reset(&x->slabs);
}

gp_status exec_run_iface(exec_ctx *x, result *out, int *have_span, gp_err *err)
{
    live l = {0};
    gp_status st;

    x->first_s = x->stmt->first_s;
    x->last_s = x->stmt->last_s;
    x->append = x->plan.timed && !x->bin_s;
    atomic_store(&x->again, 0);
    GP_TRY(live_get(x, &l, err));
    if (x->opts->live)
        out->data_available = 1;
    result_stats before = out->stats;
    x->early = x->append && x->top_n;
    st = iface_once(x, &l, out, have_span, err);
    if (st == GP_OK && atomic_load(&x->again)) {
        out->stats = before;
        start_over(x);
        x->append = x->early = 0;
        exec_cut_reset(x); /* it counted groups of the first pass */
        atomic_store(&x->again, 0);
        st = iface_once(x, &l, out, have_span, err);
    }
    tell_progress(x);
    collect_stats(x, out);
    if (l.used && x->opts->live->release)
        x->opts->live->release(x->opts->live->ctx, l.handle);
    return st;
}
