/* encoder.c - rows of a block to eight encoded columns in memory, before anything is written. */
#include "encoder.h"

#include "godb/packed.h"

gp_status godb_encoder_init(godb_encoder *x, gp_err *err)
{
    return godb_codec_new(&x->codec, err);
}

void godb_encoder_free(godb_encoder *x)
{
    godb_codec_free(x->codec);
    gp_buf_free(&x->packed);
    x->codec = NULL;
}

void godb_payload_free(godb_payload *p)
{
    for (int c = 0; c < GODB_N_COLS; c++)
        gp_buf_free(&p->col[c]);
}

/* Strictly rising (sip, dip, dport, proto) in rows [from, to) with addresses of width bytes at off.
 */
static int rising(const godb_rows *r, size_t from, size_t to, size_t off, size_t width)
{
    for (size_t i = from + 1; i < to; i++) {
        const uint8_t *s = r->sip + off + width * (i - from);
        const uint8_t *d = r->dip + off + width * (i - from);
        int c = memcmp(s - width, s, width);
        if (c == 0)
            c = memcmp(d - width, d, width);
        if (c == 0)
            c = memcmp(r->dport + 2 * (i - 1), r->dport + 2 * i, 2);
        if (c == 0)
            c = r->proto[i - 1] - r->proto[i];
        if (c >= 0)
            return 0;
    }
    return 1;
}

int godb_rows_in_order(const godb_rows *r)
{
    size_t v4 = r->n_v4, v6 = r->n_v6;
    return rising(r, 0, v4, 0, 4) && rising(r, v4, v4 + v6, 4 * v4, 16);
}

static gp_status check_rows(int64_t time_s, const godb_rows *r, gp_err *err)
{
    uint64_t v4 = r->n_v4, v6 = r->n_v6;

    if (time_s < 0 || time_s > INT64_MAX - GODB_DAY_S)
        return gp_fail(err, GP_EINVAL, 0, "block time %lld is out of range", (long long)time_s);
    if (4 * v4 + 16 * v6 > UINT32_MAX || 1 + 8 * (v4 + v6) > UINT32_MAX)
        return gp_fail(err, GP_ELIMIT, 0, "%llu rows are too many for one block",
                       (unsigned long long)(v4 + v6));
    if (!godb_rows_in_order(r))
        return gp_fail(err, GP_EINVAL, 0, "rows of block %lld are not in strictly rising key order",
                       (long long)time_s);
    return GP_OK;
}

/* How to encode, and where to. */
struct target {
    godb_encoder *x;
    uint8_t codec;
    int level;
    godb_payload *p;
    godb_encoded *e;
};

static gp_status encode_column(const struct target *t, godb_col c, const void *raw, size_t raw_len,
                               gp_err *err)
{
    gp_buf *b = &t->p->col[c];
    godb_block *d = &t->e->block;

    gp_buf_clear(b);
    d->codec[c] = GODB_CODEC_NULL;
    if (raw_len > 0)
        GP_TRY(
            godb_codec_encode(t->x->codec, t->codec, t->level, raw, raw_len, b, &d->codec[c], err));
    d->raw[c] = (uint32_t)raw_len;
    d->stored[c] = (uint32_t)b->len;
    t->e->payload[c] = b->data;
    return GP_OK;
}

gp_status godb_encode_rows(godb_encoder *x, uint8_t codec, int level, int64_t time_s,
                           const godb_rows *r, uint64_t drops, godb_payload *p, godb_encoded *e,
                           gp_err *err)
{
    GP_TRY(check_rows(time_s, r, err));
    const struct target t = {x, codec, level, p, e};
    size_t v4 = r->n_v4, v6 = r->n_v6, n = v4 + v6;
    const uint8_t *attr[GODB_N_ATTRS] = {r->sip, r->dip, r->proto, r->dport};
    const size_t len[GODB_N_ATTRS] = {4 * v4 + 16 * v6, 4 * v4 + 16 * v6, n, 2 * n};

    *e = (godb_encoded){.block = {.time_s = time_s,
                                  .n_v4 = r->n_v4,
                                  .n_v6 = r->n_v6,
                                  .drops = drops > UINT32_MAX ? UINT32_MAX : (uint32_t)drops}};
    for (int c = 0; c < GODB_N_ATTRS; c++) {
        GP_TRY(encode_column(&t, (godb_col)c, attr[c], len[c], err));
    }
    for (int k = 0; k < GODB_N_COUNTERS; k++) {
        gp_buf_clear(&x->packed);
        godb_packed_encode(r->counter[k], n, &x->packed);
        if (x->packed.failed)
            return gp_fail(err, GP_ENOMEM, 0, "writer: out of memory for %zu rows", n);
        for (size_t i = 0; i < n; i++)
            e->sums[k] += r->counter[k][i];
        GP_TRY(encode_column(&t, (godb_col)(GODB_N_ATTRS + k), x->packed.data, x->packed.len, err));
    }
    return GP_OK;
}

gp_status godb_encode_raw(godb_encoder *x, uint8_t codec, int level, const godb_block *b,
                          const uint8_t *const raw[GODB_N_COLS], godb_payload *p, godb_encoded *e,
                          gp_err *err)
{
    static const uint8_t no_rows[] = {1}; /* the packed form of no values (3.5) */
    const struct target t = {x, codec, level, p, e};
    size_t n = (size_t)b->n_v4 + b->n_v6;

    *e = (godb_encoded){
        .block = {.time_s = b->time_s, .n_v4 = b->n_v4, .n_v6 = b->n_v6, .drops = b->drops}};
    for (int c = 0; c < GODB_N_ATTRS; c++) {
        GP_TRY(encode_column(&t, (godb_col)c, raw[c], b->raw[c], err));
    }
    for (int k = 0; k < GODB_N_COUNTERS; k++) {
        int c = GODB_N_ATTRS + k;
        const uint8_t *v = n > 0 ? raw[c] : no_rows;
        unsigned w = godb_packed_width(v, n > 0 ? b->raw[c] : sizeof no_rows, n);
        if (w == 0)
            return gp_fail(err, GP_ECORRUPT, 0, "%s of block %lld does not hold %zu values",
                           godb_col_file((godb_col)c), (long long)b->time_s, n);
        if (n > 0)
            e->sums[k] = godb_packed_sum(v, w, 0, n);
        GP_TRY(encode_column(&t, (godb_col)c, v, n > 0 ? b->raw[c] : sizeof no_rows, err));
    }
    return GP_OK;
}
