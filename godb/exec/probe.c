/* probe.c - rule out blocks by the addresses that a day's index says they can hold. */
#include "pred.h"

#include <string.h>

enum { PROBE_KEYS_MAX = 64 }; /* longer lists cost more to probe than they save */

static godb_index_key key_of(godb_col col, int family, const void *bytes)
{
    gp_addr a = {.family = (uint8_t)family};

    memcpy(a.bytes, bytes, family == 4 ? 4 : 16);
    return godb_index_key_of(col, &a);
}

/* Leading ones of a mask in network order. */
static uint8_t mask_bits(const void *mask, size_t bytes)
{
    const uint8_t *m = mask;
    unsigned n = 0;

    while (n < 8 * bytes && m[n / 8] >> (7 - n % 8) & 1)
        n++;
    return (uint8_t)n;
}

gp_status exec_probe_attach(exec_pred *p, int family, gp_arena *a)
{
    size_t width = family == 4 ? 4 : 16;
    int set = p->kind == EXEC_P_SET || p->kind == EXEC_P_SET4;
    godb_col col = p->attr == QUERY_SIP ? GODB_COL_SIP : GODB_COL_DIP;

    if (p->neg || (set && p->set_n > PROBE_KEYS_MAX))
        return GP_OK;
    exec_probe *probe = gp_arena_alloc(a, 1, sizeof *probe);
    if (!probe)
        return GP_ENOMEM;
    probe->col = col;
    probe->net.addr.family = (uint8_t)family;
    if (!set) {
        memcpy(probe->net.addr.bytes, p->value, width);
        probe->net.prefix = mask_bits(p->mask, width);
    }
    if (set || probe->net.prefix == 8 * width) {
        size_t n = set ? p->set_n : 1;
        godb_index_key *keys = gp_arena_alloc(a, n, sizeof *keys);
        if (!keys)
            return GP_ENOMEM;
        for (size_t i = 0; i < n; i++)
            keys[i] = key_of(col, family, set ? p->set + i * width : probe->net.addr.bytes);
        probe->keys = keys;
        probe->n_keys = n;
    }
    p->probe = probe;
    return GP_OK;
}

int exec_pred_probes(const exec_pred *p)
{
    if (p->kind == EXEC_P_AND)
        return exec_pred_probes(p->l) || exec_pred_probes(p->r);
    if (p->kind == EXEC_P_OR)
        return exec_pred_probes(p->l) && exec_pred_probes(p->r);
    return p->probe != NULL;
}

static int pred_may(const exec_pred *p, const godb_index *ix, size_t block)
{
    if (p->kind == EXEC_P_AND)
        return pred_may(p->l, ix, block) && pred_may(p->r, ix, block);
    if (p->kind == EXEC_P_OR)
        return pred_may(p->l, ix, block) || pred_may(p->r, ix, block);
    if (!p->probe)
        return 1;
    if (!p->probe->keys)
        return godb_index_may_overlap(ix, block, p->probe->col, &p->probe->net);
    for (size_t i = 0; i < p->probe->n_keys; i++)
        if (godb_index_may_have(ix, block, &p->probe->keys[i]))
            return 1;
    return 0;
}

int exec_filter_may(const exec_filter *f, const godb_index *ix, size_t block)
{
    for (unsigned i = 0; i < f->n; i++)
        if (!pred_may(f->conj[i].p, ix, block))
            return 0;
    return 1;
}
