/* duration_test.c - gp_num_duration_ns() and gp_num_duration_str() (query.md 4.5). */
#include "test.h"

#include "gp/num.h"

#define US INT64_C(1000)
#define MS (1000 * US)
#define S  (1000 * MS)
#define M  (60 * S)
#define H  (60 * M)

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        int ok;
        int64_t ns;
    } cases[] = {
        {"0", 1, 0},
        {"-0", 1, 0},
        {"+0", 1, 0},
        {"0s", 1, 0},
        {"5m", 1, 5 * M},
        {"1h30m", 1, H + 30 * M},
        {"1h0m5s", 1, H + 5 * S},
        {"1.5s", 1, 1500 * MS},
        {".5s", 1, 500 * MS},
        {"2.s", 1, 2 * S},
        {"100ns", 1, 100},
        {"3us", 1, 3 * US},
        {"3\xC2\xB5s", 1, 3 * US},
        {"3\xCE\xBCs", 1, 3 * US},
        {"250ms", 1, 250 * MS},
        {"1m1m", 1, 2 * M},
        {"5s1h", 1, H + 5 * S},
        {"-1.5h", 1, -90 * M},
        {"+1s", 1, S},
        {"007s", 1, 7 * S},
        {"1.5ns", 1, 1},
        {"0.000000001s", 1, 1},
        {"0.1h", 1, 6 * M},
        {"0.3333333333333333333333h", 1, INT64_C(1199999999999)},
        {"9223372036854775807ns", 1, INT64_MAX},
        {"-9223372036854775807ns", 1, -INT64_MAX},
        {"2562047h47m16.854775807s", 1, INT64_MAX},
        {"9223372036854775808ns", 0, 0},
        {"-9223372036854775808ns", 0, 0},
        {"2562047h47m16.854775808s", 0, 0},
        {"2562048h", 0, 0},
        {"9999999999999999999999h", 0, 0},
        {"", 0, 0},
        {"-", 0, 0},
        {"+", 0, 0},
        {"5", 0, 0},
        {"00", 0, 0},
        {"1h5", 0, 0},
        {"1d", 0, 0},
        {"s", 0, 0},
        {".s", 0, 0},
        {"1.2.3s", 0, 0},
        {"1 s", 0, 0},
        {" 1s", 0, 0},
        {"1s ", 0, 0},
        {"--1s", 0, 0},
        {"1h-5m", 0, 0},
        {"1H", 0, 0},
        {"1\xC2s", 0, 0},
        {"1\xB5s", 0, 0},
        {"1e3s", 0, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t ns = 4711;
        int ok = gp_num_duration_ns(cases[i].s, strlen(cases[i].s), &ns);
        if (ok != cases[i].ok || ns != (ok ? cases[i].ns : 4711))
            fail_msg("\"%s\": got %d, %" PRId64, cases[i].s, ok, ns);
    }
    int64_t ns;
    assert_false(gp_num_duration_ns("1s\0", 3, &ns));
    assert_false(gp_num_duration_ns("1ms", 1, &ns)); /* "1" */
    assert_true(gp_num_duration_ns("1ms", 2, &ns));  /* "1m" */
    assert_int_equal(ns, M);
}

static void test_print(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *want;
    } cases[] = {
        {0, "0s"},
        {1, "1ns"},
        {-1, "-1ns"},
        {999, "999ns"},
        {1000, "1\xC2\xB5s"},
        {1500, "1.5\xC2\xB5s"},
        {18 * MS, "18ms"},
        {18250 * US, "18.25ms"},
        {999999999, "999.999999ms"},
        {S, "1s"},
        {1235 * MS, "1.235s"},
        {1204 * MS, "1.204s"},
        {59 * S + 10 * MS, "59.01s"},
        {M, "1m0s"},
        {5 * M, "5m0s"},
        {90 * S, "1m30s"},
        {H, "1h0m0s"},
        {H + 1, "1h0m0.000000001s"},
        {12 * H + 15 * M, "12h15m0s"},
        {100 * H, "100h0m0s"},
        {-90 * S, "-1m30s"},
        {INT64_MAX, "2562047h47m16.854775807s"},
        {INT64_MIN, "-2562047h47m16.854775808s"},
    };
    char buf[32], small[4];
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_ptr_equal(gp_num_duration_str(cases[i].ns, buf, sizeof buf), buf);
        if (strcmp(buf, cases[i].want) != 0)
            fail_msg("%" PRId64 ": got \"%s\", want \"%s\"", cases[i].ns, buf, cases[i].want);
    }
    assert_string_equal(gp_num_duration_str(90 * S, small, sizeof small), "1m3"); /* cut */
}

/* What was printed reads back as the same duration. */
static void test_round_trip(void **state)
{
    (void)state;
    test_rng rng = test_rng_new(7);
    char buf[32];

    for (size_t i = 0, n = test_rounds(200000); i < n; i++) {
        int64_t back, ns = (int64_t)(test_rng_u64(&rng) >> (1 + test_rng_below(&rng, 63)));
        if (i % 2)
            ns = -ns;
        (void)gp_num_duration_str(ns, buf, sizeof buf);
        if (!gp_num_duration_ns(buf, strlen(buf), &back) || back != ns)
            fail_msg("%" PRId64 " printed as %s", ns, buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
