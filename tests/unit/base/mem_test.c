/* mem_test.c - overflow checks, zero sizes, alignment and string copies of gp/mem.h. */
#include "test.h"

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t n, size;
        int ok;
    } cases[] = {
        {"one byte", 1, 1, 1},
        {"nothing", 0, 8, 1},
        {"of nothing", 8, 0, 1},
        {"a block", 1000, 24, 1},
        {"product overflows", SIZE_MAX / 2 + 1, 2, 0},
        {"both huge", SIZE_MAX, SIZE_MAX, 0},
        {"above PTRDIFF_MAX", (size_t)PTRDIFF_MAX + 1, 1, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        void *p[4] = {
            gp_calloc(cases[i].n, cases[i].size),
            gp_alloc(cases[i].n, cases[i].size),
            gp_realloc(NULL, cases[i].n, cases[i].size),
            gp_alloc_aligned(cases[i].n, cases[i].size),
        };
        for (size_t f = 0; f < COUNT(p); f++) {
            if ((p[f] != NULL) != cases[i].ok)
                fail_msg("%s, function %zu: got %p", cases[i].what, f, p[f]);
            if (p[f])
                memset(p[f], 1, cases[i].n * cases[i].size); /* ASan watches the end */
            gp_free(p[f]);
        }
    }
    gp_free(NULL);
}

static void test_contents(void **state)
{
    (void)state;
    uint8_t *z = gp_calloc(64, 8);
    assert_non_null(z);
    for (size_t i = 0; i < 512; i++)
        assert_int_equal(z[i], 0);
    memset(z, 7, 512);
    uint8_t *r = gp_realloc(z, 4096, 1);
    assert_non_null(r);
    for (size_t i = 0; i < 512; i++)
        assert_int_equal(r[i], 7);
    assert_null(gp_realloc(r, SIZE_MAX, 2)); /* and r stays valid */
    assert_int_equal(r[511], 7);
    r = gp_realloc(r, 0, 1); /* not a free */
    assert_non_null(r);
    gp_free(r);
}

static void test_aligned(void **state)
{
    (void)state;
    for (size_t n = 0; n < 300; n += 7) {
        GP_CLEANUP(gp_freep) void *p = gp_alloc_aligned(n, 3);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
    }
    assert_null(gp_alloc_aligned((size_t)PTRDIFF_MAX - 10, 1)); /* rounding up would overflow */
}

static void test_strings(void **state)
{
    (void)state;
    static const struct {
        const char *what, *s;
        size_t n;
        const char *want;
    } cases[] = {
        {"whole", "abc", 99, "abc"}, {"cut", "abc", 2, "ab"},    {"none", "abc", 0, ""},
        {"empty", "", 5, ""},        {"exact", "abc", 3, "abc"}, {"stops at NUL", "a\0c", 3, "a"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        GP_CLEANUP(gp_freep) char *s = gp_strndup(cases[i].s, cases[i].n);
        assert_non_null(s);
        if (strcmp(s, cases[i].want) != 0)
            fail_msg("%s: got \"%s\", want \"%s\"", cases[i].what, s, cases[i].want);
    }
    const char unterminated[3] = {'x', 'y', 'z'};
    GP_CLEANUP(gp_freep) char *u = gp_strndup(unterminated, sizeof unterminated);
    assert_string_equal(u, "xyz");
    GP_CLEANUP(gp_freep) char *d = gp_strdup("hello");
    assert_string_equal(d, "hello");

    GP_CLEANUP(gp_freep) char *f = gp_asprintf("%s-%05d", "a", 42);
    assert_string_equal(f, "a-00042");
    GP_CLEANUP(gp_freep) char *e = gp_asprintf("%s", "");
    assert_string_equal(e, "");
    GP_CLEANUP(gp_freep) char *l = gp_asprintf("%1000d", 1);
    assert_int_equal(strlen(l), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_contents),
        cmocka_unit_test(test_aligned),
        cmocka_unit_test(test_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
