/* batch_order.c - rows by families and addresses: radix sort of keys, then one gather. */
#include "batch_order.h"

#include "gp/bytes.h"
#include "gp/mem.h"

#include <string.h>

enum {
    DIGIT = 11,
    SPREAD = 1 << DIGIT,
    SKIP = 31, /* lowest bits of a key that are not worth a pass: 64 - SKIP = 3 * DIGIT */
    AHEAD = 12,
    CLASSES = 16
};

void wire_order_free(batch_order *o)
{
    gp_free(o->v);
    gp_free(o->tmp);
    *o = (batch_order){0};
}

static gp_status grow(batch_order *o, size_t n, gp_err *err)
{
    if (n <= o->cap)
        return GP_OK;
    wire_order_free(o);
    o->v = gp_alloc(n, sizeof *o->v);
    o->tmp = gp_alloc(n, sizeof *o->tmp);
    if (!o->v || !o->tmp)
        return gp_fail(err, GP_ENOMEM, 0, "batch encoder: out of memory");
    o->cap = n;
    return GP_OK;
}

static void swap(batch_order *o)
{
    batch_entry *t = o->v;
    o->v = o->tmp;
    o->tmp = t;
}

/* One pass of a stable radix sort; keys that do not differ there cost the counting only. */
static void sort_digit(batch_order *o, unsigned shift)
{
    uint32_t at[SPREAD] = {0}, sum = 0;
    for (size_t i = 0; i < o->n; i++)
        at[o->v[i].key >> shift & (SPREAD - 1)]++;
    if (at[o->v[0].key >> shift & (SPREAD - 1)] == o->n)
        return;
    for (size_t i = 0; i < SPREAD; i++) {
        uint32_t c = at[i];
        at[i] = sum;
        sum += c;
    }
    for (size_t i = 0; i < o->n; i++)
        o->tmp[at[o->v[i].key >> shift & (SPREAD - 1)]++] = o->v[i];
    swap(o);
}

/* Likewise by families: count[c] entries of class c. */
static void sort_class(batch_order *o, const size_t count[CLASSES])
{
    size_t at[CLASSES], sum = 0;
    if (count[o->v[0].class] == o->n)
        return;
    for (size_t c = 0; c < CLASSES; c++) {
        at[c] = sum;
        sum += count[c];
    }
    for (size_t i = 0; i < o->n; i++)
        o->tmp[at[o->v[i].class]++] = o->v[i];
    swap(o);
}

/* IPv4: (sip, dip). IPv6: the network of sip, mixed into few bits, then what tells its hosts apart:
 * equal sources stand side by side, below others of their network. */
static uint64_t key_of(const result_row *r, unsigned family)
{
    if (family != 6)
        return (uint64_t)gp_be32(r->sip) << 32 | gp_be32(r->dip);
    uint64_t net = gp_be64(r->sip), host = gp_be64(r->sip + 8);
    return net * UINT64_C(0x9e3779b97f4a7c15) >> 48 << 48 | (host ^ host >> 39) << 25 >> 16;
}

static int class_of(const result_row *r)
{
    unsigned s = r->sip_family, d = r->dip_family;
    if ((s != 0 && s != 4 && s != 6) || (d != 0 && d != 4 && d != 6) || (s && d && s != d))
        return -1;
    return (int)(s / 2 * 4 + d / 2);
}

gp_status wire_order_rows(batch_order *o, const result_row *rows, size_t n, gp_err *err)
{
    size_t count[CLASSES] = {0};
    uint64_t last[CLASSES] = {0};
    int sorted = 1;
    GP_TRY(grow(o, n, err));
    o->n = n;
    for (size_t i = 0; i < n; i++) {
        const result_row *r = rows + i;
        int c = class_of(r);
        if (c < 0)
            return gp_fail(err, GP_EINVAL, 0, "rows with address families %d and %d", r->sip_family,
                           r->dip_family);
        o->v[i] = (batch_entry){key_of(r, batch_family(r)), (uint32_t)i, (uint32_t)c};
        sorted &= o->v[i].key >= last[c];
        last[c] = o->v[i].key;
        count[c]++;
    }
    for (unsigned shift = SKIP; !sorted && shift < 64; shift += DIGIT)
        sort_digit(o, shift);
    sort_class(o, count);
    return GP_OK;
}

const batch_entry *wire_order_run(const batch_order *o, size_t i, size_t *n)
{
    size_t end = i + 1;
    while (end < o->n && o->v[end].class == o->v[i].class)
        end++;
    *n = end - i;
    return o->v + i;
}

void wire_order_gather(const batch_entry *v, size_t n, const result_row *rows, result_row *out)
{
    for (size_t i = 0; i < n; i++) {
        if (i + AHEAD < n) {
            const char *next = (const char *)&rows[v[i + AHEAD].row];
            __builtin_prefetch(next);
            __builtin_prefetch(next + 64);
        }
        out[i] = rows[v[i].row];
    }
}
