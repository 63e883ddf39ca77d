/* err_test.c - texts of gp_fail() and gp_fail_context(): shape, cutting, foreign characters. */
#include "test.h"

static void test_fail(void **state)
{
    (void)state;
    gp_err err = {0};

    assert_int_equal(gp_fail(&err, GP_ECORRUPT, 0, "%s: %d blocks", "f", 3), GP_ECORRUPT);
    assert_int_equal(err.code, GP_ECORRUPT);
    assert_int_equal(err.sys, 0);
    assert_string_equal(err.msg, "f: 3 blocks");

    assert_int_equal(gp_fail(&err, GP_EIO, ENOENT, "cannot open %s", "f"), GP_EIO);
    assert_int_equal(err.sys, ENOENT);
    assert_string_equal(err.msg, "cannot open f: No such file or directory");
    (void)gp_fail(&err, GP_EIO, 99999, "x");
    assert_string_equal(err.msg, "x: error 99999");

    assert_int_equal(gp_fail(NULL, GP_ELIMIT, ENOENT, "%s", "x"), GP_ELIMIT);

    (void)gp_fail(&err, GP_EINVAL, 0, "inner");
    (void)gp_fail(&err, GP_EINVAL, 0, "outer: %s", err.msg); /* its own text as argument */
    assert_string_equal(err.msg, "outer: inner");
}

static void test_shortage(void **state)
{
    (void)state;
    static const struct {
        gp_status code;
        int sys, want;
    } cases[] = {{GP_EIO, EMFILE, 1}, {GP_EIO, ENFILE, 1}, {GP_EIO, ENOMEM, 1}, {GP_ENOMEM, 0, 1},
                 {GP_EIO, EIO, 0},    {GP_EIO, ENOENT, 0}, {GP_ECORRUPT, 0, 0}};

    for (size_t i = 0; i < COUNT(cases); i++) {
        gp_err err = {0};
        (void)gp_fail(&err, cases[i].code, cases[i].sys, "x");
        assert_int_equal(gp_err_shortage(&err), cases[i].want);
    }
}

static void test_one_line(void **state)
{
    (void)state;
    gp_err err = {0};

    (void)gp_fail(&err, GP_EINVAL, 0, "name \"%s\"", "a\nb\x1B[31m\tc\x7F\r");
    assert_string_equal(err.msg, "name \"a b [31m c  \"");
    (void)gp_fail(&err, GP_EINVAL, 0, "%s", "Z\xC3\xBCrich"); /* UTF-8 stays */
    assert_string_equal(err.msg, "Z\xC3\xBCrich");
}

static void test_cut(void **state)
{
    (void)state;
    gp_err err = {0};
    char longtext[600];
    memset(longtext, 'x', sizeof longtext - 1);
    longtext[sizeof longtext - 1] = '\0';

    (void)gp_fail(&err, GP_EINVAL, 0, "%s", longtext);
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
    (void)gp_fail(&err, GP_EIO, EACCES, "%s", longtext); /* the cause stays readable */
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
    assert_non_null(strstr(err.msg, "xx: Permission denied"));

    /* never half a character: 'ü' at every position around the cut */
    for (size_t lead = 240; lead < 260; lead++) {
        memset(longtext, 'x', lead);
        for (size_t i = lead; i + 2 < sizeof longtext; i += 2)
            memcpy(longtext + i, "\xC3\xBC", 2);
        (void)gp_fail(&err, GP_EINVAL, 0, "%s", longtext);
        size_t n = strlen(err.msg);
        assert_in_range(n, sizeof err.msg - 2, sizeof err.msg - 1);
        if (n > lead && (n - lead) % 2 != 0)
            fail_msg("lead %zu: cut in the middle of a character", lead);
    }
}

static void test_context(void **state)
{
    (void)state;
    gp_err err = {0};

    (void)gp_fail(&err, GP_EIO, EIO, "read failed");
    assert_int_equal(gp_fail_context(&err, GP_EIO, "%s", "eth0/2023"), GP_EIO);
    assert_string_equal(err.msg, "eth0/2023: read failed: Input/output error");
    assert_int_equal(err.sys, EIO);
    assert_int_equal(gp_fail_context(&err, GP_EUNAVAILABLE, "host a"), GP_EUNAVAILABLE);
    assert_int_equal(err.code, GP_EUNAVAILABLE);
    assert_string_equal(err.msg, "host a: eth0/2023: read failed: Input/output error");

    assert_int_equal(gp_fail_context(NULL, GP_ENOMEM, "x"), GP_ENOMEM);

    gp_err empty = {0};
    assert_int_equal(gp_fail_context(&empty, GP_ENOMEM, "query"), GP_ENOMEM);
    assert_string_equal(empty.msg, "query: out of memory");
    assert_int_equal(empty.code, GP_ENOMEM);

    char longtext[400];
    memset(longtext, 'y', sizeof longtext - 1);
    longtext[sizeof longtext - 1] = '\0';
    (void)gp_fail(&err, GP_EIO, ENOSPC, "write failed");
    (void)gp_fail_context(&err, GP_EIO, "%s", longtext); /* the context is cut, not the cause */
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
    assert_non_null(strstr(err.msg, "write failed: No space left on device"));
    (void)gp_fail(&err, GP_EIO, 0, "%s", longtext);
    (void)gp_fail_context(&err, GP_EIO, "host %s", "a"); /* a short context survives a long text */
    assert_int_equal(strncmp(err.msg, "host a: yyy", 11), 0);
}

static void test_names(void **state)
{
    (void)state;
    for (int st = GP_OK; st <= GP_EUNSUPPORTED; st++) {
        const char *name = gp_status_name((gp_status)st);
        assert_string_not_equal(name, "unknown status");
        for (int other = GP_OK; other < st; other++)
            assert_string_not_equal(name, gp_status_name((gp_status)other));
    }
    assert_string_equal(gp_status_name(GP_OK), "ok");
    assert_string_equal(gp_status_name(GP_ENOTFOUND), "not found");
    assert_string_equal(gp_status_name((gp_status)77), "unknown status");
}

static gp_status tries(gp_status first, int *reached)
{
    GP_TRY(first);
    *reached = 1;
    return GP_OK;
}

static void test_try(void **state)
{
    (void)state;
    int reached = 0;
    assert_int_equal(tries(GP_ELIMIT, &reached), GP_ELIMIT);
    assert_int_equal(reached, 0);
    assert_int_equal(tries(GP_OK, &reached), GP_OK);
    assert_int_equal(reached, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fail),     cmocka_unit_test(test_shortage),
        cmocka_unit_test(test_one_line), cmocka_unit_test(test_cut),
        cmocka_unit_test(test_context),  cmocka_unit_test(test_names),
        cmocka_unit_test(test_try),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
