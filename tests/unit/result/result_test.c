/* result_test.c - tables of a result: labels, statuses, interfaces; status names; limits. */
#include "test.h"

#include "build.h"

static void test_labels(void **state)
{
    (void)state;
    result r;
    char name[32];
    want_ok(result_init(&r, SIZE_MAX, NULL));
    for (unsigned round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 5000; i++) {
            snprintf(name, sizeof name, "host-%u", i / 2);
            assert_int_equal(result_host_id(&r, name, i & 1 ? "x" : "y"), i);
            snprintf(name, sizeof name, "if%u", i);
            assert_int_equal(result_iface_id(&r, name), i);
        }
    assert_int_equal(r.n_hosts, 5000);
    assert_string_equal(r.hosts[4999].name, "host-2499");
    assert_string_equal(r.names[17], "if17");
    assert_int_equal(result_host_id(&r, NULL, NULL), 5000);
    assert_int_equal(result_host_id(&r, "", ""), 5000);
    assert_int_equal(result_host_id(&r, "ab", "c"), 5001); /* not the same as a, bc */
    assert_int_equal(result_host_id(&r, "a", "bc"), 5002);
    result_clear(&r);
    result_clear(&r); /* twice is fine */
}

static void test_sorted_tables(void **state)
{
    (void)state;
    static const char *const names[] = {"m", "a", "z", "m", "b", "a", "y", "c", "d", "e", "f", "g"};
    result r;
    want_ok(result_init(&r, SIZE_MAX, NULL));
    for (size_t i = 0; i < COUNT(names); i++) {
        want_ok(result_add_iface(&r, names[i], NULL));
        want_ok(result_add_host_status(&r, names[i], i == 3 ? RESULT_ERROR : RESULT_OK,
                                       i == 3 ? "later" : "", NULL));
    }
    assert_int_equal(r.n_ifaces, 10);
    assert_int_equal(r.n_host_statuses, 10);
    for (size_t i = 1; i < 10; i++) {
        assert_true(strcmp(r.ifaces[i - 1], r.ifaces[i]) < 0);
        assert_true(strcmp(r.host_statuses[i - 1].host, r.host_statuses[i].host) < 0);
    }
    assert_int_equal(r.host_statuses[7].code, RESULT_ERROR); /* m: the later one won */
    assert_string_equal(r.host_statuses[7].message, "later");
    result_clear(&r);
}

static void test_limit(void **state)
{
    (void)state;
    result r;
    char name[32];
    uint32_t i = 0;
    want_ok(result_init(&r, 4096, NULL));
    for (; i < 1000; i++) {
        snprintf(name, sizeof name, "host-%u", i);
        if (result_host_id(&r, name, "") == UINT32_MAX)
            break;
    }
    assert_in_range(i, 10, 200);
    want_status(GP_ENOMEM, result_reserve_rows(&r, SIZE_MAX / 8, NULL));
    result_clear(&r);
}

static void test_codes(void **state)
{
    (void)state;
    static const char *const names[RESULT_N_CODES] = {
        "ok",      "empty",       "missing data", "error",     "too many requests",
        "timeout", "unreachable", "denied",       "not found",
    };
    for (int i = 0; i < RESULT_N_CODES; i++) {
        assert_string_equal(result_code_name((result_code)i), names[i]);
        assert_int_equal(result_code_from_name(names[i]), i);
    }
    assert_int_equal(result_code_from_name("missing_data"), -1);
    assert_int_equal(result_code_from_name(NULL), -1);
}

static void test_finish(void **state)
{
    (void)state;
    result r;
    want_ok(result_init(&r, SIZE_MAX, NULL));
    result_finish_status(&r);
    assert_int_equal(r.status, RESULT_MISSING_DATA);
    assert_memory_equal(r.status_message,
                        "no data available for the specified interface(s) / time range", 61);
    r.data_available = 1;
    result_finish_status(&r);
    assert_int_equal(r.status, RESULT_EMPTY);
    assert_string_equal(r.status_message, "query returned no results");
    r.hits_total = 1;
    result_finish_status(&r);
    assert_int_equal(r.status, RESULT_OK);
    assert_string_equal(r.status_message, "");
    result_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels), cmocka_unit_test(test_sorted_tables),
        cmocka_unit_test(test_limit),  cmocka_unit_test(test_codes),
        cmocka_unit_test(test_finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
