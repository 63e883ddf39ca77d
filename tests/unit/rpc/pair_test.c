/* pair_test.c - connections over a pair in memory: partial transfers, and every byte tampered with.
 */
#include "kit.h"
#include "test.h"

#include "gp/mem.h"
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct tap {
    atomic_long at; /* offset of the byte to change, in its direction */
    int dir;        /* 0: from the client, 1: from the server */
    long seen[2];   /* bytes so far; only touched by the pair's thread */
    uint8_t flip;
} tap;

static void tap_fn(void *ctx, int dir, uint8_t *bytes, size_t n)
{
    tap *t = ctx;
    long at = atomic_load(&t->at) - t->seen[dir];
    if (dir == t->dir && at >= 0 && at < (long)n)
        bytes[at] ^= t->flip;
    t->seen[dir] += (long)n;
}

typedef struct fixture {
    kit k;
    rpc_listener lis;
} fixture;

static void up(fixture *f)
{
    gp_err err = {0};
    rpc_opts so = {.handshake_ms = 1500}, co = {.handshake_ms = 1500};
    kit_keys(&f->k);
    so.identity = f->k.agent;
    so.trust = f->k.server_trust;
    co.identity = f->k.user;
    co.trust = f->k.client_trust;
    if (rpc_runtime_new(&so, &f->k.server, &err) || rpc_runtime_new(&co, &f->k.client, &err))
        fail_msg("%s", err.msg);
    f->lis = (rpc_listener){
        .rt = f->k.server, .methods = KIT_METHODS, .n_methods = KIT_N_METHODS, .ctx = &f->k};
}

static gp_status join(fixture *f, const rpc_pair_opts *o, rpc_conn **c, gp_err *err)
{
    rpc_link *a = NULL, *b = NULL;
    if (rpc_pair_new(o, &a, &b, err))
        fail_msg("%s", err->msg);
    rpc_accept_link(&f->lis, b);
    return rpc_dial_link(f->k.client, a, c, err);
}

/* Calls work however the bytes are cut. */
static void test_partial(void **state)
{
    (void)state;
    static const size_t chunks[] = {1, 2, 3, 13, 1000, 65537, 0};
    static uint8_t req[200000];
    fixture f;
    up(&f);
    for (size_t i = 0; i < sizeof req; i++)
        req[i] = (uint8_t)(i * 13);
    for (size_t i = 0; i < GP_COUNT(chunks); i++) {
        rpc_pair_opts o = {.max_chunk = chunks[i], .buffer = 100000};
        size_t n = chunks[i] && chunks[i] < 100 ? 3000 : sizeof req;
        rpc_conn *c = NULL;
        gp_buf reply = {0};
        gp_err err = {0};
        if (join(&f, &o, &c, &err) ||
            rpc_call_unary(c, "echo", req, n, gp_deadline_in_ms(20000), &reply, &err))
            fail_msg("chunks of %zu: %s", chunks[i], err.msg);
        assert_int_equal(reply.len, n);
        assert_memory_equal(reply.data, req, n);
        gp_buf_free(&reply);
        rpc_conn_close(c);
    }
    kit_down(&f.k);
}

/* Bytes that a good handshake moves in this direction. */
static long handshake_bytes(fixture *f, int dir)
{
    tap t = {.at = -1};
    rpc_pair_opts o = {.tap = tap_fn, .tap_ctx = &t};
    rpc_conn *c = NULL;
    gp_err err = {0};
    if (join(f, &o, &c, &err))
        fail_msg("%s", err.msg);
    rpc_conn_close(c);
    return t.seen[dir];
}

/* Any byte of the handshake changed: no connection. A changed length can only make the other side
 * wait, so those few end with the handshake's time-out. */
static void test_handshake_bytes(void **state)
{
    (void)state;
    fixture f;
    up(&f);
    for (int dir = 0; dir < 2; dir++) {
        long n = handshake_bytes(&f, dir);
        assert_true(n > 200 && n < 600);
        for (long at = 0; at < n; at++) {
            tap t = {.at = at, .dir = dir, .flip = 0x80};
            rpc_pair_opts o = {.tap = tap_fn, .tap_ctx = &t};
            rpc_conn *c = NULL;
            gp_err err = {0};
            gp_status st = join(&f, &o, &c, &err);
            if (st == GP_OK)
                fail_msg("direction %d byte %ld: the handshake went through", dir, at);
            assert_null(c);
        }
    }
    rpc_counters n;
    for (int i = 0; i < 3000;
         i++) { /* a server that said welcome hears of the end a little later */
        rpc_runtime_counters(f.k.server, &n);
        if (n.conns_open == 0)
            break;
        usleep(1000);
    }
    assert_int_equal(n.conns_open, 0);
    kit_down(&f.k);
}

/* One byte of the server's stream after the handshake is changed: the call ends with UNAVAILABLE,
 * what was delivered before is right, nothing wrong is delivered. */
static void tamper_once(fixture *f, long hs, long at)
{
    enum { SIZE = 5000, N = 14 };
    tap t = {.at = hs + at, .dir = 1, .flip = (uint8_t)(1 + at % 255)};
    rpc_pair_opts o = {.tap = tap_fn, .tap_ctx = &t};
    rpc_conn *c = NULL;
    rpc_call *call = NULL;
    rpc_event ev = {0};
    gp_err err = {0};
    uint8_t req[8];
    uint32_t got = 0;
    gp_put_le32(req, N);
    gp_put_le32(req + 4, SIZE);
    if (join(f, &o, &c, &err) ||
        rpc_call_start(c, "count", req, 8, gp_deadline_in_ms(500), NULL, NULL, &call, &err))
        fail_msg("byte %ld: %s", at, err.msg);
    for (;;) {
        if (rpc_call_recv(call, -1, &ev, &err))
            fail_msg("byte %ld: %s", at, err.msg);
        if (ev.kind == RPC_EV_STATUS)
            break;
        if (ev.len != SIZE || gp_le32(ev.data) != got || ev.data[SIZE - 1] != got)
            fail_msg("byte %ld: a wrong message %u got through", at, got);
        got++;
    }
    /* A length that grew makes the receiver wait for the rest: then the deadline says so. */
    if (got == N || (ev.code != RPC_UNAVAILABLE && ev.code != RPC_DEADLINE_EXCEEDED))
        fail_msg("byte %ld: %u messages, %s", at, got, rpc_code_name(ev.code));
    rpc_call_free(call);
    rpc_conn_close(c);
}

/* The first 64 KiB of the stream, every 997th byte; TEST_ROUNDS=997 checks each one. */
static void test_stream_bytes(void **state)
{
    (void)state;
    long rounds = (long)test_rounds(1);
    long step = rounds > 997 ? 1 : 997 / rounds;
    fixture f;
    up(&f);
    long hs = handshake_bytes(&f, 1);
    for (long at = 0; at < 65536; at += at < 64 ? 1 : step)
        tamper_once(&f, hs, at);
    kit_down(&f.k);
}

/* The stream breaks off after so many bytes from the server. */
typedef struct cut {
    rpc_link *a, *b;
    atomic_long left;
} cut;

static void cut_fn(void *ctx, int dir, uint8_t *bytes, size_t n)
{
    cut *x = ctx;
    if (dir != 1)
        return;
    long left = atomic_fetch_sub(&x->left, (long)n);
    if (left < (long)n) /* what lies beyond the cut never arrives: it is not there to be read */
        memset(bytes + (left > 0 ? left : 0), 0, n - (size_t)(left > 0 ? left : 0));
}

static void test_truncated(void **state)
{
    (void)state;
    static const long cuts[] = {0, 1, 2, 100, 4999, 5100, 20000, 65536};
    fixture f;
    up(&f);
    long hs = handshake_bytes(&f, 1);
    for (size_t i = 0; i < GP_COUNT(cuts); i++) {
        cut x = {.left = hs + cuts[i]};
        rpc_pair_opts o = {.tap = cut_fn, .tap_ctx = &x};
        rpc_conn *c = NULL;
        rpc_call *call = NULL;
        rpc_event ev = {0};
        gp_err err = {0};
        uint8_t req[8];
        uint32_t got = 0;
        gp_put_le32(req, 14);
        gp_put_le32(req + 4, 5000);
        if (join(&f, &o, &c, &err) ||
            rpc_call_start(c, "count", req, 8, gp_deadline_in_ms(3000), NULL, NULL, &call, &err))
            fail_msg("cut at %ld: %s", cuts[i], err.msg);
        while (rpc_call_recv(call, -1, &ev, &err) == GP_OK && ev.kind == RPC_EV_MSG)
            got++;
        if (ev.kind != RPC_EV_STATUS || ev.code == RPC_OK || got > cuts[i] / 5000)
            fail_msg("cut at %ld: %u messages, code %d", cuts[i], got, ev.code);
        rpc_call_free(call);
        rpc_conn_close(c);
    }
    kit_down(&f.k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_partial),
        cmocka_unit_test(test_handshake_bytes),
        cmocka_unit_test(test_stream_bytes),
        cmocka_unit_test(test_truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
