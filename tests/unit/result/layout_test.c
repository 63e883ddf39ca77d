/* layout_test.c - text tables (list examples of 2.9) and display width of UTF-8. */
#include "test.h"

#include "build.h"
#include "golden.h"
#include "width.h"
#include "writer.h"

static char *print_table(const char *const (*lines)[10], const size_t *n, size_t n_lines)
{
    result_table *t = NULL;
    char *text = NULL;
    size_t len = 0;
    want_ok(result_table_new(&t, NULL));
    for (size_t i = 0; i < n_lines; i++)
        want_ok(result_table_line(t, lines[i], n[i], NULL));
    FILE *f = open_memstream(&text, &len);
    assert_non_null(f);
    fputc('\n', f);
    want_ok(result_table_print(t, 4, f, NULL));
    fputc('\n', f);
    assert_int_equal(fclose(f), 0);
    result_table_free(t);
    return text;
}

static void test_list(void **state)
{
    (void)state;
    static const char *const lines[][10] = {
        {"iface", "packets", "traffic", "flows", "from", "to"},
        {"-----", "-------", "-------", "-----", "----", "--"},
        {"lan1", "900.97 k", "839.47 MB", "4.11 k", "2031-02-28 23:55:00", "2031-03-05 09:30:00"},
        {"wan0", "1.80 M", "1.82 GB", "1.95 k", "2031-03-04 08:00:00", "2031-03-05 09:30:00"},
        {"", "", "", "", "", ""},
        {"Total", "2.70 M", "2.64 GB", "6.06 k", "", ""},
    };
    static const size_t n[] = {6, 6, 6, 6, 6, 6};
    char *got = print_table(lines, n, COUNT(n));
    build_want("M01 list", got, golden_list);
    gp_free(got);
}

static void test_list_detailed(void **state)
{
    (void)state;
    static const char *const lines[][10] = {
        {"", "packets", "packets", "bytes", "bytes", "# of", "# of", "", "", ""},
        {"iface", "in", "out", "in", "out", "IPv4 flows", "IPv6 flows", "drops", "from", "to"},
        {"-----", "-------", "-------", "-----", "-----", "----------", "----------", "-----",
         "----", "--"},
        {"lan1", "900.10 k", "870.00  ", "839.35 MB", "117.68 kB", "4.10 k", "12.00  ", "0.00  ",
         "2031-02-28 23:55:00", "2031-03-05 09:30:00"},
        {"wan0", "411.30 k", "1.39 M", "46.83 MB", "1.78 GB", "650.00  ", "1.30 k", "17.00  ",
         "2031-03-04 08:00:00", "2031-03-05 09:30:00"},
        {"", "", "", "", "", "", "", "", "", ""},
        {"Total", "1.31 M", "1.39 M", "886.18 MB", "1.78 GB", "4.75 k", "1.31 k", "17.00  ", "",
         ""},
    };
    static const size_t n[] = {10, 10, 10, 10, 10, 10, 10};
    char *got = print_table(lines, n, COUNT(n));
    build_want("M02 list -v", got, golden_list_v);
    gp_free(got);
}

/* A short line ends the blocks of the columns that it has not. */
static void test_blocks(void **state)
{
    (void)state;
    static const char *const lines[][10] = {{"a", "long cell"}, {"b", "x"}, {"c"},
                                            {"d", "y"},         {""},       {"e", "z", "zz"}};
    static const size_t n[] = {2, 2, 1, 2, 0, 3};
    char *got = print_table(lines, n, COUNT(n));
    build_want(
        "blocks", got,
        "\n    a    long cell\n    b            x\n    c\n    d    y\n\n    e    z    zz\n\n");
    gp_free(got);
}

/* The same lines in the other shapes; nothing follows a last cell that is aligned to the left. */
static void test_shapes(void **state)
{
    (void)state;
    static const char *const lines[][10] = {{"host", "rtt", "why"},
                                            {"a", "1.5 ms", ""},
                                            {"long", "", "x, \"y\"|"},
                                            {"b", "20 ms", "z"}};
    static const struct {
        const char *what, *want;
    } rows[] = {
        {"left", "  host     rtt  why\n  a     1.5 ms  \n  long          x, \"y\"|\n"
                 "  b      20 ms  z\n"},
        {"csv", "host,rtt,why\na,1.5 ms,\nlong,,\"x, \"\"y\"\"|\"\nb,20 ms,z\n"},
        {"markdown", "| host | rtt | why |\n|---|---:|---|\n| a | 1.5 ms |  |\n"
                     "| long |  | x, \"y\"\\| |\n| b | 20 ms | z |\n"},
    };
    result_table *t = NULL;
    want_ok(result_table_new(&t, NULL));
    for (size_t i = 0; i < COUNT(lines); i++)
        want_ok(result_table_line(t, lines[i], 3, NULL));
    result_table_left(t, 0);
    result_table_left(t, 2);
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *text = NULL;
        size_t len = 0;
        FILE *f = open_memstream(&text, &len);
        assert_non_null(f);
        want_ok(i == 0   ? result_table_print(t, 2, f, NULL)
                : i == 1 ? result_table_csv(t, f, NULL)
                         : result_table_markdown(t, f, NULL));
        assert_int_equal(fclose(f), 0);
        build_want(rows[i].what, text, rows[i].want);
        gp_free(text);
    }
    result_table_free(t);
}

static void test_width(void **state)
{
    (void)state;
    static const struct {
        const char *what, *s;
        size_t columns;
        const char *clean;
    } cases[] = {
        {"ascii", "eth0", 4, "eth0"},
        {"empty", "", 0, ""},
        {"latin", "Z\xc3\xbcrich", 6, "Z\xc3\xbcrich"},
        {"combining", "u\xcc\x88", 1, "u\xcc\x88"},
        {"wide", "\xe6\x9d\xb1", 2, "\xe6\x9d\xb1"},
        {"emoji", "\xf0\x9f\x98\x80", 2, "\xf0\x9f\x98\x80"},
        {"escape", "\033[2J", 4, "?[2J"},
        {"C1 control",
         "\xc2\x9b"
         "31m",
         4, "?31m"},
        {"bidi override",
         "a\xe2\x80\xae"
         "b",
         3, "a?b"},
        {"not UTF-8", "a\xff\xfe", 3, "a??"},
        {"cut sequence", "\xe6\x9d", 2, "??"},
        {"overlong", "\xc0\xaf", 2, "??"},
        {"surrogate", "\xed\xa0\x80", 3, "???"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char buf[64];
        size_t n = result_width_clean(cases[i].s, buf, sizeof buf);
        if (strcmp(buf, cases[i].clean) != 0 || n != strlen(buf))
            fail_msg("%s: clean gives '%s'", cases[i].what, buf);
        if (result_width_columns(buf, n) != cases[i].columns)
            fail_msg("%s: got %zu columns, want %zu", cases[i].what, result_width_columns(buf, n),
                     cases[i].columns);
    }
    char tiny[4];
    assert_int_equal(result_width_clean("a\xe6\x9d\xb1", tiny, sizeof tiny),
                     1); /* cut at a character */
    assert_string_equal(tiny, "a");
}

/* Addresses as gp_addr_format() writes them. */
static void test_addr(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0.0.0.0",
        "255.255.255.255",
        "10.20.30.4",
        "::",
        "::1",
        "1::",
        "2001:db8::",
        "fe80::1:0:0:1",
        "2001:db8:0:1:1:1:1:1",
        "1:0:0:2::3",
        "ff02::1:ff00:1",
        "1:2:3:4:5:6:7:8",
        "0:1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:0",
        "0:0:1::",
        "::ffff:0:1:2",
        "abcd:ef01:2345:6789:abcd:ef01:2345:6789",
    };
    test_rng rng = test_rng_new(3);
    writer *w = result_writer_new(NULL);
    assert_non_null(w);
    for (size_t i = 0; i < 20000; i++) {
        gp_addr a = {.family = 6};
        char want[GP_ADDR_STRLEN], got[64];
        if (i < COUNT(texts)) {
            if (!gp_addr_parse(texts[i], strlen(texts[i]), &a))
                fail_msg("cannot parse %s", texts[i]);
        } else {
            for (unsigned k = 0; k < 16; k++)
                a.bytes[k] = (uint8_t)(test_rng_below(&rng, 3) ? 0 : test_rng_u64(&rng) >> 60);
            if (i & 1)
                memset(a.bytes + 10, 0xff, 2);
            if (i & 2) {
                a.family = 4;
                memset(a.bytes + 4, 0, 12);
            }
        }
        gp_addr_format(&a, want, sizeof want);
        got[result_writer_addr(w, got, a.family, a.bytes)] = '\0';
        if (strcmp(got, want) != 0)
            fail_msg("got %s, want %s", got, want);
    }
    result_writer_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),   cmocka_unit_test(test_list_detailed),
        cmocka_unit_test(test_blocks), cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_width),  cmocka_unit_test(test_addr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
