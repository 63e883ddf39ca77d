/* sorter.c - rows in any order to stored order: radix sort of packed keys, then folding. */
#include "godb/writer.h"

#include "gp/bytes.h"
#include "gp/mem.h"

#include <stdlib.h>

enum {
    KEY4_BYTES = 11, /* sip, dip, dport, proto */
    KEY6_BYTES = 35,
    RADIX_FROM = 96, /* rows from which the histograms pay */
};

/* Key of an IPv4 row, most significant first: hi = sip dip, lo = dport proto. */
typedef struct key4 {
    uint64_t hi;
    uint32_t lo;  /* 24 bits */
    uint32_t row; /* index into counters; rises in the order of adding */
} key4;

typedef struct key6 {
    uint8_t b[KEY6_BYTES + 1]; /* sip dip dport proto */
    uint32_t row;
} key6;

typedef struct counters {
    uint64_t v[GODB_N_COUNTERS];
} counters;

struct godb_sorter {
    key4 *k4, *k4_tmp;
    key6 *k6;
    counters *c4, *c6;
    size_t n4, cap4, n6, cap6;
    /* output */
    uint8_t *sip, *dip, *proto, *dport;
    uint64_t *counter[GODB_N_COUNTERS];
    size_t out_cap; /* rows */
};

gp_status godb_sorter_new(godb_sorter **out, gp_err *err)
{
    godb_sorter *s = gp_calloc(1, sizeof *s);
    if (!s)
        return gp_fail(err, GP_ENOMEM, 0, "sorter: out of memory");
    *out = s;
    return GP_OK;
}

static void free_output(godb_sorter *s)
{
    gp_free(s->sip);
    gp_free(s->dip);
    gp_free(s->proto);
    gp_free(s->dport);
    s->sip = s->dip = s->proto = s->dport = NULL;
    for (int i = 0; i < GODB_N_COUNTERS; i++) {
        gp_free(s->counter[i]);
        s->counter[i] = NULL;
    }
    s->out_cap = 0;
}

void godb_sorter_free(godb_sorter *s)
{
    if (!s)
        return;
    gp_free(s->k4);
    gp_free(s->k4_tmp);
    gp_free(s->k6);
    gp_free(s->c4);
    gp_free(s->c6);
    free_output(s);
    gp_free(s);
}

void godb_sorter_clear(godb_sorter *s)
{
    s->n4 = s->n6 = 0;
}

static gp_status grow(void **keys, void **keys_tmp, size_t key_size, counters **c, size_t *cap)
{
    size_t n = *cap ? 2 * *cap : 1024;
    void *k = gp_realloc(*keys, n, key_size);
    if (k)
        *keys = k;
    counters *nc = k ? gp_realloc(*c, n, sizeof *nc) : NULL;
    if (nc)
        *c = nc;
    if (nc && keys_tmp) {
        gp_free(*keys_tmp);
        *keys_tmp = gp_alloc(n, key_size);
    }
    if (!nc || (keys_tmp && !*keys_tmp))
        return GP_ENOMEM;
    *cap = n;
    return GP_OK;
}

gp_status godb_sorter_add(godb_sorter *s, const godb_row *row)
{
    if (row->family == 4) {
        if (s->n4 == s->cap4) {
            if (s->n4 >= UINT32_MAX / 2)
                return GP_ELIMIT;
            GP_TRY(grow((void **)&s->k4, (void **)&s->k4_tmp, sizeof *s->k4, &s->c4, &s->cap4));
        }
        s->k4[s->n4] = (key4){.hi = (uint64_t)gp_be32(row->sip) << 32 | gp_be32(row->dip),
                              .lo = (uint32_t)row->dport << 8 | row->proto,
                              .row = (uint32_t)s->n4};
        memcpy(s->c4[s->n4++].v, row->counter, sizeof row->counter);
        return GP_OK;
    }
    if (row->family != 6)
        return GP_EINVAL;
    if (s->n6 == s->cap6) {
        if (s->n6 >= UINT32_MAX / 2)
            return GP_ELIMIT;
        GP_TRY(grow((void **)&s->k6, NULL, sizeof *s->k6, &s->c6, &s->cap6));
    }
    key6 *k = &s->k6[s->n6];
    memcpy(k->b, row->sip, 16);
    memcpy(k->b + 16, row->dip, 16);
    gp_put_be16(k->b + 32, row->dport);
    k->b[34] = row->proto;
    k->b[35] = 0;
    k->row = (uint32_t)s->n6;
    memcpy(s->c6[s->n6++].v, row->counter, sizeof row->counter);
    return GP_OK;
}

static int key4_less(const key4 *a, const key4 *b)
{
    return a->hi < b->hi || (a->hi == b->hi && a->lo < b->lo);
}

static void insertion4(key4 *k, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        key4 x = k[i];
        size_t j = i;
        for (; j > 0 && key4_less(&x, &k[j - 1]); j--)
            k[j] = k[j - 1];
        k[j] = x;
    }
}

static unsigned key4_byte(const key4 *k, unsigned b)
{
    return b < 3 ? (k->lo >> (8 * b)) & 255 : (unsigned)(k->hi >> (8 * (b - 3))) & 255;
}

/* Stable LSD radix sort; bytes that are the same in all keys cost nothing. */
static void radix4(godb_sorter *s)
{
    uint32_t count[KEY4_BYTES][256] = {{0}};
    key4 *from = s->k4, *to = s->k4_tmp;

    for (size_t i = 0; i < s->n4; i++)
        for (unsigned b = 0; b < KEY4_BYTES; b++)
            count[b][key4_byte(&from[i], b)]++;
    for (unsigned b = 0; b < KEY4_BYTES; b++) {
        uint32_t sum = 0;
        if (count[b][key4_byte(&from[0], b)] == s->n4)
            continue;
        for (unsigned v = 0; v < 256; v++) {
            uint32_t c = count[b][v];
            count[b][v] = sum;
            sum += c;
        }
        for (size_t i = 0; i < s->n4; i++)
            to[count[b][key4_byte(&from[i], b)]++] = from[i];
        key4 *t = from;
        from = to;
        to = t;
    }
    s->k4 = from;
    s->k4_tmp = to;
}

static int cmp6(const void *a, const void *b)
{
    const key6 *x = a, *y = b;
    int d = memcmp(x->b, y->b, KEY6_BYTES);
    if (d != 0)
        return d;
    return x->row < y->row ? -1 : x->row > y->row; /* stable */
}

static gp_status reserve_output(godb_sorter *s, gp_err *err)
{
    size_t rows = s->n4 + s->n6, ok = 1;

    if (rows <= s->out_cap && s->sip)
        return GP_OK;
    free_output(s);
    rows += rows / 4 + 16;
    s->sip = gp_alloc(rows, 16);
    s->dip = gp_alloc(rows, 16);
    s->proto = gp_alloc(rows, 1);
    s->dport = gp_alloc(rows, 2);
    for (int i = 0; i < GODB_N_COUNTERS; i++) {
        s->counter[i] = gp_alloc(rows, sizeof(uint64_t));
        ok = ok && s->counter[i];
    }
    if (!s->sip || !s->dip || !s->proto || !s->dport || !ok) {
        free_output(s);
        return gp_fail(err, GP_ENOMEM, 0, "sorter: out of memory for %zu rows", rows);
    }
    s->out_cap = rows;
    return GP_OK;
}

/* Counters of one more row with the key of output row at - 1 (same) or of a new output row. */
static void fold(godb_sorter *s, size_t at, int same, int replace, const counters *c)
{
    for (int i = 0; i < GODB_N_COUNTERS; i++) {
        if (same && !replace)
            s->counter[i][at - 1] += c->v[i];
        else
            s->counter[i][same ? at - 1 : at] = c->v[i];
    }
}

static uint32_t emit4(godb_sorter *s, int replace)
{
    uint32_t at = 0;

    for (size_t i = 0; i < s->n4; i++) {
        const key4 *k = &s->k4[i];
        int same = i > 0 && k->hi == k[-1].hi && k->lo == k[-1].lo;
        fold(s, at, same, replace, &s->c4[k->row]);
        if (same)
            continue;
        gp_put_be32(s->sip + 4 * (size_t)at, (uint32_t)(k->hi >> 32));
        gp_put_be32(s->dip + 4 * (size_t)at, (uint32_t)k->hi);
        gp_put_be16(s->dport + 2 * (size_t)at, (uint16_t)(k->lo >> 8));
        s->proto[at++] = (uint8_t)k->lo;
    }
    return at;
}

static uint32_t emit6(godb_sorter *s, uint32_t n_v4, int replace)
{
    uint32_t n = 0;

    for (size_t i = 0; i < s->n6; i++) {
        const key6 *k = &s->k6[i];
        int same = i > 0 && memcmp(k->b, k[-1].b, KEY6_BYTES) == 0;
        size_t at = (size_t)n_v4 + n;
        fold(s, at, same, replace, &s->c6[k->row]);
        if (same)
            continue;
        size_t off = 4 * (size_t)n_v4 + 16 * (size_t)n;
        memcpy(s->sip + off, k->b, 16);
        memcpy(s->dip + off, k->b + 16, 16);
        memcpy(s->dport + 2 * at, k->b + 32, 2);
        s->proto[at] = k->b[34];
        n++;
    }
    return n;
}

gp_status godb_sorter_finish(godb_sorter *s, int replace, godb_rows *out, gp_err *err)
{
    GP_TRY(reserve_output(s, err));
    if (s->n4 < RADIX_FROM)
        insertion4(s->k4, s->n4);
    else
        radix4(s);
    if (s->n6 > 1)
        qsort(s->k6, s->n6, sizeof *s->k6, cmp6);
    godb_rows r = {.sip = s->sip, .dip = s->dip, .proto = s->proto, .dport = s->dport};
    r.n_v4 = emit4(s, replace);
    r.n_v6 = emit6(s, r.n_v4, replace);
    for (int i = 0; i < GODB_N_COUNTERS; i++)
        r.counter[i] = s->counter[i];
    *out = r;
    return GP_OK;
}
