/* bank_test.c - storage of entries: growth, what is held, copies of a bank that goes on filling. */
#include "bank.h"

#include "test.h"

enum { MAX = 1 << 20 };

static flow_bank *bank(size_t expect, size_t max)
{
    flow_bank *b = NULL;
    gp_err err = {0};
    want_ok_err(&err, flow_bank_new(expect, max, &b, &err));
    return b;
}

/* Entries [from, to) of a family; the number is key, counter and (spread) tag. */
static void add(flow_bank *b, int f, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        uint64_t key[FLOW_KEY6] = {i, 1};
        flow_entry *e = flow_half_insert(&b->half[f], key, f ? FLOW_KEY6 : FLOW_KEY4,
                                         i * UINT32_C(0x9e3779b9), FLOW_SURE);
        assert_non_null(e);
        assert_int_equal(e->counter[FLOW_PKTS_OUT], 0);
        e->counter[FLOW_PKTS_OUT] = i;
    }
}

/* Each is found by its tag, as the table looks for it. */
static void want_found(const flow_half *h, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t tag = i * UINT32_C(0x9e3779b9), pos = tag & h->mask, at = UINT32_MAX;
        for (; h->index[pos] && at == UINT32_MAX; pos = (pos + 1) & h->mask)
            if (h->index[pos] >> 32 == tag)
                at = (uint32_t)h->index[pos] - 1;
        if (at >= n || flow_half_at(h, at)->key[0] != i)
            fail_msg("entry %u of %u is not found", i, n);
    }
}

static void test_growth(void **state)
{
    (void)state;
    enum { N = 20000 };
    flow_bank *b = bank(0, MAX);

    for (int f = 0; f < 2; f++) {
        uint32_t before = b->half[f].mask;
        add(b, f, 0, N);
        assert_true(b->half[f].mask > before && b->half[f].mask / 8 * 5 >= N);
        want_found(&b->half[f], N);
    }
    assert_int_equal(flow_bank_count(b), 2 * N);
    flow_bank_unref(b);
}

/* An index for as many entries as are expected, and never for more than there may be. */
static void test_expected(void **state)
{
    (void)state;
    static const struct {
        size_t expect, max;
        uint32_t slots;
    } cases[] = {
        {0, MAX, 1024},        {640, MAX, 1024},       {641, MAX, 2048},
        {100000, MAX, 262144}, {SIZE_MAX, 5000, 8192}, {MAX, 640, 1024},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        flow_bank *b = bank(cases[i].expect, cases[i].max);
        if (b->half[0].mask + 1 != cases[i].slots || b->half[1].mask + 1 > cases[i].slots)
            fail_msg("%zu of at most %zu: %u slots", cases[i].expect, cases[i].max,
                     b->half[0].mask + 1);
        flow_bank_unref(b);
    }
}

static void test_bytes(void **state)
{
    (void)state;
    flow_bank *b = bank(0, MAX);
    size_t empty = flow_bank_bytes(b);

    assert_in_range(empty, 2 * 1024 * 8, 2 * 1024 * 8 + 1024); /* two indexes */
    add(b, 0, 0, 1);
    size_t one = flow_bank_bytes(b);
    assert_in_range(one - empty, FLOW_CHUNK * FLOW_ENTRY4_BYTES,
                    FLOW_CHUNK * FLOW_ENTRY4_BYTES + 1024);
    add(b, 1, 0, 1);
    assert_in_range(flow_bank_bytes(b) - one, FLOW_CHUNK * FLOW_ENTRY6_BYTES,
                    FLOW_CHUNK * FLOW_ENTRY6_BYTES + 1024);
    flow_bank_unref(b);
}

/* Piece by piece, while more comes: what was there at the first call, each once, and no more than
 * is asked for at a time. */
static void test_copy(void **state)
{
    (void)state;
    enum { N4 = 3 * FLOW_CHUNK - 7, N6 = FLOW_CHUNK + 1 };
    static const uint32_t most[] = {1, 2, 100};

    for (size_t k = 0; k < COUNT(most); k++) {
        flow_bank *from = bank(0, MAX), *whole = NULL;
        flow_bank_cursor at = {0};
        gp_status st;
        uint32_t calls = 0, chunks = 0;
        from->by_endpoint = 1;
        add(from, 0, 0, N4);
        add(from, 1, 0, N6);
        do {
            st = flow_bank_copy_slice(from, &at, most[k], &whole);
            assert_true(st == GP_OK || st == GP_EUNAVAILABLE);
            uint32_t now = whole->half[0].n_chunks + whole->half[1].n_chunks;
            assert_true(now - chunks <= most[k]);
            chunks = now;
            if (calls++ == 0) { /* come too late */
                add(from, 0, N4, N4 + 20);
                add(from, 1, N6, N6 + 20);
            }
        } while (st == GP_EUNAVAILABLE);
        assert_int_equal(chunks, 3 + 2);
        assert_int_equal(whole->half[0].count, N4);
        assert_int_equal(whole->half[1].count, N6);
        assert_int_equal(whole->by_endpoint, 1);
        for (int f = 0; f < 2; f++)
            for (uint32_t i = 0; i < whole->half[f].count; i++) {
                const flow_entry *e = flow_half_at(&whole->half[f], i);
                if (e->key[0] != i || e->counter[FLOW_PKTS_OUT] != i || e->flags != FLOW_SURE)
                    fail_msg("family %d, entry %u", f, i);
            }
        flow_bank_unref(from);
        flow_bank_unref(whole);
    }
}

/* Appended entries are oriented as they are, whatever the memory held before. */
static void test_append(void **state)
{
    (void)state;
    flow_bank *b = flow_bank_plain(10, 0);

    assert_non_null(b);
    flow_entry *e = flow_half_append(&b->half[0]);
    assert_non_null(e);
    memset(e, 0xff, FLOW_ENTRY4_BYTES);
    b->half[0].count = 0; /* the same place again */
    e = flow_half_append(&b->half[0]);
    assert_int_equal(e->flags, 0);
    assert_int_equal(e->first_us, 0);
    assert_int_equal(flow_bank_count(b), 1);
    flow_bank_unref(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growth), cmocka_unit_test(test_expected),
        cmocka_unit_test(test_bytes),  cmocka_unit_test(test_copy),
        cmocka_unit_test(test_append),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
