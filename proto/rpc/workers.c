/* workers.c - a worker pool with one queue per peer, served in turn.
 *
 * A few threads are always there. When all of them are held up in handlers (waiting for a slow
 * reader or for other hosts) and nothing was taken from the queues for some ms, one more is
 * started, up to a limit; it ends after some idle seconds. So one slow caller cannot stop the
 * others. */
#include "workers.h"

#include "gp/cond.h"
#include "gp/mem.h"

#include <pthread.h>
#include <string.h>

enum { STALL_MS = 5, IDLE_S = 5, BUCKETS = 256 };

struct rpc_peer {
    uint8_t key[AUTH_SIGN_PK];
    rpc_peer *hash_next;
    unsigned conns, queued, running;
    double tokens;
    int64_t refilled_ns;
    rpc_job *head, **tail; /* calls that wait */
    rpc_peer *ring_next;   /* turn order; only meaningful while in_ring */
    int in_ring;
};

struct rpc_sched {
    pthread_mutex_t lock; /* protects everything below */
    pthread_cond_t work, gone;
    rpc_sched_opts o;
    rpc_wheel *wheel;
    rpc_peer *peers[BUCKETS];
    rpc_job *jobs, **jobs_tail;
    rpc_peer *ring, **ring_tail; /* peers with calls that may run */
    unsigned threads, idle, blocked;
    uint64_t taken, taken_at_check;
    rpc_timer check;
    int check_armed, stop;
};

static void *worker(void *arg);

static int has_work(const rpc_sched *s)
{
    return s->jobs || s->ring;
}

/* Lock held. Failure is no error: the threads that are there do the work. */
static void start_thread(rpc_sched *s)
{
    pthread_t t;
    if (s->threads >= s->o.max_workers || s->stop)
        return;
    s->threads++;
    if (pthread_create(&t, NULL, worker, s) != 0) {
        s->threads--;
        return;
    }
    pthread_detach(t);
}

static void check_stall(void *arg);

static void arm_check(rpc_sched *s)
{
    if (s->check_armed || s->stop || s->threads >= s->o.max_workers)
        return;
    s->check_armed = 1;
    s->taken_at_check = s->taken;
    rpc_timer_set(s->wheel, &s->check, gp_mono_ns() + STALL_MS * INT64_C(1000000), check_stall, s);
}

/* Timer: work waits and nobody took any since the last look. */
static void check_stall(void *arg)
{
    rpc_sched *s = arg;
    pthread_mutex_lock(&s->lock);
    s->check_armed = 0;
    if (s->stop)
        pthread_cond_broadcast(&s->gone);
    if (has_work(s) && !s->idle) {
        if (s->taken == s->taken_at_check)
            start_thread(s);
        arm_check(s);
    }
    pthread_mutex_unlock(&s->lock);
}

/* Lock held: something was queued. */
static void wake_one(rpc_sched *s)
{
    if (s->idle)
        pthread_cond_signal(&s->work);
    else if (s->threads - s->blocked < s->o.workers)
        start_thread(s);
    else
        arm_check(s);
}

gp_status rpc_sched_new(const rpc_sched_opts *o, rpc_wheel *wheel, rpc_sched **out, gp_err *err)
{
    rpc_sched *s = gp_calloc(1, sizeof *s);
    if (!s)
        return gp_fail(err, GP_ENOMEM, 0, "scheduler: out of memory");
    s->o = *o;
    s->wheel = wheel;
    s->jobs_tail = &s->jobs;
    s->ring_tail = &s->ring;
    pthread_mutex_init(&s->lock, NULL);
    gp_cond_init(&s->work);
    gp_cond_init(&s->gone);
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < o->workers; i++)
        start_thread(s);
    int none = s->threads == 0;
    pthread_mutex_unlock(&s->lock);
    if (none) {
        rpc_sched_free(s);
        return gp_fail(err, GP_EIO, 0, "scheduler: cannot start a thread");
    }
    *out = s;
    return GP_OK;
}

void rpc_sched_free(rpc_sched *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stop = 1;
    pthread_cond_broadcast(&s->work);
    if (s->check_armed && rpc_timer_cancel(s->wheel, &s->check))
        s->check_armed = 0;
    while (s->threads || s->check_armed)
        pthread_cond_wait(&s->gone, &s->lock);
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < BUCKETS; i++)
        while (s->peers[i]) {
            rpc_peer *next = s->peers[i]->hash_next;
            gp_free(s->peers[i]);
            s->peers[i] = next;
        }
    pthread_cond_destroy(&s->work);
    pthread_cond_destroy(&s->gone);
    pthread_mutex_destroy(&s->lock);
    gp_free(s);
}

void rpc_sched_run(rpc_sched *s, rpc_job *j)
{
    j->next = NULL;
    pthread_mutex_lock(&s->lock);
    *s->jobs_tail = j;
    s->jobs_tail = &j->next;
    wake_one(s);
    pthread_mutex_unlock(&s->lock);
}

/* Put the peer at the end of the turn order if it has calls that may run. */
static void ring_add(rpc_sched *s, rpc_peer *p)
{
    if (p->in_ring || !p->head || p->running >= s->o.max_per_peer)
        return;
    p->in_ring = 1;
    p->ring_next = NULL;
    *s->ring_tail = p;
    s->ring_tail = &p->ring_next;
}

void rpc_sched_call(rpc_sched *s, rpc_peer *p, rpc_job *j)
{
    j->next = NULL;
    pthread_mutex_lock(&s->lock);
    *p->tail = j;
    p->tail = &j->next;
    p->queued++;
    ring_add(s, p);
    if (p->in_ring)
        wake_one(s);
    pthread_mutex_unlock(&s->lock);
}

void rpc_sched_blocking(rpc_sched *s)
{
    pthread_mutex_lock(&s->lock);
    s->blocked++;
    if (has_work(s))
        wake_one(s);
    pthread_mutex_unlock(&s->lock);
}

void rpc_sched_unblocked(rpc_sched *s)
{
    pthread_mutex_lock(&s->lock);
    s->blocked--;
    pthread_mutex_unlock(&s->lock);
}

/* A peer is forgotten when nothing of it is left. Lock held. */
static void drop_peer(rpc_sched *s, rpc_peer *p)
{
    if (p->conns || p->queued || p->running)
        return;
    /* Its tokens must not fill up by reconnecting: keep it until they are full anyway. */
    if (s->o.calls_per_s > 0 && p->tokens < (double)s->o.burst &&
        (double)(gp_mono_ns() - p->refilled_ns) * 1e-9 * s->o.calls_per_s + p->tokens <
            (double)s->o.burst)
        return;
    rpc_peer **at = &s->peers[gp_le32(p->key) % BUCKETS];
    while (*at != p)
        at = &(*at)->hash_next;
    *at = p->hash_next;
    gp_free(p);
}

/* Take the next call in turn; lock held. */
static rpc_job *next_call(rpc_sched *s, rpc_peer **peer)
{
    rpc_peer *p = s->ring;
    s->ring = p->ring_next;
    if (!s->ring)
        s->ring_tail = &s->ring;
    p->in_ring = 0;
    rpc_job *j = p->head;
    p->head = j->next;
    if (!p->head)
        p->tail = &p->head;
    p->queued--;
    p->running++;
    ring_add(s, p);
    *peer = p;
    return j;
}

static void run_one(rpc_sched *s)
{
    rpc_peer *p = NULL;
    rpc_job *j = s->jobs;
    if (j) {
        s->jobs = j->next;
        if (!s->jobs)
            s->jobs_tail = &s->jobs;
    } else {
        j = next_call(s, &p);
    }
    s->taken++;
    if (has_work(s) && !s->idle)
        arm_check(s); /* in case this job holds us up */
    pthread_mutex_unlock(&s->lock);
    j->fn(j->arg);
    pthread_mutex_lock(&s->lock);
    if (p) {
        p->running--;
        ring_add(s, p);
        drop_peer(s, p);
    }
}

/* Wait for work; 0 when this thread is to end. Lock held. */
static int wait_for_work(rpc_sched *s)
{
    while (!has_work(s)) {
        if (s->stop)
            return 0;
        int spare = s->threads - s->blocked > s->o.workers;
        s->idle++;
        int over =
            gp_cond_wait(&s->work, &s->lock, spare ? gp_deadline_in_ms(IDLE_S * 1000) : GP_NEVER);
        s->idle--;
        if (over && !has_work(s) && s->threads - s->blocked > s->o.workers)
            return 0;
    }
    return 1;
}

static void *worker(void *arg)
{
    rpc_sched *s = arg;
    pthread_setname_np(pthread_self(), "rpc-worker");
    pthread_mutex_lock(&s->lock);
    while (wait_for_work(s))
        run_one(s);
    if (--s->threads == 0)
        pthread_cond_broadcast(&s->gone);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- peers ---- */

rpc_peer *rpc_peer_get(rpc_sched *s, const uint8_t key[AUTH_SIGN_PK], unsigned max_conns, int *full)
{
    *full = 0;
    pthread_mutex_lock(&s->lock);
    rpc_peer **head = &s->peers[gp_le32(key) % BUCKETS], *p = *head;
    while (p && memcmp(p->key, key, AUTH_SIGN_PK) != 0)
        p = p->hash_next;
    if (!p && (p = gp_calloc(1, sizeof *p)) != NULL) {
        memcpy(p->key, key, AUTH_SIGN_PK);
        p->tail = &p->head;
        p->tokens = s->o.burst;
        p->refilled_ns = gp_mono_ns();
        p->hash_next = *head;
        *head = p;
    }
    if (p && p->conns >= max_conns) {
        *full = 1;
        p = NULL;
    }
    if (p)
        p->conns++;
    pthread_mutex_unlock(&s->lock);
    return p;
}

void rpc_peer_put(rpc_sched *s, rpc_peer *p)
{
    pthread_mutex_lock(&s->lock);
    p->conns--;
    drop_peer(s, p);
    pthread_mutex_unlock(&s->lock);
}

int rpc_peer_may_call(rpc_sched *s, rpc_peer *p)
{
    if (s->o.calls_per_s <= 0)
        return 1;
    pthread_mutex_lock(&s->lock);
    int64_t now = gp_mono_ns();
    p->tokens += (double)(now - p->refilled_ns) * 1e-9 * s->o.calls_per_s;
    if (p->tokens > (double)s->o.burst)
        p->tokens = (double)s->o.burst;
    p->refilled_ns = now;
    int ok = p->tokens >= 1;
    if (ok)
        p->tokens -= 1;
    pthread_mutex_unlock(&s->lock);
    return ok;
}
