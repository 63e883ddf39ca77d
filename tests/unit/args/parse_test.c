/* parse_test.c - flag syntax of query.md 2.2: values, clusters, order, commands, messages. */
#include "test.h"

#include "table.h"

/* Words of a command line with '|' between them. */
typedef struct split {
    char text[256];
    char *argv[32];
    int argc;
} split;

static void split_line(split *s, const char *line)
{
    snprintf(s->text, sizeof s->text, "%s", line);
    s->argc = 0;
    s->argv[s->argc++] = (char *)(uintptr_t) "/usr/bin/tool";
    if (!*line)
        return;
    for (char *p = s->text; p;) {
        char *bar = strchr(p, '|');
        if (bar)
            *bar++ = '\0';
        assert_true(s->argc < 31);
        s->argv[s->argc++] = p;
        p = bar;
    }
    s->argv[s->argc] = NULL;
}

/* Everything that can be set, in one line. */
static void show(const table_values *v, const cli_line *l, char *buf, size_t cap)
{
    int n = snprintf(buf, cap,
                     "%s%s%s sum=%d in=%d asc=%d ver=%d det=%d i=%s e=%s f=%s d=%s n=%" PRIu64
                     " m=%" PRId64 " k=%" PRId64 " s=%" PRIu64 " [",
                     l->cmd->name, l->help ? " help" : "", "", v->sum, v->in, v->asc, v->version,
                     v->detailed, v->ifaces, v->format, v->first, v->db, v->limit, v->rows,
                     v->keepalive, v->bytes);
    for (size_t i = 0; i < l->n_words; i++)
        n += snprintf(buf + n, cap - (size_t)n, "%s%s", i ? " " : "", l->words[i]);
    n += snprintf(buf + n, cap - (size_t)n, "]");
    for (size_t i = 0; i < v->hosts.n; i++)
        n += snprintf(buf + n, cap - (size_t)n, " h=%s", v->hosts.v[i]);
}

#define PLAIN " sum=0 in=0 asc=0 ver=0 det=0 i= e=txt f= d= n=1000 m=25 k=0 s=0 "

static void test_good(void **state)
{
    (void)state;
    static const struct {
        const char *line, *want;
    } cases[] = {
        {"", "tool" PLAIN "[]"},
        {"sip", "tool" PLAIN "[sip]"},
        {"sip|dip", "tool" PLAIN "[sip dip]"},
        {"-n|5|sip", "tool sum=0 in=0 asc=0 ver=0 det=0 i= e=txt f= d= n=5 m=25 k=0 s=0 [sip]"},
        {"-n5|sip", "tool sum=0 in=0 asc=0 ver=0 det=0 i= e=txt f= d= n=5 m=25 k=0 s=0 [sip]"},
        {"-n=5|sip", "tool sum=0 in=0 asc=0 ver=0 det=0 i= e=txt f= d= n=5 m=25 k=0 s=0 [sip]"},
        {"--results.limit=5|sip",
         "tool sum=0 in=0 asc=0 ver=0 det=0 i= e=txt f= d= n=5 m=25 k=0 s=0 [sip]"},
        {"sip|--results.limit|5|--sum",
         "tool sum=1 in=0 asc=0 ver=0 det=0 i= e=txt f= d= n=5 m=25 k=0 s=0 [sip]"},
        {"-n|1|-n|2|sip",
         "tool sum=0 in=0 asc=0 ver=0 det=0 i= e=txt f= d= n=2 m=25 k=0 s=0 [sip]"},
        {"-ar|x", "tool sum=0 in=1 asc=1 ver=0 det=0 i= e=txt f= d= n=1000 m=25 k=0 s=0 [x]"},
        {"-an|5|x", "tool sum=0 in=0 asc=1 ver=0 det=0 i= e=txt f= d= n=5 m=25 k=0 s=0 [x]"},
        {"-arn5|x", "tool sum=0 in=1 asc=1 ver=0 det=0 i= e=txt f= d= n=5 m=25 k=0 s=0 [x]"},
        {"-ar=false|x", "tool sum=0 in=0 asc=1 ver=0 det=0 i= e=txt f= d= n=1000 m=25 k=0 s=0 [x]"},
        {"--sum|true",
         "tool sum=1 in=0 asc=0 ver=0 det=0 i= e=txt f= d= n=1000 m=25 k=0 s=0 [true]"},
        {"--sum=T|x", "tool sum=1 in=0 asc=0 ver=0 det=0 i= e=txt f= d= n=1000 m=25 k=0 s=0 [x]"},
        {"--sum|--sum=False|x", "tool" PLAIN "[x]"},
        {"-f|-1d|x", "tool sum=0 in=0 asc=0 ver=0 det=0 i= e=txt f=-1d d= n=1000 m=25 k=0 s=0 [x]"},
        {"-f|--|x", "tool sum=0 in=0 asc=0 ver=0 det=0 i= e=txt f=-- d= n=1000 m=25 k=0 s=0 [x]"},
        {"--first=|x", "tool" PLAIN "[x]"},
        {"-|x", "tool" PLAIN "[- x]"},
        {"--|-n|--sum", "tool" PLAIN "[-n --sum]"},
        {"x|--|list", "tool" PLAIN "[x list]"},
        {"-n0x10|x", "tool sum=0 in=0 asc=0 ver=0 det=0 i= e=txt f= d= n=16 m=25 k=0 s=0 [x]"},
        {"-n010|x", "tool sum=0 in=0 asc=0 ver=0 det=0 i= e=txt f= d= n=8 m=25 k=0 s=0 [x]"},
        {"-n0o17|x", "tool sum=0 in=0 asc=0 ver=0 det=0 i= e=txt f= d= n=15 m=25 k=0 s=0 [x]"},
        {"-n0b101|x", "tool sum=0 in=0 asc=0 ver=0 det=0 i= e=txt f= d= n=5 m=25 k=0 s=0 [x]"},
        {"-n1_000_000|x",
         "tool sum=0 in=0 asc=0 ver=0 det=0 i= e=txt f= d= n=1000000 m=25 k=0 s=0 [x]"},
        {"-n18446744073709551615|x", "tool sum=0 in=0 asc=0 ver=0 det=0 i= e=txt f= d= "
                                     "n=18446744073709551615 m=25 k=0 s=0 [x]"},
        {"--max-rows|-3|-k1m30s|--size|64K|x", "tool sum=0 in=0 asc=0 ver=0 det=0 i= e=txt f= d= "
                                               "n=1000 m=-3 k=90000000000 s=65536 [x]"},
        {"--host|a|--host=b|x", "tool" PLAIN "[x] h=a h=b"},
        {"list|eth0", "list" PLAIN "[eth0]"},
        {"list|-v|eth0", "list sum=0 in=0 asc=0 ver=0 det=1 i= e=txt f= d= n=1000 m=25 k=0 s=0 "
                         "[eth0]"},
        {"-v|list", "list sum=0 in=0 asc=0 ver=0 det=1 i= e=txt f= d= n=1000 m=25 k=0 s=0 []"},
        {"-v|sip", "tool sum=0 in=0 asc=0 ver=1 det=0 i= e=txt f= d= n=1000 m=25 k=0 s=0 [sip]"},
        {"-d|list|list|--first|list",
         "list sum=0 in=0 asc=0 ver=0 det=0 i= e=txt f=list d=list n=1000 m=25 k=0 s=0 []"},
        {"sip|list", "tool" PLAIN "[sip list]"},
        {"config|set|x", "set" PLAIN "[x]"},
        {"config|-ejson|set|x", "set sum=0 in=0 asc=0 ver=0 det=0 i= e=json f= d= n=1000 m=25 k=0 "
                                "s=0 [x]"},
        {"-h", "tool help" PLAIN "[]"},
        {"list|--help|-v", "list help sum=0 in=0 asc=0 ver=0 det=1 i= e=txt f= d= n=1000 m=25 k=0 "
                           "s=0 []"},
        {"-hv|x", "tool help sum=0 in=0 asc=0 ver=1 det=0 i= e=txt f= d= n=1000 m=25 k=0 s=0 [x]"},
        {"--help=false|x", "tool" PLAIN "[x]"},
        {"-h=0|x", "tool" PLAIN "[x]"},
        {"--secret", "tool sum=1 in=0 asc=0 ver=0 det=0 i= e=txt f= d= n=1000 m=25 k=0 s=0 []"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        table_values v = {0};
        cli_line l;
        gp_err err = {0};
        split s;
        char got[512];
        split_line(&s, cases[i].line);
        if (cli_parse(&table_root, s.argc, s.argv, &v, &l, &err) != GP_OK)
            fail_msg("%s: %s", cases[i].line, err.msg);
        show(&v, &l, got, sizeof got);
        if (strcmp(got, cases[i].want) != 0)
            fail_msg("%s:\n got %s\nwant %s", cases[i].line, got, cases[i].want);
        assert_string_equal(l.program, "tool");
        cli_line_free(&l);
        assert_int_equal(v.hosts.n, 0);
    }
}

static void test_bad(void **state)
{
    (void)state;
    static const struct {
        const char *line, *want;
    } cases[] = {
        {"--bogus|x", "unknown flag: --bogus"},
        {"list|--help|--bogus", "unknown flag: --bogus"},
        {"-h|-n|x",
         "invalid argument \"x\" for \"-n, --results.limit\" flag: expected a whole number, "
         "0 or more"},
        {"--help=maybe",
         "invalid argument \"maybe\" for \"-h, --help\" flag: expected true or false"},
        {"-n|+2",
         "invalid argument \"+2\" for \"-n, --results.limit\" flag: expected a whole number, 0 "
         "or more"},
        {"--resluts.limit|5", "unknown flag: --resluts.limit (did you mean --results.limit?)"},
        {"--limit|5", "unknown flag: --limit (did you mean --results.limit?)"},
        {"-i|eth0|list", "unknown shorthand flag: 'i' in -i"},
        {"--ifaces=eth0|list", "unknown flag: --ifaces"},
        {"-ax", "unknown shorthand flag: 'x' in -ax"},
        {"-sum", "unknown shorthand flag: 's' in -sum"},
        {"-\xc3\xa4", "unknown shorthand flag in -\xc3\xa4"},
        {"--=x", "bad flag syntax: --=x"},
        {"---sum", "bad flag syntax: ---sum"},
        {"-f", "flag needs an argument: 'f' in -f"},
        {"-af", "flag needs an argument: 'f' in -af"},
        {"--first", "flag needs an argument: --first"},
        {"--sum=maybe", "invalid argument \"maybe\" for \"--sum\" flag: expected true or false"},
        {"--sum=", "invalid argument \"\" for \"--sum\" flag: expected true or false"},
        {"-n|-5", "invalid argument \"-5\" for \"-n, --results.limit\" flag: expected a whole "
                  "number, 0 or more"},
        {"-n|5x", "invalid argument \"5x\" for \"-n, --results.limit\" flag: expected a whole "
                  "number, 0 or more"},
        {"-n|18446744073709551616", "invalid argument \"18446744073709551616\" for \"-n, "
                                    "--results.limit\" flag: out of range"},
        {"--max-rows|-9223372036854775809",
         "invalid argument \"-9223372036854775809\" for \"--max-rows\" flag: out of range"},
        {"-k|9999999h", "invalid argument \"9999999h\" for \"-k, --keepalive\" flag: out of range"},
        {"-n|08", "invalid argument \"08\" for \"-n, --results.limit\" flag: expected a whole "
                  "number, 0 or more"},
        {"-k|5", "invalid argument \"5\" for \"-k, --keepalive\" flag: expected a duration with "
                 "units, such as 30s, 5m or 1h30m"},
        {"--max-rows=1.5", "invalid argument \"1.5\" for \"--max-rows\" flag: expected a whole "
                           "number"},
        {"--size=x", "invalid argument \"x\" for \"--size\" flag: expected a size such as 500K, "
                     "64M or 2G"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        table_values v = {0};
        cli_line l;
        gp_err err = {0};
        split s;
        split_line(&s, cases[i].line);
        gp_status st = cli_parse(&table_root, s.argc, s.argv, &v, &l, &err);
        if (st != GP_EINVAL || strcmp(err.msg, cases[i].want) != 0)
            fail_msg("%s:\n got %s: %s\nwant %s", cases[i].line, gp_status_name(st), err.msg,
                     cases[i].want);
        cli_line_free(&l);
    }
}

/* CLI_NOT_BELOW_0 and CLI_ONE_OF. */
static void test_refused_values(void **state)
{
    (void)state;
    static const char *const when[] = {"auto", "always", "never", NULL};
    static const struct {
        cli_opt o;
        const char *text, *want; /* NULL: taken */
    } cases[] = {
        {{.name = "wait", .type = CLI_DURATION, .flags = CLI_NOT_BELOW_0}, "0", NULL},
        {{.name = "wait", .type = CLI_DURATION, .flags = CLI_NOT_BELOW_0}, "1h", NULL},
        {{.name = "wait", .type = CLI_DURATION, .flags = CLI_NOT_BELOW_0},
         "-1ns",
         "f: wait: expected a duration of 0 or more, such as 30s, 5m or 1h30m, got \"-1ns\""},
        {{.name = "wait", .type = CLI_DURATION}, "-1s", NULL},
        {{.name = "rows", .type = CLI_I64, .flags = CLI_NOT_BELOW_0}, "0", NULL},
        {{.name = "rows", .type = CLI_I64, .flags = CLI_NOT_BELOW_0},
         "-1",
         "f: rows: expected a whole number, 0 or more, got \"-1\""},
        {{.name = "when", .type = CLI_STRING, .choices = when, .flags = CLI_ONE_OF}, "never", NULL},
        {{.name = "when", .type = CLI_STRING, .choices = when, .flags = CLI_ONE_OF},
         "Never",
         "f: when: expected auto, always or never, got \"Never\""},
        {{.name = "when", .type = CLI_STRING, .choices = when}, "Never", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        union {
            int64_t number;
            const char *text;
        } v = {.number = 0};
        gp_err err = {0};
        gp_status st = cli_set(&cases[i].o, cases[i].text, &v, "f", &err);
        if ((st == GP_OK) != !cases[i].want || (st != GP_OK && strcmp(err.msg, cases[i].want) != 0))
            fail_msg("%s %s: %s", cases[i].o.name, cases[i].text, err.msg);
    }
}

static void test_given_and_set(void **state)
{
    (void)state;
    table_values v = {0};
    cli_line l;
    gp_err err = {0};
    split s;
    split_line(&s, "-n|5|sip|-aaaaaaaaaaaaaaaaaaaaaaa");
    want_ok(cli_parse(&table_root, s.argc, s.argv, &v, &l, &err));
    assert_true(cli_given(&l, "results.limit"));
    assert_false(cli_given(&l, "first"));
    const cli_opt *o = cli_find(&l, "DB.Path");
    assert_non_null(o);
    assert_true(o->flags & CLI_CONFIG);
    want_ok(cli_set(o, "/srv/db", &v, "x.yaml", &err));
    assert_string_equal(v.db, "/srv/db");
    assert_null(cli_find(&l, "detailed"));
    want_err(GP_EINVAL, &err, "x.yaml: keepalive: expected a duration",
             cli_set(cli_find(&l, "keepalive"), "5", &v, "x.yaml", &err));
    cli_line_free(&l);
    split_line(&s, "list|-v");
    want_ok(cli_parse(&table_root, s.argc, s.argv, &v, &l, &err));
    assert_string_equal(cli_find(&l, "detailed")->name, "detailed");
    assert_null(cli_find(&l, "ifaces"));
    assert_null(cli_find(&l, "version")); /* its letter is taken here */
    cli_line_free(&l);
}

static void test_command(void **state)
{
    (void)state;
    const char *words[] = {"config", "set", "more"};
    assert_ptr_equal(cli_command(&table_root, words, 3), &table_set);
    assert_ptr_equal(cli_command(&table_root, words, 1), &table_config);
    assert_ptr_equal(cli_command(&table_root, words + 2, 1), &table_root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),           cmocka_unit_test(test_bad),
        cmocka_unit_test(test_refused_values), cmocka_unit_test(test_given_and_set),
        cmocka_unit_test(test_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
