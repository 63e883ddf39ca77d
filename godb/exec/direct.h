/* direct.h - sums per port and protocol in arrays indexed by them: no hashing for small domains. */
#ifndef EXEC_DIRECT_H
#define EXEC_DIRECT_H

#include "mem.h"
#include "table.h"
#include "vec.h"

enum { EXEC_PLANES_MAX = 12 }; /* 1 MiB each; rows of rarer protocols go to the hash table */

/* One protocol's ports (or, without the port in the key, all protocols). */
typedef struct exec_plane exec_plane;

/* One worker's. */
typedef struct exec_direct {
    exec_mem *mem;
    int by_port, by_proto;
    unsigned n_planes;
    exec_plane *plane[256]; /* by protocol; only [0] when the protocol is not in the key */
} exec_direct;

void exec_direct_init(exec_direct *d, const exec_plan *plan, exec_mem *mem);
void exec_direct_free(exec_direct *d);
/* Add n rows (as exec_vec_keys counts them). v holds their counters and is used up. What has no
 * plane goes to feed with its key. */
gp_status exec_direct_add(exec_direct *d, const exec_cols *cols, const uint32_t *sel, size_t from,
                          size_t n, exec_vec *v, exec_feed *feed, gp_err *err) GP_MUST_CHECK;
/* Of the rows from + i whose bit i is set, i < n <= EXEC_VEC: add the most common groups, where few
 * groups make up most, and clear their bits. v is scratch. Needs the kernels of vec512.h. */
gp_status exec_direct_hot(exec_direct *d, const exec_cols *cols, const exec_counter cnt[4],
                          size_t from, size_t n, uint64_t *bits, exec_vec *v, exec_feed *feed,
                          gp_err *err) GP_MUST_CHECK;
/* Move all sums to feed and forget them. */
gp_status exec_direct_flush(exec_direct *d, exec_vec *v, exec_feed *feed,
                            gp_err *err) GP_MUST_CHECK;

#endif
