/* arena.c - see gp/arena.h. Chunks double up to 1 MiB; freed all at once.
 *
 * Under AddressSanitizer the unallocated rest of a chunk is poisoned, and so are 16 bytes behind
 * every allocation, so that running over the end of one is found as with malloc.
 */
#include "gp/arena.h"

#include <stdint.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
enum { REDZONE = 16 };
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
enum { REDZONE = 0 };
#endif

enum { FIRST_CHUNK = 4096, MAX_CHUNK = 1 << 20 };

struct chunk {
    struct chunk *next;
    size_t used, cap; /* bytes of data[] */
    _Alignas(16) unsigned char data[];
};

struct gp_arena {
    struct chunk *head; /* the one that is being filled */
    size_t held, limit; /* bytes handed out (rounded up to 16) and their maximum */
    int full;           /* the limit refused an allocation */
};

gp_arena *gp_arena_new(size_t limit)
{
    gp_arena *a = calloc(1, sizeof *a);
    if (a)
        a->limit = limit;
    return a;
}

void gp_arena_free(gp_arena *a)
{
    if (!a)
        return;
    for (struct chunk *c = a->head, *next; c; c = next) {
        next = c->next;
        ASAN_UNPOISON_MEMORY_REGION(c->data, c->cap);
        free(c);
    }
    free(a);
}

/* A chunk with room for want bytes becomes the head; false if out of memory. */
static int add_chunk(gp_arena *a, size_t want)
{
    size_t cap = a->head ? a->head->cap * 2 : FIRST_CHUNK;
    size_t bytes;

    if (cap > MAX_CHUNK)
        cap = MAX_CHUNK;
    if (cap < want)
        cap = want;
    if (__builtin_add_overflow(cap, sizeof(struct chunk), &bytes))
        return 0;
    struct chunk *c = calloc(1, bytes);
    if (!c)
        return 0;
    c->cap = cap;
    ASAN_POISON_MEMORY_REGION(c->data, cap);
    /* A large one that fills its chunk goes behind the head, whose rest stays in use. */
    if (a->head && cap == want && a->head->cap - a->head->used >= FIRST_CHUNK / 4) {
        c->next = a->head->next;
        a->head->next = c;
        return 2;
    }
    c->next = a->head;
    a->head = c;
    return 1;
}

void *gp_arena_alloc(gp_arena *a, size_t n, size_t size)
{
    size_t bytes, want;

    if (__builtin_mul_overflow(n, size, &bytes) || __builtin_add_overflow(bytes, 15, &want))
        return NULL;
    want &= ~(size_t)15;
    if (want > a->limit - a->held) {
        a->full = 1;
        return NULL;
    }

    size_t room;
    if (__builtin_add_overflow(want, REDZONE, &room))
        return NULL;
    struct chunk *c = a->head;
    if (!c || c->cap - c->used < room) {
        int where = add_chunk(a, room);
        if (!where)
            return NULL;
        c = where == 2 ? a->head->next : a->head;
    }
    void *p = c->data + c->used;
    c->used += room;
    a->held += want;
    ASAN_UNPOISON_MEMORY_REGION(p, bytes);
    return p;
}

size_t gp_arena_bytes(const gp_arena *a)
{
    return a->held;
}

int gp_arena_full(const gp_arena *a)
{
    return a->full;
}
