/* cond_test.c - conditions: limits, shape of the tree, families, matching, messages. */
#include "query/cond.h"

#include "gp/bytes.h"
#include "test.h"

#include <time.h>

/* prefix n times, middle, suffix n times. */
static char *nest(const char *prefix, const char *middle, const char *suffix, size_t n)
{
    gp_buf b = {0};

    for (size_t i = 0; i < n; i++)
        gp_buf_adds(&b, prefix);
    gp_buf_adds(&b, middle);
    for (size_t i = 0; i < n; i++)
        gp_buf_adds(&b, suffix);
    return gp_buf_take(&b);
}

static unsigned depth(const query_node *n)
{
    if (n->kind == QUERY_CMP)
        return 0;
    unsigned l = depth(n->left), r = depth(n->right);
    return (l > r ? l : r) + 1;
}

/* Parse and free both the text and the condition; 0 in *d when it is empty or refused. */
static gp_status parse_depth(char *text, unsigned *d, gp_err *err)
{
    GP_CLEANUP(query_cond_freep) query_cond *q = NULL;
    gp_status st = query_cond_parse(text, NULL, NULL, 0, &q, NULL, NULL, err);

    *d = st == GP_OK && q->root ? depth(q->root) : 0;
    gp_free(text);
    return st;
}

/* C109 to C115, and what else the depth limit (U26) means. */
static void test_sizes(void **state)
{
    gp_err err = {0};
    unsigned d;

    (void)state;
    want_ok(parse_depth(nest("dport = 80 | ", "dport = 80", "", 512), &d, &err));
    assert_in_range(d, 10, 11);
    want_ok(parse_depth(nest("dport = 80 | ", "dport = 80", "", 513), &d, &err));
    want_ok(parse_depth(nest("dport = 80 & ", "dport = 80", "", 60000), &d, &err));
    assert_in_range(d, 16, 17);
    want_ok(parse_depth(nest("!(", "dport = 80", ")", 512), &d, &err));
    assert_int_equal(d, 0);
    want_err(GP_EINVAL, &err, "condition tree exceeds maximum nesting depth: 512",
             parse_depth(nest("!(", "dport = 80", ")", 513), &d, &err));
    want_err(GP_EINVAL, &err, "nesting depth", /* refused before anything recurses */
             parse_depth(nest("!(", "dport = 80", ")", 340000), &d, &err));
    want_ok(parse_depth(nest("(", "dport = 80", ")", 2000), &d, &err));
    want_ok(parse_depth(nest("(", "dport = 80", ")", 500000), &d, &err));
    want_ok(parse_depth(nest("(port=1|", "port=1", ")", 60000), &d, &err)); /* as printed */
    assert_in_range(d, 16, 17);
    want_ok(parse_depth(nest("(", "port=1", "|port=1)", 512), &d, &err));
    want_err(GP_EINVAL, &err, "nesting depth",
             parse_depth(nest("(", "port=1", "|port=1)", 513), &d, &err));
    /* alternating kinds cannot be balanced: the deepest tree there is */
    want_ok(parse_depth(nest("(port=1|(port=2&", "port=3", "))", 256), &d, &err));
    assert_int_equal(d, 512);
    want_ok(parse_depth(nest("(port=1|port=1|port=1|port=1|port=1|(port=2&port=2&port=2&port=2&",
                             "port=3", "&port=2)|port=1)", 256),
                        &d, &err));
    assert_in_range(d, 512, 1100);
    /* host and != are levels too, as they are written out */
    want_ok(parse_depth(nest("!(", "host != 192.0.2.1", ")", 510), &d, &err));
    want_err(GP_EINVAL, &err, "nesting depth",
             parse_depth(nest("!(", "host != 192.0.2.1", ")", 511), &d, &err));
    want_err(GP_EINVAL, &err, "expected attribute",
             parse_depth(nest("(", "", "", 1000000), &d, &err));
    want_err(GP_EINVAL, &err, "token too long",
             parse_depth(nest("", "dport = ", "a", 70000), &d, &err));
    want_ok(parse_depth(gp_strdup(""), &d, &err));
    want_ok(parse_depth(NULL, &d, &err));
}

/* Processor time of this thread so far. */
static int64_t cpu_ns(void)
{
    struct timespec t;
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Processor time for n terms as typed, and again in result form. */
static int64_t time_terms(size_t n)
{
    GP_CLEANUP(query_cond_freep) query_cond *q = NULL, *again = NULL;
    gp_buf b = {0};

    for (size_t i = 0; i < n; i++)
        gp_buf_printf(&b, "%sdip = 10.0.%zu.%zu", i ? " | " : "", i / 256 % 256, i % 256);
    int64_t from = cpu_ns();
    want_ok(query_cond_parse(gp_buf_str(&b), NULL, NULL, 0, &q, NULL, NULL, NULL));
    want_ok(query_cond_parse(q->text, NULL, NULL, 0, &again, NULL, NULL, NULL));
    int64_t took = cpu_ns() - from;
    assert_string_equal(q->text, again->text);
    assert_int_equal(again->n_cmp, n);
    gp_buf_free(&b);
    return took;
}

/* Ten times the terms take about ten times as long. */
static void test_linear(void **state)
{
    (void)state;
    int64_t few = 0, many = 0;
    /* Quadratic would be 100 times, each time; what else runs here only slows some of them down. */
    for (int i = 0; i < 5; i++) {
        few = time_terms(4000);
        many = time_terms(40000);
        if (many <= 40 * few)
            return;
    }
    fail_msg("4000 terms: %" PRId64 " us, 40000: %" PRId64 " us", few / 1000, many / 1000);
}

static void test_facts(void **state)
{
    enum {
        SIP = 1 << QUERY_SIP,
        DIP = 1 << QUERY_DIP,
        PORT = 1 << QUERY_DPORT,
        PROTO = 1 << QUERY_PROTO
    };
    static const struct {
        const char *text;
        query_family family;
        query_dirfilter filter;
        unsigned attrs;
        size_t n_cmp;
    } cases[] = {
        {"", QUERY_FAMILY_ANY, QUERY_DIR_NONE, 0, 0},
        {"dir = bi", QUERY_FAMILY_ANY, QUERY_DIR_BI, 0, 0},
        {"dport = 53", QUERY_FAMILY_ANY, QUERY_DIR_NONE, PORT, 1},
        {"dport = 53 | sip = 192.0.2.1", QUERY_FAMILY_V4, QUERY_DIR_NONE, PORT | SIP, 2},
        {"sip != 192.0.2.1", QUERY_FAMILY_V4, QUERY_DIR_NONE, SIP, 1},
        {"dnet = 2001:db8::/32", QUERY_FAMILY_V6, QUERY_DIR_NONE, DIP, 1},
        {"sip = ::ffff:192.0.2.7", QUERY_FAMILY_V4, QUERY_DIR_NONE, SIP, 1},
        {"sip = ::ffff:c000:207", QUERY_FAMILY_V6, QUERY_DIR_NONE, SIP, 1},
        {"dnet = ::ffff:192.0.2.0/120", QUERY_FAMILY_V6, QUERY_DIR_NONE, DIP, 1},
        {"snet = 10.0.0.0/8 | sip = ::1", QUERY_FAMILY_ANY, QUERY_DIR_NONE, SIP, 2},
        {"(sip = ::1 & sip = 1.1.1.1) & dip = ::1", QUERY_FAMILY_ANY, QUERY_DIR_NONE, SIP | DIP, 3},
        {"host = 10.1.1.1 & dir = out", QUERY_FAMILY_V4, QUERY_DIR_OUT, SIP | DIP, 2},
        {"dir = uni & proto = 6 & port > 80", QUERY_FAMILY_ANY, QUERY_DIR_UNI, PORT | PROTO, 2},
        {"dir = inbound", QUERY_FAMILY_ANY, QUERY_DIR_IN, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        GP_CLEANUP(query_cond_freep) query_cond *q = NULL;
        want_ok(query_cond_parse(cases[i].text, NULL, NULL, 0, &q, NULL, NULL, NULL));
        if (q->family != cases[i].family || q->dirfilter != cases[i].filter ||
            q->attr_mask != cases[i].attrs || q->n_cmp != cases[i].n_cmp ||
            (q->root == NULL) != (cases[i].n_cmp == 0))
            fail_msg("%s: family %d, filter %d, attributes %x, %zu comparisons", cases[i].text,
                     q->family, q->dirfilter, q->attr_mask, q->n_cmp);
    }
}

static query_flow flow(const char *sip, const char *dip, uint16_t dport, uint8_t proto)
{
    query_flow f = {.dport = dport, .proto = proto};

    assert_true(gp_addr_parse(sip, strlen(sip), &f.sip));
    assert_true(gp_addr_parse(dip, strlen(dip), &f.dip));
    return f;
}

/* The comparison semantics of 3.9 on rows of both families (U17 to U19). */
static void test_match(void **state)
{
    static const struct {
        const char *text;
        int v4, v6; /* does it match the two flows below? */
    } cases[] = {
        {"", 1, 1},
        {"sip = 32.1.13.184", 1, 0},
        {"sip != 32.1.13.184", 0, 1},
        {"sip = 2001:db8::", 0, 1},
        {"snet = 32.0.0.0/8", 1, 0},
        {"snet = 32.0.0.0/8 | sip = ::1", 1, 0},
        {"snet = 172.16.0.0/12 | sip = 32.1.13.184", 1, 0},
        {"snet = 10.0.0.0/9 | snet = 2001:db8::/36", 0, 1},
        {"snet = ::/0", 0, 1},
        {"snet = 0.0.0.0/0", 1, 0},
        {"! net = 10.0.0.0/8", 0, 1},
        {"dnet = 10.0.0.0/31", 0, 0},
        {"dnet = 10.0.0.0/30", 1, 0},
        {"dport < 443", 1, 0},
        {"dport <= 443", 1, 1},
        {"dport > 80", 0, 1},
        {"dport >= 80 & dport != 443", 1, 0},
        {"proto = ipv6-icmp | proto > 100", 0, 1},
        {"! (proto >= 58 | dport = 1)", 1, 0},
    };
    query_flow v4 = flow("32.1.13.184", "10.0.0.2", 80, 6);
    query_flow v6 = flow("2001:db8::", "2001:db8::5", 443, 58);

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        GP_CLEANUP(query_cond_freep) query_cond *q = NULL;
        want_ok(query_cond_parse(cases[i].text, NULL, NULL, 0, &q, NULL, NULL, NULL));
        if (query_cond_match(q, &v4) != cases[i].v4 || query_cond_match(q, &v6) != cases[i].v6)
            fail_msg("%s: got %d and %d", cases[i].text, query_cond_match(q, &v4),
                     query_cond_match(q, &v6));
    }
}

static void test_dirfilter(void **state)
{
    static const struct {
        query_dirfilter f;
        int none, in, out, both; /* for no packets, received, sent, both */
    } cases[] = {
        {QUERY_DIR_NONE, 1, 1, 1, 1}, {QUERY_DIR_IN, 0, 1, 0, 0}, {QUERY_DIR_OUT, 0, 0, 1, 0},
        {QUERY_DIR_UNI, 0, 1, 1, 0},  {QUERY_DIR_BI, 0, 0, 0, 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(query_dirfilter_match(cases[i].f, 0, 0), cases[i].none);
        assert_int_equal(query_dirfilter_match(cases[i].f, UINT64_MAX, 0), cases[i].in);
        assert_int_equal(query_dirfilter_match(cases[i].f, 0, 1), cases[i].out);
        assert_int_equal(query_dirfilter_match(cases[i].f, 1, 1), cases[i].both);
    }
}

/* Texts that users or scripts look at, word for word. */
static void test_messages(void **state)
{
    static const struct {
        const char *text, *message, *line;
    } cases[] = {
        {"dport >= 80 & sipp = 10.1.1.1",
         "dport >= 80 & sipp = 10.1.1.1\n              ^\nexpected attribute",
         "expected attribute at \"sipp\""},
        {"dport = 80 and", "dport = 80 &\n             ^\nexpected attribute",
         "expected attribute at the end"},
        {"D\xC3\x84 = 1", "d\xC3\xA4 = 1\n^\nexpected attribute",
         "expected attribute at \"d\xC3\xA4\""},
        {"port = \xC3\xA4 x", "port = \xC3\xA4 x\n         ^\ninput unexpectedly continues",
         "input unexpectedly continues at \"x\""},
        {"sip < 192.0.2.7", "comparator \"<\" not allowed for attribute \"sip\"", NULL},
        {"src >= 192.0.2.7", "comparator \">=\" not allowed for attribute \"sip\"", NULL},
        {"sip = fe80::1%eth0", "could not parse IP address: fe80::1%eth0", NULL},
        {"sip = ..", "invalid value in condition: '..' is neither an ip nor a hostname", NULL},
        {"dir = both", "unsupported direction filter: both (supported: in, out, uni, bi)", NULL},
        {"(dport = 80 | dir = in) & dir = out", "multiple direction filters specified", NULL},
        {"dir = xyz & dir = in", "multiple direction filters specified", NULL},
        {"dir = in & dir != in", "multiple direction filters specified", NULL},
        {"a & (b & c)", "a & ( b & c )\n^\nexpected attribute", "expected attribute at \"a\""},
        {"port = 1 & (dir = in & port = 2)", "misplaced direction filter", NULL},
        {"dir != in", "unsupported direction filter comparator: !=", NULL},
        {"proto = icmpv6",
         "could not parse protocol: unknown name \"icmpv6\" (did you mean \"IPv6-ICMP\"?)", NULL},
        {"port = 99999999999999999999999",
         "could not parse port: \"99999999999999999999999\" is out of range (0 to 65535)", NULL},
        {"port = ssh", "could not parse port: \"ssh\" is not a number (0 to 65535)", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        query_cond *q = NULL;
        char *message = NULL;
        gp_err err = {0};
        want_status(GP_EINVAL,
                    query_cond_parse(cases[i].text, NULL, NULL, 0, &q, NULL, &message, &err));
        assert_string_equal(message, cases[i].message);
        assert_string_equal(err.msg, cases[i].line ? cases[i].line : cases[i].message);
        gp_free(message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),     cmocka_unit_test(test_linear),
        cmocka_unit_test(test_facts),     cmocka_unit_test(test_match),
        cmocka_unit_test(test_dirfilter), cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
