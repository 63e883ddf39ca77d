/* direct.c - direct-indexed sums for keys of port and protocol. */
#include "direct.h"

#include "gp/bytes.h"
#include "gp/mem.h"
#include "simd.h"
#include "sums.h"
#include "vec512.h"

#include <string.h>

enum {
    PORTS = 65536,
    PROTOS = 256,
    LINE = 64,     /* bytes of a cache line */
    HOT_TRIES = 4, /* rows whose key may be hot */
    HOT_SHARE = 16 /* a hot key has a 16th of the rows */
};

struct exec_plane {
    exec_quad sum[PORTS]; /* sums.h */
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

/* Key of a port and a protocol, each 0 when it is not in the key, as plan.c lays it out. */
static inline uint64_t key_of(int by_port, unsigned port, unsigned proto)
{
    return by_port ? (uint64_t)port << 48 | (uint64_t)proto << 40 : (uint64_t)proto << 56;
}

/* Where the sums of a port and protocol are, or NULL; makes a plane at need. */
static inline __attribute__((always_inline)) gp_status
place(exec_direct *d, int by_port, unsigned port, unsigned proto, exec_quad **out, gp_err *err)
{
    unsigned i = by_port ? proto : 0;

    if (__builtin_expect(!d->plane[i] && d->n_planes < EXEC_PLANES_MAX, 0))
        GP_TRY(plane_new(d, i, err));
    *out = d->plane[i] ? &d->plane[i]->sum[by_port ? port : proto] : NULL;
    return GP_OK;
}

/* Rows on their way to the planes. */
typedef struct rows {
    const exec_cols *cols;
    const uint32_t *sel;
    size_t from;
    int by_port, by_proto;
} rows;

/* Row i of them. */
static inline __attribute__((always_inline)) void look(const rows *r, size_t i, unsigned *port,
                                                       unsigned *proto)
{
    size_t at = r->sel ? r->sel[i] : r->from + i;

    *port = r->by_port ? gp_be16(r->cols->dport + 2 * at) : 0;
    *proto = r->by_proto ? r->cols->proto[at] : 0;
}

static inline uint64_t row_key(const void *ctx, size_t i)
{
    const rows *r = ctx;
    unsigned port, proto;

    look(r, i, &port, &proto);
    return key_of(r->by_port, port, proto);
}

static inline __attribute__((always_inline)) gp_status
add_rows(exec_direct *d, const rows *r, size_t n, exec_vec *v, size_t *left, gp_err *err)
{
    const int has_high = v->has_high;
    exec_quad *at[EXEC_SUMS];
    unsigned port, proto;

    for (size_t i = 0; i < n; i += EXEC_SUMS) {
        size_t m = n - i < EXEC_SUMS ? n - i : EXEC_SUMS;
        int all = 1;
        for (size_t j = 0; j < m; j++) {
            look(r, i + j, &port, &proto);
            GP_TRY(place(d, r->by_port, port, proto, &at[j], err));
            __builtin_prefetch(at[j], 1);
            all &= at[j] != NULL;
        }
        exec_sums_add(v, i, m, at, all, row_key, r, has_high, left);
    }
    return GP_OK;
}

EXEC_SIMD static gp_status add_ports_protos(exec_direct *d, const exec_cols *cols, size_t from,
                                            size_t n, exec_vec *v, size_t *left, gp_err *err)
{
    const rows r = {cols, NULL, from, 1, 1};
    return add_rows(d, &r, n, v, left, err);
}

EXEC_SIMD static gp_status add_any(exec_direct *d, const rows *r, size_t n, exec_vec *v,
                                   size_t *left, gp_err *err)
{
    return add_rows(d, r, n, v, left, err);
}

gp_status exec_direct_add(exec_direct *d, const exec_cols *cols, const uint32_t *sel, size_t from,
                          size_t n, exec_vec *v, exec_feed *feed, gp_err *err)
{
    const rows r = {cols, sel, from, d->by_port, d->by_proto};
    size_t left = 0;

    if (!sel && d->by_port && d->by_proto) /* the usual one */
        GP_TRY(add_ports_protos(d, cols, from, n, v, &left, err));
    else
        GP_TRY(add_any(d, &r, n, v, &left, err));
    v->n = left;
    return left ? exec_feed_add(feed, v, err) : GP_OK;
}

#ifdef EXEC_VEC512
/* A group of many rows. */
static gp_status add_sum(exec_direct *d, unsigned port, unsigned proto, const uint64_t sum[4],
                         exec_vec *v, exec_feed *feed, gp_err *err)
{
    exec_quad *at;

    GP_TRY(place(d, d->by_port, port, proto, &at, err));
    v->n = 1;
    v->has_high = 0;
    v->k[0][0] = key_of(d->by_port, port, proto);
    exec_vec_set(v, 0, sum);
    if (!at || v->has_high || (sum[2] | sum[3]) == 0)
        return exec_feed_add(feed, v, err);
    exec_quad low = v->low[0], all = *at + low, carry = (exec_quad)(all < low) & 1;
    *at = all;
    if (!exec_sums_full(all) && !exec_quad_any(carry))
        return GP_OK;
    *at = (exec_quad){0};
    v->has_high = 1;
    v->low[0] = all;
    v->high[0] = carry;
    return exec_feed_add(feed, v, err);
}

gp_status exec_direct_hot(exec_direct *d, const exec_cols *cols, const exec_counter cnt[4],
                          size_t from, size_t n, uint64_t *bits, exec_vec *v, exec_feed *feed,
                          gp_err *err)
{
    const uint8_t *dport = d->by_port ? cols->dport + 2 * from : NULL;
    const uint8_t *proto = d->by_proto ? cols->proto + from : NULL;
    const rows r = {cols, NULL, from, d->by_port, d->by_proto};
    uint64_t equal[EXEC_VEC / 64], sum[4];
    unsigned key_port, key_proto;

    for (size_t k = 0, words = (n + 63) / 64; k < HOT_TRIES; k++) {
        size_t at = k * words / HOT_TRIES, i = 0; /* rows here and there */
        while (i < words && !bits[(at + i) % words])
            i++;
        if (i == words)
            return GP_OK;
        i = (at + i) % words;
        look(&r, i * 64 + (unsigned)__builtin_ctzll(bits[i]), &key_port, &key_proto);
        if (exec_v512_equal(bits, n, dport, key_port, proto, key_proto, equal) < n / HOT_SHARE)
            continue;
        for (unsigned j = 0; j < 4; j++) {
            const exec_counter c = {cnt[j].p + from * cnt[j].width, cnt[j].width};
            sum[j] = exec_v512_sum(&c, n, equal);
        }
        for (i = 0; i < words; i++)
            bits[i] &= ~equal[i];
        GP_TRY(add_sum(d, key_port, key_proto, sum, v, feed, err));
    }
    return GP_OK;
}
#endif

gp_status exec_direct_flush(exec_direct *d, exec_vec *v, exec_feed *feed, gp_err *err)
{
    v->n = 0;
    v->has_high = 0;
    for (unsigned i = 0; i < PROTOS; i++) {
        for (unsigned at = 0; d->plane[i] && at < PORTS; at++) {
            if (!exec_quad_any(d->plane[i]->sum[at]))
                continue;
            v->k[0][v->n] = d->by_port ? key_of(1, at, i) : key_of(0, 0, at);
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
