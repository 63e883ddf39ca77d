/* arena_test.c - gp/arena.h: zeroed, aligned, separate, limited; poisoned where not allocated. */
#include "test.h"

#include "gp/arena.h"

#if defined(__SANITIZE_ADDRESS__)
#define TEST_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TEST_ASAN 1
#endif
#endif
#ifdef TEST_ASAN
#include <sanitizer/asan_interface.h>
#endif

static void test_many(void **state)
{
    (void)state;
    enum { N = 5000 };
    static struct {
        uint8_t *p;
        size_t n;
    } got[N];
    test_rng rng = test_rng_new(1);
    gp_arena *a = gp_arena_new((size_t)1 << 30);

    assert_non_null(a);
    for (size_t i = 0; i < N; i++) {
        /* mostly small, some larger than a chunk */
        size_t n = test_rng_below(&rng, i % 100 == 99 ? 3000000 : 200);
        uint8_t *p = gp_arena_alloc(a, n, 1);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t k = 0; k < n; k += k < 256 ? 1 : 4093)
            assert_int_equal(p[k], 0);
        memset(p, (int)(i % 255 + 1), n);
        got[i].p = p;
        got[i].n = n;
    }
    for (size_t i = 0; i < N; i++) /* nobody wrote into another's bytes */
        for (size_t k = 0; k < got[i].n; k += k < 256 ? 1 : 4093)
            assert_int_equal(got[i].p[k], i % 255 + 1);
    gp_arena_free(a);
    gp_arena_free(NULL);
}

static void test_limit(void **state)
{
    (void)state;
    gp_arena *a = gp_arena_new(100);

    assert_non_null(gp_arena_alloc(a, 3, 16)); /* 48 of 100 */
    assert_false(gp_arena_full(a));
    assert_null(gp_arena_alloc(a, 1, 60)); /* 64 more would be 112 */
    assert_true(gp_arena_full(a));
    assert_non_null(gp_arena_alloc(a, 1, 33));       /* 48 more: 96; a refusal costs nothing */
    assert_null(gp_arena_alloc(a, 1, 1));            /* 16 more would be 112 */
    assert_non_null(gp_arena_alloc(a, 0, 8));        /* nothing always fits, and is not NULL */
    assert_null(gp_arena_alloc(a, SIZE_MAX, 2));     /* overflows */
    assert_null(gp_arena_alloc(a, SIZE_MAX - 3, 1)); /* rounding up overflows */
    gp_arena_free(a);

    a = gp_arena_new(0);
    assert_null(gp_arena_alloc(a, 1, 1));
    gp_arena_free(a);
}

/* A big allocation must not waste the rest of the chunk that small ones are filling. */
static void test_big_between_small(void **state)
{
    (void)state;
    gp_arena *a = gp_arena_new((size_t)1 << 30);
    uint8_t *first = gp_arena_alloc(a, 1, 16);
    uint8_t *big = gp_arena_alloc(a, 1, (size_t)8 << 20);
    uint8_t *second = gp_arena_alloc(a, 1, 16);

    assert_non_null(big);
    assert_in_range((uintptr_t)second, (uintptr_t)first + 16, (uintptr_t)first + 64);
    gp_arena_free(a);
}

static void test_poison(void **state)
{
    (void)state;
#ifdef TEST_ASAN
    gp_arena *a = gp_arena_new(100000);
    char *p = gp_arena_alloc(a, 1, 20);
    char *q = gp_arena_alloc(a, 1, 20);

    for (int i = 0; i < 20; i++)
        assert_int_equal(__asan_address_is_poisoned(p + i), 0);
    for (int i = 20; i < 32; i++) /* the rest up to 16 and the gap behind it */
        assert_int_equal(__asan_address_is_poisoned(p + i), 1);
    assert_int_equal(__asan_address_is_poisoned(q), 0);
    assert_int_equal(__asan_address_is_poisoned(q + 20), 1);
    assert_int_equal(__asan_address_is_poisoned(q + 1000), 1); /* not handed out yet */
    gp_arena_free(a);
    assert_int_equal(__asan_address_is_poisoned(p), 1);
#else
    skip_because("needs -DSANITIZE=address");
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_big_between_small),
        cmocka_unit_test(test_poison),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
