/* ip_test.c - IP and transport headers, fragments, ports, error kinds (capture.md 1.4 to 1.6, D-4
 * to D-8). */
#include "frames.h"

#include <pcap/dlt.h>

/* Parse the IP layer in *f from an exact heap copy, so that ASan sees reads beyond it. */
static capture_result parse(const frame *f, uint32_t n, int compat, capture_pkt *p)
{
    uint8_t *copy = gp_alloc(n ? n : 1, 1);
    assert_non_null(copy);
    memcpy(copy, f->b, n);
    capture_result r = capture_parse_ip(copy, n, compat, p);
    gp_free(copy);
    return r;
}

/* How many bytes of the IP layer each transport needs (table of 1.5); one less is "truncated". */
static void test_needed_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int v6;
        unsigned proto;
        uint32_t need;
    } cases[] = {
        {"TCP", 0, 6, 34},        {"TCP6", 1, 6, 54},          {"UDP", 0, 17, 24},
        {"UDP6", 1, 17, 44},      {"ICMP", 0, 1, 21},          {"ICMPv6", 1, 58, 41},
        {"ICMP in v6", 1, 1, 40}, {"ICMPv6 in v4", 0, 58, 20}, {"GRE", 0, 47, 20},
        {"ESP6", 1, 50, 40},      {"SCTP", 0, 132, 20},        {"no next header", 1, 59, 40},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        frame f = {.n = 0};
        capture_pkt p;
        uint8_t zero[64] = {0};
        if (cases[i].v6)
            put_ip6(&f, cases[i].proto);
        else
            put_ip4(&f, cases[i].proto, 0, 0);
        put(&f, zero, sizeof zero);
        for (uint32_t n = 0; n < cases[i].need + 2; n++) {
            capture_result want = n == 0              ? CAPTURE_INVALID
                                  : n < cases[i].need ? CAPTURE_TRUNCATED
                                                      : CAPTURE_FLOW;
            capture_result r = parse(&f, n, 0, &p);
            if (r != want)
                fail_msg("%s, %u bytes: result %d, want %d", cases[i].what, n, r, want);
        }
        assert_int_equal(p.proto, cases[i].proto);
    }
}

static void test_ip4_options(void **state)
{
    (void)state;
    frame f = {.n = 0};
    capture_pkt p;

    put_ip4(&f, 6, 0, 12);
    put_tcp(&f, 1000, 2000, 0x12);
    assert_int_equal(parse(&f, f.n, 0, &p), CAPTURE_FLOW);
    assert_int_equal(p.sport, 1000);
    assert_int_equal(p.dport, 2000);
    assert_int_equal(p.aux, 0x12);
    assert_int_equal(parse(&f, 20 + 12 + 13, 0, &p), CAPTURE_TRUNCATED);
    /* the reference reads the options as the transport header */
    assert_int_equal(parse(&f, f.n, 1, &p), CAPTURE_FLOW);
    assert_int_equal(p.sport, 0xeeee);
    f.b[0] = 0x44; /* header shorter than a header */
    assert_int_equal(parse(&f, f.n, 0, &p), CAPTURE_INVALID);
    assert_int_equal(parse(&f, f.n, 1, &p), CAPTURE_FLOW);
    f.b[0] = 0x15;
    assert_int_equal(parse(&f, f.n, 0, &p), CAPTURE_INVALID);
    /* options that were not captured do not matter when no port is wanted */
    frame g = {.n = 0};
    put_ip4(&g, 50, 0, 12);
    assert_int_equal(parse(&g, 20, 0, &p), CAPTURE_FLOW);
}

static void test_ip4_fragments(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        unsigned proto, frag;
        capture_result want;
    } cases[] = {
        {"don't fragment", 17, 0x4000, CAPTURE_FLOW},      {"first", 17, 0x2000, CAPTURE_FLOW},
        {"middle", 17, 0x2001, CAPTURE_FRAGMENTED},        {"last", 6, 0x0100, CAPTURE_FRAGMENTED},
        {"largest offset", 1, 0x1fff, CAPTURE_FRAGMENTED}, {"ESP middle", 50, 0x2001, CAPTURE_FLOW},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        frame f = {.n = 0};
        capture_pkt p;
        put_ip4(&f, cases[i].proto, cases[i].frag, 0);
        put_tcp(&f, 1, 2, 0);
        if (parse(&f, f.n, 0, &p) != cases[i].want)
            fail_msg("%s", cases[i].what);
        /* a non-first fragment is never "truncated" */
        capture_result cut = cases[i].want == CAPTURE_FLOW && cases[i].proto != 50
                                 ? CAPTURE_TRUNCATED
                                 : cases[i].want;
        if (parse(&f, 20, 0, &p) != cut)
            fail_msg("%s, cut", cases[i].what);
    }
}

static void put_chain(frame *f, const unsigned *next, size_t n)
{
    put_ip6(f, next[0]);
    for (size_t i = 0; i + 1 < n; i++) {
        if (next[i] == 44)
            put_frag6(f, next[i + 1], 0, 1);
        else
            put_ext(f, next[i + 1], (unsigned)(i % 3));
    }
}

static void test_ip6_extensions(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        unsigned next[12];
        unsigned proto;
        int ports;
    } cases[] = {
        {"none", {17}, 17, 1},
        {"hop-by-hop", {0, 17}, 17, 1},
        {"all kinds", {0, 60, 43, 135, 139, 140, 44, 17}, 17, 1},
        {"first fragment", {44, 17}, 17, 1},
        {"authentication header stops", {51, 17}, 51, 0},
        {"ESP stops", {60, 50, 17}, 50, 0},
        {"no next header", {0, 59}, 59, 0},
        {"eight", {60, 60, 60, 60, 60, 60, 60, 60, 17}, 17, 1},
        {"nine", {60, 60, 60, 60, 60, 60, 60, 60, 60, 17}, 60, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        frame f = {.n = 0};
        capture_pkt p;
        size_t n = 1;
        while (n < 12 && cases[i].next[n])
            n++;
        put_chain(&f, cases[i].next, n);
        put_udp(&f, 1000, 2000);
        assert_int_equal(parse(&f, f.n, 0, &p), CAPTURE_FLOW);
        if (p.proto != cases[i].proto || p.sport != (cases[i].ports ? 1000 : 0))
            fail_msg("%s: proto %u port %u", cases[i].what, p.proto, p.sport);
        assert_int_equal(parse(&f, f.n, 1, &p), CAPTURE_FLOW);
        if (p.proto != cases[i].next[0])
            fail_msg("%s compat: proto %u", cases[i].what, p.proto);
    }
}

static void test_ip6_fragments(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        unsigned next, offset8;
        capture_result want;
    } cases[] = {
        {"first", 17, 0, CAPTURE_FLOW},
        {"middle", 17, 1, CAPTURE_FRAGMENTED},
        {"largest offset", 6, 0x1fff, CAPTURE_FRAGMENTED},
        {"ESP middle", 50, 9, CAPTURE_FLOW},
        {"options middle", 60, 9, CAPTURE_FRAGMENTED},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        frame f = {.n = 0};
        capture_pkt p;
        put_ip6(&f, 60);
        put_ext(&f, 44, 0);
        put_frag6(&f, cases[i].next, cases[i].offset8, 1);
        put_udp(&f, 1000, 2000);
        capture_result r = parse(&f, f.n, 0, &p);
        if (r != cases[i].want)
            fail_msg("%s: result %d", cases[i].what, r);
        if (r == CAPTURE_FLOW)
            assert_int_equal(p.proto, cases[i].next);
    }
    /* an extension header longer than the capture: truncated only if ports lie behind it */
    for (unsigned next = 50; next <= 58; next += 8) {
        frame f = {.n = 0};
        capture_pkt p;
        uint8_t ext[8] = {(uint8_t)next, 255};
        put_ip6(&f, 60);
        put(&f, ext, 8);
        assert_int_equal(parse(&f, f.n, 0, &p), next == 50 ? CAPTURE_FLOW : CAPTURE_TRUNCATED);
    }
}

static void test_bad_versions(void **state)
{
    (void)state;
    for (unsigned v = 0; v < 16; v++) {
        frame f = {.n = 0};
        capture_pkt p;
        if (v == 4)
            put_ip4(&f, 17, 0, 0);
        else
            put_ip6(&f, 17);
        put_udp(&f, 1, 2);
        f.b[0] = (uint8_t)(v << 4 | 5);
        capture_result want = v == 4 || v == 6 ? CAPTURE_FLOW : CAPTURE_INVALID;
        if (parse(&f, f.n, 0, &p) != want)
            fail_msg("version %u", v);
    }
}

/* All 65,536 ports on each side: which are common, and what the key keeps (1.5). */
static void test_common_ports(void **state)
{
    (void)state;
    static const struct {
        unsigned proto;
        unsigned common[6];
    } cases[] = {{6, {53, 80, 443, 445, 8080}}, {17, {53, 443}}};

    for (size_t c = 0; c < COUNT(cases); c++)
        for (unsigned port = 0; port < 65536; port++) {
            frame f = {.n = 0}, g = {.n = 0};
            capture_pkt p;
            int common = 0;
            for (int k = 0; cases[c].common[k]; k++)
                common |= port == cases[c].common[k];
            put_ip4(&f, cases[c].proto, 0, 0);
            put_tcp(&f, port, 1234, 0);
            put_ip4(&g, cases[c].proto, 0, 0);
            put_tcp(&g, 1234, port, 0);
            assert_int_equal(capture_parse_ip(f.b, f.n, 0, &p), CAPTURE_FLOW);
            if (p.sport != port || p.dport != (common ? 0 : 1234))
                fail_msg("proto %u source port %u", cases[c].proto, port);
            assert_int_equal(capture_parse_ip(g.b, g.n, 0, &p), CAPTURE_FLOW);
            if (p.dport != port || p.sport != (common ? 0 : 1234))
                fail_msg("proto %u destination port %u", cases[c].proto, port);
        }
}

static void test_both_common(void **state)
{
    (void)state;
    frame f = {.n = 0};
    capture_pkt p;

    put_ip4(&f, 17, 0, 0);
    put_udp(&f, 443, 53);
    assert_int_equal(parse(&f, f.n, 0, &p), CAPTURE_FLOW);
    assert_int_equal(p.sport, 443);
    assert_int_equal(p.dport, 53);
    assert_int_equal(parse(&f, f.n, 1, &p), CAPTURE_FLOW);
    assert_int_equal(p.sport, 0);
    assert_int_equal(p.dport, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_needed_bytes),  cmocka_unit_test(test_ip4_options),
        cmocka_unit_test(test_ip4_fragments), cmocka_unit_test(test_ip6_extensions),
        cmocka_unit_test(test_ip6_fragments), cmocka_unit_test(test_bad_versions),
        cmocka_unit_test(test_common_ports),  cmocka_unit_test(test_both_common),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
