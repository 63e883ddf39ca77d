/* num_test.c - integers, doubles, sizes and hex of gp/num.h. */
#include "test.h"

#include "gp/num.h"

#include <locale.h>

static void test_u64(void **state)
{
    (void)state;
    static const struct {
        const char *what, *s;
        uint64_t max;
        int ok;
        uint64_t v;
    } cases[] = {
        {"zero", "0", 10, 1, 0},
        {"leading zeros", "00042", 65535, 1, 42},
        {"many leading zeros", "000000000000000000000000000000000000007", 9, 1, 7},
        {"at max", "65535", 65535, 1, 65535},
        {"above max", "65536", 65535, 0, 0},
        {"largest", "18446744073709551615", UINT64_MAX, 1, UINT64_MAX},
        {"overflow by one", "18446744073709551616", UINT64_MAX, 0, 0},
        {"overflow by a digit", "99999999999999999999", UINT64_MAX, 0, 0},
        {"empty", "", 9, 0, 0},
        {"plus", "+1", 9, 0, 0},
        {"minus", "-1", 9, 0, 0},
        {"blank before", " 1", 9, 0, 0},
        {"blank after", "1 ", 9, 0, 0},
        {"hex", "0x1", 99, 0, 0},
        {"character after 9", "1:", 99, 0, 0},
        {"character before 0", "1/", 99, 0, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t v = 12345;
        int ok = gp_num_u64(cases[i].s, strlen(cases[i].s), cases[i].max, &v);
        if (ok != cases[i].ok || v != (ok ? cases[i].v : 12345))
            fail_msg("%s: got %d, %" PRIu64, cases[i].what, ok, v);
    }
    uint64_t v = 0;
    assert_true(gp_num_u64("123", 2, 99, &v)); /* only len bytes */
    assert_int_equal(v, 12);
    assert_false(gp_num_u64("1\0", 2, 99, &v));
}

static void test_i64(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        int ok, prefixed_ok;
        int64_t v, prefixed;
    } cases[] = {
        {"0", 1, 1, 0, 0},
        {"-0", 1, 1, 0, 0},
        {"+7", 1, 1, 7, 7},
        {"-7", 1, 1, -7, -7},
        {"007", 1, 1, 7, 7},
        {"010", 1, 1, 10, 8},
        {"08", 1, 0, 8, 0},
        {"9223372036854775807", 1, 1, INT64_MAX, INT64_MAX},
        {"9223372036854775808", 0, 0, 0, 0},
        {"-9223372036854775808", 1, 1, INT64_MIN, INT64_MIN},
        {"-9223372036854775809", 0, 0, 0, 0},
        {"", 0, 0, 0, 0},
        {"-", 0, 0, 0, 0},
        {"+", 0, 0, 0, 0},
        {"--1", 0, 0, 0, 0},
        {"+-1", 0, 0, 0, 0},
        {"1.0", 0, 0, 0, 0},
        {"0x1F", 0, 1, 0, 31},
        {"-0XfF", 0, 1, 0, -255},
        {"0o17", 0, 1, 0, 15},
        {"0O17", 0, 1, 0, 15},
        {"0b101", 0, 1, 0, 5},
        {"0B11", 0, 1, 0, 3},
        {"0b2", 0, 0, 0, 0},
        {"0o8", 0, 0, 0, 0},
        {"0xg", 0, 0, 0, 0},
        {"0x", 0, 0, 0, 0},
        {"0b", 0, 0, 0, 0},
        {"-0x", 0, 0, 0, 0},
        {"1_000", 0, 1, 0, 1000},
        {"0x_1_F", 0, 1, 0, 31},
        {"0_7", 0, 1, 0, 7},
        {"_1", 0, 0, 0, 0},
        {"1_", 0, 0, 0, 0},
        {"1__0", 0, 0, 0, 0},
        {"0x1_", 0, 0, 0, 0},
        {"0_", 0, 0, 0, 0},
        {"-_1", 0, 0, 0, 0},
        {"0x7fffffffffffffff", 0, 1, 0, INT64_MAX},
        {"0x8000000000000000", 0, 0, 0, 0},
        {"-0x8000000000000000", 0, 1, 0, INT64_MIN},
        {"0xFFFFFFFFFFFFFFFFF", 0, 0, 0, 0},
        {"1f", 0, 0, 0, 0},
        {"1 ", 0, 0, 0, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t len = strlen(cases[i].s);
        int64_t v = 4711, p = 4711;
        int ok = gp_num_i64(cases[i].s, len, &v);
        if (ok != cases[i].ok || v != (ok ? cases[i].v : 4711))
            fail_msg("i64 \"%s\": got %d, %" PRId64, cases[i].s, ok, v);
        ok = gp_num_i64_prefixed(cases[i].s, len, &p);
        if (ok != cases[i].prefixed_ok || p != (ok ? cases[i].prefixed : 4711))
            fail_msg("i64_prefixed \"%s\": got %d, %" PRId64, cases[i].s, ok, p);
    }
}

static void test_f64(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        int ok;
        double v;
    } cases[] = {
        {"0", 1, 0},         {"2.5", 1, 2.5}, {".5", 1, 0.5},      {"2.", 1, 2},
        {"-1.25", 1, -1.25}, {"+3", 1, 3},    {"1e3", 1, 1000},    {"1E-2", 1, 0.01},
        {"1e+2", 1, 100},    {"0.1", 1, 0.1}, {"1e400", 0, 0},     {"-1e400", 0, 0},
        {"", 0, 0},          {".", 0, 0},     {"-", 0, 0},         {"-.", 0, 0},
        {"1e", 0, 0},        {"1e+", 0, 0},   {"e5", 0, 0},        {"inf", 0, 0},
        {"nan", 0, 0},       {"0x10", 0, 0},  {" 1", 0, 0},        {"1 ", 0, 0},
        {"1,5", 0, 0},       {"1.2.3", 0, 0}, {"1e5.0", 0, 0},     {"infinity", 0, 0},
        {"1e-400", 1, 0},    {"1_000", 0, 0}, {"99.99", 1, 99.99},
    };
    /* A decimal comma in the program's locale must change nothing; where the locale is not
     * installed, this runs in "C". */
    (void)setlocale(LC_ALL, "de_DE.UTF-8");
    for (size_t i = 0; i < COUNT(cases); i++) {
        double v = 47.11;
        int ok = gp_num_f64(cases[i].s, strlen(cases[i].s), &v);
        double want = ok ? cases[i].v : 47.11;
        if (ok != cases[i].ok || v < want || v > want)
            fail_msg("\"%s\": got %d, %.17g", cases[i].s, ok, v);
    }
    (void)setlocale(LC_ALL, "C");
    char longtext[400];
    double v;
    memset(longtext, '1', sizeof longtext);
    assert_false(gp_num_f64(longtext, sizeof longtext, &v));
    assert_false(gp_num_f64("1\0", 2, &v));
    assert_true(gp_num_f64("12", 1, &v));
}

static void test_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        int ok;
        uint64_t v;
    } cases[] = {
        {"0", 1, 0},
        {"1", 1, 1},
        {"1024B", 1, 1024},
        {"1k", 1, 1024},
        {"1K", 1, 1024},
        {"64M", 1, UINT64_C(64) << 20},
        {"64MB", 1, UINT64_C(64) << 20},
        {"64MiB", 1, UINT64_C(64) << 20},
        {"1.5G", 1, UINT64_C(3) << 29},
        {"2T", 1, UINT64_C(2) << 40},
        {"0.5k", 1, 512},
        {"0.0001k", 1, 0},
        {"0.3k", 1, 307},
        {"1.0000000000000000000001k", 1, 1024},
        {"1.33333333333333333333333333k", 1, 1365},
        {"18446744073709551615", 1, UINT64_MAX},
        {"16777215T", 1, UINT64_C(16777215) << 40},
        {"16777215.9T", 1, (UINT64_C(16777215) << 40) + UINT64_C(989560464998)},
        {"16777216T", 0, 0},
        {"18446744073709551616", 0, 0},
        {"18446744073709551615k", 0, 0},
        {"1.5", 0, 0},
        {"1.5B", 0, 0},
        {"1.k", 0, 0},
        {".5k", 0, 0},
        {"", 0, 0},
        {"k", 0, 0},
        {"-1k", 0, 0},
        {"+1k", 0, 0},
        {"1 k", 0, 0},
        {"1m", 0, 0},
        {"1g", 0, 0},
        {"1kk", 0, 0},
        {"1ki", 0, 0},
        {"1kiBB", 0, 0},
        {"1BB", 0, 0},
        {"1P", 0, 0},
        {"1kib", 0, 0},
        {"1..5k", 0, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t v = 4711;
        int ok = gp_num_bytes(cases[i].s, strlen(cases[i].s), &v);
        if (ok != cases[i].ok || v != (ok ? cases[i].v : 4711))
            fail_msg("\"%s\": got %d, %" PRIu64, cases[i].s, ok, v);
    }
    uint64_t v;
    assert_false(gp_num_bytes("1\0", 2, &v)); /* NUL is not a unit */
}

static void test_hex(void **state)
{
    (void)state;
    char text[9];
    uint8_t b[4];

    gp_hex("\x00\x9F\xA0\xFF", 4, text);
    assert_string_equal(text, "009fa0ff");
    gp_hex("", 0, text);
    assert_string_equal(text, "");

    assert_true(gp_unhex("009Fa0fF", 8, b, 4));
    assert_memory_equal(b, "\x00\x9F\xA0\xFF", 4);
    assert_true(gp_unhex("", 0, b, 0));
    static const char *const bad[] = {"009fa0f",  "009fa0f",  "009fa0ff00", "009fa0fg", "009fa0 f",
                                      "x09fa0ff", "009fa0f:", "009fa0f`",   ""};
    for (size_t i = 0; i < COUNT(bad); i++) {
        memset(b, 7, sizeof b);
        if (gp_unhex(bad[i], strlen(bad[i]), b, 4))
            fail_msg("\"%s\" accepted", bad[i]);
        assert_memory_equal(b, "\7\7\7\7", 4); /* untouched, also when the end is wrong */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_u64),   cmocka_unit_test(test_i64), cmocka_unit_test(test_f64),
        cmocka_unit_test(test_bytes), cmocka_unit_test(test_hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
