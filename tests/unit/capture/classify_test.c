/* classify_test.c - direction of a flow's first packet: the examples of capture.md 3.5 and the
 * rules. */
#include "capture/packet.h"
#include "test.h"

#include "gp/addr.h"

enum { SYN = 2, ACK = 16, KEEP = CAPTURE_KEEP, REV = CAPTURE_REVERSE, SURE = CAPTURE_SURE };

static capture_pkt packet(const char *src, const char *dst, unsigned proto, unsigned s, unsigned d,
                          unsigned aux)
{
    gp_addr a, b;
    assert_true(gp_addr_parse(src, strlen(src), &a));
    assert_true(gp_addr_parse(dst, strlen(dst), &b));
    capture_pkt p = {.family = a.family,
                     .proto = (uint8_t)proto,
                     .aux = (uint8_t)aux,
                     .sport = (uint16_t)s,
                     .dport = (uint16_t)d};
    memcpy(p.src, a.bytes, 16);
    memcpy(p.dst, b.bytes, 16);
    return p;
}

/* Ports are those of the key: blanked where 1.5 blanks them. */
static void test_examples(void **state)
{
    (void)state;
    static const struct {
        const char *what, *src, *dst;
        unsigned proto, s, d, aux, want, compat;
    } cases[] = {
        {"SYN", "10.0.0.1", "10.0.0.2", 6, 40000, 22, SYN, KEEP | SURE, KEEP | SURE},
        {"SYN+ACK", "10.0.0.2", "10.0.0.1", 6, 22, 40000, SYN | ACK, REV | SURE, REV | SURE},
        {"mid-stream, both low", "10.0.0.2", "10.0.0.1", 6, 5000, 6000, ACK, REV, REV},
        {"SYN to a high port", "10.0.0.1", "10.0.0.2", 6, 21000, 60000, SYN, KEEP | SURE,
         KEEP | SURE},
        {"mid-stream to a high port", "10.0.0.1", "10.0.0.2", 6, 21000, 60000, ACK, REV, REV},
        {"RST says nothing", "10.0.0.1", "10.0.0.2", 6, 40000, 22, 4, KEEP, KEEP},
        {"DNS answer", "10.0.0.9", "10.0.0.1", 17, 53, 0, 0, REV, REV},
        {"DNS query", "10.0.0.1", "10.0.0.9", 17, 0, 53, 0, KEEP, KEEP},
        {"server to server", "10.0.0.8", "10.0.0.9", 17, 53, 53, 0, KEEP, KEEP},
        {"both blanked (compat)", "10.0.0.8", "10.0.0.9", 17, 0, 0, 0, KEEP, KEEP},
        {"broadcast", "10.0.0.1", "255.255.255.255", 17, 68, 67, 0, KEEP | SURE, KEEP | SURE},
        {"DHCP unicast", "10.0.0.2", "10.0.0.1", 17, 67, 68, 0, REV, REV},
        {"NTP, equal", "10.0.0.1", "10.0.0.2", 17, 123, 123, 0, KEEP, KEEP},
        {"both ephemeral", "10.0.0.45", "203.0.113.9", 17, 34862, 58281, 0, REV, REV},
        {"mDNS", "10.0.0.1", "224.0.0.251", 17, 5353, 5353, 0, KEEP | SURE, KEEP | SURE},
        {"224.0.1.x", "10.0.0.1", "224.0.1.1", 17, 9, 9999, 0, KEEP | SURE, KEEP | SURE},
        {"RTP multicast (D-9)", "10.0.0.1", "239.1.1.1", 17, 1024, 5004, 0, KEEP | SURE, REV},
        {"below multicast", "10.0.0.1", "223.255.255.255", 17, 1024, 5004, 0, REV, REV},
        {"above multicast", "10.0.0.1", "240.0.0.1", 17, 1024, 5004, 0, REV, REV},
        {"TCP ignores multicast", "10.0.0.1", "224.0.0.1", 6, 1024, 5004, ACK, REV, REV},
        {"v6 multicast", "fe80::1", "ff02::fb", 17, 100, 5353, 0, KEEP | SURE, KEEP | SURE},
        {"v6 unicast", "fe80::1", "fe80::2", 17, 100, 5353, 0, REV, REV},
        {"echo reply", "10.0.0.2", "10.0.0.1", 1, 0, 0, 0, REV | SURE, REV | SURE},
        {"redirect", "10.0.0.2", "10.0.0.1", 1, 0, 0, 5, KEEP, KEEP},
        {"router advertisement", "fe80::1", "ff02::1", 58, 0, 0, 134, KEEP | SURE, KEEP | SURE},
        {"echo reply to multicast", "fe80::1", "ff02::1", 58, 0, 0, 129, KEEP | SURE, KEEP | SURE},
        {"v6 packet too big", "fe80::1", "fe80::2", 58, 0, 0, 2, KEEP, KEEP},
        {"ESP", "10.0.0.1", "10.0.0.2", 50, 0, 0, 0, KEEP, KEEP},
        {"ICMP in IPv6 is unknown", "fe80::1", "fe80::2", 1, 0, 0, 0, KEEP, KEEP},
        {"ICMPv6 in IPv4 is unknown", "10.0.0.1", "10.0.0.2", 58, 0, 0, 129, KEEP, KEEP},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        capture_pkt p = packet(cases[i].src, cases[i].dst, cases[i].proto, cases[i].s, cases[i].d,
                               cases[i].aux);
        unsigned got = capture_classify(&p, 0), compat = capture_classify(&p, 1);
        if (got != cases[i].want || compat != cases[i].compat)
            fail_msg("%s: %u and %u, want %u and %u", cases[i].what, got, compat, cases[i].want,
                     cases[i].compat);
    }
}

/* The table of 3.4, all 256 types. */
static void test_icmp_types(void **state)
{
    (void)state;
    static const uint8_t rev4[] = {0, 3, 11, 12, 14}, keep4[] = {8, 13};
    static const uint8_t rev6[] = {129, 1, 3, 4}, keep6[] = {128};

    for (unsigned type = 0; type < 256; type++) {
        unsigned want4 = 0, want6 = 0;
        for (size_t i = 0; i < sizeof rev4; i++)
            want4 = type == rev4[i] ? REV | SURE : want4;
        for (size_t i = 0; i < sizeof keep4; i++)
            want4 = type == keep4[i] ? KEEP | SURE : want4;
        for (size_t i = 0; i < sizeof rev6; i++)
            want6 = type == rev6[i] ? REV | SURE : want6;
        for (size_t i = 0; i < sizeof keep6; i++)
            want6 = type == keep6[i] ? KEEP | SURE : want6;
        capture_pkt p = packet("10.0.0.1", "10.0.0.2", 1, 0, 0, type);
        capture_pkt q = packet("fe80::1", "fe80::2", 58, 0, 0, type);
        if (capture_evidence(&p) != want4 || capture_evidence(&q) != want6)
            fail_msg("type %u", type);
    }
}

/* The two sides of one conversation agree on who the client is, whatever the ports, unless equal.
 */
static void test_ports_symmetric(void **state)
{
    (void)state;
    static const unsigned ports[] = {0, 1, 22, 1023, 1024, 5004, 32767, 32768, 40000, 65535};

    for (size_t i = 0; i < COUNT(ports); i++)
        for (size_t k = 0; k < COUNT(ports); k++) {
            capture_pkt p = packet("10.0.0.1", "10.0.0.2", 17, ports[i], ports[k], 0);
            capture_pkt q = packet("10.0.0.2", "10.0.0.1", 17, ports[k], ports[i], 0);
            unsigned a = capture_classify(&p, 0), b = capture_classify(&q, 0);
            if (i == k ? a != KEEP || b != KEEP : a == b)
                fail_msg("ports %u and %u", ports[i], ports[k]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_icmp_types),
        cmocka_unit_test(test_ports_symmetric),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
