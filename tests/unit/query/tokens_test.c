/* tokens_test.c - the scanner of conditions: spellings only where an operator can stand. */
#include "query/tokens.h"

#include "query/cond.h"
#include "test.h"

static void test_spellings(void **state)
{
    static const struct {
        const char *what, *text, *want;
    } cases[] = {
        {"no blanks needed around + between comparisons", "dport=22+proto=17",
         "dport = 22 | proto = 17"},
        {"blank after + only", "dport=22+ proto=17", "dport = 22 | proto = 17"},
        {"blank before * only", "dport=22 *proto=17", "dport = 22 & proto = 17"},
        {"+ before a bracket", "dport=22+(proto=17)", "dport = 22 | ( proto = 17 )"},
        {"+ before !", "dport=22*!proto=17", "dport = 22 & ! proto = 17"},
        {"+ before not", "dport=22+not proto=17", "dport = 22 | ! proto = 17"},
        {"+ before a word operator", "dport=22+proto eq 17", "dport = 22 | proto = 17"},
        {"+ inside a value", "proto = tp++ & dport = 1", "proto = tp++ & dport = 1"},
        {"+ inside a value before and", "proto = tp++ and dport = 1", "proto = tp++ & dport = 1"},
        {"+ after a bracket", "(dport=1)+dport=2", "( dport = 1 ) | dport = 2"},
        {"doubled symbols", "a=1&&b=2||c=3", "a = 1 & b = 2 | c = 3"},
        {"single and tripled =", "a===1", "a = 1"},
        {"four = are two tokens", "a====1", "a = = 1"},
        {"!== and >== and <===", "a!==1 b>==1 c<===1", "a != 1 b >= 1 c <= 1"},
        {"brackets of all kinds", "[{(a=1)}]", "( ( ( a = 1 ) ) )"},
        {"kinds need not match", "[a=1)", "( a = 1 )"},
        {"and between brackets", "(a=1)and(b=2)", "( a = 1 ) & ( b = 2 )"},
        {"not before each bracket", "not(a=1) and not[b=2] or not{c=3}",
         "! ( a = 1 ) & ! ( b = 2 ) | ! ( c = 3 )"},
        {"and not", "a = 1 and not b = 2", "a = 1 & ! b = 2"},
        {"not after a bracket", "(not a = 1)", "( ! a = 1 )"},
        {"a value called l", "sip = l & dip = g", "sip = l & dip = g"},
        {"a value called not", "sip = not", "sip = not"},
        {"a value called and", "sip = and and dip = or", "sip = and & dip = or"},
        {"an attribute called g is an attribute", "g = 5", "g = 5"},
        {"word operators need blanks", "dport eq22", "dport eq22"},
        {"not before !", "not!a = 1", "! ! a = 1"},
        {"line breaks and tabs", "a\n=\t1\r\nand\tb=2", "a = 1 & b = 2"},
        {"vertical tabs and form feeds are no white space", "a\v=\f1", "a\v = \f1"},
        {"a word takes its blanks along: ! eq", "a ! eq 1 b !\tequals 2", "a != 1 b != 2"},
        {"> eq, < eq", "a > eq 1 b < -eq 2", "a >= 1 b <= 2"},
        {"lt =, gt ==", "a lt = 1 b greater == 2 c -g\n=== 3", "a <= 1 b >= 2 c >= 3"},
        {"not =", "a not = 1 b not =2", "a != 1 b != 2"},
        {"symbols keep theirs", "a ! = 1 b < = 2", "a ! = 1 b < = 2"},
        {"> eq wants a blank behind it", "a > eq", "a > eq"},
        {"upper case", "SIP EQ FE80::1 AND NOT DPORT LESS 5", "sip = fe80::1 & ! dport < 5"},
        {"a + that starts a value", "dport = +22", "dport = +22"},
        {"empty", "", ""},
        {"blanks", " \t ", ""},
        {"every word operator",
         "a eq 1 a -eq 1 a equals 1 a ne 1 a -ne 1 a neq 1 a -neq 1 a le 1 a -le 1 a leq 1 a -leq "
         "1 "
         "a ge 1 a -ge 1 a geq 1 a -geq 1 a l 1 a -l 1 a lt 1 a -lt 1 a less 1 a g 1 a -g 1 a gt 1 "
         "a -gt 1 a greater 1",
         "a = 1 a = 1 a = 1 a != 1 a != 1 a != 1 a != 1 a <= 1 a <= 1 a <= 1 a <= 1 a >= 1 a >= 1 "
         "a >= 1 a >= 1 a < 1 a < 1 a < 1 a < 1 a < 1 a > 1 a > 1 a > 1 a > 1 a > 1"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *got = query_cond_sanitise(cases[i].text);
        if (strcmp(got, cases[i].want) != 0)
            fail_msg("%s: got '%s'", cases[i].what, got);
        char *again = query_cond_sanitise(got);
        assert_string_equal(again, got);
        gp_free(again);
        gp_free(got);
    }
}

static void test_tokens(void **state)
{
    query_tokens t = {0};

    (void)state;
    want_ok(query_tokens_scan("dport >= 80 AND x", &t, NULL));
    assert_int_equal(t.n, 5);
    assert_int_equal(t.v[1].kind, QUERY_TOK_GE);
    assert_int_equal(t.v[3].kind, QUERY_TOK_AND);
    assert_true(query_token_is(&t.v[4], "x"));
    assert_false(query_token_is(&t.v[4], "xy"));
    assert_false(t.ends_in_space);
    query_tokens_clear(&t);
    want_ok(query_tokens_scan("dport ", &t, NULL));
    assert_true(t.ends_in_space);
    query_tokens_clear(&t);
    want_ok(query_tokens_scan(NULL, &t, NULL));
    assert_int_equal(t.n, 0);
    query_tokens_clear(&t);
}

static void test_limits(void **state)
{
    static const size_t big = 1024 * 1024;
    GP_CLEANUP(gp_freep) char *s = gp_alloc(big + 2, 1);
    query_tokens t = {0};
    gp_err err = {0};

    (void)state;
    assert_non_null(s);
    memset(s, 'a', big + 1);
    s[big + 1] = 0;
    want_err(GP_EINVAL, &err, "condition too long", query_tokens_scan(s, &t, &err));
    s[65537] = 0;
    want_err(GP_EINVAL, &err, "token too long", query_tokens_scan(s, &t, &err));
    s[65536] = 0;
    want_ok(query_tokens_scan(s, &t, NULL));
    query_tokens_clear(&t);
    memset(s, '(', big);
    s[big] = 0;
    want_ok(query_tokens_scan(s, &t, NULL));
    assert_int_equal(t.n, big);
    query_tokens_clear(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
