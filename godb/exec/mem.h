/* mem.h - the byte budget of one query, and slabs that the aggregation tables are cut from. */
#ifndef EXEC_MEM_H
#define EXEC_MEM_H

#include "gp/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that a query holds in tables, batches and rows. Locked inside (atomics). */
typedef struct exec_mem {
    _Atomic uint64_t used;
    uint64_t limit;
    unsigned pct; /* of physical memory when the limit was given that way, else 0: for the text */
} exec_mem;

/* limit 0: pct percent of physical memory (pct 0 or over 100: 60). */
void exec_mem_init(exec_mem *m, uint64_t limit, unsigned pct);

/* Reserve bytes; GP_ELIMIT with a text that names the limit when it would be passed. */
gp_status exec_mem_take(exec_mem *m, size_t bytes, gp_err *err) GP_MUST_CHECK;
void exec_mem_give(exec_mem *m, size_t bytes);

/* Budgeted allocation, 64-byte aligned, not initialised. GP_ELIMIT or GP_ENOMEM. Free with
 * exec_mem_free() and the same size. */
gp_status exec_mem_alloc(exec_mem *m, size_t bytes, void **out, gp_err *err) GP_MUST_CHECK;
void exec_mem_free(exec_mem *m, void *p, size_t bytes);

/* Ask for huge pages for a big array that is about to be written for the first time. */
void exec_mem_huge(void *p, size_t bytes);

/* Memory in big pieces (huge pages where the kernel grants them) that only grows until it is reset:
 * measured, 4 KiB page faults of growing tables cost as much as the hashing. Locked inside. */
typedef struct exec_slabs {
    exec_mem *mem;
    pthread_mutex_t lock;
    struct exec_slab *first, *cur; /* list in order of use; cur is the one being cut */
} exec_slabs;

gp_status exec_slabs_init(exec_slabs *s, exec_mem *mem, gp_err *err) GP_MUST_CHECK;
void exec_slabs_free(exec_slabs *s);
/* Take bytes (<= 1 MiB, rounded up to 64), 64-byte aligned, content undefined. */
gp_status exec_slabs_get(exec_slabs *s, size_t bytes, void **out, gp_err *err) GP_MUST_CHECK;
/* Everything handed out is free again; the slabs are kept for the next interface. */
void exec_slabs_reset(exec_slabs *s);

#endif
