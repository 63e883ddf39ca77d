/* answer_test.c - messages of an answer stream, and the small unary ones. */
#include "wire/answer.h"

#include "test.h"
#include "wire/info.h"

static const char *const ifaces[] = {"eth0", "wan"};

static wire_summary summary(void)
{
    return (wire_summary){.code = RESULT_EMPTY,
                          .message = "nothing",
                          .totals = {1, 2, 3, UINT64_MAX},
                          .hits = 5,
                          .rows = 4,
                          .stats = {.bytes_loaded = 9, .workloads = 2},
                          .first_s = -5,
                          .last_s = 1700000000,
                          .ifaces = ifaces,
                          .n_ifaces = 2,
                          .data_available = 1,
                          .duration_ns = 77,
                          .condition = "dport = 1"};
}

static void check_summary(const wire_summary *s)
{
    assert_int_equal(s->code, RESULT_EMPTY);
    assert_string_equal(s->message, "nothing");
    assert_true(s->totals.pkts_sent == UINT64_MAX && s->totals.bytes_rcvd == 1);
    assert_int_equal(s->hits, 5);
    assert_int_equal(s->rows, 4);
    assert_int_equal(s->stats.bytes_loaded, 9);
    assert_int_equal(s->first_s, -5);
    assert_int_equal(s->n_ifaces, 2);
    assert_string_equal(s->ifaces[1], "wan");
    assert_int_equal(s->data_available, 1);
    assert_string_equal(s->condition, "dport = 1");
}

static void test_kinds(void **state)
{
    (void)state;
    wire_summary s = summary();
    wire_answer a = {0};
    gp_buf b = {0};
    const char *const path[] = {"zrh", "top"};
    wire_progress p = {.blocks_done = 3, .hosts_total = 9};

    wire_put_header(&b, "fleetprobe/1", 12);
    want_ok(wire_answer_decode(b.data, b.len, &a, NULL));
    assert_int_equal(a.kind, WIRE_HEADER);
    assert_int_equal(a.u.header.n_hosts, 12);
    assert_string_equal(a.u.header.software, "fleetprobe/1");
    wire_answer_clear(&a);

    gp_buf_clear(&b);
    wire_put_progress(&b, &p);
    want_ok(wire_answer_decode(b.data, b.len, &a, NULL));
    assert_int_equal(a.u.progress.blocks_done, 3);
    assert_int_equal(a.u.progress.hosts_total, 9);
    wire_answer_clear(&a);

    gp_buf_clear(&b);
    wire_put_host(&b, "fw1", RESULT_TIMEOUT, "late", path, 2);
    want_ok(wire_answer_decode(b.data, b.len, &a, NULL));
    assert_int_equal(a.u.host.code, RESULT_TIMEOUT);
    assert_string_equal(a.u.host.host, "fw1");
    assert_string_equal(a.u.host.path[1], "top");
    wire_answer_clear(&a);

    gp_buf_clear(&b);
    wire_put_summary(&b, &s);
    want_ok(wire_answer_decode(b.data, b.len, &a, NULL));
    assert_int_equal(a.kind, WIRE_SUMMARY);
    check_summary(&a.u.summary);
    wire_answer_clear(&a);

    const uint8_t *const batches[] = {(const uint8_t *)"abc", (const uint8_t *)"de"};
    const size_t lens[] = {3, 2};
    gp_buf_clear(&b);
    wire_put_partial(&b, &s, 4, 5, batches, lens, 2);
    want_ok(wire_answer_decode(b.data, b.len, &a, NULL));
    assert_int_equal(a.u.partial.n_batches, 2);
    assert_memory_equal(a.u.partial.batch[1], "de", 2);
    assert_int_equal(a.u.partial.hosts_total, 5);
    check_summary(&a.u.partial.summary);
    wire_answer_clear(&a);
    gp_buf_free(&b);
}

static void test_trailer(void **state)
{
    (void)state;
    auth_identity *id = NULL;
    uint8_t sig[AUTH_SIG];
    gp_buf body = {0}, b = {0};
    wire_answer a = {0};
    wire_trailer t = {.host = "fw1", .host_id = "abc", .sum = summary()};
    memset(t.query_id, 7, sizeof t.query_id);
    memset(t.digest, 8, sizeof t.digest);
    want_ok(auth_identity_new(AUTH_KIND_AGENT, "fw1", &id, NULL));
    wire_trailer_encode(&body, &t);
    auth_sign(id, "trailer", body.data, body.len, sig);
    wire_put_trailer(&b, body.data, body.len, sig, auth_identity_sign_pk(id), "cert", 4, NULL, 0);
    want_ok(wire_answer_decode(b.data, b.len, &a, NULL));
    assert_int_equal(a.kind, WIRE_TRAILER);
    assert_int_equal(a.u.trailer.cert_len, 4);
    assert_memory_equal(a.u.trailer.cert, "cert", 4);
    assert_string_equal(a.u.trailer.t.host, "fw1");
    assert_string_equal(a.u.trailer.t.host_id, "abc");
    assert_memory_equal(a.u.trailer.t.digest, t.digest, sizeof t.digest);
    check_summary(&a.u.trailer.t.sum);
    assert_true(auth_verify(a.u.trailer.signer, "trailer", a.u.trailer.body, a.u.trailer.body_len,
                            a.u.trailer.signature));
    wire_answer_clear(&a);
    for (size_t len = 0; len < b.len; len++) {
        if (wire_answer_decode(b.data, len, &a, NULL) == GP_OK)
            wire_answer_clear(&a);
    }
    gp_buf_free(&body);
    gp_buf_free(&b);
    auth_identity_free(id);
}

static void test_batch_is_borrowed(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 127, 128, 16383, 16384, 200000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        gp_buf b = {0}, data = {0};
        wire_answer a = {0};
        gp_buf_fill(&data, 'z', sizes[i]);
        wire_put_batch(&b, data.data ? data.data : (const uint8_t *)"", sizes[i]);
        if (sizes[i] == 0)
            gp_buf_addc(&b, 0); /* an empty field still has its length */
        want_ok(wire_answer_decode(b.data, b.len, &a, NULL));
        assert_int_equal(a.kind, WIRE_BATCH);
        assert_int_equal(a.u.batch.len, sizes[i]);
        if (sizes[i])
            assert_true(a.u.batch.data > b.data && a.u.batch.data < b.data + b.len);
        wire_answer_clear(&a);
        gp_buf_free(&b);
        gp_buf_free(&data);
    }
}

static void test_unknown_and_malformed(void **state)
{
    (void)state;
    wire_answer a = {0};
    want_ok(wire_answer_decode("\xfa\x01\x01x", 4, &a, NULL)); /* field 31: of a later version */
    assert_int_equal(a.kind, WIRE_NONE);
    wire_answer_clear(&a);
    static const struct {
        const char *what, *bytes;
        size_t len;
    } cases[] = {
        {"header without protocol", "\x0a\x00", 2},
        {"host without name", "\x22\x04\x0a\x00\x10\x01", 6},
        {"escape in a host name", "\x22\x05\x0a\x01\x1b\x10\x01", 7},
        {"trailer of garbage", "\x2a\x04\x0a\x02\xff\xff", 6},
        {"cut field", "\x0a\x7f", 2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (wire_answer_decode(cases[i].bytes, cases[i].len, &a, NULL) != GP_ECORRUPT)
            fail_msg("%s: accepted", cases[i].what);
    }
}

static void test_unpack_is_bounded(void **state)
{
    (void)state;
    gp_buf inner = {0}, b = {0};
    wire_answer a = {0};
    /* a summary with 100,000 empty interface names: 2 bytes each on the wire, more in memory */
    gp_buf_adds(&inner, "\x08\x01");
    for (int i = 0; i < 100000; i++)
        gp_buf_add(&inner, "\x42\x00", 2);
    gp_buf_addc(&b, 0x3a);
    for (size_t n = inner.len; n; n >>= 7)
        gp_buf_addc(&b, (char)(n > 127 ? (n & 127) | 128 : n));
    gp_buf_add(&b, inner.data, inner.len);
    want_status(GP_ECORRUPT, wire_answer_decode(b.data, b.len, &a, NULL));
    gp_buf_free(&inner);
    gp_buf_free(&b);
}

static void test_info(void **state)
{
    (void)state;
    gp_buf b = {0};
    wire_host_info in[] = {
        {.host = "a", .state = "connected", .address = "tcp://x:1", .rtt_us = 12},
        {.host = "b",
         .state = "backing off",
         .address = "tcp://y:1",
         .detail = "refused",
         .rtt_us = -1,
         .since_s = 5}};
    wire_host_info *v = NULL;
    size_t n = 0;
    void *owner = NULL;
    char *sel = NULL, *res = NULL;
    wire_put_hosts(&b, in, 2);
    want_ok(wire_hosts_decode(b.data, b.len, &v, &n, &owner, NULL));
    want_ok(wire_hosts_decode(b.data, b.len, &v, &n, &owner, NULL));
    assert_int_equal(n, 4);
    assert_string_equal(v[2].host, "a");
    assert_int_equal(v[0].rtt_us, 12);
    assert_int_equal(v[1].rtt_us, -1);
    assert_string_equal(v[1].detail, "refused");
    wire_hosts_free(v, owner);
    gp_buf_clear(&b);
    wire_put_hosts_request(&b, "any", "dns");
    want_ok(wire_hosts_request_decode(b.data, b.len, &sel, &res, NULL));
    assert_string_equal(sel, "any");
    assert_string_equal(res, "dns");
    gp_free(sel);
    gp_free(res);
    gp_buf_clear(&b);
    wire_info i = {.protocol = 1,
                   .software = "s",
                   .kind = "agent",
                   .host = "h",
                   .host_id = "",
                   .started_s = 3,
                   .queries_running = 4},
              j;
    wire_put_info(&b, &i);
    want_ok(wire_info_decode(b.data, b.len, &j, &owner, NULL));
    assert_string_equal(j.kind, "agent");
    assert_int_equal(j.queries_running, 4);
    wire_info_free(owner);
    gp_buf_clear(&b);
    char *const *names;
    wire_put_ifaces(&b, ifaces, 2);
    want_ok(wire_ifaces_decode(b.data, b.len, &names, &n, &owner, NULL));
    assert_int_equal(n, 2);
    assert_string_equal(names[0], "eth0");
    wire_ifaces_free(owner);
    gp_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_trailer),
        cmocka_unit_test(test_batch_is_borrowed),
        cmocka_unit_test(test_unknown_and_malformed),
        cmocka_unit_test(test_unpack_is_bounded),
        cmocka_unit_test(test_info),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
