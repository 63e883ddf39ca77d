/* bytes_test.c - endian helpers and the growing buffer of gp/bytes.h. */
#include "test.h"

#include "gp/bytes.h"

#include <wchar.h>

static void test_endian(void **state)
{
    (void)state;
    uint8_t b[10] = {0xEE, 1, 2, 3, 4, 5, 6, 7, 8, 0xEE}; /* odd address on purpose */

    assert_int_equal(gp_le16(b + 1), 0x0201);
    assert_int_equal(gp_be16(b + 1), 0x0102);
    assert_int_equal(gp_le32(b + 1), 0x04030201);
    assert_int_equal(gp_be32(b + 1), 0x01020304);
    assert_int_equal(gp_le64(b + 1), UINT64_C(0x0807060504030201));
    assert_int_equal(gp_be64(b + 1), UINT64_C(0x0102030405060708));

    gp_put_le16(b + 1, 0xA1B2);
    assert_memory_equal(b, "\xEE\xB2\xA1\x03", 4);
    gp_put_be16(b + 1, 0xA1B2);
    assert_memory_equal(b, "\xEE\xA1\xB2\x03", 4);
    gp_put_le32(b + 1, 0xA1B2C3D4);
    assert_memory_equal(b, "\xEE\xD4\xC3\xB2\xA1\x05", 6);
    gp_put_be32(b + 1, 0xA1B2C3D4);
    assert_memory_equal(b, "\xEE\xA1\xB2\xC3\xD4\x05", 6);
    gp_put_le64(b + 1, UINT64_C(0xA1B2C3D4E5F60718));
    assert_memory_equal(b, "\xEE\x18\x07\xF6\xE5\xD4\xC3\xB2\xA1\xEE", 10);
    gp_put_be64(b + 1, UINT64_C(0xA1B2C3D4E5F60718));
    assert_memory_equal(b, "\xEE\xA1\xB2\xC3\xD4\xE5\xF6\x07\x18\xEE", 10);
}

static void test_append(void **state)
{
    (void)state;
    GP_CLEANUP(gp_buf_free) gp_buf b = {0};

    assert_string_equal(gp_buf_str(&b), "");
    gp_buf_adds(&b, "ab");
    gp_buf_addc(&b, 'c');
    gp_buf_add(&b, "\0d", 2);
    gp_buf_add(&b, NULL, 0);
    gp_buf_fill(&b, '-', 3);
    gp_buf_fill(&b, '-', 0);
    gp_buf_printf(&b, "%s%d", "x", 7);
    gp_buf_printf(&b, "%s", "");
    assert_int_equal(b.len, 10);
    assert_memory_equal(gp_buf_str(&b), "abc\0d---x7", 11);

    gp_buf_clear(&b);
    assert_string_equal(gp_buf_str(&b), "");
    for (int i = 0; i < 20000; i++)
        gp_buf_printf(&b, "%d,", i % 10);
    assert_int_equal(b.len, 40000);
    assert_int_equal(strncmp(gp_buf_str(&b) + 39990, "5,6,7,8,9,", 11), 0);
}

/* printf into exactly, just not and far too little free space. */
static void test_printf_room(void **state)
{
    (void)state;
    char text[300], want[700];
    memset(text, 'p', sizeof text);

    for (int lead = 0; lead < 140; lead++) {
        for (int n = 0; n < 140; n++) {
            GP_CLEANUP(gp_buf_free) gp_buf b = {0};
            gp_buf_fill(&b, 'l', (size_t)lead);
            gp_buf_printf(&b, "%.*s|", n, text);
            (void)snprintf(want, sizeof want, "%.*s|", n, text);
            assert_int_equal(b.len, lead + n + 1);
            assert_string_equal(gp_buf_str(&b) + lead, want);
        }
    }
}

static void test_limit(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t limit, have;
        int add; /* characters */
        int ok;
    } cases[] = {
        {"below", 10, 5, 4, 1},
        {"exactly full", 10, 5, 5, 1},
        {"one too many", 10, 5, 6, 0},
        {"from nothing", 10, 0, 10, 1},
        {"from nothing, over", 10, 0, 11, 0},
        {"one byte", 1, 0, 1, 1},
        {"full, add nothing", 10, 10, 0, 1},
        {"beyond the first chunk", 1000, 64, 936, 1},
        {"same, over", 1000, 64, 937, 0},
    };
    char text[1001];
    memset(text, 'q', 1000);
    text[1000] = '\0';
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int how = 0; how < 3; how++) {
            GP_CLEANUP(gp_buf_free) gp_buf b = {.limit = cases[i].limit};
            gp_buf_fill(&b, 'a', cases[i].have);
            if (how == 0)
                gp_buf_add(&b, text, (size_t)cases[i].add);
            else if (how == 1)
                gp_buf_printf(&b, "%.*s", cases[i].add, text);
            else
                gp_buf_fill(&b, 'q', (size_t)cases[i].add);
            if (b.failed == cases[i].ok)
                fail_msg("%s, way %d: failed is %d", cases[i].what, how, b.failed);
            const char *s = gp_buf_str(&b); /* the NUL is outside the limit */
            if (cases[i].ok && (!s || strlen(s) != cases[i].have + (size_t)cases[i].add))
                fail_msg("%s, way %d: wrong string", cases[i].what, how);
            if (!cases[i].ok && (s || b.len != cases[i].have))
                fail_msg("%s, way %d: string after a failure", cases[i].what, how);
        }
    }
}

static void test_failed_stays(void **state)
{
    (void)state;
    GP_CLEANUP(gp_buf_free) gp_buf b = {.limit = 4};

    gp_buf_adds(&b, "abc");
    gp_buf_adds(&b, "de");
    gp_buf_addc(&b, 'x'); /* would fit, but the text would have a hole */
    gp_buf_printf(&b, "y");
    gp_buf_fill(&b, 'z', 1);
    assert_int_equal(b.failed, 1);
    assert_int_equal(b.len, 3);
    assert_null(gp_buf_reserve(&b, 1));
    assert_null(gp_buf_str(&b));
    assert_null(gp_buf_take(&b));
    gp_buf_clear(&b);
    gp_buf_addc(&b, 'x');
    assert_string_equal(gp_buf_str(&b), "x");

    gp_buf_reserve(&b, SIZE_MAX); /* len + n overflows */
    assert_int_equal(b.failed, 1);

    gp_buf_clear(&b);
    gp_buf_printf(&b, "%lc", (wint_t)0x20AC); /* the "C" locale has no euro sign */
    assert_int_equal(b.failed, 1);
    assert_int_equal(b.len, 0);
}

static void test_reserve_take(void **state)
{
    (void)state;
    gp_buf b = {0};

    assert_non_null(gp_buf_reserve(&b, 0));
    uint8_t *p = gp_buf_reserve(&b, 1000);
    assert_non_null(p);
    assert_int_equal(b.len, 0);
    memset(p, 'r', 1000); /* ASan watches the end */
    b.len = 1000;
    GP_CLEANUP(gp_freep) char *s = gp_buf_take(&b);
    assert_int_equal(strlen(s), 1000);
    assert_null(b.data);
    assert_int_equal(b.len, 0);
    GP_CLEANUP(gp_freep) char *empty = gp_buf_take(&b);
    assert_string_equal(empty, "");
    gp_buf_adds(&b, "again"); /* usable after take */
    assert_string_equal(gp_buf_str(&b), "again");
    gp_buf_free(&b);
    gp_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endian),       cmocka_unit_test(test_append),
        cmocka_unit_test(test_printf_room),  cmocka_unit_test(test_limit),
        cmocka_unit_test(test_failed_stays), cmocka_unit_test(test_reserve_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
