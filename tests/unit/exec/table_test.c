/* table_test.c - tables against a plain list, by batches and directly: growth, wide counters, all
 * key widths. */
#include "keysort.h"
#include "table.h"
#include "test.h"

enum { KEYS = 3000, ROUNDS = 12 };

typedef struct want {
    uint64_t k[EXEC_KW_MAX], c[4];
    unsigned seen; /* in the table */
    int used;
} want;

static uint64_t amount(test_rng *rng)
{
    switch (test_rng_below(rng, 10)) {
    case 0:
        return test_rng_u64(rng); /* wraps around */
    case 1:
        return UINT32_MAX - test_rng_below(rng, 3);
    default:
        return test_rng_below(rng, 1000);
    }
}

static void check(const exec_table *t, want *w, size_t n)
{
    size_t total = 0;

    for (unsigned i = 0; i < t->n_parts; i++)
        for (uint32_t j = 0; j < t->part[i].n; j++, total++) {
            const uint64_t *e = exec_entry(t, &t->part[i], j);
            want *x = &w[e[t->kw - 1] & 0xffff]; /* the key's number is in its last word */
            uint64_t c[4];
            exec_entry_counters(t, &t->part[i], j, e, c);
            assert_memory_equal(e, x->k, t->kw * sizeof *e);
            assert_memory_equal(c, x->c, sizeof c);
            x->seen++;
        }
    for (size_t i = 0; i < n; i++)
        assert_int_equal(w[i].seen, w[i].used);
    assert_true(total > n / 2);
}

static void test_add(void **state)
{
    (void)state;
    static const uint64_t seed[EXEC_KW_MAX] = {11, 22, 33, 44, 55, 66};
    test_rng rng = test_rng_new(42);
    exec_vec *v = gp_calloc(1, sizeof *v);
    want *w = gp_calloc(KEYS, sizeof *w);
    assert_true(v && w);

    for (unsigned kw = 1; kw <= EXEC_KW_MAX; kw++)
        for (unsigned way = 0; way < 3; way++) {
            unsigned parts = way == 2 ? EXEC_PARTS : 1;
            int absorb = way == 0;
            exec_mem mem;
            exec_slabs slabs;
            exec_table t;
            exec_feed feed;
            gp_err err = {0};
            exec_mem_init(&mem, 64 << 20, 0);
            want_ok(exec_slabs_init(&slabs, &mem, &err));
            want_ok(exec_table_init(&t, kw, parts, &mem, &slabs, seed, &err));
            want_ok(exec_feed_init(&feed, &t, &err));
            memset(w, 0, KEYS * sizeof *w);
            for (unsigned i = 0; i < KEYS; i++) {
                for (unsigned k = 0; k < kw; k++)
                    w[i].k[k] = test_rng_u64(&rng) & ~UINT64_C(0xffff);
                w[i].k[kw - 1] |= i;
            }
            for (unsigned r = 0; r < ROUNDS; r++) {
                v->n = 1 + test_rng_below(&rng, EXEC_VEC);
                v->has_high = 0;
                for (size_t i = 0; i < v->n; i++) {
                    want *x = &w[test_rng_below(&rng, KEYS)];
                    x->used = 1;
                    for (unsigned k = 0; k < kw; k++)
                        v->k[k][i] = x->k[k];
                    uint64_t add[4];
                    for (unsigned c = 0; c < 4; c++)
                        x->c[c] += add[c] = amount(&rng);
                    exec_vec_set(v, i, add);
                }
                want_ok_err(&err, absorb ? exec_table_absorb(&t, v, &err)
                                         : exec_feed_add(&feed, v, &err));
            }
            want_ok_err(&err, exec_feed_flush(&feed, &err));
            check(&t, w, KEYS);
            exec_feed_free(&feed);
            exec_table_free(&t);
            exec_slabs_free(&slabs);
            assert_int_equal(atomic_load(&mem.used), 0); /* everything was given back */
        }
    gp_free(v);
    gp_free(w);
}

static void test_append_clear(void **state)
{
    (void)state;
    static const uint64_t seed[EXEC_KW_MAX] = {1};
    exec_vec *v = gp_calloc(1, sizeof *v);
    exec_mem mem;
    exec_slabs slabs;
    exec_table t;
    gp_err err = {0};

    assert_non_null(v);
    exec_mem_init(&mem, 8 << 20, 0);
    want_ok(exec_slabs_init(&slabs, &mem, &err));
    want_ok(exec_table_init(&t, 2, EXEC_PARTS, &mem, &slabs, seed, &err));
    for (unsigned round = 0; round < 3; round++) {
        v->n = 1000;
        for (size_t i = 0; i < v->n; i++) {
            v->k[0][i] = 7; /* equal keys stay apart: nothing is looked up */
            v->k[1][i] = round;
            exec_vec_set(v, i, (const uint64_t[4]){i << 31});
        }
        want_ok_err(&err, exec_table_append(&t, 5, v, &err));
    }
    assert_int_equal(t.part[5].n, 3000);
    for (uint32_t i = 0; i < 3000; i++) {
        const uint64_t *e = exec_entry(&t, &t.part[5], i);
        uint64_t c[4];
        exec_entry_counters(&t, &t.part[5], i, e, c);
        assert_int_equal(e[1], i / 1000);
        assert_true(c[0] == (uint64_t)(i % 1000) << 31);
    }
    exec_table_reset(&t);
    exec_slabs_reset(&slabs);
    assert_int_equal(t.part[5].n, 0);
    exec_table_free(&t);
    exec_slabs_free(&slabs);
    assert_int_equal(atomic_load(&mem.used), 0);
    gp_free(v);
}

static void test_limit(void **state)
{
    (void)state;
    exec_mem mem;
    void *p = NULL;
    gp_err err = {0};

    exec_mem_init(&mem, 1000 << 10, 0);
    want_ok(exec_mem_alloc(&mem, 600 << 10, &p, &err));
    void *q = NULL;
    want_err(GP_ELIMIT, &err, "needs more than 1000 KiB",
             exec_mem_alloc(&mem, 600 << 10, &q, &err));
    exec_mem_free(&mem, p, 600 << 10);
    exec_mem_init(&mem, 0, 40);
    assert_true(mem.limit > 1 << 20);
    want_err(GP_ELIMIT, &err, "40 % of physical memory", exec_mem_take(&mem, SIZE_MAX / 2, &err));
}

/* ---- keysort ---- */

typedef struct keys {
    uint64_t (*v)[3];
} keys;

static uint64_t word(const void *ctx, uint32_t ref, unsigned level)
{
    return ((const keys *)ctx)->v[ref][level];
}

static void test_keysort(void **state)
{
    (void)state;
    test_rng rng = test_rng_new(7);
    static const size_t sizes[] = {0, 1, 2, 50, 600, 5000, 40000};

    for (size_t s = 0; s < COUNT(sizes); s++)
        for (unsigned spread = 1; spread <= 64; spread *= 4) {
            size_t n = sizes[s];
            keys k = {.v = gp_calloc(n + 1, sizeof *k.v)};
            exec_item *v = gp_calloc(2 * n + 1, sizeof *v);
            assert_true(k.v && v);
            for (uint32_t i = 0; i < n; i++) {
                for (unsigned l = 0; l < 3; l++)
                    k.v[i][l] = test_rng_u64(&rng) >> (64 - (l == 2 ? 64 : spread));
                v[i] = (exec_item){k.v[i][0], i};
            }
            exec_keysort(v, v + n, n, 3, word, &k);
            for (size_t i = 1; i < n; i++) {
                const uint64_t *a = k.v[v[i - 1].ref], *b = k.v[v[i].ref];
                unsigned l = 0;
                while (l < 2 && a[l] == b[l])
                    l++;
                if (a[l] > b[l])
                    fail_msg("%zu keys of %u bits: item %zu out of order", n, spread, i);
            }
            gp_free(k.v);
            gp_free(v);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_append_clear),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_keysort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
