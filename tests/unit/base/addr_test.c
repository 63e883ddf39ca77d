/* addr_test.c - addresses and networks as text (query.md 3.3, RFC 5952), order, membership. */
#include "test.h"

#include "gp/addr.h"

#include <arpa/inet.h>

static gp_addr addr(const char *s)
{
    gp_addr a;
    if (!gp_addr_parse(s, strlen(s), &a))
        fail_msg("\"%s\" is not an address", s);
    return a;
}

static void test_parse_format(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        int family; /* 0: must be rejected */
        const char *out;
    } cases[] = {
        {"0.0.0.0", 4, "0.0.0.0"},
        {"255.255.255.255", 4, "255.255.255.255"},
        {"192.0.2.7", 4, "192.0.2.7"},
        {"10.9.99.100", 4, "10.9.99.100"},
        {"::", 6, "::"},
        {"::1", 6, "::1"},
        {"1::", 6, "1::"},
        {"2001:DB8::0:1", 6, "2001:db8::1"},
        {"2001:db8::", 6, "2001:db8::"},
        {"fe80:0:0:0:1:2:3:4", 6, "fe80::1:2:3:4"},
        {"1:2:3:4:5:6:7:8", 6, "1:2:3:4:5:6:7:8"},
        {"2001:db8:0:1:1:1:1:1", 6, "2001:db8:0:1:1:1:1:1"}, /* one zero group stays */
        {"2001:0:0:1:0:0:0:1", 6, "2001:0:0:1::1"},          /* the longest run */
        {"2001:db8:0:0:1:0:0:1", 6, "2001:db8::1:0:0:1"},    /* the first of equal runs */
        {"0:0:1:1:1:1:0:0", 6, "::1:1:1:1:0:0"},
        {"1:1:1:1:1:1:0:0", 6, "1:1:1:1:1:1::"},
        {"0:1:1:1:1:1:1:0", 6, "0:1:1:1:1:1:1:0"},
        {"00ab:0000:0001::", 6, "ab:0:1::"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 6, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"::ffff:192.0.2.7", 4, "192.0.2.7"}, /* a dot means IPv4 */
        {"::FFFF:255.255.255.255", 4, "255.255.255.255"},
        {"0:0:0:0:0:ffff:1.2.3.4", 4, "1.2.3.4"},
        {"::ffff:c000:207", 6, "::ffff:192.0.2.7"}, /* hex notation means IPv6 */
        {"::ffff:0:0", 6, "::ffff:0.0.0.0"},
        {"64:ff9b::192.0.2.33", 6, "64:ff9b::c000:221"},
        {"::1.2.3.4", 6, "::102:304"},
        {"::fffe:1.2.3.4", 6, "::fffe:102:304"},
        {"", 0, NULL},
        {".", 0, NULL},
        {"..", 0, NULL},
        {":", 0, NULL},
        {":::", 0, NULL},
        {"1", 0, NULL},
        {"1.2.3", 0, NULL},
        {"1.2.3.", 0, NULL},
        {".1.2.3", 0, NULL},
        {"1..2.3", 0, NULL},
        {"1.2.3.4.", 0, NULL},
        {"1.2.3.4.5", 0, NULL},
        {"01.2.3.4", 0, NULL},
        {"1.2.3.00", 0, NULL},
        {"1.2.3.256", 0, NULL},
        {"1.2.3.999", 0, NULL},
        {"1.2.3.1000", 0, NULL},
        {"300.1.1.1", 0, NULL},
        {"1.2.3.-4", 0, NULL},
        {"1.2.3.+4", 0, NULL},
        {"1.2.3.4 ", 0, NULL},
        {" 1.2.3.4", 0, NULL},
        {"1.2.3.0x4", 0, NULL},
        {"1,2,3,4", 0, NULL},
        {"10.0.0.0/8", 0, NULL},
        {"fe80::1%eth0", 0, NULL},
        {"fe80::1%1", 0, NULL},
        {"[::1]", 0, NULL},
        {"1:2:3:4:5:6:7", 0, NULL},
        {"1:2:3:4:5:6:7:8:9", 0, NULL},
        {"1::2::3", 0, NULL},
        {"12345::", 0, NULL},
        {"::00001", 0, NULL},
        {"::g", 0, NULL},
        {"::ffff:01.2.3.4", 0, NULL},
        {"::ffff:1.2.3", 0, NULL},
        {"::ffff:1.2.3.256", 0, NULL},
        {"1.2.3.4::", 0, NULL},
        {"::1 ", 0, NULL},
        {"localhost", 0, NULL},
        {"0000:0000:0000:0000:0000:0000:255.255.255.255.0000:0000:0000", 0, NULL},
    };
    char buf[GP_ADDR_STRLEN];
    for (size_t i = 0; i < COUNT(cases); i++) {
        gp_addr a, before;
        memset(&a, 0x5A, sizeof a);
        before = a;
        int ok = gp_addr_parse(cases[i].in, strlen(cases[i].in), &a);
        if (ok != (cases[i].family != 0))
            fail_msg("\"%s\": accepted is %d", cases[i].in, ok);
        if (!ok) {
            assert_memory_equal(&a, &before, sizeof a);
            continue;
        }
        assert_int_equal(a.family, cases[i].family);
        size_t n = gp_addr_format(&a, buf, sizeof buf);
        if (strcmp(buf, cases[i].out) != 0 || n != strlen(buf))
            fail_msg("\"%s\": printed as \"%s\", want \"%s\"", cases[i].in, buf, cases[i].out);
    }
    gp_addr a;
    assert_true(gp_addr_parse("1.2.3.45", 7, &a)); /* only len bytes */
    assert_int_equal(a.bytes[3], 4);
    assert_false(gp_addr_parse("1.2.3.4\0", 8, &a));
    assert_false(gp_addr_parse("::1\0", 4, &a));
    assert_true(gp_addr_parse("::1\0zz", 3, &a));
}

static void test_format_room(void **state)
{
    (void)state;
    gp_addr none = {0}, v4 = addr("255.255.255.255");
    gp_addr v6 = addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    char buf[GP_ADDR_STRLEN + 1];

    assert_int_equal(gp_addr_format(&none, buf, sizeof buf), 10);
    assert_string_equal(buf, "invalid IP");
    for (size_t cap = 0; cap < GP_ADDR_STRLEN; cap++) {
        const struct {
            const gp_addr *a;
            size_t full;
        } all[] = {{&v4, 15}, {&v6, 39}, {&none, 10}};
        for (size_t i = 0; i < COUNT(all); i++) {
            memset(buf, '#', sizeof buf);
            size_t n = gp_addr_format(all[i].a, buf, cap);
            assert_int_equal(n, cap == 0 ? 0 : all[i].full < cap ? all[i].full : cap - 1);
            assert_int_equal(buf[cap], '#'); /* nothing behind cap */
            if (cap)
                assert_int_equal(buf[n], '\0');
        }
    }
}

/* All octets at all places, and IPv6 with every pattern of zero groups, against inet_ntop(). */
static void test_format_all(void **state)
{
    (void)state;
    test_rng rng = test_rng_new(3);
    char got[GP_ADDR_STRLEN], want[GP_ADDR_STRLEN];

    for (int place = 0; place < 4; place++) {
        for (int octet = 0; octet < 256; octet++) {
            gp_addr a = {.family = 4};
            test_rng_fill(&rng, a.bytes, 4);
            a.bytes[place] = (uint8_t)octet;
            (void)gp_addr_format(&a, got, sizeof got);
            assert_string_equal(got, inet_ntop(AF_INET, a.bytes, want, sizeof want));
        }
    }
    for (size_t round = 0, n = test_rounds(200); round < n; round++) {
        for (unsigned zeros = 0; zeros < 256; zeros++) {
            gp_addr a = {.family = 6}, back;
            for (int g = 0; g < 8; g++) { /* groups of 1 to 4 digits */
                unsigned v = (unsigned)(test_rng_u64(&rng) >> 48) >> 4 * test_rng_below(&rng, 4);
                if (zeros >> g & 1)
                    v = 0;
                a.bytes[2 * g] = (uint8_t)(v >> 8);
                a.bytes[2 * g + 1] = (uint8_t)v;
            }
            (void)gp_addr_format(&a, got, sizeof got);
            (void)inet_ntop(AF_INET6, a.bytes, want, sizeof want);
            if (!strchr(want, '.')) /* inet_ntop() writes ::a.b.c.d for more than RFC 5952 */
                assert_string_equal(got, want);
            assert_true(gp_addr_parse(got, strlen(got), &back));
            if (!strchr(got, '.'))
                assert_memory_equal(&back, &a, sizeof a);
        }
    }
}

static void test_cmp(void **state)
{
    (void)state;
    static const char *const rising[] = {
        "0.0.0.0", "1.2.3.4", "1.2.4.0",    "127.255.255.255", "128.0.0.0", "255.255.255.255",
        "::",      "::1",     "::ffff:0:0", "2001:db8::",      "ffff::"};
    gp_addr none = {0};

    for (size_t i = 0; i < COUNT(rising); i++) {
        gp_addr a = addr(rising[i]);
        assert_true(gp_addr_cmp(&none, &a) < 0 && gp_addr_cmp(&a, &none) > 0);
        for (size_t k = 0; k < COUNT(rising); k++) {
            gp_addr b = addr(rising[k]);
            int c = gp_addr_cmp(&a, &b);
            if ((c > 0) - (c < 0) != (i > k) - (i < k))
                fail_msg("%s and %s: got %d", rising[i], rising[k], c);
        }
    }
    assert_int_equal(gp_addr_cmp(&none, &none), 0);
}

static void test_net_parse(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        int family; /* 0: must be rejected */
        int prefix;
        const char *addr; /* or a part of the reason */
    } cases[] = {
        {"192.0.2.0/24", 4, 24, "192.0.2.0"},
        {"192.0.2.7/24", 4, 24, "192.0.2.0"},
        {"192.0.2.7/0", 4, 0, "0.0.0.0"},
        {"192.0.2.7/32", 4, 32, "192.0.2.7"},
        {"192.0.2.255/31", 4, 31, "192.0.2.254"},
        {"10.255.255.255/9", 4, 9, "10.128.0.0"},
        {"192.0.2.7/08", 4, 8, "192.0.0.0"},
        {"2001:db8::1/32", 6, 32, "2001:db8::"},
        {"2001:db8::/128", 6, 128, "2001:db8::"},
        {"ffff::ffff/127", 6, 127, "ffff::fffe"},
        {"ffff:ffff::/17", 6, 17, "ffff:8000::"},
        {"::/0", 6, 0, "::"},
        {"::ffff:192.0.2.0/120", 6, 120, "::ffff:192.0.2.0"}, /* U16 */
        {"::ffff:192.0.2.9/24", 6, 24, "::"},
        {"192.0.2.7", 0, 0, "ADDRESS/LENGTH"},
        {"", 0, 0, "ADDRESS/LENGTH"},
        {"192.0.2.7/", 0, 0, "decimal prefix length"},
        {"192.0.2.7/x", 0, 0, "decimal prefix length"},
        {"192.0.2.7/+8", 0, 0, "decimal prefix length"},
        {"192.0.2.7/-1", 0, 0, "decimal prefix length"},   /* U24 */
        {"192.0.2.7/-9", 0, 0, "decimal prefix length"},   /* U16 */
        {"192.0.2.7/8/16", 0, 0, "decimal prefix length"}, /* U24 */
        {"192.0.2.7/ 8", 0, 0, "decimal prefix length"},
        {"192.0.2.7/255.255.0.0", 0, 0, "decimal prefix length"},
        {"192.0.2.7/33", 0, 0, "0 to 32"},
        {"192.0.2.7/256", 0, 0, "0 to 32"},
        {"192.0.2.7/4294967296", 0, 0, "0 to 32"},
        {"2001:db8::/129", 0, 0, "0 to 128"},
        {"2001:db8::/384", 0, 0, "0 to 128"},
        {"192.0.2/24", 0, 0, "IPv4 address"},
        {"192.0.2.256/24", 0, 0, "IPv4 address"},
        {"example.org/24", 0, 0, "IPv4 address"},
        {"/24", 0, 0, "IPv4 address"},
        {"/", 0, 0, "decimal prefix length"},
        {"fe80::1%eth0/64", 0, 0, "IPv6 address"},
        {":/24", 0, 0, "IPv6 address"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        gp_net n, before;
        const char *why = NULL;
        char buf[GP_ADDR_STRLEN];
        memset(&n, 0x5A, sizeof n);
        before = n;
        int ok = gp_net_parse(cases[i].in, strlen(cases[i].in), &n, &why);
        if (ok != (cases[i].family != 0))
            fail_msg("\"%s\": accepted is %d (%s)", cases[i].in, ok, why ? why : "-");
        if (!ok) {
            assert_memory_equal(&n, &before, sizeof n);
            if (!why || !strstr(why, cases[i].addr))
                fail_msg("\"%s\": reason \"%s\"", cases[i].in, why ? why : "-");
            assert_false(gp_net_parse(cases[i].in, strlen(cases[i].in), &n, NULL));
            continue;
        }
        (void)gp_addr_format(&n.addr, buf, sizeof buf);
        if (n.addr.family != cases[i].family || n.prefix != cases[i].prefix ||
            strcmp(buf, cases[i].addr) != 0)
            fail_msg("\"%s\": got IPv%d %s/%d", cases[i].in, n.addr.family, buf, n.prefix);
    }
}

static void test_net_has(void **state)
{
    (void)state;
    static const struct {
        const char *net, *addr;
        int has;
    } cases[] = {
        {"10.0.0.0/8", "10.255.0.1", 1},
        {"10.0.0.0/8", "11.0.0.1", 0},
        {"172.16.0.0/12", "172.31.255.255", 1},
        {"172.16.0.0/12", "172.32.0.0", 0},
        {"0.0.0.0/0", "255.1.2.3", 1},
        {"0.0.0.0/0", "::1", 0},
        {"::/0", "1.2.3.4", 0},
        {"::/0", "ffff::1", 1},
        {"192.0.2.7/32", "192.0.2.7", 1},
        {"192.0.2.7/32", "192.0.2.6", 0},
        {"192.0.2.6/31", "192.0.2.7", 1},
        {"32.0.0.0/8", "2001:db8::1", 0}, /* U19: first byte is 32, too */
        {"2001:db8::/36", "2001:db8:fff::1", 1},
        {"2001:db8::/36", "2001:db8:1000::1", 0},
        {"2001:db8::1/128", "2001:db8::1", 1},
        {"2001:db8::1/128", "2001:db8::", 0},
        {"2001:db8::/127", "2001:db8::1", 1},
        {"::ffff:192.0.2.0/120", "::ffff:c000:2ff", 1},
        {"::ffff:192.0.2.0/120", "192.0.2.1", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        gp_net n;
        gp_addr a = addr(cases[i].addr), same = a;
        assert_true(gp_net_parse(cases[i].net, strlen(cases[i].net), &n, NULL));
        if (gp_net_has(&n, &a) != cases[i].has)
            fail_msg("%s in %s: want %d", cases[i].addr, cases[i].net, cases[i].has);
        assert_memory_equal(&a, &same, sizeof a); /* U18: the record is not masked */
    }
    gp_addr none = {0};
    gp_net all;
    assert_true(gp_net_parse("0.0.0.0/0", 9, &all, NULL));
    assert_false(gp_net_has(&all, &none));
}

/* Membership bit by bit: flipping bit b of an address leaves the network iff b < prefix. */
static void test_net_bits(void **state)
{
    (void)state;
    test_rng rng = test_rng_new(5);

    for (int family = 4; family <= 6; family += 2) {
        int bits = family == 4 ? 32 : 128;
        for (int prefix = 0; prefix <= bits; prefix++) {
            gp_addr a = {.family = (uint8_t)family};
            gp_net n;
            char text[GP_ADDR_STRLEN + 8];
            test_rng_fill(&rng, a.bytes, (size_t)bits / 8);
            size_t len = gp_addr_format(&a, text, GP_ADDR_STRLEN);
            len += (size_t)snprintf(text + len, sizeof text - len, "/%d", prefix);
            assert_true(gp_net_parse(text, len, &n, NULL));
            assert_true(gp_net_has(&n, &a));
            for (int b = 0; b < bits; b++) {
                gp_addr other = a;
                other.bytes[b / 8] = (uint8_t)(other.bytes[b / 8] ^ 0x80 >> b % 8);
                if (gp_net_has(&n, &other) != (b >= prefix))
                    fail_msg("%s with bit %d flipped", text, b);
                if (b >= prefix && (n.addr.bytes[b / 8] & 0x80 >> b % 8))
                    fail_msg("%s: host bit %d is left", text, b);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_format), cmocka_unit_test(test_format_room),
        cmocka_unit_test(test_format_all),   cmocka_unit_test(test_cmp),
        cmocka_unit_test(test_net_parse),    cmocka_unit_test(test_net_has),
        cmocka_unit_test(test_net_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
