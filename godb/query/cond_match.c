/* cond_match.c - a condition against one flow, and the direction filter against packet counters. */
#include "query/cond.h"

static int compare(unsigned a, query_op op, unsigned b)
{
    switch (op) {
    case QUERY_EQ:
        return a == b;
    case QUERY_NE:
        return a != b;
    case QUERY_LT:
        return a < b;
    case QUERY_LE:
        return a <= b;
    case QUERY_GT:
        return a > b;
    case QUERY_GE:
        return a >= b;
    }
    return 0;
}

static int match(const query_node *n, const query_flow *f)
{
    while (n->kind != QUERY_CMP) {
        int left = match(n->left, f);
        if (left == (n->kind == QUERY_OR))
            return left;
        n = n->right;
    }
    if (n->attr == QUERY_DPORT)
        return compare(f->dport, n->op, n->value);
    if (n->attr == QUERY_PROTO)
        return compare(f->proto, n->op, n->value);
    return gp_net_has(&n->net, n->attr == QUERY_SIP ? &f->sip : &f->dip) == (n->op == QUERY_EQ);
}

int query_cond_match(const query_cond *c, const query_flow *f)
{
    return !c->root || match(c->root, f);
}

int query_dirfilter_match(query_dirfilter f, uint64_t pkts_rcvd, uint64_t pkts_sent)
{
    switch (f) {
    case QUERY_DIR_NONE:
        return 1;
    case QUERY_DIR_IN:
        return pkts_rcvd && !pkts_sent;
    case QUERY_DIR_OUT:
        return pkts_sent && !pkts_rcvd;
    case QUERY_DIR_UNI:
        return !pkts_rcvd != !pkts_sent;
    case QUERY_DIR_BI:
        return pkts_rcvd && pkts_sent;
    }
    return 0;
}
