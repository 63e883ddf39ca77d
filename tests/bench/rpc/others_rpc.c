/* others_rpc.c - our RPC in the comparison: encrypted, authenticated, rows streamed as batches. */
#include "others.h"

#include "gp/mem.h"
#include "rpc/rpc.h"
#include "wire/batch.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

static struct ends { /* made before the fork, so that both processes know each other */
    auth_identity *server, *user;
    auth_trust *trust;
} ends;

static void prepare(void)
{
    gp_buf text = {0};
    gp_err err = {0};
    if (auth_identity_new(AUTH_KIND_AGENT, "a", &ends.server, &err) ||
        auth_identity_new(AUTH_KIND_USER, "u", &ends.user, &err))
        others_die("key", err.msg);
    auth_trust_entry(ends.server, NULL, &text);
    auth_trust_entry(ends.user, NULL, &text);
    if (auth_trust_new(&ends.trust, &err) ||
        auth_trust_parse(ends.trust, gp_buf_str(&text), text.len, &err))
        others_die("trust", err.msg);
    gp_buf_free(&text);
}

/* ---- server ---- */

static rpc_code echo(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text)
{
    (void)ctx, (void)text;
    return rpc_code_from_status(rpc_stream_send(s, req, len, NULL));
}

static gp_status send_batch(void *ctx, const uint8_t *b, size_t len, size_t rows, gp_err *err)
{
    (void)rows;
    return rpc_stream_send(ctx, b, len, err);
}

static rpc_code rows(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text)
{
    const result *r = ctx;
    wire_enc *e = NULL;
    gp_err err = {0};
    (void)req, (void)len, (void)text;
    gp_status st = wire_enc_new(&e, &err);
    if (st == GP_OK)
        st = wire_batch_encode(e, r, r->rows, r->n_rows, send_batch, s, &err);
    wire_enc_free(e);
    return rpc_code_from_status(st);
}

static int serve(const result *r, int ready_fd, int stop_fd)
{
    static const rpc_method methods[] = {{"echo", echo, 4096, 0, 0, NULL},
                                         {"rows", rows, 64, 0, 0, NULL}};
    rpc_runtime *rt = NULL;
    gp_err err = {0};
    char bound[256];
    rpc_opts o = {.identity = ends.server, .trust = ends.trust};
    if (rpc_runtime_new(&o, &rt, &err) ||
        rpc_listen(rt, "tcp://127.0.0.1:0", methods, GP_COUNT(methods), (void *)(uintptr_t)r, bound,
                   sizeof bound, &err))
        others_die("listen", err.msg);
    others_tell(ready_fd, bound);
    others_wait(stop_fd);
    rpc_runtime_free(rt, 1000);
    return 0;
}

/* ---- client ---- */

struct client {
    rpc_runtime *rt;
    rpc_conn *conn;
    atomic_long left, done;
};

static void *dial(const char *addr)
{
    struct client *c = gp_calloc(1, sizeof *c);
    gp_err err = {0};
    if (!c)
        others_die("client", "out of memory");
    rpc_opts o = {.identity = ends.user, .trust = ends.trust};
    rpc_dial_opts d = {.addr = addr, .deadline = gp_deadline_in_ms(5000)};
    if (rpc_runtime_new(&o, &c->rt, &err) || rpc_dial(c->rt, &d, &c->conn, &err))
        others_die("dial", err.msg);
    return c;
}

static void next_echo(struct client *c);

static void on_echo(void *ctx, rpc_call *call, const rpc_event *ev)
{
    struct client *c = ctx;
    if (ev->kind != RPC_EV_STATUS)
        return;
    if (ev->code != RPC_OK)
        others_die("echo", rpc_code_name(ev->code));
    rpc_call_free(call);
    atomic_fetch_add(&c->done, 1);
    next_echo(c);
}

static void next_echo(struct client *c)
{
    static const uint8_t request[OTHERS_ECHO_BYTES];
    rpc_call *call = NULL;
    gp_err err = {0};
    if (atomic_fetch_sub(&c->left, 1) <= 0)
        return;
    if (rpc_call_start(c->conn, "echo", request, sizeof request, GP_NEVER, on_echo, c, &call, &err))
        others_die("echo", err.msg);
}

static void echoes(void *client, size_t n)
{
    struct client *c = client;
    c->done = 0;
    c->left = (long)n;
    for (int i = 0; i < OTHERS_IN_FLIGHT; i++)
        next_echo(c);
    while (atomic_load(&c->done) < (long)n)
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

static void transfer(void *client, others_rows *out)
{
    struct client *c = client;
    rpc_call *call = NULL;
    rpc_event ev = {0};
    wire_dec *d = NULL;
    result r = {0};
    gp_err err = {0};
    if (wire_dec_new(&d, &err) || result_init(&r, 1 << 24, &err) ||
        rpc_call_start(c->conn, "rows", "", 0, GP_NEVER, NULL, NULL, &call, &err))
        others_die("rows", err.msg);
    out->bytes = 0;
    for (;;) {
        if (rpc_call_recv(call, -1, &ev, &err))
            others_die("rows", err.msg);
        if (ev.kind != RPC_EV_MSG)
            break;
        out->bytes += ev.len;
        if (wire_batch_decode(d, ev.data, ev.len, NULL, NULL, &r, &err))
            others_die("rows", err.msg);
    }
    if (ev.code != RPC_OK)
        others_die("rows", rpc_code_name(ev.code));
    out->rows = r.n_rows;
    rpc_call_free(call);
    result_clear(&r);
    wire_dec_free(d);
}

static void hang_up(void *client)
{
    struct client *c = client;
    rpc_conn_close(c->conn);
    rpc_runtime_free(c->rt, 0);
    gp_free(c);
}

const others_transport others_rpc = {
    "ours (encrypted, both ends known)", prepare, serve, dial, echoes, transfer, hang_up};
