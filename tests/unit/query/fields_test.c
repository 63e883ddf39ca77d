/* fields_test.c - query types: the table of the spec, expansion, limits. */
#include "query/fields.h"

#include "cases.h"

/* "sip,dip" of the attributes. */
static const char *attrs_text(const query_fields *f, gp_buf *b)
{
    gp_buf_clear(b);
    for (unsigned i = 0; i < f->n_attrs; i++)
        gp_buf_printf(b, "%s%s", i ? "," : "", query_attr_name((query_attr)f->attrs[i]));
    return f->n_attrs ? gp_buf_str(b) : "-";
}

static const char *labels_text(unsigned labels, gp_buf *b)
{
    static const struct {
        unsigned bit;
        const char *name;
    } all[] = {{QUERY_LABEL_TIME, "time"},
               {QUERY_LABEL_HOST, "host"},
               {QUERY_LABEL_HOSTID, "hostid"},
               {QUERY_LABEL_IFACE, "iface"}};
    gp_buf_clear(b);
    for (size_t i = 0; i < COUNT(all); i++)
        if (labels & all[i].bit)
            gp_buf_printf(b, "%s%s", b->len ? "," : "", all[i].name);
    return labels ? gp_buf_str(b) : "-";
}

static void test_table(void **state)
{
    case_table c = cases_load("fields", 41);
    gp_buf b = {0};

    (void)state;
    for (size_t i = 0; i < c.n; i++) {
        const char **r = c.row[i];
        query_fields f;
        query_caret caret = {0};
        gp_err err = {0};
        gp_status st = query_fields_parse(r[1], &f, &caret, &err);
        if (strcmp(r[2], "error") == 0) {
            if (st != GP_EINVAL || !caret.text || strcmp(caret.text, r[4]) != 0 ||
                caret.offset != (size_t)strtoumax(r[3], NULL, 10) ||
                strcmp(caret.what, "unknown attribute") != 0)
                fail_msg("%s: status %d, caret %zu of '%s'", r[0], st, caret.offset, caret.text);
        } else {
            if (st != GP_OK || strcmp(attrs_text(&f, &b), r[2]) != 0 ||
                strcmp(labels_text(f.labels, &b), r[3]) != 0)
                fail_msg("%s: %s: got '%s', want '%s' / '%s'", r[0], r[1], attrs_text(&f, &b), r[2],
                         r[3]);
            unsigned mask = 0;
            for (unsigned k = 0; k < f.n_attrs; k++)
                mask |= 1u << f.attrs[k];
            assert_int_equal(mask, f.attr_mask);
        }
        query_caret_clear(&caret);
    }
    gp_buf_free(&b);
    cases_free(&c);
}

static void test_sent(void **state)
{
    case_table c = cases_load("sent", 6);

    (void)state;
    for (size_t i = 0; i < c.n; i++) {
        const char **r = c.row[i];
        int table = strcmp(r[2], "txt") == 0;
        char *got = table ? query_fields_expand_host(r[1]) : query_fields_expand(r[1]);
        if (!got || strcmp(got, r[3]) != 0)
            fail_msg("%s: %s is sent as '%s', want '%s'", r[0], r[1], got, r[3]);
        gp_free(got);
    }
    cases_free(&c);
}

static void test_caret(void **state)
{
    static const struct {
        const char *what, *text, *joined, *word;
        size_t offset;
    } cases[] = {
        {"offsets count in the expanded list", "talk_conv,foo", "sip,dip,foo", "foo", 8},
        {"only the first", "foo,bar", "foo,bar", "foo", 0},
        {"code points, not bytes", "s\xC3\xADp,x", "s\xC3\xADp,x", "s\xC3\xADp", 0},
        {"all Unicode white space goes", "sip\xC2\xA0,\xE2\x80\x83x\xE3\x80\x80", "sip,x", "x", 4},
        {"malformed UTF-8 stays", "sip,\xFF\xC2", "sip,\xFF\xC2", "\xFF\xC2", 4},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        query_fields f;
        query_caret caret = {0};
        want_status(GP_EINVAL, query_fields_parse(cases[i].text, &f, &caret, NULL));
        if (strcmp(caret.text, cases[i].joined) != 0 || strcmp(caret.word, cases[i].word) != 0 ||
            caret.offset != cases[i].offset)
            fail_msg("%s: got '%s' '%s' %zu", cases[i].what, caret.text, caret.word, caret.offset);
        query_caret_clear(&caret);
    }
}

static void test_limits(void **state)
{
    query_fields f;
    gp_err err = {0};
    size_t n = 70000;
    char *big = gp_alloc(n + 1, 1);

    (void)state;
    assert_non_null(big);
    for (size_t i = 0; i < n; i++)
        big[i] = "sip,"[i % 4];
    big[n] = 0;
    want_err(GP_EINVAL, &err, "longer than", query_fields_parse(big, &f, NULL, &err));
    big[60003] = 0;
    want_ok(query_fields_parse(big, &f, NULL, NULL));
    assert_int_equal(f.n_attrs, 1);
    gp_free(big);
    want_status(GP_EINVAL, query_fields_parse(NULL, &f, NULL, &err));
    char *same = query_fields_expand_host("sip,foo");
    assert_string_equal(same, "sip,foo");
    gp_free(same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_sent),
        cmocka_unit_test(test_caret),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
