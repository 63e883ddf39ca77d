/* timezone_test.c - civil dates against the C library, and the rule for clock changes. */
#include "timezone.h"

#include "test.h"

#include <time.h>

static void test_civil(void **state)
{
    test_rng r = test_rng_new(1);

    (void)state;
    for (size_t i = 0; i < test_rounds(20000); i++) {
        int64_t s = (int64_t)(test_rng_u64(&r) % UINT64_C(400000000000)) - INT64_C(80000000000);
        time_t t = (time_t)s;
        struct tm tm;
        assert_non_null(gmtime_r(&t, &tm));
        query_civil c = query_civil_of(s);
        if (c.year != tm.tm_year + 1900 || c.month != tm.tm_mon + 1 || c.day != tm.tm_mday ||
            c.hour != tm.tm_hour || c.minute != tm.tm_min || c.second != tm.tm_sec ||
            c.weekday != tm.tm_wday)
            fail_msg("%" PRId64 ": %" PRId64 "-%d-%d", s, c.year, c.month, c.day);
        if (query_civil_seconds(&c) != s)
            fail_msg("%" PRId64 " comes back as %" PRId64, s, query_civil_seconds(&c));
    }
}

/* Instants whose wall time is not ambiguous come back, in zones with all kinds of clock changes. */
static void test_round_trip(void **state)
{
    static const char *const zones[] = {"UTC",          "Europe/Zurich",       "America/New_York",
                                        "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns",
                                        "Pacific/Apia", "Africa/Casablanca"};
    test_rng r = test_rng_new(2);

    (void)state;
    for (size_t z = 0; z < COUNT(zones); z++) {
        assert_int_equal(setenv("TZ", zones[z], 1), 0);
        tzset();
        for (size_t i = 0; i < test_rounds(3000); i++) {
            int64_t s = (int64_t)test_rng_below(&r, UINT64_C(4000000000));
            int32_t off = query_zone_offset(s);
            query_civil c = query_zone_civil(s, NULL);
            int64_t back = query_zone_instant(&c);
            int near_change =
                query_zone_offset(s - 90000) != off || query_zone_offset(s + 90000) != off;
            if (back != s && !near_change)
                fail_msg("%s: %" PRId64 " comes back as %" PRId64, zones[z], s, back);
            if (back != s && query_zone_civil(back, NULL).minute != c.minute)
                fail_msg("%s: %" PRId64 ": the other instant %" PRId64 " has another wall time",
                         zones[z], s, back);
        }
    }
}

static void test_days_in_month(void **state)
{
    (void)state;
    assert_int_equal(query_days_in_month(2000, 2), 29);
    assert_int_equal(query_days_in_month(1900, 2), 28);
    assert_int_equal(query_days_in_month(2028, 2), 29);
    assert_int_equal(query_days_in_month(2030, 4), 30);
    assert_int_equal(query_days_in_month(0, 2), 29);
}

static void test_beyond(void **state)
{
    int32_t off = 1;

    (void)state;
    assert_int_equal(query_zone_offset(INT64_MAX), 0);
    assert_int_equal(query_zone_civil(INT64_MAX, &off).year, 9999);
    assert_int_equal(query_zone_civil(INT64_MIN, &off).year, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_civil),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_days_in_month),
        cmocka_unit_test(test_beyond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
