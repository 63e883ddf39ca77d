/* attack_test.c - a peer with or without a key that breaks the protocol: it is dropped or refused,
 * the others are served. */
#include "rogue.h"

#include "auth/hello.h"
#include "gp/clock.h"
#include "gp/mem.h"
#include "gp/num.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uint8_t frame_buf[RPC_MAX_PAYLOAD];

/* An honest client is served at once. */
static void check_alive(kit *k)
{
    gp_buf reply = {0};
    gp_err err = {0};
    rpc_conn *c = kit_dial(k);
    if (rpc_call_unary(c, "echo", "ping", 4, gp_deadline_in_ms(3000), &reply, &err))
        fail_msg("the honest client got: %s", err.msg);
    assert_int_equal(reply.len, 4);
    gp_buf_free(&reply);
    rpc_conn_close(c);
}

/* Bytes that are no handshake. */
static void test_garbage(void **state)
{
    (void)state;
    static const struct {
        const char *what, *bytes;
        size_t n;
    } cases[] = {
        {"http", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27},
        {"tls", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11},
        {"ssh", "SSH-2.0-OpenSSH_9.2\r\n", 21},
        {"length 0", "\0\0", 2},
        {"short message",
         "\0\x10"
         "0123456789abcdef",
         18},
        {"longer than a first message may be", "\x01\x01", 2},
        {"longest length", "\xff\xff", 2},
        {"key without hello",
         "\0\x20"
         "0123456789abcdef0123456789abcdef",
         34},
    };
    kit k;
    kit_up(&k);
    for (size_t i = 0; i < GP_COUNT(cases); i++) {
        rogue r = {.fd = rogue_connect(k.addr)};
        assert_true(send(r.fd, cases[i].bytes, cases[i].n, MSG_NOSIGNAL) > 0);
        if (!rogue_is_closed(&r))
            fail_msg("%s: not closed", cases[i].what);
        rogue_close(&r);
    }
    check_alive(&k);
    rpc_counters n;
    rpc_runtime_counters(k.server, &n);
    assert_true(n.handshake_failed >= GP_COUNT(cases));
    kit_down(&k);
}

/* What the dialer is told when it is refused. */
static void test_refusals(void **state)
{
    (void)state;
    kit k;
    kit_up(&k);
    const struct {
        const char *what;
        const auth_identity *id;
        int min, max;
        rpc_code want;
        const char *part;
    } cases[] = {
        {"trusted", k.user, 1, 1, RPC_OK, ""},
        {"trusted, speaks newer versions too", k.user, 1, 9, RPC_OK, ""},
        {"stranger", k.stranger, 1, 1, RPC_PERMISSION_DENIED, "not trusted"},
        {"anonymous", NULL, 1, 1, RPC_PERMISSION_DENIED, "no identity"},
        {"only newer versions", k.user, 2, 3, RPC_UNIMPLEMENTED, "versions 2 to 3"},
    };
    for (size_t i = 0; i < GP_COUNT(cases); i++) {
        rogue r;
        rpc_head h;
        rogue_open(&r, k.addr, cases[i].id, cases[i].min, cases[i].max);
        if (rogue_recv_frame(&r, &h, frame_buf) != 0)
            fail_msg("%s: no answer", cases[i].what);
        char text[RPC_MAX_STATUS_TEXT + 1];
        rpc_text_clean(frame_buf, h.len, text);
        if (h.type != RPC_F_STATUS || h.stream != 0 || h.code != cases[i].want ||
            !strstr(text, cases[i].part))
            fail_msg("%s: code %u \"%s\"", cases[i].what, h.code, text);
        if (h.code != RPC_OK) { /* nothing works now */
            rogue_call(&r, 1, "echo", "x", 1);
            if (!rogue_is_closed(&r))
                fail_msg("%s: not closed", cases[i].what);
        }
        rogue_close(&r);
    }
    kit_down(&k);
}

/* Frames that break the rules, from a peer that is trusted: the connection ends. */
static void test_bad_frames(void **state)
{
    (void)state;
#define H(type, zero, code, stream, len)                                                           \
    {                                                                                              \
        type, zero, 0, code, 0, 0, 0, stream, (uint8_t)((uint32_t)(len) >> 24),                    \
            (uint8_t)((uint32_t)(len) >> 16), (uint8_t)((uint32_t)(len) >> 8), (uint8_t)(len)      \
    }
    static const struct {
        const char *what;
        uint8_t bytes[40];
        size_t n;
    } cases[] = {
        {"type 0", H(0, 0, 0, 1, 0), 12},
        {"type 9", H(9, 0, 0, 1, 0), 12},
        {"reserved byte", H(6, 1, 0, 0, 8), 12},
        {"message of 256 KiB + 1", H(2, 0, 0, 1, 262145), 12},
        {"length 2^32 - 1", H(1, 0, 0, 1, 0xffffffff), 12},
        {"call on stream 0", H(1, 0, 0, 0, 6), 12},
        {"call on our numbers", {1, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 6, 0, 0, 0, 0, 1, 'x'}, 18},
        {"call without method", {1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 'x'}, 18},
        {"method longer than the frame",
         {1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 9, 'x'},
         18},
        {"method of 65 bytes", {1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 99, 0, 0, 0, 0, 65, 'x'}, 18},
        {"message without a call", H(2, 0, 0, 1, 3), 15},
        {"message on our numbers", H(2, 0, 0, 2, 3), 15},
        {"status for a call that never was", H(3, 0, 0, 2, 0), 12},
        {"a second welcome", H(3, 0, 0, 0, 0), 12},
        {"status of 1,025 bytes", H(3, 0, 0, 2, 1025), 12},
        {"status code 17", H(3, 0, 17, 2, 0), 12},
        {"cancel of what never was", H(4, 0, 0, 7, 0), 12},
        {"cancel with bytes", H(4, 0, 0, 1, 1), 13},
        {"credit for what never was", H(5, 0, 0, 7, 4), 16},
        {"credit of 5 bytes", H(5, 0, 0, 1, 5), 17},
        {"ping of 7 bytes", H(6, 0, 0, 0, 7), 19},
        {"ping on a stream", H(6, 0, 0, 1, 8), 20},
        {"goaway without number", H(8, 0, 0, 0, 3), 15},
    };
    kit k;
    kit_up(&k);
    for (size_t i = 0; i < GP_COUNT(cases); i++) {
        rogue r;
        rogue_login(&r, k.addr, k.user);
        rogue_send(&r, cases[i].bytes, cases[i].n);
        if (!rogue_is_closed(&r))
            fail_msg("%s: not closed", cases[i].what);
        rogue_close(&r);
    }
    check_alive(&k);
    kit_down(&k);
}

/* Records that are none. */
static void test_bad_records(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t n;
    } cases[] = {{"empty record", 0},
                 {"15 bytes", 15},
                 {"tag only", 16},
                 {"forged", 100},
                 {"forged, longest", 65535}};
    static uint8_t junk[65535];
    kit k;
    kit_up(&k);
    for (size_t i = 0; i < GP_COUNT(cases); i++) {
        rogue r;
        rogue_login(&r, k.addr, k.user);
        if (i == 2) /* a good record without a byte in it */
            rogue_send(&r, "", 0);
        else
            rogue_send_block(r.fd, junk, cases[i].n);
        if (!rogue_is_closed(&r))
            fail_msg("%s: not closed", cases[i].what);
        rogue_close(&r);
    }
    check_alive(&k);
    kit_down(&k);
}

/* Good records at the wrong place: the connection ends, and none of their calls runs. */
static void out_of_place(const char *what, void (*send_them)(rogue *r))
{
    kit k;
    rogue r;
    kit_up(&k);
    rogue_login(&r, k.addr, k.user);
    send_them(&r);
    if (!rogue_is_closed(&r))
        fail_msg("%s: not closed", what);
    assert_int_equal(atomic_load(&k.running), 0);
    rogue_close(&r);
    check_alive(&k);
    kit_down(&k);
}

/* A record that holds a frame: a PING, or a CALL of a method that would run on. */
static size_t record(rogue *r, int type, uint8_t out[64])
{
    static const uint8_t ping[20] = {6, [11] = 8};
    static const uint8_t call[22] = {1, [7] = 1, [11] = 10, [16] = 5, 'b', 'l', 'o', 'c', 'k'};
    size_t n = type == RPC_F_PING ? sizeof ping : sizeof call;
    gp_err err = {0};
    if (auth_noise_encrypt(r->noise, type == RPC_F_PING ? ping : call, n, out, &err) != GP_OK)
        fail_msg("%s", err.msg);
    return n + 16;
}

static void send_reordered(rogue *r)
{
    uint8_t a[64], b[64];
    size_t na = record(r, RPC_F_PING, a), nb = record(r, RPC_F_CALL, b);
    rogue_send_block(r->fd, b, nb);
    rogue_send_block(r->fd, a, na);
}

static void send_repeated(rogue *r)
{
    uint8_t a[64];
    size_t n = record(r, RPC_F_PING, a);
    rogue_send_block(r->fd, a, n);
    rogue_send_block(r->fd, a, n);
}

static void send_one_left_out(rogue *r)
{
    uint8_t a[64];
    (void)record(r, RPC_F_PING, a); /* lost on the way */
    rogue_send_block(r->fd, a, record(r, RPC_F_CALL, a));
}

static void send_reflected(rogue *r)
{
    uint8_t a[64], back[256];
    rogue_send_block(r->fd, a, record(r, RPC_F_PING, a));
    ssize_t n = rogue_recv_block(r->fd, back, sizeof back); /* the PONG */
    assert_true(n > 0);
    rogue_send_block(r->fd, back, (size_t)n);
}

static void test_reordered(void **state)
{
    (void)state;
    uint8_t a[64];
    kit k;
    rogue r;
    kit_up(&k); /* in order it works */
    rogue_login(&r, k.addr, k.user);
    rogue_send_block(r.fd, a, record(&r, RPC_F_PING, a));
    rogue_send_block(r.fd, a, record(&r, RPC_F_CALL, a));
    assert_true(kit_wait(&k.running, 1));
    rogue_close(&r);
    kit_down(&k);
    out_of_place("reordered", send_reordered);
}

static void test_repeated(void **state)
{
    (void)state;
    out_of_place("repeated", send_repeated);
    out_of_place("after one that was left out", send_one_left_out);
}

/* The listener's own records, and its own handshake message, sent back to it. */
static void test_reflected(void **state)
{
    (void)state;
    uint8_t buf[8192];
    kit k;
    rogue r = {0};
    gp_buf hello = {0}, msg = {0};
    out_of_place("reflected", send_reflected);
    kit_up(&k);
    r.fd = rogue_connect(k.addr);
    auth_hello_encode(NULL, NULL, 0, &hello);
    assert_int_equal(auth_noise_new(k.user, 1, "fleetprobe-noise-v1", 19, &r.noise, NULL), GP_OK);
    assert_int_equal(auth_noise_write(r.noise, hello.data, hello.len, &msg, NULL), GP_OK);
    rogue_send_block(r.fd, msg.data, msg.len);
    ssize_t n = rogue_recv_block(r.fd, buf, sizeof buf);
    assert_true(n > 0);
    rogue_send_block(r.fd, buf, (size_t)n); /* its second message as our third */
    assert_true(rogue_is_closed(&r));
    rogue_close(&r);
    check_alive(&k);
    kit_down(&k);
    gp_buf_free(&hello);
    gp_buf_free(&msg);
}

/* Refused calls cost one status, not the connection. */
static void test_refused_calls(void **state)
{
    (void)state;
    static uint8_t big[RPC_MAX_PAYLOAD - 100];
    const struct {
        const char *what, *method;
        size_t n;
        rpc_code want;
    } cases[] = {
        {"request of 256 KiB to a method that takes 64", "fail", sizeof big,
         RPC_RESOURCE_EXHAUSTED},
        {"unknown method with a large request", "nope", sizeof big, RPC_UNIMPLEMENTED},
        {"empty request", "echo", 0, RPC_OK},
        {"role", "write", 3, RPC_PERMISSION_DENIED},
        {"and still there", "echo", 10, RPC_OK},
    };
    kit k;
    rogue r;
    kit_up(&k);
    rogue_login(&r, k.addr, k.user);
    for (size_t i = 0; i < GP_COUNT(cases); i++) {
        rpc_head h;
        rogue_call(&r, (uint32_t)(2 * i + 1), cases[i].method, big, cases[i].n);
        do
            if (rogue_recv_frame(&r, &h, frame_buf) != 0)
                fail_msg("%s: connection lost", cases[i].what);
        while (h.type != RPC_F_STATUS);
        if (h.stream != 2 * i + 1 || h.code != cases[i].want)
            fail_msg("%s: stream %u code %u", cases[i].what, h.stream, h.code);
    }
    /* A number used before, or lower than the last, is a broken peer. */
    rogue_call(&r, 1, "echo", "x", 1);
    assert_true(rogue_is_closed(&r));
    rogue_close(&r);
    kit_down(&k);
}

/* Credit beyond 2^30. */
static void test_credit_overflow(void **state)
{
    (void)state;
    uint8_t p[4];
    kit k;
    rogue r;
    kit_up(&k);
    rogue_login(&r, k.addr, k.user);
    rogue_call(&r, 1, "block", "", 0);
    assert_true(kit_wait(&k.running, 1));
    gp_put_be32(p, 0x3fffffff);
    rogue_send_frame(&r, RPC_F_CREDIT, 0, 1, p, 4);
    rogue_send_frame(&r, RPC_F_CREDIT, 0, 1, p, 4);
    assert_true(rogue_is_closed(&r));
    assert_true(kit_wait(&k.cancelled, 1)); /* and its call is cancelled */
    rogue_close(&r);
    check_alive(&k);
    kit_down(&k);
}

/* Calls beyond the limit of a connection are refused, others go on; CALL + CANCEL in a tight loop
 * does not get around it. */
static void test_many_streams(void **state)
{
    (void)state;
    enum { MAX = 8 };
    kit k;
    rogue r;
    rpc_head h;
    rpc_opts o = {.max_streams_per_conn = MAX};
    kit_keys(&k);
    kit_server(&k, "tcp://127.0.0.1:0", &o);
    kit_client(&k, NULL);
    rogue_login(&r, k.addr, k.user);
    for (uint32_t i = 0; i <= MAX; i++)
        rogue_call(&r, 2 * i + 1, "block", "", 0);
    assert_int_equal(rogue_recv_frame(&r, &h, frame_buf), 0);
    assert_int_equal(h.type, RPC_F_STATUS);
    assert_int_equal(h.stream, 2 * MAX + 1);
    assert_int_equal(h.code, RPC_RESOURCE_EXHAUSTED);
    check_alive(&k);
    rpc_counters n;
    for (uint32_t i = 100; i < 5000; i++) {
        if (rogue_call(&r, 2 * i + 1, "block", "", 0) != 0 ||
            rogue_send_frame(&r, RPC_F_CANCEL, 0, 2 * i + 1, NULL, 0) != 0)
            fail_msg("connection lost");
        if (i % 256 == 0) {
            rpc_runtime_counters(k.server, &n);
            assert_true(n.streams_open <= MAX + 1);
            while (recv(r.fd, frame_buf, sizeof frame_buf, MSG_DONTWAIT) > 0)
                ;
        }
    }
    check_alive(&k);
    rogue_close(&r);
    kit_down(&k);
}

static void test_conns_per_peer(void **state)
{
    (void)state;
    kit k;
    rogue a, b, c;
    rpc_head h;
    rpc_opts o = {.max_conns_per_peer = 2};
    kit_keys(&k);
    kit_server(&k, "tcp://127.0.0.1:0", &o);
    rogue_login(&a, k.addr, k.user);
    rogue_login(&b, k.addr, k.user);
    rogue_open(&c, k.addr, k.user, 1, 1);
    assert_int_equal(rogue_recv_frame(&c, &h, frame_buf), 0);
    assert_int_equal(h.code, RPC_RESOURCE_EXHAUSTED);
    assert_true(rogue_is_closed(&c));
    rogue_close(&c);
    rogue_close(&a); /* one leaves, one may come */
    int ok = 0;
    for (int i = 0; i < 100 && !ok; i++) {
        usleep(10000);
        rogue_open(&c, k.addr, k.user, 1, 1);
        ok = rogue_recv_frame(&c, &h, frame_buf) == 0 && h.code == RPC_OK;
        rogue_close(&c);
    }
    assert_true(ok);
    rogue_close(&b);
    kit_down(&k);
}

static void test_rate_limit(void **state)
{
    (void)state;
    kit k;
    rogue r;
    rpc_head h;
    rpc_opts o = {.calls_per_s = 50, .burst = 20};
    kit_keys(&k);
    kit_server(&k, "tcp://127.0.0.1:0", &o);
    unsigned ok = 0, refused = 0;
    int64_t t0 = gp_mono_ms();
    for (int conn = 0; conn < 2; conn++) { /* a second connection brings no second allowance */
        rogue_login(&r, k.addr, k.user);
        for (uint32_t i = 0; i < 100; i++)
            rogue_call(&r, 2 * i + 1, "who", "", 0);
        for (uint32_t i = 0; i < 100;) {
            assert_int_equal(rogue_recv_frame(&r, &h, frame_buf), 0);
            if (h.type != RPC_F_STATUS)
                continue;
            i++;
            ok += h.code == RPC_OK;
            refused += h.code == RPC_RESOURCE_EXHAUSTED;
        }
        rogue_close(&r);
    }
    assert_int_equal(ok + refused, 200);
    int64_t ms = gp_mono_ms() - t0;
    assert_true(ok >= 20 && (int64_t)ok <= 21 + ms * 50 / 1000);
    usleep(100000); /* after a pause it may again */
    rogue_login(&r, k.addr, k.user);
    rogue_call(&r, 1, "who", "", 0);
    assert_int_equal(rogue_recv_frame(&r, &h, frame_buf), 0);
    assert_int_equal(h.type, RPC_F_MSG);
    rogue_close(&r);
    kit_down(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_garbage),         cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_bad_frames),      cmocka_unit_test(test_bad_records),
        cmocka_unit_test(test_reordered),       cmocka_unit_test(test_repeated),
        cmocka_unit_test(test_reflected),       cmocka_unit_test(test_refused_calls),
        cmocka_unit_test(test_credit_overflow), cmocka_unit_test(test_many_streams),
        cmocka_unit_test(test_conns_per_peer),  cmocka_unit_test(test_rate_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
