/* fair.c - places, calls to hosts and bytes of a daemon, shared out between its users. */
#include "fair/fair.h"

#include "gp/cond.h"
#include "gp/mem.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

enum { WAKE_MS = 50 }; /* how soon a query that waits sees its cancel */

/* Everybody who runs or waits for something. */
typedef struct user {
    struct user *next;
    uint8_t pk[AUTH_SIGN_PK];
    int local_uid; /* of those without a key: pk is zero */
    unsigned weight;
    unsigned queries; /* of this user that exist: running or waiting */
    unsigned running, waiting, calls;
    uint64_t bytes;
} user;

struct fair_query {
    fair_query *next; /* all queries, in order of arrival */
    fair *f;
    user *u;
    int running;
    unsigned calls;   /* held, those not fetched yet included */
    unsigned granted; /* of them not fetched yet */
    unsigned wanted;  /* more */
    uint64_t bytes;
    const char *_Atomic why;
};

struct fair {
    fair_limits l;
    pthread_mutex_t lock; /* protects all below, and the fields of users and queries */
    pthread_cond_t moved; /* somebody was let in, or all are sent away */
    user *users;
    fair_query *queries, **tail;
    unsigned running, waiting, calls;
    uint64_t bytes;
    int stopped;
};

/* May somebody who holds `has` of something, of which `taken` of `all` are taken, have n more? */
static int may_have(uint64_t has, uint64_t n, uint64_t taken, uint64_t all, unsigned weight)
{
    if (taken > all || n > all - taken)
        return 0;
    uint64_t left = all - taken - n, share;
    if (has == 0)
        return 1;
    return __builtin_mul_overflow(left, (uint64_t)weight * FAIR_SHARE, &share) || has + n <= share;
}

/* 1 if a holds less than b, for their weights. */
static int holds_less(uint64_t a, unsigned weight_a, uint64_t b, unsigned weight_b)
{
    return a * weight_b < b * weight_a;
}

/* ---- users ---- */

static unsigned weight_of(const fair *f, const char *name)
{
    for (size_t i = 0; i < f->l.n_weights; i++) {
        if (strcmp(f->l.weights[i].user, name) == 0)
            return f->l.weights[i].weight;
    }
    return 1;
}

static user *user_get(fair *f, const auth_peer *who)
{
    static const uint8_t none[AUTH_SIGN_PK];
    int local_uid = memcmp(who->sign_pk, none, sizeof none) == 0 ? who->local_uid : -1;
    for (user *u = f->users; u; u = u->next) {
        if (memcmp(u->pk, who->sign_pk, sizeof u->pk) == 0 && u->local_uid == local_uid)
            return u;
    }
    user *u = gp_calloc(1, sizeof *u);
    if (!u)
        return NULL;
    memcpy(u->pk, who->sign_pk, sizeof u->pk);
    u->local_uid = local_uid;
    u->weight = weight_of(f, who->name);
    u->next = f->users;
    f->users = u;
    return u;
}

static void user_put(fair *f, user *u)
{
    if (u->queries)
        return;
    user **p = &f->users;
    while (*p != u)
        p = &(*p)->next;
    *p = u->next;
    gp_free(u);
}

/* ---- places ---- */

static int place_for(const fair *f, const user *u)
{
    return u->running < f->l.max_per_user &&
           may_have(u->running, 1, f->running, f->l.max_concurrent, u->weight);
}

/* Let in whoever's turn it is. */
static void admit_waiting(fair *f)
{
    for (;;) {
        fair_query *best = NULL;
        for (fair_query *q = f->queries; q; q = q->next) {
            if (q->running || !place_for(f, q->u))
                continue;
            if (!best || holds_less(q->u->running, q->u->weight, best->u->running, best->u->weight))
                best = q; /* of equal ones, who came first */
        }
        if (!best)
            return;
        best->running = 1;
        best->u->running++;
        best->u->waiting--;
        f->running++;
        f->waiting--;
        pthread_cond_broadcast(&f->moved);
    }
}

static void unlink_query(fair *f, fair_query *q)
{
    fair_query **p = &f->queries;
    while (*p != q) {
        assert(*p); /* it is in the list */
        p = &(*p)->next;
    }
    *p = q->next;
    if (f->tail == &q->next)
        f->tail = p;
    if (q->running) {
        f->running--;
        q->u->running--;
    } else {
        f->waiting--;
        q->u->waiting--;
    }
    q->u->queries--;
    user_put(f, q->u);
}

static gp_status no_place(const fair *f, const user *u, gp_err *err)
{
    if (u->running >= f->l.max_per_user)
        return gp_fail(err, GP_ELIMIT, 0, "%u queries of yours are running, which is the limit",
                       u->running);
    return gp_fail(err, GP_ELIMIT, 0, "too many queries at once, try again later");
}

/* With the lock held. */
static gp_status wait_for_place(fair *f, fair_query *q, gp_cancel *cancel, gp_err *err)
{
    gp_deadline end = gp_deadline_in_ms(f->l.max_queue_ms > 0 ? f->l.max_queue_ms : 0);
    while (!q->running) {
        gp_status st = gp_cancel_check(cancel);
        if (st != GP_OK)
            return gp_fail(err, st, 0, "the query was given up before its turn");
        if (f->stopped)
            return gp_fail(err, GP_EUNAVAILABLE, 0, "shutting down");
        if (gp_deadline_passed(end))
            return no_place(f, q->u, err);
        (void)gp_cond_wait(&f->moved, &f->lock, gp_deadline_in_ms(WAKE_MS));
    }
    return GP_OK;
}

static gp_status enter(fair *f, fair_query *q, const auth_peer *who, gp_cancel *cancel, gp_err *err)
{
    if (f->stopped)
        return gp_fail(err, GP_EUNAVAILABLE, 0, "shutting down");
    q->u = user_get(f, who);
    if (!q->u)
        return gp_fail(err, GP_ENOMEM, 0, "query: out of memory");
    /* The queue is shared out like the places; a user's part of it is as long as what may run. */
    if (!place_for(f, q->u) &&
        (q->u->waiting >= f->l.max_per_user ||
         !may_have(q->u->waiting, 1, f->waiting, f->l.max_waiting, q->u->weight))) {
        gp_status st = no_place(f, q->u, err);
        user_put(f, q->u);
        return st;
    }
    *f->tail = q;
    f->tail = &q->next;
    q->u->queries++;
    q->u->waiting++;
    f->waiting++;
    admit_waiting(f);
    gp_status st = wait_for_place(f, q, cancel, err);
    if (st != GP_OK)
        unlink_query(f, q);
    return st;
}

gp_status fair_enter(fair *f, const auth_peer *who, gp_cancel *cancel, fair_query **out,
                     gp_err *err)
{
    fair_query *q = gp_calloc(1, sizeof *q);
    if (!q)
        return gp_fail(err, GP_ENOMEM, 0, "query: out of memory");
    q->f = f;
    pthread_mutex_lock(&f->lock);
    gp_status st = enter(f, q, who, cancel, err);
    pthread_mutex_unlock(&f->lock);
    if (st != GP_OK) {
        gp_free(q);
        return st;
    }
    *out = q;
    return GP_OK;
}

/* ---- calls ---- */

static int call_for(const fair *f, const fair_query *q)
{
    return q->wanted && may_have(q->u->calls, 1, f->calls, f->l.max_calls, q->u->weight);
}

static void grant_call(fair *f, fair_query *q)
{
    q->wanted--;
    q->granted++;
    q->calls++;
    q->u->calls++;
    f->calls++;
}

/* Users first, then the queries of a user: many queries get nobody more. */
static int calls_before(const fair_query *a, const fair_query *b)
{
    if (a->u == b->u)
        return a->calls < b->calls;
    return holds_less(a->u->calls, a->u->weight, b->u->calls, b->u->weight);
}

static void grant_calls(fair *f)
{
    for (;;) {
        fair_query *best = NULL;
        for (fair_query *q = f->queries; q; q = q->next) {
            if (call_for(f, q) && (!best || calls_before(q, best)))
                best = q;
        }
        if (!best)
            return;
        grant_call(f, best);
    }
}

static void calls_give(fair *f, fair_query *q, unsigned n)
{
    q->calls -= n;
    q->u->calls -= n;
    f->calls -= n;
    grant_calls(f);
}

unsigned fair_calls_take(fair_query *q, unsigned want)
{
    fair *f = q->f;
    pthread_mutex_lock(&f->lock);
    q->wanted = want > q->granted ? want - q->granted : 0;
    grant_calls(f);
    unsigned got = q->granted < want ? q->granted : want, surplus = q->granted - got;
    q->granted = 0;
    if (surplus) /* it had asked for more before */
        calls_give(f, q, surplus);
    pthread_mutex_unlock(&f->lock);
    return got;
}

void fair_calls_give(fair_query *q, unsigned n)
{
    if (!n)
        return;
    pthread_mutex_lock(&q->f->lock);
    calls_give(q->f, q, n);
    pthread_mutex_unlock(&q->f->lock);
}

/* ---- bytes ---- */

static const char *over(const fair *f, const fair_query *q, uint64_t n)
{
    if (q->bytes > f->l.mem_bytes || n > f->l.mem_bytes - q->bytes)
        return "limits.query_memory";
    if (f->bytes > f->l.mem_total || n > f->l.mem_total - f->bytes)
        return "limits.total_memory";
    if (!may_have(q->u->bytes, n, f->bytes, f->l.mem_total, q->u->weight))
        return "limits.total_memory, of which some is kept for other users";
    return NULL;
}

int fair_bytes_take(fair_query *q, uint64_t n)
{
    fair *f = q->f;
    pthread_mutex_lock(&f->lock);
    const char *why = over(f, q, n);
    if (!why) {
        q->bytes += n;
        q->u->bytes += n;
        f->bytes += n;
    }
    pthread_mutex_unlock(&f->lock);
    if (why)
        atomic_store(&q->why, why);
    return !why;
}

static void bytes_give(fair *f, fair_query *q, uint64_t n)
{
    q->bytes -= n;
    q->u->bytes -= n;
    f->bytes -= n;
}

void fair_bytes_give(fair_query *q, uint64_t n)
{
    if (!n)
        return;
    pthread_mutex_lock(&q->f->lock);
    bytes_give(q->f, q, n);
    pthread_mutex_unlock(&q->f->lock);
}

const char *fair_why(const fair_query *q)
{
    return atomic_load(&q->why);
}

void fair_leave(fair_query *q)
{
    if (!q)
        return;
    fair *f = q->f;
    pthread_mutex_lock(&f->lock);
    bytes_give(f, q, q->bytes);
    q->wanted = 0;
    calls_give(f, q, q->calls);
    unlink_query(f, q);
    admit_waiting(f);
    pthread_mutex_unlock(&f->lock);
    gp_free(q);
}

/* ---- the whole ---- */

gp_status fair_new(const fair_limits *l, fair **out, gp_err *err)
{
    fair *f = gp_calloc(1, sizeof *f);
    if (!f)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    f->l = *l;
    f->tail = &f->queries;
    pthread_mutex_init(&f->lock, NULL);
    gp_cond_init(&f->moved);
    *out = f;
    return GP_OK;
}

void fair_free(fair *f)
{
    if (!f)
        return;
    pthread_cond_destroy(&f->moved);
    pthread_mutex_destroy(&f->lock);
    gp_free(f);
}

void fair_stop(fair *f)
{
    pthread_mutex_lock(&f->lock);
    f->stopped = 1;
    pthread_cond_broadcast(&f->moved);
    pthread_mutex_unlock(&f->lock);
}

void fair_count(fair *f, fair_counts *out)
{
    *out = (fair_counts){0};
    pthread_mutex_lock(&f->lock);
    for (const user *u = f->users; u; u = u->next)
        out->users++;
    out->running = f->running;
    out->waiting = f->waiting;
    out->calls = f->calls;
    out->bytes = f->bytes;
    pthread_mutex_unlock(&f->lock);
}
