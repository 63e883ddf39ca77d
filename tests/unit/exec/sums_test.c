/* sums_test.c - sums in arrays (addresses, ports) against a plain list, and rows picked by masks.
 */
#include "direct.h"
#include "gp/bytes.h"
#include "leaves.h"
#include "sums.h"
#include "test.h"
#include "vec512.h"

enum { HOSTS = 4000, ROUNDS = 60 };

typedef struct host {
    uint64_t key, c[4], got[4];
    int used;
} host;

static uint64_t amount(test_rng *rng)
{
    switch (test_rng_below(rng, 12)) {
    case 0:
        return test_rng_u64(rng); /* wraps around */
    case 1:
        return UINT32_MAX - test_rng_below(rng, 3);
    case 2:
        return 0;
    default:
        return test_rng_below(rng, 1000);
    }
}

/* The most that is added without a look for carries: few of them fill a sum. */
static uint64_t much(test_rng *rng)
{
    return (1u << EXEC_SMALL_BITS) - 1 - test_rng_below(rng, 3);
}

static int cmp_host(const void *a, const void *b)
{
    uint64_t x = ((const host *)a)->key, y = ((const host *)b)->key;
    return (x > y) - (x < y);
}

/* Everything that went to the table is what the hosts have. */
static void check(const exec_table *t, host *h, size_t n)
{
    qsort(h, n, sizeof *h, cmp_host);
    for (unsigned i = 0; i < t->n_parts; i++)
        for (uint32_t j = 0; j < t->part[i].n; j++) {
            const uint64_t *e = exec_entry(t, &t->part[i], j);
            host *x = bsearch(&(host){.key = e[0]}, h, n, sizeof *h, cmp_host);
            assert_non_null(x);
            assert_true(x->used);
            exec_entry_counters(t, &t->part[i], j, e, x->got);
            assert_memory_equal(x->got, x->c, sizeof x->c);
            x->used = 0;
        }
    for (size_t i = 0; i < n; i++)
        assert_false(h[i].used);
}

typedef struct sink {
    exec_mem mem;
    exec_slabs slabs;
    exec_table t;
    exec_feed feed;
} sink;

static void sink_open(sink *s, uint64_t bytes)
{
    static const uint64_t seed[EXEC_KW_MAX] = {5, 6};

    exec_mem_init(&s->mem, bytes, 0);
    want_ok(exec_slabs_init(&s->slabs, &s->mem, NULL));
    want_ok(exec_table_init(&s->t, 1, EXEC_PARTS, &s->mem, &s->slabs, seed, NULL));
    want_ok(exec_feed_init(&s->feed, &s->t, NULL));
}

static void sink_check(sink *s, host *h, size_t n)
{
    want_ok(exec_feed_flush(&s->feed, NULL));
    check(&s->t, h, n);
    exec_feed_free(&s->feed);
    exec_table_free(&s->t);
    exec_slabs_free(&s->slabs);
    assert_int_equal(atomic_load(&s->mem.used), 0);
}

/* Networks full of hosts, then hosts all over: pages are used, run out and are given up. */
static void test_leaves(void **state)
{
    (void)state;
    test_rng rng = test_rng_new(7);
    exec_vec *v = gp_calloc(1, sizeof *v);
    host *h = gp_calloc(HOSTS, sizeof *h);
    assert_true(v && h);

    for (unsigned way = 0; way < 4; way++) { /* way 3: no memory for pages */
        sink s;
        exec_leaves l;
        sink_open(&s, 64 << 20);
        exec_leaves_init(&l, &s.mem);
        if (way == 3) {
            size_t most = (64 << 20) - (1 << 16) - (size_t)atomic_load(&s.mem.used);
            want_ok(exec_mem_take(&s.mem, most, NULL));
            v->n = 1;
            v->has_high = 0;
            exec_leaves_add(&l, v);
            assert_int_equal(v->n, 1);
            exec_mem_give(&s.mem, most);
        }
        memset(h, 0, HOSTS * sizeof *h);
        for (uint32_t i = 0; i < HOSTS; i++)
            h[i].key = (uint64_t)(way % 2 ? i * UINT32_C(0x9e3779b1) : 0x0a110000 + i * 3) << 32;
        for (unsigned r = 0; r < ROUNDS; r++) {
            v->n = 1 + test_rng_below(&rng, EXEC_VEC);
            v->has_high = 0;
            for (size_t i = 0; i < v->n; i++) {
                unsigned mode = r % 3;
                host *x = &h[test_rng_below(&rng, mode == 2 ? 1 + r % 5 : HOSTS)];
                uint64_t add[4];
                x->used = 1;
                v->k[0][i] = x->key;
                for (unsigned c = 0; c < 4; c++)
                    x->c[c] += add[c] = mode == 2   ? much(&rng)
                                        : mode == 1 ? amount(&rng)
                                                    : test_rng_below(&rng, 9);
                exec_vec_set(v, i, add);
            }
            exec_leaves_add(&l, v);
            if (way == 0 && r == 0)
                assert_true(v->n < EXEC_VEC / 4); /* only those without packets */
            want_ok(exec_feed_add(&s.feed, v, NULL));
            if (r == ROUNDS / 2)
                want_ok(exec_leaves_flush(&l, v, &s.feed, NULL));
        }
        want_ok(exec_leaves_flush(&l, v, &s.feed, NULL));
        exec_leaves_free(&l);
        sink_check(&s, h, HOSTS);
    }
    gp_free(h);
    gp_free(v);
}

/* Ports and protocols: all kinds of keys, hot ones first where the processor can. */
static void test_direct(void **state)
{
    (void)state;
    enum { PAIRS = 600, ROWS = EXEC_VEC };
    test_rng rng = test_rng_new(8);
    exec_vec *v = gp_calloc(1, sizeof *v);
    host *h = gp_calloc(PAIRS, sizeof *h);
    uint8_t *dport = gp_calloc(ROWS, 2), *proto = gp_calloc(ROWS, 1);
    uint64_t *value[4];
    unsigned helped = 0;
    assert_true(v && h && dport && proto);
    for (unsigned j = 0; j < 4; j++)
        assert_non_null(value[j] = gp_calloc(ROWS, sizeof *value[j]));

    exec_vec_init(v);
    for (unsigned r = 0; r < 2 * ROUNDS; r++) {
        sink s;
        exec_direct d;
        unsigned attrs = 1 + r % 3;
        const exec_plan plan = {.key_attrs = (attrs & 1 ? 1u << QUERY_DPORT : 0) |
                                             (attrs & 2 ? 1u << QUERY_PROTO : 0)};
        sink_open(&s, 64 << 20);
        exec_direct_init(&d, &plan, &s.mem);
        memset(h, 0, PAIRS * sizeof *h);
        for (unsigned i = 0; i < PAIRS; i++) /* 20 protocols: more than there are planes */
            h[i].key = attrs == 3   ? (uint64_t)(i / 20) << 48 | (uint64_t)(i % 20) << 40
                       : attrs == 1 ? (uint64_t)i << 48
                                    : (uint64_t)(i % 256) << 56;
        size_t n = 1 + test_rng_below(&rng, ROWS), used = attrs == 2 ? 256 : PAIRS;
        for (size_t i = 0; i < n; i++) { /* half of the rows have two keys */
            host *x = &h[test_rng_below(&rng, test_rng_below(&rng, 2) ? 2 : (unsigned)used)];
            x->used = 1;
            gp_put_be16(dport + 2 * i, (uint16_t)(x->key >> 48));
            proto[i] = (uint8_t)(x->key >> (attrs == 3 ? 40 : 56));
            for (unsigned j = 0; j < 4; j++)
                x->c[j] += value[j][i] = r % 5 == 4 ? much(&rng) : amount(&rng);
        }
        const exec_cols cols = {.dport = dport, .proto = proto};
        exec_counter cnt[4];
        uint32_t sel[ROWS + EXEC_VEC_ROOM];
        size_t left = n;
        for (unsigned j = 0; j < 4; j++)
            cnt[j] = (exec_counter){(const uint8_t *)value[j], 8};
        for (uint32_t i = 0; i < n; i++)
            sel[i] = i;
#ifdef EXEC_VEC512
        if (v->wide && r % 2) {
            uint64_t bits[ROWS / 64];
            uint8_t *ones = gp_calloc(ROWS, 1);
            assert_non_null(ones);
            memset(ones, 1, n);
            exec_v512_bits(ones, n, bits);
            gp_free(ones);
            want_ok(exec_direct_hot(&d, &cols, cnt, 0, n, bits, v, &s.feed, NULL));
            left = exec_v512_list(bits, n, 0, sel);
            helped += left < n;
        }
#endif
        exec_vec_counters(v, cnt, sel, 0, left, 0, EXEC_FOLD_NO);
        want_ok(exec_direct_add(&d, &cols, sel, 0, left, v, &s.feed, NULL));
        want_ok(exec_direct_flush(&d, v, &s.feed, NULL));
        exec_direct_free(&d);
        sink_check(&s, h, used);
    }
    assert_true(!v->wide || helped > ROUNDS * 3 / 4);
    for (unsigned j = 0; j < 4; j++)
        gp_free(value[j]);
    gp_free(dport);
    gp_free(proto);
    gp_free(h);
    gp_free(v);
}

/* Masks of all lengths, counters of all widths. */
static void test_masks(void **state)
{
    (void)state;
#ifdef EXEC_VEC512
    test_rng rng = test_rng_new(9);
    if (!exec_v512_ok())
        skip();
    for (unsigned n = 1; n <= 400; n++) {
        unsigned width = 1 + n % 8;
        uint64_t bits[EXEC_VEC / 64], equal[EXEC_VEC / 64], sum = 0;
        uint32_t list[400 + EXEC_VEC_ROOM];
        uint8_t *mask = gp_calloc(n, 1), *dport = gp_calloc(n, 2), *proto = gp_calloc(n, 1);
        uint8_t *raw = gp_calloc((size_t)n * width + 8, 1); /* 8 for gp_le64() below */
        size_t m = 0, want = 0, hits = 0;
        assert_true(mask && dport && proto && raw);
        test_rng_fill(&rng, raw, (size_t)n * width);
        for (unsigned i = 0; i < n; i++) {
            mask[i] = test_rng_below(&rng, 3) != 0;
            gp_put_be16(dport + 2 * (size_t)i, (uint16_t)(256 + test_rng_below(&rng, 2)));
            proto[i] = (uint8_t)test_rng_below(&rng, 2);
        }
        exec_v512_bits(mask, n, bits);
        m = exec_v512_list(bits, n, 7, list);
        size_t e =
            exec_v512_equal(bits, n, n % 3 ? dport : NULL, 257, n % 5 ? proto : NULL, 1, equal);
        for (unsigned i = 0; i < n; i++) {
            int hit = mask[i] && (n % 3 == 0 || dport[2 * (size_t)i + 1] == 1) &&
                      (n % 5 == 0 || proto[i] == 1);
            if (mask[i])
                assert_int_equal(list[want++], 7 + i);
            assert_int_equal(equal[i / 64] >> i % 64 & 1, hit);
            hits += (size_t)hit;
            uint64_t all = width == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * width) - 1;
            if (mask[i])
                sum += gp_le64(raw + (size_t)i * width) & all;
        }
        assert_int_equal(m, want);
        assert_int_equal(e, hits);
        assert_true(exec_v512_sum(&(exec_counter){raw, width}, n, bits) == sum);
        gp_free(mask);
        gp_free(dport);
        gp_free(proto);
        gp_free(raw);
    }
#else
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaves),
        cmocka_unit_test(test_direct),
        cmocka_unit_test(test_masks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
