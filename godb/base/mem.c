/* mem.c - see gp/mem.h. With arena.c the only place that calls malloc and free. */
#include "gp/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64 };

/* n * size into *bytes, at least 1 so that NULL always means failure; false on overflow. Above
 * PTRDIFF_MAX pointer differences are undefined, and malloc refuses it anyway. */
static int total(size_t n, size_t size, size_t *bytes)
{
    if (__builtin_mul_overflow(n, size, bytes) || *bytes > PTRDIFF_MAX)
        return 0;
    if (*bytes == 0)
        *bytes = 1;
    return 1;
}

void *gp_calloc(size_t n, size_t size)
{
    size_t bytes;
    return total(n, size, &bytes) ? calloc(1, bytes) : NULL;
}

void *gp_alloc(size_t n, size_t size)
{
    size_t bytes;
    return total(n, size, &bytes) ? malloc(bytes) : NULL;
}

void *gp_realloc(void *p, size_t n, size_t size)
{
    size_t bytes;
    return total(n, size, &bytes) ? realloc(p, bytes) : NULL;
}

void *gp_alloc_aligned(size_t n, size_t size)
{
    size_t bytes;
    if (!total(n, size, &bytes) || bytes > PTRDIFF_MAX - (CACHE_LINE - 1))
        return NULL;
    bytes = (bytes + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
    return aligned_alloc(CACHE_LINE, bytes);
}

char *gp_strndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *copy = gp_alloc(len + 1, 1);
    if (copy) {
        memcpy(copy, s, len);
        copy[len] = '\0';
    }
    return copy;
}

char *gp_strdup(const char *s)
{
    return gp_strndup(s, strlen(s));
}

char *gp_asprintf(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return NULL;
    char *s = gp_alloc((size_t)n + 1, 1);
    if (s) {
        va_start(ap, fmt);
        (void)vsnprintf(s, (size_t)n + 1, fmt, ap);
        va_end(ap);
    }
    return s;
}

void gp_free(void *p)
{
    free(p);
}
