/* leaves.c - sums per IPv4 address in pages of 256 neighbours.
 *
 *   top[address >> 16] -> mid[][address >> 8 & 255] -> leaf[][address & 255]
 */
#include "leaves.h"

#include "gp/mem.h"
#include "simd.h"
#include "sums.h"

#include <string.h>

enum {
    FAN = 256,
    TOPS = 65536,
    MIDS_MAX = 512,
    SLAB = 64,       /* leaves allocated at once: 256 KiB */
    SLABS_MAX = 32,  /* 8 MiB in all */
    TRIAL = 1 << 15, /* groups after which pages must have proved useful */
};

typedef exec_quad leaf[FAN];

struct exec_pages {
    uint16_t top[TOPS];          /* number of mid + 1; 0: none */
    uint16_t mid[MIDS_MAX][FAN]; /* number of leaf + 1 */
    unsigned n_mids, n_leaves, n_slabs;
    leaf *slab[SLABS_MAX];
};

void exec_leaves_init(exec_leaves *l, exec_mem *mem)
{
    *l = (exec_leaves){.mem = mem};
}

void exec_leaves_free(exec_leaves *l)
{
    if (!l->p)
        return;
    for (unsigned i = 0; i < l->p->n_slabs; i++)
        exec_mem_free(l->mem, l->p->slab[i], SLAB * sizeof(leaf));
    gp_free(l->p);
    exec_mem_give(l->mem, sizeof *l->p);
    l->p = NULL;
}

static int ready(exec_leaves *l)
{
    if (l->p || l->off)
        return l->p != NULL;
    l->off = exec_mem_take(l->mem, sizeof *l->p, NULL) != GP_OK;
    if (l->off)
        return 0;
    l->p = gp_calloc(1, sizeof *l->p); /* pages of it appear when touched */
    if (!l->p) {
        exec_mem_give(l->mem, sizeof *l->p);
        l->off = 1;
    }
    return !l->off;
}

/* A page for the network of address a, if there is one left. */
static uint16_t new_leaf(exec_leaves *l, uint32_t a)
{
    struct exec_pages *p = l->p;
    uint16_t *top = &p->top[a >> 16];

    if (p->n_leaves == SLAB * SLABS_MAX || (!*top && p->n_mids == MIDS_MAX))
        return 0;
    if (p->n_leaves == p->n_slabs * SLAB) {
        void *slab = NULL;
        if (exec_mem_alloc(l->mem, SLAB * sizeof(leaf), &slab, NULL) != GP_OK)
            return 0;
        p->slab[p->n_slabs++] = slab;
    }
    if (!*top) {
        memset(p->mid[p->n_mids], 0, sizeof p->mid[0]);
        *top = (uint16_t)++p->n_mids;
    }
    memset(p->slab[p->n_leaves / SLAB][p->n_leaves % SLAB], 0, sizeof(leaf));
    return p->mid[*top - 1][a >> 8 & 255] = (uint16_t)++p->n_leaves;
}

/* *all becomes 0 when there is none. */
static inline __attribute__((always_inline)) exec_quad *sum_of(exec_leaves *l, uint32_t a, int *all)
{
    const struct exec_pages *p = l->p;
    unsigned mid = p->top[a >> 16], n = mid ? p->mid[mid - 1][a >> 8 & 255] : 0;

    if (__builtin_expect(n == 0, 0) && (n = new_leaf(l, a)) == 0) {
        *all = 0;
        return NULL;
    }
    return &p->slab[(n - 1) / SLAB][(n - 1) % SLAB][a & 255];
}

static inline uint64_t group_key(const void *ctx, size_t i)
{
    const exec_vec *v = ctx;

    return v->k[0][i]; /* what was left lies before it */
}

EXEC_SIMD void exec_leaves_add(exec_leaves *l, exec_vec *v)
{
    const int has_high = v->has_high;
    exec_quad *at[EXEC_SUMS];
    size_t left = 0;

    if (l->off || !ready(l))
        return;
    for (size_t i = 0; i < v->n; i += EXEC_SUMS) {
        size_t m = v->n - i < EXEC_SUMS ? v->n - i : EXEC_SUMS;
        int all = 1;
        for (size_t j = 0; j < m; j++) {
            at[j] = sum_of(l, (uint32_t)(v->k[0][i + j] >> 32), &all);
            __builtin_prefetch(at[j], 1);
        }
        exec_sums_add(v, i, m, at, all, group_key, v, has_high, &left);
    }
    l->tried += (unsigned)v->n;
    l->left += (unsigned)left;
    v->n = left;
    if (l->tried >= TRIAL) {
        l->off = l->left > l->tried / 2;
        l->tried = l->left = 0;
    }
}

static gp_status flush_leaf(const leaf *f, uint32_t net, exec_vec *v, exec_feed *feed, gp_err *err)
{
    for (uint32_t i = 0; i < FAN; i++) {
        if (!exec_quad_any((*f)[i]))
            continue;
        v->k[0][v->n] = (uint64_t)(net | i) << 32;
        v->low[v->n++] = (*f)[i];
        if (v->n == EXEC_VEC) {
            GP_TRY(exec_feed_add(feed, v, err));
            v->n = 0;
        }
    }
    return GP_OK;
}

gp_status exec_leaves_flush(exec_leaves *l, exec_vec *v, exec_feed *feed, gp_err *err)
{
    const struct exec_pages *p = l->p;

    if (!p)
        return GP_OK;
    v->n = 0;
    v->has_high = 0;
    for (uint32_t t = 0; t < TOPS; t++)
        for (uint32_t i = 0; p->top[t] && i < FAN; i++) {
            unsigned n = p->mid[p->top[t] - 1][i];
            if (n)
                GP_TRY(flush_leaf(&p->slab[(n - 1) / SLAB][(n - 1) % SLAB], t << 16 | i << 8, v,
                                  feed, err));
        }
    GP_TRY(exec_feed_add(feed, v, err));
    exec_leaves_clear(l);
    return GP_OK;
}

void exec_leaves_clear(exec_leaves *l)
{
    l->off = 0;
    l->tried = l->left = 0;
    if (!l->p)
        return;
    memset(l->p->top, 0, sizeof l->p->top);
    l->p->n_mids = l->p->n_leaves = 0;
}
