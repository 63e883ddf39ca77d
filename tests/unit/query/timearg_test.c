/* timearg_test.c - times: the conformance tables F and G, default bounds, printing. */
#include "query/timearg.h"

#include "cases.h"

#include <time.h>

static const int64_t NOW = 1907755200; /* 2030-06-15T12:00:00Z, as table F says */

static void set_zone(const char *zone)
{
    assert_int_equal(setenv("TZ", zone, 1), 0);
    tzset();
}

static void test_table(void **state)
{
    case_table c = cases_load("times", 99);

    (void)state;
    for (size_t i = 0; i < c.n; i++) {
        const char **r = c.row[i];
        int64_t got = -1;
        gp_err err = {0};
        set_zone(r[2]);
        gp_status st = query_time_parse(r[1], NOW, &got, &err);
        if (strcmp(r[3], "error") == 0) {
            if (st != GP_EINVAL || !strstr(err.msg, "invalid time format: ") || got != -1)
                fail_msg("%s: '%s' gives %" PRId64 " (%s)", r[0], r[1], got, err.msg);
        } else if (st != GP_OK || got != strtoimax(r[3], NULL, 10)) {
            fail_msg("%s: '%s' in %s: got %" PRId64 " (%s), want %s", r[0], r[1], r[2], got,
                     err.msg, r[3]);
        }
    }
    cases_free(&c);
}

static void test_more_times(void **state)
{
    static const struct {
        const char *what, *text;
        int64_t want; /* INT64_MIN: refused */
    } cases[] = {
        {"largest epoch", "9223372036854775807", INT64_MAX},
        {"API default", "9223371974719179007", QUERY_TIME_MAX},
        {"days that overflow", "-9223372036854775807d", INT64_MIN},
        {"days that overflow the clock", "-106751991167301d", INT64_MIN},
        {"chunks that overflow together", "-106751991167300d:106751991167300d", INT64_MIN},
        {"ahead without end", "--106751991167300d:0s", INT64_MIN},
        {"second sign before days", "--1d", 1907755200 + 86400},
        {"days and a signed duration", "-1d-5m", 1907755200 - 86400 + 300},
        {"colon form, signs and leading zeros", "-+007d:-0001h", 1907755200 - 604800 + 3600},
        {"colon form without unit in the middle", "-1d:5:3s", INT64_MIN},
        {"colon form, only a unit", "-d:3s", INT64_MIN},
        {"fraction with comma", "2030-01-02 03:04:05,25", 1893553445},
        {"many digits of fraction", "2030-01-02T03:04:05.1234567890123Z", 1893553445},
        {"fraction before a zone", "2030-01-02 03:04:05.5 +0100", 1893549845},
        {"fraction in the C form", "Wed Jan  2 03:04:05.5 2030", 1893553445},
        {"fraction without digits", "2030-01-02 03:04:05.", INT64_MIN},
        {"leap day of a century", "2000-02-29 00:00", 951782400},
        {"no leap day of a century", "2100-02-29 00:00", INT64_MIN},
        {"zone of 24 hours", "2030-01-02 03:04 +2400", 1893553440 - 86400},
        {"zone beyond", "2030-01-02 03:04 +2500", INT64_MIN},
        {"zone minutes beyond", "2030-01-02 03:04 +0060", INT64_MIN},
        {"year 0", "0000-01-01T00:00:00Z", INT64_C(-62167219200)},
        {"last second of the calendar", "9999-12-31T23:59:59Z", INT64_C(253402300799)},
        {"month 0", "2030-00-02 03:04", INT64_MIN},
        {"day 0", "2030-01-00 03:04", INT64_MIN},
        {"seconds 60", "2030-01-02 03:04:60", INT64_MIN},
        {"one letter of a month", "Wed J  2 03:04:05 2030", INT64_MIN},
        {"tab instead of a blank", "2030-01-02\t03:04", INT64_MIN},
        {"empty", "", INT64_MIN},
        {"blank", " ", INT64_MIN},
        {"sign only", "+", INT64_MIN},
        {"not ASCII", "\xD9\xA1\xD9\xA2", INT64_MIN},
    };
    (void)state;
    set_zone("UTC");
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t got = INT64_MIN;
        gp_err err = {0};
        gp_status st = query_time_parse(cases[i].text, NOW, &got, &err);
        if ((st == GP_OK) != (cases[i].want != INT64_MIN) || (st == GP_OK && got != cases[i].want))
            fail_msg("%s: got %" PRId64 " %s", cases[i].what, got, err.msg);
    }
}

/* Every layout of 4.1, written for one instant. */
static void test_every_layout(void **state)
{
    static const char *const whole[] = {
        "2031-05-23T13:37:00Z",
        "2031-05-23T15:37:00+02:00",
        "Fri May 23 13:37:00 2031",
        "Fri May 23 13:37:00 +0000 2031",
        "23 May 31 13:37 +0000",
        "23 May 31 08:37 -0500",
        "Fri, 23 May 2031 13:37:00 +0000",
        "2031-05-23 13:37:00",
    };
    static const char *const dates[] = {"2031-05-23", "31-05-23", "23-05-2031", "23.05.2031",
                                        "23.05.31",   "23.5.31",  "23.5.2031"};
    static const char *const clocks[] = {"13:37:00 +0000", "15:37 +0200", "13:37:00", "13:37"};
    const int64_t at = 1937309820;
    char text[64];
    int64_t got;
    gp_err err = {0};

    (void)state;
    set_zone("UTC");
    for (size_t i = 0; i < COUNT(whole); i++) {
        want_ok_err(&err, query_time_parse(whole[i], NOW, &got, &err));
        if (got != at)
            fail_msg("%s: got %" PRId64, whole[i], got);
    }
    for (size_t i = 0; i < COUNT(dates); i++)
        for (size_t j = 0; j < COUNT(clocks); j++) {
            (void)snprintf(text, sizeof text, "%s %s", dates[i], clocks[j]);
            want_ok_err(&err, query_time_parse(text, NOW, &got, &err));
            if (got != at)
                fail_msg("%s: got %" PRId64, text, got);
        }
}

static void test_defaults(void **state)
{
    static const struct {
        const char *what, *zone, *now, *month, *day;
    } cases[] = {
        {"plain", "UTC", "2030-06-15 12:00:00", "2030-05-15 12:00:00", "2030-06-14 12:00:00"},
        {"F108: rolls over", "UTC", "2031-03-31 10:00:00", "2031-03-03 10:00:00",
         "2031-03-30 10:00:00"},
        {"leap year", "UTC", "2032-03-31 10:00:00", "2032-03-02 10:00:00", "2032-03-30 10:00:00"},
        {"30 days to 31", "UTC", "2031-05-31 10:00:00", "2031-05-01 10:00:00",
         "2031-05-30 10:00:00"},
        {"January", "UTC", "2031-01-01 00:00:00", "2030-12-01 00:00:00", "2030-12-31 00:00:00"},
        {"wall time stays over a clock change", "Europe/Zurich", "2030-04-15 12:00:00",
         "2030-03-15 12:00:00", "2030-04-14 12:00:00"},
        {"a day of 23 hours", "Europe/Zurich", "2030-03-31 12:00:00", "2030-03-03 12:00:00",
         "2030-03-30 12:00:00"},
        {"into the skipped hour", "Europe/Zurich", "2030-04-01 02:30:00", "2030-03-01 02:30:00",
         "2030-03-31 03:30:00"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t now;
        char month[32], day[32];
        set_zone(cases[i].zone);
        want_ok(query_time_parse(cases[i].now, 0, &now, NULL));
        query_time_format_local(query_time_month_before(now), month, sizeof month);
        query_time_format_local(query_time_day_before(now), day, sizeof day);
        if (strcmp(month, cases[i].month) != 0 || strcmp(day, cases[i].day) != 0)
            fail_msg("%s: got %s and %s", cases[i].what, month, day);
    }
}

static void test_resolution(void **state)
{
    case_table c = cases_load("resolution", 30);

    (void)state;
    for (size_t i = 0; i < c.n; i++) {
        const char **r = c.row[i];
        int64_t bin = -1, span = strtoimax(r[2], NULL, 10);
        gp_err err = {0};
        gp_status st = query_time_resolution(r[1], 1000, 1000 + span, &bin, &err);
        if (strncmp(r[3], "error: ", 7) == 0) {
            const char *part = strstr(r[3], "multiple")
                                   ? "time resolution must be a multiple of 5m0s"
                               : strstr(r[3], "least") ? "time resolution must be at least 5m0s"
                                                       : "invalid time resolution: ";
            if (st != GP_EINVAL || !strstr(err.msg, part))
                fail_msg("%s: %s: got %" PRId64 " (%s)", r[0], r[1], bin, err.msg);
        } else if (st != GP_OK || bin != strtoimax(r[3], NULL, 10)) {
            fail_msg("%s: '%s' over %s s: got %" PRId64 ", want %s", r[0], r[1], r[2], bin, r[3]);
        }
    }
    cases_free(&c);

    int64_t bin;
    want_ok(query_time_resolution("auto", INT64_MIN, INT64_MAX, &bin, NULL));
    assert_true(bin > 0 && bin % 300 == 0);
    want_ok(query_time_resolution("auto", 5, 4, &bin, NULL));
    assert_int_equal(bin, 300);
}

static void test_bins(void **state)
{
    case_table c = cases_load("bins", 11);

    (void)state;
    for (size_t i = 0; i < c.n; i++) {
        const char **r = c.row[i];
        int64_t got = query_time_bin(strtoimax(r[1], NULL, 10), strtoimax(r[2], NULL, 10));
        if (got != strtoimax(r[3], NULL, 10))
            fail_msg("%s: %s in bins of %s: got %" PRId64, r[0], r[1], r[2], got);
    }
    cases_free(&c);
    assert_int_equal(query_time_bin(-1, 300), 0);
    assert_int_equal(query_time_bin(-300, 300), -300);
    assert_int_equal(query_time_bin(INT64_MAX, 600), INT64_MAX);
}

static void test_format(void **state)
{
    static const struct {
        const char *what, *zone;
        int64_t at;
        uint32_t ns;
        const char *local, *ansic, *rfc;
    } cases[] = {
        {"UTC", "UTC", 1930467600, 0, "2031-03-05 09:00:00", "Wed Mar  5 09:00:00 2031",
         "2031-03-05T09:00:00Z"},
        {"fraction, zeros cut", "UTC", 0, 456000, "1970-01-01 00:00:00", "Thu Jan  1 00:00:00 1970",
         "1970-01-01T00:00:00.000456Z"},
        {"nine digits", "UTC", -1, 999999999, "1969-12-31 23:59:59", "Wed Dec 31 23:59:59 1969",
         "1969-12-31T23:59:59.999999999Z"},
        {"east", "Asia/Kolkata", 1893553445, 500000000, "2030-01-02 08:34:05",
         "Wed Jan  2 08:34:05 2030", "2030-01-02T08:34:05.5+05:30"},
        {"west", "America/New_York", 1899354600, 0, "2030-03-10 01:30:00",
         "Sun Mar 10 01:30:00 2030", "2030-03-10T01:30:00-05:00"},
        {"beyond the calendar (U36)", "UTC", QUERY_TIME_MAX, 0, "9999-12-31 23:59:59",
         "Fri Dec 31 23:59:59 9999", "9999-12-31T23:59:59Z"},
        {"beyond the calendar in a zone", "Asia/Kolkata", INT64_MAX, 0, "9999-12-31 23:59:59",
         "Fri Dec 31 23:59:59 9999", "9999-12-31T23:59:59Z"},
        {"before the calendar", "UTC", INT64_MIN, 0, "0000-01-01 00:00:00",
         "Sat Jan  1 00:00:00 0000", "0000-01-01T00:00:00Z"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char local[32], ansic[32], rfc[48];
        int64_t back;
        uint32_t ns;
        set_zone(cases[i].zone);
        query_time_format_local(cases[i].at, local, sizeof local);
        query_time_format_ansic(cases[i].at, ansic, sizeof ansic);
        query_time_format_rfc3339(cases[i].at, cases[i].ns, rfc, sizeof rfc);
        if (strcmp(local, cases[i].local) != 0 || strcmp(ansic, cases[i].ansic) != 0 ||
            strcmp(rfc, cases[i].rfc) != 0)
            fail_msg("%s: got %s, %s, %s", cases[i].what, local, ansic, rfc);
        assert_true(query_time_parse_rfc3339(rfc, strlen(rfc), &back, &ns));
        if (cases[i].at > INT64_C(-62167219201) && cases[i].at < INT64_C(253402300800))
            assert_int_equal(back, cases[i].at);
        assert_int_equal(ns, cases[i].ns);
    }
}

static void test_rfc3339_rejects(void **state)
{
    static const char *const bad[] = {
        "",
        "2031-03-05",
        "2031-03-05T09:00:00",
        "2031-03-05 09:00:00Z",
        "now",
        "2031-03-05T09:00:00z",
        "2031-02-30T09:00:00Z",
        "2031-03-05T09:00:00Z ",
        "1e9",
        "2031-03-05T09:00:00+1",
        "2031-03-05T09:00:00+0100",
        "+2031-03-05T09:00:00Z",
        "2031-03-05T09:00:00.00000000000000000000000000000000000000000000000Z",
    };
    int64_t s;
    uint32_t ns;

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        if (query_time_parse_rfc3339(bad[i], strlen(bad[i]), &s, &ns))
            fail_msg("accepted: %s", bad[i]);
    assert_false(query_time_parse_rfc3339("2031-03-05T09:00:00Z\0", 21, &s, &ns));
    assert_true(query_time_parse_rfc3339("2031-03-05T09:00:00Zjunk", 20, &s, &ns));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),        cmocka_unit_test(test_more_times),
        cmocka_unit_test(test_every_layout), cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_resolution),   cmocka_unit_test(test_bins),
        cmocka_unit_test(test_format),       cmocka_unit_test(test_rfc3339_rejects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
