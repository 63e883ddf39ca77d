/* rows.c - flow entries to sorted columns, with as little extra memory as will do.
 *
 * An IPv4 flow key (sip, dip, dport, proto: 88 bits) and the number of its entry fit in 16 bytes,
 * so those are radix-sorted and the entries are read once, in order. IPv6 keys are sorted by
 * comparison. With a million IPv4 flows sorting takes 32 MiB, then the columns 43 and the sorted
 * keys 16 MiB, then the columns alone, while the next interval fills.
 */
#include "flow/rows.h"

#include "bank.h"
#include "gp/bytes.h"
#include "gp/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    RADIX = 256,
    KEY4_BYTES = 11,       /* significant bytes of item4, above the entry number */
    KEEP_BYTES = 16 << 20, /* memory that is kept between blocks */
    LARGE_BYTES = 4 << 20, /* of sorting: freed at once */
};

/* hi: sip, dip. lo: dport (16 bits), proto (8), entry number (40). */
typedef struct item4 {
    uint64_t hi, lo;
} item4;

#define ENTRY_MASK ((UINT64_C(1) << 40) - 1)

typedef struct item6 {
    uint8_t key[35]; /* sip, dip, dport, proto: compared as bytes */
    uint8_t pad[5];
    uint64_t entry;
} item6;

/* A block of memory that grows. */
typedef struct space {
    uint8_t *p;
    size_t cap;
} space;

struct flow_rows {
    space items, tmp, cols;
};

gp_status flow_rows_new(flow_rows **out, gp_err *err)
{
    *out = gp_calloc(1, sizeof **out);
    return *out ? GP_OK : gp_fail(err, GP_ENOMEM, 0, "out of memory");
}

static void drop(space *s)
{
    gp_free(s->p);
    *s = (space){0};
}

void flow_rows_free(flow_rows *r)
{
    if (!r)
        return;
    drop(&r->items);
    drop(&r->tmp);
    drop(&r->cols);
    gp_free(r);
}

void flow_rows_trim(flow_rows *r)
{
    if (r->items.cap + r->tmp.cap + r->cols.cap <= KEEP_BYTES)
        return;
    drop(&r->items);
    drop(&r->tmp);
    drop(&r->cols);
}

/* While the columns are made and written, memory of large blocks is not to be held twice. */
static void drop_large(space *s)
{
    if (s->cap > LARGE_BYTES)
        drop(s);
}

static void *room(space *s, size_t n, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(n ? n : 1, size, &bytes))
        return NULL;
    if (bytes > s->cap) {
        drop(s);
        s->p = gp_alloc_aligned(bytes, 1);
        s->cap = s->p ? bytes : 0;
    }
    return s->p;
}

/* Entry number k over all banks, one family after the other bank by bank. */
static const flow_entry *entry_at(flow_bank *const *banks, int v6, uint64_t k)
{
    while (k >= (*banks)->half[v6].count)
        k -= (*banks++)->half[v6].count;
    return flow_half_at(&(*banks)->half[v6], (uint32_t)k);
}

static uint64_t count_half(flow_bank *const *banks, size_t n, int v6)
{
    uint64_t sum = 0;
    for (size_t b = 0; b < n; b++)
        sum += banks[b]->half[v6].count;
    return sum;
}

/* Counters as they are stored; see flow_table_opts.by_endpoint. fresh: the row's first entry. */
static void add_counters(const flow_entry *e, int by_endpoint, uint64_t *const *col, size_t row,
                         int fresh)
{
    int swap = by_endpoint && (e->flags & FLOW_SWAPPED) ? 1 : 0;

    for (int c = 0; c < FLOW_N_COUNTERS; c++)
        col[c][row] = e->counter[c ^ swap] + (fresh ? 0 : col[c][row]);
}

/* ---- IPv4 ---- */

static void fill4(flow_bank *const *banks, size_t n, item4 *out)
{
    uint64_t k = 0;

    for (size_t b = 0; b < n; b++) {
        const flow_half *h = &banks[b]->half[0];
        for (uint32_t i = 0; i < h->count; i++, k++) {
            const flow_entry *e = flow_half_at(h, i);
            int swapped = e->flags & FLOW_SWAPPED ? 1 : 0;
            uint64_t lo = e->key[0] & 0xffffffff, hi = e->key[0] >> 32;
            uint64_t dport = swapped ? e->key[1] & 0xffff : e->key[1] >> 16 & 0xffff;
            uint64_t proto = e->key[1] >> 32 & 0xff;
            out[k].hi = swapped ? hi << 32 | lo : lo << 32 | hi;
            out[k].lo = dport << 48 | proto << 40 | k;
        }
    }
}

static unsigned byte4(const item4 *x, int byte)
{
    return (unsigned)(byte < 3 ? x->lo >> (40 + 8 * byte) : x->hi >> (8 * (byte - 3))) & 0xff;
}

/* LSD radix sort; bytes that are the same everywhere are skipped. Returns where the result is. */
static item4 *sort4(item4 *a, item4 *b, size_t n)
{
    for (int byte = 0; byte < KEY4_BYTES; byte++) {
        size_t at[RADIX] = {0}, sum = 0;
        for (size_t i = 0; i < n; i++)
            at[byte4(&a[i], byte)]++;
        if (n == 0 || at[byte4(&a[0], byte)] == n)
            continue;
        for (int v = 0; v < RADIX; v++) {
            size_t c = at[v];
            at[v] = sum;
            sum += c;
        }
        for (size_t i = 0; i < n; i++)
            b[at[byte4(&a[i], byte)]++] = a[i];
        item4 *t = a;
        a = b;
        b = t;
    }
    return a;
}

static int same4(const item4 *a, const item4 *b)
{
    return a->hi == b->hi && a->lo >> 40 == b->lo >> 40;
}

/* ---- IPv6 ---- */

static void fill6(flow_bank *const *banks, size_t n, item6 *out)
{
    uint64_t k = 0;

    for (size_t b = 0; b < n; b++) {
        const flow_half *h = &banks[b]->half[1];
        for (uint32_t i = 0; i < h->count; i++, k++) {
            const flow_entry *e = flow_half_at(h, i);
            int src = e->flags & FLOW_SWAPPED ? 2 : 0;
            uint64_t last = e->key[FLOW_KEY6 - 1];
            memcpy(out[k].key, &e->key[src], 16);
            memcpy(out[k].key + 16, &e->key[2 - src], 16);
            gp_put_be16(out[k].key + 32, (uint16_t)(src ? last : last >> 16));
            out[k].key[34] = (uint8_t)(last >> 32);
            out[k].entry = k;
        }
    }
}

static int cmp6(const void *a, const void *b)
{
    return memcmp(((const item6 *)a)->key, ((const item6 *)b)->key, 35);
}

/* ---- columns ---- */

/* The eight columns inside one allocation, with room for n4 + n6 rows. Pages that no row needs are
 * never touched. */
typedef struct columns {
    uint8_t *sip, *dip, *dport, *proto;
    uint64_t *counter[FLOW_N_COUNTERS];
} columns;

static int lay_out(flow_rows *r, size_t n4, size_t n6, columns *c)
{
    size_t n = n4 + n6, addr = n4 * 4 + n6 * 16;
    uint8_t *p = room(&r->cols, n * (sizeof(uint64_t) * FLOW_N_COUNTERS + 3) + 2 * addr + 1, 1);

    if (!p)
        return 0;
    for (int i = 0; i < FLOW_N_COUNTERS; i++, p += n * sizeof(uint64_t))
        c->counter[i] = (uint64_t *)(void *)p;
    c->sip = p;
    c->dip = c->sip + addr;
    c->dport = c->dip + addr;
    c->proto = c->dport + 2 * n;
    return 1;
}

/* Returns the number of rows. */
static size_t emit4(flow_bank *const *banks, const item4 *v, size_t n, columns *c)
{
    size_t rows = 0;

    for (size_t i = 0; i < n; i++) {
        int fresh = i == 0 || !same4(&v[i - 1], &v[i]);
        rows += (size_t)fresh;
        size_t row = rows - 1;
        gp_put_be32(c->sip + row * 4, (uint32_t)(v[i].hi >> 32));
        gp_put_be32(c->dip + row * 4, (uint32_t)v[i].hi);
        gp_put_be16(c->dport + row * 2, (uint16_t)(v[i].lo >> 48));
        c->proto[row] = (uint8_t)(v[i].lo >> 40);
        add_counters(entry_at(banks, 0, v[i].lo & ENTRY_MASK), banks[0]->by_endpoint, c->counter,
                     row, fresh);
    }
    return rows;
}

static size_t emit6(flow_bank *const *banks, const item6 *v, size_t n, size_t n4, columns *c)
{
    uint8_t *sip = c->sip + n4 * 4, *dip = c->dip + n4 * 4;
    size_t rows = 0;

    for (size_t i = 0; i < n; i++) {
        int fresh = i == 0 || cmp6(&v[i - 1], &v[i]) != 0;
        rows += (size_t)fresh;
        size_t row = rows - 1;
        memcpy(sip + row * 16, v[i].key, 16);
        memcpy(dip + row * 16, v[i].key + 16, 16);
        memcpy(c->dport + (n4 + row) * 2, v[i].key + 32, 2);
        c->proto[n4 + row] = v[i].key[34];
        add_counters(entry_at(banks, 1, v[i].entry), banks[0]->by_endpoint, c->counter, n4 + row,
                     fresh);
    }
    return rows;
}

/* One family after the other, so that only the keys of one are in memory beside the columns. */
static int rows4(flow_rows *r, flow_bank *const *banks, size_t n, size_t k4, columns *c,
                 size_t *rows)
{
    item4 *a = room(&r->items, k4, sizeof *a), *b = room(&r->tmp, k4, sizeof *b);

    if (!a || !b)
        return 0;
    fill4(banks, n, a);
    item4 *sorted = sort4(a, b, k4);
    drop_large(sorted == a ? &r->tmp : &r->items);
    *rows = emit4(banks, sorted, k4, c);
    drop_large(&r->items);
    drop_large(&r->tmp);
    return 1;
}

static int rows6(flow_rows *r, flow_bank *const *banks, size_t n, size_t k6, size_t n4, columns *c,
                 size_t *rows)
{
    item6 *v = room(&r->items, k6, sizeof *v);

    if (!v)
        return 0;
    fill6(banks, n, v);
    qsort(v, k6, sizeof *v, cmp6);
    *rows = emit6(banks, v, k6, n4, c);
    drop_large(&r->items);
    return 1;
}

gp_status flow_rows_make(flow_rows *r, flow_bank *const *banks, size_t n, godb_rows *out,
                         gp_err *err)
{
    size_t k4 = count_half(banks, n, 0), k6 = count_half(banks, n, 1), n4 = 0, n6 = 0;
    columns c;

    if (!lay_out(r, k4, k6, &c) || !rows4(r, banks, n, k4, &c, &n4) ||
        !rows6(r, banks, n, k6, n4, &c, &n6))
        return gp_fail(err, GP_ENOMEM, 0, "out of memory for %zu flows", k4 + k6);
    *out = (godb_rows){.n_v4 = (uint32_t)n4,
                       .n_v6 = (uint32_t)n6,
                       .sip = c.sip,
                       .dip = c.dip,
                       .proto = c.proto,
                       .dport = c.dport};
    for (int i = 0; i < FLOW_N_COUNTERS; i++)
        out->counter[i] = c.counter[i];
    return GP_OK;
}
