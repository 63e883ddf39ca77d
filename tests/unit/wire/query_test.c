/* query_test.c - statements to signed bytes and back; malformed requests. */
#include "wire/query.h"

#include "gp/mem.h"
#include "test.h"
#include "wire/answer.h"

enum { NOW = 1750000000 };

static query_stmt *prepare(const char *query, const char *cond, const char *resolution)
{
    query_args a = {0};
    query_stmt *s = NULL;
    query_problems p = {0};
    query_env env = {.now_s = NOW};
    gp_err err = {0};
    want_ok(query_args_init(&a));
    want_ok(query_args_set(&a.query, query));
    want_ok(query_args_set(&a.ifaces, "eth0,eth1"));
    want_ok(query_args_set(&a.condition, cond));
    want_ok(query_args_set(&a.first, "-2d"));
    want_ok(query_args_set(&a.last, "-1h"));
    want_ok(query_args_set(&a.time_resolution, resolution));
    want_ok(query_args_set(&a.caller, "test"));
    a.num_results = 77;
    a.sum = 1;
    if (query_prepare(&a, &env, &s, &p, &err) != GP_OK)
        fail_msg("%s: %s", query, p.n ? p.v[0].message : err.msg);
    query_args_clear(&a);
    return s;
}

static void test_round_trip(void **state)
{
    (void)state;
    static const struct {
        const char *what, *query, *cond, *resolution;
    } cases[] = {
        {"plain", "sip,dip", NULL, NULL},
        {"condition", "sip", "dport = 443 and (proto = tcp or snet = 10.0.0.0/8)", NULL},
        {"direction filter", "sip", "dir = in & dport = 53", NULL},
        {"negation", "dip", "!(dport = 80 | dport = 443)", NULL},
        {"IPv6", "sip", "host = 2001:db8::1", NULL},
        {"bins", "time,sip", NULL, "1h"},
        {"automatic bins", "time,sip", NULL, "auto"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        query_stmt *s = prepare(cases[i].query, cases[i].cond, cases[i].resolution), *back = NULL;
        wire_query q = {0}, got = {0};
        gp_buf b = {0};
        gp_err err = {0};
        want_ok_err(&err, wire_query_from_stmt(s, "any,!x", "string", "prod", NOW, 90, &q, &err));
        want_ok_err(&err, wire_query_encode(&q, &b, &err));
        want_ok_err(&err, wire_query_decode(b.data, b.len, &got, &err));
        assert_memory_equal(got.id, q.id, sizeof q.id);
        assert_int_equal(got.issued_s, NOW);
        assert_int_equal(got.ttl_s, 90);
        assert_string_equal(got.hosts, "any,!x");
        assert_string_equal(got.fleet, "prod");
        /* much later, elsewhere: the same range, bins and condition */
        if (wire_query_to_stmt(&got, NOW + 5000, &back, &err) != GP_OK)
            fail_msg("%s: %s", cases[i].what, err.msg);
        assert_int_equal(back->first_s, s->first_s);
        assert_int_equal(back->last_s, s->last_s);
        assert_int_equal(back->bin_s, s->bin_s);
        assert_int_equal(back->limit, 77);
        assert_int_equal(back->labels, s->labels);
        assert_int_equal(back->direction, s->direction);
        assert_int_equal(back->sort, s->sort);
        if (strcmp(back->cond->text, s->cond->text) != 0)
            fail_msg("%s: got %s, want %s", cases[i].what, back->cond->text, s->cond->text);
        query_stmt_free(back);
        query_stmt_free(s);
        wire_query_clear(&q);
        wire_query_clear(&got);
        gp_buf_free(&b);
    }
}

static void make(wire_query *q)
{
    query_stmt *s = prepare("sip", NULL, NULL);
    want_ok(wire_query_from_stmt(s, "any", NULL, NULL, NOW, 60, q, NULL));
    query_stmt_free(s);
}

static void test_refused(void **state)
{
    (void)state;
    enum { CONTROL, LONG_TEXT, VERSION, EMPTY_HOST, BAD_QUERY, BAD_COND };
    static const struct {
        const char *what;
        int how;
        gp_status st;
    } cases[] = {
        {"control character in the selector", CONTROL, GP_ECORRUPT},
        {"condition of 100 kB", LONG_TEXT, GP_ECORRUPT},
        {"later protocol", VERSION, GP_EUNSUPPORTED},
        {"empty host name", EMPTY_HOST, GP_ECORRUPT},
        {"unknown attribute", BAD_QUERY, GP_EINVAL},
        {"broken condition", BAD_COND, GP_EINVAL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        wire_query q = {0}, got = {0};
        gp_buf b = {0}, text = {0};
        gp_err err = {0};
        query_stmt *s = NULL;
        make(&q);
        gp_buf_fill(&text, 'x', 100000);
        if (cases[i].how == CONTROL)
            want_ok(query_args_set(&q.hosts, "a\x1b[31mb"));
        else if (cases[i].how == LONG_TEXT)
            want_ok(query_args_set(&q.args.condition, gp_buf_str(&text)));
        else if (cases[i].how == VERSION)
            q.protocol = 99;
        else if (cases[i].how == BAD_QUERY)
            want_ok(query_args_set(&q.args.query, "sip,nonsense"));
        else if (cases[i].how == BAD_COND)
            want_ok(query_args_set(&q.args.condition, "dport = = 1"));
        else {
            q.resolved = gp_calloc(1, sizeof *q.resolved);
            q.resolved[0] = gp_strdup("");
            q.n_resolved = 1;
        }
        want_ok(wire_query_encode(&q, &b, &err));
        gp_status st = wire_query_decode(b.data, b.len, &got, &err);
        if (st == GP_OK)
            st = wire_query_to_stmt(&got, NOW, &s, &err);
        if (st != cases[i].st)
            fail_msg("%s: got %s \"%s\"", cases[i].what, gp_status_name(st), err.msg);
        assert_null(strchr(err.msg, '\n'));
        query_stmt_free(s);
        wire_query_clear(&q);
        wire_query_clear(&got);
        gp_buf_free(&b);
        gp_buf_free(&text);
    }
}

/* A condition goes as it was typed, not in the result form, which is more than twice as long; what
 * comes back in an answer is that form, and must pass as well. */
static void test_long_conditions(void **state)
{
    (void)state;
    static const struct {
        const char *what, *term;
        size_t n;
        gp_status st;
    } cases[] = {
        {"500 hosts", "host = 192.168.100.100", 500, GP_OK},
        {"the longest", "net = ::/0", (WIRE_MAX_CONDITION + 3) / 13, GP_OK},
        {"one more", "net = ::/0", (WIRE_MAX_CONDITION + 3) / 13 + 1, GP_ELIMIT},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        gp_buf text = {0}, b = {0}, sum = {0};
        gp_err err = {0};
        wire_query q = {0}, got = {0};
        for (size_t k = 0; k < cases[i].n; k++)
            gp_buf_printf(&text, "%s%s", k ? " | " : "", cases[i].term);
        query_stmt *s = prepare("sip", gp_buf_str(&text), NULL), *back = NULL;
        gp_status st = wire_stmt_check(s, &err);
        if (st != cases[i].st)
            fail_msg("%s: %s %s", cases[i].what, gp_status_name(st), err.msg);
        want_ok(wire_query_from_stmt(s, "any", NULL, NULL, NOW, 60, &q, NULL));
        assert_string_equal(q.args.condition, gp_buf_str(&text));
        want_ok(wire_query_encode(&q, &b, NULL));
        st = wire_query_decode(b.data, b.len, &got, &err);
        if (st != (cases[i].st == GP_OK ? GP_OK : GP_ECORRUPT))
            fail_msg("%s: %s %s", cases[i].what, gp_status_name(st), err.msg);
        if (st == GP_OK) {
            wire_answer a = {0};
            want_ok(wire_query_to_stmt(&got, NOW, &back, NULL));
            assert_string_equal(back->cond->text, s->cond->text);
            wire_put_summary(&sum, &(wire_summary){.condition = back->cond->text});
            assert_in_range(sum.len, 1, 200 * 1024); /* of a frame of 256 KiB */
            want_ok_err(&err, wire_answer_decode(sum.data, sum.len, &a, &err));
            assert_string_equal(a.u.summary.condition, s->cond->text);
            wire_answer_clear(&a);
        } else {
            assert_non_null(strstr(err.msg, "condition of 65"));
        }
        query_stmt_free(back);
        query_stmt_free(s);
        wire_query_clear(&q);
        wire_query_clear(&got);
        gp_buf_free(&text);
        gp_buf_free(&b);
        gp_buf_free(&sum);
    }
}

/* Names are addresses by the time the query leaves. */
static gp_status one_address(void *ctx, const char *const *names, size_t n, int64_t timeout_ns,
                             query_addrs *out, gp_err *err)
{
    (void)ctx, (void)names, (void)timeout_ns, (void)err;
    for (size_t i = 0; i < n; i++) {
        out[i].v = gp_calloc(1, sizeof *out[i].v);
        assert_non_null(out[i].v);
        assert_true(gp_addr_parse("192.0.2.7", 9, out[i].v));
        out[i].n = 1;
    }
    return GP_OK;
}

static void test_names(void **state)
{
    (void)state;
    query_args a = {0};
    query_stmt *s = NULL;
    query_problems p = {0};
    wire_query q = {0};
    query_env env = {.now_s = NOW, .lookup = one_address};
    want_ok(query_args_init(&a));
    want_ok(query_args_set(&a.query, "sip"));
    want_ok(query_args_set(&a.ifaces, "eth0"));
    want_ok(query_args_set(&a.condition, "host = web.example & dport = 80"));
    want_ok(query_prepare(&a, &env, &s, &p, NULL));
    want_ok(wire_query_from_stmt(s, "any", NULL, NULL, NOW, 60, &q, NULL));
    assert_string_equal(q.args.condition, "((sip = 192.0.2.7 | dip = 192.0.2.7) & dport = 80)");
    wire_query_clear(&q);
    query_stmt_free(s);
    query_args_clear(&a);
}

static void test_too_large_to_send(void **state)
{
    (void)state;
    wire_query q = {0};
    gp_buf b = {0};
    gp_err err = {0};
    make(&q);
    q.resolved = gp_calloc(20000, sizeof *q.resolved);
    for (q.n_resolved = 0; q.n_resolved < 20000; q.n_resolved++)
        q.resolved[q.n_resolved] = gp_asprintf("host-%zu.example.net", q.n_resolved);
    want_err(GP_ELIMIT, &err, "at most", wire_query_encode(&q, &b, &err));
    wire_query_clear(&q);
    gp_buf_free(&b);
}

static void test_signed_request(void **state)
{
    (void)state;
    auth_identity *id = NULL;
    wire_request r = {.n_via = 2, .partials = 1}, got = {0};
    gp_buf b = {0};
    gp_err err = {0};
    want_ok_err(&err, auth_identity_new(AUTH_KIND_USER, "u", &id, &err));
    gp_buf_adds(&r.body, "exact bytes");
    memset(r.via[1], 9, 16);
    wire_request_sign(&r, id);
    want_ok_err(&err, wire_request_encode(&r, &b, &err));
    want_ok_err(&err, wire_request_decode(b.data, b.len, &got, &err));
    assert_int_equal(got.body.len, 11);
    assert_memory_equal(got.body.data, "exact bytes", 11);
    assert_int_equal(got.n_via, 2);
    assert_int_equal(got.via[1][15], 9);
    assert_true(got.partials);
    assert_true(
        auth_verify(got.signer, WIRE_SIGN_QUERY, got.body.data, got.body.len, got.signature));
    got.body.data[3] ^= 1;
    assert_false(
        auth_verify(got.signer, WIRE_SIGN_QUERY, got.body.data, got.body.len, got.signature));
    wire_request_clear(&got);
    for (size_t len = 0; len < b.len; len++) { /* cuts: refused, or a request with less in it */
        gp_status st = wire_request_decode(b.data, len, &got, NULL);
        assert_true(st == GP_OK || st == GP_ECORRUPT);
        wire_request_clear(&got);
    }
    wire_request_clear(&r);
    gp_buf_free(&b);
    auth_identity_free(id);
}

static void test_malformed_requests(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t len;
        const char *bytes;
    } cases[] = {
        {"empty", 0, ""},
        {"no body", 2, "\x30\x01"},
        {"empty body", 2, "\x0a\x00"},
        {"signature of 3 bytes", 10,
         "\x0a\x01x\x12\x03"
         "abc\x1a\x00"},
        {"length past the end", 3, "\x0a\x7fx"},
        {"nine hops", 3 + 9 * 18,
         "\x0a\x01x"
         "\x2a\x10"
         "0123456789abcdef\x2a\x10"
         "0123456789abcdef\x2a\x10"
         "0123456789abcdef"
         "\x2a\x10"
         "0123456789abcdef\x2a\x10"
         "0123456789abcdef\x2a\x10"
         "0123456789abcdef"
         "\x2a\x10"
         "0123456789abcdef\x2a\x10"
         "0123456789abcdef\x2a\x10"
         "0123456789abcdef"},
        {"hop of two bytes", 7, "\x0a\x01x\x2a\x02xy"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        wire_request r;
        if (wire_request_decode(cases[i].bytes, cases[i].len, &r, NULL) != GP_ECORRUPT)
            fail_msg("%s: accepted", cases[i].what);
    }
}

/* Field 15, which nobody knows, holding itself as often as fits into n bytes. Returns how often. */
static size_t add_nest(gp_buf *b, size_t n)
{
    size_t depth = 0, from = n;
    uint8_t *nest = gp_calloc(n, 1);
    assert_non_null(nest);
    while (from > 8) { /* built from the inside out */
        size_t len = n - from, width = len < 128 ? 1 : len < 16384 ? 2 : 3;
        from -= width;
        for (size_t i = 0, v = len; i < width; i++, v >>= 7)
            nest[from + i] = (uint8_t)((v & 127) | (i + 1 < width ? 128 : 0));
        nest[--from] = 0x7a;
        depth++;
    }
    gp_buf_add(b, nest + from, n - from);
    gp_free(nest);
    return depth;
}

/* Messages in messages: no message of the schema holds its own kind, so nothing that a peer sends
 * makes the decoder descend further than the schema does; what it does not know, it steps over. */
static void test_nested_messages(void **state)
{
    (void)state;
    wire_request r = {0};
    wire_query q = {0}, got = {0};
    gp_buf b = {0}, body = {0};
    gp_err err = {0};
    gp_buf_adds(&b, "\x0a\x01x");
    assert_true(add_nest(&b, WIRE_MAX_REQUEST - 16) > 60000);
    assert_true(b.len <= WIRE_MAX_REQUEST);
    want_ok_err(&err, wire_request_decode(b.data, b.len, &r, &err));
    assert_int_equal(r.body.len, 1);
    assert_int_equal(r.body.data[0], 'x');
    wire_request_clear(&r);
    make(&q);
    want_ok_err(&err, wire_query_encode(&q, &body, &err));
    assert_true(add_nest(&body, WIRE_MAX_BODY - body.len - 16) > 40000);
    want_ok_err(&err, wire_query_decode(body.data, body.len, &got, &err));
    assert_string_equal(got.hosts, "any");
    wire_query_clear(&got);
    wire_query_clear(&q);
    /* Groups (an old wire type) opened without end. */
    gp_buf_clear(&b);
    gp_buf_adds(&b, "\x0a\x01x");
    gp_buf_fill(&b, 0x7b, WIRE_MAX_REQUEST / 2);
    want_status(GP_ECORRUPT, wire_request_decode(b.data, b.len, &r, NULL));
    want_status(GP_ECORRUPT, wire_query_decode(b.data, b.len, &q, NULL));
    gp_buf_free(&b);
    gp_buf_free(&body);
}

/* Conditions in conditions, signed by a user who is trusted. */
static void test_nested_conditions(void **state)
{
    (void)state;
    static const struct {
        const char *what, *open, *close;
        size_t n;
        gp_status decode, parse;
    } cases[] = {
        {"brackets, as many as the text may have", "(", ")", WIRE_MAX_CONDITION / 2 - 8, GP_OK,
         GP_OK},
        {"brackets, more than that", "(", ")", WIRE_MAX_CONDITION / 2, GP_ECORRUPT, GP_OK},
        {"brackets never closed", "(", "", WIRE_MAX_CONDITION - 16, GP_OK, GP_EINVAL},
        {"brackets never opened", "", ")", WIRE_MAX_CONDITION - 16, GP_OK, GP_EINVAL},
        {"negations, 512", "!(", ")", 512, GP_OK, GP_OK},
        {"negations, 513", "!(", ")", 513, GP_OK, GP_EINVAL},
        {"negations, as many as fit", "!(", ")", WIRE_MAX_CONDITION / 3 - 8, GP_OK, GP_EINVAL},
        {"a tree of 512", "dport=1|(dport=2&(", "))", 256, GP_OK, GP_OK},
        {"a tree of 514", "dport=1|(dport=2&(", "))", 257, GP_OK, GP_EINVAL},
        {"a chain of 1,001, which is no nesting", "dport=1&", "", 1000, GP_OK, GP_OK},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        wire_query q = {0}, got = {0};
        gp_buf b = {0}, text = {0};
        query_stmt *s = NULL;
        make(&q);
        for (size_t k = 0; k < cases[i].n; k++)
            gp_buf_adds(&text, cases[i].open);
        gp_buf_adds(&text, "dport=443");
        for (size_t k = 0; k < cases[i].n; k++)
            gp_buf_adds(&text, cases[i].close);
        want_ok(query_args_set(&q.args.condition, gp_buf_str(&text)));
        gp_status st = wire_query_encode(&q, &b, NULL);
        if (st == GP_OK)
            st = wire_query_decode(b.data, b.len, &got, NULL);
        if ((st == GP_OK) != (cases[i].decode == GP_OK))
            fail_msg("%s: decoded with %s", cases[i].what, gp_status_name(st));
        if (st == GP_OK && (st = wire_query_to_stmt(&got, NOW, &s, NULL)) != cases[i].parse)
            fail_msg("%s: %s, want %s", cases[i].what, gp_status_name(st),
                     gp_status_name(cases[i].parse));
        query_stmt_free(s);
        wire_query_clear(&got);
        wire_query_clear(&q);
        gp_buf_free(&text);
        gp_buf_free(&b);
    }
}

static void test_oversized(void **state)
{
    (void)state;
    wire_request r = {0};
    gp_buf b = {0};
    /* Fields of two bytes that cost a pointer and an allocation each: over the budget of 4 MiB. */
    gp_buf_adds(&b, "\x0a\x01x");
    for (size_t i = 0; i < WIRE_MAX_REQUEST / 2 - 2; i++)
        gp_buf_add(&b, "\x2a\x00", 2); /* via, empty */
    assert_true(b.len <= WIRE_MAX_REQUEST);
    want_status(GP_ECORRUPT, wire_request_decode(b.data, b.len, &r, NULL));
    /* One byte more than a request may have. */
    gp_buf_clear(&b);
    gp_buf_adds(&b, "\x0a\x80\x80\x10"); /* a body of 256 KiB */
    gp_buf_fill(&b, 'x', WIRE_MAX_REQUEST);
    want_status(GP_ECORRUPT, wire_request_decode(b.data, b.len, &r, NULL));
    gp_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),         cmocka_unit_test(test_refused),
        cmocka_unit_test(test_long_conditions),    cmocka_unit_test(test_names),
        cmocka_unit_test(test_too_large_to_send),  cmocka_unit_test(test_signed_request),
        cmocka_unit_test(test_malformed_requests), cmocka_unit_test(test_nested_messages),
        cmocka_unit_test(test_nested_conditions),  cmocka_unit_test(test_oversized),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
