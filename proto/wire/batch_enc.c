/* batch_enc.c - rows to compressed columns.
 *
 * Rows are sorted by address first: neighbours then share leading bytes, so a source address costs
 * about one byte, and zstd sees equal values side by side. */
#include "wire/batch.h"

#include "batch.h"
#include "gp/mem.h"
#include "wire/limits.h"

#include <string.h>
#include <zstd.h>

struct sort_entry {
    uint64_t key;
    uint32_t row;
};

struct wire_enc {
    ZSTD_CCtx *zstd;
    struct sort_entry *sort, *sort_tmp; /* WIRE_BATCH_ROWS each */
    const result_row **rows;            /* rows of the batch in coding order */
    uint8_t *raw;                       /* WIRE_BATCH_RAW + slack */
    uint8_t *out;                       /* BATCH_HEAD + ZSTD_compressBound(WIRE_BATCH_RAW) */
    size_t out_cap;
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
    gp_free(e->sort);
    gp_free(e->sort_tmp);
    gp_free(e->rows);
    gp_free(e->raw);
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
    e->out_cap = BATCH_HEAD + ZSTD_compressBound(WIRE_BATCH_RAW);
    e->zstd = ZSTD_createCCtx();
    e->sort = gp_alloc(WIRE_BATCH_ROWS, sizeof *e->sort);
    e->sort_tmp = gp_alloc(WIRE_BATCH_ROWS, sizeof *e->sort_tmp);
    e->rows = gp_alloc(WIRE_BATCH_ROWS, sizeof *e->rows);
    e->raw = gp_alloc(WIRE_BATCH_RAW + WIRE_BATCH_ROWS * WIRE_MAX_ROW_BYTES + BATCH_PAD, 1);
    e->out = gp_alloc(e->out_cap, 1);
    e->hosts = gp_alloc(WIRE_BATCH_ROWS, sizeof *e->hosts);
    e->ifaces = gp_alloc(WIRE_BATCH_ROWS, sizeof *e->ifaces);
    if (!e->zstd || !e->sort || !e->sort_tmp || !e->rows || !e->raw || !e->out || !e->hosts ||
        !e->ifaces)
        goto fail;
    *out = e;
    return GP_OK;
fail:
    wire_enc_free(e);
    return gp_fail(err, GP_ENOMEM, 0, "batch encoder: out of memory");
}

/* ---- order ---- */

/* LSD radix by bytes; bytes that are equal everywhere cost one counting pass only. */
static struct sort_entry *radix(struct sort_entry *a, struct sort_entry *tmp, size_t n)
{
    for (unsigned shift = 0; shift < 64; shift += 8) {
        uint32_t count[256] = {0};
        for (size_t i = 0; i < n; i++)
            count[a[i].key >> shift & 255]++;
        if (count[a[0].key >> shift & 255] == n)
            continue;
        uint32_t sum = 0;
        for (size_t i = 0; i < 256; i++) {
            uint32_t c = count[i];
            count[i] = sum;
            sum += c;
        }
        for (size_t i = 0; i < n; i++)
            tmp[count[a[i].key >> shift & 255]++] = a[i];
        struct sort_entry *t = a;
        a = tmp;
        tmp = t;
    }
    return a;
}

/* By (sip, dip) for IPv4. For IPv6 by the halves of sip: low half first, so equal sources end up
 * side by side below their common network. Stable, so rows that come in order stay in order. */
static void order_rows(wire_enc *e, const result_row *rows, size_t n, unsigned family)
{
    struct sort_entry *s = e->sort, *t = e->sort_tmp;
    int sorted = 1;
    for (size_t i = 0; i < n; i++) {
        const result_row *r = rows + i;
        uint64_t hi = gp_be64(r->sip);
        s[i].key =
            family == 6 ? gp_be64(r->sip + 8) : (uint64_t)gp_be32(r->sip) << 32 | gp_be32(r->dip);
        s[i].row = (uint32_t)i;
        uint64_t prev = i ? gp_be64(rows[i - 1].sip) : 0;
        if (i && (family == 6 ? hi < prev || (hi == prev && s[i].key < s[i - 1].key)
                              : s[i].key < s[i - 1].key))
            sorted = 0;
    }
    if (!sorted) {
        s = radix(s, t, n);
        if (family == 6) {
            for (size_t i = 0; i < n; i++)
                s[i].key = gp_be64(rows[s[i].row].sip);
            s = radix(s, s == e->sort ? e->sort_tmp : e->sort, n);
        }
    }
    for (size_t i = 0; i < n; i++)
        e->rows[i] = rows + s[i].row;
}

/* ---- columns ---- */

static inline unsigned bytes_of(uint64_t v)
{
    return v ? (71 - (unsigned)__builtin_clzll(v)) / 8 : 0;
}

/* Writers for ints: p has room for the nibbles and nine bytes a value. */
struct ints {
    uint8_t *nibbles, *data;
    size_t i;
};

static inline void ints_put(struct ints *w, uint64_t v)
{
    unsigned b = bytes_of(v);
    if (w->i & 1)
        w->nibbles[w->i >> 1] |= (uint8_t)(b << 4);
    else
        w->nibbles[w->i >> 1] = (uint8_t)b;
    gp_put_le64(w->data, v);
    w->data += b;
    w->i++;
}

static inline struct ints ints_begin(uint8_t *p, size_t n)
{
    return (struct ints){.nibbles = p, .data = p + (n + 1) / 2};
}

static inline uint64_t zigzag(uint64_t v, uint64_t prev)
{
    uint64_t d = v - prev;
    return d << 1 ^ (uint64_t)((int64_t)d >> 63);
}

static uint8_t *put_addr6(uint8_t *p, const result_row **rows, size_t n, size_t at)
{
    static const uint8_t zero[16];
    uint8_t *shared = p, *data = p + n;
    const uint8_t *prev = zero;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *a = (const uint8_t *)rows[i] + at;
        unsigned k = 0;
        while (k < 16 && a[k] == prev[k])
            k++;
        shared[i] = (uint8_t)k;
        memcpy(data, a + k, 16 - k);
        data += 16 - k;
        prev = a;
    }
    return data;
}

static uint8_t *put_sip4(uint8_t *p, const result_row **rows, size_t n)
{
    struct ints w = ints_begin(p, n);
    uint32_t prev = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t v = gp_be32(rows[i]->sip);
        ints_put(&w, (uint32_t)(v - prev)); /* wraps, should rows ever be out of order */
        prev = v;
    }
    return w.data;
}

static uint8_t *put_counter(uint8_t *p, const result_row **rows, size_t n, size_t at)
{
    struct ints w = ints_begin(p, n);
    for (size_t i = 0; i < n; i++) {
        uint64_t v;
        memcpy(&v, (const uint8_t *)rows[i] + at, sizeof v);
        ints_put(&w, v);
    }
    return w.data;
}

static uint8_t *put_labels(uint8_t *p, const result_row **rows, size_t n, unsigned columns,
                           const wire_enc *e)
{
    if (columns & WIRE_COL_HOST) {
        struct ints w = ints_begin(p, n);
        for (size_t i = 0; i < n; i++)
            ints_put(&w, e->host_map[rows[i]->host] - 1);
        p = w.data;
    }
    if (columns & WIRE_COL_IFACE) {
        struct ints w = ints_begin(p, n);
        for (size_t i = 0; i < n; i++)
            ints_put(&w, e->iface_map[rows[i]->iface] - 1);
        p = w.data;
    }
    if (columns & WIRE_COL_TIME) {
        struct ints w = ints_begin(p, n);
        uint64_t prev = 0;
        for (size_t i = 0; i < n; i++) {
            ints_put(&w, zigzag((uint64_t)rows[i]->time_s, prev));
            prev = (uint64_t)rows[i]->time_s;
        }
        p = w.data;
    }
    return p;
}

static uint8_t *put_columns(uint8_t *p, const wire_enc *e, size_t n, unsigned family,
                            unsigned columns)
{
    const result_row **rows = e->rows;
    p = put_labels(p, rows, n, columns, e);
    if (columns & WIRE_COL_SIP)
        p = family == 6 ? put_addr6(p, rows, n, offsetof(result_row, sip)) : put_sip4(p, rows, n);
    if ((columns & WIRE_COL_DIP) && family == 6) {
        p = put_addr6(p, rows, n, offsetof(result_row, dip));
    } else if (columns & WIRE_COL_DIP) {
        for (size_t i = 0; i < n; i++, p += 4)
            memcpy(p, rows[i]->dip, 4);
    }
    if (columns & WIRE_COL_DPORT) {
        for (size_t i = 0; i < n; i++) {
            p[i] = (uint8_t)(rows[i]->dport >> 8);
            p[n + i] = (uint8_t)rows[i]->dport;
        }
        p += 2 * n;
    }
    if (columns & WIRE_COL_PROTO) {
        for (size_t i = 0; i < n; i++)
            *p++ = rows[i]->proto;
    }
    p = put_counter(p, rows, n, offsetof(result_row, c.bytes_rcvd));
    p = put_counter(p, rows, n, offsetof(result_row, c.bytes_sent));
    p = put_counter(p, rows, n, offsetof(result_row, c.pkts_rcvd));
    return put_counter(p, rows, n, offsetof(result_row, c.pkts_sent));
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

static gp_status scan_rows(wire_enc *e, const result *r, const result_row *rows, size_t n,
                           unsigned family, unsigned *columns, gp_err *err)
{
    unsigned c = 0;
    size_t n_hosts = label_count(r->n_hosts), n_ifaces = label_count(r->n_names);
    for (size_t i = 0; i < n; i++) {
        const result_row *x = rows + i;
        if (x->host >= n_hosts || x->iface >= n_ifaces)
            return gp_fail(err, GP_EINVAL, 0, "row %zu: label index outside the table", i);
        map_label(e->host_map, e->hosts, &e->n_hosts, x->host);
        map_label(e->iface_map, e->ifaces, &e->n_ifaces, x->iface);
        c |= (x->time_s ? WIRE_COL_TIME : 0u) | (x->dport ? WIRE_COL_DPORT : 0u) |
             (x->proto ? WIRE_COL_PROTO : 0u);
    }
    c |= rows->sip_family ? WIRE_COL_SIP : 0u;
    c |= rows->dip_family ? WIRE_COL_DIP : 0u;
    if ((family == 0) != ((c & (WIRE_COL_SIP | WIRE_COL_DIP)) == 0))
        return gp_fail(err, GP_EINVAL, 0, "address family of a row");
    c |= (e->n_hosts > 1 ? WIRE_COL_HOST : 0u) | (e->n_ifaces > 1 ? WIRE_COL_IFACE : 0u);
    *columns = c;
    return GP_OK;
}

/* GP_ELIMIT when the rows don't fit one batch. */
static gp_status encode_one(wire_enc *e, const result *r, const result_row *rows, size_t n,
                            unsigned family, size_t *len, gp_err *err)
{
    unsigned columns = 0;
    clear_labels(e);
    GP_TRY(scan_rows(e, r, rows, n, family, &columns, err));
    order_rows(e, rows, n, family);
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
    uint8_t codec = BATCH_ZSTD;
    size_t z = ZSTD_compressCCtx(e->zstd, e->out + BATCH_HEAD, e->out_cap - BATCH_HEAD, e->raw, raw,
                                 BATCH_LEVEL);
    if (ZSTD_isError(z))
        return gp_fail(err, GP_ENOMEM, 0, "zstd: %s", ZSTD_getErrorName(z));
    if (z >= raw) {
        codec = BATCH_RAW_CODEC;
        memcpy(e->out + BATCH_HEAD, e->raw, raw);
        z = raw;
    }
    e->out[0] = BATCH_VERSION;
    e->out[1] = codec;
    e->out[2] = e->out[3] = 0;
    gp_put_le32(e->out + 4, (uint32_t)raw);
    *len = BATCH_HEAD + z;
    return *len > WIRE_BATCH_BYTES ? GP_ELIMIT : GP_OK;
}

static unsigned row_family(const result_row *x)
{
    return x->sip_family ? x->sip_family : x->dip_family;
}

/* Leading rows with the same families as the first. */
static size_t run_of_family(const result_row *rows, size_t n)
{
    size_t i = 1;
    while (i < n && rows[i].sip_family == rows[0].sip_family &&
           rows[i].dip_family == rows[0].dip_family)
        i++;
    return i;
}

static gp_status encode_run(wire_enc *e, const result *r, const result_row *rows, size_t n,
                            wire_batch_sink sink, void *ctx, gp_err *err)
{
    unsigned family = row_family(rows);
    if ((family != 0 && family != 4 && family != 6) ||
        (rows->sip_family && rows->dip_family && rows->sip_family != rows->dip_family))
        return gp_fail(err, GP_EINVAL, 0, "rows with address families %d and %d", rows->sip_family,
                       rows->dip_family);
    for (size_t done = 0, k = 0; done < n; done += k) {
        size_t len = 0;
        gp_status st = GP_ELIMIT;
        k = n - done < WIRE_BATCH_ROWS ? n - done : WIRE_BATCH_ROWS;
        while ((st = encode_one(e, r, rows + done, k, family, &len, err)) == GP_ELIMIT && k > 1)
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
    if (run_of_family(rows, n ? n : 1) >= n)
        return n ? encode_run(e, r, rows, n, sink, ctx, err) : GP_OK;
    /* Families mixed (rows in order of volume): part them, keeping the order. */
    GP_CLEANUP(gp_freep) result_row *part = gp_alloc(n, sizeof *part);
    if (!part)
        return gp_fail(err, GP_ENOMEM, 0, "batch encoder: out of memory");
    size_t k = 0, from = 0;
    GP_CLEANUP(gp_freep) uint8_t *done = gp_calloc(n, 1);
    if (!done)
        return gp_fail(err, GP_ENOMEM, 0, "batch encoder: out of memory");
    while (from < n) { /* once per combination of families: at most a handful */
        k = 0;
        size_t first = from;
        for (size_t i = first; i < n; i++) {
            if (!done[i] && rows[i].sip_family == rows[first].sip_family &&
                rows[i].dip_family == rows[first].dip_family) {
                part[k++] = rows[i];
                done[i] = 1;
            }
        }
        GP_TRY(encode_run(e, r, part, k, sink, ctx, err));
        while (from < n && done[from])
            from++;
    }
    return GP_OK;
}
