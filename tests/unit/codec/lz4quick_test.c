/* lz4quick_test.c - LZ4 blocks decoded by the codec and by liblz4 alone: the same bytes, the same
 * refusals. */
#include "lz4quick.h"
#include "test.h"

#include "godb/codec.h"

#include <lz4.h>

enum { MOST = 1 << 15, ROUNDS = 3000 };

typedef struct block {
    uint8_t src[MOST];
    size_t n, raw; /* bytes so far, and what they decode to */
    test_rng rng;
} block;

static size_t decoded_quickly;

static void add_length(block *b, size_t n)
{
    if (n < 15)
        return;
    for (n -= 15; n >= 255; n -= 255)
        b->src[b->n++] = 255;
    b->src[b->n++] = (uint8_t)n;
}

/* match 0: literals alone, the end of a block. */
static void add(block *b, size_t literals, size_t offset, size_t match)
{
    size_t rest = match ? match - 4 : 0;

    b->src[b->n++] = (uint8_t)((literals < 15 ? literals : 15) << 4 | (rest < 15 ? rest : 15));
    add_length(b, literals);
    for (size_t i = 0; i < literals; i++)
        b->src[b->n++] = (uint8_t)test_rng_u64(&b->rng);
    b->raw += literals + match;
    if (match == 0)
        return;
    b->src[b->n++] = (uint8_t)offset;
    b->src[b->n++] = (uint8_t)(offset >> 8);
    add_length(b, rest);
}

/* The first head bytes by liblz4 alone; 0: it refuses. */
static int reference(const uint8_t *src, size_t n, uint8_t *dst, size_t raw, size_t head)
{
    if (head == raw)
        return LZ4_decompress_safe((const char *)src, (char *)dst, (int)n, (int)raw) == (int)raw;
    return LZ4_decompress_safe_partial((const char *)src, (char *)dst, (int)n, (int)head,
                                       (int)raw) >= (int)head;
}

/* In buffers of exactly these sizes, for the sanitizer. Matches with offset 0 are taken, but give
 * what dst held before: then there are no bytes to compare. Returns 1 when the whole block is
 * accepted. */
static int compare(godb_codec *c, const char *what, const uint8_t *bytes, size_t n, size_t raw)
{
    uint8_t *src = gp_calloc(n, 1), *want = gp_calloc(raw, 1), *same = gp_calloc(raw, 1),
            *got = gp_calloc(raw, 1);
    const size_t heads[] = {1, raw / 3, raw / 2, raw - raw / 8, raw - 1, raw};
    size_t used = 0;
    int ok = 0;

    assert_true(src && want && same && got && n > 0 && raw > 3);
    memcpy(src, bytes, n);
    for (size_t i = 0; i < COUNT(heads); i++) {
        size_t head = heads[i];
        memset(want, 0, raw);
        memset(same, 0xff, raw);
        ok = reference(src, n, want, raw, head);
        assert_int_equal(reference(src, n, same, raw, head), ok);
        if ((godb_codec_decode_head(c, GODB_CODEC_LZ4, src, n, got, raw, head, NULL) == GP_OK) !=
            ok)
            fail_msg("%s: %zu of %zu bytes: liblz4 says %d", what, head, raw, ok);
        if (ok && memcmp(want, same, head) == 0 && memcmp(want, got, head) != 0)
            fail_msg("%s: %zu of %zu bytes: other bytes", what, head, raw);
    }
    if (godb_lz4quick_ok())
        decoded_quickly += godb_lz4quick(src, n, got, raw, raw, &used);
    assert_true(used <= n);
    gp_free(src);
    gp_free(want);
    gp_free(same);
    gp_free(got);
    return ok;
}

/* Each edge behind a front and, as the second, with so much behind it that it is not at the end. */
static void test_edges(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t literals, offset, match;
        int ok;
    } rows[] = {
        {"no literals", 0, 7, 4, 1},
        {"14 literals", 14, 7, 18, 1},
        {"15 literals", 15, 7, 18, 1},
        {"64 literals", 64, 100, 18, 1},
        {"65 literals", 65, 100, 18, 1},
        {"269 literals", 269, 100, 18, 1},
        {"270 literals: another byte", 270, 100, 18, 1},
        {"1000 literals", 1000, 100, 18, 1},
        {"match of 19", 3, 100, 19, 1},
        {"match of 273", 3, 100, 273, 1},
        {"match of 274: another byte", 3, 100, 274, 1},
        {"match of 1000", 3, 100, 1000, 1},
        {"match of 1000, every byte", 3, 1, 1000, 1},
        {"match of 1000, three bytes", 3, 3, 1000, 1},
        {"match of 1000, 31 bytes", 3, 31, 1000, 1},
        {"match of 1000, 32 bytes", 3, 32, 1000, 1},
        {"match of 1000, 33 bytes", 3, 33, 1000, 1},
        {"match of itself", 3, 1, 18, 1},
        {"from the front", 3, 203, 18, 1},
        {"from before the front", 3, 204, 18, 0},
        {"long, from before the front", 3, 204, 100, 0},
        {"far before the front", 3, 65535, 18, 0},
        {"offset 0: liblz4 takes it", 3, 0, 18, 1},
        {"offset 0, long", 3, 0, 100, 1},
    };
    godb_codec *c = NULL;
    block *b = gp_calloc(1, sizeof *b);
    assert_non_null(b);
    want_ok(godb_codec_new(&c, NULL));

    for (size_t i = 0; i < COUNT(rows); i++)
        for (unsigned behind = 0; behind < 2; behind++) {
            *b = (block){.rng = test_rng_new(i)};
            add(b, 100, 50, 100);
            add(b, rows[i].literals, rows[i].offset, rows[i].match);
            for (unsigned k = 0; k < 100 * behind; k++)
                add(b, k % 20, 1 + k, 4 + k % 9);
            add(b, 12, 0, 0);
            assert_int_equal(compare(c, rows[i].what, b->src, b->n, b->raw), rows[i].ok);
            for (size_t cut = 1; cut < 90; cut++) { /* too short or too little room */
                assert_false(compare(c, rows[i].what, b->src, b->n - cut, b->raw));
                assert_false(compare(c, rows[i].what, b->src, b->n, b->raw - cut));
                compare(c, rows[i].what, b->src, b->n - cut, b->raw - cut);
            }
            assert_false(compare(c, rows[i].what, b->src, b->n, b->raw + 1));
        }
    godb_codec_free(c);
    gp_free(b);
}

static size_t some_length(test_rng *rng)
{
    static const unsigned below[] = {3, 16, 16, 16, 16, 40, 80, 300, 700};
    return test_rng_below(rng, below[test_rng_below(rng, COUNT(below))]);
}

/* Blocks of all kinds of sequences, some of them wrong, then with bytes changed. */
static void test_random(void **state)
{
    (void)state;
    godb_codec *c = NULL;
    block *b = gp_calloc(1, sizeof *b);
    unsigned good = 0, bad = 0;
    assert_non_null(b);
    want_ok(godb_codec_new(&c, NULL));

    *b = (block){.rng = test_rng_new(11)};
    for (unsigned r = 0; r < ROUNDS; r++) {
        size_t n = 1 + test_rng_below(&b->rng, 60);
        b->n = b->raw = 0;
        for (size_t i = 0; i < n; i++) {
            size_t literals = some_length(&b->rng) + (b->raw ? 0 : 1);
            size_t most = b->raw + literals < 65535 ? b->raw + literals : 65535;
            size_t near = most < 70 ? most : 70;
            add(b, literals,
                1 + test_rng_below(&b->rng, (unsigned)(test_rng_below(&b->rng, 2) ? near : most)),
                4 + some_length(&b->rng));
        }
        add(b, test_rng_below(&b->rng, 30), 0, 0);
        for (uint64_t k = test_rng_below(&b->rng, 4); k > 1; k--)
            b->src[test_rng_below(&b->rng, (unsigned)b->n)] ^=
                (uint8_t)(1u << test_rng_below(&b->rng, 8));
        if (compare(c, "random", b->src, b->n, b->raw))
            good++;
        else
            bad++;
    }
    assert_true(good > ROUNDS / 4 && bad > ROUNDS / 10);
    assert_true(!godb_lz4quick_ok() || decoded_quickly > ROUNDS * 500);
    godb_codec_free(c);
    gp_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
