/* direct.c - direct-indexed sums for keys of port and protocol. */
#include "direct.h"

#include "gp/bytes.h"
#include "gp/mem.h"

#include <string.h>

enum {
    PORTS = 65536,
    PROTOS = 256,
    LINE = 64, /* bytes of a cache line */
    CHUNK = 64 /* rows whose sums are fetched ahead: the planes do not fit the L2 cache */
};

/* A row goes past its plane to the table when a plane could not tell it: no packets (a group of
 * zeros looks like none), more than 32 bits, or no plane left. What a sum carries beyond 32 bits
 * goes there, too; the two meet when the planes are flushed. */
struct exec_plane {
    exec_quad sum[PORTS];
    void *mem; /* what to free */
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

/* Key of a port and a protocol, as plan.c lays it out. */
static uint64_t key_of(const exec_direct *d, unsigned port, unsigned proto)
{
    if (d->by_port && d->by_proto)
        return (uint64_t)port << 48 | (uint64_t)proto << 40;
    return d->by_port ? (uint64_t)port << 48 : (uint64_t)proto << 56;
}

/* Leave a group in v for the table; *left are there. */
static void leave(exec_vec *v, size_t *left, uint64_t key, exec_quad low, exec_quad high)
{
    typedef uint64_t halves __attribute__((vector_size(16)));
    halves any = (halves)high;

    if ((any[0] | any[1]) != 0 && !v->has_high) {
        memset(v->high, 0, *left * sizeof v->high[0]);
        v->has_high = 1;
    }
    v->k[0][*left] = key;
    v->low[*left] = low;
    if (v->has_high)
        v->high[*left] = high;
    (*left)++;
}

/* Row r of the part. */
static inline __attribute__((always_inline)) void look(const exec_direct *d, const exec_cols *cols,
                                                       size_t r, unsigned *port, unsigned *proto)
{
    *port = d->by_port ? gp_be16(cols->dport + 2 * r) : 0;
    *proto = d->by_proto ? cols->proto[r] : 0;
}

/* Where its sums are, or NULL; makes a plane at need. */
static inline __attribute__((always_inline)) gp_status
place(exec_direct *d, unsigned port, unsigned proto, exec_quad **out, gp_err *err)
{
    unsigned i = d->by_port ? proto : 0;

    if (__builtin_expect(!d->plane[i] && d->n_planes < EXEC_PLANES_MAX, 0))
        GP_TRY(plane_new(d, i, err));
    *out = d->plane[i] ? &d->plane[i]->sum[d->by_port ? port : proto] : NULL;
    return GP_OK;
}

gp_status exec_direct_add(exec_direct *d, const exec_cols *cols, const uint32_t *sel, size_t from,
                          size_t n, exec_vec *v, exec_feed *feed, gp_err *err)
{
    typedef uint64_t halves __attribute__((vector_size(16)));
    const exec_quad none = {0};
    const int has_high = v->has_high;
    size_t left = 0;
    exec_quad *at[CHUNK];
    unsigned port, proto;

    for (size_t i = 0; i < n; i += CHUNK) {
        size_t m = n - i < CHUNK ? n - i : CHUNK;
        for (size_t j = 0; j < m; j++) {
            look(d, cols, sel ? sel[i + j] : from + i + j, &port, &proto);
            GP_TRY(place(d, port, proto, &at[j], err));
            __builtin_prefetch(at[j], 1);
        }
        for (size_t j = 0; j < m; j++) {
            exec_quad low = v->low[i + j], high = has_high ? v->high[i + j] : none, sum, carry;
            halves packets = (halves)low, more = (halves)high;
            if (__builtin_expect(!at[j] || packets[1] == 0 || (more[0] | more[1]) != 0, 0)) {
                look(d, cols, sel ? sel[i + j] : from + i + j, &port, &proto);
                leave(v, &left, key_of(d, port, proto), low, high);
                continue;
            }
            sum = *at[j] + low;
            *at[j] = sum;
            carry = (exec_quad)(sum < low);
            more = (halves)carry;
            if (__builtin_expect((more[0] | more[1]) != 0, 0)) {
                look(d, cols, sel ? sel[i + j] : from + i + j, &port, &proto);
                leave(v, &left, key_of(d, port, proto), none, carry & 1);
            }
        }
    }
    v->n = left;
    return left ? exec_feed_add(feed, v, err) : GP_OK;
}

gp_status exec_direct_flush(exec_direct *d, exec_vec *v, exec_feed *feed, gp_err *err)
{
    typedef uint64_t halves __attribute__((vector_size(16)));

    v->n = 0;
    v->has_high = 0;
    for (unsigned i = 0; i < PROTOS; i++) {
        for (unsigned at = 0; d->plane[i] && at < PORTS; at++) {
            halves any = (halves)d->plane[i]->sum[at];
            if ((any[0] | any[1]) == 0)
                continue;
            v->k[0][v->n] = d->by_port ? key_of(d, at, i) : key_of(d, 0, at);
            v->low[v->n] = d->plane[i]->sum[at];
            if (++v->n == EXEC_VEC) {
                GP_TRY(exec_feed_add(feed, v, err));
                v->n = 0;
            }
        }
    }
    GP_TRY(exec_feed_add(feed, v, err));
    exec_direct_free(d);
    return GP_OK;
}
