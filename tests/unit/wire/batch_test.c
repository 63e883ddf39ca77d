/* batch_test.c - columnar batches: round trips, sizes, and refusal of every damaged byte string. */
#include "wire/batch.h"

#include "gp/num.h"
#include "test.h"
#include "wire/limits.h"

#include <zstd.h>

enum { STRINGS = 1 << 24 };

struct sink {
    gp_buf bytes[64];
    size_t n, rows;
};

static gp_status collect(void *ctx, const uint8_t *bytes, size_t len, size_t rows, gp_err *err)
{
    struct sink *s = ctx;
    (void)err;
    assert_true(s->n < COUNT(s->bytes));
    assert_true(len <= WIRE_BATCH_BYTES);
    assert_true(rows >= 1 && rows <= WIRE_BATCH_ROWS);
    gp_buf_add(&s->bytes[s->n++], bytes, len);
    s->rows += rows;
    return GP_OK;
}

static void sink_free(struct sink *s)
{
    for (size_t i = 0; i < s->n; i++)
        gp_buf_free(&s->bytes[i]);
    *s = (struct sink){0};
}

enum shape { NO_ADDR, V4, V6, MIXED, SIP_ONLY, DIP_ONLY, WORST, EDGES };
enum { HEAD = 12 };

/* Just below, at and just above every power of two. */
static uint64_t edge(test_rng *g)
{
    return (UINT64_C(1) << test_rng_below(g, 64)) + test_rng_below(g, 3) - 1;
}

static result_row random_row(test_rng *g, enum shape shape, size_t n_hosts, size_t n_ifaces)
{
    result_row r = {.host = (uint32_t)test_rng_below(g, n_hosts),
                    .iface = (uint32_t)test_rng_below(g, n_ifaces)};
    uint8_t family = shape == V4                     ? 4
                     : shape == V6 || shape == WORST ? 6
                     : test_rng_below(g, 3)          ? 4
                                                     : 6;
    size_t len = family == 4 ? 4 : 16;
    if (shape == WORST) {
        test_rng_fill(g, r.sip, 16);
        test_rng_fill(g, r.dip, 16);
        r.sip_family = r.dip_family = 6;
        r.time_s = (int64_t)test_rng_u64(g);
        r.dport = (uint16_t)test_rng_u64(g);
        r.proto = (uint8_t)test_rng_u64(g);
        test_rng_fill(g, &r.c, sizeof r.c);
        return r;
    }
    if (shape != NO_ADDR && shape != DIP_ONLY) {
        r.sip_family = family;
        test_rng_fill(g, r.sip + len - 2, 2);
        r.sip[0] = 10;
    }
    if (shape != NO_ADDR && shape != SIP_ONLY) {
        r.dip_family = family;
        test_rng_fill(g, r.dip + len - 1, 1);
    }
    if (test_rng_below(g, 2))
        r.dport = (uint16_t)test_rng_u64(g);
    r.proto = test_rng_below(g, 2) ? 6 : 17;
    r.time_s = 1700000000 + (int64_t)test_rng_below(g, 100) * 300;
    r.c.bytes_rcvd = test_rng_u64(g) >> test_rng_below(g, 64);
    r.c.pkts_sent = test_rng_below(g, 100);
    if (shape == EDGES)
        r.c = (result_counters){edge(g), edge(g), edge(g), edge(g)};
    return r;
}

static void fill(result *r, test_rng *g, enum shape shape, size_t n, size_t n_hosts,
                 size_t n_ifaces)
{
    gp_err err = {0};
    char name[32], id[32];
    want_ok_err(&err, result_init(r, STRINGS, &err));
    for (size_t i = 0; i < n_hosts; i++) {
        snprintf(name, sizeof name, "host-%zu", i);
        snprintf(id, sizeof id, "id-%zu", i);
        assert_int_equal(result_host_id(r, name, id), i);
    }
    for (size_t i = 0; i < n_ifaces; i++) {
        snprintf(name, sizeof name, "eth%zu", i);
        assert_int_equal(result_iface_id(r, name), i);
    }
    want_ok_err(&err, result_reserve_rows(r, n, &err));
    for (size_t i = 0; i < n; i++)
        r->rows[r->n_rows++] = random_row(g, shape, n_hosts, n_ifaces);
}

/* Order of rows and numbering of labels are not part of the contract: compare sorted texts. */
static int cmp_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char **as_texts(const result *r)
{
    char **v = gp_calloc(r->n_rows + 1, sizeof *v);
    assert_non_null(v);
    for (size_t i = 0; i < r->n_rows; i++) {
        const result_row *x = &r->rows[i];
        char sip[33], dip[33];
        gp_hex(x->sip, 16, sip);
        gp_hex(x->dip, 16, dip);
        v[i] = gp_asprintf("%s %s %s %" PRId64 " %d:%s %d:%s %u %u %" PRIu64 " %" PRIu64 " %" PRIu64
                           " %" PRIu64,
                           r->hosts[x->host].name, r->hosts[x->host].id, r->names[x->iface],
                           x->time_s, x->sip_family, sip, x->dip_family, dip, x->dport, x->proto,
                           x->c.bytes_rcvd, x->c.bytes_sent, x->c.pkts_rcvd, x->c.pkts_sent);
        assert_non_null(v[i]);
    }
    qsort(v, r->n_rows, sizeof *v, cmp_text);
    return v;
}

static void free_texts(char **v)
{
    for (size_t i = 0; v[i]; i++)
        gp_free(v[i]);
    gp_free(v);
}

static void same(const char *what, const result *a, const result *b)
{
    if (a->n_rows != b->n_rows)
        fail_msg("%s: %zu rows, want %zu", what, b->n_rows, a->n_rows);
    char **x = as_texts(a), **y = as_texts(b);
    for (size_t i = 0; i < a->n_rows; i++) {
        if (strcmp(x[i], y[i]) != 0)
            fail_msg("%s: got %s, want %s", what, y[i], x[i]);
    }
    free_texts(x);
    free_texts(y);
}

static void test_round_trips(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        enum shape shape;
        size_t n, hosts, ifaces;
    } cases[] = {
        {"one row", V4, 1, 1, 1},
        {"no address", NO_ADDR, 100, 1, 2},
        {"IPv4", V4, 3000, 1, 3},
        {"IPv6", V6, 3000, 1, 1},
        {"families mixed", MIXED, 5000, 4, 2},
        {"source only", SIP_ONLY, 999, 1, 1},
        {"destination only", DIP_ONLY, 999, 1, 1},
        {"exactly full", V4, 8192, 1, 1},
        {"one above", V4, 8193, 1, 1},
        {"three batches and a host a row", V4, 20000, 20000, 1},
        {"incompressible", WORST, 8192, 300, 300},
        {"numbers at every size", EDGES, 4000, 1, 1},
        {"more than are sorted together", MIXED, 70000, 2, 3},
    };
    test_rng g = test_rng_new(7);
    wire_enc *e = NULL;
    wire_dec *d = NULL;
    want_ok(wire_enc_new(&e, NULL));
    want_ok(wire_dec_new(&d, NULL));
    for (size_t i = 0; i < COUNT(cases); i++) {
        result in = {0}, out = {0};
        struct sink s = {0};
        gp_err err = {0};
        size_t rows, total = 0;
        fill(&in, &g, cases[i].shape, cases[i].n, cases[i].hosts, cases[i].ifaces);
        want_ok_err(&err, wire_batch_encode(e, &in, in.rows, in.n_rows, collect, &s, &err));
        assert_int_equal(s.rows, in.n_rows);
        want_ok_err(&err, result_init(&out, STRINGS, &err));
        for (size_t k = 0; k < s.n; k++) {
            want_ok_err(&err, wire_batch_rows(d, s.bytes[k].data, s.bytes[k].len, &rows, &err));
            total += rows;
            want_ok_err(&err, wire_batch_decode(d, s.bytes[k].data, s.bytes[k].len, NULL, NULL,
                                                &out, &err));
        }
        assert_int_equal(total, in.n_rows);
        same(cases[i].what, &in, &out);
        sink_free(&s);
        result_clear(&in);
        result_clear(&out);
    }
    wire_enc_free(e);
    wire_dec_free(d);
}

static void test_host_is_overridden(void **state)
{
    (void)state;
    test_rng g = test_rng_new(3);
    result in = {0}, out = {0};
    struct sink s = {0};
    wire_enc *e = NULL;
    wire_dec *d = NULL;
    fill(&in, &g, V4, 50, 5, 1);
    want_ok(wire_enc_new(&e, NULL));
    want_ok(wire_dec_new(&d, NULL));
    want_ok(wire_batch_encode(e, &in, in.rows, in.n_rows, collect, &s, NULL));
    want_ok(result_init(&out, STRINGS, NULL));
    want_ok(wire_batch_decode(d, s.bytes[0].data, s.bytes[0].len, "honest", "h1", &out, NULL));
    assert_int_equal(out.n_hosts, 1);
    for (size_t i = 0; i < out.n_rows; i++)
        assert_string_equal(out.hosts[out.rows[i].host].name, "honest");
    sink_free(&s);
    result_clear(&in);
    result_clear(&out);
    wire_enc_free(e);
    wire_dec_free(d);
}

static void test_refused_rows(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        result_row row;
    } cases[] = {
        {"family 5", {.sip_family = 5, .dip_family = 5}},
        {"two families", {.sip_family = 4, .dip_family = 6}},
        {"unknown host", {.host = 7}},
        {"unknown interface", {.iface = 1}},
    };
    wire_enc *e = NULL;
    struct sink s = {0};
    want_ok(wire_enc_new(&e, NULL));
    for (size_t i = 0; i < COUNT(cases); i++) {
        result r = {0};
        gp_err err = {0};
        want_ok(result_init(&r, STRINGS, NULL));
        result_host_id(&r, "h", "");
        result_iface_id(&r, "e");
        if (wire_batch_encode(e, &r, &cases[i].row, 1, collect, &s, &err) != GP_EINVAL)
            fail_msg("%s: accepted", cases[i].what);
        result_clear(&r);
    }
    assert_int_equal(s.n, 0);
    wire_enc_free(e);
}

/* Every cut, every flipped bit of an uncompressed batch: an error or valid rows, never more. */
static void test_damage(void **state)
{
    (void)state;
    test_rng g = test_rng_new(11);
    result in = {0};
    struct sink s = {0};
    wire_enc *e = NULL;
    wire_dec *d = NULL;
    fill(&in, &g, WORST, 20, 3, 2);
    want_ok(wire_enc_new(&e, NULL));
    want_ok(wire_dec_new(&d, NULL));
    want_ok(wire_batch_encode(e, &in, in.rows, in.n_rows, collect, &s, NULL));
    gp_buf raw = {0},
           *b = &raw; /* the same batch uncompressed, so that damage reaches the columns */
    const gp_buf *whole = &s.bytes[0];
    uint8_t *p = gp_buf_reserve(b, WIRE_BATCH_RAW);
    assert_non_null(p);
    memcpy(p, whole->data, HEAD);
    size_t n_raw = gp_le32(p + 4), n_bits = gp_le32(p + 8), z = whole->len - HEAD - n_bits;
    assert_true(n_bits > 0);
    if (p[1] == 1)
        assert_int_equal(ZSTD_decompress(p + HEAD, n_raw, whole->data + HEAD, z), n_raw);
    else
        memcpy(p + HEAD, whole->data + HEAD, z);
    memcpy(p + HEAD + n_raw, whole->data + HEAD + z, n_bits);
    b->len = HEAD + n_raw + n_bits;
    p[1] = 0;
    result same_rows = {0};
    want_ok(result_init(&same_rows, STRINGS, NULL));
    want_ok(wire_batch_decode(d, b->data, b->len, NULL, NULL, &same_rows, NULL));
    same("uncompressed", &in, &same_rows);
    result_clear(&same_rows);
    for (size_t len = 0; len < b->len; len++) {
        result out = {0};
        want_ok(result_init(&out, STRINGS, NULL));
        want_status(GP_ECORRUPT, wire_batch_decode(d, b->data, len, NULL, NULL, &out, NULL));
        assert_int_equal(out.n_rows, 0);
        result_clear(&out);
    }
    for (size_t bit = 0; bit < b->len * 8; bit++) {
        result out = {0};
        b->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        want_ok(result_init(&out, STRINGS, NULL));
        gp_status st = wire_batch_decode(d, b->data, b->len, NULL, NULL, &out, NULL);
        if (st != GP_OK && st != GP_ECORRUPT && !(st == GP_EUNSUPPORTED && bit < 8))
            fail_msg("bit %zu: %s", bit, gp_status_name(st));
        for (size_t i = 0; i < out.n_rows; i++)
            assert_true(out.rows[i].host < out.n_hosts && out.rows[i].iface < out.n_names);
        result_clear(&out);
        b->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    gp_buf_free(b);
    sink_free(&s);
    result_clear(&in);
    wire_enc_free(e);
    wire_dec_free(d);
}

static void test_bad_heads(void **state)
{
    (void)state;
    /* version, codec, 0, 0, raw_len, bits_len, then rows, family, columns, hosts, ifaces; then the
     * two empty labels of the host, that of the interface, a symbol for each counter */
    static const struct {
        const char *what;
        size_t len;
        uint8_t bytes[40];
    } cases[] = {
        {"version 1", 20, {1, 0, 0, 0, 8}},
        {"version 3", 20, {3, 0, 0, 0, 8}},
        {"codec 2", 20, {2, 2, 0, 0, 8}},
        {"reserved byte", 20, {2, 0, 1, 0, 8}},
        {"huge raw length", 20, {2, 1, 0, 0, 255, 255, 255, 255}},
        {"more bits than bytes", 20, {2, 0, 0, 0, 8, 0, 0, 0, 9}},
        {"huge length of bits", 20, {2, 0, 0, 0, 8, 0, 0, 0, 255, 255, 255, 255}},
        {"no rows", 20, {2, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0}},
        {"too many rows", 20, {2, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 32, 0, 0, 1, 0, 1, 0}},
        {"family 5", 20, {2, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 5, 8, 1, 0, 1, 0}},
        {"no address", 20, {2, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 4, 0, 1, 0, 1, 0}},
        {"unknown column", 20, {2, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 128, 1, 0, 1, 0}},
        {"no host", 20, {2, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0}},
        {"too many hosts", 20, {2, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 0, 1, 0}},
        {"no dictionary", 20, {2, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0}},
        {"not zstd", 20, {2, 1, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}},
        {"symbol 242", 27, {2, 0, 0, 0, 15, 0, 0, 0, 0, 0, 0, 0, 1,  0,
                            0, 0, 1, 0, 1,  0, 0, 0, 0, 0, 0, 0, 242}},
        {"no bits for a number", 27, {2, 0, 0, 0, 15, 0, 0, 0, 0, 0, 0, 0, 1,  0,
                                      0, 0, 1, 0, 1,  0, 0, 0, 0, 0, 0, 0, 128}},
        {"a byte of bits too many", 28, {2, 0, 0, 0, 15, 0, 0, 0, 1, 0, 0, 0, 1, 0,
                                         0, 0, 1, 0, 1,  0, 0, 0, 0, 0, 0, 0, 7}},
        {"bits that fill up are set", 28, {2, 0, 0, 0, 15, 0, 0, 0, 1, 0, 0, 0, 1,   0,
                                           0, 0, 1, 0, 1,  0, 0, 0, 0, 0, 0, 0, 128, 128}},
    };
    wire_dec *d = NULL;
    want_ok(wire_dec_new(&d, NULL));
    for (size_t i = 0; i < COUNT(cases); i++) {
        result r = {0};
        want_ok(result_init(&r, STRINGS, NULL));
        gp_status want = strncmp(cases[i].what, "version", 7) ? GP_ECORRUPT : GP_EUNSUPPORTED;
        if (wire_batch_decode(d, cases[i].bytes, cases[i].len, NULL, NULL, &r, NULL) != want)
            fail_msg("%s: accepted, or for another reason", cases[i].what);
        result_clear(&r);
    }
    wire_dec_free(d);
}

/* A few kilobytes that would become 64 MiB, whatever the head says of their size. */
static void test_bomb(void **state)
{
    (void)state;
    enum { ZEROS = 64 << 20 };
    static const struct {
        const char *what;
        uint32_t raw_len;
    } cases[] = {
        {"said to be small", 8},
        {"said to be as large as may be", WIRE_BATCH_RAW},
        {"said to be larger", WIRE_BATCH_RAW + 1},
        {"said to be what it is", ZEROS},
        {"longest", UINT32_MAX},
    };
    size_t cap = HEAD + ZSTD_compressBound(ZEROS);
    uint8_t *zeros = gp_calloc(ZEROS, 1), *bomb = gp_calloc(cap, 1);
    wire_dec *d = NULL;
    assert_true(zeros && bomb);
    size_t n = ZSTD_compress(bomb + HEAD, cap - HEAD, zeros, ZEROS, 19);
    assert_false(ZSTD_isError(n));
    assert_true(n < 16384);
    bomb[0] = 2; /* version */
    bomb[1] = 1; /* zstd */
    want_ok(wire_dec_new(&d, NULL));
    for (size_t i = 0; i < COUNT(cases); i++) {
        result r = {0};
        want_ok(result_init(&r, STRINGS, NULL));
        gp_put_le32(bomb + 4, cases[i].raw_len);
        if (wire_batch_decode(d, bomb, HEAD + n, NULL, NULL, &r, NULL) != GP_ECORRUPT || r.n_rows)
            fail_msg("%s: accepted", cases[i].what);
        result_clear(&r);
    }
    wire_dec_free(d);
    gp_free(zeros);
    gp_free(bomb);
}

/* The bytes of a version never change: an older agent's batch must decode for ever. */
static void test_golden(void **state)
{
    (void)state;
    static const uint8_t golden[] = {
        2,   0,   0,    0,    38,  0,   0, 0, /* head: 38 raw bytes, not compressed, */
        5,   0,   0,    0,                    /* 5 bytes of bits */
        2,   0,   4,    0x78, 1,   0,   1, 0, /* 2 rows, IPv4, sip dip dport proto */
        1,   'a', 1,    'b',  1,   'e',       /* host a, id b, interface e */
        168, 1,                               /* sip 10.0.0.1: bits 27 and 26 are 1 0; then + 1 */
        192, 0,   2,    1,    192, 0,   2, 2, /* dip */
        1,   0,   0xbb, 53,                   /* dport 443, 53 */
        6,   17,                              /* proto */
        7,   130,                             /* bytes rcvd 7, 300: bits 8 and 7 are 1 0 */
        0,   0,                               /* bytes sent 0, 0 */
        1,   2,                               /* packets rcvd 1, 2 */
        0,   3,                               /* packets sent 0, 3 */
        1,   0,   0,    0xb2, 0};             /* 26 bits of 10.0.0.1, 7 of 300, 7 zeros */
    wire_dec *d = NULL;
    result r = {0};
    gp_err err = {0};
    want_ok(wire_dec_new(&d, NULL));
    want_ok(result_init(&r, STRINGS, NULL));
    want_ok_err(&err, wire_batch_decode(d, golden, sizeof golden, NULL, NULL, &r, &err));
    assert_int_equal(r.n_rows, 2);
    const result_row *x = &r.rows[1];
    assert_memory_equal(x->sip, "\x0a\0\0\2", 4);
    assert_memory_equal(x->dip, "\xc0\0\2\2", 4);
    assert_int_equal(x->dport, 53);
    assert_int_equal(r.rows[0].dport, 443);
    assert_int_equal(x->proto, 17);
    assert_int_equal(x->c.bytes_rcvd, 300);
    assert_int_equal(r.rows[0].c.bytes_rcvd, 7);
    assert_int_equal(x->c.pkts_rcvd, 2);
    assert_int_equal(x->c.pkts_sent, 3);
    assert_string_equal(r.hosts[x->host].id, "b");
    assert_string_equal(r.names[x->iface], "e");
    result_clear(&r);
    wire_dec_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),  cmocka_unit_test(test_host_is_overridden),
        cmocka_unit_test(test_refused_rows), cmocka_unit_test(test_damage),
        cmocka_unit_test(test_bad_heads),    cmocka_unit_test(test_golden),
        cmocka_unit_test(test_bomb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
