/* pool.c - worker threads around one ring of jobs, and fork-join; see gp/pool.h. */
#include "gp/pool.h"

#include "gp/mem.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>

enum { MAX_THREADS = 256, FIRST_RING = 64, NAME_LEN = 16 };

struct job {
    gp_job fn;
    void *arg;
};

struct gp_pool {
    pthread_mutex_t lock; /* protects everything from here to `threads` */
    pthread_cond_t work;  /* a job was queued, or stopping was set */
    pthread_cond_t idle;  /* queued + running fell to 0 */
    struct job *ring;
    size_t ring_cap, first, queued; /* jobs ring[(first + i) % ring_cap], i < queued */
    size_t max_queued;              /* 0 = unlimited */
    size_t running;
    int stopping;
    pthread_t *threads; /* written by new and free only */
    unsigned n_threads;
    char name[NAME_LEN]; /* "<name>-<i>" is what the kernel shows, 15 bytes */
};

/* Signals are for the main thread. Those that a thread raises itself stay open: blocked, they
 * would kill the process without its handlers (sanitizers, seccomp reports). */
static void block_signals(sigset_t *old)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGTRAP, SIGABRT, SIGPROF};
    sigset_t set;

    (void)sigfillset(&set);
    for (size_t i = 0; i < GP_COUNT(own); i++)
        (void)sigdelset(&set, own[i]);
    (void)pthread_sigmask(SIG_SETMASK, &set, old);
}

static void *worker(void *arg)
{
    gp_pool *p = arg;

    (void)pthread_mutex_lock(&p->lock);
    for (;;) {
        while (p->queued == 0 && !p->stopping)
            (void)pthread_cond_wait(&p->work, &p->lock);
        if (p->queued == 0)
            break; /* stopping, and nothing left to do */
        struct job j = p->ring[p->first];
        p->first = (p->first + 1) % p->ring_cap;
        p->queued--;
        p->running++;
        (void)pthread_mutex_unlock(&p->lock);
        j.fn(j.arg);
        (void)pthread_mutex_lock(&p->lock);
        p->running--;
        if (p->running == 0 && p->queued == 0)
            (void)pthread_cond_broadcast(&p->idle);
    }
    (void)pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Start the threads with signals blocked. On failure n_threads tells how many are running. */
static int start_threads(gp_pool *p, unsigned want)
{
    sigset_t old;
    int rc = 0;

    block_signals(&old);
    while (p->n_threads < want && rc == 0) {
        rc = pthread_create(&p->threads[p->n_threads], NULL, worker, p);
        if (rc == 0) {
            char name[NAME_LEN + 16];
            (void)snprintf(name, sizeof name, "%.11s-%u", p->name, p->n_threads);
            (void)pthread_setname_np(p->threads[p->n_threads], name); /* only for people */
            p->n_threads++;
        }
    }
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

gp_status gp_pool_new(unsigned n_threads, size_t max_queued, const char *name, gp_pool **out,
                      gp_err *err)
{
    if (n_threads < 1 || n_threads > MAX_THREADS)
        return gp_fail(err, GP_EINVAL, 0, "thread pool %s: 1 to %d threads, not %u", name,
                       MAX_THREADS, n_threads);
    gp_pool *p = gp_calloc(1, sizeof *p);
    if (!p)
        return gp_fail(err, GP_ENOMEM, 0, "thread pool %s: out of memory", name);
    p->max_queued = max_queued;
    (void)snprintf(p->name, sizeof p->name, "%s", name);
    (void)pthread_mutex_init(&p->lock, NULL); /* glibc: cannot fail with default attributes */
    (void)pthread_cond_init(&p->work, NULL);
    (void)pthread_cond_init(&p->idle, NULL);
    p->threads = gp_calloc(n_threads, sizeof *p->threads);
    if (!p->threads) {
        gp_pool_free(p);
        return gp_fail(err, GP_ENOMEM, 0, "thread pool %s: out of memory", name);
    }
    int rc = start_threads(p, n_threads);
    if (rc != 0) {
        gp_pool_free(p);
        return gp_fail(err, GP_ELIMIT, rc, "thread pool %s: cannot start %u threads", name,
                       n_threads);
    }
    *out = p;
    return GP_OK;
}

/* Double the ring; its jobs move to the front in order. Called with the lock held. */
static int grow_ring(gp_pool *p)
{
    size_t cap;

    if (__builtin_mul_overflow(p->ring_cap, 2, &cap))
        return 0;
    if (cap == 0)
        cap = FIRST_RING;
    struct job *ring = gp_alloc(cap, sizeof *ring);
    if (!ring)
        return 0;
    for (size_t i = 0; i < p->queued; i++)
        ring[i] = p->ring[(p->first + i) % p->ring_cap];
    gp_free(p->ring);
    p->ring = ring;
    p->ring_cap = cap;
    p->first = 0;
    return 1;
}

gp_status gp_pool_submit(gp_pool *p, gp_job fn, void *arg)
{
    gp_status st = GP_OK;

    (void)pthread_mutex_lock(&p->lock);
    if (p->stopping) {
        st = GP_EUNAVAILABLE;
    } else if (p->max_queued && p->queued >= p->max_queued) {
        st = GP_ELIMIT;
    } else if (p->queued == p->ring_cap && !grow_ring(p)) {
        st = GP_ENOMEM;
    } else {
        p->ring[(p->first + p->queued) % p->ring_cap] = (struct job){fn, arg};
        p->queued++;
        (void)pthread_cond_signal(&p->work);
    }
    (void)pthread_mutex_unlock(&p->lock);
    return st;
}

void gp_pool_wait(gp_pool *p)
{
    (void)pthread_mutex_lock(&p->lock);
    while (p->queued > 0 || p->running > 0)
        (void)pthread_cond_wait(&p->idle, &p->lock);
    (void)pthread_mutex_unlock(&p->lock);
}

void gp_pool_stop(gp_pool *p)
{
    (void)pthread_mutex_lock(&p->lock);
    p->stopping = 1;
    (void)pthread_cond_broadcast(&p->work);
    (void)pthread_mutex_unlock(&p->lock);
}

void gp_pool_free(gp_pool *p)
{
    if (!p)
        return;
    gp_pool_stop(p);
    for (unsigned i = 0; i < p->n_threads; i++)
        (void)pthread_join(p->threads[i], NULL);
    (void)pthread_cond_destroy(&p->idle);
    (void)pthread_cond_destroy(&p->work);
    (void)pthread_mutex_destroy(&p->lock);
    gp_free(p->threads);
    gp_free(p->ring);
    gp_free(p);
}

struct share {
    void (*fn)(void *ctx, unsigned i);
    void *ctx;
    unsigned i;
    pthread_t thread;
};

static void *run_share(void *arg)
{
    struct share *s = arg;

    s->fn(s->ctx, s->i);
    return NULL;
}

gp_status gp_parallel(unsigned n, void (*fn)(void *ctx, unsigned i), void *ctx, gp_err *err)
{
    struct share shares[MAX_THREADS];
    unsigned started = 1; /* share 0 is the caller's */
    sigset_t old;

    if (n > MAX_THREADS)
        return gp_fail(err, GP_EINVAL, 0, "at most %d parallel threads, not %u", MAX_THREADS, n);
    if (n == 0)
        return GP_OK;
    if (n > 1)
        block_signals(&old);
    for (; started < n; started++) {
        struct share *s = &shares[started];
        *s = (struct share){.fn = fn, .ctx = ctx, .i = started};
        if (pthread_create(&s->thread, NULL, run_share, s) != 0)
            break;
    }
    if (n > 1)
        (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    fn(ctx, 0);
    for (unsigned i = started; i < n; i++) /* no more threads to be had: slower, but complete */
        fn(ctx, i);
    for (unsigned i = 1; i < started; i++)
        (void)pthread_join(shares[i].thread, NULL);
    return GP_OK;
}
