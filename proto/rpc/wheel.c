/* wheel.c - a hashed timing wheel with one thread that sleeps until the next occupied slot. */
#include "wheel.h"

#include "gp/cond.h"
#include "gp/mem.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

enum { SLOTS = 1024, WORDS = SLOTS / 64 };
#define TICK_NS INT64_C(8000000) /* one turn takes 8.2 s; later timers stay in their slot */

struct rpc_wheel {
    pthread_mutex_t lock; /* protects everything below and all armed timers */
    pthread_cond_t wake;
    pthread_t thread;
    rpc_timer slot[SLOTS]; /* list heads */
    uint64_t used[WORDS];  /* bit per slot with timers */
    rpc_timer soon;        /* list head: due at once */
    int64_t now_tick;      /* every slot up to it was looked at */
    int64_t sleep_tick;    /* the thread sleeps until then */
    int stop;
};

static void list_init(rpc_timer *h)
{
    h->next = h->prev = h;
}

static void list_add(rpc_timer *h, rpc_timer *t)
{
    t->prev = h->prev;
    t->next = h;
    h->prev->next = t;
    h->prev = t;
}

static void list_del(rpc_timer *t)
{
    t->prev->next = t->next;
    t->next->prev = t->prev;
    t->next = t->prev = NULL;
}

/* First tick at which a timer due then may fire. */
static int64_t tick_of(int64_t due_ns)
{
    return due_ns / TICK_NS + 1;
}

/* The next occupied slot after now_tick, as a tick; INT64_MAX if none. */
static int64_t next_tick(const rpc_wheel *w)
{
    for (int64_t i = 1; i <= SLOTS; i++) {
        size_t s = (size_t)((w->now_tick + i) % SLOTS);
        if (w->used[s / 64] == 0 && s % 64 == 0)
            i += 63;
        else if (w->used[s / 64] >> (s % 64) & 1)
            return w->now_tick + i;
    }
    return INT64_MAX;
}

/* Fire t; the lock is dropped around the call. t may be freed by it. */
static void fire(rpc_wheel *w, rpc_timer *t)
{
    void (*fn)(void *) = t->fn;
    void *arg = t->arg;
    list_del(t);
    t->armed = 0;
    pthread_mutex_unlock(&w->lock);
    fn(arg);
    pthread_mutex_lock(&w->lock);
}

/* Fire what is due in one slot. Those due move to a list of their own first, because firing drops
 * the lock and the slot may then change; they stay cancellable there. */
static void run_slot(rpc_wheel *w, size_t s, int64_t now_ns)
{
    rpc_timer due;
    list_init(&due);
    for (rpc_timer *t = w->slot[s].next, *next; t != &w->slot[s]; t = next) {
        next = t->next;
        if (t->due_ns <= now_ns) {
            list_del(t);
            list_add(&due, t);
        }
    }
    if (w->slot[s].next == &w->slot[s])
        w->used[s / 64] &= ~(UINT64_C(1) << (s % 64));
    while (due.next != &due && !w->stop)
        fire(w, due.next);
    while (due.next != &due) { /* stopping: leave nothing that points to our stack */
        due.next->armed = 0;
        list_del(due.next);
    }
}

static void sleep_until(rpc_wheel *w, int64_t tick)
{
    w->sleep_tick = tick;
    (void)gp_cond_wait(&w->wake, &w->lock, tick == INT64_MAX ? GP_NEVER : tick * TICK_NS);
    w->sleep_tick = 0;
}

static void *run(void *arg)
{
    rpc_wheel *w = arg;
    pthread_mutex_lock(&w->lock);
    while (!w->stop) {
        while (w->soon.next != &w->soon && !w->stop)
            fire(w, w->soon.next);
        int64_t now_ns = gp_mono_ns(), tick = now_ns / TICK_NS;
        int64_t steps = tick - w->now_tick;
        if (steps > SLOTS) /* a long sleep: each slot once is enough */
            w->now_tick = tick - SLOTS;
        while (w->now_tick < tick && !w->stop) {
            w->now_tick++;
            size_t s = (size_t)(w->now_tick % SLOTS);
            if (w->used[s / 64] >> (s % 64) & 1)
                run_slot(w, s, now_ns);
        }
        if (!w->stop && w->soon.next == &w->soon)
            sleep_until(w, next_tick(w));
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

gp_status rpc_wheel_new(rpc_wheel **out, gp_err *err)
{
    rpc_wheel *w = gp_calloc(1, sizeof *w);
    if (!w)
        return gp_fail(err, GP_ENOMEM, 0, "timers: out of memory");
    pthread_mutex_init(&w->lock, NULL);
    gp_cond_init(&w->wake);
    for (size_t i = 0; i < SLOTS; i++)
        list_init(&w->slot[i]);
    list_init(&w->soon);
    w->now_tick = gp_mono_ns() / TICK_NS;
    int rv = pthread_create(&w->thread, NULL, run, w);
    if (rv) {
        gp_free(w);
        return gp_fail(err, GP_EIO, rv, "timers: cannot start a thread");
    }
    pthread_setname_np(w->thread, "rpc-timer");
    *out = w;
    return GP_OK;
}

void rpc_wheel_free(rpc_wheel *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = 1;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wake);
    gp_free(w);
}

void rpc_timer_set(rpc_wheel *w, rpc_timer *t, int64_t due_ns, void (*fn)(void *arg), void *arg)
{
    pthread_mutex_lock(&w->lock);
    t->due_ns = due_ns;
    t->fn = fn;
    t->arg = arg;
    t->armed = 1;
    if (due_ns == 0) {
        list_add(&w->soon, t);
        if (w->sleep_tick)
            pthread_cond_signal(&w->wake);
    } else {
        int64_t tick = tick_of(due_ns);
        if (tick <= w->now_tick)
            tick = w->now_tick + 1;
        size_t s = (size_t)(tick % SLOTS);
        list_add(&w->slot[s], t);
        w->used[s / 64] |= UINT64_C(1) << (s % 64);
        if (tick < w->sleep_tick)
            pthread_cond_signal(&w->wake);
    }
    pthread_mutex_unlock(&w->lock);
}

int rpc_timer_cancel(rpc_wheel *w, rpc_timer *t)
{
    pthread_mutex_lock(&w->lock);
    int was = t->armed;
    if (was) {
        list_del(t);
        t->armed = 0;
    }
    pthread_mutex_unlock(&w->lock);
    return was;
}
