/* mem.h - the only door to malloc: overflow-checked, and closers for GP_CLEANUP. */
#ifndef GP_MEM_H
#define GP_MEM_H

#include "gp/err.h"

#include <stddef.h>

/* n * size zeroed bytes; NULL on overflow or out of memory. Free with gp_free(). */
void *gp_calloc(size_t n, size_t size) GP_MUST_CHECK;

/* n * size bytes, not initialised; NULL on overflow or out of memory. */
void *gp_alloc(size_t n, size_t size) GP_MUST_CHECK;

/* Resize to n * size bytes; NULL on overflow or out of memory, and then p stays valid. */
void *gp_realloc(void *p, size_t n, size_t size) GP_MUST_CHECK;

/* n * size bytes aligned to 64 (a cache line; suits vector loads), not initialised. */
void *gp_alloc_aligned(size_t n, size_t size) GP_MUST_CHECK;

/* Copies; NULL if out of memory. gp_strndup stops at a NUL or after n bytes. */
char *gp_strdup(const char *s) GP_MUST_CHECK;
char *gp_strndup(const char *s, size_t n) GP_MUST_CHECK;

/* printf into a fresh string; NULL if out of memory. */
char *gp_asprintf(const char *fmt, ...) GP_PRINTF(1, 2) GP_MUST_CHECK;

void gp_free(void *p); /* NULL is fine */

/* For GP_CLEANUP(gp_freep) char *s = NULL; works on any pointer type. */
static inline void gp_freep(void *pp)
{
    void *p;
    __builtin_memcpy(&p, pp, sizeof p);
    gp_free(p);
}

#endif
