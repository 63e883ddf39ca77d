/* naive.c - filter, project, sort, fold: written from the specification alone, for comparison. */
#include "naive.h"

#include "gp/mem.h"

#include <stdlib.h>
#include <string.h>

/* ---- conditions ---- */

/* Families of the address comparisons: bit 0 IPv4, bit 1 IPv6. */
static unsigned families(const naive_cond *c)
{
    if (!c)
        return 0;
    if (c->kind == NAIVE_CMP)
        return c->attr <= NAIVE_HOST ? (c->family == 4 ? 1 : 2) : 0;
    return families(c->l) | families(c->r);
}

static int in_net(const naive_cond *c, const naive_row *r, const uint8_t *addr)
{
    if (r->family != c->family)
        return 0;
    for (unsigned bit = 0; bit < c->prefix; bit++)
        if ((addr[bit / 8] ^ c->addr[bit / 8]) >> (7 - bit % 8) & 1)
            return 0;
    return 1;
}

static int compare(naive_op op, unsigned a, unsigned b)
{
    switch (op) {
    case NAIVE_EQ:
        return a == b;
    case NAIVE_NE:
        return a != b;
    case NAIVE_LT:
        return a < b;
    case NAIVE_LE:
        return a <= b;
    case NAIVE_GT:
        return a > b;
    default:
        return a >= b;
    }
}

static int matches(const naive_cond *c, const naive_row *r)
{
    if (!c)
        return 1;
    switch (c->kind) {
    case NAIVE_AND:
        return matches(c->l, r) && matches(c->r, r);
    case NAIVE_OR:
        return matches(c->l, r) || matches(c->r, r);
    case NAIVE_NOT:
        return !matches(c->l, r);
    default:
        break;
    }
    if (c->attr == NAIVE_DPORT)
        return compare(c->op, r->dport, c->value);
    if (c->attr == NAIVE_PROTO)
        return compare(c->op, r->proto, c->value);
    int hit = 0;
    if (c->attr != NAIVE_DIP)
        hit |= in_net(c, r, r->sip);
    if (c->attr != NAIVE_SIP)
        hit |= in_net(c, r, r->dip);
    return c->op == NAIVE_EQ ? hit : !hit;
}

static int dir_keeps(naive_dir d, const uint64_t c[4])
{
    int rcvd = c[2] > 0, sent = c[3] > 0;

    switch (d) {
    case NAIVE_IN:
        return rcvd && !sent;
    case NAIVE_OUT:
        return sent && !rcvd;
    case NAIVE_UNI:
        return rcvd != sent;
    case NAIVE_BI:
        return rcvd && sent;
    default:
        return 1;
    }
}

/* ---- groups ---- */

static int cmp_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

/* Same group? Any total order will do. */
static int cmp_key(const void *pa, const void *pb)
{
    const naive_row *a = pa, *b = pb;
    int c = cmp_u64((uint64_t)a->iface, (uint64_t)b->iface);

    if (!c)
        c = cmp_u64((uint64_t)a->time_s, (uint64_t)b->time_s);
    if (!c)
        c = cmp_u64(a->family, b->family);
    if (!c)
        c = memcmp(a->sip, b->sip, 16);
    if (!c)
        c = memcmp(a->dip, b->dip, 16);
    if (!c)
        c = cmp_u64(a->dport, b->dport);
    if (!c)
        c = cmp_u64(a->proto, b->proto);
    return c;
}

static naive_row project(const naive_query *q, const naive_row *r)
{
    naive_row g = {.iface = r->iface};

    if (q->time)
        g.time_s = r->time_s;
    if (q->sip || q->dip)
        g.family = r->family;
    if (q->sip)
        memcpy(g.sip, r->sip, 16);
    if (q->dip)
        memcpy(g.dip, r->dip, 16);
    if (q->dport)
        g.dport = r->dport;
    if (q->proto)
        g.proto = r->proto;
    memcpy(g.c, r->c, sizeof g.c);
    return g;
}

/* ---- order ---- */

typedef struct order {
    const naive_query *q;
    const char *const *names;
} order;

static uint64_t sort_value(const naive_query *q, const naive_row *r)
{
    uint64_t in = r->c[q->sort == NAIVE_PACKETS ? 2 : 0];
    uint64_t out = r->c[q->sort == NAIVE_PACKETS ? 3 : 1];

    if (q->time || q->sort == NAIVE_TIME)
        return (uint64_t)r->time_s;
    return q->in && !q->out ? in : q->out && !q->in ? out : in + out;
}

static int cmp_order(const void *pa, const void *pb, void *ctx)
{
    const naive_row *a = pa, *b = pb;
    const order *o = ctx;
    int c = cmp_u64(sort_value(o->q, a), sort_value(o->q, b));

    if (!c) /* absent, IPv4, IPv6: rows of one query have both addresses of one family */
        c = cmp_u64(a->family, b->family);
    if (!c)
        c = memcmp(a->sip, b->sip, 16);
    if (!c)
        c = memcmp(a->dip, b->dip, 16);
    if (!c)
        c = cmp_u64(a->proto, b->proto);
    if (!c)
        c = cmp_u64(a->dport, b->dport);
    if (!c)
        c = cmp_u64((uint64_t)a->time_s, (uint64_t)b->time_s);
    if (!c)
        c = strcmp(o->names[a->iface], o->names[b->iface]);
    return o->q->time || o->q->ascending ? c : -c;
}

static int cmp_stream(const void *pa, const void *pb, void *ctx)
{
    const naive_row *a = pa, *b = pb;
    const order *o = ctx;
    int c = strcmp(o->names[a->iface], o->names[b->iface]);

    if (!c)
        c = cmp_u64(a->family, b->family);
    if (!c)
        c = memcmp(a->sip, b->sip, 16);
    if (!c)
        c = memcmp(a->dip, b->dip, 16);
    if (!c)
        c = cmp_u64(a->dport, b->dport);
    if (!c)
        c = cmp_u64(a->proto, b->proto);
    if (!c)
        c = cmp_u64((uint64_t)a->time_s, (uint64_t)b->time_s);
    return c;
}

void naive_stream_order(naive_result *r, const char *const *names)
{
    order o = {.names = names};
    qsort_r(r->v, r->n, sizeof *r->v, cmp_stream, &o);
}

/* ---- the query ---- */

/* Add up equal keys; drop what the direction filter does not keep. Returns how many are left. */
static size_t fold(naive_row *v, size_t m, naive_dir dir)
{
    size_t groups = 0;

    qsort(v, m, sizeof *v, cmp_key);
    for (size_t i = 0; i < m;) {
        naive_row g = v[i++];
        for (; i < m && cmp_key(&g, &v[i]) == 0; i++)
            for (int j = 0; j < 4; j++)
                g.c[j] += v[i].c[j];
        if (dir_keeps(dir, g.c))
            v[groups++] = g;
    }
    return groups;
}

void naive_run(const naive_row *rows, size_t n, const char *const *names, const naive_query *q,
               naive_result *out)
{
    naive_row *v = gp_calloc(n + 1, sizeof *v);
    unsigned fam = families(q->cond);
    size_t m = 0, groups = 0;
    order o = {.q = q, .names = names};

    *out = (naive_result){.v = v};
    if (!v)
        abort();
    for (size_t i = 0; i < n; i++) {
        const naive_row *r = &rows[i];
        if (!(q->ifaces >> r->iface & 1) || r->time_s < q->first_s || r->time_s > q->last_s)
            continue;
        if ((fam == 1 && r->family != 4) || (fam == 2 && r->family != 6))
            continue; /* U20 */
        if (matches(q->cond, r))
            v[m++] = project(q, r);
    }
    groups = fold(v, m, q->dir);
    for (size_t i = 0; i < groups && q->time && q->bin_s; i++)
        v[i].time_s = (v[i].time_s + q->bin_s - 1) / q->bin_s * q->bin_s;
    if (q->time && q->bin_s)
        groups = fold(v, groups, NAIVE_ALL);
    for (size_t i = 0; i < groups; i++)
        for (int j = 0; j < 4; j++)
            out->totals[j] += v[i].c[j];
    out->n = groups;
    qsort_r(v, groups, sizeof *v, cmp_order, &o);
}

void naive_result_free(naive_result *r)
{
    gp_free(r->v);
    *r = (naive_result){0};
}
