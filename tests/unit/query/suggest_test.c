/* suggest_test.c - the nearest known word, and the lists of words. */
#include "query/suggest.h"

#include "query/fields.h"
#include "test.h"

static void test_nearest(void **state)
{
    static const struct {
        const char *what, *word, *want;
    } cases[] = {
        {"one letter too many", "sipp", "sip"},
        {"two letters missing: something nearer wins", "dprt", "dport"},
        {"swapped neighbours are one edit", "dpotr", "dport"},
        {"other case", "DPORT", "dport"},
        {"one letter wrong", "prpto", "proto"},
        {"long words may have more edits", "agg_tlak_prt", "agg_talk_port"},
        {"nothing near", "bytes_total", NULL},
        {"a third of the letters at most", "xyz", NULL},
        {"all letters replaced is no suggestion", "q", NULL},
        {"empty", "", NULL},
        {"too long to bother",
         "sipsipsipsipsipsipsipsipsipsipsipsipsipsipsipsipsipsipsipsipsipsipsipsip", NULL},
    };
    size_t n;
    const char *const *names = query_field_names(&n);

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *got = query_suggest(cases[i].word, names, n);
        if ((got == NULL) != (cases[i].want == NULL) || (got && strcmp(got, cases[i].want) != 0))
            fail_msg("%s: %s -> %s, want %s", cases[i].what, cases[i].word, got ? got : "nothing",
                     cases[i].want ? cases[i].want : "nothing");
    }
}

static void test_lists(void **state)
{
    size_t n;
    const char *const *names = query_field_names(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        query_fields f;
        want_ok(query_fields_parse(names[i], &f, NULL, NULL));
        assert_string_equal(query_suggest(names[i], names, n), names[i]);
    }
    assert_int_equal((query_cond_attr_names(&n), n), 15);
    assert_int_equal((query_dir_values(&n), n), 8);
    assert_int_equal((query_format_names(&n), n), 6);
    assert_int_equal((query_sort_names(&n), n), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
