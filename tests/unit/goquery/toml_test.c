/* toml_test.c - TOML and .env files: what they set, and errors with line numbers. */
#include "toml.h"

#include "test.h"

static gp_status on_setting(void *ctx, const char *key, const char *value, unsigned line,
                            gp_err *err)
{
    gp_buf *out = ctx;
    (void)err;
    gp_buf_printf(out, "%u:%s=%s;", line, key, value);
    return GP_OK;
}

struct row {
    const char *what, *text, *want; /* want: settings, or "! message" */
};

static void check(const struct row *rows, size_t n,
                  gp_status (*parse)(const char *, size_t, goquery_setting_fn, void *, gp_err *))
{
    for (size_t i = 0; i < n; i++) {
        gp_buf out = {0};
        gp_err err = {0};
        gp_status st = parse(rows[i].text, strlen(rows[i].text), on_setting, &out, &err);
        if (rows[i].want[0] == '!') {
            if (st != GP_EINVAL || strcmp(err.msg, rows[i].want + 2) != 0)
                fail_msg("%s: got %s: %s", rows[i].what, gp_status_name(st), err.msg);
        } else if (st != GP_OK || strcmp(gp_buf_str(&out), rows[i].want) != 0) {
            fail_msg("%s: got %s (%s)", rows[i].what, gp_buf_str(&out), err.msg);
        }
        gp_buf_free(&out);
    }
}

static void test_toml(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"empty", "", ""},
        {"comments", "# a\n\n  # b", ""},
        {"scalars", "a = 1\nb = true # c\nc=-1.5e3", "1:a=1;2:b=true;3:c=-1.5e3;"},
        {"CRLF", "a = 1\r\nb = 2\r\n", "1:a=1;2:b=2;"},
        {"byte order mark",
         "\xef\xbb\xbf"
         "a = 1",
         "1:a=1;"},
        {"tables", "[db]\npath = '/x'\n[query.server]\naddr = \"y\"\n",
         "2:db.path=/x;4:query.server.addr=y;"},
        {"dotted keys", "db . path = 'x'\n\"a b\".'c' = 2", "1:db.path=x;2:a b.c=2;"},
        {"escapes", "a = \"\\t\\\"\\\\\\u00e9\\U0001F600\\e\"",
         "1:a=\t\"\\\xc3\xa9\xf0\x9f\x98\x80\033;"},
        {"literal", "a = '\\t\"'", "1:a=\\t\";"},
        {"multi-line", "a = \"\"\"\nx\\\n   y\nz\"\"\"\nb = 1", "4:a=xy\nz;5:b=1;"},
        {"multi-line literal", "a = '''x\n''y'''", "2:a=x\n''y;"},
        {"quotes at the end", "a = \"\"\"x\"\"\"\"\"", "1:a=x\"\";"},
        {"arrays are skipped", "a = [1, [\"]\", {b = 2}], # c\n]\nd = 1", "3:d=1;"},
        {"inline table", "db = { path = 'x', a.b = 1 }", "1:db.path=x;1:db.a.b=1;"},
        {"empty inline table", "a = {}\nb=[]", ""},
        {"array of tables", "[[x]]\na = 1\n[db]\npath = '2'", "2:x[].a=1;4:db.path=2;"},
        {"time", "a = 1979-05-27 07:32:00Z # x", "1:a=1979-05-27 07:32:00Z;"},
        {"no value", "a =\n", "! line 1: expected a value"},
        {"no key", "\n= 1", "! line 2: expected a key"},
        {"no equals", "a 1", "! line 1: expected = after the key"},
        {"text behind", "a = 'x' y", "! line 1: expected the end of the line"},
        {"open string", "\na = \"x\nb = 1", "! line 2: string is not closed"},
        {"open multi-line string", "a = '''x\n", "! line 2: string is not closed"},
        {"bad escape", "a = \"\\q\"", "! line 1: unknown escape in a string"},
        {"bad digits", "a = \"\\u12g4\"", "! line 1: expected hexadecimal digits after \\u"},
        {"surrogate", "a = \"\\ud800\"", "! line 1: no such Unicode character"},
        {"NUL escape", "a = \"\\u0000\"", "! line 1: no such Unicode character"},
        {"table not closed", "[a", "! line 1: expected ] after the table's name"},
        {"array of tables not closed", "[[a]", "! line 1: expected ] after the table's name"},
        {"array not closed", "a = [1\n b", "! line 2: expected , or ] in an array"},
        {"inline table over lines", "a = {b = 1,\n}", "! line 1: expected a key"},
    };
    check(rows, COUNT(rows), goquery_toml);
}

static void test_depth(void **state)
{
    char text[256] = "a = ";
    gp_buf out = {0};
    gp_err err = {0};
    (void)state;
    memset(text + 4, '[', 200);
    want_err(GP_EINVAL, &err, "nested too deeply",
             goquery_toml(text, strlen(text), on_setting, &out, &err));
    gp_buf_free(&out);
}

static void test_dotenv(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"plain", "A=1\nexport B_C = x y # c\n#d\n\nE.F=", "1:A=1;2:B_C=x y;5:E.F=;"},
        {"quoted", "A=\"x # y\" # c\nB='\\n'", "1:A=x # y;2:B=\\n;"},
        {"brackets stay", "A=[1]{#}", "1:A=[1]{#};"},
        {"CRLF", "A=1\r\nB=2\r\n", "1:A=1;2:B=2;"},
        {"no equals", "A\n", "! line 1: expected KEY=VALUE"},
        {"no key", "\n=1", "! line 2: expected KEY=VALUE"},
        {"open quote", "A='x\n", "! line 1: string is not closed"},
        {"text behind", "A='x' y\n", "! line 1: expected the end of the line"},
    };
    check(rows, COUNT(rows), goquery_dotenv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_toml),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_dotenv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
