/* unpack_test.c - gzip and zstd streams: members and frames, damage, other compressions, slow
 * pipes. */
#include "test.h"

#include "godb/unpack.h"
#include "gp/bytes.h"

#include <sys/mman.h>
#include <zlib.h>
#include <zstd.h>

/* One gzip member of these bytes. */
static void gzip(gp_buf *out, const void *bytes, size_t n)
{
    z_stream z = {0};
    uint8_t *p = gp_buf_reserve(out, n + n / 1000 + 200);

    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)bytes;
    z.avail_in = (uInt)n;
    z.next_out = p;
    z.avail_out = (uInt)(n + n / 1000 + 200);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out->len += z.total_out;
    deflateEnd(&z);
}

static void zstd(gp_buf *out, const void *bytes, size_t n)
{
    size_t cap = ZSTD_compressBound(n);
    uint8_t *p = gp_buf_reserve(out, cap);
    size_t len = ZSTD_compress(p, cap, bytes, n, 1);

    assert_false(ZSTD_isError(len));
    out->len += len;
}

/* Everything that can be read of a file of these bytes. */
static gp_status unpack(const void *bytes, size_t n, size_t piece, gp_buf *out, char kind[8],
                        gp_err *err)
{
    GP_CLEANUP(godb_unpack_closep) godb_unpack *u = NULL;
    GP_CLEANUP(gp_closep) int fd = memfd_create("f", MFD_CLOEXEC);
    size_t got = 1;

    assert_true(fd >= 0);
    want_ok(gp_pwrite_full(fd, bytes, n, 0, NULL));
    GP_TRY(godb_unpack_open(fd, "f", NULL, &u, err));
    snprintf(kind, 8, "%s", godb_unpack_kind(u));
    while (got > 0) {
        uint8_t *p = gp_buf_reserve(out, piece);
        GP_TRY(godb_unpack_read(u, p, piece, &got, err));
        assert_true(got <= piece);
        out->len += got;
    }
    assert_int_equal(godb_unpack_consumed(u), n);
    return GP_OK;
}

static void want(const char *what, const gp_buf *in, const char *kind, const gp_buf *content)
{
    static const size_t pieces[] = {1, 7, 4096, 1 << 20};

    for (size_t i = 0; i < COUNT(pieces); i++) {
        GP_CLEANUP(gp_buf_free) gp_buf got = {0};
        char k[8];
        gp_err err = {0};
        if (content->len > 10000 && pieces[i] < 100)
            continue; /* slow */
        if (unpack(in->data, in->len, pieces[i], &got, k, &err) != GP_OK)
            fail_msg("%s: %s", what, err.msg);
        if (strcmp(k, kind) != 0 || got.len != content->len ||
            (got.len && memcmp(got.data, content->data, got.len) != 0))
            fail_msg("%s: %s, %zu bytes instead of %zu", what, k, got.len, content->len);
    }
}

static void test_kinds(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 4, 5, 6, 1000, 700000};
    test_rng rng = test_rng_new(3);

    for (size_t i = 0; i < COUNT(sizes); i++) {
        GP_CLEANUP(gp_buf_free) gp_buf text = {0}, two = {0}, z = {0}, s = {0};
        for (size_t k = 0; k < sizes[i]; k++)
            gp_buf_addc(&text, (char)('a' + test_rng_below(&rng, 8)));
        want("plain", &text, "plain", &text);
        gzip(&z, text.data, text.len);
        want("gzip", &z, "gzip", &text);
        zstd(&s, text.data, text.len);
        want("zstd", &s, "zstd", &text);
        gp_buf_add(&two, text.data, text.len);
        gp_buf_add(&two, text.data, text.len);
        gzip(&z, text.data, text.len);
        want("two gzip members", &z, "gzip", &two);
        gp_buf_fill(&z, '\0', 600);
        want("zeros behind gzip", &z, "gzip", &two);
        zstd(&s, text.data, text.len);
        want("two zstd frames", &s, "zstd", &two);
        gp_buf_add(&s, "\x50\x2a\x4d\x18\x03\0\0\0xyz", 11);
        want("skippable zstd frame", &s, "zstd", &two);
    }
}

static void test_damage(void **state)
{
    (void)state;
    GP_CLEANUP(gp_buf_free) gp_buf text = {0}, z = {0}, s = {0};

    for (unsigned k = 0; k < 300; k++)
        gp_buf_printf(&text, "%u,%u\n", k * k, k);
    gzip(&z, text.data, text.len);
    zstd(&s, text.data, text.len);
    const gp_buf *const in[] = {&z, &s};
    for (int i = 0; i < 2; i++)
        for (size_t cut = 4; cut < in[i]->len; cut++) {
            GP_CLEANUP(gp_buf_free) gp_buf got = {0};
            char kind[8] = "";
            gp_err err = {0};
            gp_status st = unpack(in[i]->data, cut, 512, &got, kind, &err);
            if (st != GP_ECORRUPT || !strstr(err.msg, "ends in the middle"))
                fail_msg("%s cut at %zu: %s", kind, cut, err.msg);
        }
    for (int i = 0; i < 2; i++) {
        GP_CLEANUP(gp_buf_free) gp_buf got = {0}, more = {0};
        char kind[8];
        gp_err err = {0};
        gp_buf_add(&more, in[i]->data, in[i]->len);
        gp_buf_adds(&more, "what is this");
        want_status(GP_ECORRUPT, unpack(more.data, more.len, 512, &got, kind, &err));
    }
}

static void test_foreign(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *text;
    } cases[] = {{"\xfd"
                  "7zXZ",
                  "xz"},
                 {"BZh91AY", "bzip2"},
                 {"\x04\x22\x4d\x18zz", "lz4"},
                 {"PK\x03\x04zz", "zip"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        GP_CLEANUP(gp_buf_free) gp_buf got = {0};
        char kind[8];
        gp_err err = {0};
        want_err(GP_EUNSUPPORTED, &err, cases[i].text,
                 unpack(cases[i].bytes, strlen(cases[i].bytes), 512, &got, kind, &err));
    }
}

/* A pipe that gives byte by byte, and one that says nothing until the deadline. */
static void test_pipe(void **state)
{
    (void)state;
    GP_CLEANUP(gp_buf_free) gp_buf z = {0};
    GP_CLEANUP(godb_unpack_closep) godb_unpack *u = NULL;
    gp_cancel cancel = GP_CANCEL_INIT;
    int ends[2];
    char out[16];
    size_t n = 0, sum = 0;

    gzip(&z, "hello", 5);
    assert_int_equal(pipe(ends), 0);
    for (size_t i = 0; i < z.len; i++)
        assert_int_equal(write(ends[1], z.data + i, 1), 1);
    want_ok(godb_unpack_open(ends[0], "pipe", &cancel, &u, NULL));
    while (sum < 5) {
        want_ok(godb_unpack_read(u, out + sum, sizeof out - sum, &n, NULL));
        sum += n;
    }
    assert_memory_equal(out, "hello", 5);
    cancel.deadline = gp_deadline_in_ms(50);
    want_status(GP_EDEADLINE, godb_unpack_read(u, out, sizeof out, &n, NULL));
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
