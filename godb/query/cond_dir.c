/* cond_dir.c - direction filter: where it may stand, and taking it out of the tree (spec 3.4). */
#include "cond_int.h"

#include <string.h>

static const struct {
    const char *name;
    query_dirfilter filter;
} VALUES[] = {
    {"in", QUERY_DIR_IN},        {"inbound", QUERY_DIR_IN},       {"out", QUERY_DIR_OUT},
    {"outbound", QUERY_DIR_OUT}, {"uni", QUERY_DIR_UNI},          {"unidirectional", QUERY_DIR_UNI},
    {"bi", QUERY_DIR_BI},        {"bidirectional", QUERY_DIR_BI},
};

query_dirfilter query_cond_dirfilter(const cond_node *f)
{
    for (size_t i = 0; i < GP_COUNT(VALUES); i++)
        if (strlen(VALUES[i].name) == f->text_len &&
            memcmp(VALUES[i].name, f->text, f->text_len) == 0)
            return VALUES[i].filter;
    return QUERY_DIR_NONE;
}

static int is_filter(const cond_node *n)
{
    return n->kind == COND_CMP && n->attr == COND_DIR;
}

static int is_valid(const cond_node *n)
{
    return is_filter(n) && n->op == QUERY_EQ && query_cond_dirfilter(n) != QUERY_DIR_NONE;
}

static gp_status check_filter(cond_ctx *c, const cond_node *f)
{
    if (f->op != QUERY_EQ)
        return gp_fail(c->err, GP_EINVAL, 0, "unsupported direction filter comparator: %s",
                       query_op_text(f->op));
    if (query_cond_dirfilter(f) == QUERY_DIR_NONE)
        return gp_fail(c->err, GP_EINVAL, 0,
                       "unsupported direction filter: %.*s (supported: in, out, uni, bi)",
                       (int)(f->text_len < 64 ? f->text_len : 64), f->text);
    return GP_OK;
}

static gp_status misplaced(cond_ctx *c)
{
    return gp_fail(c->err, GP_EINVAL, 0, "misplaced direction filter");
}

/* What is left of a chain when one end is taken off: the only other operand, or a shorter chain. */
static void drop_operand(cond_ctx *c, cond_node *chain, int last)
{
    cond_node *first = chain->first, *second = first->next;

    if (second == chain->last) { /* two operands */
        first->next = NULL;
        c->root = last ? first : second;
        return;
    }
    chain->first = second; /* only the first of three or more can be the filter */
    chain->has_dir = 0;
}

/* The top node is &. Chains associate to the right: the right operand of three or more is a chain.
 */
static gp_status split_and(cond_ctx *c, cond_node *chain)
{
    cond_node *left = chain->first;
    cond_node *right = left->next == chain->last ? chain->last : NULL; /* NULL: a chain itself */
    int left_ok = is_valid(left), right_ok = right && is_valid(right), right_has = 0;

    for (const cond_node *n = left->next; n; n = n->next)
        right_has |= n->has_dir;
    if ((left_ok && right_has) || (right_ok && left->has_dir))
        return gp_fail(c->err, GP_EINVAL, 0, "multiple direction filters specified");
    if (left_ok || right_ok) {
        c->filter = left_ok ? left : right;
        c->filter_last = !left_ok;
        drop_operand(c, chain, c->filter_last);
        c->filter->next = NULL;
        return GP_OK;
    }
    if (is_filter(left)) /* stands where it may, but is not valid: say why (U25) */
        return check_filter(c, left);
    if (right && is_filter(right))
        return check_filter(c, right);
    return misplaced(c);
}

gp_status query_cond_split(cond_ctx *c)
{
    cond_node *n = c->root;

    if (!n || !n->has_dir)
        return GP_OK;
    if (is_filter(n)) {
        gp_status st = check_filter(c, n);
        if (st == GP_OK) {
            c->filter = n;
            c->root = NULL;
        }
        return st;
    }
    return n->kind == COND_AND ? split_and(c, n) : misplaced(c);
}
