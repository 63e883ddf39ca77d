/* cond_names_test.c - host names in conditions, with a lookup that the test controls. */
#include "query/cond.h"

#include "test.h"

/* What the fake resolver knows, and what it saw. */
typedef struct book {
    size_t calls, names;
    char seen[256]; /* names of the last call, blank-separated */
    int64_t timeout_ns;
    gp_status fail;
} book;

static const struct {
    const char *name, *addrs[5];
} HOSTS[] = {
    {"localhost", {"127.0.0.1"}},
    {"n", {"192.0.2.1", "192.0.2.2"}},
    {"m", {"2001:db8::1", "192.0.2.1"}},
    {"www.example.org", {"2001:db8::2", "192.0.2.9", "2001:db8::2", "192.0.2.9"}},
    {"empty", {NULL}},
};

static void add(query_addrs *out, const char *text)
{
    gp_addr *v = gp_realloc(out->v, out->n + 1, sizeof *v);

    assert_non_null(v);
    memset(&v[out->n], 0, sizeof *v);
    assert_true(gp_addr_parse(text, strlen(text), &v[out->n]));
    out->v = v;
    out->n++;
}

static gp_status lookup(void *ctx, const char *const *names, size_t n, int64_t timeout_ns,
                        query_addrs *out, gp_err *err)
{
    book *b = ctx;

    b->calls++;
    b->names += n;
    b->timeout_ns = timeout_ns;
    b->seen[0] = 0;
    if (timeout_ns == 0)
        return gp_fail(err, GP_EDEADLINE, 0, "too late");
    for (size_t i = 0; i < n; i++) {
        size_t h = 0, len = strlen(b->seen);
        (void)snprintf(b->seen + len, sizeof b->seen - len, "%s ", names[i]);
        while (h < COUNT(HOSTS) && strcmp(HOSTS[h].name, names[i]) != 0)
            h++;
        if (h == COUNT(HOSTS))
            return gp_fail(err, GP_ENOTFOUND, 0, "could not resolve \"%s\": no such host",
                           names[i]);
        for (size_t k = 0; k < 5 && HOSTS[h].addrs[k]; k++)
            add(&out[i], HOSTS[h].addrs[k]);
    }
    return b->fail;
}

static void test_cases(void **state)
{
    static const struct {
        const char *id, *text, *want, *error;
    } cases[] = {
        {"D95", "sip = localhost", "sip = 127.0.0.1", NULL},
        {"D96", "host = localhost", "(sip = 127.0.0.1 | dip = 127.0.0.1)", NULL},
        {"D98", "sip != n", "(sip != 192.0.2.1 & sip != 192.0.2.2)", NULL},
        {"D99", "dip = m", "(dip = 192.0.2.1 | dip = 2001:db8::1)", NULL},
        {"negated chain", "! sip = n", "(sip != 192.0.2.1 & sip != 192.0.2.2)", NULL},
        {"negated !=", "! sip != n", "(sip = 192.0.2.1 | sip = 192.0.2.2)", NULL},
        {"either side, several addresses", "host = n",
         "((sip = 192.0.2.1 | sip = 192.0.2.2) | (dip = 192.0.2.1 | dip = 192.0.2.2))", NULL},
        {"neither side", "host != m",
         "((sip != 192.0.2.1 & sip != 2001:db8::1) & (dip != 192.0.2.1 & dip != 2001:db8::1))",
         NULL},
        {"duplicates dropped, IPv4 first", "sip = WWW.Example.ORG",
         "(sip = 192.0.2.9 | sip = 2001:db8::2)", NULL},
        {"in a chain", "sip = n & dport = 80", "((sip = 192.0.2.1 | sip = 192.0.2.2) & dport = 80)",
         NULL},
        {"unknown", "sip = nosuch", NULL, "could not resolve \"nosuch\": no such host"},
        {"no addresses", "sip = empty", NULL, "could not resolve \"empty\": no addresses"},
        {"D94 a", "sip = 300.1.1.1", NULL, "could not resolve \"300.1.1.1\": not an IP address"},
        {"D94 b", "sip = 10.0.0.0/8", NULL, "(for networks use snet, dnet, net)"},
        {"D94 c", "sip = 01.2.3.4", NULL, "could not resolve \"01.2.3.4\""},
        {"hexadecimal is no name", "sip = 0x7f000001", NULL, "could not resolve"},
        {"a number is no name", "sip = 1", NULL, "could not resolve"},
        {"digits in the last label, dot behind", "sip = a.1.", NULL, "could not resolve"},
        {"a dot only", "sip = -.", NULL, "could not resolve \"-.\""},
        {"net takes no names", "snet = n/24", NULL, "could not parse IP address"},
        {"operators first (U41)", "sip < nosuch", NULL, "comparator \"<\" not allowed"},
        {"values first, so nothing is asked in vain", "sip = nosuch & dport = x", NULL,
         "could not parse port"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        GP_CLEANUP(query_cond_freep) query_cond *q = NULL;
        book b = {0};
        gp_err err = {0};
        gp_status st =
            query_cond_parse(cases[i].text, lookup, &b, 1000000000, &q, NULL, NULL, &err);
        if (cases[i].want ? st != GP_OK || strcmp(q->text, cases[i].want) != 0
                          : st != GP_EINVAL || !strstr(err.msg, cases[i].error))
            fail_msg("%s: %s: got %s", cases[i].id, cases[i].text, q ? q->text : err.msg);
    }
}

static void test_once_in_parallel(void **state)
{
    GP_CLEANUP(query_cond_freep) query_cond *q = NULL;
    book b = {0};

    (void)state;
    want_ok(query_cond_parse("host = n | sip = m | dip != n | sip = N | sip = 192.0.2.1", lookup,
                             &b, 7, &q, NULL, NULL, NULL));
    assert_int_equal(b.calls, 1);
    assert_int_equal(b.names, 2);
    assert_string_equal(b.seen, "m n ");
    assert_int_equal(b.timeout_ns, 7);
}

static void test_failures(void **state)
{
    query_cond *q = NULL;
    book b = {.fail = GP_OK};
    gp_err err = {0};

    (void)state;
    want_err(GP_EINVAL, &err, "timeout while resolving hostnames in conditional", /* D97 */
             query_cond_parse("sip = localhost", lookup, &b, 0, &q, NULL, NULL, &err));
    b.fail = GP_EIO; /* addresses handed out before the failure are freed */
    want_status(GP_EINVAL, query_cond_parse("sip = n", lookup, &b, 1, &q, NULL, NULL, &err));
    b.fail = GP_ENOMEM;
    want_status(GP_ENOMEM, query_cond_parse("sip = n", lookup, &b, 1, &q, NULL, NULL, &err));
    want_err(GP_EINVAL, &err, "only addresses here",
             query_cond_parse("sip = n", NULL, NULL, 1, &q, NULL, NULL, &err));

    gp_buf many = {0};
    for (int i = 0; i < 1025; i++)
        gp_buf_printf(&many, "%ssip = h%d", i ? " | " : "", i);
    want_err(GP_EINVAL, &err, "more than 1024 host names",
             query_cond_parse(gp_buf_str(&many), lookup, &b, 1, &q, NULL, NULL, &err));
    gp_buf_free(&many);
}

/* A resolver with very many answers cannot blow the tree up. */
static gp_status flood(void *ctx, const char *const *names, size_t n, int64_t timeout_ns,
                       query_addrs *out, gp_err *err)
{
    (void)ctx;
    (void)names;
    (void)timeout_ns;
    (void)err;
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 2000; k++) {
            char text[48];
            (void)snprintf(text, sizeof text, "10.%zu.%d.%d", i, k / 250, k % 250);
            add(&out[i], text);
        }
    return GP_OK;
}

static void test_many_addresses(void **state)
{
    GP_CLEANUP(query_cond_freep) query_cond *q = NULL;

    (void)state;
    want_ok(query_cond_parse("host = a", flood, NULL, 1, &q, NULL, NULL, NULL));
    assert_int_equal(q->n_cmp, 2 * 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_once_in_parallel),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_many_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
