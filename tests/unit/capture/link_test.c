/* link_test.c - where the IP layer starts, by link type; VLAN, PPPoE, counted bytes
 * (capture.md 1.1-1.3). */
#include "frames.h"

#include "gp/num.h"

#include <pcap/dlt.h>

enum { WIRE = 1000 }; /* length on the wire that every frame claims */

/* A UDP packet 1000 -> 2000 in IPv4 behind what is in *f already. */
static void put_inner(frame *f, int v6)
{
    if (v6)
        put_ip6(f, 17);
    else
        put_ip4(f, 17, 0, 0);
    put_udp(f, 1000, 2000);
}

static capture_result parse(int dlt, const frame *f, capture_pkt *p)
{
    capture_parser parser = {.dlt = dlt, .dir = CAPTURE_IN};
    /* an exact heap copy, so that ASan sees a read beyond the captured bytes */
    uint8_t *copy = gp_alloc(f->n ? f->n : 1, 1);
    assert_non_null(copy);
    memcpy(copy, f->b, f->n);
    capture_result r = capture_parse(&parser, copy, f->n, WIRE, p);
    gp_free(copy);
    return r;
}

static void test_ethertypes(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        unsigned types[10]; /* tags, then the EtherType */
        int v6;
        capture_result want;
        uint32_t len;
    } cases[] = {
        {"plain IPv4", {0x0800}, 0, CAPTURE_FLOW, WIRE},
        {"plain IPv6", {0x86dd}, 1, CAPTURE_FLOW, WIRE},
        {"version nibble wins over EtherType", {0x0800}, 1, CAPTURE_FLOW, WIRE},
        {"one VLAN tag", {0x8100, 0x0800}, 0, CAPTURE_FLOW, WIRE - 4},
        {"QinQ", {0x88a8, 0x8100, 0x86dd}, 1, CAPTURE_FLOW, WIRE - 4},
        {"old QinQ", {0x9100, 0x8100, 0x0800}, 0, CAPTURE_FLOW, WIRE - 4},
        {"eight tags",
         {0x8100, 0x8100, 0x8100, 0x8100, 0x8100, 0x8100, 0x8100, 0x8100, 0x0800},
         0,
         CAPTURE_FLOW,
         WIRE - 4},
        {"nine tags",
         {0x8100, 0x8100, 0x8100, 0x8100, 0x8100, 0x8100, 0x8100, 0x8100, 0x8100, 0x0800},
         0,
         CAPTURE_NOT_IP,
         0},
        {"ARP", {0x0806}, 0, CAPTURE_NOT_IP, 0},
        {"tagged ARP", {0x8100, 0x0806}, 0, CAPTURE_NOT_IP, 0},
        {"802.3 length", {0x0026}, 0, CAPTURE_NOT_IP, 0},
        {"PPPoE discovery", {0x8863}, 0, CAPTURE_NOT_IP, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        frame f = {.n = 0};
        capture_pkt p;
        put_eth(&f, cases[i].types[0]);
        for (int k = 1; k < 10 && cases[i].types[k]; k++) {
            put_u16(&f, 0x0064);
            put_u16(&f, cases[i].types[k]);
        }
        put_inner(&f, cases[i].v6);
        capture_result r = parse(DLT_EN10MB, &f, &p);
        if (r != cases[i].want)
            fail_msg("%s: result %d, want %d", cases[i].what, r, cases[i].want);
        if (r == CAPTURE_FLOW && (p.len != cases[i].len || p.sport != 1000 || p.dport != 2000 ||
                                  p.family != (cases[i].v6 ? 6 : 4)))
            fail_msg("%s: len %u ports %u %u family %u", cases[i].what, p.len, p.sport, p.dport,
                     p.family);
    }
}

static void test_pppoe(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        unsigned vertype, code, ppp;
        int vlan;
        capture_result want;
        uint32_t len;
    } cases[] = {
        {"IPv4", 0x11, 0, 0x0021, 0, CAPTURE_FLOW, WIRE},
        {"IPv6", 0x11, 0, 0x0057, 0, CAPTURE_FLOW, WIRE},
        {"in a VLAN", 0x11, 0, 0x0021, 1, CAPTURE_FLOW, WIRE - 4},
        {"LCP", 0x11, 0, 0xc021, 0, CAPTURE_NOT_IP, 0},
        {"other version", 0x21, 0, 0x0021, 0, CAPTURE_NOT_IP, 0},
        {"not session data", 0x11, 9, 0x0021, 0, CAPTURE_NOT_IP, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        frame f = {.n = 0};
        capture_pkt p;
        put_eth(&f, cases[i].vlan ? 0x8100 : 0x8864);
        if (cases[i].vlan) {
            put_u16(&f, 7);
            put_u16(&f, 0x8864);
        }
        put_u16(&f, cases[i].vertype << 8 | cases[i].code);
        put_u16(&f, 0x1234);
        put_u16(&f, 30);
        put_u16(&f, cases[i].ppp);
        put_inner(&f, cases[i].ppp == 0x57);
        capture_result r = parse(DLT_EN10MB, &f, &p);
        if (r != cases[i].want || (r == CAPTURE_FLOW && p.len != cases[i].len))
            fail_msg("%s: result %d, want %d", cases[i].what, r, cases[i].want);
    }
}

/* Link headers of the other data link types: bytes in hex, then the inner IPv4 packet. */
static void test_other_links(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int dlt;
        const char *head; /* hex */
        int v6;
        capture_result want;
        uint32_t less;
        int out;
    } cases[] = {
        {"raw IPv4", DLT_RAW, "", 0, CAPTURE_FLOW, 0, 0},
        {"raw IPv6", DLT_RAW, "", 1, CAPTURE_FLOW, 0, 0},
        {"DLT_IPV4", DLT_IPV4, "", 0, CAPTURE_FLOW, 0, 0},
        {"DLT_IPV6", DLT_IPV6, "", 1, CAPTURE_FLOW, 0, 0},
        {"raw, other nibble", DLT_RAW, "00", 0, CAPTURE_NOT_IP, 0, 0},
        {"cooked in", DLT_LINUX_SLL, "00000001000600000000000100000800", 0, CAPTURE_FLOW, 16, 0},
        {"cooked out", DLT_LINUX_SLL, "000400010006000000000001000086dd", 1, CAPTURE_FLOW, 16, 1},
        {"cooked promiscuous", DLT_LINUX_SLL, "00030001000600000000000100000800", 0, CAPTURE_FLOW,
         16, 0},
        {"cooked VLAN", DLT_LINUX_SLL, "0000000100060000000000010000810000050800", 0, CAPTURE_FLOW,
         20, 0},
        {"cooked ARP", DLT_LINUX_SLL, "00000001000600000000000100000806", 0, CAPTURE_NOT_IP, 0, 0},
        {"cooked netlink", DLT_LINUX_SLL, "00000338000600000000000100000800", 0, CAPTURE_NOT_IP, 0,
         0},
        {"cooked v2 in", DLT_LINUX_SLL2, "0800000000000002000100060000000000010000", 0,
         CAPTURE_FLOW, 20, 0},
        {"cooked v2 out", DLT_LINUX_SLL2, "0800000000000002000104060000000000010000", 0,
         CAPTURE_FLOW, 20, 1},
        {"BSD null, big-endian", DLT_NULL, "00000002", 0, CAPTURE_FLOW, 4, 0},
        {"BSD null, little-endian", DLT_NULL, "1e000000", 1, CAPTURE_FLOW, 4, 0},
        {"BSD loop", DLT_LOOP, "00000018", 1, CAPTURE_FLOW, 4, 0},
        {"BSD null, AppleTalk", DLT_NULL, "00000010", 0, CAPTURE_NOT_IP, 0, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        frame f = {.n = 0};
        capture_pkt p;
        uint8_t head[32];
        size_t n = strlen(cases[i].head) / 2;
        assert_true(gp_unhex(cases[i].head, 2 * n, head, n));
        put(&f, head, n);
        put_inner(&f, cases[i].v6);
        assert_true(capture_dlt_known(cases[i].dlt));
        capture_result r = parse(cases[i].dlt, &f, &p);
        if (r != cases[i].want)
            fail_msg("%s: result %d, want %d", cases[i].what, r, cases[i].want);
        if (r == CAPTURE_FLOW && (p.len != WIRE - cases[i].less || p.dir != cases[i].out ||
                                  p.sport != 1000 || p.family != (cases[i].v6 ? 6 : 4)))
            fail_msg("%s: len %u dir %u", cases[i].what, p.len, p.dir);
    }
    assert_false(capture_dlt_known(DLT_IEEE802_11));
}

/* Every prefix of a deep frame is safe, and gives no flow until all needed bytes are there. */
static void test_prefixes(void **state)
{
    (void)state;
    frame f = {.n = 0};
    capture_pkt p;

    put_eth(&f, 0x88a8);
    put_u16(&f, 1);
    put_u16(&f, 0x8100);
    put_u16(&f, 2);
    put_u16(&f, 0x8864);
    put_u16(&f, 0x1100);
    put_u16(&f, 1);
    put_u16(&f, 60);
    put_u16(&f, 0x0057);
    uint32_t ip_at = f.n;
    put_ip6(&f, 0);
    put_ext(&f, 43, 0);
    put_ext(&f, 44, 1);
    put_frag6(&f, 6, 0, 1);
    uint32_t l4_at = f.n;
    put_tcp(&f, 1, 2, 2);
    for (uint32_t n = 0; n <= f.n; n++) {
        frame cut = f;
        cut.n = n;
        capture_result want = n < ip_at        ? CAPTURE_NOT_IP
                              : n == ip_at     ? CAPTURE_INVALID
                              : n < l4_at + 14 ? CAPTURE_TRUNCATED
                                               : CAPTURE_FLOW;
        capture_result r = parse(DLT_EN10MB, &cut, &p);
        if (r != want)
            fail_msg("%u bytes: result %d, want %d", n, r, want);
    }
}

/* The length on the wire may be anything, also less than what is taken off. */
static void test_short_wire_length(void **state)
{
    (void)state;
    frame f = {.n = 0};
    capture_pkt p;
    capture_parser parser = {.dlt = DLT_EN10MB, .dir = CAPTURE_OUT};

    put_eth(&f, 0x8100);
    put_u16(&f, 1);
    put_u16(&f, 0x0800);
    put_inner(&f, 0);
    assert_int_equal(capture_parse(&parser, f.b, f.n, 3, &p), CAPTURE_FLOW);
    assert_int_equal(p.len, 0);
    assert_int_equal(p.dir, CAPTURE_OUT);
    assert_int_equal(capture_parse(&parser, f.b, f.n, UINT32_MAX, &p), CAPTURE_FLOW);
    assert_true(p.len == UINT32_MAX - 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ethertypes),        cmocka_unit_test(test_pppoe),
        cmocka_unit_test(test_other_links),       cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_short_wire_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
