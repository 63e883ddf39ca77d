/* direct.c - direct-indexed sums for keys of port and protocol. */
#include "direct.h"

#include "gp/bytes.h"
#include "gp/mem.h"

#include <string.h>

enum {
    PORTS = 65536,
    PROTOS = 256,
    LINE = 64, /* bytes of a cache line */
    AHEAD = 24 /* rows whose sums are fetched ahead: the planes do not fit the L2 cache */
};

struct exec_plane {
    uint64_t c[PORTS][4]; /* at a multiple of LINE, so that no four sums lie in two lines */
    uint8_t seen[PORTS];  /* a group may exist with all counters 0 */
    void *mem;            /* what to free */
};

static const size_t plane_bytes = sizeof(exec_plane) + LINE;

void exec_direct_init(exec_direct *d, const exec_plan *plan, exec_mem *mem)
{
    *d = (exec_direct){.mem = mem,
                       .by_port = plan->key_attrs >> QUERY_DPORT & 1,
                       .by_proto = plan->key_attrs >> QUERY_PROTO & 1};
}

void exec_direct_free(exec_direct *d)
{
    for (unsigned i = 0; i < PROTOS; i++)
        if (d->plane[i]) {
            gp_free(d->plane[i]->mem);
            exec_mem_give(d->mem, plane_bytes);
            d->plane[i] = NULL;
        }
    d->n_planes = 0;
}

/* Zeroed by the kernel page by page, when touched. */
static gp_status plane_new(exec_direct *d, unsigned i, gp_err *err)
{
    GP_TRY(exec_mem_take(d->mem, plane_bytes, err));
    uint8_t *mem = gp_calloc(1, plane_bytes);
    if (!mem) {
        exec_mem_give(d->mem, plane_bytes);
        return gp_fail(err, GP_ENOMEM, 0, "out of memory for port sums");
    }
    d->plane[i] = (exec_plane *)(void *)(mem + (LINE - (uintptr_t)mem % LINE) % LINE);
    d->plane[i]->mem = mem;
    d->n_planes++;
    return GP_OK;
}

static inline void plane_add(exec_plane *p, unsigned at, const exec_vec *v, size_t i)
{
    uint64_t *c = p->c[at];

    p->seen[at] = 1;
    for (unsigned j = 0; j < 4; j++)
        c[j] += v->low[i][j];
    if (v->has_high)
        for (unsigned j = 0; j < 4; j++)
            c[j] += (uint64_t)v->high[i][j] << 32;
}

/* Row of position i. */
static inline size_t row_of(const uint32_t *sel, size_t from, size_t i)
{
    return sel ? sel[i] : from + i;
}

/* Key of (port, protocol): one plane per protocol. */
static gp_status add_both(exec_direct *d, const exec_cols *cols, const uint32_t *sel, size_t from,
                          size_t n, exec_vec *v, exec_feed *feed, gp_err *err)
{
    size_t left = 0; /* rows without a plane, moved to the front of v */

    for (size_t i = 0; i < n; i++) {
        size_t r = row_of(sel, from, i);
        unsigned port = gp_be16(cols->dport + 2 * r), proto = cols->proto[r];
        if (i + AHEAD < n) {
            size_t next = row_of(sel, from, i + AHEAD);
            const exec_plane *p = d->plane[cols->proto[next]];
            if (p)
                __builtin_prefetch(p->c[gp_be16(cols->dport + 2 * next)], 1);
        }
        if (!d->plane[proto]) {
            if (d->n_planes == EXEC_PLANES_MAX) {
                v->k[0][left] = (uint64_t)port << 48 | (uint64_t)proto << 40;
                exec_vec_move(v, left++, i);
                continue;
            }
            GP_TRY(plane_new(d, proto, err));
        }
        plane_add(d->plane[proto], port, v, i);
    }
    v->n = left;
    return left ? exec_feed_add(feed, v, err) : GP_OK;
}

gp_status exec_direct_add(exec_direct *d, const exec_cols *cols, const uint32_t *sel, size_t from,
                          size_t n, exec_vec *v, exec_feed *feed, gp_err *err)
{
    if (d->by_port && d->by_proto)
        return add_both(d, cols, sel, from, n, v, feed, err);
    if (!d->plane[0])
        GP_TRY(plane_new(d, 0, err));
    exec_plane *p = d->plane[0];
    if (d->by_port)
        for (size_t i = 0; i < n; i++)
            plane_add(p, gp_be16(cols->dport + 2 * row_of(sel, from, i)), v, i);
    else
        for (size_t i = 0; i < n; i++)
            plane_add(p, cols->proto[row_of(sel, from, i)], v, i);
    return GP_OK;
}

gp_status exec_direct_flush(exec_direct *d, const exec_keylayout *l, exec_vec *v, exec_feed *feed,
                            gp_err *err)
{
    v->n = 0;
    v->has_high = 0;
    for (unsigned i = 0; i < PROTOS; i++) {
        for (unsigned at = 0; d->plane[i] && at < PORTS; at++) {
            if (!d->plane[i]->seen[at])
                continue;
            uint64_t key = 0;
            for (unsigned f = 0; f < l->n_fields; f++) {
                uint64_t value = l->f[f].attr == QUERY_PROTO && d->by_port ? i : at;
                key |= value << l->f[f].shift;
            }
            v->k[0][v->n] = key;
            exec_vec_set(v, v->n, d->plane[i]->c[at]);
            if (++v->n == EXEC_VEC) {
                GP_TRY(exec_feed_add(feed, v, err));
                v->n = 0;
                v->has_high = 0;
            }
        }
    }
    GP_TRY(exec_feed_add(feed, v, err));
    exec_direct_free(d);
    return GP_OK;
}
