/* frag_test.c - later fragments find the flow of their first one (D-43): match, age, bound. */
#include "capture/frag.h"
#include "frames.h"

#include "gp/bytes.h"

/* A fragment of packet id; first: with UDP ports 5000 to 6000. v6 has a destination options header
 * behind the fragment header, so its protocol is only known from the first. */
static capture_result fragment(int v6, int first, uint32_t id, int compat, capture_pkt *p)
{
    frame f = {.n = 0};
    uint8_t data[64] = {0};

    memset(p, 0xee, sizeof *p);
    if (v6) {
        put_ip6(&f, 44);
        put_frag6(&f, 60, first ? 0 : 10, first ? 1 : 0);
        gp_put_be32(f.b + 44, id);
        if (first)
            put_ext(&f, 17, 0);
    } else {
        put_ip4(&f, 17, first ? 0x2000 : 10, 0);
        gp_put_be16(f.b + 4, (uint16_t)id);
    }
    if (first) {
        gp_put_be16(data, 5000);
        gp_put_be16(data + 2, 6000);
    }
    put(&f, data, sizeof data);
    return capture_parse_ip(f.b, f.n, compat, p);
}

static void test_match(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int v6, late_s, other; /* seconds between; another packet (id, address or protocol) */
        int want;
    } cases[] = {
        {"IPv4", 0, 0, 0, 1},         {"IPv6", 1, 0, 0, 1},         {"30 s later", 0, 30, 0, 1},
        {"31 s later", 0, 31, 0, 0},  {"other id", 0, 0, 1, 0},     {"other id, IPv6", 1, 0, 1, 0},
        {"other source", 0, 0, 2, 0}, {"other target", 1, 0, 3, 0}, {"other protocol", 0, 0, 4, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        capture_frags *f = NULL;
        capture_pkt a, b;
        gp_err err = {0};
        want_ok_err(&err, capture_frags_new(&f, &err));
        assert_int_equal(fragment(cases[i].v6, 1, 77, 0, &a), CAPTURE_FLOW);
        assert_int_equal(a.frag, CAPTURE_FRAG_FIRST);
        assert_int_equal(fragment(cases[i].v6, 0, cases[i].other == 1 ? 78 : 77, 0, &b),
                         CAPTURE_FRAGMENTED);
        assert_int_equal(b.frag, CAPTURE_FRAG_LATER);
        b.src[3] ^= cases[i].other == 2;
        b.dst[15] ^= cases[i].other == 3;
        if (cases[i].other == 4)
            b.proto = 1;
        assert_false(capture_frags_later(f, &b, 1000)); /* nothing is known yet */
        capture_frags_first(f, &a, 1000);
        int got = capture_frags_later(f, &b, 1000 + cases[i].late_s);
        if (got != cases[i].want)
            fail_msg("%s: got %d", cases[i].what, got);
        if (got) {
            assert_int_equal(b.proto, 17);
            assert_int_equal(b.sport, 5000);
            assert_int_equal(b.dport, 6000);
        }
        capture_frags_free(f);
    }
}

/* The same bytes at the same places: a family is not the other one. */
static void test_families(void **state)
{
    (void)state;
    capture_frags *f = NULL;
    capture_pkt a = {.family = 4, .proto = 6, .aux = 2, .frag = CAPTURE_FRAG_FIRST, .frag_id = 7};
    gp_err err = {0};

    memset(a.src, 10, 4);
    memset(a.dst, 20, 4);
    for (int v6 = 0; v6 < 2; v6++) {
        capture_pkt b = a;
        b.family = v6 ? 4 : 6;
        a.family = v6 ? 6 : 4;
        want_ok_err(&err, capture_frags_new(&f, &err));
        capture_frags_first(f, &a, 1000);
        assert_false(capture_frags_later(f, &b, 1000));
        b.family = a.family;
        b.aux = 0;
        assert_true(capture_frags_later(f, &b, 1000));
        assert_int_equal(b.aux, a.aux);
        capture_frags_free(f);
    }
}

/* Unfragmented packets, the only fragment of one, and compat mode are none of our business. */
static void test_kinds(void **state)
{
    (void)state;
    capture_pkt p;
    frame f = {.n = 0};
    uint8_t data[64] = {0};

    put_ip4(&f, 17, 0x4000, 0); /* don't fragment */
    put(&f, data, sizeof data);
    assert_int_equal(capture_parse_ip(f.b, f.n, 0, &p), CAPTURE_FLOW);
    assert_int_equal(p.frag, CAPTURE_FRAG_NONE);
    f.n = 0;
    put_ip6(&f, 44);
    put_frag6(&f, 17, 0, 0); /* atomic fragment */
    put(&f, data, sizeof data);
    assert_int_equal(capture_parse_ip(f.b, f.n, 0, &p), CAPTURE_FLOW);
    assert_int_equal(p.frag, CAPTURE_FRAG_NONE);
    for (int first = 0; first < 2; first++) {
        (void)fragment(0, first, 7, 1, &p);
        assert_int_equal(p.frag, CAPTURE_FRAG_NONE);
    }
}

/* However many packets: memory stays, the newest are remembered. */
static void test_bound(void **state)
{
    (void)state;
    capture_frags *f = NULL;
    capture_pkt p;
    gp_err err = {0};
    unsigned found = 0, recent = 0;

    want_ok_err(&err, capture_frags_new(&f, &err));
    for (uint32_t id = 0; id < 20 * CAPTURE_FRAGS; id++) {
        assert_int_equal(fragment(1, 1, id, 0, &p), CAPTURE_FLOW);
        capture_frags_first(f, &p, id / 1000);
        assert_int_equal(fragment(1, 0, id, 0, &p), CAPTURE_FRAGMENTED);
        assert_true(capture_frags_later(f, &p, id / 1000));
    }
    for (uint32_t id = 0; id < 20 * CAPTURE_FRAGS; id++) {
        (void)fragment(1, 0, id, 0, &p);
        unsigned one = (unsigned)capture_frags_later(f, &p, 0);
        found += one;
        recent += id >= 19 * CAPTURE_FRAGS ? one : 0;
    }
    assert_true(found <= CAPTURE_FRAGS && found > CAPTURE_FRAGS / 2);
    assert_true(recent > CAPTURE_FRAGS / 2); /* what fills a set is replaced by age */
    capture_frags_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
