/* codec.c - column block payloads with liblz4 and libzstd; one set of contexts per thread. */
#include "godb/codec.h"

#include "gp/mem.h"
#include "lz4quick.h"

#include <limits.h>
#include <lz4.h>
#include <lz4hc.h>
#include <strings.h>
#include <zstd.h>

enum {
    LZ4_FAST_BELOW = 3, /* levels 1 and 2 mean the fast compressor; HC begins at 3 */
    RAW_LIMIT_LZ4 = 0x7E000000,
};

struct godb_codec {
    int quick; /* 1: lz4quick.h can be used */
    LZ4_streamHC_t *lz4hc;
    void *lz4;     /* LZ4_sizeofState() bytes */
    ZSTD_CCtx *zc; /* parameters set except for the level */
    ZSTD_DCtx *zd;
    gp_buf scratch; /* codec output before the raw fall-back is decided */
};

static const char *const names[] = {"lz4cust", "null", "zstd", "lz4"};

int godb_codec_by_name(const char *name)
{
    for (size_t i = 0; i < GP_COUNT(names); i++)
        if (strcasecmp(name, names[i]) == 0)
            return (int)i;
    return -1;
}

const char *godb_codec_name(uint8_t id)
{
    return id < GP_COUNT(names) ? names[id] : "?";
}

gp_status godb_codec_new(godb_codec **out, gp_err *err)
{
    godb_codec *c = gp_calloc(1, sizeof *c);
    if (!c)
        return gp_fail(err, GP_ENOMEM, 0, "codec: out of memory");
    c->quick = godb_lz4quick_ok();
    *out = c;
    return GP_OK;
}

void godb_codec_free(godb_codec *c)
{
    if (!c)
        return;
    gp_free(c->lz4hc);
    gp_free(c->lz4);
    ZSTD_freeCCtx(c->zc);
    ZSTD_freeDCtx(c->zd);
    gp_buf_free(&c->scratch);
    gp_free(c);
}

/* At least the first `head` of raw_len bytes; with head == raw_len the whole block, checked. */
static gp_status decode_lz4(const godb_codec *c, const uint8_t *src, size_t stored_len,
                            uint8_t *dst, size_t raw_len, size_t head, gp_err *err)
{
    size_t used = 0, done = 0;
    int n = 0;

    if (stored_len > INT_MAX || raw_len > RAW_LIMIT_LZ4)
        return gp_fail(err, GP_ECORRUPT, 0, "lz4 block of %zu bytes is beyond the limit", raw_len);
    if (c->quick)
        done = godb_lz4quick(src, stored_len, dst, raw_len, head, &used);
    /* liblz4 checks bounds, needs the whole input and gives the output length. */
    const char *in = (const char *)src + used, *prefix = (const char *)dst;
    char *out = (char *)dst + done;
    int in_len = (int)(stored_len - used), room = (int)(raw_len - done);
    if (head == raw_len)
        n = LZ4_decompress_safe_usingDict(in, out, in_len, room, prefix, (int)done);
    else if (done < head)
        n = LZ4_decompress_safe_partial_usingDict(in, out, in_len, (int)(head - done), room, prefix,
                                                  (int)done);
    if (n < 0 || (size_t)n + done < head)
        return gp_fail(err, GP_ECORRUPT, 0, "lz4 block of %zu bytes does not decode to %zu bytes",
                       stored_len, head);
    return GP_OK;
}

static gp_status decode_zstd(godb_codec *c, const void *src, size_t stored_len, void *dst,
                             size_t raw_len, gp_err *err)
{
    if (!c->zd && !(c->zd = ZSTD_createDCtx()))
        return gp_fail(err, GP_ENOMEM, 0, "zstd: out of memory");
    /* One frame, nothing behind it: ZSTD_decompressDCtx would go on with a second frame. */
    if (ZSTD_findFrameCompressedSize(src, stored_len) != stored_len)
        return gp_fail(err, GP_ECORRUPT, 0, "zstd block is not one frame of %zu bytes", stored_len);
    size_t n = ZSTD_decompressDCtx(c->zd, dst, raw_len, src, stored_len);
    if (ZSTD_isError(n))
        return gp_fail(err, GP_ECORRUPT, 0, "zstd block of %zu bytes: %s", stored_len,
                       ZSTD_getErrorName(n));
    if (n != raw_len)
        return gp_fail(err, GP_ECORRUPT, 0, "zstd block gives %zu bytes instead of %zu", n,
                       raw_len);
    return GP_OK;
}

gp_status godb_codec_decode(godb_codec *c, uint8_t id, const void *src, size_t stored_len,
                            void *dst, size_t raw_len, gp_err *err)
{
    if (raw_len == 0 || stored_len == 0) {
        if (raw_len == 0 && stored_len == 0)
            return GP_OK;
        return gp_fail(err, GP_ECORRUPT, 0, "block of %zu stored bytes cannot be %zu bytes",
                       stored_len, raw_len);
    }
    switch (id) {
    case GODB_CODEC_NULL:
        if (stored_len != raw_len)
            return gp_fail(err, GP_ECORRUPT, 0, "raw block of %zu bytes must be %zu bytes",
                           stored_len, raw_len);
        memcpy(dst, src, raw_len);
        return GP_OK;
    case GODB_CODEC_LZ4:
        return decode_lz4(c, src, stored_len, dst, raw_len, raw_len, err);
    case GODB_CODEC_ZSTD:
        return decode_zstd(c, src, stored_len, dst, raw_len, err);
    default:
        return gp_fail(err, GP_EUNSUPPORTED, 0, "codec %u (%s) cannot be read", id,
                       godb_codec_name(id));
    }
}

static LZ4_streamHC_t *new_lz4hc(void)
{
    void *mem = gp_alloc_aligned(1, sizeof(LZ4_streamHC_t));
    return mem ? LZ4_initStreamHC(mem, sizeof(LZ4_streamHC_t)) : NULL;
}

gp_status godb_codec_decode_head(godb_codec *c, uint8_t id, const void *src, size_t stored_len,
                                 void *dst, size_t raw_len, size_t head, gp_err *err)
{
    if (id != GODB_CODEC_LZ4 || head >= raw_len || stored_len == 0)
        return godb_codec_decode(c, id, src, stored_len, dst, raw_len, err);
    return decode_lz4(c, src, stored_len, dst, raw_len, head, err);
}

/* Compress into dst of cap bytes; *len is what was written. */
static gp_status encode_lz4(godb_codec *c, int level, const void *raw, size_t raw_len, void *dst,
                            size_t cap, size_t *len, gp_err *err)
{
    int n;
    if (level < LZ4_FAST_BELOW) {
        if (!c->lz4 && !(c->lz4 = gp_alloc_aligned(1, (size_t)LZ4_sizeofState())))
            return gp_fail(err, GP_ENOMEM, 0, "lz4: out of memory");
        n = LZ4_compress_fast_extState(c->lz4, raw, dst, (int)raw_len, (int)cap, 1);
    } else {
        if (!c->lz4hc && !(c->lz4hc = new_lz4hc()))
            return gp_fail(err, GP_ENOMEM, 0, "lz4: out of memory");
        /* A stream that is begun anew gives the same bytes as LZ4_compress_HC(), without clearing
         * 256 KiB of tables for every small column. */
        LZ4_resetStreamHC_fast(c->lz4hc, level);
        n = LZ4_compress_HC_continue(c->lz4hc, raw, dst, (int)raw_len, (int)cap);
    }
    if (n <= 0)
        return gp_fail(err, GP_EINVAL, 0, "lz4: cannot compress %zu bytes", raw_len);
    *len = (size_t)n;
    return GP_OK;
}

static gp_status encode_zstd(godb_codec *c, int level, const void *raw, size_t raw_len, void *dst,
                             size_t cap, size_t *len, gp_err *err)
{
    if (!c->zc) {
        if (!(c->zc = ZSTD_createCCtx()))
            return gp_fail(err, GP_ENOMEM, 0, "zstd: out of memory");
        /* Frame header as in 4.2: no content size, no checksum, no dictionary id. */
        (void)ZSTD_CCtx_setParameter(c->zc, ZSTD_c_contentSizeFlag, 0);
        (void)ZSTD_CCtx_setParameter(c->zc, ZSTD_c_checksumFlag, 0);
        (void)ZSTD_CCtx_setParameter(c->zc, ZSTD_c_dictIDFlag, 0);
    }
    (void)ZSTD_CCtx_setParameter(c->zc, ZSTD_c_compressionLevel, level); /* clamped inside */
    size_t n = ZSTD_compress2(c->zc, dst, cap, raw, raw_len);
    if (ZSTD_isError(n))
        return gp_fail(err, GP_ENOMEM, 0, "zstd: cannot compress %zu bytes: %s", raw_len,
                       ZSTD_getErrorName(n));
    *len = n;
    return GP_OK;
}

/* Compress into c->scratch. */
static gp_status compress(godb_codec *c, uint8_t id, int level, const void *raw, size_t raw_len,
                          size_t *len, gp_err *err)
{
    if (id == GODB_CODEC_LZ4 && raw_len > RAW_LIMIT_LZ4)
        return gp_fail(err, GP_ELIMIT, 0, "lz4: a block of %zu bytes is beyond the limit of %d",
                       raw_len, RAW_LIMIT_LZ4);
    size_t cap = id == GODB_CODEC_LZ4 ? (size_t)LZ4_compressBound((int)raw_len)
                                      : ZSTD_compressBound(raw_len);
    gp_buf_clear(&c->scratch);
    uint8_t *dst = gp_buf_reserve(&c->scratch, cap);
    if (!dst)
        return gp_fail(err, GP_ENOMEM, 0, "codec: out of memory for %zu bytes", cap);
    return id == GODB_CODEC_LZ4 ? encode_lz4(c, level, raw, raw_len, dst, cap, len, err)
                                : encode_zstd(c, level, raw, raw_len, dst, cap, len, err);
}

gp_status godb_codec_encode(godb_codec *c, uint8_t id, int level, const void *raw, size_t raw_len,
                            gp_buf *out, uint8_t *id_used, gp_err *err)
{
    const void *src = raw;
    size_t len = raw_len;
    uint8_t used = GODB_CODEC_NULL;

    if (id != GODB_CODEC_NULL && id != GODB_CODEC_LZ4 && id != GODB_CODEC_ZSTD)
        return gp_fail(err, GP_EUNSUPPORTED, 0, "codec %u (%s) cannot be written", id,
                       godb_codec_name(id));
    if (id != GODB_CODEC_NULL && raw_len > 0) {
        size_t n = 0;
        GP_TRY(
            compress(c, id, level > 0 ? level : GODB_CODEC_DEFAULT_LEVEL, raw, raw_len, &n, err));
        if (n <= raw_len) { /* raw iff the output is longer (3.6) */
            src = c->scratch.data;
            len = n;
            used = id;
        }
    }
    gp_buf_add(out, src, len);
    if (out->failed)
        return gp_fail(err, GP_ENOMEM, 0, "codec: out of memory for %zu bytes", len);
    *id_used = used;
    return GP_OK;
}
