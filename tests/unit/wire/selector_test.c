/* selector_test.c - host selectors: what they cover, what they expand to, what is refused. */
#include "wire/selector.h"

#include "test.h"

static void test_covers(void **state)
{
    (void)state;
    static const char *const groups[] = {"dmz", "zrh"};
    static const struct {
        const char *sel, *host;
        wire_cover want;
    } cases[] = {
        {"any", "fw1", WIRE_COVERS},
        {" ANY ", "fw1", WIRE_COVERS},
        {"fw1", "fw1", WIRE_COVERS},
        {"fw1", "fw10", WIRE_COVERS_NOT},
        {"FW1", "fw1", WIRE_COVERS_NOT},
        {"a,,fw1 , b", "fw1", WIRE_COVERS},
        {"", "fw1", WIRE_COVERS_NOT},
        {"any,!fw1", "fw1", WIRE_COVERS_NOT},
        {"!fw1,any", "fw1", WIRE_COVERS_NOT},
        {"any,!fw3", "fw1", WIRE_COVERS},
        {"!fw3", "fw1", WIRE_COVERS_NOT},
        {"fw*", "fw1", WIRE_COVERS},
        {"fw?", "fw10", WIRE_COVERS_NOT},
        {"*.zrh", "fw1.zrh", WIRE_COVERS},
        {"fw[01-20].zrh", "fw07.zrh", WIRE_COVERS},
        {"fw[01-20].zrh", "fw7.zrh", WIRE_COVERS_NOT},
        {"fw[01-20].zrh", "fw21.zrh", WIRE_COVERS_NOT},
        {"fw[1-20]", "fw7", WIRE_COVERS},
        {"fw[1-20]", "fw07", WIRE_COVERS_NOT},
        {"fw[1-20]", "fw20", WIRE_COVERS},
        {"fw[1-20]", "fw200", WIRE_COVERS_NOT},
        {"fw[01-100]", "fw100", WIRE_COVERS},
        {"fw[01-100]", "fw099", WIRE_COVERS_NOT},
        {"fw[08-111]", "fw8", WIRE_COVERS_NOT},
        {"[a,b,07-11]x", "bx", WIRE_COVERS},
        {"[a,b,07-11]x", "09x", WIRE_COVERS},
        {"[a,b,07-11]x", "cx", WIRE_COVERS_NOT},
        {"r[1-3]c[1-3]", "r3c2", WIRE_COVERS},
        {"r[1-3]c[1-3]", "r3c4", WIRE_COVERS_NOT},
        {"[1-3]*", "2nd", WIRE_COVERS},
        {"any,![1-3]", "2", WIRE_COVERS_NOT},
        {"@dmz", "x", WIRE_COVERS},
        {"@other", "x", WIRE_COVERS_UNKNOWN},
        {"@other,x", "x", WIRE_COVERS},
        {"any,!@dmz", "x", WIRE_COVERS_NOT},
        {"any,!@other", "x", WIRE_COVERS_UNKNOWN},
        {"y,!@other", "x", WIRE_COVERS_UNKNOWN},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        wire_selector *s = NULL;
        gp_err err = {0};
        want_ok_err(&err, wire_selector_parse(cases[i].sel, &s, &err));
        wire_cover c = wire_selector_covers(s, &cases[i].host, 1, groups, COUNT(groups));
        if (c != cases[i].want)
            fail_msg("\"%s\" and %s: got %d, want %d", cases[i].sel, cases[i].host, c,
                     cases[i].want);
        wire_selector_free(s);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"!",   "!!a",    "@",     "a b",   "a[",   "a]",
                                        "a[]", "a[3-1]", "a[1,]", "a[[1]", "x\ty", "fw[09-01]"};
    for (size_t i = 0; i < COUNT(cases); i++) {
        wire_selector *s = NULL;
        gp_err err = {0};
        if (wire_selector_parse(cases[i], &s, &err) != GP_EINVAL)
            fail_msg("\"%s\": accepted", cases[i]);
        assert_non_null(strstr(err.msg, "host selector"));
    }
}

static gp_status join(void *ctx, const char *name)
{
    gp_buf *b = ctx;
    gp_buf_printf(b, "%s ", name);
    return GP_OK;
}

static void test_expand(void **state)
{
    (void)state;
    static const struct {
        const char *sel, *want;
    } cases[] = {
        {"fw[08-11]", "fw08 fw09 fw10 fw11 "},
        {"fw[8-11]", "fw8 fw9 fw10 fw11 "},
        {"[a,b]-[1-2]", "a-1 a-2 b-1 b-2 "},
        {"x[5-5]y", "x5y "},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        wire_selector *s = NULL;
        gp_buf b = {0};
        want_ok(wire_selector_parse(cases[i].sel, &s, NULL));
        assert_int_equal(wire_selector_item(s, 0)->kind, WIRE_ITEM_RANGE);
        want_ok(wire_item_expand(wire_selector_item(s, 0), 100, join, &b, NULL));
        if (strcmp(gp_buf_str(&b), cases[i].want) != 0)
            fail_msg("%s: got %s, want %s", cases[i].sel, gp_buf_str(&b), cases[i].want);
        gp_buf_free(&b);
        wire_selector_free(s);
    }
    wire_selector *s = NULL;
    gp_buf b = {0};
    gp_err err = {0};
    want_ok(wire_selector_parse("h[000000000-999999999]", &s, NULL));
    want_status(GP_ELIMIT, wire_item_expand(wire_selector_item(s, 0), 1000, join, &b, &err));
    gp_buf_free(&b);
    wire_selector_free(s);
}

/* What a range expands to is exactly what it covers. */
static void test_expand_equals_match(void **state)
{
    (void)state;
    static const char *const sels[] = {"a[1-12]",
                                       "a[01-12]",
                                       "a[1,3,5-7]b",
                                       "[0-9][0-9]",
                                       "n[098-102]",
                                       "n[08-111]",
                                       "n[0000000009-0000000011]"};
    for (size_t i = 0; i < COUNT(sels); i++) {
        wire_selector *s = NULL;
        gp_buf b = {0};
        want_ok(wire_selector_parse(sels[i], &s, NULL));
        want_ok(wire_item_expand(wire_selector_item(s, 0), 1000, join, &b, NULL));
        for (char *p = (char *)b.data, *e;
             (e = memchr(p, ' ', b.len - (size_t)(p - (char *)b.data))); p = e + 1) {
            *e = 0;
            if (!wire_item_match(wire_selector_item(s, 0), p))
                fail_msg("%s expands to %s but does not cover it", sels[i], p);
            if (p + (e - p) + 1 >= (char *)b.data + b.len)
                break;
        }
        gp_buf_free(&b);
        wire_selector_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_covers),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_expand),
        cmocka_unit_test(test_expand_equals_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
