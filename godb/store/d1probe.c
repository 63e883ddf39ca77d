/* d1probe.c - codec output in front of raw bytes (D1): recognise it, and put the content together.
 */
#include "d1probe.h"

#include "godb/codec.h"
#include "godb/lz4walk.h"
#include "gp/bytes.h"
#include "gp/io.h"
#include "gp/mem.h"

enum {
    GLANCE = 512,      /* bytes that settle nearly every sound block */
    ZSTD_HEAD = 6,     /* magic, descriptor byte 0, window (4.2) */
    ZSTD_BLOCK = 3,    /* block header */
    ZSTD_MAX = 131072, /* bytes of a block, raw or compressed */
};
#define ZSTD_MAGIC_LE 0xFD2FB528u

/* Upper bound of C: lz4's, which is above zstd's for the lengths in question. */
static uint64_t output_bound(uint64_t raw_len)
{
    return raw_len + raw_len / 255 + 64;
}

/* At most n bytes from `at`; *got of them exist. */
static gp_status view(const godb_d1file *f, uint64_t at, uint64_t n, uint8_t **buf, size_t *got,
                      gp_err *err)
{
    uint64_t have = at < f->size ? f->size - at : 0;

    *got = (size_t)(n < have ? n : have);
    *buf = gp_alloc(*got + 1, 1);
    if (!*buf)
        return gp_fail(err, GP_ENOMEM, 0, "salvage: out of memory for %zu bytes", *got);
    return gp_pread_full(f->fd, *buf, *got, at, err);
}

static void probe_lz4(const uint8_t *buf, size_t len, uint32_t raw_len, godb_d1probe *out)
{
    godb_lz4_walk_result w = godb_lz4_walk(buf, len, raw_len, raw_len);

    out->found = w.plausible;
    out->complete = w.complete && w.plausible;
    out->c = w.consumed;
    out->tail = w.tail;
}

/* Walk the block headers of a frame as the reference writes it. */
static void probe_zstd(const uint8_t *buf, size_t len, uint32_t raw_len, godb_d1probe *out)
{
    uint64_t at = ZSTD_HEAD, made = 0;

    if (len < ZSTD_HEAD + ZSTD_BLOCK || gp_le32(buf) != ZSTD_MAGIC_LE || buf[4] != 0)
        return;
    for (;;) {
        if (at + ZSTD_BLOCK > len) {
            out->found =
                at + ZSTD_BLOCK > raw_len; /* headers were sound up to the end of what is ours */
            break;
        }
        uint32_t head =
            (uint32_t)buf[at] | (uint32_t)buf[at + 1] << 8 | (uint32_t)buf[at + 2] << 16;
        uint32_t last = head & 1, type = head >> 1 & 3, size = head >> 3;
        if (at + ZSTD_BLOCK > raw_len) /* this header may be overwritten already */
            out->found = 1;
        if (type == 3 || size > ZSTD_MAX)
            break;
        made += type == 2 ? 1 : size; /* a compressed block gives at least something */
        if (made > raw_len)
            break;
        at += ZSTD_BLOCK + (type == 1 ? 1 : size);
        if (!last)
            continue;
        out->c = at;
        out->complete = at > raw_len && at <= len;
        out->found = at > raw_len;
        out->tail = out->complete && type == 0 ? size : 0;
        break;
    }
    out->zstd = out->found;
}

gp_status godb_d1_probe(const godb_d1file *f, uint64_t at, uint32_t raw_len, godb_d1probe *out,
                        gp_err *err)
{
    uint8_t glance[GLANCE];
    GP_CLEANUP(gp_freep) uint8_t *buf = NULL;
    size_t n = 0;

    *out = (godb_d1probe){0};
    if (raw_len < GODB_D1_MIN_RAW || at >= f->size || f->size - at < raw_len)
        return GP_OK;
    GP_TRY(gp_pread_full(f->fd, glance, GLANCE, at, err)); /* raw_len is above GLANCE */
    int zstd = gp_le32(glance) == ZSTD_MAGIC_LE;
    godb_lz4_walk_result w = godb_lz4_walk(glance, GLANCE, raw_len, raw_len);
    if (!w.cut && !zstd)
        return GP_OK;
    GP_TRY(view(f, at, output_bound(raw_len), &buf, &n, err));
    probe_lz4(buf, n, raw_len, out);
    if (!out->found && zstd)
        probe_zstd(buf, n, raw_len, out);
    return GP_OK;
}

/* Decode as much of the first n bytes of the output as is certain; returns how many bytes. */
static size_t decode_start(const uint8_t *src, size_t n, int whole, const godb_d1probe *p,
                           uint8_t *raw, uint32_t raw_len)
{
    size_t at = ZSTD_HEAD, made = 0;

    if (!p->zstd)
        return godb_lz4_decode_prefix(src, n, raw, raw_len);
    godb_codec *c = NULL;
    if (whole && godb_codec_new(&c, NULL) == GP_OK) {
        gp_status st = godb_codec_decode(c, GODB_CODEC_ZSTD, src, n, raw, raw_len, NULL);
        godb_codec_free(c);
        if (st == GP_OK)
            return raw_len;
    }
    /* A cut frame still shows its leading raw blocks. */
    while (at + ZSTD_BLOCK <= n) {
        uint32_t head =
            (uint32_t)src[at] | (uint32_t)src[at + 1] << 8 | (uint32_t)src[at + 2] << 16;
        size_t size = head >> 3;
        at += ZSTD_BLOCK;
        if ((head >> 1 & 3) != 0)
            break;
        size_t have = size < n - at ? size : n - at;
        if (have > raw_len - made)
            have = raw_len - made;
        memcpy(raw + made, src + at, have);
        made += have;
        at += size;
    }
    return made;
}

/* [from, to) of the raw copy that are in the file and not overwritten: the longest run that reaches
 * the end of the copy. */
static uint64_t copy_from(uint64_t copy_at, uint64_t end, uint64_t size, uint64_t dead_from,
                          uint64_t dead_to)
{
    if (end > size || (dead_to >= end && dead_from < end))
        return end; /* the last byte is gone */
    return dead_from < end && dead_to > copy_at ? dead_to : copy_at;
}

gp_status godb_d1_salvage(const godb_d1file *f, uint64_t at, uint32_t raw_len,
                          const godb_d1probe *p, uint64_t dead_from, uint64_t dead_to, uint8_t *raw,
                          godb_d1salvage *res, gp_err *err)
{
    GP_CLEANUP(gp_freep) uint8_t *out = NULL;
    GP_CLEANUP(gp_freep) uint8_t *copy = NULL;
    size_t n = 0, got = 0;

    *res = (godb_d1salvage){0};
    if (!p->complete)
        return GP_OK;
    uint64_t usable = dead_from > at && dead_from < at + p->c ? dead_from - at : p->c;
    if (dead_from <= at && dead_to > at)
        return GP_OK; /* the beginning is gone: nothing can be told */
    GP_TRY(view(f, at, usable, &out, &n, err));
    size_t made = decode_start(out, n, usable == p->c, p, raw, raw_len);

    uint64_t copy_at = at + p->c, end = copy_at + raw_len;
    uint64_t from = copy_from(copy_at, end, f->size, dead_from, dead_to);
    size_t x0 = (size_t)(from - copy_at); /* raw index of the first byte of the copy */
    GP_TRY(view(f, from, end - from, &copy, &got, err));
    size_t overlap = made > x0 ? made - x0 : 0;
    int agree = overlap == 0 || memcmp(copy, raw + x0, overlap) == 0;
    res->agreed = agree ? overlap : 0;
    if (made == raw_len) {
        res->whole = usable == p->c && (x0 == raw_len || agree);
        res->twice = res->whole && x0 == 0;
        return GP_OK;
    }
    if (x0 + GODB_D1_MIN_OVERLAP > made || !agree)
        return GP_OK;
    memcpy(raw + x0, copy, raw_len - x0);
    res->whole = 1;
    return GP_OK;
}
