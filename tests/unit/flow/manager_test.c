/* manager_test.c - live capture in a network namespace: nothing lost, nothing counted twice. */
#include "capturing.h"

/* Sent and received on one interface; identity of the counters; block times rise. */
static void test_directions(void **state)
{
    (void)state;
    enum { N = 3000 };
    fixture *f = start();
    uint8_t b[100];
    capture_conf conf = small_ring;
    conf.promisc = 1;
    capture_one(f, "v0", &conf);
    int out = netns_raw("v0"), in = netns_raw("v1");
    uint64_t bytes[2] = {0}; /* received, sent */

    for (unsigned i = 0; i < N; i++) {
        size_t n = make_udp(b, i % 3 == 0, 1 + i % 50, 40000 + i % 7, 5000 + i % 11);
        netns_send(i % 4 ? in : out, b, n);
        bytes[i % 4 == 0] += n;
    }
    wait_processed(f, "v0", N);
    flush(f);
    assert_int_equal(f->s.counter[FLOW_PKTS_OUT], N / 4);
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], N - N / 4);
    assert_int_equal(f->s.counter[FLOW_BYTES_OUT], bytes[1]);
    assert_int_equal(f->s.counter[FLOW_BYTES_IN], bytes[0]);
    flow_status s = status_of(f, "v0");
    assert_int_equal(s.total.capture.received, N);
    assert_int_equal(s.total.capture.processed, N);
    assert_int_equal(s.total.capture.dropped, 0);
    assert_int_equal(s.recent.capture.processed, 0); /* since the rotation */
    assert_int_equal(s.ring_bytes, 4 << 20);
    assert_true(s.last_block_s > 0 && s.pending_blocks == 0);
    close(in);
    close(out);
    end(f);
}

/* Loopback: each packet counts as sent and as received (L-9). */
static void test_loopback(void **state)
{
    (void)state;
    enum { N = 500 };
    fixture *f = start();
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int sink_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET};
    socklen_t len = sizeof to;

    to.sin_addr.s_addr = htonl(0x7f000001);
    assert_int_equal(bind(sink_fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(getsockname(sink_fd, (struct sockaddr *)&to, &len), 0);
    capture_one(f, "lo", &small_ring);
    for (int i = 0; i < N; i++)
        assert_int_equal(sendto(fd, "hello", 5, 0, (struct sockaddr *)&to, sizeof to), 5);
    wait_processed(f, "lo", 2 * N);
    flush(f);
    assert_int_equal(f->s.counter[FLOW_PKTS_OUT], N);
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], N);
    assert_int_equal(f->s.counter[FLOW_BYTES_IN], N * (14 + 20 + 8 + 5));
    assert_int_equal(f->s.flows[0], 1);
    flow_status s = status_of(f, "lo");
    assert_int_equal(s.total.capture.received, 2 * N);
    close(fd);
    close(sink_fd);
    end(f);
}

/* Odd frames on the wire: tags, runts, fragments, ARP; each ends where spec 1 says. */
static void test_odd_frames(void **state)
{
    (void)state;
    fixture *f = start();
    uint8_t b[200];
    capture_one(f, "v0", &small_ring);
    int in = netns_raw("v1");

    size_t n = make_udp(b, 0, 1, 40000, 1001); /* QinQ: two tags in the frame */
    memmove(b + 20, b + 12, n - 12);
    memcpy(b + 12, "\x88\xa8\0\x64\x81\0\0\x65", 8);
    netns_send(in, b, n + 8);
    n = make_udp(b, 0, 1, 40000, 1002); /* one tag */
    memmove(b + 16, b + 12, n - 12);
    memcpy(b + 12, "\x81\0\0\x64", 4);
    netns_send(in, b, n + 4);
    n = make_udp(b, 0, 1, 40000, 1003); /* PPPoE */
    memmove(b + 22, b + 14, n - 14);
    memcpy(b + 12, "\x88\x64\x11\0\0\1\0\x40\0\x21", 10);
    netns_send(in, b, n + 8);
    n = make_udp(b, 0, 1, 40000, 1004); /* tagged ARP: not considered */
    memcpy(b + 12, "\x81\0\0\x64\x08\x06", 6);
    netns_send(in, b, n);
    n = make_udp(b, 0, 1, 40000, 1005); /* later fragment */
    b[14 + 7] = 1;
    netns_send(in, b, n);
    n = make_udp(b, 0, 1, 40000, 1006);
    for (size_t runt = 15; runt <= 33; runt++) /* D-4 */
        netns_send(in, b, runt);
    b[14] = 0x15; /* no IP version */
    netns_send(in, b, 60);

    wait_processed(f, "v0", 3 + 19 + 1 + 1);
    flush(f);
    flow_status s = status_of(f, "v0");
    assert_int_equal(f->s.dports[1001], 1);
    assert_int_equal(f->s.dports[1002], 1);
    assert_int_equal(f->s.dports[1003], 1);
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], 3);
    assert_int_equal(f->s.counter[FLOW_BYTES_IN], (70 + 4) + 70 + (70 + 8));
    assert_int_equal(s.total.capture.errors[CAPTURE_FRAGMENTED], 1);
    assert_int_equal(s.total.capture.errors[CAPTURE_TRUNCATED], 19);
    assert_int_equal(s.total.capture.errors[CAPTURE_INVALID], 1);
    assert_int_equal(s.total.capture.received,
                     s.total.capture.processed + s.total.capture.errors[CAPTURE_FRAGMENTED]);
    close(in);
    end(f);
}

/* capture.fragments: a later fragment counts into the flow of the first one, and as fragmented. */
static void test_fragments(void **state)
{
    (void)state;
    fixture *f = start_with(&(flow_manager_opts){.interval_s = NO_BOUNDARY, .fragments = 1});
    uint8_t b[100];

    capture_one(f, "v0", &small_ring);
    int in = netns_raw("v1");
    size_t n = make_udp(b, 0, 1, 40000, 1001);
    b[18] = 7; /* identification */
    b[20] = 0x20;
    netns_send(in, b, n);
    memset(b + 34, 0, 8); /* no ports in what follows */
    b[21] = 6;
    netns_send(in, b, n);
    b[20] = 0;
    netns_send(in, b, n);
    b[18] = 8; /* a packet whose first fragment never came */
    netns_send(in, b, n);
    wait_processed(f, "v0", 4);
    flush(f);
    assert_int_equal(f->s.dports[1001], 3);
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], 3);
    assert_int_equal(f->s.counter[FLOW_BYTES_IN], 210);
    flow_status s = status_of(f, "v0");
    assert_int_equal(s.total.capture.received, 4);
    assert_int_equal(s.total.capture.processed, 1);
    assert_int_equal(s.total.capture.errors[CAPTURE_FRAGMENTED], 3);
    close(in);
    end(f);
}

static void test_ignore_vlans(void **state)
{
    (void)state;
    fixture *f = start();
    uint8_t b[200];
    capture_conf conf = small_ring;
    conf.ignore_vlans = 1;
    capture_one(f, "v0", &conf);
    int in = netns_raw("v1");

    size_t n = make_udp(b, 0, 1, 40000, 1002);
    netns_send(in, b, n);
    memmove(b + 16, b + 12, n - 12);
    memcpy(b + 12, "\x81\0\0\x64", 4);
    netns_send(in, b, n + 4);
    n = make_udp(b, 0, 1, 40000, 1003);
    netns_send(in, b, n);
    wait_processed(f, "v0", 2);
    flush(f);
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], 2);
    assert_int_equal(f->s.dports[1002], 1);
    close(in);
    end(f);
}

/* With sampling, what is stored and what status says is made up for what was left out. */
static void test_sample(void **state)
{
    (void)state;
    enum { EACH = 4, N = 2000, LEN = 70 };
    fixture *f = start();
    uint8_t b[100];
    flow_status s = {0};
    capture_conf conf = small_ring;
    gp_deadline until = gp_deadline_in_ms(WAIT_MS);

    conf.sample = EACH;
    capture_one(f, "v0", &conf);
    int in = netns_raw("v1");
    for (unsigned i = 0; i < N; i++)
        netns_send(in, b, make_udp(b, 0, 1, 40000, 7));
    do { /* how many come, and when the last one does, is not known */
        flush(f);
        s = status_of(f, "v0");
    } while ((s.total.capture.processed < N / EACH / 2 ||
              f->s.counter[FLOW_BYTES_IN] != s.total.wire_bytes[0]) &&
             !gp_deadline_passed(until));
    assert_in_range(s.total.capture.processed, N / EACH / 2, N / EACH * 2);
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], s.total.capture.processed * EACH);
    assert_int_equal(f->s.counter[FLOW_BYTES_IN], s.total.capture.processed * EACH * LEN);
    assert_int_equal(s.total.wire_bytes[0], f->s.counter[FLOW_BYTES_IN]);
    close(in);
    end(f);
}

/* extra_bpf_filters: reject UDP packets whose EtherType is IPv6; invalid code is refused. */
static void test_extra_filter(void **state)
{
    (void)state;
    fixture *f = start();
    uint8_t b[100];
    flow_change *ch = NULL;
    const char *name = "v0";
    capture_conf conf = small_ring;

    conf.n_extra = 1;
    conf.extra[0] = (capture_insn){.op = 0xffff};
    assert_int_equal(apply(f, &name, 1, &conf, &ch), 1);
    assert_false(ch[0].ok);
    assert_non_null(strstr(ch[0].error, "extra_bpf_filters"));
    gp_free(ch);
    conf.extra[0] = (capture_insn){.op = 0x15, .jt = 1, .jf = 0, .k = 0x86dd}; /* to after accept */
    capture_one(f, "v0", &conf);
    int in = netns_raw("v1");
    for (int i = 0; i < 10; i++)
        netns_send(in, b, make_udp(b, i & 1, 1, 40000, 7));
    wait_processed(f, "v0", 5);
    flush(f);
    assert_int_equal(f->s.flows[0], 1);
    assert_int_equal(f->s.flows[1], 0);
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], 5);
    close(in);
    end(f);
}

/* A steady stream across many rotations, with status and live queries at the same time. */
typedef struct poker {
    fixture *f;
    atomic_int stop;
    atomic_uint live_ok, status_ok;
} poker;

static void *poke(void *arg)
{
    poker *p = arg;
    gp_err err = {0};

    while (!atomic_load(&p->stop)) {
        godb_rows rows;
        int64_t t, upto;
        void *h = NULL;
        flow_status *s = NULL;
        size_t n;
        if (flow_manager_live_get(p->f->m, "v0", &rows, &t, &upto, &h, &err) == GP_OK) {
            atomic_fetch_add(&p->live_ok, t > upto);
            flow_manager_live_release(p->f->m, h);
        }
        if (flow_manager_status(p->f->m, NULL, 0, &s, &n, &err) == GP_OK)
            atomic_fetch_add(&p->status_ok, n == 1);
        gp_free(s);
        (void)usleep(2000);
    }
    return NULL;
}

static void test_rotation_under_load(void **state)
{
    (void)state;
    enum { N = 40000 };
    fixture *f = start_with(&(flow_manager_opts){.interval_s = 1}); /* rotates every second, too */
    poker p = {.f = f};
    pthread_t t;
    uint8_t b[100];
    gp_err err = {0};
    uint64_t bytes = 0;

    capture_one(f, "v0", &small_ring);
    int in = netns_raw("v1");
    assert_int_equal(pthread_create(&t, NULL, poke, &p), 0);
    for (unsigned i = 0; i < N; i++) {
        size_t n = make_udp(b, i % 5 == 0, 1 + i % 997, 40000 + i % 13, 5000 + i % 3);
        netns_send(in, b, n);
        bytes += n;
        if (i % 2000 == 1999)
            want_ok_err(&err, flow_manager_flush(f->m, NULL, 0, FLUSH_MS, &err));
        if (i % 20 == 0)
            (void)usleep(100);
    }
    wait_processed(f, "v0", N);
    flush(f);
    atomic_store(&p.stop, 1);
    pthread_join(t, NULL);
    pthread_mutex_lock(&f->s.mu); /* empty intervals go on being written */
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], N);
    assert_int_equal(f->s.counter[FLOW_BYTES_IN], bytes);
    assert_int_equal(f->s.counter[FLOW_PKTS_OUT], 0);
    assert_int_equal(f->s.dports[5000] + f->s.dports[5001] + f->s.dports[5002], N);
    assert_true(f->s.blocks >= 20);
    pthread_mutex_unlock(&f->s.mu);
    assert_true(atomic_load(&p.live_ok) > 10 && atomic_load(&p.status_ok) > 10);
    flow_status s = status_of(f, "v0");
    assert_int_equal(s.total.capture.received, N);
    assert_int_equal(s.total.capture.dropped, 0);
    close(in);
    end(f);
}

/* Capture never waits for long, however many flows there are: rotations, live queries and
 * checkpoints of 50,000 flows, of a million with TEST_ROUNDS=20. CPU time is judged, which a busy
 * machine does not stretch. */
static void test_pause(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    enum { LIMIT_NS = 100000000, MOST = 1000000 }; /* watched memory is several times slower */
#else
    enum { LIMIT_NS = 10000000, MOST = 1000000 };
#endif
    uint64_t n = test_rounds(50000) < MOST ? test_rounds(50000) : MOST;
    fixture *f =
        start_with(&(flow_manager_opts){.interval_s = NO_BOUNDARY, .checkpoint_ms = EVERY_MS});
    poker p = {.f = f};
    pthread_t t;
    uint8_t b[100];
    capture_conf conf = small_ring;

    conf.num_blocks = 64;
    capture_one(f, "v0", &conf);
    int in = netns_raw("v1");
    for (uint64_t i = 0; i < n; i++)
        netns_send(in, b, make_udp(b, i % 4 == 0, (unsigned)i & 0xffff, 40000 + (i >> 16) % 64, 7));
    wait_processed(f, "v0", n / 10 * 9); /* a busy machine may drop some */
    flow_status s = status_of(f, "v0");
    assert_true(s.total.entries >= n / 10 * 9);
    assert_int_equal(pthread_create(&t, NULL, poke, &p), 0);
    for (uint64_t i = 0; i < 20000 || atomic_load(&p.live_ok) < 5; i++) {
        netns_send(in, b, make_udp(b, 0, (unsigned)i % 1000, 40000, 7));
        if (i % 20 == 0)
            (void)usleep(100);
    }
    wait_event(f, FLOW_EV_CHECKPOINT, 1, "checkpoint");
    flush(f);
    atomic_store(&p.stop, 1);
    pthread_join(t, NULL);
    s = status_of(f, "v0");
    print_message("%" PRIu64
                  " flows, %u live queries, %d checkpoints, 1 rotation: capture waited at "
                  "most %.2f ms (%.2f ms of CPU time)\n",
                  n, atomic_load(&p.live_ok), atomic_load(&f->s.events[FLOW_EV_CHECKPOINT]),
                  (double)s.total.pause_ns / 1e6, (double)s.total.pause_cpu_ns / 1e6);
    assert_in_range(s.total.pause_cpu_ns, 1, LIMIT_NS);
    assert_true(s.total.pause_ns >= s.total.pause_cpu_ns);
    close(in);
    end(f);
}

/* What closing finds in the rings is written: no wait before the end. */
static void test_close_is_exact(void **state)
{
    (void)state;
    enum { N = 2000 };
    fixture *f = start();
    uint8_t b[100];
    gp_err err = {0};

    capture_one(f, "v0", &small_ring);
    int in = netns_raw("v1");
    for (unsigned i = 0; i < N; i++)
        netns_send(in, b, make_udp(b, i & 1, 1, 40000, 7));
    want_ok_err(&err, flow_manager_close(f->m, &err));
    f->m = NULL;
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], N);
    close(in);
    end(f);
}

/* Live rows and blocks on disk together are everything, at any moment, and nothing twice. */
static void test_live_rows(void **state)
{
    (void)state;
    fixture *f = start();
    uint8_t b[100];
    gp_err err = {0};

    capture_one(f, "v0", &small_ring);
    int in = netns_raw("v1");
    for (unsigned round = 1; round <= 5; round++) {
        godb_rows rows;
        int64_t t, upto;
        void *h = NULL;
        for (unsigned i = 0; i < 100; i++)
            netns_send(in, b, make_udp(b, 0, 1 + i % 10, 40000 + i, 7));
        wait_processed(f, "v0", (uint64_t)round * 100);
        want_ok_err(&err, flow_manager_live_get(f->m, "v0", &rows, &t, &upto, &h, &err));
        uint64_t live = 0;
        for (uint32_t i = 0; i < rows.n_v4; i++)
            live += rows.counter[FLOW_PKTS_IN][i];
        assert_int_equal(rows.n_v4, 10);
        assert_int_equal(live, 100);
        assert_int_equal(f->s.counter[FLOW_PKTS_IN], (round - 1) * 100);
        assert_true(upto == f->s.last_s || round == 1);
        assert_true(t > upto);
        flow_manager_live_release(f->m, h);
        flush(f);
    }
    godb_rows rows;
    int64_t t, upto;
    void *h = NULL;
    want_ok_err(&err, flow_manager_live_get(f->m, "nope", &rows, &t, &upto, &h, &err));
    assert_true(upto == INT64_MAX && rows.n_v4 == 0);
    flow_manager_live_release(f->m, h);
    char **names = NULL;
    want_ok_err(&err, flow_manager_live_ifaces(f->m, &names, &err));
    assert_string_equal(names[0], "v0");
    assert_null(names[1]);
    gp_free(names);
    want_err(GP_ENOTFOUND, &err, "nope: not captured",
             flow_manager_flush(f->m, (const char *const[]){"nope"}, 1, 1000, &err));
    close(in);
    end(f);
}

/* Down and up keeps the capture; removal writes the flows; re-creation is captured again. */
static void test_link_changes(void **state)
{
    (void)state;
    fixture *f = start();
    uint8_t b[100];
    const char *names[] = {"v0", "/^w[0-9]$/"};

    assert_int_equal(apply(f, names, 2, &small_ring, NULL), 0);
    wait_event(f, FLOW_EV_OPENED, 1, "start");
    (void)usleep(5000);
    int in = netns_raw("v1");
    netns_send(in, b, make_udp(b, 0, 1, 40000, 7));
    wait_processed(f, "v0", 1);

    assert_int_equal(netns_run("ip link set v0 down"), 0);
    (void)usleep(300000);
    assert_int_equal(netns_run("ip link set v0 up"), 0);
    netns_wait_running("v0");
    netns_wait_running("v1");
    netns_send(in, b, make_udp(b, 0, 1, 40000, 7));
    wait_processed(f, "v0", 2);
    assert_int_equal(atomic_load(&f->s.events[FLOW_EV_FAILED]), 0);

    assert_int_equal(netns_run("ip link add w0 type veth peer name w1"), 0); /* matches, but down */
    assert_int_equal(netns_run("ip link set w0 up"), 0);
    wait_event(f, FLOW_EV_OPENED, 2, "new interface");
    assert_int_equal(status_of(f, "w0").state, FLOW_CAPTURING);

    close(in);
    assert_int_equal(netns_run("ip link del v0"), 0);
    wait_event(f, FLOW_EV_FAILED, 1, "removal");
    wait_event(f, FLOW_EV_CLOSED, 1, "closed");
    wait_event(f, FLOW_EV_WRITTEN, 1, "written (D-13)");
    pthread_mutex_lock(&f->s.mu);
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], 2);
    pthread_mutex_unlock(&f->s.mu);
    assert_int_equal(status_of(f, "v0").state, FLOW_WAITING);

    assert_int_equal(netns_run("ip link add v0 type veth peer name v1"), 0);
    assert_int_equal(netns_run("ip link set v0 addrgenmode none"), 0);
    assert_int_equal(netns_run("ip link set v1 addrgenmode none"), 0);
    assert_int_equal(netns_run("ip link set v1 up"), 0);
    assert_int_equal(netns_run("ip link set v0 up"), 0);
    wait_event(f, FLOW_EV_OPENED, 3, "re-created");
    netns_wait_running("v0");
    netns_wait_running("v1");
    (void)usleep(5000);
    in = netns_raw("v1");
    netns_send(in, b, make_udp(b, 0, 1, 40000, 8));
    wait_processed(f, "v0", 1);
    flush(f);
    assert_int_equal(f->s.dports[8], 1);
    /* v0 is named, so it is waited for; w0 was one of a kind: gone with its last block */
    assert_int_equal(netns_run("ip link del w0"), 0);
    wait_event(f, FLOW_EV_CLOSED, 2, "w0 closed");
    wait_event(f, FLOW_EV_WRITTEN, 4, "w0 written");
    assert_int_equal(netns_run("ip link add x0 type veth peer name x1"), 0);
    wait_forgotten(f, "w0");
    assert_int_equal(status_of(f, "v0").state, FLOW_CAPTURING);
    close(in);
    end(f);
}

/* Apply: what is reported, and that changed and removed interfaces lose nothing. */
static void test_apply(void **state)
{
    (void)state;
    fixture *f = start();
    uint8_t b[100];
    const char *both[] = {"v0", "v1", "none0"};
    flow_change *ch = NULL;
    capture_conf other = small_ring;
    other.promisc = 1;

    assert_int_equal(apply(f, both, 3, &small_ring, &ch), 3);
    assert_string_equal(ch[0].name, "none0");
    assert_false(ch[0].ok);
    assert_non_null(strstr(ch[0].error, "no such interface"));
    assert_true(ch[1].ok && ch[2].ok && ch[1].action == FLOW_ENABLED);
    gp_free(ch);
    (void)usleep(5000);
    int in = netns_raw("v1");
    for (int i = 0; i < 10; i++)
        netns_send(in, b, make_udp(b, 0, 1, 40000, 7));

    /* none0 was never captured: nothing changes (5.5), and it is not waited for any more */
    assert_int_equal(apply(f, both, 2, &small_ring, &ch), 0);
    gp_free(ch);
    wait_forgotten(f, "none0");
    assert_int_equal(apply(f, both, 1, &other, &ch), 2);
    assert_int_equal(ch[0].action, FLOW_UPDATED);
    assert_int_equal(ch[1].action, FLOW_DISABLED);
    assert_true(ch[0].ok && ch[1].ok);
    gp_free(ch);
    (void)usleep(5000);
    for (int i = 0; i < 10; i++)
        netns_send(in, b, make_udp(b, 0, 1, 40000, 7));
    wait_processed(f, "v0", 10);
    flush(f);
    /* v0 received 20; v1 sent 10 while it was captured */
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], 20);
    assert_int_equal(f->s.counter[FLOW_PKTS_OUT], 10);
    flow_manager_info info;
    flow_manager_info_get(f->m, &info);
    assert_true(info.applied && !info.write_failing && info.last_writeout_s > 0);
    assert_int_equal(info.next_writeout_s % NO_BOUNDARY, 0);
    assert_int_equal(info.last_scheduled_s, 0); /* flush and apply are not */
    close(in);
    end(f);
}

/* When the first write-out will be is known at once, and not only when the clock's thread runs. */
static void test_next_at_once(void **state)
{
    (void)state;
    enum { TIMES = 30 };

    for (int i = 0; i < TIMES; i++) {
        fixture *f = start();
        flow_manager_info info;
        flow_manager_info_get(f->m, &info);
        assert_true(info.next_writeout_s * INT64_C(1000000000) > gp_wall_ns());
        end(f);
    }
}

/* A database that cannot be written keeps the flows and writes them when it can. */
static void test_failed_writes(void **state)
{
    (void)state;
    fixture *f = start();
    uint8_t b[100];
    gp_err err = {0};
    GP_CLEANUP(gp_freep) char *dir = gp_asprintf("%s/v0", f->dir);

    test_spew(dir, "in the way", 10); /* a file where the interface's directory would be */
    capture_one(f, "v0", &small_ring);
    int in = netns_raw("v1");
    for (int i = 0; i < 10; i++)
        netns_send(in, b, make_udp(b, 0, 1, 40000, 7));
    wait_processed(f, "v0", 10);
    want_err(GP_EIO, &err, "the flows are kept", flow_manager_flush(f->m, NULL, 0, FLUSH_MS, &err));
    flow_manager_info info;
    flow_manager_info_get(f->m, &info);
    assert_true(info.write_failing && info.writes_failed > 0);
    assert_int_equal(status_of(f, "v0").pending_blocks, 1);
    godb_rows rows;
    int64_t t, upto;
    void *h = NULL;
    want_ok_err(&err, flow_manager_live_get(f->m, "v0", &rows, &t, &upto, &h, &err));
    assert_int_equal(rows.counter[FLOW_PKTS_IN][0], 10); /* waiting rows are live rows */
    flow_manager_live_release(f->m, h);
    for (int i = 0; i < 10; i++)
        netns_send(in, b, make_udp(b, 0, 1, 40000, 7));
    wait_processed(f, "v0", 20);
    assert_int_equal(unlink(dir), 0);
    /* who asks need not wait for the next try, 15 s after the last one */
    want_ok_err(&err, flow_manager_flush(f->m, NULL, 0, 10000, &err));
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], 20);
    assert_int_equal(f->s.blocks, 2);
    flow_manager_info_get(f->m, &info);
    assert_false(info.write_failing);
    for (int i = 0; i < 10; i++)
        netns_send(in, b, make_udp(b, 0, 1, 40000, 7));
    wait_processed(f, "v0", 30);
    want_ok_err(&err, flow_manager_close(f->m, &err));
    f->m = NULL;
    assert_int_equal(f->s.counter[FLOW_PKTS_IN], 30);
    assert_int_equal(f->s.blocks, 3);
    close(in);
    end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directions),    cmocka_unit_test(test_loopback),
        cmocka_unit_test(test_odd_frames),    cmocka_unit_test(test_ignore_vlans),
        cmocka_unit_test(test_extra_filter),  cmocka_unit_test(test_sample),
        cmocka_unit_test(test_fragments),     cmocka_unit_test(test_rotation_under_load),
        cmocka_unit_test(test_pause),         cmocka_unit_test(test_close_is_exact),
        cmocka_unit_test(test_live_rows),     cmocka_unit_test(test_link_changes),
        cmocka_unit_test(test_apply),         cmocka_unit_test(test_next_at_once),
        cmocka_unit_test(test_failed_writes),
    };
    if (!netns_enter())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
