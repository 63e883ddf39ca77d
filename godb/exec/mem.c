/* mem.c - query memory: budget counting and huge-page slabs. */
#include "mem.h"

#include "gp/mem.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SLAB_PER_PIECE 1 /* every piece its own heap block, so that ASan sees its borders */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_PER_PIECE 1
#endif
#endif
#ifndef SLAB_PER_PIECE
#define SLAB_PER_PIECE 0
#endif

enum {
    SLAB_HUGE = 2 << 20,      /* x86-64 huge page */
    SLAB_MAX = 8 << 20,       /* slabs double up to this size */
    SLAB_PIECE_MAX = 1 << 20, /* biggest piece */
    SLAB_ALIGN = 64
};

struct exec_slab {
    struct exec_slab *next;
    uint8_t *data;
    size_t len, at;
};

void exec_mem_init(exec_mem *m, uint64_t limit, unsigned pct)
{
    atomic_init(&m->used, 0);
    m->limit = limit;
    m->pct = 0;
    if (limit == 0) {
        long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
        uint64_t phys =
            pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_C(1) << 32;
        m->pct = pct == 0 || pct > 100 ? 60 : pct;
        m->limit = phys / 100 * m->pct;
    }
}

gp_status exec_mem_take(exec_mem *m, size_t bytes, gp_err *err)
{
    uint64_t used = atomic_fetch_add_explicit(&m->used, bytes, memory_order_relaxed);

    if (used + bytes <= m->limit)
        return GP_OK;
    atomic_fetch_sub_explicit(&m->used, bytes, memory_order_relaxed);
    if (m->pct)
        return gp_fail(err, GP_ELIMIT, 0,
                       "memory limit exceeded: the query needs more than %llu MiB (%u %% of "
                       "physical memory); narrow the time range, condition or attributes",
                       (unsigned long long)(m->limit >> 20), m->pct);
    return gp_fail(err, GP_ELIMIT, 0,
                   "memory limit exceeded: the query needs more than %llu KiB; narrow the time "
                   "range, condition or attributes",
                   (unsigned long long)(m->limit >> 10));
}

void exec_mem_give(exec_mem *m, size_t bytes)
{
    atomic_fetch_sub_explicit(&m->used, bytes, memory_order_relaxed);
}

gp_status exec_mem_alloc(exec_mem *m, size_t bytes, void **out, gp_err *err)
{
    GP_TRY(exec_mem_take(m, bytes, err));
    void *p = gp_alloc_aligned(bytes, 1);
    if (!p) {
        exec_mem_give(m, bytes);
        return gp_fail(err, GP_ENOMEM, 0, "out of memory for %zu bytes of query data", bytes);
    }
    *out = p;
    return GP_OK;
}

void exec_mem_free(exec_mem *m, void *p, size_t bytes)
{
    if (p) {
        gp_free(p);
        exec_mem_give(m, bytes);
    }
}

void exec_mem_huge(void *p, size_t bytes)
{
    uintptr_t at = (uintptr_t)p, from = (at + SLAB_HUGE - 1) / SLAB_HUGE * SLAB_HUGE;

    if (bytes >= 4 * (size_t)SLAB_HUGE)
        (void)madvise((uint8_t *)p + (from - at), bytes - (from - at), MADV_HUGEPAGE);
}

gp_status exec_slabs_init(exec_slabs *s, exec_mem *mem, gp_err *err)
{
    *s = (exec_slabs){.mem = mem};
    if (pthread_mutex_init(&s->lock, NULL) != 0)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory for a lock");
    return GP_OK;
}

/* len bytes at a multiple of SLAB_HUGE, or NULL. */
static uint8_t *slab_map(size_t len)
{
    if (SLAB_PER_PIECE)
        return gp_alloc_aligned(len, 1);
    uint8_t *p = mmap(NULL, len + SLAB_HUGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    size_t skip = (SLAB_HUGE - (uintptr_t)p % SLAB_HUGE) % SLAB_HUGE;
    if (skip)
        munmap(p, skip);
    if (SLAB_HUGE - skip)
        munmap(p + skip + len, SLAB_HUGE - skip);
    (void)madvise(p + skip, len, MADV_HUGEPAGE); /* best effort: works without, only slower */
    return p + skip;
}

static void slab_unmap(uint8_t *data, size_t len)
{
    if (SLAB_PER_PIECE)
        gp_free(data);
    else
        munmap(data, len);
}

void exec_slabs_free(exec_slabs *s)
{
    if (!s->mem)
        return;
    for (struct exec_slab *b = s->first, *next; b; b = next) {
        next = b->next;
        slab_unmap(b->data, b->len);
        exec_mem_give(s->mem, b->len);
        gp_free(b);
    }
    pthread_mutex_destroy(&s->lock);
    *s = (exec_slabs){0};
}

/* Make s->cur a slab with room for bytes. */
static gp_status slab_next(exec_slabs *s, size_t bytes, gp_err *err)
{
    struct exec_slab *b = s->cur ? s->cur->next : s->first;

    if (b) { /* kept from before a reset */
        b->at = 0;
        if (b->len >= bytes) {
            s->cur = b;
            return GP_OK;
        }
    }
    size_t len = s->cur ? s->cur->len * 2 : SLAB_HUGE;
    if (len > SLAB_MAX)
        len = SLAB_MAX;
    if (SLAB_PER_PIECE)
        len = bytes;
    GP_TRY(exec_mem_take(s->mem, len, err));
    struct exec_slab *n = gp_calloc(1, sizeof *n);
    if (n)
        n->data = slab_map(len);
    if (!n || !n->data) {
        gp_free(n);
        exec_mem_give(s->mem, len);
        return gp_fail(err, GP_ENOMEM, 0, "out of memory for %zu bytes of query data", len);
    }
    n->len = len;
    n->next = b;
    if (s->cur)
        s->cur->next = n;
    else
        s->first = n;
    s->cur = n;
    return GP_OK;
}

gp_status exec_slabs_get(exec_slabs *s, size_t bytes, void **out, gp_err *err)
{
    gp_status st = GP_OK;

    bytes = (bytes + SLAB_ALIGN - 1) / SLAB_ALIGN * SLAB_ALIGN;
    if (bytes > SLAB_PIECE_MAX)
        return gp_fail(err, GP_EINVAL, 0, "piece of %zu bytes from a slab", bytes);
    pthread_mutex_lock(&s->lock);
    if (!s->cur || s->cur->len - s->cur->at < bytes)
        st = slab_next(s, bytes, err);
    if (st == GP_OK) {
        *out = s->cur->data + s->cur->at;
        s->cur->at += bytes;
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}

void exec_slabs_reset(exec_slabs *s)
{
    s->cur = NULL;
}
