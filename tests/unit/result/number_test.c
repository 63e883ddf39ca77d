/* number_test.c - number formats of query.md 6.2: every case of query-cases.md H, and printf as a
 * judge. */
#include "number.h"
#include "result/print.h"
#include "test.h"

static const struct {
    const char *what;
    uint64_t v;
    const char *count, *small, *small_padded, *size, *size_small, *size_small_padded;
} numbers[] = {
    {"H01", UINT64_C(0), "0.00  ", "0", "0  ", "0.00  B", "0", "0   "},
    {"H02", UINT64_C(1), "1.00  ", "1", "1  ", "1.00  B", "1", "1   "},
    {"H03", UINT64_C(7), "7.00  ", "7", "7  ", "7.00  B", "7", "7   "},
    {"H04", UINT64_C(42), "42.00  ", "42", "42  ", "42.00  B", "42", "42   "},
    {"H05", UINT64_C(999), "999.00  ", "999", "999  ", "999.00  B", "999", "999   "},
    {"H06", UINT64_C(1000), "1.00 k", "1.00 k", "1.00 k", "1000.00  B", "1000", "1000   "},
    {"H07", UINT64_C(1001), "1.00 k", "1.00 k", "1.00 k", "1001.00  B", "1001", "1001   "},
    {"H08", UINT64_C(1023), "1.02 k", "1.02 k", "1.02 k", "1023.00  B", "1023", "1023   "},
    {"H09", UINT64_C(1024), "1.02 k", "1.02 k", "1.02 k", "1024.00  B", "1024", "1024   "},
    {"H10", UINT64_C(1025), "1.02 k", "1.02 k", "1.02 k", "1.00 kB", "1.00 kB", "1.00 kB"},
    {"H11", UINT64_C(1234), "1.23 k", "1.23 k", "1.23 k", "1.21 kB", "1.21 kB", "1.21 kB"},
    {"H12", UINT64_C(1536), "1.54 k", "1.54 k", "1.54 k", "1.50 kB", "1.50 kB", "1.50 kB"},
    {"H13", UINT64_C(2047), "2.05 k", "2.05 k", "2.05 k", "2.00 kB", "2.00 kB", "2.00 kB"},
    {"H14", UINT64_C(9999), "10.00 k", "10.00 k", "10.00 k", "9.76 kB", "9.76 kB", "9.76 kB"},
    {"H15", UINT64_C(10240), "10.24 k", "10.24 k", "10.24 k", "10.00 kB", "10.00 kB", "10.00 kB"},
    {"H16", UINT64_C(99999), "100.00 k", "100.00 k", "100.00 k", "97.66 kB", "97.66 kB",
     "97.66 kB"},
    {"H17", UINT64_C(999994), "999.99 k", "999.99 k", "999.99 k", "976.56 kB", "976.56 kB",
     "976.56 kB"},
    {"H18", UINT64_C(999995), "1000.00 k", "1000.00 k", "1000.00 k", "976.56 kB", "976.56 kB",
     "976.56 kB"},
    {"H19", UINT64_C(999999), "1000.00 k", "1000.00 k", "1000.00 k", "976.56 kB", "976.56 kB",
     "976.56 kB"},
    {"H20", UINT64_C(1000000), "1.00 M", "1.00 M", "1.00 M", "976.56 kB", "976.56 kB", "976.56 kB"},
    {"H21", UINT64_C(1047552), "1.05 M", "1.05 M", "1.05 M", "1023.00 kB", "1023.00 kB",
     "1023.00 kB"},
    {"H22", UINT64_C(1048575), "1.05 M", "1.05 M", "1.05 M", "1024.00 kB", "1024.00 kB",
     "1024.00 kB"},
    {"H23", UINT64_C(1048576), "1.05 M", "1.05 M", "1.05 M", "1024.00 kB", "1024.00 kB",
     "1024.00 kB"},
    {"H24", UINT64_C(1049599), "1.05 M", "1.05 M", "1.05 M", "1025.00 kB", "1025.00 kB",
     "1025.00 kB"},
    {"H25", UINT64_C(1049600), "1.05 M", "1.05 M", "1.05 M", "1.00 MB", "1.00 MB", "1.00 MB"},
    {"H26", UINT64_C(1572864), "1.57 M", "1.57 M", "1.57 M", "1.50 MB", "1.50 MB", "1.50 MB"},
    {"H27", UINT64_C(123456789), "123.46 M", "123.46 M", "123.46 M", "117.74 MB", "117.74 MB",
     "117.74 MB"},
    {"H28", UINT64_C(1073741824), "1.07 G", "1.07 G", "1.07 G", "1024.00 MB", "1024.00 MB",
     "1024.00 MB"},
    {"H29", UINT64_C(1074790400), "1.07 G", "1.07 G", "1.07 G", "1.00 GB", "1.00 GB", "1.00 GB"},
    {"H30", UINT64_C(999999999), "1000.00 M", "1000.00 M", "1000.00 M", "953.67 MB", "953.67 MB",
     "953.67 MB"},
    {"H31", UINT64_C(1000000000), "1.00 G", "1.00 G", "1.00 G", "953.67 MB", "953.67 MB",
     "953.67 MB"},
    {"H32", UINT64_C(5000000000), "5.00 G", "5.00 G", "5.00 G", "4.66 GB", "4.66 GB", "4.66 GB"},
    {"H33", UINT64_C(1099511627776), "1.10 T", "1.10 T", "1.10 T", "1024.00 GB", "1024.00 GB",
     "1024.00 GB"},
    {"H34", UINT64_C(1000000000000), "1.00 T", "1.00 T", "1.00 T", "931.32 GB", "931.32 GB",
     "931.32 GB"},
    {"H35", UINT64_C(1000000000000000), "1.00 P", "1.00 P", "1.00 P", "909.49 TB", "909.49 TB",
     "909.49 TB"},
    {"H36", UINT64_C(1000000000000000000), "1.00 E", "1.00 E", "1.00 E", "888.18 PB", "888.18 PB",
     "888.18 PB"},
    {"H37", UINT64_C(18446744073709551615), "18.45 E", "18.45 E", "18.45 E", "16.00 EB", "16.00 EB",
     "16.00 EB"},
};

static const struct {
    const char *what;
    int64_t ns;
    const char *text;
} durations[] = {
    {"H38", INT64_C(0), "0s"},
    {"H39", INT64_C(1), "0s"},
    {"H40", INT64_C(499999), "0s"},
    {"H41", INT64_C(500000), "1ms"},
    {"H42", INT64_C(1000000), "1ms"},
    {"H43", INT64_C(1500000), "2ms"},
    {"H44", INT64_C(18250000), "18ms"},
    {"H45", INT64_C(999000000), "999ms"},
    {"H46", INT64_C(1000000000), "1s"},
    {"H47", INT64_C(1204000000), "1.204s"},
    {"H48", INT64_C(1234567890), "1.235s"},
    {"H49", INT64_C(59999500000), "1m0s"},
    {"H50", INT64_C(60000000000), "1m0s"},
    {"H51", INT64_C(90000000000), "1m30s"},
    {"H52", INT64_C(3600000000000), "1h0m0s"},
    {"H53", INT64_C(5400000000000), "1h30m0s"},
    {"H54", INT64_C(44100000000000), "12h15m0s"},
    {"H55", INT64_C(86399999999999), "24h0m0s"},
    {"H56", INT64_C(86400000000000), "1d0s"},
    {"H57", INT64_C(90000000000000), "1d1h0m0s"},
    {"H58", INT64_C(91800000000000), "1d1h30m0s"},
    {"H59", INT64_C(2678400000000000), "31d0s"},
    {"negative", INT64_C(-90000000000), "-1m30s"},
    {"smallest", INT64_MIN, "-106751d23h47m16.855s"},
    {"largest", INT64_MAX, "106751d23h47m16.855s"},
};

static const struct {
    const char *what;
    double pct;
    const char *text, *csv;
} percentages[] = {
    {"H60", 0, "0", "0.00"},           {"H61", 0.001, "0.00", "0.00"},
    {"H62", 0.004, "0.00", "0.00"},    {"H63", 0.006, "0.01", "0.01"},
    {"H64", 1, "1.00", "1.00"},        {"H65", 33.333333, "33.33", "33.33"},
    {"H66", 62.784, "62.78", "62.78"}, {"H67", 99.996, "100.00", "100.00"},
    {"H68", 100, "100.00", "100.00"},
};

static void want(const char *what, const char *which, const char *got, const char *text)
{
    if (strcmp(got, text) != 0)
        fail_msg("%s %s: got '%s', want '%s'", what, which, got, text);
}

static void test_numbers(void **state)
{
    (void)state;
    char b[32];
    for (size_t i = 0; i < COUNT(numbers); i++) {
        const char *w = numbers[i].what;
        uint64_t v = numbers[i].v;
        want(w, "count", result_fmt_count(v, b, sizeof b), numbers[i].count);
        want(w, "small", result_fmt_count_small(v, b, sizeof b), numbers[i].small);
        b[result_number_count_small(b, v, 1)] = '\0';
        want(w, "small padded", b, numbers[i].small_padded);
        want(w, "size", result_fmt_size(v, b, sizeof b), numbers[i].size);
        want(w, "size small", result_fmt_size_small(v, b, sizeof b), numbers[i].size_small);
        b[result_number_size_small(b, v, 1)] = '\0';
        want(w, "size small padded", b, numbers[i].size_small_padded);
    }
}

static void test_durations(void **state)
{
    (void)state;
    char b[64];
    for (size_t i = 0; i < COUNT(durations); i++)
        want(durations[i].what, "duration", result_fmt_duration(durations[i].ns, b, sizeof b),
             durations[i].text);
}

static void test_percentages(void **state)
{
    (void)state;
    char b[32];
    for (size_t i = 0; i < COUNT(percentages); i++) {
        b[result_number_fixed2(b, percentages[i].pct)] = '\0';
        want(percentages[i].what, "csv", b, percentages[i].csv);
    }
    assert_true(result_number_percent(5, 0) == 0.0);
    assert_true(result_number_percent(0, 5) == 0.0);
    /* 100 * part does not fit 64 bits (U28) */
    assert_true(result_number_percent(UINT64_C(300000000000000000), UINT64_C(400000000000000000)) ==
                75.0);
}

/* result_number_fixed2() must round exactly as printf does, ties included. */
static void test_fixed2_like_printf(void **state)
{
    (void)state;
    test_rng rng = test_rng_new(7);
    static const double ties[] = {0.125, 0.375, 0.005, 0.015, 1.005, 2.675, 99.995, 1023.995, 0.0};
    char got[32], text[32];
    for (size_t i = 0; i < COUNT(ties); i++) {
        got[result_number_fixed2(got, ties[i])] = '\0';
        snprintf(text, sizeof text, "%.2f", ties[i]);
        want("tie", "fixed2", got, text);
    }
    for (size_t i = 0, n = test_rounds(200000); i < n; i++) {
        uint64_t a = test_rng_u64(&rng) >> test_rng_below(&rng, 63), b = test_rng_u64(&rng) >> 20;
        double v =
            i & 1 ? result_number_percent(a % (b + 1), b) : (double)(a % 1000000000) / 1024.0;
        got[result_number_fixed2(got, v)] = '\0';
        snprintf(text, sizeof text, "%.2f", v);
        want("random", "fixed2", got, text);
    }
}

static void test_u64_like_printf(void **state)
{
    (void)state;
    test_rng rng = test_rng_new(8);
    char got[32], text[32];
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t v = i == 0 ? 0 : i == 1 ? UINT64_MAX : test_rng_u64(&rng) >> (i & 63);
        got[result_number_u64(got, v)] = '\0';
        snprintf(text, sizeof text, "%" PRIu64, v);
        want("random", "u64", got, text);
    }
}

static void test_small_buffer(void **state)
{
    (void)state;
    char b[4] = "xyz";
    want("cut", "count", result_fmt_count(123456, b, sizeof b), "123");
    want("one byte", "count", result_fmt_count(123456, b, 1), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),         cmocka_unit_test(test_durations),
        cmocka_unit_test(test_percentages),     cmocka_unit_test(test_fixed2_like_printf),
        cmocka_unit_test(test_u64_like_printf), cmocka_unit_test(test_small_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
