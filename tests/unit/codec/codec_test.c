/* codec_test.c - payload vectors of godb-format.md 4, the raw fall-back, hostile payloads. */
#include "test.h"

#include "godb/codec.h"
#include "godb/lz4walk.h"

#include <zstd.h>

static int setup(void **state)
{
    godb_codec *c = NULL;
    if (godb_codec_new(&c, NULL) != GP_OK)
        return -1;
    *state = c;
    return 0;
}

static int teardown(void **state)
{
    godb_codec_free(*state);
    return 0;
}

static size_t unhex(const char *s, uint8_t *out)
{
    size_t n = strlen(s) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned v;
        assert_int_equal(sscanf(s + 2 * i, "%2x", &v), 1);
        out[i] = (uint8_t)v;
    }
    return n;
}

static const struct {
    const char *what;
    uint8_t id;
    const char *raw, *stored;
    uint8_t id_used;
} vectors[] = {
    {"lz4 sip", 3, "0a0000010a0000010a00000220010db8000000000000000000000001",
     "430a0000010400f0020220010db8000000000000000000000001", 3},
    {"lz4 8 x 10.0.0.9", 3, "0a0000090a0000090a0000090a0000090a0000090a0000090a0000090a000009",
     "4f0a00000904000450090a000009", 3},
    {"lz4 ports", 3, "00500050005000500050005000500050", "2500500200505000500050", 3},
    {"zstd 8 x 10.0.0.9", 2, "0a0000090a0000090a0000090a0000090a0000090a0000090a0000090a000009",
     "28b52ffd0000550000200a0000090100338e08", 2},
    {"null", 1, "00500050", "00500050", 1},
    {"lz4 longer than raw", 3, "11060606", "11060606", 1},
    {"zstd longer than raw", 2, "01", "01", 1},
    {"empty", 3, "", "", 1},
};

static void test_vectors(void **state)
{
    for (size_t i = 0; i < COUNT(vectors); i++) {
        uint8_t raw[64], stored[64], back[64], used = 9;
        size_t n = unhex(vectors[i].raw, raw), m = unhex(vectors[i].stored, stored);
        gp_buf out = {0};
        gp_err err = {0};

        want_ok_err(&err, godb_codec_encode(*state, vectors[i].id, 0, raw, n, &out, &used, &err));
        if (out.len != m || (m && memcmp(out.data, stored, m) != 0) || used != vectors[i].id_used)
            fail_msg("%s: encoded to %zu bytes with id %u, want %zu with %u", vectors[i].what,
                     out.len, used, m, vectors[i].id_used);
        want_ok_err(&err, godb_codec_decode(*state, used, out.data, out.len, back, n, &err));
        assert_true(n == 0 || memcmp(back, raw, n) == 0);
        gp_buf_free(&out);
    }
}

/* Every wrong pair of lengths is refused: output and input must both be used up exactly. */
static void test_exact_lengths(void **state)
{
    for (size_t i = 0; i < COUNT(vectors); i++) {
        uint8_t raw[64], stored[80] = {0}, back[80];
        size_t n = unhex(vectors[i].raw, raw), m = unhex(vectors[i].stored, stored);
        for (size_t a = 0; a <= m + 2; a++)
            for (size_t b = 0; b <= n + 2; b++) {
                gp_status st =
                    godb_codec_decode(*state, vectors[i].id_used, stored, a, back, b, NULL);
                int want = vectors[i].id_used == 1 ? a == b : a == m && b == n;
                if (vectors[i].id_used != 1 && a != m && b != n)
                    continue; /* a shorter block may be hidden in front; it must only not overrun */
                if ((st == GP_OK) != want)
                    fail_msg("%s: %zu stored, %zu raw: %s", vectors[i].what, a, b,
                             gp_status_name(st));
            }
    }
}

/* Frames of other writers: content size and checksum are fine, a second frame or a dictionary not.
 */
static void test_foreign_zstd_frames(void **state)
{
    uint8_t raw[600], out[600], frame[2000];
    ZSTD_CCtx *z = ZSTD_createCCtx();

    for (size_t i = 0; i < sizeof raw; i++)
        raw[i] = (uint8_t)(i / 7);
    for (int flags = 0; flags < 4; flags++) {
        gp_err err = {0};
        ZSTD_CCtx_setParameter(z, ZSTD_c_contentSizeFlag, flags & 1);
        ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, flags >> 1);
        size_t n = ZSTD_compress2(z, frame, sizeof frame, raw, sizeof raw);
        want_ok_err(&err, godb_codec_decode(*state, 2, frame, n, out, sizeof out, &err));
        assert_memory_equal(out, raw, sizeof raw);
        want_status(GP_ECORRUPT, godb_codec_decode(*state, 2, frame, n, out, sizeof out - 1, &err));
        memcpy(frame + n, frame, n);
        want_err(GP_ECORRUPT, &err, "not one frame",
                 godb_codec_decode(*state, 2, frame, 2 * n, out, sizeof out, &err));
    }
    size_t n = unhex("28b52ffd010005550000200a0000090100338e08", frame); /* dictionary 5 */
    gp_err err = {0};
    want_err(GP_ECORRUPT, &err, "ictionary", godb_codec_decode(*state, 2, frame, n, out, 32, &err));
    ZSTD_freeCCtx(z);
}

static void test_ids(void **state)
{
    uint8_t b[4] = {0}, used;
    gp_buf out = {0};
    gp_err err = {0};

    for (unsigned id = 0; id < 256; id++) {
        int known = id >= 1 && id <= 3;
        if (!known) {
            want_status(GP_EUNSUPPORTED, godb_codec_decode(*state, (uint8_t)id, b, 4, b, 4, NULL));
            want_err(GP_EUNSUPPORTED, &err, "cannot be written",
                     godb_codec_encode(*state, (uint8_t)id, 0, b, 4, &out, &used, &err));
        }
    }
    static const struct {
        const char *name;
        int id;
    } names[] = {{"lz4", 3},     {"LZ4", 3}, {"Zstd", 2}, {"null", 1},
                 {"lz4cust", 0}, {"", -1},   {"lz5", -1}};
    for (size_t i = 0; i < COUNT(names); i++)
        if (godb_codec_by_name(names[i].name) != names[i].id)
            fail_msg("%s: got %d", names[i].name, godb_codec_by_name(names[i].name));
    assert_string_equal(godb_codec_name(3), "lz4");
    assert_string_equal(godb_codec_name(77), "?");
    gp_buf_free(&out);
}

/* Random data of all kinds through all codecs and levels comes back, and raw iff longer. */
static void test_round_trip(void **state)
{
    test_rng rng = test_rng_new(11);
    static uint8_t raw[70000], back[70000];

    for (size_t round = 0; round < test_rounds(300); round++) {
        size_t n = (size_t)test_rng_below(&rng, round % 10 == 0 ? sizeof raw : 600);
        uint64_t span = 1 + test_rng_below(&rng, 256);
        for (size_t i = 0; i < n; i++)
            raw[i] = (uint8_t)test_rng_below(&rng, span);
        uint8_t id = (uint8_t)(1 + test_rng_below(&rng, 3)), used = 0;
        int level = (int)test_rng_below(&rng, 14) - 1;
        gp_buf out = {0};
        gp_err err = {0};
        want_ok_err(&err, godb_codec_encode(*state, id, level, raw, n, &out, &used, &err));
        assert_true(out.len <= n);
        assert_true(used == id || (used == 1 && out.len == n));
        want_ok_err(&err, godb_codec_decode(*state, used, out.data, out.len, back, n, &err));
        assert_true(n == 0 || memcmp(raw, back, n) == 0);
        if (used == GODB_CODEC_LZ4 && n >= 16) { /* the walker agrees with the library */
            godb_lz4_walk_result w = godb_lz4_walk(out.data, out.len, n, out.len - 1);
            assert_true(w.complete && w.plausible && w.consumed == out.len);
            assert_int_equal(godb_lz4_decode_prefix(out.data, out.len, back, n), n);
            assert_memory_equal(raw, back, n);
        }
        gp_buf_free(&out);
    }
}

/* Sequences that need a byte which may be overwritten refute nothing; before that they do. */
static void test_walk_at_the_end(void **state)
{
    (void)state;
    enum { LITERALS = 50, OFFSET_AT = 2 + LITERALS };
    uint8_t src[OFFSET_AT + 8] = {0xF0, LITERALS - 15};
    static const struct {
        const char *what;
        uint8_t token, more, offset[2];
        size_t sure;
        int plausible;
    } cases[] = {
        {"a wrong offset", 0xF0, LITERALS - 15, {1, 0xFF}, OFFSET_AT + 2, 0},
        {"its second byte may be another's", 0xF0, LITERALS - 15, {1, 0xFF}, OFFSET_AT + 1, 1},
        {"both may be", 0xF0, LITERALS - 15, {0, 0}, OFFSET_AT, 1},
        {"a match that is too long", 0xFF, LITERALS - 15, {1, 0}, OFFSET_AT + 3, 0},
        {"its length may be another's", 0xFF, LITERALS - 15, {1, 0}, OFFSET_AT + 2, 1},
        {"too many literals", 0xF0, 200, {1, 0}, 2, 0},
        {"their length may be another's", 0xF0, 200, {1, 0}, 1, 1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        src[0] = cases[i].token;
        src[1] = cases[i].more;
        memcpy(src + OFFSET_AT, cases[i].offset, 2);
        src[OFFSET_AT + 2] = 0xFE; /* of a match length: 254 more */
        godb_lz4_walk_result w = godb_lz4_walk(src, sizeof src, 100, cases[i].sure);
        if (w.plausible != cases[i].plausible || w.complete)
            fail_msg("%s: plausible %d, complete %d", cases[i].what, w.plausible, w.complete);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_exact_lengths),
        cmocka_unit_test(test_foreign_zstd_frames),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_walk_at_the_end),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
