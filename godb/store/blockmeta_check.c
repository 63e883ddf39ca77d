/* blockmeta_check.c - may the lengths and codecs of one block be true (godb-format.md 2.5, item 7)?
 */
#include "blockmeta.h"
#include "godb/codec.h"

/* Raw length of an attribute column. */
static uint64_t attr_len(godb_col c, uint64_t v4, uint64_t v6)
{
    switch (c) {
    case GODB_COL_PROTO:
        return v4 + v6;
    case GODB_COL_DPORT:
        return 2 * (v4 + v6);
    default:
        return 4 * v4 + 16 * v6;
    }
}

static const char *check_raw(const godb_block *b, godb_col c)
{
    uint64_t n = (uint64_t)b->n_v4 + b->n_v6, raw = b->raw[c];

    if ((int)c < GODB_N_ATTRS)
        return raw == attr_len(c, b->n_v4, b->n_v6) ? NULL
                                                    : "raw length does not match the row counts";
    if (n == 0)
        return raw <= 1 ? NULL : "counters of a block without rows";
    if (raw < 1 + n || (raw - 1) % n != 0 || (raw - 1) / n > 8)
        return "counter length does not match the row counts";
    return NULL;
}

static const char *check_codec(const godb_block *b, godb_col c)
{
    uint64_t raw = b->raw[c], stored = b->stored[c];

    if ((raw == 0) != (stored == 0))
        return "only one of stored and raw length is 0";
    if (raw == 0)
        return NULL;
    switch (b->codec[c]) {
    case GODB_CODEC_NULL:
        return raw == stored ? NULL : "raw block of another stored length";
    case GODB_CODEC_LZ4:
        return raw <= GODB_LZ4_MAX_RATIO * stored ? NULL : "impossible lz4 ratio";
    case GODB_CODEC_ZSTD:
        return raw <= GODB_ZSTD_MAX_RATIO * stored && raw <= GODB_ZSTD_MAX_RAW
                   ? NULL
                   : "zstd block above the size limit";
    default:
        return "unknown codec";
    }
}

void godb_block_check(godb_block *b)
{
    b->usable = 1;
    b->reason = NULL;
    for (int c = 0; c < GODB_N_COLS && b->usable; c++) {
        b->reason = check_raw(b, (godb_col)c);
        if (!b->reason)
            b->reason = check_codec(b, (godb_col)c);
        b->usable = b->reason == NULL;
    }
}
