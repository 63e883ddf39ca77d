/* batch_enc.c - rows to compressed columns.
 *
 * Rows are sorted by address first (batch_order.c): neighbours then share leading bytes, so a
 * source address costs about one byte, and zstd sees equal values side by side. Columns that are
 * not alike go into zstd frames of their own, each with a table of its own. */
#include "wire/batch.h"

#define ZSTD_STATIC_LINKING_ONLY /* ZSTD_c_literalCompressionMode */

#include "batch.h"
#include "batch_num.h"
#include "batch_order.h"
#include "gp/mem.h"
#include "wire/limits.h"

#include <string.h>
#include <zstd.h>

enum {
    MAX_CUTS = 4,
    MIN_FRAME = 2048,  /* shorter pieces go with the next one: each frame has a head and a table */
    FRAME_EXTRA = 512, /* room that more frames take */
    MAX_NUMBERS = 8    /* in a row: host, interface, time, sip, counters */
};

struct wire_enc {
    ZSTD_CCtx *zstd;
    batch_order order;
    result_row *rows; /* of the batch, in coding order */
    uint8_t *raw;     /* WIRE_BATCH_RAW + slack */
    uint8_t *bits;    /* WIRE_BATCH_BITS + slack */
    size_t n_bits;    /* bytes in there */
    uint8_t *out;
    size_t out_cap;
    size_t cut[MAX_CUTS], n_cuts;   /* ends of zstd frames in raw */
    uint32_t *host_map, *iface_map; /* index in r -> index in the batch + 1 */
    size_t host_cap, iface_cap;
    uint32_t *hosts, *ifaces; /* index in the batch -> index in r; WIRE_BATCH_ROWS each */
    size_t n_hosts, n_ifaces;
};

void wire_enc_free(wire_enc *e)
{
    if (!e)
        return;
    ZSTD_freeCCtx(e->zstd);
    wire_order_free(&e->order);
    gp_free(e->rows);
    gp_free(e->raw);
    gp_free(e->bits);
    gp_free(e->out);
    gp_free(e->host_map);
    gp_free(e->iface_map);
    gp_free(e->hosts);
    gp_free(e->ifaces);
    gp_free(e);
}

gp_status wire_enc_new(wire_enc **out, gp_err *err)
{
    wire_enc *e = gp_calloc(1, sizeof *e);
    if (!e)
        goto fail;
    e->out_cap = BATCH_HEAD + ZSTD_compressBound(WIRE_BATCH_RAW) + MAX_CUTS * FRAME_EXTRA;
    e->zstd = ZSTD_createCCtx();
    e->rows = gp_alloc(WIRE_BATCH_ROWS, sizeof *e->rows);
    e->raw = gp_alloc(WIRE_BATCH_RAW + WIRE_BATCH_ROWS * WIRE_MAX_ROW_BYTES, 1);
    e->bits = gp_alloc(WIRE_BATCH_ROWS * MAX_NUMBERS * 8 + NUM_BITS_PAD, 1);
    e->out = gp_alloc(e->out_cap, 1);
    e->hosts = gp_alloc(WIRE_BATCH_ROWS, sizeof *e->hosts);
    e->ifaces = gp_alloc(WIRE_BATCH_ROWS, sizeof *e->ifaces);
    if (!e->zstd || !e->rows || !e->raw || !e->bits || !e->out || !e->hosts || !e->ifaces)
        goto fail;
    if (ZSTD_isError(ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_compressionLevel, BATCH_LEVEL)) ||
        ZSTD_isError(
            ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_literalCompressionMode, ZSTD_ps_enable)))
        goto fail;
    *out = e;
    return GP_OK;
fail:
    wire_enc_free(e);
    return gp_fail(err, GP_ENOMEM, 0, "batch encoder: out of memory");
}

/* ---- columns ---- */

static inline uint64_t zigzag(uint64_t v, uint64_t prev)
{
    uint64_t d = v - prev;
    return d << 1 ^ (uint64_t)((int64_t)d >> 63);
}

/* Bytes at the front that a and b share, 0..16. */
static inline unsigned shared_bytes(const uint8_t *a, const uint8_t *b)
{
    uint64_t x = gp_le64(a) ^ gp_le64(b), y = gp_le64(a + 8) ^ gp_le64(b + 8);
    if (x)
        return (unsigned)__builtin_ctzll(x) / 8;
    return y ? 8 + (unsigned)__builtin_ctzll(y) / 8 : 16;
}

static uint8_t *put_addr6(uint8_t *p, const result_row *rows, size_t n, size_t at)
{
    static const uint8_t zero[16];
    uint8_t *shared = p, *data = p + n;
    const uint8_t *prev = zero;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *a = (const uint8_t *)(rows + i) + at;
        unsigned k = shared_bytes(a, prev);
        shared[i] = (uint8_t)k;
        memcpy(data, a + k, 16 - k);
        data += 16 - k;
        prev = a;
    }
    return data;
}

static uint8_t *put_sip4(uint8_t *p, num_bits_out *bits, const result_row *rows, size_t n)
{
    uint32_t prev = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t v = gp_be32(rows[i].sip);
        p[i] = num_put(bits, (uint32_t)(v - prev));
        prev = v;
    }
    return p + n;
}

/* Four columns of symbols; their bits stand row by row, so that rows are read and written once. */
static uint8_t *put_counters(uint8_t *p, num_bits_out *bits, const result_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const result_counters *c = &rows[i].c;
        p[i] = num_put(bits, c->bytes_rcvd);
        p[n + i] = num_put(bits, c->bytes_sent);
        p[2 * n + i] = num_put(bits, c->pkts_rcvd);
        p[3 * n + i] = num_put(bits, c->pkts_sent);
    }
    return p + 4 * n;
}

static uint8_t *put_labels(uint8_t *p, num_bits_out *bits, size_t n, unsigned columns,
                           const wire_enc *e)
{
    const result_row *rows = e->rows;
    if (columns & WIRE_COL_HOST) {
        for (size_t i = 0; i < n; i++)
            *p++ = num_put(bits, e->host_map[rows[i].host] - 1);
    }
    if (columns & WIRE_COL_IFACE) {
        for (size_t i = 0; i < n; i++)
            *p++ = num_put(bits, e->iface_map[rows[i].iface] - 1);
    }
    if (columns & WIRE_COL_TIME) {
        uint64_t prev = 0;
        for (size_t i = 0; i < n; i++) {
            *p++ = num_put(bits, zigzag((uint64_t)rows[i].time_s, prev));
            prev = (uint64_t)rows[i].time_s;
        }
    }
    return p;
}

/* A frame ends at p. */
static void cut_at(wire_enc *e, const uint8_t *p)
{
    e->cut[e->n_cuts++] = (size_t)(p - e->raw);
}

static uint8_t *put_columns(uint8_t *p, wire_enc *e, size_t n, unsigned family, unsigned columns)
{
    const result_row *rows = e->rows;
    num_bits_out bits = {.p = e->bits};
    p = put_labels(p, &bits, n, columns, e);
    if (columns & WIRE_COL_SIP)
        p = family == 6 ? put_addr6(p, rows, n, offsetof(result_row, sip))
                        : put_sip4(p, &bits, rows, n);
    cut_at(e, p);
    if ((columns & WIRE_COL_DIP) && family == 6) {
        p = put_addr6(p, rows, n, offsetof(result_row, dip));
    } else if (columns & WIRE_COL_DIP) {
        for (size_t i = 0; i < n; i++, p += 4)
            memcpy(p, rows[i].dip, 4);
    }
    cut_at(e, p);
    if (columns & WIRE_COL_DPORT) {
        for (size_t i = 0; i < n; i++) {
            p[i] = (uint8_t)(rows[i].dport >> 8);
            p[n + i] = (uint8_t)rows[i].dport;
        }
        p += 2 * n;
    }
    if (columns & WIRE_COL_PROTO) {
        for (size_t i = 0; i < n; i++)
            *p++ = rows[i].proto;
    }
    cut_at(e, p);
    p = put_counters(p, &bits, rows, n);
    cut_at(e, p);
    e->n_bits = num_bits_end(&bits, e->bits);
    return p;
}

/* ---- labels ---- */

static gp_status grow_map(uint32_t **map, size_t *cap, size_t need)
{
    if (need <= *cap)
        return GP_OK;
    uint32_t *m = gp_realloc(*map, need, sizeof *m);
    if (!m)
        return GP_ENOMEM;
    memset(m + *cap, 0, (need - *cap) * sizeof *m);
    *map = m;
    *cap = need;
    return GP_OK;
}

/* A table without entries stands for one empty label. */
static size_t label_count(size_t n)
{
    return n ? n : 1;
}

static void map_label(uint32_t *map, uint32_t *list, size_t *n, uint32_t i)
{
    if (map[i] == 0) {
        list[*n] = i;
        map[i] = (uint32_t)++ * n;
    }
}

static void clear_labels(wire_enc *e)
{
    for (size_t i = 0; i < e->n_hosts; i++)
        e->host_map[e->hosts[i]] = 0;
    for (size_t i = 0; i < e->n_ifaces; i++)
        e->iface_map[e->ifaces[i]] = 0;
    e->n_hosts = e->n_ifaces = 0;
}

static gp_status put_text(uint8_t **p, const uint8_t *end, const char *s, gp_err *err)
{
    size_t n = s ? strlen(s) : 0;
    if (n > WIRE_MAX_LABEL)
        return gp_fail(err, GP_EINVAL, 0, "label of %zu bytes, at most %d", n, WIRE_MAX_LABEL);
    if ((size_t)(end - *p) < n + 1)
        return GP_ELIMIT; /* the caller halves the batch */
    *(*p)++ = (uint8_t)n;
    memcpy(*p, s ? s : "", n);
    *p += n;
    return GP_OK;
}

static gp_status put_dictionaries(const wire_enc *e, const result *r, uint8_t **p,
                                  const uint8_t *end, gp_err *err)
{
    for (size_t i = 0; i < e->n_hosts; i++) {
        const result_host *h = r->n_hosts ? &r->hosts[e->hosts[i]] : NULL;
        GP_TRY(put_text(p, end, h ? h->name : "", err));
        GP_TRY(put_text(p, end, h ? h->id : "", err));
    }
    for (size_t i = 0; i < e->n_ifaces; i++)
        GP_TRY(put_text(p, end, r->n_names ? r->names[e->ifaces[i]] : "", err));
    return GP_OK;
}

/* ---- one batch ---- */

static gp_status scan_rows(wire_enc *e, const result *r, size_t n, unsigned family,
                           unsigned *columns, gp_err *err)
{
    unsigned c = 0;
    size_t n_hosts = label_count(r->n_hosts), n_ifaces = label_count(r->n_names);
    for (size_t i = 0; i < n; i++) {
        const result_row *x = e->rows + i;
        if (x->host >= n_hosts || x->iface >= n_ifaces)
            return gp_fail(err, GP_EINVAL, 0, "row %zu: label index outside the table", i);
        map_label(e->host_map, e->hosts, &e->n_hosts, x->host);
        map_label(e->iface_map, e->ifaces, &e->n_ifaces, x->iface);
        c |= (x->time_s ? WIRE_COL_TIME : 0u) | (x->dport ? WIRE_COL_DPORT : 0u) |
             (x->proto ? WIRE_COL_PROTO : 0u);
    }
    c |= e->rows->sip_family ? WIRE_COL_SIP : 0u;
    c |= e->rows->dip_family ? WIRE_COL_DIP : 0u;
    if ((family == 0) != ((c & (WIRE_COL_SIP | WIRE_COL_DIP)) == 0))
        return gp_fail(err, GP_EINVAL, 0, "address family of a row");
    c |= (e->n_hosts > 1 ? WIRE_COL_HOST : 0u) | (e->n_ifaces > 1 ? WIRE_COL_IFACE : 0u);
    *columns = c;
    return GP_OK;
}

/* The raw bytes to e->out + BATCH_HEAD, a frame up to each cut; the number of bytes. */
static gp_status compress(wire_enc *e, size_t raw, size_t *len, gp_err *err)
{
    uint8_t *to = e->out + BATCH_HEAD, *end = e->out + e->out_cap;
    size_t from = 0;
    for (size_t i = 0; i < e->n_cuts; i++) {
        size_t n = e->cut[i] - from;
        if (i + 1 < e->n_cuts && n < MIN_FRAME)
            continue; /* goes with the next one */
        size_t z = ZSTD_compress2(e->zstd, to, (size_t)(end - to), e->raw + from, n);
        if (ZSTD_isError(z))
            return gp_fail(err, GP_ENOMEM, 0, "zstd: %s", ZSTD_getErrorName(z));
        to += z;
        from = e->cut[i];
    }
    *len = (size_t)(to - e->out) - BATCH_HEAD;
    e->out[1] = BATCH_ZSTD;
    if (*len >= raw) {
        e->out[1] = BATCH_RAW_CODEC;
        memcpy(e->out + BATCH_HEAD, e->raw, raw);
        *len = raw;
    }
    return GP_OK;
}

/* The first n of e->rows. GP_ELIMIT when they don't fit one batch. */
static gp_status encode_one(wire_enc *e, const result *r, size_t n, unsigned family, size_t *len,
                            gp_err *err)
{
    unsigned columns = 0;
    size_t z = 0;
    clear_labels(e);
    e->n_cuts = 0;
    GP_TRY(scan_rows(e, r, n, family, &columns, err));
    uint8_t *p = e->raw;
    gp_put_le16(p, (uint16_t)n);
    p[2] = (uint8_t)family;
    p[3] = (uint8_t)columns;
    gp_put_le16(p + 4, (uint16_t)e->n_hosts);
    gp_put_le16(p + 6, (uint16_t)e->n_ifaces);
    p += BATCH_FIXED;
    GP_TRY(put_dictionaries(e, r, &p, e->raw + WIRE_BATCH_RAW, err));
    p = put_columns(p, e, n, family, columns);
    size_t raw = (size_t)(p - e->raw);
    if (raw > WIRE_BATCH_RAW)
        return GP_ELIMIT;
    GP_TRY(compress(e, raw, &z, err));
    if (BATCH_HEAD + z + e->n_bits > WIRE_BATCH_BYTES)
        return GP_ELIMIT;
    e->out[0] = BATCH_VERSION;
    e->out[2] = e->out[3] = 0;
    gp_put_le32(e->out + 4, (uint32_t)raw);
    gp_put_le32(e->out + 8, (uint32_t)e->n_bits);
    memcpy(e->out + BATCH_HEAD + z, e->bits, e->n_bits);
    *len = BATCH_HEAD + z + e->n_bits;
    return GP_OK;
}

/* Rows of one family, in coding order. */
static gp_status encode_run(wire_enc *e, const result *r, const batch_entry *run, size_t n,
                            const result_row *rows, wire_batch_sink sink, void *ctx, gp_err *err)
{
    unsigned family = batch_family(&rows[run->row]);
    for (size_t done = 0, k = 0; done < n; done += k) {
        size_t len = 0;
        gp_status st = GP_ELIMIT;
        k = n - done < WIRE_BATCH_ROWS ? n - done : WIRE_BATCH_ROWS;
        wire_order_gather(run + done, k, rows, e->rows);
        while ((st = encode_one(e, r, k, family, &len, err)) == GP_ELIMIT && k > 1)
            k /= 2;
        if (st == GP_OK)
            st = sink(ctx, e->out, len, k, err);
        if (st != GP_OK)
            return st;
    }
    return GP_OK;
}

gp_status wire_batch_encode(wire_enc *e, const result *r, const result_row *rows, size_t n,
                            wire_batch_sink sink, void *ctx, gp_err *err)
{
    if (grow_map(&e->host_map, &e->host_cap, label_count(r->n_hosts)) != GP_OK ||
        grow_map(&e->iface_map, &e->iface_cap, label_count(r->n_names)) != GP_OK)
        return gp_fail(err, GP_ENOMEM, 0, "batch encoder: out of memory");
    for (size_t done = 0, k = 0; done < n; done += k) {
        k = n - done < BATCH_ORDER_ROWS ? n - done : BATCH_ORDER_ROWS;
        GP_TRY(wire_order_rows(&e->order, rows + done, k, err));
        for (size_t i = 0, len = 0; i < k; i += len) {
            const batch_entry *run = wire_order_run(&e->order, i, &len);
            GP_TRY(encode_run(e, r, run, len, rows + done, sink, ctx, err));
        }
    }
    return GP_OK;
}
