/* leaves.h - sums per IPv4 address in pages of 256 neighbours: no hashing for dense networks. */
#ifndef EXEC_LEAVES_H
#define EXEC_LEAVES_H

#include "mem.h"
#include "table.h"
#include "vec.h"

/* One worker's, for keys that are one IPv4 address. Hosts of a network are many and neighbours: two
 * small steps lead to 16 bytes that hold nothing but their sums, while a hash table needs two cache
 * lines for each. Networks get a page first come, first served; those without, and what a sum
 * cannot hold (sums.h), go to the hash table. */
typedef struct exec_leaves {
    exec_mem *mem;
    struct exec_pages *p; /* NULL: not made, or given up */
    int off;              /* most addresses have no page: not worth asking */
    unsigned tried, left; /* groups, since that was last looked at */
} exec_leaves;

void exec_leaves_init(exec_leaves *l, exec_mem *mem);
void exec_leaves_free(exec_leaves *l);
/* Add the groups of v; those that are left stay in v. Fails never: without memory all are left. */
void exec_leaves_add(exec_leaves *l, exec_vec *v);
/* Move all sums to feed through v, and begin anew. */
gp_status exec_leaves_flush(exec_leaves *l, exec_vec *v, exec_feed *feed,
                            gp_err *err) GP_MUST_CHECK;
/* Forget all sums. */
void exec_leaves_clear(exec_leaves *l);

#endif
