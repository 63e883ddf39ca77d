/* packed_test.c - packed counters: the vectors of godb-format.md 3.4, widths, bounds, sums. */
#include "test.h"

#include "godb/packed.h"

#define MAX (~UINT64_C(0))

static const struct {
    const char *what;
    size_t n;
    uint64_t v[3];
    const char *hex;
} vectors[] = {
    {"no rows", 0, {0}, "01"},
    {"0", 1, {0}, "0100"},
    {"255", 1, {255}, "01ff"},
    {"256", 1, {256}, "020001"},
    {"0, 255", 2, {0, 255}, "0100ff"},
    {"1, 256", 2, {1, 256}, "0201000001"},
    {"1, 2, 3", 3, {1, 2, 3}, "01010203"},
    {"65535", 1, {65535}, "02ffff"},
    {"65536", 1, {65536}, "03000001"},
    {"2^24-1", 1, {(1u << 24) - 1}, "03ffffff"},
    {"2^24", 1, {1u << 24}, "0400000001"},
    {"2^32-1", 1, {UINT32_MAX}, "04ffffffff"},
    {"2^32", 1, {1ull << 32}, "050000000001"},
    {"2^40-1", 1, {(1ull << 40) - 1}, "05ffffffffff"},
    {"2^40", 1, {1ull << 40}, "06000000000001"},
    {"2^48-1", 1, {(1ull << 48) - 1}, "06ffffffffffff"},
    {"2^48", 1, {1ull << 48}, "0700000000000001"},
    {"2^56-1", 1, {(1ull << 56) - 1}, "07ffffffffffffff"},
    {"2^56", 1, {1ull << 56}, "080000000000000001"},
    {"2^63", 1, {1ull << 63}, "080000000000000080"},
    {"0, 2^64-1", 2, {0, MAX}, "080000000000000000ffffffffffffffff"},
};

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        gp_buf b = {0};
        char hex[64] = "";
        godb_packed_encode(vectors[i].v, vectors[i].n, &b);
        assert_false(b.failed);
        for (size_t k = 0; k < b.len; k++)
            snprintf(hex + 2 * k, 3, "%02x", b.data[k]);
        if (strcmp(hex, vectors[i].hex) != 0)
            fail_msg("%s: got %s, want %s", vectors[i].what, hex, vectors[i].hex);
        unsigned w = godb_packed_width(b.data, b.len, vectors[i].n);
        assert_int_equal(w, b.data[0]);
        for (size_t k = 0; k < vectors[i].n; k++)
            assert_true(godb_packed_get(b.data, w, k) == vectors[i].v[k]);
        gp_buf_free(&b);
    }
}

static void test_width(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint8_t raw[10];
        size_t len, n;
        unsigned want;
    } cases[] = {
        {"empty, no rows", {0}, 0, 0, 1}, {"empty, rows", {0}, 0, 1, 0},
        {"only width", {1}, 1, 0, 1},     {"only width 8", {8}, 1, 0, 8},
        {"width 0", {0}, 1, 0, 0},        {"width 9", {9}, 10, 1, 0},
        {"one of two", {2, 1}, 2, 1, 0},  {"one too many", {1, 1, 2}, 3, 1, 0},
        {"one too few", {1, 1}, 2, 2, 0}, {"huge count", {8}, 1, SIZE_MAX / 8 + 1, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned got = godb_packed_width(cases[i].raw, cases[i].len, cases[i].n);
        if (got != cases[i].want)
            fail_msg("%s: got %u, want %u", cases[i].what, got, cases[i].want);
    }
}

/* Any width, any part: decode and sum agree with the values, and no byte behind the last is read
 * (the buffer is exactly as long as the data; ASan watches). */
static void test_parts(void **state)
{
    (void)state;
    test_rng rng = test_rng_new(5);

    for (size_t round = 0; round < test_rounds(2000); round++) {
        uint64_t v[70], got[70], sum = 0;
        size_t n = 1 + (size_t)test_rng_below(&rng, 70);
        unsigned bits = (unsigned)test_rng_below(&rng, 65);
        gp_buf b = {0};
        for (size_t i = 0; i < n; i++)
            v[i] = bits == 64 ? test_rng_u64(&rng) : test_rng_u64(&rng) & ((1ull << bits) - 1);
        godb_packed_encode(v, n, &b);
        uint8_t *exact = gp_alloc(b.len, 1);
        memcpy(exact, b.data, b.len);
        unsigned w = godb_packed_width(exact, b.len, n);
        assert_true(w >= 1);
        size_t from = (size_t)test_rng_below(&rng, n + 1);
        size_t count = (size_t)test_rng_below(&rng, n - from + 1);
        godb_packed_decode(exact, w, from, count, got);
        for (size_t i = 0; i < count; i++) {
            assert_true(got[i] == v[from + i]);
            sum += got[i];
        }
        assert_true(godb_packed_sum(exact, w, from, count) == sum);
        gp_free(exact);
        gp_buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_width),
        cmocka_unit_test(test_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
