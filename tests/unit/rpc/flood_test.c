/* flood_test.c - too much of everything: half-open connections, readers that do not read, floods of
 * calls and pings, handlers that never end. Honest clients are served, memory stays bounded. */
#include "rogue.h"

#include "bounds.h"
#include "gp/clock.h"
#include "gp/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static uint8_t frame_buf[RPC_MAX_PAYLOAD];

static void check_alive(kit *k)
{
    gp_buf reply = {0};
    gp_err err = {0};
    int64_t t0 = gp_mono_ms();
    rpc_conn *c = kit_dial(k);
    if (rpc_call_unary(c, "echo", "ping", 4, gp_deadline_in_ms(3000), &reply, &err))
        fail_msg("the honest client got: %s", err.msg);
    if (gp_mono_ms() - t0 > 3000)
        fail_msg("the honest client waited %lld ms", (long long)(gp_mono_ms() - t0));
    gp_buf_free(&reply);
    rpc_conn_close(c);
}

/* Resident memory of this process, KiB. */
static long rss_kib(void)
{
    long pages = 0, skip_me = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld %ld", &skip_me, &pages), 2);
    fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Sanitizers keep freed memory: then only the service is checked. */
static int memory_counts(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 0;
#else
    return 1;
#endif
}

/* Descriptors for n clients; the server needs some for those that it has not dropped yet. */
static int may_open(size_t n)
{
    enum { SERVER = 4000 };
    struct rlimit lim;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &lim), 0);
    rlim_t want = n + SERVER;
    if (lim.rlim_max < want) {
        const struct rlimit more = {want, want}; /* root may */
        if (setrlimit(RLIMIT_NOFILE, &more) == 0)
            return 1;
    }
    lim.rlim_cur = lim.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &lim), 0);
    if (lim.rlim_cur >= want)
        return 1;
    print_message("skipped: the hard limit of open files is %lu, %lu are needed\n",
                  (unsigned long)lim.rlim_max, (unsigned long)want);
    return 0;
}

/* 10,000 connections at once that never finish their handshake. */
static void test_half_open(void **state)
{
    (void)state;
    const size_t n = 10000;
    if (!may_open(n))
        skip();
    kit k;
    rpc_opts o = {.max_conns = 20000, .handshake_ms = 20000};
    kit_keys(&k);
    kit_server(&k, "tcp://127.0.0.1:0", &o);
    kit_client(&k, NULL);
    check_alive(&k);
    long before = rss_kib();
    int *fd = gp_calloc(n, sizeof *fd);
    for (size_t i = 0; i < n; i++) {
        fd[i] = rogue_connect(k.addr);
        if (i % 3 == 1 && send(fd[i],
                               "\0\x40"
                               "abc",
                               5, MSG_NOSIGNAL) < 0)
            continue; /* half a first message */
        if (i % 64 == 63)
            usleep(3000); /* or the kernel's backlog overflows and each overflow costs a second */
        if (i % 2000 == 1999)
            check_alive(&k);
    }
    check_alive(&k);
    rpc_counters c;
    for (int i = 0; i < 3000; i++) { /* those in the kernel's backlog come later, or never */
        rpc_runtime_counters(k.server, &c);
        if (c.handshake_failed + HALF_OPEN_MAX + 16 >= c.accepted)
            break;
        usleep(1000);
    }
    print_message("%zu half-open connections, %lu accepted: +%ld KiB, %lu dropped for newer ones\n",
                  n, (unsigned long)c.accepted, rss_kib() - before,
                  (unsigned long)c.handshake_failed);
    assert_true(c.accepted > n * 9 / 10);
    assert_true(c.handshake_failed + HALF_OPEN_MAX + 16 >= c.accepted);
    if (memory_counts())
        assert_true(rss_kib() - before < 32 * 1024);
    for (size_t i = 0; i < n; i++)
        close(fd[i]);
    gp_free(fd);
    kit_down(&k);
}

/* The handshake's time-out ends them too. */
static void test_handshake_timeout(void **state)
{
    (void)state;
    kit k;
    rpc_opts o = {.handshake_ms = 200};
    kit_keys(&k);
    kit_server(&k, "tcp://127.0.0.1:0", &o);
    rogue r = {.fd = rogue_connect(k.addr)};
    int64_t t0 = gp_mono_ms();
    assert_true(rogue_is_closed(&r));
    int64_t ms = gp_mono_ms() - t0;
    assert_true(ms >= 150 && ms < 3000);
    rogue_close(&r);
    kit_down(&k);
}

static void flood_req(uint8_t req[8], uint32_t n, uint32_t size)
{
    gp_put_le32(req, n);
    gp_put_le32(req + 4, size);
}

/* Readers that ask for streams and never read. Each is dropped after the stall time, honest clients
 * are served all the while, though more calls hang than there are workers at the start. */
static void test_slow_readers(void **state)
{
    (void)state;
    enum { CONNS = 4, CALLS = 4 };
    kit k;
    rogue r[CONNS];
    uint8_t req[8];
    rpc_opts o = {.stall_ms = 1000, .workers = 2, .max_workers = 32};
    kit_keys(&k);
    kit_server(&k, "tcp://127.0.0.1:0", &o);
    kit_client(&k, NULL);
    flood_req(req, 1000000, 100000);
    long before = rss_kib();
    for (size_t i = 0; i < CONNS; i++) {
        rogue_login(&r[i], k.addr, k.user);
        int small = 4096;
        setsockopt(r[i].fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        for (uint32_t s = 0; s < CALLS; s++)
            rogue_call(&r[i], 2 * s + 1, "count", req, 8);
    }
    for (int i = 0; i < 5; i++) {
        check_alive(&k);
        usleep(50000);
    }
    if (memory_counts() && rss_kib() - before > 48 * 1024)
        fail_msg("memory grew by %ld KiB", rss_kib() - before);
    rpc_counters c;
    for (int i = 0; i < 100; i++) { /* all are given up: by credit or by the full socket */
        rpc_runtime_counters(k.server, &c);
        if (c.streams_open == 0)
            break;
        usleep(100000);
    }
    assert_int_equal(c.streams_open, 0);
    for (size_t i = 0; i < CONNS; i++)
        rogue_close(&r[i]);
    check_alive(&k);
    kit_down(&k);
}

/* One that reads the connection but gives no credit only loses that call. */
static void test_no_credit(void **state)
{
    (void)state;
    kit k;
    rogue r;
    rpc_head h;
    uint8_t req[8];
    rpc_opts o = {.stall_ms = 300};
    kit_keys(&k);
    kit_server(&k, "tcp://127.0.0.1:0", &o);
    rogue_login(&r, k.addr, k.user);
    flood_req(req, 1000, 100000);
    rogue_call(&r, 1, "count", req, 8);
    size_t bytes = 0;
    do {
        assert_int_equal(rogue_recv_frame(&r, &h, frame_buf), 0);
        bytes += h.type == RPC_F_MSG ? h.len + RPC_MSG_OVERHEAD : 0;
    } while (h.type == RPC_F_MSG);
    assert_true(bytes <= RPC_STREAM_CREDIT);
    assert_int_equal(h.type, RPC_F_STATUS);
    assert_int_equal(h.code, RPC_UNAVAILABLE);
    rogue_call(&r, 3, "who", "", 0);
    assert_int_equal(rogue_recv_frame(&r, &h, frame_buf), 0);
    assert_int_equal(h.stream, 3);
    rogue_close(&r);
    kit_down(&k);
}

/* Both the user and the "stranger" are trusted: honest and hostile peer. */
static void trust_both(kit *k)
{
    gp_buf text = {0};
    gp_err err = {0};
    auth_trust_entry(k->user, NULL, &text);
    auth_trust_entry(k->stranger, NULL, &text);
    assert_int_equal(auth_trust_parse(k->server_trust, gp_buf_str(&text), text.len, &err), GP_OK);
    gp_buf_free(&text);
}

/* Sends as fast as it can and reads nothing: calls or pings. The server stops reading it. */
static void flood_without_reading(const char *what, int pings)
{
    static uint8_t big[4000];
    kit k;
    rogue r;
    kit_up(&k);
    trust_both(&k);
    check_alive(&k);
    long before = rss_kib();
    rogue_login(&r, k.addr, k.stranger);
    struct timeval tv = {.tv_usec = 300000};
    setsockopt(r.fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
    size_t sent = 0;
    int rv = 0;
    for (uint32_t i = 0; i < 100000 && rv == 0; i++, sent++) {
        if (pings)
            rv = rogue_send_frame(&r, RPC_F_PING, 0, 0, big, RPC_PING_LEN);
        else
            rv = rogue_call(&r, 2 * i + 1, "echo", big, sizeof big);
        if (i % 20000 == 19999)
            check_alive(&k);
    }
    check_alive(&k);
    long grown = rss_kib() - before;
    print_message("%s: %zu sent, +%ld KiB\n", what, sent, grown);
    if (memory_counts())
        assert_true(grown < 32 * 1024);
    rogue_close(&r);
    check_alive(&k);
    kit_down(&k);
}

static void test_call_flood(void **state)
{
    (void)state;
    flood_without_reading("calls", 0);
}

static void test_ping_flood(void **state)
{
    (void)state;
    flood_without_reading("pings", 1);
}

/* Handlers that do not end: more of them than workers, and others still get their turn. */
static void test_stuck_handlers(void **state)
{
    (void)state;
    kit k;
    rogue r;
    rpc_opts o = {.workers = 2, .max_workers = 16};
    kit_keys(&k);
    kit_server(&k, "tcp://127.0.0.1:0", &o);
    kit_client(&k, NULL);
    rogue_login(&r, k.addr, k.user);
    for (uint32_t i = 0; i < 11; i++)
        rogue_call(&r, 2 * i + 1, "block", "", 0);
    assert_true(kit_wait(&k.running, 11));
    check_alive(&k);
    rogue_close(&r);
    assert_true(kit_wait(&k.cancelled, 11));
    kit_down(&k);
}

/* Calls of a busy peer wait in their own queue: another peer's call is next. */
static void test_fair_between_peers(void **state)
{
    (void)state;
    kit k;
    rogue busy;
    uint8_t req[8];
    kit_keys(&k);
    trust_both(&k);
    rpc_opts o = {.workers = 1, .max_workers = 1};
    kit_server(&k, "tcp://127.0.0.1:0", &o);
    kit_client(&k, NULL);
    rogue_login(&busy, k.addr, k.stranger);
    flood_req(req, 40, 100); /* short calls, but 200 of them */
    for (uint32_t i = 0; i < 200; i++)
        rogue_call(&busy, 2 * i + 1, "count", req, 8);
    check_alive(&k);
    rpc_head h;
    uint32_t done = 0;
    while (done < 200) { /* they do get served */
        assert_int_equal(rogue_recv_frame(&busy, &h, frame_buf), 0);
        done += h.type == RPC_F_STATUS;
    }
    rogue_close(&busy);
    kit_down(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_open),      cmocka_unit_test(test_handshake_timeout),
        cmocka_unit_test(test_slow_readers),   cmocka_unit_test(test_no_credit),
        cmocka_unit_test(test_call_flood),     cmocka_unit_test(test_ping_flood),
        cmocka_unit_test(test_stuck_handlers), cmocka_unit_test(test_fair_between_peers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
