/* cond_cases_test.c - conditions: the conformance tables C and D. */
#include "query/cond.h"

#include "cases.h"

/* What part of the text shows the class of a semantic error. */
static const struct {
    const char *class, *part;
} CLASSES[] = {
    {"OP", "not allowed for attribute"},
    {"PORT", "could not parse port"},
    {"PROTO", "could not parse protocol"},
    {"ADDR", "could not parse IP address: "},
    {"NAME", "is neither an ip nor a hostname"},
    {"CIDR", "prefix length"},
    {"CIDR-RANGE", "out of range"},
    {"DIR-OP", "unsupported direction filter comparator: "},
    {"DIR-VAL", "unsupported direction filter: "},
    {"DIR-MISPLACED", "misplaced direction filter"},
    {"DIR-MULTIPLE", "multiple direction filters specified"},
};

static const struct {
    const char *class, *what;
} SYNTAX[] = {
    {"ATTR", "expected attribute"},           {"CMP", "expected comparison operator"},
    {"EOF", "unexpected end of input"},       {"PAREN", "expected \")\", but didn't get it"},
    {"CONT", "input unexpectedly continues"},
};

/* Column of the k-th token (0-based) of text whose tokens are joined by single blanks. */
static size_t column(const char *text, size_t k)
{
    const char *p = text;

    for (; k > 0; k--) {
        const char *blank = strchr(p, ' ');
        if (!blank) /* one past the end */
            return strlen(text) + 1;
        p = blank + 1;
    }
    return (size_t)(p - text);
}

static void check_syntax(const char **r, const query_caret *caret, const char *message)
{
    const char *at = strchr(r[3], '@');
    size_t k = strtoumax(at + 1, NULL, 10), i = 0;

    while (i < COUNT(SYNTAX) && strncmp(r[3], SYNTAX[i].class, (size_t)(at - r[3])) != 0)
        i++;
    assert_true(i < COUNT(SYNTAX));
    if (!caret->text || strcmp(caret->what, SYNTAX[i].what) != 0 ||
        caret->offset != column(caret->text, k))
        fail_msg("%s: %s: got \"%s\" at %zu of \"%s\", want %s", r[0], r[1], caret->what,
                 caret->offset, caret->text, r[3]);
    char *display = gp_asprintf("%s\n%*s^\n%s", caret->text, (int)caret->offset, "", caret->what);
    assert_string_equal(display, message);
    gp_free(display);
}

static void check_semantic(const char **r, const query_caret *caret, const char *message)
{
    size_t i = 0;

    while (i < COUNT(CLASSES) && strcmp(r[3], CLASSES[i].class) != 0)
        i++;
    assert_true(i < COUNT(CLASSES));
    if (caret->text || !strstr(message, CLASSES[i].part) || strchr(message, '\n'))
        fail_msg("%s: %s: got \"%s\", want %s", r[0], r[1], message, r[3]);
}

static void run_table(const char *name, size_t least)
{
    case_table c = cases_load(name, least);

    for (size_t i = 0; i < c.n; i++) {
        const char **r = c.row[i];
        GP_CLEANUP(query_cond_freep) query_cond *q = NULL;
        query_caret caret = {0};
        char *message = NULL;
        gp_err err = {0};
        gp_status st = query_cond_parse(r[1], NULL, NULL, 0, &q, &caret, &message, &err);
        if (strcmp(r[2], "valid") == 0) {
            if (st != GP_OK || strcmp(q->text, r[3]) != 0)
                fail_msg("%s: %s: got \"%s\", want \"%s\"", r[0], r[1], st ? message : q->text,
                         r[3]);
            assert_null(message);
        } else {
            if (st != GP_EINVAL)
                fail_msg("%s: %s: accepted as \"%s\"", r[0], r[1], q ? q->text : "");
            if (strchr(r[3], '@'))
                check_syntax(r, &caret, message);
            else
                check_semantic(r, &caret, message);
            assert_true(err.msg[0] && !strchr(err.msg, '\n'));
        }
        gp_free(message);
        query_caret_clear(&caret);
    }
    cases_free(&c);
}

static void test_conditions(void **state)
{
    (void)state;
    run_table("conditions", 108);
}

static void test_values(void **state)
{
    (void)state;
    run_table("values", 93);
}

/* What is sent on is the statement form: it must mean the same, and be its own statement form. */
static void test_statement_form_is_stable(void **state)
{
    static const char *const tables[] = {"conditions", "values"};

    (void)state;
    for (size_t t = 0; t < COUNT(tables); t++) {
        case_table c = cases_load(tables[t], 1);
        for (size_t i = 0; i < c.n; i++) {
            GP_CLEANUP(query_cond_freep) query_cond *a = NULL, *b = NULL;
            const char **r = c.row[i];
            char *once = query_cond_sanitise(r[1]);
            char *twice = query_cond_sanitise(once);
            assert_string_equal(once, twice);
            if (strcmp(r[2], "valid") == 0) {
                want_ok(query_cond_parse(r[1], NULL, NULL, 0, &a, NULL, NULL, NULL));
                assert_string_equal(a->statement_text, once);
                want_ok(query_cond_parse(once, NULL, NULL, 0, &b, NULL, NULL, NULL));
                assert_string_equal(a->text, b->text);
            }
            gp_free(once);
            gp_free(twice);
        }
        cases_free(&c);
    }
}

/* The result form is a condition too, and its own result form. */
static void test_result_form_is_stable(void **state)
{
    static const char *const tables[] = {"conditions", "values"};

    (void)state;
    for (size_t t = 0; t < COUNT(tables); t++) {
        case_table c = cases_load(tables[t], 1);
        for (size_t i = 0; i < c.n; i++) {
            GP_CLEANUP(query_cond_freep) query_cond *a = NULL;
            if (strcmp(c.row[i][2], "valid") != 0)
                continue;
            want_ok(query_cond_parse(c.row[i][3], NULL, NULL, 0, &a, NULL, NULL, NULL));
            assert_string_equal(a->text, c.row[i][3]);
        }
        cases_free(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_statement_form_is_stable),
        cmocka_unit_test(test_result_form_is_stable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
