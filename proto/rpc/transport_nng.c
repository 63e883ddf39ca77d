/* transport_nng.c - streams over nng 1.5.2: dial, listen, accept, send, receive.
 *
 * Known of nng (libraries.md 1): transfers may be partial, a callback must neither block nor free
 * its own aio, an aio carries at most 8 buffers, and its host name lookup has no time limit, so
 * only numeric addresses come here. */
#include "gp/mem.h"
#include "transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <nng/nng.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct nng_link {
    rpc_link link; /* first: rpc_link * is nng_link * */
    nng_stream *stream;
    nng_aio *tx, *rx;
    atomic_int closed;
} nng_link;

static gp_status fail_nng(gp_err *err, int rv, const char *what)
{
    gp_status st = rv == NNG_ETIMEDOUT    ? GP_EDEADLINE
                   : rv == NNG_ENOMEM     ? GP_ENOMEM
                   : rv == NNG_ECANCELED  ? GP_ECANCELLED
                   : rv == NNG_EADDRINUSE ? GP_EEXIST
                   : rv == NNG_EADDRINVAL ? GP_EINVAL
                   : rv == NNG_EPERM      ? GP_EDENIED
                                          : GP_EUNAVAILABLE;
    const char *text = rv == NNG_ETIMEDOUT ? "no answer in time" : nng_strerror(rv);
    return gp_fail(err, st, 0, "%s: %s", what, text);
}

gp_status rpc_nng_init(gp_err *err)
{
    nng_aio *aio = NULL;
    int rv = nng_aio_alloc(&aio, NULL, NULL); /* the smallest call that sets nng up */
    if (rv)
        return gp_fail(err, rv == NNG_ENOMEM ? GP_ENOMEM : GP_EIO, 0, "rpc: nng: %s",
                       nng_strerror(rv));
    nng_aio_free(aio);
    return GP_OK;
}

static void tx_done(void *arg)
{
    nng_link *l = arg;
    int rv = nng_aio_result(l->tx);
    size_t n = nng_aio_count(l->tx);
    l->link.on_sent(l->link.ctx, rv || n == 0 ? GP_EUNAVAILABLE : GP_OK, rv ? 0 : n);
}

static void rx_done(void *arg)
{
    nng_link *l = arg;
    int rv = nng_aio_result(l->rx);
    size_t n = nng_aio_count(l->rx);
    l->link.on_received(l->link.ctx, rv || n == 0 ? GP_EUNAVAILABLE : GP_OK, rv ? 0 : n);
}

static void link_send(rpc_link *link, const rpc_iov *iov, unsigned n)
{
    nng_link *l = (nng_link *)link;
    nng_iov v[RPC_LINK_MAX_IOV];
    for (unsigned i = 0; i < n && i < RPC_LINK_MAX_IOV; i++)
        v[i] = (nng_iov){.iov_buf = iov[i].base, .iov_len = iov[i].len};
    nng_aio_set_iov(l->tx, n, v);
    nng_stream_send(l->stream, l->tx);
    if (atomic_load(&l->closed)) /* see link_close */
        nng_aio_abort(l->tx, NNG_ECLOSED);
}

static void link_recv(rpc_link *link, void *buf, size_t cap)
{
    nng_link *l = (nng_link *)link;
    nng_iov v = {.iov_buf = buf, .iov_len = cap};
    nng_aio_set_iov(l->rx, 1, &v);
    nng_stream_recv(l->stream, l->rx);
    if (atomic_load(&l->closed))
        nng_aio_abort(l->rx, NNG_ECLOSED);
}

/* nng 1.5.2 never finishes an operation that starts on a closed stream (seen: it hangs for ever).
 * So closing aborts what is under way, and whoever starts an operation looks afterwards. */
static void link_close(rpc_link *link)
{
    nng_link *l = (nng_link *)link;
    if (atomic_exchange(&l->closed, 1))
        return;
    nng_stream_close(l->stream);
    nng_aio_abort(l->tx, NNG_ECLOSED);
    nng_aio_abort(l->rx, NNG_ECLOSED);
}

static void link_free(rpc_link *link)
{
    nng_link *l = (nng_link *)link;
    nng_stream_close(l->stream);
    nng_aio_free(l->tx); /* wait for a callback that is just returning */
    nng_aio_free(l->rx);
    nng_stream_free(l->stream);
    gp_free(l);
}

static const struct rpc_link_ops OPS = {link_send, link_recv, link_close, link_free};

/* "tcp://10.0.0.1:5151" of the peer; for ipc the address we know. */
static void peer_text(nng_stream *s, const char *addr, char out[RPC_ADDR_MAX])
{
    nng_sockaddr sa;
    char ip[INET6_ADDRSTRLEN] = "?";
    snprintf(out, RPC_ADDR_MAX, "%s", addr);
    if (nng_stream_get_addr(s, NNG_OPT_REMADDR, &sa) != 0)
        return;
    if (sa.s_family == NNG_AF_INET) {
        inet_ntop(AF_INET, &sa.s_in.sa_addr, ip, sizeof ip);
        snprintf(out, RPC_ADDR_MAX, "tcp://%s:%u", ip, ntohs(sa.s_in.sa_port));
    } else if (sa.s_family == NNG_AF_INET6) {
        inet_ntop(AF_INET6, sa.s_in6.sa_addr, ip, sizeof ip);
        snprintf(out, RPC_ADDR_MAX, "tcp://[%s]:%u", ip, ntohs(sa.s_in6.sa_port));
    }
}

/* Takes over s in any case. */
static rpc_link *wrap(nng_stream *s, const char *addr)
{
    nng_link *l = gp_calloc(1, sizeof *l);
    if (!l || nng_aio_alloc(&l->tx, tx_done, l) != 0 || nng_aio_alloc(&l->rx, rx_done, l) != 0) {
        if (l && l->tx)
            nng_aio_free(l->tx); /* never used, so this does not wait */
        gp_free(l);
        nng_stream_free(s);
        return NULL;
    }
    uint64_t id;
    int local = strncmp(addr, "ipc:", 4) == 0;
    l->link = (rpc_link){.ops = &OPS, .peer_uid = -1, .peer_gid = -1};
    if (local && nng_stream_get_uint64(s, NNG_OPT_IPC_PEER_UID, &id) == 0)
        l->link.peer_uid = (int64_t)id;
    if (local && nng_stream_get_uint64(s, NNG_OPT_IPC_PEER_GID, &id) == 0)
        l->link.peer_gid = (int64_t)id;
    l->stream = s;
    nng_aio_set_timeout(l->tx, NNG_DURATION_INFINITE);
    nng_aio_set_timeout(l->rx, NNG_DURATION_INFINITE);
    peer_text(s, addr, l->link.peer);
    return &l->link;
}

/* ---- dial ---- */

struct rpc_dialing {
    nng_stream_dialer *dialer;
    nng_aio *aio;
    rpc_link_dialed done;
    void *ctx;
    char addr[RPC_ADDR_MAX];
};

static void dial_done(void *arg)
{
    rpc_dialing *d = arg;
    gp_err err = {0};
    rpc_link *l = NULL;
    int rv = nng_aio_result(d->aio);
    if (rv == 0) {
        l = wrap(nng_aio_get_output(d->aio, 0), d->addr);
        if (!l)
            gp_fail(&err, GP_ENOMEM, 0, "%s: out of memory", d->addr);
    } else if (rv == NNG_ECONNREFUSED && strncmp(d->addr, "ipc://", 6) == 0) {
        /* nng has one word for both */
        int none = access(d->addr + 6, F_OK) != 0 && errno == ENOENT;
        gp_fail(&err, GP_EUNAVAILABLE, 0, "%s: %s", d->addr,
                none ? "no such socket" : "nobody listens on this socket");
    } else {
        fail_nng(&err, rv, d->addr);
    }
    d->done(d->ctx, l, &err);
}

gp_status rpc_dialing_new(const char *addr, rpc_link_dialed done, void *ctx, rpc_dialing **out,
                          gp_err *err)
{
    rpc_dialing *d = gp_calloc(1, sizeof *d);
    if (!d)
        return gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", addr);
    snprintf(d->addr, sizeof d->addr, "%s", addr);
    d->done = done;
    d->ctx = ctx;
    int rv = nng_stream_dialer_alloc(&d->dialer, addr);
    if (!rv)
        rv = nng_aio_alloc(&d->aio, dial_done, d);
    if (rv) {
        rpc_dialing_free(d);
        return fail_nng(err, rv, addr);
    }
    if (strncmp(addr, "tcp:", 4) == 0) {
        nng_stream_dialer_set_bool(d->dialer, NNG_OPT_TCP_NODELAY, true);
        nng_stream_dialer_set_bool(d->dialer, NNG_OPT_TCP_KEEPALIVE, true);
    }
    *out = d;
    return GP_OK;
}

void rpc_dialing_start(rpc_dialing *d, gp_deadline deadline)
{
    int64_t left = gp_deadline_left_ms(deadline);
    nng_aio_set_timeout(d->aio, left > INT32_MAX ? INT32_MAX : (nng_duration)left);
    nng_stream_dialer_dial(d->dialer, d->aio);
}

void rpc_dialing_cancel(rpc_dialing *d)
{
    nng_aio_cancel(d->aio);
}

void rpc_dialing_free(rpc_dialing *d)
{
    if (!d)
        return;
    if (d->dialer)
        nng_stream_dialer_close(d->dialer);
    if (d->aio)
        nng_aio_free(d->aio); /* waits for a callback that is just returning */
    if (d->dialer)
        nng_stream_dialer_free(d->dialer);
    gp_free(d);
}

/* ---- listen ---- */

/* nng's backlog is fixed at 128, and each accept costs a change of threads: so several wait at
 * once, or a burst of connections overflows the backlog and waits a second for its SYN to be
 * repeated. */
enum { ACCEPTS = 16, RETRY_MS = 50 }; /* pause after a failure, such as no file descriptor left */

typedef struct accept_op {
    rpc_acceptor *a;
    nng_aio *aio, *pause;
} accept_op;

struct rpc_acceptor {
    nng_stream_listener *listener;
    accept_op op[ACCEPTS];
    void (*accepted)(void *ctx, rpc_link *l);
    void *ctx;
    char addr[RPC_ADDR_MAX];
    atomic_int stop;
};

/* Wait for the next; as with links, an operation on a closed listener would hang. */
static void accept_next(accept_op *op)
{
    nng_stream_listener_accept(op->a->listener, op->aio);
    if (atomic_load(&op->a->stop))
        nng_aio_abort(op->aio, NNG_ECLOSED);
}

static void accept_done(void *arg)
{
    accept_op *op = arg;
    int rv = nng_aio_result(op->aio);
    if (atomic_load(&op->a->stop)) {
        if (rv == 0)
            nng_stream_free(nng_aio_get_output(op->aio, 0));
        return;
    }
    if (rv == 0) {
        rpc_link *l = wrap(nng_aio_get_output(op->aio, 0), op->a->addr);
        if (l)
            op->a->accepted(op->a->ctx, l);
        accept_next(op);
    } else {
        nng_sleep_aio(RETRY_MS, op->pause);
    }
}

static void pause_done(void *arg)
{
    accept_op *op = arg;
    if (nng_aio_result(op->pause) == 0 && !atomic_load(&op->a->stop))
        accept_next(op);
}

/* The address really bound, with the port that the system chose for port 0. */
static void bound_text(rpc_acceptor *a, char *bound, size_t cap)
{
    int port = 0;
    if (!bound)
        return;
    snprintf(bound, cap, "%s", a->addr);
    char *colon = strrchr(bound, ':');
    if (strncmp(a->addr, "tcp:", 4) == 0 && colon &&
        nng_stream_listener_get_int(a->listener, NNG_OPT_TCP_BOUND_PORT, &port) == 0)
        snprintf(colon, cap - (size_t)(colon - bound), ":%d", port);
}

static int listen_nng(rpc_acceptor *a)
{
    int rv = nng_stream_listener_alloc(&a->listener, a->addr);
    for (size_t i = 0; i < ACCEPTS && !rv; i++) {
        a->op[i].a = a;
        rv = nng_aio_alloc(&a->op[i].aio, accept_done, &a->op[i]);
        if (!rv)
            rv = nng_aio_alloc(&a->op[i].pause, pause_done, &a->op[i]);
        if (!rv)
            nng_aio_set_timeout(a->op[i].aio, NNG_DURATION_INFINITE);
    }
    int tcp = strncmp(a->addr, "tcp:", 4) == 0;
    if (!rv && tcp) /* streams take these over when they are accepted */
        rv = nng_stream_listener_set_bool(a->listener, NNG_OPT_TCP_NODELAY, true);
    if (!rv && tcp)
        rv = nng_stream_listener_set_bool(a->listener, NNG_OPT_TCP_KEEPALIVE, true);
    if (!rv && !tcp) /* set before listen(2), so nobody slips in */
        rv = nng_stream_listener_set_int(a->listener, NNG_OPT_IPC_PERMISSIONS, 0660);
    return rv ? rv : nng_stream_listener_listen(a->listener);
}

gp_status rpc_nng_listen(const char *addr, void (*accepted)(void *ctx, rpc_link *l), void *ctx,
                         char *bound, size_t bound_cap, rpc_acceptor **out, gp_err *err)
{
    rpc_acceptor *a = gp_calloc(1, sizeof *a);
    if (!a)
        return gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", addr);
    snprintf(a->addr, sizeof a->addr, "%s", addr);
    a->accepted = accepted;
    a->ctx = ctx;
    int rv = listen_nng(a);
    if (rv) {
        rpc_acceptor_free(a);
        char what[RPC_ADDR_MAX + 16];
        snprintf(what, sizeof what, "cannot listen on %s", addr);
        return fail_nng(err, rv, what);
    }
    bound_text(a, bound, bound_cap);
    for (size_t i = 0; i < ACCEPTS; i++)
        accept_next(&a->op[i]);
    *out = a;
    return GP_OK;
}

void rpc_acceptor_free(rpc_acceptor *a)
{
    if (!a)
        return;
    atomic_store(&a->stop, 1);
    if (a->listener)
        nng_stream_listener_close(a->listener);
    for (size_t i = 0; i < ACCEPTS; i++) {
        accept_op *op = &a->op[i];
        if (op->pause) {
            nng_aio_stop(op->pause);
            nng_aio_free(op->pause);
        }
        if (op->aio) {
            nng_aio_stop(op->aio);
            nng_aio_free(op->aio);
        }
    }
    if (a->listener)
        nng_stream_listener_free(a->listener);
    gp_free(a);
}
