/* linktype_test.c - interfaces that are not Ethernet: what is captured, how bytes count, what is
 * refused (capture.md 1.1, L-11, L-15, D-27). A tun device plays them all. */
#include "capturing.h"
#include "gp/bytes.h"

#include <fcntl.h>
#include <sys/resource.h>

enum { N_IN = 20, N_OUT = 30, IP_BYTES = 20 + 8 + 5 };

/* A tun device t0 of this hardware type, up, with an address; its descriptor, or -1. */
static int tun(int arphrd)
{
    int fd = netns_tun("t0");

    if (fd < 0)
        return -1;
    if (ioctl(fd, TUNSETLINK, arphrd) != 0) {
        close(fd);
        return -1;
    }
    (void)netns_run("ip link set t0 addrgenmode none");
    assert_int_equal(netns_run("ip link set t0 up"), 0);
    assert_int_equal(netns_run("ip addr add 10.9.0.1/24 dev t0"), 0);
    return fd;
}

static void send_out(unsigned n, unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(0x0a090002);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(sendto(fd, "hello", 5, 0, (struct sockaddr *)&to, sizeof to), 5);
    close(fd);
}

/* 10.9.0.2 to 10.9.0.1 without link header. */
static void send_in(int fd, unsigned n, unsigned port)
{
    uint8_t b[100];

    (void)make_udp(b, 0, 1, 40000, port);
    b[14 + 3] = IP_BYTES;
    b[14 + 8] = 64;
    memcpy(b + 14 + 12, "\x0a\x09\0\2\x0a\x09\0\1", 8);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(write(fd, b + 14, IP_BYTES), IP_BYTES);
}

static void test_supported(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int arphrd;
    } cases[] = {
        {"none: tun, WireGuard", 65534},
        {"PPP", 512},
        {"ipip", 768},
        {"tunnel6", 769},
        {"sit", 776},
        {"GRE", 778},
        {"GRE6", 823},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int fd = tun(cases[i].arphrd);
        if (fd < 0)
            skip_because("no /dev/net/tun that may be used");
        fixture *f = start();
        capture_one(f, "t0", &small_ring);
        send_in(fd, N_IN, 7);
        send_out(N_OUT, 8);
        wait_processed(f, "t0", N_IN + N_OUT);
        flush(f);
        const uint64_t *c = f->s.counter;
        if (c[FLOW_PKTS_IN] != N_IN || c[FLOW_PKTS_OUT] != N_OUT ||
            c[FLOW_BYTES_IN] != N_IN * IP_BYTES || c[FLOW_BYTES_OUT] != N_OUT * IP_BYTES ||
            f->s.dports[7] != N_IN || f->s.dports[8] != N_OUT)
            fail_msg("%s: packets %" PRIu64 " %" PRIu64 ", bytes %" PRIu64 " %" PRIu64,
                     cases[i].what, c[FLOW_PKTS_IN], c[FLOW_PKTS_OUT], c[FLOW_BYTES_IN],
                     c[FLOW_BYTES_OUT]);
        flow_status s = status_of(f, "t0");
        assert_int_equal(s.total.capture.received, N_IN + N_OUT);
        close(fd);
        end(f);
    }
}

/* Said once, in words; the others go on; captured as soon as it is something else. */
static void test_refused(void **state)
{
    (void)state;
    static const int types[] = {280 /* CAN */, 32 /* InfiniBand */, 803 /* radiotap */, 824};
    const char *names[] = {"t0", "v0"};

    for (size_t i = 0; i < COUNT(types); i++) {
        flow_change *ch = NULL;
        int fd = tun(types[i]);
        if (fd < 0)
            skip_because("no /dev/net/tun that may be used");
        fixture *f = start();
        assert_int_equal(apply(f, names, 2, &small_ring, &ch), 2);
        assert_false(ch[0].ok);
        if (!strstr(ch[0].error, "is not supported; Ethernet, loopback, PPP"))
            fail_msg("type %d: %s", types[i], ch[0].error);
        assert_true(ch[1].ok);
        gp_free(ch);
        if (i == 0) { /* link events do not repeat it */
            assert_int_equal(netns_run("ip link set t0 down"), 0);
            assert_int_equal(netns_run("ip link set t0 up"), 0);
            (void)usleep(250000);
            assert_int_equal(atomic_load(&f->s.events[FLOW_EV_OPEN_FAILED]), 1);
            assert_int_equal(status_of(f, "t0").state, FLOW_WAITING);
        }
        close(fd);
        end(f);
    }
}

/* An interface that is called as libpcap's "all of them", and one whose name cannot be printed:
 * neither is captured, and both are told of. */
static void test_names(void **state)
{
    (void)state;
    const char *names[] = {"/./"};
    flow_change *ch = NULL;

    if (netns_run("ip link add any type veth peer name b\x01c") != 0)
        skip_because("no veth of these names");
    assert_int_equal(netns_run("ip link set any up"), 0);
    fixture *f = start();
    size_t n = apply(f, names, 1, &small_ring, &ch);
    assert_int_equal(n, 4); /* any, lo, v0, v1 */
    assert_string_equal(ch[0].name, "any");
    if (ch[0].ok || !strstr(ch[0].error, "rename it"))
        fail_msg("any: %s", ch[0].error);
    for (size_t i = 1; i < n; i++)
        if (!ch[i].ok || !gp_text_ok(ch[i].name, CAPTURE_NAME_CAP))
            fail_msg("%s: %s", ch[i].name, ch[i].error);
    gp_free(ch);
    assert_int_equal(atomic_load(&f->s.events[FLOW_EV_NOTE]), 1);
    end(f);
    assert_int_equal(netns_run("ip link del any"), 0);
}

/* Descriptors for writing and for queries are not taken by captures; said with the limit. */
static void test_few_descriptors(void **state)
{
    (void)state;
    const char *names[] = {"lo", "v0"};
    struct rlimit all, few;
    flow_change *ch = NULL;
    fixture *f = start();

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
    int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(lowest >= 0);
    close(lowest);
    few = all;
    few.rlim_cur = (rlim_t)lowest + 60; /* room for twenty captures */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_int_equal(apply(f, names, 2, &small_ring, &ch), 2);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
    for (int i = 0; i < 2; i++)
        if (ch[i].ok || !strstr(ch[i].error, "too many open files: the limit is "))
            fail_msg("%s: %s", ch[i].name, ch[i].error);
    gp_free(ch);
    assert_int_equal(apply(f, names, 2, &small_ring, &ch), 2);
    assert_true(ch[0].ok && ch[1].ok);
    gp_free(ch);
    end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_supported),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_few_descriptors),
    };
    if (!netns_enter())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
