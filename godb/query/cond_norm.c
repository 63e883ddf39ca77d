/* cond_norm.c - desugar, push negation down, print the result form, balance (3.5 - 3.8). */
#include "cond_int.h"

#include "limits.h"

#include <assert.h>

static gp_status no_memory(cond_ctx *c)
{
    return gp_fail(c->err, GP_ENOMEM, 0, "condition of %zu tokens", c->tokens.n);
}

static query_op flip(query_op op)
{
    static const query_op other[] = {
        [QUERY_EQ] = QUERY_NE, [QUERY_NE] = QUERY_EQ, [QUERY_LT] = QUERY_GE,
        [QUERY_GE] = QUERY_LT, [QUERY_LE] = QUERY_GT, [QUERY_GT] = QUERY_LE};
    return other[op];
}

/* Levels below a node after desugaring: host, != and names with several addresses add some. */
static unsigned height(const cond_node *n)
{
    unsigned h = 0;

    if (n->kind == COND_CMP) {
        int either = n->attr == COND_HOST || n->attr == COND_NET;
        h = (unsigned)either + (n->n_nets > 1);
        return h && n->op == QUERY_NE ? h + 1 : h; /* written as !(a | b) */
    }
    for (const cond_node *k = n->first; k; k = k->next) {
        unsigned kh = height(k);
        h = kh > h ? kh : h;
    }
    return h + 1;
}

/* One address comparison, or a chain over all addresses of a name: any of them for =, none for !=
 */
static cond_node *address_cmp(cond_ctx *c, const cond_node *n, cond_attr attr, query_op op)
{
    cond_node *chain = NULL, *k = NULL;

    if (n->n_nets > 1) {
        chain = query_cond_node(c, op == QUERY_EQ ? COND_OR : COND_AND);
        if (!chain)
            return NULL;
    }
    for (uint32_t i = 0; i < n->n_nets; i++) {
        k = query_cond_node(c, COND_CMP);
        if (!k)
            return NULL;
        k->attr = (uint8_t)attr;
        k->op = (uint8_t)op;
        k->nets = n->nets + i;
        k->n_nets = 1;
        k->text = n->text;
        k->text_len = n->text_len;
        if (chain)
            query_cond_append(chain, k);
    }
    return chain ? chain : k;
}

static gp_status norm_cmp(cond_ctx *c, const cond_node *n, int neg, cond_node **out)
{
    query_op op = neg ? flip(n->op) : (query_op)n->op;
    cond_node *k;

    if (n->attr == COND_HOST || n->attr == COND_NET) {
        int host = n->attr == COND_HOST;
        cond_node *s = address_cmp(c, n, host ? COND_SIP : COND_SNET, op);
        cond_node *d = address_cmp(c, n, host ? COND_DIP : COND_DNET, op);
        k = query_cond_node(c, op == QUERY_EQ ? COND_OR : COND_AND);
        if (!s || !d || !k)
            return no_memory(c);
        query_cond_append(k, s);
        query_cond_append(k, d);
    } else if (n->n_nets) {
        k = address_cmp(c, n, n->attr, op);
    } else {
        k = query_cond_node(c, COND_CMP);
        if (k) {
            *k = *n;
            k->next = NULL;
            k->op = (uint8_t)op;
        }
    }
    *out = k;
    return k ? GP_OK : no_memory(c);
}

static gp_status norm(cond_ctx *c, const cond_node *n, int neg, cond_node **out)
{
    if (n->kind == COND_CMP)
        return norm_cmp(c, n, neg, out);
    if (n->kind == COND_NOT)
        return norm(c, n->first, !neg, out);
    cond_node *chain = query_cond_node(c, (n->kind == COND_AND) != neg ? COND_AND : COND_OR);
    if (!chain)
        return no_memory(c);
    for (const cond_node *k = n->first; k; k = k->next) {
        cond_node *kid = NULL;
        GP_TRY(norm(c, k, neg, &kid));
        query_cond_append(chain, kid);
    }
    *out = chain;
    return GP_OK;
}

gp_status query_cond_normalise(cond_ctx *c, cond_node **out)
{
    if (height(c->root) > QUERY_MAX_DEPTH)
        return query_cond_too_deep(c);
    return norm(c, c->root, 0, out);
}

/* ---- result form ---- */

static void print_cmp(const cond_node *n, gp_buf *out)
{
    static const char *const names[] = {
        [COND_SIP] = "sip",   [COND_DIP] = "dip",     [COND_SNET] = "snet",
        [COND_DNET] = "dnet", [COND_DPORT] = "dport", [COND_PROTO] = "proto"};
    char addr[GP_ADDR_STRLEN];

    gp_buf_adds(out, names[n->attr]);
    gp_buf_addc(out, ' ');
    gp_buf_adds(out, query_op_text(n->op));
    gp_buf_addc(out, ' ');
    if (n->text)
        gp_buf_add(out, n->text, n->text_len);
    else
        gp_buf_add(out, addr, gp_addr_format(&n->nets->addr, addr, sizeof addr));
}

void query_cond_print(const cond_node *n, gp_buf *out)
{
    size_t open = 0;

    if (n->kind == COND_CMP) {
        print_cmp(n, out);
        return;
    }
    for (const cond_node *k = n->first; k; k = k->next) { /* (a & (b & (c & d))) */
        if (k->next) {
            gp_buf_addc(out, '(');
            open++;
        }
        query_cond_print(k, out);
        if (k->next)
            gp_buf_adds(out, n->kind == COND_AND ? " & " : " | ");
    }
    gp_buf_fill(out, ')', open);
}

/* ---- balanced tree ---- */

/* Subtrees of one chain not yet joined, right to left; heights rise strictly from top to bottom,
 * like the digits of a binary counter. So n leaves give a tree log2(n) deep, and one deep operand
 * adds one level, not log2(n). */
typedef struct item item;
struct item {
    item *below;
    query_node *node;
    unsigned height;
};

typedef struct balancer {
    cond_ctx *c;
    gp_arena *arena; /* the result's */
    query_cond *q;
    int families; /* bit 1: IPv4 compared, bit 2: IPv6 compared */
    item *spare;  /* items to use again */
} balancer;

static gp_status leaf(balancer *b, const cond_node *n, query_node **out)
{
    static const query_attr attrs[] = {
        [COND_SIP] = QUERY_SIP,  [COND_DIP] = QUERY_DIP,     [COND_SNET] = QUERY_SIP,
        [COND_DNET] = QUERY_DIP, [COND_DPORT] = QUERY_DPORT, [COND_PROTO] = QUERY_PROTO};
    query_node *k = gp_arena_alloc(b->arena, 1, sizeof *k);

    if (!k)
        return no_memory(b->c);
    *k = (query_node){
        .kind = QUERY_CMP, .attr = attrs[n->attr], .op = (query_op)n->op, .value = n->number};
    if (n->nets) {
        k->net = *n->nets;
        b->families |= k->net.addr.family == 4 ? 1 : 2;
    }
    b->q->attr_mask |= 1u << k->attr;
    b->q->n_cmp++;
    *out = k;
    return GP_OK;
}

/* Join the two top items: the lower one is the left operand. */
static gp_status join(balancer *b, item **top, query_node_kind kind)
{
    item *right = *top, *left = right->below;
    query_node *k = gp_arena_alloc(b->arena, 1, sizeof *k);

    if (!k)
        return no_memory(b->c);
    *k = (query_node){.kind = kind, .left = left->node, .right = right->node};
    left->node = k;
    left->height = (left->height > right->height ? left->height : right->height) + 1;
    *top = left;
    right->below = b->spare;
    b->spare = right;
    return GP_OK;
}

static gp_status push(balancer *b, item **top, query_node_kind kind, query_node *node, unsigned h)
{
    while (*top && (*top)->below &&
           (*top)->below->height < h) /* small ones first, then the deep one */
        GP_TRY(join(b, top, kind));
    item *it = b->spare;
    if (it)
        b->spare = it->below;
    else
        it = gp_arena_alloc(b->c->arena, 1, sizeof *it);
    if (!it)
        return no_memory(b->c);
    *it = (item){*top, node, h};
    *top = it;
    while (it->below && it->below->height <= it->height) {
        GP_TRY(join(b, top, kind));
        it = *top;
    }
    return GP_OK;
}

static gp_status balance(balancer *b, const cond_node *n, query_node **out, unsigned *h);

/* Operands of n, and of operands of the same kind, are one chain. */
static gp_status push_all(balancer *b, const cond_node *n, item **top, query_node_kind kind)
{
    for (const cond_node *k = n->first; k; k = k->next) {
        query_node *node = NULL;
        unsigned h = 0;
        if (k->kind == n->kind) {
            GP_TRY(push_all(b, k, top, kind));
            continue;
        }
        GP_TRY(balance(b, k, &node, &h));
        GP_TRY(push(b, top, kind, node, h));
    }
    return GP_OK;
}

static gp_status balance(balancer *b, const cond_node *n, query_node **out, unsigned *h)
{
    item *top = NULL;

    if (n->kind == COND_CMP) {
        *h = 0;
        return leaf(b, n, out);
    }
    query_node_kind kind = n->kind == COND_AND ? QUERY_AND : QUERY_OR;
    GP_TRY(push_all(b, n, &top, kind));
    assert(top); /* chains have operands */
    while (top->below)
        GP_TRY(join(b, &top, kind));
    *out = top->node;
    *h = top->height;
    top->below = b->spare;
    b->spare = top;
    return GP_OK;
}

gp_status query_cond_balance(cond_ctx *c, const cond_node *n, query_cond *q)
{
    balancer b = {.c = c, .arena = q->arena, .q = q};
    query_node *root = NULL;
    unsigned h = 0;

    GP_TRY(balance(&b, n, &root, &h));
    q->root = root;
    q->family = b.families == 1   ? QUERY_FAMILY_V4
                : b.families == 2 ? QUERY_FAMILY_V6
                                  : QUERY_FAMILY_ANY;
    return GP_OK;
}
