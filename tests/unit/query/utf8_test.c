/* utf8_test.c - decoding, white space and lower case. */
#include "utf8.h"

#include "test.h"

static void test_next(void **state)
{
    static const struct {
        const char *what, *text;
        uint32_t cp;
        size_t n;
    } cases[] = {
        {"ASCII", "a", 'a', 1},
        {"two bytes", "\xC3\x9F", 0xDF, 2},
        {"three", "\xE2\x82\xAC", 0x20AC, 3},
        {"four", "\xF0\x9F\x98\x80", 0x1F600, 4},
        {"largest", "\xF4\x8F\xBF\xBF", 0x10FFFF, 4},
        {"beyond", "\xF4\x90\x80\x80", 0xFFFD, 1},
        {"lone continuation", "\x80", 0xFFFD, 1},
        {"cut short", "\xE2\x82", 0xFFFD, 1},
        {"longer than needed", "\xC0\xAF", 0xFFFD, 1},
        {"surrogate", "\xED\xA0\x80", 0xFFFD, 1},
        {"no such lead", "\xFF", 0xFFFD, 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n;
        uint32_t cp = query_utf8_next(cases[i].text, &n);
        if (cp != cases[i].cp || n != cases[i].n)
            fail_msg("%s: U+%04X, %zu bytes", cases[i].what, cp, n);
    }
}

static void test_lower(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"AbC-1 \tZ[", "abc-1 \tz["},
        {"\xC3\x84\xC3\x97\xC3\x9E", "\xC3\xA4\xC3\x97\xC3\xBE"}, /* A-umlaut, times, thorn */
        {"\xCE\x91\xCE\xA3\xCE\xA9", "\xCE\xB1\xCF\x83\xCF\x89"}, /* Greek */
        {"\xD0\x96\xD0\x81\xD0\xAF", "\xD0\xB6\xD1\x91\xD1\x8F"}, /* Cyrillic */
        {"\xC4\x8C\xC5\xBD\xC5\xB8", "\xC4\x8D\xC5\xBE\xC3\xBF"}, /* pairs */
        {"\xE2\x84\xAA"
         "x",
         "kx"},                /* Kelvin sign: shorter */
        {"D\xC4\xB0R", "dir"}, /* capital I with a dot */
        {"\xFF"
         "A\xC3",
         "\xFF"
         "a\xC3"},                                /* malformed bytes stay */
        {"\xD4\xB1\xD5\x96", "\xD5\xA1\xD6\x86"}, /* Armenian */
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *s = gp_strdup(cases[i].text);
        query_utf8_lower(s);
        assert_string_equal(s, cases[i].want);
        gp_free(s);
    }
}

/* Everything that is encoded decodes to itself, and lower case never makes a text longer. */
static void test_all(void **state)
{
    (void)state;
    for (uint32_t cp = 1; cp <= 0x10FFFF; cp++) {
        char s[8] = {0};
        size_t n, len;
        if (cp >= 0xD800 && cp <= 0xDFFF)
            continue;
        len = query_utf8_put(cp, s);
        assert_int_equal(query_utf8_next(s, &n), cp);
        assert_int_equal(n, len);
        query_utf8_lower(s);
        assert_true(strlen(s) <= len);
    }
}

static void test_space(void **state)
{
    int n = 0;

    (void)state;
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++)
        n += query_utf8_is_space(cp);
    assert_int_equal(n, 25); /* White_Space of Unicode 15 */
    assert_int_equal(query_utf8_len("a\xC3\x9F\xFFz", 5), 4);
    assert_int_equal(query_utf8_len("abc", 2), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_lower),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
