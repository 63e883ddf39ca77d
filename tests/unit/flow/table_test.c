/* table_test.c - the flow table against a naive model: lookup, orientation, carry-over, bounds. */
#include "flow/csv.h"
#include "flow/table.h"
#include "test.h"

#include "gp/addr.h"

enum { SYN = 2, ACK = 16, MODEL_MAX = 4096 };

/* ---- the model: spec 2.2, 3.6 and 4.3 word by word, with linear search ---- */

typedef struct model_entry {
    capture_pkt k; /* src is the flow's source */
    uint64_t counter[4];
    int sure;
} model_entry;

typedef struct model {
    model_entry e[MODEL_MAX];
    size_t n;
    int compat;
} model;

static capture_pkt reversed(const capture_pkt *p)
{
    capture_pkt r = *p;
    memcpy(r.src, p->dst, 16);
    memcpy(r.dst, p->src, 16);
    r.sport = p->dport;
    r.dport = p->sport;
    return r;
}

static int same_key(const capture_pkt *a, const capture_pkt *b)
{
    size_t n = a->family == 6 ? 16 : 4;
    return a->family == b->family && a->proto == b->proto && a->sport == b->sport &&
           a->dport == b->dport && !memcmp(a->src, b->src, n) && !memcmp(a->dst, b->dst, n);
}

static model_entry *model_find(model *m, const capture_pkt *k)
{
    for (size_t i = 0; i < m->n; i++)
        if (same_key(&m->e[i].k, k))
            return &m->e[i];
    return NULL;
}

static void model_add(model *m, const capture_pkt *p)
{
    capture_pkt r = reversed(p);
    model_entry *e = model_find(m, p);

    if (!e)
        e = model_find(m, &r);
    if (!e) {
        unsigned c = capture_classify(p, m->compat);
        assert_true(m->n < MODEL_MAX);
        e = &m->e[m->n++];
        memset(e, 0, sizeof *e);
        e->k = c & CAPTURE_REVERSE ? r : *p;
        e->sure = (c & CAPTURE_SURE) != 0;
    }
    unsigned ev = capture_evidence(p);
    if (ev && !e->sure && !m->compat) {
        e->k = ev & CAPTURE_REVERSE ? r : *p;
        e->sure = 1;
    }
    e->counter[p->dir == CAPTURE_OUT] += p->len;
    e->counter[2 + (p->dir == CAPTURE_OUT)]++;
}

static void model_rotate(model *m)
{
    size_t keep = 0;
    for (size_t i = 0; i < m->n; i++) {
        if (m->e[i].counter[2] + m->e[i].counter[3] == 0)
            continue;
        m->e[keep] = m->e[i];
        memset(m->e[keep].counter, 0, sizeof m->e[keep].counter);
        keep++;
    }
    m->n = keep;
}

static size_t model_active(const model *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++)
        n += m->e[i].counter[2] + m->e[i].counter[3] != 0;
    return n;
}

/* ---- helpers ---- */

static capture_pkt packet(const char *src, unsigned s, const char *dst, unsigned d, unsigned proto,
                          unsigned aux)
{
    gp_addr a, b;
    assert_true(gp_addr_parse(src, strlen(src), &a) && gp_addr_parse(dst, strlen(dst), &b));
    capture_pkt p = {.len = 100,
                     .family = a.family,
                     .proto = (uint8_t)proto,
                     .aux = (uint8_t)aux,
                     .sport = (uint16_t)s,
                     .dport = (uint16_t)d};
    memcpy(p.src, a.bytes, 16);
    memcpy(p.dst, b.bytes, 16);
    return p;
}

static flow_table *new_table(size_t max, int compat)
{
    flow_table *t = NULL;
    gp_err err = {0};
    flow_table_opts o = {.max_entries = max, .compat = compat, .seed = 42};
    want_ok_err(&err, flow_table_new(&o, &t, &err));
    return t;
}

static flow_bank *rotate(flow_table *t)
{
    flow_bank *fresh = NULL, *retired;
    gp_err err = {0};
    want_ok_err(&err, flow_bank_new(0, FLOW_ENTRIES_DEFAULT, &fresh, &err));
    flow_bank *done = flow_table_rotate(t, fresh, &retired);
    flow_bank_unref(retired);
    return done;
}

/* A random packet of a small world, so that 5-tuples repeat and meet in both directions. */
static capture_pkt random_packet(test_rng *r)
{
    static const uint8_t protos[] = {6, 6, 17, 17, 1, 58, 50};
    static const uint16_t ports[] = {0, 22, 53, 80, 123, 5000, 40000, 50000};
    static const uint8_t flags[] = {SYN, SYN | ACK, ACK, ACK, ACK, 4};
    capture_pkt p = {.len = 60 + (uint32_t)test_rng_below(r, 1000)};

    p.family = test_rng_below(r, 3) ? 4 : 6;
    p.proto = protos[test_rng_below(r, COUNT(protos))];
    p.dir = (uint8_t)test_rng_below(r, 2);
    p.src[3] = (uint8_t)test_rng_below(r, 6);
    p.dst[3] = (uint8_t)test_rng_below(r, 6);
    if (p.family == 6) {
        p.src[15] = (uint8_t)test_rng_below(r, 2);
        p.dst[15] = (uint8_t)test_rng_below(r, 2);
    }
    if (p.proto == 6 || p.proto == 17) {
        p.sport = ports[test_rng_below(r, COUNT(ports))];
        p.dport = ports[test_rng_below(r, COUNT(ports))];
        p.aux = p.proto == 6 ? flags[test_rng_below(r, COUNT(flags))] : 0;
    } else {
        p.aux = (uint8_t)test_rng_below(r, 15);
    }
    return p;
}

static void want_same(const flow_bank *b, model *m, unsigned round)
{
    size_t n = flow_bank_count(b);

    if (n != model_active(m))
        fail_msg("round %u: %zu entries, want %zu", round, n, model_active(m));
    for (size_t i = 0; i < n; i++) {
        flow_row row;
        flow_bank_row(b, i, &row);
        capture_pkt k = {
            .family = row.family, .proto = row.proto, .sport = row.sport, .dport = row.dport};
        memcpy(k.src, row.src, 16);
        memcpy(k.dst, row.dst, 16);
        const model_entry *e = model_find(m, &k);
        int self = row.sport == row.dport && !memcmp(row.src, row.dst, 16);
        if (!e)
            fail_msg("round %u: entry %zu (proto %u, %u -> %u) not in the model", round, i,
                     row.proto, row.sport, row.dport);
        if (memcmp(e->counter, row.counter, sizeof row.counter) || (!self && e->sure != row.sure))
            fail_msg("round %u: entry %zu differs", round, i);
    }
}

/* ---- tests ---- */

/* Random packets over rotations, some of them with nothing in between; default and compat. */
static void test_against_model(void **state)
{
    (void)state;
    size_t rounds = test_rounds(200);

    for (int compat = 0; compat < 2; compat++) {
        test_rng r = test_rng_new(7 + (uint64_t)compat);
        model *m = gp_calloc(1, sizeof *m);
        flow_table *t = new_table(0, compat);
        assert_non_null(m);
        m->compat = compat;
        for (unsigned round = 0; round < rounds; round++) {
            capture_pkt p[700];
            size_t n = test_rng_below(&r, 4) ? test_rng_below(&r, COUNT(p)) : 0;
            for (size_t i = 0; i < n; i++) {
                p[i] = random_packet(&r);
                model_add(m, &p[i]);
            }
            flow_table_add(t, p, n);
            flow_bank *done = rotate(t);
            want_same(done, m, round);
            flow_bank_unref(done);
            model_rotate(m);
        }
        assert_int_equal(flow_table_lost(t), 0);
        flow_table_free(t);
        gp_free(m);
    }
}

/* Spec 4.3: an entry keeps its orientation while it has a packet per interval. */
static void test_carry_over(void **state)
{
    (void)state;
    flow_table *t = new_table(0, 0);
    capture_pkt syn = packet("10.0.0.1", 21000, "10.0.0.2", 60000, 6, SYN);
    capture_pkt mid = packet("10.0.0.1", 21000, "10.0.0.2", 60000, 6, ACK); /* ports mislead */
    static const struct {
        const char *what;
        int packet;     /* 0 none, 1 SYN, 2 mid-stream */
        unsigned dport; /* of the stored flow; 0 = none */
    } cases[] = {
        {"opened by SYN", 1, 60000},
        {"kept", 2, 60000},
        {"kept again", 2, 60000},
        {"pause of one interval", 0, 0},
        {"forgotten: ports decide", 2, 21000},
        {"kept wrong", 2, 21000},
        {"corrected by a SYN (3.6)", 1, 60000},
        {"and that is kept", 2, 60000},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (cases[i].packet)
            flow_table_add(t, cases[i].packet == 1 ? &syn : &mid, 1);
        flow_bank *b = rotate(t);
        flow_row row = {0};
        if (flow_bank_count(b))
            flow_bank_row(b, 0, &row);
        if (flow_bank_count(b) != (cases[i].packet != 0) || row.dport != cases[i].dport)
            fail_msg("%s: %zu entries, port %u", cases[i].what, flow_bank_count(b), row.dport);
        flow_bank_unref(b);
    }
    flow_table_free(t);
}

/* The example of spec 2.5. */
static void test_example(void **state)
{
    (void)state;
    flow_table *t = new_table(0, 0);
    capture_pkt p[3] = {
        packet("10.0.0.5", 0, "192.0.2.7", 443, 6, SYN),
        packet("192.0.2.7", 443, "10.0.0.5", 0, 6, SYN | ACK),
        packet("10.0.0.5", 0, "192.0.2.7", 443, 6, SYN),
    };
    static const uint64_t want[4] = {74, 148, 1, 2};
    for (int i = 0; i < 3; i++) {
        p[i].len = 74;
        p[i].dir = i != 1;
    }
    flow_table_add(t, p, 3);
    flow_bank *b = rotate(t);
    flow_row row;
    assert_int_equal(flow_bank_count(b), 1);
    flow_bank_row(b, 0, &row);
    assert_memory_equal(row.counter, want, sizeof want);
    assert_memory_equal(row.src, "\x0a\0\0\x05", 4);
    assert_int_equal(row.dport, 443);
    uint64_t totals[4];
    flow_bank_totals(b, totals);
    assert_memory_equal(totals, want, sizeof want);
    flow_bank_unref(b);
    flow_table_free(t);
}

/* Lines of the CSV without the last column (5-tuples per flow), which the bound changes. */
static void csv_of(const flow_bank *b, gp_buf *out)
{
    gp_err err = {0};
    want_ok_err(&err, flow_csv(b, out, &err));
    size_t w = 0;
    for (size_t i = 0; i < out->len; i++) {
        size_t eol = i;
        while (eol < out->len && out->data[eol] != '\n')
            eol++;
        size_t cut = eol;
        while (cut > i && out->data[cut] != ',')
            cut--;
        memmove(out->data + w, out->data + i, cut - i);
        w += cut - i;
        out->data[w++] = '\n';
        i = eol;
    }
    out->len = w;
}

/* A scan with far more source ports than entries stores exactly the flows of an unbounded table. */
static void test_full_table_shares(void **state)
{
    (void)state;
    flow_table *small = new_table(FLOW_ENTRIES_MIN, 0), *big = new_table(0, 0);
    test_rng r = test_rng_new(3);
    gp_buf a = {0}, b = {0};

    for (unsigned i = 0; i < 60000; i++) {
        unsigned client = (unsigned)test_rng_below(&r, 5), port = 1024 + i % 20000;
        char src[32];
        (void)snprintf(src, sizeof src, client & 1 ? "10.0.0.%u" : "2001:db8::%u", client);
        capture_pkt p = packet(src, port, client & 1 ? "10.9.9.9" : "2001:db8::9", 22, 6,
                               i < 20000 ? SYN : ACK);
        if (i % 3 == 2)
            p = reversed(&p);
        if (p.aux == SYN && i % 3 == 2)
            p.aux = SYN | ACK;
        flow_table_add(small, &p, 1);
        flow_table_add(big, &p, 1);
    }
    assert_true(flow_table_full(small));
    assert_false(flow_table_full(big));
    assert_true(flow_table_shared(small) > 10000);
    assert_int_equal(flow_table_lost(small), 0);
    flow_bank *s = rotate(small), *g = rotate(big);
    assert_true(flow_bank_count(s) <= FLOW_ENTRIES_MIN + FLOW_ENTRIES_MIN / 8);
    csv_of(s, &a);
    csv_of(g, &b);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
    flow_bank_unref(s);
    flow_bank_unref(g);
    gp_buf_free(&a);
    gp_buf_free(&b);
    flow_table_free(small);
    flow_table_free(big);
}

/* When even shared entries find no room, every packet is still counted: in an entry or as lost. So
 * that processed = those in flows + lost, both count sampled packets, and no later fragments. */
static void test_overflow_is_counted(void **state)
{
    (void)state;
    enum { N = 5000, LATER = 10 };

    for (uint32_t scale = 1; scale <= 7; scale += 6) {
        const flow_table_opts o = {.max_entries = FLOW_ENTRIES_MIN, .scale = scale};
        flow_table *t = NULL;
        gp_err err = {0};
        uint64_t totals[4];
        want_ok_err(&err, flow_table_new(&o, &t, &err));
        for (unsigned i = 0; i < N + LATER; i++) {
            capture_pkt p = packet("10.0.0.1", 40000, "10.0.0.2", 22, 6, ACK);
            p.src[1] = (uint8_t)(i >> 8);
            p.src[2] = (uint8_t)i;
            p.frag = i < N ? CAPTURE_FRAG_NONE : CAPTURE_FRAG_LATER;
            flow_table_add(t, &p, 1);
        }
        flow_bank *b = rotate(t);
        flow_bank_totals(b, totals);
        assert_int_equal(flow_bank_count(b), FLOW_ENTRIES_MIN + FLOW_ENTRIES_MIN / 8);
        assert_int_equal(totals[FLOW_PKTS_IN] / scale + flow_table_lost(t), N);
        assert_int_equal(flow_table_shared(t), FLOW_ENTRIES_MIN / 8);
        assert_true(flow_table_lost(t) > 0);
        flow_bank_unref(b);
        flow_table_free(t);
    }
}

/* Many entries: the index grows several times and nothing is lost or doubled. */
static void test_growth(void **state)
{
    (void)state;
    enum { N = 100000 };
    flow_table *t = new_table(0, 0);

    for (int pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < N; i++) {
            capture_pkt p = packet("10.0.0.1", 40000, "192.0.2.1", 22, 6, ACK);
            p.src[1] = (uint8_t)(i >> 16);
            p.src[2] = (uint8_t)(i >> 8);
            p.src[3] = (uint8_t)i;
            flow_table_add(t, &p, 1);
        }
    flow_bank *b = rotate(t);
    assert_int_equal(flow_bank_count(b), N);
    for (size_t i = 0; i < N; i++) {
        flow_row row;
        flow_bank_row(b, i, &row);
        assert_int_equal(row.counter[FLOW_PKTS_IN], 2);
    }
    assert_true(flow_bank_bytes(b) > (size_t)N * 64 && flow_bank_bytes(b) < (size_t)N * 128);
    flow_bank_unref(b);
    flow_table_free(t);
}

static void test_bad_limits(void **state)
{
    (void)state;
    flow_table *t = NULL;
    gp_err err = {0};
    flow_table_opts o = {.max_entries = FLOW_ENTRIES_MIN - 1};
    want_err(GP_EINVAL, &err, "1023 entries, expected 1024 to", flow_table_new(&o, &t, &err));
    o.max_entries = (size_t)FLOW_ENTRIES_MAX + 1;
    want_err(GP_EINVAL, &err, "expected 1024 to", flow_table_new(&o, &t, &err));
    assert_null(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_carry_over),
        cmocka_unit_test(test_example),
        cmocka_unit_test(test_full_table_shares),
        cmocka_unit_test(test_overflow_is_counted),
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_bad_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
