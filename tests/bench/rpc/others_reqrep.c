/* others_reqrep.c - nng REQ/REP in the comparison: plain TCP, one message a reply, 64 contexts. */
#include "others.h"

#include "gp/mem.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/supplemental/util/platform.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static void must(int rv, const char *what)
{
    if (rv != 0)
        others_die(what, nng_strerror(rv));
}

/* ---- server: a request of one byte asks for the rows, any other is sent back ---- */

struct answerer {
    nng_ctx ctx;
    nng_aio *aio;
    const result *r;
    int sending;
};

static nng_msg *rows_message(const result *r)
{
    gp_buf b = {0};
    nng_msg *m;
    others_encode(r, &b);
    must(nng_msg_alloc(&m, 0), "message");
    must(nng_msg_append(m, b.data, b.len), "message");
    gp_buf_free(&b);
    return m;
}

static void on_server(void *arg)
{
    struct answerer *a = arg;
    if (nng_aio_result(a->aio) != 0)
        return; /* closing */
    if (a->sending) {
        a->sending = 0;
        nng_ctx_recv(a->ctx, a->aio);
        return;
    }
    nng_msg *m = nng_aio_get_msg(a->aio);
    if (nng_msg_len(m) == 1) {
        nng_msg_free(m);
        m = rows_message(a->r);
    }
    a->sending = 1;
    nng_aio_set_msg(a->aio, m);
    nng_ctx_send(a->ctx, a->aio);
}

static int serve(const result *r, int ready_fd, int stop_fd)
{
    static struct answerer a[OTHERS_IN_FLIGHT];
    nng_socket s;
    nng_listener l;
    nng_sockaddr sa;
    char addr[64];
    must(nng_rep0_open(&s), "rep");
    must(nng_socket_set_size(s, NNG_OPT_RECVMAXSZ, 0), "size");
    must(nng_listen(s, "tcp://127.0.0.1:0", &l, 0), "listen");
    must(nng_listener_get_addr(l, NNG_OPT_LOCADDR, &sa), "address");
    for (int i = 0; i < OTHERS_IN_FLIGHT; i++) {
        a[i].r = r;
        must(nng_ctx_open(&a[i].ctx, s), "context");
        must(nng_aio_alloc(&a[i].aio, on_server, &a[i]), "aio");
        nng_ctx_recv(a[i].ctx, a[i].aio);
    }
    snprintf(addr, sizeof addr, "tcp://127.0.0.1:%u", gp_be16(&sa.s_in.sa_port));
    others_tell(ready_fd, addr);
    others_wait(stop_fd);
    nng_close(s);
    for (int i = 0; i < OTHERS_IN_FLIGHT; i++)
        nng_aio_free(a[i].aio);
    return 0;
}

/* ---- client ---- */

struct client;
struct asker {
    struct client *c;
    nng_ctx ctx;
    nng_aio *aio;
    int sending;
};
struct client {
    nng_socket s;
    struct asker a[OTHERS_IN_FLIGHT];
    atomic_long left, done;
};

static void next_echo(struct asker *a)
{
    static const uint8_t request[OTHERS_ECHO_BYTES];
    nng_msg *m;
    if (atomic_fetch_sub(&a->c->left, 1) <= 0)
        return;
    must(nng_msg_alloc(&m, 0), "message");
    must(nng_msg_append(m, request, sizeof request), "message");
    a->sending = 1;
    nng_aio_set_msg(a->aio, m);
    nng_ctx_send(a->ctx, a->aio);
}

static void on_client(void *arg)
{
    struct asker *a = arg;
    int rv = nng_aio_result(a->aio);
    if (rv == NNG_ECLOSED || rv == NNG_ECANCELED)
        return;
    must(rv, "echo");
    if (a->sending) {
        a->sending = 0;
        nng_ctx_recv(a->ctx, a->aio);
        return;
    }
    nng_msg_free(nng_aio_get_msg(a->aio));
    atomic_fetch_add(&a->c->done, 1);
    next_echo(a);
}

static void *dial(const char *addr)
{
    struct client *c = gp_calloc(1, sizeof *c);
    if (!c)
        others_die("client", "out of memory");
    must(nng_req0_open(&c->s), "req");
    must(nng_socket_set_size(c->s, NNG_OPT_RECVMAXSZ, 0), "size");
    must(nng_dial(c->s, addr, NULL, 0), "dial");
    for (int i = 0; i < OTHERS_IN_FLIGHT; i++) {
        c->a[i].c = c;
        must(nng_ctx_open(&c->a[i].ctx, c->s), "context");
        must(nng_aio_alloc(&c->a[i].aio, on_client, &c->a[i]), "aio");
    }
    return c;
}

static void echoes(void *client, size_t n)
{
    struct client *c = client;
    c->done = 0;
    c->left = (long)n;
    for (int i = 0; i < OTHERS_IN_FLIGHT; i++)
        next_echo(&c->a[i]);
    while (atomic_load(&c->done) < (long)n)
        nng_msleep(1);
}

static void transfer(void *client, others_rows *out)
{
    struct client *c = client;
    nng_msg *m;
    must(nng_msg_alloc(&m, 1), "message");
    must(nng_sendmsg(c->s, m, 0), "send");
    must(nng_recvmsg(c->s, &m, 0), "receive");
    out->bytes = nng_msg_len(m);
    out->rows = others_decode(nng_msg_body(m), nng_msg_len(m));
    nng_msg_free(m);
}

static void hang_up(void *client)
{
    struct client *c = client;
    nng_close(c->s);
    for (int i = 0; i < OTHERS_IN_FLIGHT; i++)
        nng_aio_free(c->a[i].aio);
    gp_free(c);
}

const others_transport others_reqrep = {
    "nng REQ/REP, same batches, plain", NULL, serve, dial, echoes, transfer, hang_up};
