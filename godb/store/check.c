/* check.c - check a database: days are handed out to threads, findings come out in order. */
#include "godb/check.h"

#include "checkday.h"
#include "db.h"
#include "dirs.h"
#include "gp/mem.h"
#include "gp/pool.h"
#include "kind.h"

#include <pthread.h>
#include <stdatomic.h>

enum { MAX_THREADS = 64 };

/* One day of the work list; or, without a day, the names of an interface. */
struct item {
    godb_dayref *ref;
    godb_findings f;
    godb_checked done;
    atomic_int ready;
};

struct check {
    const godb_db *db;
    const godb_check_opts *o;
    godb_problem_fn fn;
    void *ctx;
    godb_check_stats *stats;
    struct item *items;
    size_t n, cap;
    godb_days *days; /* of each interface; items point into them */
    size_t n_ifaces;
    atomic_size_t next; /* item to take */
    size_t reported;    /* items whose findings went out; only the calling thread */
    pthread_t caller;
    gp_cancel stop;       /* set by the first failure */
    pthread_mutex_t lock; /* protects err */
    gp_err err;
};

static void fail(struct check *c, gp_status st, const gp_err *err)
{
    pthread_mutex_lock(&c->lock);
    if (c->err.code == GP_OK) {
        c->err = *err;
        c->err.code = st;
    }
    pthread_mutex_unlock(&c->lock);
    gp_cancel_set(&c->stop, st);
}

/* Calling thread: report the finished items at the front. */
static void report_ready(struct check *c)
{
    while (c->reported < c->n) {
        struct item *it = &c->items[c->reported];
        if (!atomic_load_explicit(&it->ready, memory_order_acquire))
            return;
        godb_findings_report(&it->f, c->fn, c->ctx, c->stats);
        godb_findings_free(&it->f);
        c->stats->days += it->ref != NULL;
        c->stats->blocks += it->done.blocks;
        c->stats->rows += it->done.rows;
        c->stats->stored_bytes += it->done.stored_bytes;
        c->stats->raw_bytes += it->done.raw_bytes;
        c->reported++;
        if (c->o->progress)
            c->o->progress(c->o->progress_ctx, c->stats->days, c->n - c->n_ifaces);
    }
}

static void work(void *ctx, unsigned i)
{
    struct check *c = ctx;
    GP_CLEANUP(godb_reader_freep) godb_reader *r = NULL;
    gp_err err = {0};

    (void)i;
    gp_status st = godb_reader_new(&r, &err);
    while (st == GP_OK) {
        size_t k = atomic_fetch_add(&c->next, 1);
        if (k >= c->n || gp_cancel_check(&c->stop) != GP_OK)
            break;
        st = gp_cancel_check(c->o->cancel);
        if (st != GP_OK)
            gp_fail(&err, st, 0, "check: %s", gp_status_name(st));
        else if (c->items[k].ref)
            st = godb_check_day(c->db, r, c->items[k].ref, c->o->no_rows, &c->items[k].f,
                                &c->items[k].done, &err);
        if (st != GP_OK)
            break;
        atomic_store_explicit(&c->items[k].ready, 1, memory_order_release);
        if (pthread_equal(pthread_self(), c->caller))
            report_ready(c);
    }
    if (st != GP_OK)
        fail(c, st, &err);
}

/* Room for n more items; they are zeroed. */
static gp_status more_items(struct check *c, size_t n, gp_err *err)
{
    if (c->n + n > c->cap) {
        size_t cap = 2 * (c->n + n);
        struct item *v = gp_calloc(cap, sizeof *v);
        if (!v)
            return gp_fail(err, GP_ENOMEM, 0, "check: out of memory for %zu days", cap);
        if (c->n)
            memcpy(v, c->items, c->n * sizeof *v);
        gp_free(c->items);
        c->items = v;
        c->cap = cap;
    }
    return GP_OK;
}

/* An interface's names, then its days. */
static gp_status add_iface(struct check *c, const char *iface, gp_err *err)
{
    godb_days *days = &c->days[c->n_ifaces];

    GP_TRY(more_items(c, 1, err));
    struct item *names = &c->items[c->n++];
    GP_TRY(godb_check_names(c->db, iface, c->o->first_s, c->o->last_s, days, &names->f, err));
    c->n_ifaces++;
    GP_TRY(more_items(c, days->n, err));
    for (size_t i = 0; i < days->n; i++)
        c->items[c->n++].ref = &days->v[i];
    return GP_OK;
}

static gp_status check_items(struct check *c, gp_err *err)
{
    unsigned threads = c->o->threads ? c->o->threads : gp_cpu_count();

    if (threads > MAX_THREADS)
        threads = MAX_THREADS;
    if (threads > c->n)
        threads = c->n ? (unsigned)c->n : 1;
    c->caller = pthread_self();
    GP_TRY(gp_parallel(threads, work, c, err));
    report_ready(c);
    if (c->err.code != GP_OK && err)
        *err = c->err;
    return c->err.code;
}

static gp_status check_all(struct check *c, const char *const *names, gp_err *err)
{
    size_t n = 0;

    while (names[n])
        n++;
    c->days = gp_calloc(n + 1, sizeof *c->days);
    if (!c->days)
        return gp_fail(err, GP_ENOMEM, 0, "check: out of memory");
    for (size_t i = 0; i < n; i++)
        GP_TRY(add_iface(c, names[i], err));
    c->stats->ifaces = n;
    return check_items(c, err);
}

static void free_check(struct check *c)
{
    for (size_t i = 0; i < c->n; i++)
        godb_findings_free(&c->items[i].f);
    for (size_t i = 0; i < c->n_ifaces; i++)
        godb_days_free(&c->days[i]);
    gp_free(c->items);
    gp_free(c->days);
}

static gp_status root_entry(void *ctx, const char *name, int is_dir)
{
    struct check *c = ctx;
    godb_findings f = {0};

    if (!is_dir || strncmp(name, GODB_STAGE_PREFIX, strlen(GODB_STAGE_PREFIX)) != 0)
        return GP_OK;
    godb_spot at = {.path = name, .block = -1, .col = -1};
    godb_find(&f, GODB_PROBLEM_MERGE_LEFTOVER, GODB_WARNING, &at,
              "staging tree of a running or interrupted merge; the reference takes it for an "
              "interface");
    godb_findings_report(&f, c->fn, c->ctx, c->stats);
    godb_findings_free(&f);
    return GP_OK;
}

gp_status godb_check(const godb_db *db, const godb_check_opts *opts, godb_problem_fn fn, void *ctx,
                     godb_check_stats *stats, gp_err *err)
{
    static const godb_check_opts defaults = GODB_CHECK_OPTS_INIT;
    struct check c = {.db = db,
                      .o = opts ? opts : &defaults,
                      .fn = fn,
                      .ctx = ctx,
                      .stats = stats,
                      .stop = GP_CANCEL_INIT,
                      .lock = PTHREAD_MUTEX_INITIALIZER};
    char **all = NULL;
    size_t n = 0;

    *stats = (godb_check_stats){0};
    GP_TRY(godb_db_require(db, err));
    if (!c.o->ifaces) {
        GP_TRY(godb_dir_each(db->fd, root_entry, &c, err));
        GP_TRY(godb_db_ifaces(db, &all, &n, err));
    }
    gp_status st = check_all(&c, c.o->ifaces ? c.o->ifaces : (const char *const *)all, err);
    free_check(&c);
    godb_strv_free(all);
    return st;
}
