/* batch_dec.c - compressed columns to rows; the bytes come from a peer, so everything is checked.
 */
#include "wire/batch.h"

#include "batch.h"
#include "batch_num.h"
#include "gp/mem.h"
#include "wire/limits.h"

#include <string.h>
#include <zstd.h>

struct wire_dec {
    ZSTD_DCtx *zstd;
    uint8_t *raw;  /* WIRE_BATCH_RAW */
    uint8_t *bits; /* WIRE_BATCH_BYTES + NUM_BITS_PAD */
    num_table nums;
    uint32_t *hosts; /* index in the batch -> index in the result; WIRE_BATCH_ROWS each */
    uint32_t *ifaces;
};

/* What is left of the raw bytes and of the bits. */
struct in {
    const uint8_t *p, *end;
    num_bits_in bits;
    const num_table *nums;
};

void wire_dec_free(wire_dec *d)
{
    if (!d)
        return;
    ZSTD_freeDCtx(d->zstd);
    gp_free(d->raw);
    gp_free(d->bits);
    gp_free(d->hosts);
    gp_free(d->ifaces);
    gp_free(d);
}

gp_status wire_dec_new(wire_dec **out, gp_err *err)
{
    wire_dec *d = gp_calloc(1, sizeof *d);
    if (d) {
        d->zstd = ZSTD_createDCtx();
        d->raw = gp_calloc(WIRE_BATCH_RAW, 1);
        d->bits = gp_calloc(WIRE_BATCH_BYTES + NUM_BITS_PAD, 1);
        num_table_init(&d->nums);
        d->hosts = gp_alloc(WIRE_BATCH_ROWS, sizeof *d->hosts);
        d->ifaces = gp_alloc(WIRE_BATCH_ROWS, sizeof *d->ifaces);
    }
    if (!d || !d->zstd || !d->raw || !d->bits || !d->hosts || !d->ifaces) {
        wire_dec_free(d);
        return gp_fail(err, GP_ENOMEM, 0, "batch decoder: out of memory");
    }
    *out = d;
    return GP_OK;
}

static gp_status corrupt(gp_err *err, const char *what)
{
    return gp_fail(err, GP_ECORRUPT, 0, "batch: %s", what);
}

static inline size_t left(const struct in *in)
{
    return (size_t)(in->end - in->p);
}

/* ---- numbers ---- */

/* Check that n symbols are there and known; moves in past them. */
static gp_status get_symbols(struct in *in, size_t n, const uint8_t **out, gp_err *err)
{
    unsigned bad = 0;
    if (left(in) < n)
        return corrupt(err, "cut in a column");
    for (size_t i = 0; i < n; i++)
        bad |= in->p[i] >= NUM_SYMBOLS;
    if (bad)
        return corrupt(err, "unknown symbol");
    *out = in->p;
    in->p += n;
    return GP_OK;
}

static gp_status get_index(struct in *in, result_row *rows, size_t n, size_t at,
                           const uint32_t *map, size_t n_map, gp_err *err)
{
    const uint8_t *s = NULL;
    GP_TRY(get_symbols(in, n, &s, err));
    for (size_t i = 0; i < n; i++) {
        uint64_t v = num_get(in->nums, &in->bits, s[i]);
        if (v >= n_map || !num_bits_ok(&in->bits))
            return corrupt(err, "label index");
        memcpy((uint8_t *)(rows + i) + at, &map[v], sizeof *map);
    }
    return GP_OK;
}

static gp_status get_time(struct in *in, result_row *rows, size_t n, gp_err *err)
{
    const uint8_t *s = NULL;
    uint64_t prev = 0;
    GP_TRY(get_symbols(in, n, &s, err));
    for (size_t i = 0; i < n; i++) {
        uint64_t z = num_get(in->nums, &in->bits, s[i]);
        if (!num_bits_ok(&in->bits))
            return corrupt(err, "cut in the bits");
        prev += z >> 1 ^ (0 - (z & 1));
        rows[i].time_s = (int64_t)prev;
    }
    return GP_OK;
}

static gp_status get_counters(struct in *in, result_row *rows, size_t n, gp_err *err)
{
    const num_table *t = in->nums;
    num_bits_in b = in->bits;
    const uint8_t *s = NULL;
    GP_TRY(get_symbols(in, 4 * n, &s, err));
    for (size_t i = 0; i < n; i++) {
        result_counters *c = &rows[i].c;
        c->bytes_rcvd = num_get(t, &b, s[i]);
        c->bytes_sent = num_get(t, &b, s[n + i]);
        c->pkts_rcvd = num_get(t, &b, s[2 * n + i]);
        c->pkts_sent = num_get(t, &b, s[3 * n + i]);
        if (!num_bits_ok(&b))
            return corrupt(err, "cut in the bits");
    }
    in->bits = b;
    return GP_OK;
}

/* Nothing may be left but the zeros that fill up the last byte. */
static gp_status check_end(const struct in *in, gp_err *err)
{
    const num_bits_in *b = &in->bits;
    if (in->p != in->end)
        return corrupt(err, "bytes after the last column");
    if (b->end - b->at > 7 || (b->at & 7 && b->p[b->at >> 3] >> (b->at & 7)))
        return corrupt(err, "bits after the last number");
    return GP_OK;
}

/* ---- addresses ---- */

static gp_status get_sip4(struct in *in, result_row *rows, size_t n, gp_err *err)
{
    const uint8_t *s = NULL;
    uint32_t prev = 0;
    GP_TRY(get_symbols(in, n, &s, err));
    for (size_t i = 0; i < n; i++) {
        uint64_t v = num_get(in->nums, &in->bits, s[i]);
        if (v > UINT32_MAX || !num_bits_ok(&in->bits))
            return corrupt(err, "address difference");
        prev += (uint32_t)v;
        gp_put_be32(rows[i].sip, prev);
        rows[i].sip_family = 4;
    }
    return GP_OK;
}

static gp_status get_dip4(struct in *in, result_row *rows, size_t n, gp_err *err)
{
    if (left(in) < 4 * n)
        return corrupt(err, "cut in a column");
    for (size_t i = 0; i < n; i++, in->p += 4) {
        memcpy(rows[i].dip, in->p, 4);
        rows[i].dip_family = 4;
    }
    return GP_OK;
}

static gp_status get_addr6(struct in *in, result_row *rows, size_t n, size_t at, size_t family_at,
                           gp_err *err)
{
    static const uint8_t zero[16];
    const uint8_t *prev = zero, *shared = in->p;
    if (left(in) < n)
        return corrupt(err, "cut in a column");
    in->p += n;
    for (size_t i = 0; i < n; i++) {
        uint8_t *a = (uint8_t *)(rows + i) + at;
        unsigned k = shared[i];
        if (k > 16 || left(in) < 16 - k)
            return corrupt(err, "cut in an address");
        memcpy(a, prev, 16);
        memcpy(a + k, in->p, 16 - k);
        in->p += 16 - k;
        ((uint8_t *)(rows + i))[family_at] = 6;
        prev = a;
    }
    return GP_OK;
}

static gp_status get_ports(struct in *in, result_row *rows, size_t n, unsigned columns, gp_err *err)
{
    size_t need = (columns & WIRE_COL_DPORT ? 2 * n : 0) + (columns & WIRE_COL_PROTO ? n : 0);
    if (left(in) < need)
        return corrupt(err, "cut in a column");
    if (columns & WIRE_COL_DPORT) {
        for (size_t i = 0; i < n; i++)
            rows[i].dport = (uint16_t)(in->p[i] << 8 | in->p[n + i]);
        in->p += 2 * n;
    }
    if (columns & WIRE_COL_PROTO) {
        for (size_t i = 0; i < n; i++)
            rows[i].proto = in->p[i];
        in->p += n;
    }
    return GP_OK;
}

/* ---- labels ---- */

/* Labels are printed, so control characters and broken UTF-8 of a peer must not get in. */
static int text_ok(const char *s)
{
    for (; *s; s++) {
        unsigned char ch = (unsigned char)*s;
        if (ch < 0x20 || ch == 0x7f)
            return 0;
    }
    return 1;
}

static gp_status get_text(struct in *in, char out[WIRE_MAX_LABEL + 1], gp_err *err)
{
    size_t n = left(in) ? *in->p : 0;
    if (left(in) < n + 1)
        return corrupt(err, "cut in a label");
    memcpy(out, in->p + 1, n);
    out[n] = 0;
    in->p += n + 1;
    if (strlen(out) != n || !text_ok(out))
        return corrupt(err, "control character in a label");
    return GP_OK;
}

static gp_status get_dictionaries(wire_dec *d, struct in *in, size_t n_hosts, size_t n_ifaces,
                                  const char *host, const char *host_id, result *r, gp_err *err)
{
    char name[WIRE_MAX_LABEL + 1], id[WIRE_MAX_LABEL + 1];
    for (size_t i = 0; i < n_hosts; i++) {
        GP_TRY(get_text(in, name, err));
        GP_TRY(get_text(in, id, err));
        if (!host || i == 0)
            d->hosts[i] = result_host_id(r, host ? host : name, host ? host_id : id);
        else
            d->hosts[i] = d->hosts[0];
        if (d->hosts[i] == UINT32_MAX)
            return gp_fail(err, GP_ENOMEM, 0, "batch: out of memory for labels");
    }
    for (size_t i = 0; i < n_ifaces; i++) {
        GP_TRY(get_text(in, name, err));
        d->ifaces[i] = result_iface_id(r, name);
        if (d->ifaces[i] == UINT32_MAX)
            return gp_fail(err, GP_ENOMEM, 0, "batch: out of memory for labels");
    }
    return GP_OK;
}

/* ---- a batch ---- */

static gp_status unpack(wire_dec *d, const void *bytes, size_t len, struct in *out, gp_err *err)
{
    const uint8_t *b = bytes;
    if (len < BATCH_HEAD || b[2] || b[3])
        return corrupt(err, "no header");
    if (b[0] != BATCH_VERSION)
        return gp_fail(
            err, GP_EUNSUPPORTED, 0,
            "rows are encoded as version %u, this program reads %d; update the older one", b[0],
            BATCH_VERSION);
    size_t raw = gp_le32(b + 4), bits = gp_le32(b + 8);
    if (raw < BATCH_FIXED || raw > WIRE_BATCH_RAW || bits > len - BATCH_HEAD ||
        bits > WIRE_BATCH_BYTES)
        return corrupt(err, "size");
    size_t z = len - BATCH_HEAD - bits;
    if (b[1] == BATCH_RAW_CODEC) {
        if (z != raw)
            return corrupt(err, "size");
        memcpy(d->raw, b + BATCH_HEAD, raw);
    } else if (b[1] == BATCH_ZSTD) {
        size_t n = ZSTD_decompressDCtx(d->zstd, d->raw, raw, b + BATCH_HEAD, z);
        if (ZSTD_isError(n) || n != raw)
            return corrupt(err, "does not decompress to its size");
    } else {
        return corrupt(err, "unknown codec");
    }
    memcpy(d->bits, b + BATCH_HEAD + z, bits);
    memset(d->bits + bits, 0, NUM_BITS_PAD);
    *out = (struct in){.p = d->raw,
                       .end = d->raw + raw,
                       .bits = {.p = d->bits, .end = (uint64_t)bits * 8},
                       .nums = &d->nums};
    return GP_OK;
}

struct head {
    size_t n, n_hosts, n_ifaces;
    unsigned family, columns;
};

static gp_status get_head(struct in *in, struct head *h, gp_err *err)
{
    const uint8_t *p = in->p;
    *h = (struct head){.n = gp_le16(p),
                       .family = p[2],
                       .columns = p[3],
                       .n_hosts = gp_le16(p + 4),
                       .n_ifaces = gp_le16(p + 6)};
    in->p += BATCH_FIXED;
    int has_addr = (h->columns & (WIRE_COL_SIP | WIRE_COL_DIP)) != 0;
    if (h->n == 0 || h->n > WIRE_BATCH_ROWS)
        return corrupt(err, "number of rows");
    if (h->columns > 127 || has_addr != (h->family == 4 || h->family == 6) ||
        (!has_addr && h->family != 0))
        return corrupt(err, "columns");
    if (h->n_hosts == 0 || h->n_hosts > h->n || h->n_ifaces == 0 || h->n_ifaces > h->n ||
        ((h->columns & WIRE_COL_HOST) != 0) != (h->n_hosts > 1) ||
        ((h->columns & WIRE_COL_IFACE) != 0) != (h->n_ifaces > 1))
        return corrupt(err, "number of labels");
    return GP_OK;
}

static gp_status get_columns(wire_dec *d, struct in *in, const struct head *h, result_row *rows,
                             gp_err *err)
{
    size_t n = h->n;
    unsigned c = h->columns;
    if (c & WIRE_COL_HOST)
        GP_TRY(get_index(in, rows, n, offsetof(result_row, host), d->hosts, h->n_hosts, err));
    if (c & WIRE_COL_IFACE)
        GP_TRY(get_index(in, rows, n, offsetof(result_row, iface), d->ifaces, h->n_ifaces, err));
    if (c & WIRE_COL_TIME)
        GP_TRY(get_time(in, rows, n, err));
    if ((c & WIRE_COL_SIP) && h->family == 4)
        GP_TRY(get_sip4(in, rows, n, err));
    else if (c & WIRE_COL_SIP)
        GP_TRY(get_addr6(in, rows, n, offsetof(result_row, sip), offsetof(result_row, sip_family),
                         err));
    if ((c & WIRE_COL_DIP) && h->family == 4)
        GP_TRY(get_dip4(in, rows, n, err));
    else if (c & WIRE_COL_DIP)
        GP_TRY(get_addr6(in, rows, n, offsetof(result_row, dip), offsetof(result_row, dip_family),
                         err));
    GP_TRY(get_ports(in, rows, n, c, err));
    GP_TRY(get_counters(in, rows, n, err));
    return check_end(in, err);
}

gp_status wire_batch_decode(wire_dec *d, const void *bytes, size_t len, const char *host,
                            const char *host_id, result *r, gp_err *err)
{
    struct in in = {0};
    struct head h;
    GP_TRY(unpack(d, bytes, len, &in, err));
    GP_TRY(get_head(&in, &h, err));
    GP_TRY(get_dictionaries(d, &in, h.n_hosts, h.n_ifaces, host, host_id ? host_id : "", r, err));
    GP_TRY(result_reserve_rows(r, h.n, err));
    result_row *rows = r->rows + r->n_rows;
    memset(rows, 0, h.n * sizeof *rows);
    for (size_t i = 0; i < h.n; i++) {
        rows[i].host = d->hosts[0];
        rows[i].iface = d->ifaces[0];
    }
    GP_TRY(get_columns(d, &in, &h, rows, err));
    r->n_rows += h.n;
    return GP_OK;
}

gp_status wire_batch_rows(wire_dec *d, const void *bytes, size_t len, size_t *rows, gp_err *err)
{
    struct in in = {0};
    struct head h;
    GP_TRY(unpack(d, bytes, len, &in, err));
    GP_TRY(get_head(&in, &h, err));
    *rows = h.n;
    return GP_OK;
}
