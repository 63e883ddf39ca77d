/* support_test.c - the test helpers of tests/support/test.h themselves. */
#include "test.h"

#include <sys/stat.h>

static void test_directory(void **state)
{
    (void)state;
    char *dir = test_tmpdir();
    char *sub = gp_asprintf("%s/a/b/c", dir);
    char *file = gp_asprintf("%s/f", sub);
    char *link = gp_asprintf("%s/link", dir);
    struct stat st;
    size_t len;

    assert_int_equal(stat(dir, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0700);
    want_ok(gp_mkdir_all(sub, 0755, NULL));
    test_spew(file, "x\0y", 3);
    char *back = test_slurp(file, &len);
    assert_int_equal(len, 3);
    assert_memory_equal(back, "x\0y", 4); /* and its NUL */

    char *other = test_tmpdir(); /* removing must not follow links out of the tree */
    char *kept = gp_asprintf("%s/kept", other);
    test_spew(kept, "k", 1);
    assert_int_equal(symlink(other, link), 0);
    test_rmtree(dir);
    assert_int_equal(stat(dir, &st), -1);
    assert_int_equal(stat(kept, &st), 0);
    test_rmtree(dir); /* twice is fine */

    test_tmpdirp(&other);
    assert_null(other);
    gp_free(kept);
    gp_free(back);
    gp_free(link);
    gp_free(file);
    gp_free(sub);
    gp_free(dir);
}

static void test_random(void **state)
{
    (void)state;
    test_rng a = {1}, b = {1}, c = {2};
    int seen[7] = {0};
    unsigned char bytes[33] = {0};

    /* xorshift64* with state 1 and 2: first numbers of the published generator */
    assert_int_equal(test_rng_u64(&a), UINT64_C(0x47E4CE4B896CDD1D));
    assert_int_equal(test_rng_u64(&b), UINT64_C(0x47E4CE4B896CDD1D));
    assert_true(test_rng_u64(&c) != UINT64_C(0x47E4CE4B896CDD1D));
    for (int i = 0; i < 1000; i++) {
        uint64_t v = test_rng_below(&a, COUNT(seen));
        assert_true(v < COUNT(seen));
        seen[v]++;
    }
    for (size_t i = 0; i < COUNT(seen); i++)
        assert_in_range(seen[i], 100, 190); /* 1000 / 7 is 143 */
    test_rng_fill(&a, bytes, sizeof bytes - 1);
    assert_int_equal(bytes[sizeof bytes - 1], 0);
    assert_true(test_rng_new(0).state != 0); /* 0 would stay 0 for ever */
}

static void test_shared(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(test_have_shared(), stat(SHARED_DIR, &st) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directory),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
