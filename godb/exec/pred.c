/* pred.c - build the filter of one family from a condition tree, and evaluate it on a vector. */
#include "pred.h"

#include "gp/bytes.h"
#include "gp/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const exec_pred pred_false = {.kind = EXEC_P_FALSE, .depth = 1};
static const exec_pred pred_true = {.kind = EXEC_P_TRUE, .depth = 1};

static exec_pred *pred_new(gp_arena *a, exec_pred_kind kind, query_attr attr)
{
    exec_pred *p = gp_arena_alloc(a, 1, sizeof *p);

    if (p)
        *p = (exec_pred){
            .kind = kind, .attr = (uint8_t)attr, .attrs = 1u << attr, .leaves = 1, .depth = 1};
    return p;
}

/* dport or proto: every operator is a range or its complement. */
static const exec_pred *leaf_number(const query_node *n, gp_arena *a)
{
    unsigned top = n->attr == QUERY_DPORT ? 65535 : 255, v = n->value, lo = 0, hi = top;
    int neg = 0, none = 0;

    switch (n->op) {
    case QUERY_EQ:
    case QUERY_NE:
        lo = hi = v;
        neg = n->op == QUERY_NE;
        none = v > top;
        break;
    case QUERY_LT:
        none = v == 0;
        hi = v == 0 ? 0 : v - 1;
        break;
    case QUERY_LE:
        hi = v;
        break;
    case QUERY_GT:
        none = v >= top;
        lo = v + 1;
        break;
    case QUERY_GE:
        none = v > top;
        lo = v;
        break;
    }
    if (none)
        return neg ? &pred_true : &pred_false;
    if (hi > top)
        hi = top;
    if (lo == 0 && hi == top)
        return neg ? &pred_false : &pred_true;
    exec_pred *p = pred_new(a, n->attr == QUERY_DPORT ? EXEC_P_RANGE16 : EXEC_P_RANGE8, n->attr);
    if (p) {
        p->lo = (uint16_t)lo;
        p->hi = (uint16_t)hi;
        p->neg = (uint8_t)neg;
    }
    return p;
}

/* sip or dip against an address or network: of the other family it is never equal (3.9). */
static const exec_pred *leaf_addr(const query_node *n, int family, gp_arena *a)
{
    int neg = n->op == QUERY_NE;
    unsigned bits = family == 4 ? 32 : 128, prefix = n->net.prefix;
    uint8_t mask[16] = {0}, value[16];

    if (n->net.addr.family != family)
        return neg ? &pred_true : &pred_false;
    if (prefix == 0)
        return neg ? &pred_false : &pred_true;
    if (prefix > bits)
        prefix = bits;
    memset(mask, 0xff, prefix / 8);
    if (prefix % 8)
        mask[prefix / 8] = (uint8_t)(0xff << (8 - prefix % 8));
    for (size_t i = 0; i < 16; i++)
        value[i] = n->net.addr.bytes[i] & mask[i];
    exec_pred *p = pred_new(a, family == 4 ? EXEC_P_NET4 : EXEC_P_NET6, n->attr);
    if (!p)
        return NULL;
    p->neg = (uint8_t)neg;
    memcpy(p->mask, mask, 16); /* as the kernel loads them: no byte order involved */
    memcpy(p->value, value, 16);
    return exec_probe_attach(p, family, a) == GP_OK ? p : NULL;
}

/* AND or OR with constants folded. NULL when out of memory. */
static const exec_pred *pred_join(query_node_kind kind, const exec_pred *l, const exec_pred *r,
                                  gp_arena *a)
{
    exec_pred_kind zero = kind == QUERY_AND ? EXEC_P_FALSE : EXEC_P_TRUE;
    exec_pred_kind one = kind == QUERY_AND ? EXEC_P_TRUE : EXEC_P_FALSE;

    if (!l || !r)
        return NULL;
    if (l->kind == zero || r->kind == one)
        return l;
    if (r->kind == zero || l->kind == one)
        return r;
    exec_pred *p = gp_arena_alloc(a, 1, sizeof *p);
    if (p)
        *p = (exec_pred){.kind = kind == QUERY_AND ? EXEC_P_AND : EXEC_P_OR,
                         .attrs = l->attrs | r->attrs,
                         .leaves = l->leaves + r->leaves,
                         .depth = 1 + (l->depth > r->depth ? l->depth : r->depth),
                         .l = l,
                         .r = r};
    return p;
}

enum { LUT_WORDS = 1024 }; /* of the largest table, a bit per port */

/* A table for a subtree that must be whole before it joins its parent's: one per change between
 * "&" and "|" on the way down, kept for the next subtree at that level. */
typedef struct lut_level lut_level;
struct lut_level {
    lut_level *next; /* NULL until a subtree needs one more */
    uint64_t bits[LUT_WORDS];
};

/* Set or clear the bits of the values lo ... hi. */
static void lut_range(uint64_t *lut, unsigned lo, unsigned hi, int set)
{
    for (unsigned v = lo; v <= hi;) {
        unsigned n = hi - v + 1, left = 64 - (v & 63);
        n = n < left ? n : left;
        uint64_t bits = (n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1) << (v & 63);
        lut[v >> 6] = set ? lut[v >> 6] | bits : lut[v >> 6] & ~bits;
        v += n;
    }
}

/* lut = lut & p or lut | p for a range of values or all others. */
static void lut_leaf(uint64_t *lut, size_t words, const exec_pred *p, exec_pred_kind op)
{
    unsigned top = (unsigned)words * 64 - 1;
    int set = op == EXEC_P_OR; /* "|" sets the bits of p, "&" clears those of its complement */

    assert(p->kind == EXEC_P_RANGE16 || p->kind == EXEC_P_RANGE8);
    if (set != (p->neg != 0)) {
        lut_range(lut, p->lo, p->hi, set);
        return;
    }
    if (p->lo > 0)
        lut_range(lut, 0, p->lo - 1u, set);
    if (p->hi < top)
        lut_range(lut, p->hi + 1u, top, set);
}

/* lut = lut op p, for ports or protocols only. GP_ENOMEM. */
static gp_status lut_apply(uint64_t *lut, size_t words, const exec_pred *p, exec_pred_kind op,
                           lut_level **level, gp_arena *a)
{
    if (p->kind != EXEC_P_AND && p->kind != EXEC_P_OR) {
        lut_leaf(lut, words, p, op);
        return GP_OK;
    }
    if (p->kind == op) {
        GP_TRY(lut_apply(lut, words, p->l, op, level, a));
        return lut_apply(lut, words, p->r, op, level, a);
    }
    if (!*level)
        *level = gp_arena_alloc(a, 1, sizeof **level);
    if (!*level)
        return GP_ENOMEM;
    uint64_t *own = (*level)->bits;
    memset(own, p->kind == EXEC_P_AND ? 0xff : 0, words * sizeof *own);
    GP_TRY(lut_apply(own, words, p->l, p->kind, &(*level)->next, a));
    GP_TRY(lut_apply(own, words, p->r, p->kind, &(*level)->next, a));
    for (size_t i = 0; i < words; i++)
        lut[i] = op == EXEC_P_AND ? lut[i] & own[i] : lut[i] | own[i];
    return GP_OK;
}

/* Replace a many-term tree on one port or protocol column by a bit table. */
static const exec_pred *pred_tabulate(const exec_pred *p, gp_arena *a)
{
    int port = p->attrs == 1u << QUERY_DPORT;

    if (p->leaves < EXEC_LUT_LEAVES || (!port && p->attrs != 1u << QUERY_PROTO) ||
        (p->kind != EXEC_P_AND && p->kind != EXEC_P_OR))
        return p;
    exec_pred *t = pred_new(a, port ? EXEC_P_LUT16 : EXEC_P_LUT8, port ? QUERY_DPORT : QUERY_PROTO);
    if (!t)
        return NULL;
    size_t words = port ? LUT_WORDS : 4;
    uint64_t *lut = gp_arena_alloc(a, words, sizeof *lut);
    lut_level *levels = NULL;
    if (lut && p->kind == EXEC_P_AND)
        memset(lut, 0xff, words * sizeof *lut);
    if (!lut || lut_apply(lut, words, p, p->kind, &levels, a) != GP_OK)
        return NULL;
    t->lut = lut;
    t->leaves = EXEC_LUT_LEAVES;
    return t;
}

/* 1 if p is a chain of `attr = address` under | (neg 0) or `attr != address` under & (neg 1). */
static int pred_is_set(const exec_pred *p, uint8_t neg, size_t width)
{
    exec_pred_kind join = neg ? EXEC_P_AND : EXEC_P_OR;

    if (p->kind == join)
        return pred_is_set(p->l, neg, width) && pred_is_set(p->r, neg, width);
    if (p->neg != neg)
        return 0;
    if (p->kind == (width == 4 ? EXEC_P_SET4 : EXEC_P_SET))
        return 1;
    if (p->kind != (width == 4 ? EXEC_P_NET4 : EXEC_P_NET6))
        return 0;
    return width == 4 ? (uint32_t)p->mask[0] == UINT32_MAX
                      : p->mask[0] == UINT64_MAX && p->mask[1] == UINT64_MAX;
}

static uint8_t *set_collect(const exec_pred *p, size_t width, uint8_t *at)
{
    if (p->kind == EXEC_P_AND || p->kind == EXEC_P_OR)
        return set_collect(p->r, width, set_collect(p->l, width, at));
    if (p->kind == EXEC_P_SET || p->kind == EXEC_P_SET4) {
        memcpy(at, p->set, p->set_n * width);
        return at + p->set_n * width;
    }
    memcpy(at, p->value, width);
    return at + width;
}

static size_t set_size(const exec_pred *p)
{
    if (p->kind == EXEC_P_AND || p->kind == EXEC_P_OR)
        return set_size(p->l) + set_size(p->r);
    return p->kind == EXEC_P_SET || p->kind == EXEC_P_SET4 ? p->set_n : 1;
}

static int cmp4(const void *a, const void *b)
{
    return memcmp(a, b, 4);
}

static int cmp16(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

/* Replace a long list of addresses of one column by a sorted set with a bit filter. */
static const exec_pred *pred_setify(const exec_pred *p, int family, gp_arena *a)
{
    size_t width = family == 4 ? 4 : 16;
    uint8_t neg = p->kind == EXEC_P_AND;

    if (p->leaves < EXEC_LUT_LEAVES || (p->kind != EXEC_P_AND && p->kind != EXEC_P_OR) ||
        (p->attrs != 1u << QUERY_SIP && p->attrs != 1u << QUERY_DIP) || !pred_is_set(p, neg, width))
        return p;
    size_t n = set_size(p);
    exec_pred *t = pred_new(a, family == 4 ? EXEC_P_SET4 : EXEC_P_SET,
                            p->attrs == 1u << QUERY_SIP ? QUERY_SIP : QUERY_DIP);
    uint8_t *set = t ? gp_arena_alloc(a, n, width) : NULL;
    uint64_t *bloom = set ? gp_arena_alloc(a, 1024, sizeof *bloom) : NULL;
    if (!bloom)
        return NULL;
    set_collect(p, width, set);
    qsort(set, n, width, family == 4 ? cmp4 : cmp16);
    for (size_t i = 0; i < n; i++) {
        unsigned h = exec_set_hash(set + i * width, width);
        bloom[h >> 6] |= UINT64_C(1) << (h & 63);
    }
    t->set = set;
    t->set_n = n;
    t->bloom = bloom;
    t->neg = neg;
    t->leaves = EXEC_LUT_LEAVES;
    return exec_probe_attach(t, family, a) == GP_OK ? t : NULL;
}

/* Fold big one-column trees, from the top down so that the biggest tree becomes one table. */
static const exec_pred *pred_fold(const exec_pred *p, int family, gp_arena *a)
{
    if (p->kind != EXEC_P_AND && p->kind != EXEC_P_OR)
        return p;
    const exec_pred *t = pred_tabulate(p, a);
    if (t == p)
        t = pred_setify(p, family, a);
    if (t != p)
        return t;
    const exec_pred *l = pred_fold(p->l, family, a), *r = pred_fold(p->r, family, a);
    if (l == p->l && r == p->r)
        return p;
    return pred_join(p->kind == EXEC_P_AND ? QUERY_AND : QUERY_OR, l, r, a);
}

static const exec_pred *pred_build(const query_node *n, int family, gp_arena *a)
{
    if (n->kind == QUERY_CMP)
        return n->attr == QUERY_SIP || n->attr == QUERY_DIP ? leaf_addr(n, family, a)
                                                            : leaf_number(n, a);
    return pred_join(n->kind, pred_build(n->left, family, a), pred_build(n->right, family, a), a);
}

/* Bytes a row of the columns in attrs. */
static unsigned attrs_cost(unsigned attrs, int family)
{
    static const unsigned v4[] = {4, 4, 2, 1}, v6[] = {16, 16, 2, 1};
    unsigned cost = 0;

    for (unsigned i = 0; i < QUERY_N_ATTRS; i++)
        if (attrs >> i & 1)
            cost += family == 4 ? v4[i] : v6[i];
    return cost;
}

/* The terms of the top-level "&" of p, whose columns are attrs, in order; returns the new count.
 * Trees on one column stay whole: pred_fold() may make them a table. */
static size_t terms_of(const exec_pred *p, unsigned attrs, const exec_pred **out, size_t n)
{
    if (p->kind == EXEC_P_AND && (p->attrs & (p->attrs - 1)) != 0)
        return terms_of(p->r, attrs, out, terms_of(p->l, attrs, out, n));
    if (p->attrs == attrs)
        out[n++] = p;
    return n;
}

static const exec_pred *join_balanced(const exec_pred *const *v, size_t n, gp_arena *a)
{
    if (n == 1)
        return v[0];
    return pred_join(QUERY_AND, join_balanced(v, n / 2, a), join_balanced(v + n / 2, n - n / 2, a),
                     a);
}

/* Split the top-level "&" into one term per set of columns. GP_ENOMEM. */
static gp_status filter_split(const exec_pred *p, gp_arena *a, exec_filter *f)
{
    const exec_pred **terms = gp_arena_alloc(a, p->leaves, sizeof *terms);

    if (!terms)
        return GP_ENOMEM;
    for (unsigned attrs = 1; attrs < 1u << QUERY_N_ATTRS; attrs++) {
        size_t n = terms_of(p, attrs, terms, 0);
        if (n == 0)
            continue;
        const exec_pred *joined = join_balanced(terms, n, a);
        if (!joined)
            return GP_ENOMEM;
        f->conj[f->n++] = (exec_conj){.p = joined, .attrs = attrs};
    }
    return GP_OK;
}

static gp_status no_room(const gp_arena *a, gp_err *err)
{
    if (gp_arena_full(a))
        return gp_fail(err, GP_ELIMIT, 0,
                       "condition too large: fewer terms, or names of fewer addresses, are needed");
    return gp_fail(err, GP_ENOMEM, 0, "out of memory for the condition");
}

gp_status exec_filter_build(const query_cond *cond, int family, gp_arena *arena, exec_filter *out,
                            gp_err *err)
{
    *out = (exec_filter){0};
    if (cond->family != QUERY_FAMILY_ANY && (int)cond->family != family) {
        out->never = 1; /* U20 */
        return GP_OK;
    }
    const exec_pred *p = cond->root ? pred_build(cond->root, family, arena) : &pred_true;
    if (!p)
        return no_room(arena, err);
    out->never = p->kind == EXEC_P_FALSE;
    out->always = p->kind == EXEC_P_TRUE;
    if (out->never || out->always)
        return GP_OK;
    if (filter_split(p, arena, out) != GP_OK)
        return no_room(arena, err);
    for (unsigned i = 0; i < out->n; i++) {
        exec_conj *c = &out->conj[i];
        c->p = pred_fold(c->p, family, arena);
        if (!c->p)
            return no_room(arena, err);
        c->cost = attrs_cost(c->attrs, family);
        out->probes |= exec_pred_probes(c->p);
        if (c->p->depth > out->depth)
            out->depth = c->p->depth;
    }
    return GP_OK;
}

static void leaf_eval(const exec_pred *p, const exec_cols *c, size_t from, size_t n, uint8_t *mask)
{
    const uint8_t *addr = p->attr <= QUERY_DIP ? c->addr[p->attr] : NULL;

    switch (p->kind) {
    case EXEC_P_RANGE16:
        exec_k_range16(c->dport + 2 * from, n, p->lo, p->hi, p->neg, mask);
        break;
    case EXEC_P_RANGE8:
        exec_k_range8(c->proto + from, n, (uint8_t)p->lo, (uint8_t)p->hi, p->neg, mask);
        break;
    case EXEC_P_LUT16:
        exec_k_lut16(c->dport + 2 * from, n, p->lut, mask);
        break;
    case EXEC_P_LUT8:
        exec_k_lut8(c->proto + from, n, p->lut, mask);
        break;
    case EXEC_P_NET4: {
        uint32_t m[2];
        memcpy(&m[0], p->mask, 4);
        memcpy(&m[1], p->value, 4);
        exec_k_net4(addr + 4 * from, n, m[0], m[1], p->neg, mask);
        break;
    }
    case EXEC_P_NET6:
        exec_k_net6(addr + 16 * from, n, p->mask, p->value, p->neg, mask);
        break;
    case EXEC_P_SET4:
        exec_k_set(addr + 4 * from, n, p, 4, mask);
        break;
    case EXEC_P_SET:
        exec_k_set(addr + 16 * from, n, p, 16, mask);
        break;
    default:
        memset(mask, p->kind == EXEC_P_TRUE, n);
        break;
    }
}

void exec_pred_eval(const exec_pred *p, const exec_cols *c, size_t from, size_t n, uint8_t *mask,
                    uint8_t *scratch)
{
    if (p->kind != EXEC_P_AND && p->kind != EXEC_P_OR) {
        leaf_eval(p, c, from, n, mask);
        return;
    }
    exec_pred_eval(p->l, c, from, n, mask, scratch);
    size_t ones = exec_k_count(mask, n);
    if (ones == (p->kind == EXEC_P_AND ? 0 : n))
        return; /* the other side cannot change it */
    exec_pred_eval(p->r, c, from, n, scratch, scratch + EXEC_VEC);
    if (p->kind == EXEC_P_AND)
        exec_k_and(mask, scratch, n);
    else
        exec_k_or(mask, scratch, n);
}
