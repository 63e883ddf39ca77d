/* config_test.c - configuration files: values, precedence, and errors that name file, line and key.
 */
#include "rt/config.h"

#include "gp/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static rt_config *parse(const char *text)
{
    rt_config *c = NULL;
    gp_err err = {0};
    if (rt_config_parse("t.yaml", text, strlen(text), &c, &err) != GP_OK)
        fail_msg("%s: %s", text, err.msg);
    return c;
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *what, *text, *msg;
    } cases[] = {
        {"list at the top", "- a\n- b\n", "t.yaml: expected \"key: value\" lines at the top level"},
        {"scalar at the top", "hello\n", "t.yaml: expected \"key: value\" lines at the top level"},
        {"duplicate key", "a:\n  b: 1\n  b: 2\n", "t.yaml:3: a.b: appears twice"},
        {"bad indent", "a: 1\n b: 2\n", "t.yaml:2:3: mapping values are not allowed"},
        {"two documents", "a: 1\n---\nb: 2\n", "t.yaml: more than one document"},
        {"list as key", "? [a, b]\n: 1\n", "t.yaml:1: keys must be plain text"},
        {"not UTF-8", "a: \xff\xfe\n", "t.yaml: byte 3"},
        {"self alias", "a: &x\n  b: *x\n", "nested deeper than 32 levels"},
        {"NUL in a value", "a: \"x\\0y\"\n", "t.yaml:1: a: a NUL character is not allowed"},
    };
    for (size_t i = 0; i < GP_COUNT(cases); i++) {
        rt_config *c = NULL;
        gp_err err = {0};
        gp_status st = rt_config_parse("t.yaml", cases[i].text, strlen(cases[i].text), &c, &err);
        if (st == GP_OK || !strstr(err.msg, cases[i].msg))
            fail_msg("%s: got \"%s\", want \"%s\"", cases[i].what, st ? err.msg : "no error",
                     cases[i].msg);
        assert_null(c);
    }
}

static void test_values(void **state)
{
    (void)state;
    rt_config *c = parse("server:\n  addr: unix:/x\n  on: yes\nn: 42\nd: 1m30s\nsec: 5\nsize: 64M\n"
                         "f: 2.5\nempty:\nquoted: 'null'\nlist: [a, 'b c']\ncsv: x, y ,,z\n"
                         "Mixed.Key: 1\nhex: 0x28\noctal: 010\n");
    const char *s;
    int b;
    int64_t i;
    double f;
    uint64_t u;
    const char *const *l;
    size_t n;
    assert_int_equal(rt_config_str(c, "server.addr", NULL, &s, NULL), GP_OK);
    assert_string_equal(s, "unix:/x");
    assert_int_equal(rt_config_str(c, "SERVER.Addr", NULL, &s, NULL), GP_OK);
    assert_string_equal(s, "unix:/x");
    assert_int_equal(rt_config_bool(c, "server.on", 0, &b, NULL), GP_OK);
    assert_int_equal(b, 1);
    assert_int_equal(rt_config_i64(c, "n", 0, 1, 100, &i, NULL), GP_OK);
    assert_int_equal(i, 42);
    assert_int_equal(rt_config_i64(c, "hex", 0, 1, 100, &i, NULL), GP_OK); /* as in YAML 1.1 */
    assert_int_equal(i, 40);
    assert_int_equal(rt_config_i64(c, "octal", 0, 1, 100, &i, NULL), GP_OK);
    assert_int_equal(i, 8);
    assert_int_equal(rt_config_i64(c, "absent", 7, 1, 100, &i, NULL), GP_OK);
    assert_int_equal(i, 7);
    assert_int_equal(rt_config_duration(c, "d", 0, 0, INT64_MAX, &i, NULL), GP_OK);
    assert_int_equal(i, 90 * INT64_C(1000000000));
    assert_int_equal(rt_config_duration(c, "sec", 0, 0, INT64_MAX, &i, NULL), GP_OK);
    assert_int_equal(i, 5 * INT64_C(1000000000));
    assert_int_equal(rt_config_bytes(c, "size", 0, 0, UINT64_MAX, &u, NULL), GP_OK);
    assert_int_equal(u, 64 << 20);
    assert_int_equal(rt_config_f64(c, "f", 0, 0, 10, &f, NULL), GP_OK);
    assert_true(f > 2.49 && f < 2.51);
    assert_false(rt_config_has(c, "empty"));
    assert_int_equal(rt_config_str(c, "quoted", NULL, &s, NULL), GP_OK);
    assert_string_equal(s, "null");
    assert_int_equal(rt_config_list(c, "list", &l, &n, NULL), GP_OK);
    assert_int_equal(n, 2);
    assert_string_equal(l[1], "b c");
    assert_int_equal(rt_config_list(c, "csv", &l, &n, NULL), GP_OK);
    assert_int_equal(n, 3);
    assert_string_equal(l[1], "y");
    assert_int_equal(rt_config_list(c, "absent", &l, &n, NULL), GP_OK);
    assert_int_equal(n, 0);
    rt_config_free(c);
}

static void test_value_errors(void **state)
{
    (void)state;
    rt_config *c = parse("a: x\nb:\n  c: 99\nm: {k: 1}\n");
    gp_err err = {0};
    int b;
    int64_t i;
    const char *s;
    size_t k;
    static const char *const names[] = {"lz4", "zstd"};
    assert_int_equal(rt_config_bool(c, "a", 0, &b, &err), GP_EINVAL);
    assert_string_equal(err.msg, "t.yaml:1: a: expected true or false, got \"x\"");
    assert_int_equal(rt_config_i64(c, "b.c", 0, 1, 10, &i, &err), GP_EINVAL);
    assert_string_equal(err.msg, "t.yaml:3: b.c: expected a whole number from 1 to 10, got \"99\"");
    assert_int_equal(rt_config_str(c, "m", NULL, &s, &err), GP_EINVAL);
    assert_string_equal(err.msg, "t.yaml:4: m: expected a single value, got a map");
    assert_int_equal(rt_config_duration(c, "a", 0, 0, 100, &i, &err), GP_EINVAL);
    assert_string_equal(err.msg,
                        "t.yaml:1: a: expected a duration such as 500ms, 30s or 1h30m, got \"x\"");
    assert_int_equal(rt_config_choice(c, "a", names, 2, 0, &k, &err), GP_EINVAL);
    assert_string_equal(err.msg, "t.yaml:1: a: expected one of lz4, zstd, got \"x\"");
    setenv("RTT_A", "maybe", 1);
    assert_int_equal(rt_config_use_env(c, "RTT_", &err), GP_OK);
    assert_int_equal(rt_config_bool(c, "a", 0, &b, &err), GP_EINVAL);
    assert_string_equal(err.msg,
                        "environment variable RTT_A: expected true or false, got \"maybe\"");
    assert_int_equal(rt_config_set(c, "a", "never", &err), GP_OK);
    assert_int_equal(rt_config_bool(c, "a", 0, &b, &err), GP_EINVAL);
    assert_string_equal(err.msg, "--a: expected true or false, got \"never\"");
    unsetenv("RTT_A");
    rt_config_free(c);
}

static void test_precedence(void **state)
{
    (void)state;
    static const struct {
        const char *what, *file, *bare, *prefixed, *flag, *want;
    } cases[] = {
        {"default", "x: 1\n", NULL, NULL, NULL, "def"},
        {"file", "api:\n  rate-limit: file\n", NULL, NULL, NULL, "file"},
        {"bare environment", "api:\n  rate-limit: file\n", "bare", NULL, NULL, "bare"},
        {"prefix beats bare", "api:\n  rate-limit: file\n", "bare", "pre", NULL, "pre"},
        {"empty counts as unset", "api:\n  rate-limit: file\n", "", "", NULL, "file"},
        {"flag beats all", "api:\n  rate-limit: file\n", "bare", "pre", "flag", "flag"},
    };
    for (size_t i = 0; i < GP_COUNT(cases); i++) {
        rt_config *c = parse(cases[i].file);
        const char *s = NULL;
        unsetenv("API_RATE__LIMIT");
        unsetenv("GP_API_RATE__LIMIT");
        if (cases[i].bare)
            setenv("API_RATE__LIMIT", cases[i].bare, 1);
        if (cases[i].prefixed)
            setenv("GP_API_RATE__LIMIT", cases[i].prefixed, 1);
        assert_int_equal(rt_config_use_env(c, "GP_", NULL), GP_OK);
        if (cases[i].flag)
            assert_int_equal(rt_config_set(c, "api.rate-limit", cases[i].flag, NULL), GP_OK);
        assert_int_equal(rt_config_str(c, "api.rate-limit", "def", &s, NULL), GP_OK);
        if (strcmp(s, cases[i].want) != 0)
            fail_msg("%s: got %s, want %s", cases[i].what, s, cases[i].want);
        rt_config_free(c);
    }
    unsetenv("API_RATE__LIMIT");
    unsetenv("GP_API_RATE__LIMIT");
}

static void note(void *ctx, const char *path, unsigned line)
{
    gp_buf_printf(ctx, "%s@%u ", path, line);
}

static void test_tree_and_unused(void **state)
{
    (void)state;
    rt_config *c = parse("interfaces:\n  eth0.100:\n    promisc: true\n    promics: true\n"
                         "  '/^wg/': {disable: no}\ntypo:\n  deep: 1\n");
    const rt_node *ifs = rt_config_node(c, "interfaces");
    int v = 0;
    assert_int_equal(rt_node_count(ifs), 2);
    assert_string_equal(rt_node_key(ifs, 0), "eth0.100");
    assert_string_equal(rt_node_path(rt_node_at(ifs, 0)), "interfaces.eth0.100");
    assert_int_equal(rt_node_bool(rt_node_get(rt_node_at(ifs, 0), "promisc"), 0, &v, NULL), GP_OK);
    assert_int_equal(v, 1);
    assert_int_equal(rt_node_bool(rt_node_get(rt_node_at(ifs, 1), "disable"), 1, &v, NULL), GP_OK);
    assert_int_equal(v, 0);
    assert_int_equal(rt_node_bool(rt_node_get(rt_node_at(ifs, 1), "absent"), 1, &v, NULL), GP_OK);
    assert_int_equal(v, 1);
    gp_buf b = {0};
    assert_int_equal(rt_config_unused(c, note, &b), 2);
    assert_string_equal(gp_buf_str(&b), "interfaces.eth0.100.promics@4 typo@6 ");
    gp_buf_free(&b);
    rt_config_free(c);
}

/* Keys that a flag or the environment overrides are known all the same, whatever asks for them. */
static void test_overridden_is_known(void **state)
{
    (void)state;
    static const char *const choices[] = {"1", "2"};
    for (int by_env = 0; by_env < 2; by_env++) {
        rt_config *c = parse("s: 1\nb: 1\ni: 1\nf: 1\nd: 1s\ny: 1\nc: 1\nl: [1]\nh: 1\nz: 1\n");
        static const char *const keys[] = {"s", "b", "i", "f", "d", "y", "c", "l", "h"};
        char name[16];
        for (size_t i = 0; i < GP_COUNT(keys); i++) {
            const char *value = *keys[i] == 'd' ? "2s" : *keys[i] == 'b' ? "0" : "2";
            snprintf(name, sizeof name, "RTT_%c", *keys[i] - 32);
            if (by_env)
                setenv(name, value, 1);
            else
                assert_int_equal(rt_config_set(c, keys[i], value, NULL), GP_OK);
        }
        assert_int_equal(by_env ? rt_config_use_env(c, "RTT_", NULL) : GP_OK, GP_OK);
        const char *s, *const *list;
        int b;
        int64_t i64, d;
        uint64_t y;
        double f;
        size_t n, choice;
        assert_int_equal(rt_config_str(c, "s", "", &s, NULL), GP_OK);
        assert_int_equal(rt_config_bool(c, "b", 1, &b, NULL), GP_OK);
        assert_int_equal(rt_config_i64(c, "i", 0, 0, 9, &i64, NULL), GP_OK);
        assert_int_equal(rt_config_f64(c, "f", 0, 0, 9, &f, NULL), GP_OK);
        assert_int_equal(rt_config_duration(c, "d", 0, 0, INT64_MAX, &d, NULL), GP_OK);
        assert_int_equal(rt_config_bytes(c, "y", 0, 0, 9, &y, NULL), GP_OK);
        assert_int_equal(rt_config_choice(c, "c", choices, 2, 0, &choice, NULL), GP_OK);
        assert_int_equal(rt_config_list(c, "l", &list, &n, NULL), GP_OK);
        assert_int_equal(rt_config_has(c, "h"), 1);
        assert_true(*s == '2' && !b && i64 == 2 && f == 2 && d == 2000000000 && y == 2);
        assert_true(choice == 1 && n == 1 && *list[0] == '2');
        gp_buf left = {0};
        assert_int_equal(rt_config_unused(c, note, &left), 1);
        assert_string_equal(gp_buf_str(&left), "z@10 ");
        gp_buf_free(&left);
        rt_config_free(c);
        for (size_t i = 0; i < GP_COUNT(keys); i++) {
            snprintf(name, sizeof name, "RTT_%c", *keys[i] - 32);
            unsetenv(name);
        }
    }
}

static void add_line(void *ctx, const char *text)
{
    gp_buf_printf(ctx, "%s\n", text);
}

/* In the order they were made, where the value came from; then unknown keys. */
static void test_warnings(void **state)
{
    (void)state;
    rt_config *c = parse("a: {b: 1}\ntypo: 2\n");
    const char *v;
    gp_buf b = {0};

    assert_int_equal(rt_config_set(c, "d", "x", NULL), GP_OK);
    assert_int_equal(rt_config_str(c, "a.b", "", &v, NULL), GP_OK);
    rt_config_warnings(c, add_line, &b);
    assert_string_equal(gp_buf_str(&b), "t.yaml:2: typo: unknown key, ignored\n");
    gp_buf_clear(&b);
    rt_config_warn(c, "d", "no effect");
    rt_config_warn(c, "a.b", "100% \"old\"");
    rt_config_warnings(c, add_line, &b);
    assert_string_equal(gp_buf_str(&b), "--d: no effect\nt.yaml:1: a.b: 100% \"old\"\n"
                                        "t.yaml:2: typo: unknown key, ignored\n");
    gp_buf_free(&b);
    rt_config_free(c);
}

static void test_check(void **state)
{
    (void)state;
    static const struct {
        const char *what, *text;
        int strict;
        const char *msg; /* NULL = fine */
    } cases[] = {
        {"all there", "a: {b: 1}\n", 1, NULL},
        {"nothing below", "a:\n", 1, NULL},
        {"a value instead of a section", "x: 1\na: 5\n", 0,
         "t.yaml:2: a: expected settings below it, got a single value"},
        {"a list instead of a section", "a: [5]\n", 0,
         "t.yaml:1: a: expected settings below it, got a list"},
        {"a key that nobody knows", "a:\n  b: 1\n  c: 2\n", 1, "t.yaml:3: a.c: unknown key"},
        {"the same, not strict", "a:\n  b: 1\n  c: 2\n", 0, NULL},
    };
    for (size_t i = 0; i < GP_COUNT(cases); i++) {
        rt_config *c = parse(cases[i].text);
        gp_err err = {0};
        int64_t v;
        (void)!rt_config_i64(c, "a.b", 0, 0, 9, &v, NULL);
        gp_status st = rt_config_check(c, cases[i].strict, &err);
        if ((st == GP_OK) != !cases[i].msg ||
            strcmp(err.msg, cases[i].msg ? cases[i].msg : "") != 0)
            fail_msg("%s: got \"%s\"", cases[i].what, err.msg);
        rt_config_free(c);
    }
}

static void test_json(void **state)
{
    (void)state;
    rt_config *c = parse("{\"db\":{\"path\":\"/srv\\/flows\",\"permissions\":416},\n"
                         "\t\"interfaces\": {\"eth0\":{\"promisc\":true,\"ring_buffer\":null}}}\n");
    const char *s;
    int b;
    assert_int_equal(rt_config_str(c, "db.path", NULL, &s, NULL), GP_OK);
    assert_string_equal(s, "/srv/flows");
    assert_int_equal(rt_config_bool(c, "interfaces.eth0.promisc", 0, &b, NULL), GP_OK);
    assert_int_equal(b, 1);
    assert_false(rt_config_has(c, "interfaces.eth0.ring_buffer"));
    rt_config_free(c);
}

static void test_alias_bomb(void **state)
{
    (void)state;
    gp_buf b = {0};
    gp_buf_adds(&b, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 12; i++)
        gp_buf_printf(&b, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i,
                      i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    rt_config *c = NULL;
    gp_err err = {0};
    assert_int_equal(rt_config_parse("bomb", b.data, b.len, &c, &err), GP_ELIMIT);
    assert_non_null(strstr(err.msg, "aliases"));
    gp_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_value_errors),
        cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_tree_and_unused),
        cmocka_unit_test(test_overridden_is_known),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_alias_bomb),
        cmocka_unit_test(test_warnings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
