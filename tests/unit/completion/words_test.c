/* words_test.c - splitting the typed line (query.md 8.1; cases K26 to K28). */
#include "words.h"

#include "test.h"

static void test_split(void **state)
{
    (void)state;
    static const struct {
        const char *what, *line;
        const char *words[6]; /* NULL-ended */
        int weird;
    } cases[] = {
        {"empty line", "", {""}, 0},
        {"one word", "goquery", {"goquery"}, 0},
        {"word and blank", "goquery ", {"goquery", ""}, 0},
        {"many blanks", "  a   b  ", {"a", "b", ""}, 0},
        {"tabs are no blanks", "a\tb", {"a\tb"}, 0},
        {"escaped blank", "a\\ b c", {"a b", "c"}, 0},
        {"lone backslash at the end", "a\\", {"a"}, 0},
        {"K26", "\\ \"\\ \\\\\\\"\\n\"", {" ", "\\ \\\"\\n", ""}, 1},
        {"K27", "\"a\"'b'", {"a", "b", ""}, 1},
        {"K28", "''", {"", ""}, 1},
        {"quote ends a word", "a'b' c", {"a", "b", "c"}, 0},
        {"open double quote", "-c \"sip = ", {"-c", "sip = "}, 0},
        {"open single quote", "-c 'sip \\' x", {"-c", "sip \\", "x"}, 0},
        {"double quote in single ones", "'\"", {"\""}, 0},
        {"blank behind a quote", "'a' ", {"a", ""}, 0},
        {"backslash at the end of an open quote", "\"a\\", {"a\\"}, 0},
    };
    gp_arena *arena = gp_arena_new(1 << 20);
    gp_err err = {0};
    assert_non_null(arena);
    for (size_t i = 0; i < COUNT(cases); i++) {
        line_words w;
        size_t n = 0;
        want_ok_err(&err, words_split(cases[i].line, strlen(cases[i].line), arena, &w, &err));
        for (; cases[i].words[n]; n++)
            if (n >= w.n || strcmp(w.v[n], cases[i].words[n]) != 0)
                fail_msg("%s: word %zu: got '%s', want '%s'", cases[i].what, n,
                         n < w.n ? w.v[n] : "nothing", cases[i].words[n]);
        if (w.n != n || w.weird != cases[i].weird)
            fail_msg("%s: got %zu words, weird %d", cases[i].what, w.n, w.weird);
    }
    gp_arena_free(arena);
}

static void test_cut(void **state)
{
    (void)state;
    gp_arena *arena = gp_arena_new(1 << 20);
    line_words w;
    gp_err err = {0};
    assert_non_null(arena);
    want_ok_err(&err, words_split("goquery sip", 9, arena, &w, &err));
    assert_int_equal(w.n, 2);
    assert_string_equal(w.v[1], "s");
    gp_arena_free(arena);
    arena = gp_arena_new(64);
    assert_non_null(arena);
    want_status(GP_ENOMEM, words_split("goquery sip dip dport proto", 27, arena, &w, &err));
    gp_arena_free(arena);
}

/* Any bytes: no more words than bytes + 1, every one within the line's length. */
static void test_random(void **state)
{
    static const char alphabet[] = "ab \"'\\";
    test_rng rng = test_rng_new(7);
    (void)state;
    for (size_t round = 0; round < test_rounds(2000); round++) {
        char line[64];
        size_t len = test_rng_below(&rng, sizeof line), total = 0;
        gp_err err = {0};
        line_words w;
        for (size_t i = 0; i < len; i++)
            line[i] = alphabet[test_rng_below(&rng, sizeof alphabet - 1)];
        gp_arena *arena = gp_arena_new(1 << 16);
        assert_non_null(arena);
        want_ok_err(&err, words_split(line, len, arena, &w, &err));
        assert_in_range(w.n, 1, len + 1);
        for (size_t i = 0; i < w.n; i++)
            total += strlen(w.v[i]);
        assert_true(total <= len);
        gp_arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
