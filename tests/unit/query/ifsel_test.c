/* ifsel_test.c - interface selectors: the table of the spec, RE2 habits, limits. */
#include "query/ifsel.h"

#include "cases.h"

static void freep(query_ifsel **s)
{
    query_ifsel_free(*s);
}

static char db_names[][5] = {"eth0", "eth1", "eth2", "tun0"};
static char *const DB[] = {db_names[0], db_names[1], db_names[2], db_names[3]};

/* "eth0,eth1" of what is selected from DB, or "none". */
static const char *selected(const query_ifsel *s, gp_buf *b)
{
    const char **v;
    size_t n;
    gp_err err = {0};

    want_ok_err(&err, query_ifsel_select(s, DB, COUNT(DB), &v, &n, &err));
    gp_buf_clear(b);
    for (size_t i = 0; i < n; i++)
        gp_buf_printf(b, "%s%s", i ? "," : "", v[i]);
    gp_free(v);
    return n ? gp_buf_str(b) : "none";
}

static void test_table(void **state)
{
    case_table c = cases_load("ifaces", 27);
    gp_buf b = {0};

    (void)state;
    for (size_t i = 0; i < c.n; i++) {
        const char **r = c.row[i];
        GP_CLEANUP(freep) query_ifsel *s = NULL;
        gp_err err = {0};
        gp_status st = query_ifsel_parse(r[1], &s, &err);
        if (strcmp(r[2], "error") == 0) {
            if (st != GP_EINVAL || !strstr(err.msg, "invalid interface name: "))
                fail_msg("%s: %s: got %s", r[0], r[1], err.msg);
            continue;
        }
        if (st != GP_OK)
            fail_msg("%s: %s: %s", r[0], r[1], err.msg);
        if (strcmp(r[2], "ok") != 0 && strcmp(selected(s, &b), r[2]) != 0)
            fail_msg("%s: %s: got %s, want %s", r[0], r[1], selected(s, &b), r[2]);
    }
    gp_buf_free(&b);
    cases_free(&c);
}

static void test_patterns(void **state)
{
    static const struct {
        const char *what, *pattern, *want; /* NULL: refused */
    } cases[] = {
        {"commas inside", "/^(eth0|tun0),?$/", "eth0,tun0"},
        {"a slash inside is not the end", "/eth0|\\/x/", "eth0"},
        {"case-sensitive", "/ETH/", "none"},
        {"inline flag", "/(?i)ETH1/", "eth1"},
        {"named group as RE2 spells it", "/^(?P<kind>eth|tun)0$/", "eth0,tun0"},
        {"classes", "/^[[:alpha:]]+\\d$/", "eth0,eth1,eth2,tun0"},
        {"lazy and counted", "/^.{3}?[^0-1]\\z/", "eth2"},
        {"end of text", "/0$/", "eth0,tun0"},
        {"back-references are not RE2", "/(t)\\1/", NULL},
        {"references by name are not RE2", "/(?P<a>t)(?P=a)/", NULL},
        {"look-ahead is not RE2", "/eth(?=0)/", NULL},
        {"negative look-ahead is not RE2", "/eth(?!0)/", NULL},
        {"look-behind is not RE2", "/(?<=t)h/", NULL},
        {"negative look-behind is not RE2", "/(?<!t)h/", NULL},
        {"atomic groups are not RE2", "/(?>eth)/", NULL},
        {"recursion is not RE2", "/(?R)?eth/", NULL},
        {"verbs are not RE2", "/(*UCP)eth/", NULL},
        {"possessive repetition is not RE2", "/h++0/", NULL},
        {"possessive counted repetition is not RE2", "/h{1}+0/", NULL},
        {"escapes of Perl are not RE2", "/eth0\\Z/", NULL},
        {"an escaped plus repeated is", "/\\++/", "none"},
        {"signs in a class are", "/^eth[(?=++)0]$/", "eth0"},
        {"a bracket first in a class is", "/^eth[](?=0]$/", "eth0"},
        {"flags for a group are", "/(?i:ETH)1/", "eth1"},
        {"a named group as Perl spells it is", "/(?<kind>tun)0/", "tun0"},
        {"quoted text is", "/\\Qeth\\E0/", "eth0"},
        {"a byte of a character is refused", "/\\C/", NULL},
        {"a thousand repetitions are", "/^e{0,1000}th0/", "eth0"},
        {"more are not RE2", "/e{1001}/", NULL},
        {"nor as upper end", "/e{1,1001}/", NULL},
        {"a brace that repeats nothing is text", "/h{,5}|h{x|{|eth0/", "eth0"},
        {"categories and scripts are", "/^\\p{L}\\pL\\p{Latin}\\P{Lu}$/", "eth0,eth1,eth2,tun0"},
        {"the negated property is", "/^\\p{^Greek}th0/", "eth0"},
        {"properties of PCRE2 are not RE2", "/\\p{L&}/", NULL},
        {"nor Xan", "/\\p{Xan}/", NULL},
        {"nor small letters", "/\\p{latin}/", NULL},
        {"nor scripts with a key", "/\\p{Script=Latin}/", NULL},
        {"hexadecimal is", "/^\\x65\\x{0074}h0/", "eth0"},
        {"without digits it is not RE2", "/\\x/", NULL},
        {"nor with others", "/\\xG/", NULL},
        {"nor with one", "/\\x6/", NULL},
        {"nor with none in braces", "/\\x{}/", NULL},
        {"octal is", "/\\145th0/", "eth0"},
        {"a reference to an unnamed group is not RE2", "/^(eth)\\1/", NULL},
        {"a word boundary in a class is not RE2", "/[\\b]/", NULL},
        {"quotes in a class are not RE2", "/[\\Qe\\E]/", NULL},
        {"escapes in a class are", "/^[\\x65\\]\\-\\d]th[\\D0]/", "eth0"},
        {"an end of quotes alone is not RE2", "/e\\E/", NULL},
        {"flags off are", "/(?i-s:E)th0/", "eth0"},
        {"no flags off are not RE2", "/(?s-)e/", NULL},
        {"nor a group of none", "/(?-:e)/", NULL},
        {"lazy repetition repeated is not RE2", "/e*?+/", NULL},
        {"unclosed group", "/(eth/", NULL},
        {"malformed UTF-8", "/\xFF/", NULL},
        {"any is no keyword in here", "/any/", "none"},
    };
    gp_buf b = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        GP_CLEANUP(freep) query_ifsel *s = NULL;
        gp_err err = {0};
        gp_status st = query_ifsel_parse(cases[i].pattern, &s, &err);
        if (!cases[i].want) {
            if (st != GP_EINVAL || !strstr(err.msg, "regular expression") ||
                (strstr(cases[i].what, "RE2") && !strstr(err.msg, "RE2 has no such construct")))
                fail_msg("%s: accepted or wrong text: %s", cases[i].what, err.msg);
            continue;
        }
        if (st != GP_OK || strcmp(selected(s, &b), cases[i].want) != 0)
            fail_msg("%s: got %s (%s)", cases[i].what, st ? "error" : selected(s, &b), err.msg);
        assert_true(query_ifsel_is_regex(s));
    }
    gp_buf_free(&b);
}

static void test_facts(void **state)
{
    static const struct {
        const char *what, *text;
        int any;
        size_t positive;
    } cases[] = {
        {"one", "eth0", 0, 1},
        {"repeated", "eth0,eth0", 0, 1},
        {"two", "eth0,eth1", 0, 2},
        {"negatives do not count", "eth0,!eth1", 0, 1},
        {"any", "aNy,!eth0", 1, 0},
        {"a name that contains any", "company0", 0, 1},
        {"not any is a name", "!any", 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        GP_CLEANUP(freep) query_ifsel *s = NULL;
        want_ok(query_ifsel_parse(cases[i].text, &s, NULL));
        if (query_ifsel_is_any(s) != cases[i].any ||
            query_ifsel_n_positive(s) != cases[i].positive || query_ifsel_is_regex(s))
            fail_msg("%s: any %d, positive %zu", cases[i].what, query_ifsel_is_any(s),
                     query_ifsel_n_positive(s));
    }
}

/* As in RE2, $ is the very end, not the place before a line break there. */
static void test_end(void **state)
{
    GP_CLEANUP(freep) query_ifsel *s = NULL;

    (void)state;
    want_ok(query_ifsel_parse("/h0$/", &s, NULL));
    assert_true(query_ifsel_match(s, "eth0"));
    assert_false(query_ifsel_match(s, "eth0\n"));
}

/* A pattern that backtracks without end is stopped and named; the text of a list has a limit. */
static void test_limits(void **state)
{
    static char name[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!";
    char *const all[] = {name};
    const char **v;
    size_t n;
    gp_err err = {0};
    GP_CLEANUP(freep) query_ifsel *s = NULL;
    GP_CLEANUP(gp_freep) char *big = gp_alloc(70001, 1);

    (void)state;
    want_ok(query_ifsel_parse("/^(a+a*)+$/", &s, NULL));
    want_err(GP_ELIMIT, &err, "too long to match", query_ifsel_select(s, all, 1, &v, &n, &err));
    assert_false(query_ifsel_match(s, name));

    memset(big, 'a', 70000);
    big[70000] = 0;
    query_ifsel *none = NULL;
    want_err(GP_EINVAL, &err, "longer than", query_ifsel_parse(big, &none, &err));
    big[0] = big[2000] = '/';
    big[2001] = 0;
    want_err(GP_EINVAL, &err, "regular expression", query_ifsel_parse(big, &none, &err));
    want_err(GP_EINVAL, &err, "nothing given", query_ifsel_parse(NULL, &none, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table), cmocka_unit_test(test_patterns), cmocka_unit_test(test_facts),
        cmocka_unit_test(test_end),   cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
