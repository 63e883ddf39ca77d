/* fuzz_store.c - foreign bytes of a day: metadata, a column with D1 probing, codecs.
 *
 * The first byte chooses the parser, so that one corpus serves all of them.
 */
#include "blockmeta.h"
#include "displaced.h"
#include "godb/codec.h"
#include "godb/lz4walk.h"
#include "godb/packed.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { DAY = 1699920000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_meta(const uint8_t *data, size_t size)
{
    godb_blockmeta m = {0};
    gp_buf out = {0};

    if (godb_blockmeta_parse(data, size, DAY, &m, NULL) != GP_OK)
        return;
    godb_blockmeta_write(&m, &out);
    /* what was accepted is written as it was, except for repaired totals and bytes behind the end
     */
    if (m.n > 0 && !m.warning && (out.len != size || memcmp(out.data, data, size) != 0))
        abort();
    for (size_t i = 0; i < m.n; i++)
        if (m.blocks[i].usable && (m.blocks[i].time_s < DAY || m.blocks[i].time_s >= DAY + 86400))
            abort();
    gp_buf_free(&out);
    godb_blockmeta_free(&m);
}

/* One column of several raw and compressed blocks, cut out of the data; the rest is the file. */
static void fuzz_column(const uint8_t *data, size_t size)
{
    godb_blockmeta m;
    size_t n = size ? data[0] % 6 + 1u : 0;
    godb_places *places = NULL;

    if (size < 1 + 4 * n)
        return;
    godb_blockmeta_init(&m, DAY);
    const uint8_t *p = data + 1;
    for (size_t i = 0; i < n; i++, p += 4) {
        godb_block b = {.time_s = DAY + 60 * (int64_t)(i + 1), .n_v4 = gp_le16(p) % 3000u};
        uint64_t sums[4] = {0};
        for (int c = 0; c < GODB_N_COLS; c++) {
            uint32_t w = c < 2 ? 4 : c == 2 ? 1 : 2;
            b.raw[c] = c < GODB_N_ATTRS ? w * b.n_v4 : 1 + (p[2] % 8 + 1u) * b.n_v4;
            b.codec[c] = (uint8_t)(p[3] % 3 + 1);
            b.stored[c] = b.codec[c] == 1 ? b.raw[c] : b.raw[c] / 2 + 1;
        }
        if (godb_blockmeta_push(&m, &b, sums, NULL) != GP_OK)
            abort();
    }
    int fd = memfd_create("column", 0);
    if (fd >= 0 && write(fd, p, size - (size_t)(p - data)) >= 0)
        for (int c = 0; c < GODB_N_COLS; c += 5) /* an attribute and a counter column */
            if (godb_displaced_scan(fd, &m, (godb_col)c, NULL, NULL, &places, NULL) == GP_OK) {
                godb_places_free(places);
                places = NULL;
            }
    close(fd);
    godb_blockmeta_free(&m);
}

static void fuzz_walk(const uint8_t *data, size_t size)
{
    static uint8_t out[4096], ref[4096];

    if (size < 2)
        return;
    size_t raw_len = gp_le16(data) % sizeof out;
    data += 2;
    size -= 2;
    godb_lz4_walk_result w = godb_lz4_walk(data, size, raw_len, 0);
    size_t made = godb_lz4_decode_prefix(data, size, out, raw_len);
    if (w.consumed > size || made > raw_len)
        abort();
    if (w.complete) { /* the library must agree */
        godb_codec *c = NULL;
        if (godb_codec_new(&c, NULL) == GP_OK &&
            (godb_codec_decode(c, GODB_CODEC_LZ4, data, w.consumed, ref, raw_len, NULL) != GP_OK ||
             made != raw_len || memcmp(out, ref, raw_len) != 0))
            abort();
        godb_codec_free(c);
    }
}

static void fuzz_codec(const uint8_t *data, size_t size)
{
    static uint8_t out[65536];
    static godb_codec *c;

    if (size < 3 || (!c && godb_codec_new(&c, NULL) != GP_OK))
        return;
    size_t raw_len = gp_le16(data);
    if (godb_codec_decode(c, data[2] % 5, data + 3, size - 3, out, raw_len, NULL) == GP_OK &&
        raw_len > 0) {
        unsigned w = godb_packed_width(out, raw_len, (raw_len - 1) / (out[0] ? out[0] : 1));
        if (w)
            (void)godb_packed_sum(out, w, 0, (raw_len - 1) / w);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const parsers[])(const uint8_t *, size_t) = {fuzz_meta, fuzz_column, fuzz_walk,
                                                               fuzz_codec};
    if (size > 0)
        parsers[data[0] % (sizeof parsers / sizeof *parsers)](data + 1, size - 1);
    return 0;
}
