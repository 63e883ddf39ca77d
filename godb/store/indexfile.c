/* indexfile.c - parse and write the records of `.index`; nothing in it is trusted. */
#include "indexfile.h"

#include "gp/io.h"
#include "gp/mem.h"
#include "sum.h"
#include "xorfilter.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { VERSION = 1, AT_SUMS = 24, AT_KEYS = 56, AT_SEED = 60, AT_TIMES = 64 };
static const char magic[4] = {'G', 'P', 'I', 'X'};

uint32_t godb_index_sum_of(const godb_block *b, const uint32_t cols[GODB_N_COLS])
{
    uint8_t le[4 * GODB_N_COLS + 12];

    for (int c = 0; c < GODB_N_COLS; c++)
        gp_put_le32(le + 4 * c, cols[c]);
    gp_put_le64(le + 4 * GODB_N_COLS, (uint64_t)b->time_s);
    gp_put_le32(le + 4 * GODB_N_COLS + 8, b->drops);
    return godb_index_sum(le, sizeof le);
}

uint32_t godb_index_sum(const void *bytes, size_t n)
{
    return (uint32_t)godb_sum(bytes, n);
}

uint64_t godb_index_hash(godb_col col, unsigned family, const void *addr)
{
    uint64_t h = XXH3_64bits_withSeed(addr, family == 4 ? 4 : 16, (uint64_t)col << 8 | family);
    return h ? h : 1; /* 0 marks a free slot while the set is built */
}

uint64_t godb_index_tie(const godb_blockmeta *m, uint32_t first, uint32_t n)
{
    uint64_t tie = (uint64_t)m->day_s;

    for (uint32_t i = first; i < first + n; i++) {
        const godb_block *b = &m->blocks[i];
        uint8_t d[8 + GODB_N_COLS * 17];
        uint8_t *p = d;
        gp_put_le32(p, b->n_v4);
        gp_put_le32(p + 4, b->n_v6);
        p += 8;
        for (int c = 0; c < GODB_N_COLS; c++, p += 17) {
            gp_put_le32(p, b->stored[c]);
            gp_put_le32(p + 4, b->raw[c]);
            p[8] = b->stored[c] ? b->codec[c] : 0;
            gp_put_le64(p + 9, b->offset[c]);
        }
        tie = XXH3_64bits_withSeed(d, sizeof d, tie);
    }
    return tie;
}

uint32_t godb_index_times(const godb_blockmeta *m, uint32_t first, uint32_t n)
{
    uint64_t sum = 0;

    for (uint32_t i = first; i < first + n; i++) {
        uint8_t d[12];
        gp_put_le64(d, (uint64_t)m->blocks[i].time_s);
        gp_put_le32(d + 8, m->blocks[i].drops);
        sum = XXH3_64bits_withSeed(d, sizeof d, sum);
    }
    return (uint32_t)sum;
}

static size_t ranges_len(uint8_t flags)
{
    return (flags & GODB_INDEX_V4 ? 16u : 0u) + (flags & GODB_INDEX_V6 ? 32u : 0u);
}

/* Bytes of the checksums of single blocks. */
static size_t sums_len(uint32_t n)
{
    return n > 1 ? 4 * (size_t)n : 0;
}

size_t godb_index_rec_parse(const uint8_t *p, size_t len, godb_index_rec *r)
{
    if (len < GODB_INDEX_REC)
        return 0;
    size_t n = gp_le32(p);
    if (n < GODB_INDEX_REC || n > len || godb_index_sum(p + 8, n - 8) != gp_le32(p + 4))
        return 0;
    *r = (godb_index_rec){.first = gp_le32(p + 8),
                          .n = gp_le16(p + 12),
                          .flags = p[14],
                          .k = p[15],
                          .tie = gp_le64(p + 16),
                          .keys = gp_le32(p + AT_KEYS),
                          .seed = p[AT_SEED],
                          .times = gp_le32(p + AT_TIMES)};
    size_t ranges = ranges_len(r->flags) + sums_len(r->n);
    if (r->n == 0 || r->flags > 3 || r->k > GODB_XOR_MAX_BITS || r->keys > INT32_MAX ||
        n != GODB_INDEX_REC + ranges + (r->k ? godb_xor_bytes(r->keys, r->k) : 0))
        return 0;
    for (int c = 0; c < GODB_N_COLS; c++)
        r->sum[c] = gp_le32(p + AT_SUMS + 4 * c);
    const uint8_t *q = p + GODB_INDEX_REC;
    for (int f = 0; f < 2; f++) {
        if (!(r->flags & 1u << f))
            continue;
        for (int c = 0; c < 2; c++) {
            size_t w = f ? 8 : 4;
            r->min[f][c] = f ? gp_le64(q) : gp_le32(q);
            r->max[f][c] = f ? gp_le64(q + w) : gp_le32(q + w);
            q += 2 * w;
        }
    }
    r->third = godb_xor_third(r->keys);
    r->block_sums = r->n > 1 ? q : NULL;
    r->bits = q + sums_len(r->n);
    return n;
}

void godb_index_head_write(gp_buf *out, int64_t day_s)
{
    uint8_t h[GODB_INDEX_HEAD] = {0};

    memcpy(h, magic, sizeof magic);
    h[4] = VERSION;
    gp_put_le64(h + 8, (uint64_t)day_s);
    gp_buf_add(out, h, sizeof h);
}

void godb_index_rec_write(gp_buf *out, const godb_index_rec *r, const uint8_t *filter)
{
    size_t bits = r->k ? godb_xor_bytes(r->keys, r->k) : 0;
    size_t len = GODB_INDEX_REC + ranges_len(r->flags) + sums_len(r->n) + bits;
    uint8_t *p = gp_buf_reserve(out, len);

    if (!p)
        return;
    memset(p, 0, GODB_INDEX_REC);
    gp_put_le32(p, (uint32_t)len);
    gp_put_le32(p + 8, r->first);
    gp_put_le16(p + 12, (uint16_t)r->n);
    p[14] = r->flags;
    p[15] = r->k;
    gp_put_le64(p + 16, r->tie);
    for (int c = 0; c < GODB_N_COLS; c++)
        gp_put_le32(p + AT_SUMS + 4 * c, r->sum[c]);
    gp_put_le32(p + AT_KEYS, r->keys);
    p[AT_SEED] = r->seed;
    gp_put_le32(p + AT_TIMES, r->times);
    uint8_t *q = p + GODB_INDEX_REC;
    for (int f = 0; f < 2; f++) {
        if (!(r->flags & 1u << f))
            continue;
        for (int c = 0; c < 2; c++) {
            if (f) {
                gp_put_le64(q, r->min[f][c]);
                gp_put_le64(q + 8, r->max[f][c]);
                q += 16;
            } else {
                gp_put_le32(q, (uint32_t)r->min[f][c]);
                gp_put_le32(q + 4, (uint32_t)r->max[f][c]);
                q += 8;
            }
        }
    }
    if (r->n > 1)
        memcpy(q, r->block_sums, sums_len(r->n));
    if (bits)
        memcpy(q + sums_len(r->n), filter, bits);
    gp_put_le32(p + 4, godb_index_sum(p + 8, len - 8));
    out->len += len;
}

void godb_index_file_free(godb_index_file *f)
{
    gp_buf_free(&f->bytes);
    gp_free(f->rec);
    gp_free(f->of_block);
    *f = (godb_index_file){0};
}

static gp_status add_record(const godb_blockmeta *m, godb_index_file *f, const godb_index_rec *r,
                            size_t *cap, gp_err *err)
{
    if (r->first >= m->n || r->n > m->n - r->first || godb_index_tie(m, r->first, r->n) != r->tie) {
        f->stale++;
        f->last = 0;
        return GP_OK;
    }
    if (f->n == *cap) {
        size_t want = *cap ? 2 * *cap : 64;
        godb_index_rec *v = gp_realloc(f->rec, want, sizeof *v);
        if (!v)
            return gp_fail(err, GP_ENOMEM, 0, "index: out of memory");
        f->rec = v;
        *cap = want;
    }
    f->rec[f->n] = *r;
    f->rec[f->n++].times_bad = godb_index_times(m, r->first, r->n) != r->times;
    for (uint32_t i = r->first; i < r->first + r->n; i++)
        f->of_block[i] = (uint32_t)f->n;
    return GP_OK;
}

gp_status godb_index_file_parse(const godb_blockmeta *m, godb_index_file *f, gp_err *err)
{
    size_t len = f->bytes.len, at = GODB_INDEX_HEAD, cap = 0;
    godb_index_rec r;

    f->n_blocks = m->n;
    f->of_block = gp_calloc(m->n + 1, sizeof *f->of_block);
    if (!f->of_block || !gp_buf_reserve(&f->bytes, GODB_INDEX_PAD))
        return gp_fail(err, GP_ENOMEM, 0, "index: out of memory");
    const uint8_t *p = f->bytes.data;
    memset(f->bytes.data + len, 0, GODB_INDEX_PAD);
    if (len < GODB_INDEX_HEAD || memcmp(p, magic, sizeof magic) != 0 || p[4] != VERSION ||
        gp_le64(p + 8) != (uint64_t)m->day_s)
        return GP_OK;
    f->end = at;
    while (at < len) {
        size_t n = godb_index_rec_parse(p + at, len - at, &r);
        if (n == 0)
            break; /* torn or damaged: what follows cannot be found */
        f->last = r.at = at;
        GP_TRY(add_record(m, f, &r, &cap, err));
        at += n;
        f->end = at;
    }
    return GP_OK;
}

gp_status godb_index_file_read(int dirfd, const godb_blockmeta *m, godb_index_file *f, gp_err *err)
{
    gp_status st = gp_read_file(dirfd, GODB_INDEX_FILE, GODB_INDEX_MAX_BYTES, &f->bytes, err);

    if (st == GP_ELIMIT) { /* absurd: as if empty */
        gp_buf_clear(&f->bytes);
        st = GP_OK;
    }
    return st == GP_OK ? godb_index_file_parse(m, f, err) : st;
}
