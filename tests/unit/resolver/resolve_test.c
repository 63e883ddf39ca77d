/* resolve_test.c - selectors, host lists, fixed lists and commands to host IDs. */
#include "resolver/resolver.h"

#include "test.h"

#include <sys/stat.h>

static const char *const ids[] = {"edge-1", "edge-2", "fw1.zrh", "fw2.zrh", "fw3.zrh"};

static const char *id_of(void *ctx, size_t i)
{
    (void)ctx;
    return ids[i];
}

static int in_group(void *ctx, size_t i, const char *group)
{
    (void)ctx;
    return (strcmp(group, "zrh") == 0 && i >= 2) ||
           (strcmp(group, "first") == 0 && (i == 0 || i == 2));
}

static const resolver_known known = {.n = COUNT(ids), .id = id_of, .in_group = in_group};

static char *joined(const resolver_hosts *h)
{
    gp_buf b = {0};
    for (size_t i = 0; i < h->n; i++)
        gp_buf_printf(&b, "%s%s", i ? " " : "", h->v[i]);
    gp_buf_str(&b);
    return gp_buf_take(&b);
}

static void expect(const resolver_set *s, const char *type, const char *sel, const char *want)
{
    resolver_hosts h = {0};
    gp_err err = {0};
    gp_status st = resolver_resolve(s, type, sel, &known, &h, &err);
    if (st != GP_OK)
        fail_msg("%s \"%s\": %s", type, sel, err.msg);
    char *got = joined(&h);
    if (strcmp(got, want) != 0)
        fail_msg("%s \"%s\": got \"%s\", want \"%s\"", type, sel, got, want);
    gp_free(got);
    resolver_hosts_clear(&h);
}

static void refuse(const resolver_set *s, const char *type, const char *sel, gp_status st,
                   const char *text)
{
    resolver_hosts h = {0};
    gp_err err = {0};
    want_err(st, &err, text, resolver_resolve(s, type, sel, &known, &h, &err));
    assert_int_equal(h.n, 0);
}

static void test_string(void **state)
{
    (void)state;
    static const struct {
        const char *sel, *want;
    } cases[] = {
        {"any", "edge-1 edge-2 fw1.zrh fw2.zrh fw3.zrh"},
        {" Any ", "edge-1 edge-2 fw1.zrh fw2.zrh fw3.zrh"},
        {"a,,b, a", "a b"},
        {"z,fw1.zrh,a", "a fw1.zrh z"},
        {"any,!fw3.zrh", "edge-1 edge-2 fw1.zrh fw2.zrh"},
        {"any,!fw*", "edge-1 edge-2"},
        {"fw[1-2].zrh", "fw1.zrh fw2.zrh"},
        {"fw[8-9].zrh", "fw8.zrh fw9.zrh"},
        {"*-2,nowhere", "edge-2 nowhere"},
        {"@zrh", "fw1.zrh fw2.zrh fw3.zrh"},
        {"@zrh,!@first", "fw2.zrh fw3.zrh"},
        {"!@zrh,any", "edge-1 edge-2"},
        {"!fw1.zrh", ""},
        {"nothing-matches-*", ""},
    };
    resolver_set *s = NULL;
    want_ok(resolver_set_new(NULL, 0, NULL, &s, NULL));
    for (size_t i = 0; i < COUNT(cases); i++)
        expect(s, i % 2 ? "string" : NULL, cases[i].sel, cases[i].want);
    refuse(s, NULL, "", GP_EINVAL, "empty");
    refuse(s, NULL, " , ", GP_EINVAL, "empty");
    refuse(s, NULL, "@nobody", GP_ENOTFOUND, "unknown group \"@nobody\"");
    refuse(s, NULL, "h[1-99999999]", GP_ELIMIT, "too many");
    refuse(s, "ldap", "any", GP_ENOTFOUND, "unknown resolver \"ldap\"");
    refuse(s, "file", "any", GP_ENOTFOUND, "not configured");
    resolver_set_free(s);
}

static char *write_text(const char *dir, const char *name, const char *text, mode_t mode)
{
    char *path = gp_asprintf("%s/%s", dir, name);
    assert_non_null(path);
    test_spew(path, text, strlen(text));
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

static void test_file(void **state)
{
    (void)state;
    static const char list[] =
        "# fleet\nfw[01-03].zrh   # three\n\n lone \r\n@dmz: edge-1, edge-[2-3]\n"
        "@all-fw: fw*.zrh, spare\n@both: @dmz,@all-fw,!edge-3\n";
    static const struct {
        const char *sel, *want;
    } cases[] = {
        {"any", "edge-1 edge-2 edge-3 fw01.zrh fw02.zrh fw03.zrh lone spare"},
        {"@dmz", "edge-1 edge-2 edge-3"},
        {"@all-fw", "fw01.zrh fw02.zrh fw03.zrh spare"},
        {"@both", "edge-1 edge-2 fw01.zrh fw02.zrh fw03.zrh spare"},
        {"any,!@dmz,!lone", "fw01.zrh fw02.zrh fw03.zrh spare"},
        {"fw*,other", "fw01.zrh fw02.zrh fw03.zrh other"},
    };
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    char *path = write_text(dir, "hosts", list, 0644);
    resolver_conf conf = {"file", path, NULL};
    resolver_set *s = NULL;
    gp_err err = {0};
    want_ok_err(&err, resolver_set_new(&conf, 1, "file", &s, &err));
    for (size_t i = 0; i < COUNT(cases); i++)
        expect(s, NULL, cases[i].sel, cases[i].want);
    expect(s, "string", "any", "edge-1 edge-2 fw1.zrh fw2.zrh fw3.zrh");
    refuse(s, "file", "@zrh", GP_ENOTFOUND, "@zrh");
    resolver_set_free(s);
    gp_free(path);
}

static void test_file_errors(void **state)
{
    (void)state;
    static const struct {
        const char *what, *text, *msg;
    } cases[] = {
        {"unknown group", "a\n@x: @y\n", ":2: unknown group \"@y\""},
        {"group twice", "@x: a\n@x: b\n", ":2: group @x appears twice"},
        {"no name", "@: a\n", ":1: expected \"@group: host, host\""},
        {"only an exclusion", "a\n!a\n", ":2: names no host"},
        {"a glob of nothing", "a\nb*\n", ":2: names no host"},
        {"bad range", "a\nb\nfw[9-1]\n", ":3: host selector"},
        {"blank in a name", "fw 1\n", ":1: host selector"},
    };
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *path = write_text(dir, "hosts", cases[i].text, 0644);
        resolver_conf conf = {"file", path, NULL};
        resolver_set *s = NULL;
        gp_err err = {0};
        if (resolver_set_new(&conf, 1, NULL, &s, &err) == GP_OK || !strstr(err.msg, cases[i].msg))
            fail_msg("%s: got \"%s\"", cases[i].what, err.msg);
        gp_free(path);
    }
    resolver_set *s = NULL;
    gp_err err = {0};
    resolver_conf none = {"file", "", NULL}, missing = {"file", "/nonexistent/list", NULL};
    want_status(GP_EINVAL, resolver_set_new(&none, 1, NULL, &s, &err));
    want_status(GP_ENOTFOUND, resolver_set_new(&missing, 1, NULL, &s, &err));
}

static void test_static(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    char *path = write_text(dir, "ids", "ids:\n  - b\n  - a\n", 0644);
    char *empty = write_text(dir, "empty", "ids: []\n", 0644);
    resolver_conf confs[] = {{"static", path, NULL},
                             {"static", empty, NULL}}; /* the first of a type wins */
    resolver_set *s = NULL;
    gp_err err = {0};
    want_ok_err(&err, resolver_set_new(confs, 2, NULL, &s, &err));
    expect(s, "static", "whatever", "a b");
    refuse(s, "static", "", GP_EINVAL, "empty");
    resolver_set_free(s);
    want_status(GP_EINVAL, resolver_set_new(confs + 1, 1, NULL, &s, &err));
    want_ok_err(&err, resolver_set_new(NULL, 0, "static", &s, &err)); /* no file: no hosts */
    expect(s, NULL, "x", "");
    resolver_set_free(s);
    gp_free(path);
    gp_free(empty);
}

static void test_command(void **state)
{
    (void)state;
    static const struct {
        const char *what, *script, *want, *error;
    } cases[] = {
        {"hosts", "#!/bin/sh\nprintf 'b\\n a \\n\\n# c\\nb\\n'\n", "a b", NULL},
        {"selector is the argument", "#!/bin/sh\n[ $# = 1 ] && echo \"got-$1\"\n", "got-x;rm",
         NULL},
        {"exit code", "#!/bin/sh\necho a\nexit 3\n", NULL, "exit code 3"},
        {"signal", "#!/bin/sh\nkill -9 $$\n", NULL, "signal 9"},
        {"not a host", "#!/bin/sh\necho 'a b'\n", NULL, "printed \"a b\""},
        {"selector syntax", "#!/bin/sh\necho '!a'\n", NULL, "printed \"!a\""},
        {"NUL", "#!/bin/sh\nprintf 'a\\0b'\n", NULL, "no text"},
    };
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *path = write_text(dir, "cmd", cases[i].script, 0755);
        resolver_conf conf = {"command", path, NULL};
        resolver_set *s = NULL;
        gp_err err = {0};
        want_ok_err(&err, resolver_set_new(&conf, 1, "command", &s, &err));
        if (cases[i].want) {
            expect(s, NULL, "x;rm", cases[i].want);
        } else {
            resolver_hosts h = {0};
            if (resolver_resolve(s, NULL, "x", &known, &h, &err) == GP_OK ||
                !strstr(err.msg, cases[i].error))
                fail_msg("%s: got \"%s\"", cases[i].what, err.msg);
        }
        resolver_set_free(s);
        gp_free(path);
    }
    resolver_set *s = NULL;
    gp_err err = {0};
    resolver_conf relative = {"command", "ls", NULL},
                  missing = {"command", "/nonexistent/cmd", NULL};
    want_status(GP_EINVAL, resolver_set_new(&relative, 1, NULL, &s, &err));
    want_status(GP_EINVAL, resolver_set_new(&missing, 1, NULL, &s, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_string),      cmocka_unit_test(test_file),
        cmocka_unit_test(test_file_errors), cmocka_unit_test(test_static),
        cmocka_unit_test(test_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
