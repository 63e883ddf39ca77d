/* fuzz_store.c - foreign bytes of a day: metadata, a column with D1 probing, names, the index.
 *
 * The first byte chooses the parser, so that one corpus serves all of them.
 */
#include "blockmeta.h"
#include "displaced.h"
#include "godb/codec.h"
#include "godb/index.h"
#include "godb/lz4walk.h"
#include "godb/packed.h"
#include "gp/mem.h"
#include "indexfile.h"
#include "suffix.h"
#include "xorfilter.h"

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

static void fuzz_name(const uint8_t *data, size_t size)
{
    char name[200], back[GODB_DAYNAME_CAP];
    godb_dayname d;
    uint64_t v;

    if (size >= sizeof name)
        return;
    memcpy(name, data, size);
    name[size] = '\0';
    if (godb_dayname_parse(name, &d)) {
        godb_dayname again;
        godb_dayname_format(d.day_s, d.has_totals ? &d.totals : NULL, back);
        if (!godb_dayname_parse(back, &again) || again.day_s != d.day_s ||
            again.has_totals != d.has_totals ||
            memcmp(&again.totals, &d.totals, sizeof d.totals) != 0)
            abort();
    }
    if (godb_base62_get(name, size, &v)) {
        char text[16];
        size_t n = godb_base62_put(v, text);
        uint64_t w;
        if (n > size || !godb_base62_get(text, n, &w) || w != v)
            abort();
    }
}

static void fuzz_index(const uint8_t *data, size_t size)
{
    godb_blockmeta m;
    godb_index_file f = {0};
    uint64_t sums[4] = {0};

    godb_blockmeta_init(&m, DAY);
    for (int i = 0; i < 4; i++) {
        godb_block b = {.time_s = DAY + 300 * (i + 1)};
        for (int c = 4; c < GODB_N_COLS; c++)
            b.raw[c] = b.stored[c] = b.codec[c] = 1;
        if (godb_blockmeta_push(&m, &b, sums, NULL) != GP_OK)
            abort();
    }
    gp_buf_add(&f.bytes, data, size);
    /* the checksum would stop nearly everything: make it right */
    if (size > GODB_INDEX_HEAD + GODB_INDEX_REC && gp_le32(data + GODB_INDEX_HEAD) >= 8 &&
        gp_le32(data + GODB_INDEX_HEAD) <= size - GODB_INDEX_HEAD) {
        uint8_t *r = f.bytes.data + GODB_INDEX_HEAD;
        uint32_t first = gp_le32(r + 8), n = gp_le16(r + 12);
        if (first < m.n && n <= m.n - first)
            gp_put_le64(r + 16, godb_index_tie(&m, first, n));
        gp_put_le32(r + 4, godb_index_sum(r + 8, gp_le32(r) - 8));
    }
    if (godb_index_file_parse(&m, &f, NULL) == GP_OK)
        for (size_t i = 0; i < f.n; i++)
            if (f.rec[i].k)
                (void)godb_xor_has(f.rec[i].bits, f.rec[i].third, f.rec[i].k, f.rec[i].seed, i);
    godb_index_file_free(&f);
    godb_blockmeta_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const parsers[])(const uint8_t *, size_t) = {fuzz_meta,  fuzz_column, fuzz_walk,
                                                               fuzz_codec, fuzz_name,   fuzz_index};
    if (size > 0)
        parsers[data[0] % (sizeof parsers / sizeof *parsers)](data + 1, size - 1);
    return 0;
}
