/* transport_pair.c - two connected ends in memory, for tests of everything above the transport.
 *
 * One thread moves bytes and calls back, so a callback may start the next operation without
 * recursion, as with nng. A tap may change bytes on their way; partial transfers can be forced. */
#include "gp/mem.h"
#include "transport.h"

#include <pthread.h>
#include <string.h>

typedef struct pair pair;

typedef struct end {
    rpc_link link; /* first: rpc_link * is end * */
    pair *p;
    int freed, sending, receiving, dir; /* dir: of what it sends, 0 or 1 */
    rpc_iov iov[RPC_LINK_MAX_IOV];
    unsigned n_iov;
    void *buf;
    size_t cap;
} end;

typedef struct ring {
    uint8_t *bytes;
    size_t head, len; /* first byte, bytes held */
} ring;

struct pair {
    pthread_mutex_t lock; /* protects everything below and the ends' operations */
    pthread_cond_t wake;
    pthread_t thread;
    rpc_pair_opts o;
    ring ring[2]; /* indexed by direction */
    end end[2];
    int closed;
};

static void ring_put(pair *p, int dir, uint8_t *src, size_t n)
{
    ring *r = &p->ring[dir];
    for (size_t i = 0; i < n; i++)
        r->bytes[(r->head + r->len + i) % p->o.buffer] = src[i];
    r->len += n;
}

static void ring_get(pair *p, int dir, uint8_t *dst, size_t n)
{
    ring *r = &p->ring[dir];
    for (size_t i = 0; i < n; i++)
        dst[i] = r->bytes[(r->head + i) % p->o.buffer];
    r->head = (r->head + n) % p->o.buffer;
    r->len -= n;
}

static size_t at_most(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Move what fits of the end's send; bytes moved. The tap sees a copy, the caller's bytes are const.
 */
static size_t move_out(pair *p, end *e)
{
    size_t room = p->o.buffer - p->ring[e->dir].len, sent = 0;
    if (p->o.max_chunk)
        room = at_most(room, p->o.max_chunk);
    for (unsigned i = 0; i < e->n_iov && room; i++) {
        uint8_t tmp[4096];
        for (size_t off = 0; off < e->iov[i].len && room;) {
            size_t n = at_most(at_most(e->iov[i].len - off, room), sizeof tmp);
            memcpy(tmp, (uint8_t *)e->iov[i].base + off, n);
            if (p->o.tap)
                p->o.tap(p->o.tap_ctx, e->dir, tmp, n);
            ring_put(p, e->dir, tmp, n);
            off += n;
            room -= n;
            sent += n;
        }
    }
    return sent;
}

/* One operation of this end that can finish now; 1 if a callback was made. Lock held, dropped for
 * the callback. */
static int step(pair *p, end *e)
{
    size_t n = 0;
    if (e->sending && (p->closed || (n = move_out(p, e)) > 0)) {
        e->sending = 0;
        int bad = n == 0;
        pthread_mutex_unlock(&p->lock);
        e->link.on_sent(e->link.ctx, bad ? GP_EUNAVAILABLE : GP_OK, n);
        pthread_mutex_lock(&p->lock);
        return 1;
    }
    size_t have = p->ring[!e->dir].len;
    if (e->receiving && (p->closed || have)) {
        n = at_most(have, e->cap);
        if (p->o.max_chunk)
            n = at_most(n, p->o.max_chunk);
        ring_get(p, !e->dir, e->buf, n);
        e->receiving = 0;
        pthread_mutex_unlock(&p->lock);
        e->link.on_received(e->link.ctx, n ? GP_OK : GP_EUNAVAILABLE, n);
        pthread_mutex_lock(&p->lock);
        return 1;
    }
    return 0;
}

static void *run(void *arg)
{
    pair *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->end[0].freed || !p->end[1].freed) {
        int any = step(p, &p->end[0]);
        any |= step(p, &p->end[1]);
        if (!any && (!p->end[0].freed || !p->end[1].freed))
            pthread_cond_wait(&p->wake, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->wake);
    gp_free(p->ring[0].bytes);
    gp_free(p->ring[1].bytes);
    gp_free(p);
    return NULL;
}

static void pair_send(rpc_link *l, const rpc_iov *iov, unsigned n)
{
    end *e = (end *)l;
    pthread_mutex_lock(&e->p->lock);
    memcpy(e->iov, iov, n * sizeof *iov);
    e->n_iov = n;
    e->sending = 1;
    pthread_cond_signal(&e->p->wake);
    pthread_mutex_unlock(&e->p->lock);
}

static void pair_recv(rpc_link *l, void *buf, size_t cap)
{
    end *e = (end *)l;
    pthread_mutex_lock(&e->p->lock);
    e->buf = buf;
    e->cap = cap;
    e->receiving = 1;
    pthread_cond_signal(&e->p->wake);
    pthread_mutex_unlock(&e->p->lock);
}

static void pair_close(rpc_link *l)
{
    pair *p = ((end *)l)->p;
    pthread_mutex_lock(&p->lock);
    p->closed = 1;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

/* The thread frees the pair when both ends are freed; it is detached, so nobody joins it. */
static void pair_free(rpc_link *l)
{
    end *e = (end *)l;
    pair *p = e->p;
    pthread_mutex_lock(&p->lock);
    p->closed = 1;
    e->freed = 1;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

static const struct rpc_link_ops OPS = {pair_send, pair_recv, pair_close, pair_free};

gp_status rpc_pair_new(const rpc_pair_opts *o, rpc_link **a, rpc_link **b, gp_err *err)
{
    pair *p = gp_calloc(1, sizeof *p);
    if (!p)
        return gp_fail(err, GP_ENOMEM, 0, "pair: out of memory");
    if (o)
        p->o = *o;
    if (!p->o.buffer)
        p->o.buffer = 256 * 1024;
    p->ring[0].bytes = gp_alloc(p->o.buffer, 1);
    p->ring[1].bytes = gp_alloc(p->o.buffer, 1);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    for (int i = 0; i < 2; i++) {
        p->end[i] = (end){.p = p, .dir = i};
        p->end[i].link = (rpc_link){.ops = &OPS, .peer_uid = -1, .peer_gid = -1, .peer = "mem://"};
    }
    if (!p->ring[0].bytes || !p->ring[1].bytes || pthread_create(&p->thread, NULL, run, p) != 0) {
        gp_free(p->ring[0].bytes);
        gp_free(p->ring[1].bytes);
        gp_free(p);
        return gp_fail(err, GP_ENOMEM, 0, "pair: out of memory");
    }
    pthread_detach(p->thread);
    *a = &p->end[0].link;
    *b = &p->end[1].link;
    return GP_OK;
}
