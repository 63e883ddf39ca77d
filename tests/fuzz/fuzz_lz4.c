/* fuzz_lz4.c - LZ4 blocks: the codec accepts what liblz4 accepts, and gives the same bytes.
 *
 * Two bytes length of the decoded block, two bytes how much of it is wanted, then the block.
 */
#include "godb/codec.h"
#include "gp/mem.h"

#include <lz4.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 4 };

static void require(int truth)
{
    if (!truth)
        abort();
}

/* The first head bytes by liblz4 alone; 0: it refuses. */
static int reference(const uint8_t *src, size_t n, uint8_t *dst, size_t raw, size_t head)
{
    if (head == raw)
        return LZ4_decompress_safe((const char *)src, (char *)dst, (int)n, (int)raw) == (int)raw;
    return LZ4_decompress_safe_partial((const char *)src, (char *)dst, (int)n, (int)head,
                                       (int)raw) >= (int)head;
}

/* Matches with offset 0 are taken, but give what dst held before: then there is nothing to compare.
 */
static void compare(godb_codec *c, const uint8_t *src, size_t n, size_t raw, size_t head)
{
    uint8_t *want = gp_calloc(raw, 1), *same = gp_calloc(raw, 1), *got = gp_calloc(raw, 1);
    require(want && same && got);
    memset(same, 0xff, raw);
    int ok = reference(src, n, want, raw, head);

    require(reference(src, n, same, raw, head) == ok);
    require((godb_codec_decode_head(c, GODB_CODEC_LZ4, src, n, got, raw, head, NULL) == GP_OK) ==
            ok);
    require(!ok || memcmp(want, same, head) != 0 || memcmp(want, got, head) == 0);
    gp_free(want);
    gp_free(same);
    gp_free(got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    godb_codec *c = NULL;

    if (size <= HEAD)
        return 0;
    size_t raw = 1 + gp_le16(data), head = gp_le16(data + 2), n = size - HEAD;
    uint8_t *src = gp_calloc(n, 1); /* of its own: the sanitizer sees its end */
    require(src != NULL && godb_codec_new(&c, NULL) == GP_OK);
    memcpy(src, data + HEAD, n);
    compare(c, src, n, raw, raw);
    if (head > 0 && head < raw)
        compare(c, src, n, raw, head);
    godb_codec_free(c);
    gp_free(src);
    return 0;
}
