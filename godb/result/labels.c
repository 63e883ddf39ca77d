/* labels.c - open-addressing index of label texts, so that fleets of many hosts stay fast. */
#include "labels.h"

#include "gp/mem.h"

#include <string.h>

typedef struct slot {
    uint64_t hash;
    uint32_t pos; /* position + 1; 0 = free */
} slot;

struct result_index {
    slot *slots;
    uint32_t cap; /* power of two */
    uint32_t n;
};

/* FNV-1a over both texts with a separator; spread by a final multiply. */
uint64_t result_labels_hash(const char *a, const char *b)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (const char *p = a; *p; p++)
        h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
    h = (h ^ 0x100) * UINT64_C(1099511628211);
    for (const char *p = b; *p; p++)
        h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
    h ^= h >> 32;
    return h * UINT64_C(0x9e3779b97f4a7c15);
}

uint32_t result_labels_find(const struct result_index *x, uint64_t hash, uint32_t *it)
{
    if (!x)
        return UINT32_MAX;
    uint32_t mask = x->cap - 1;
    while (*it < x->cap) {
        const slot *s = &x->slots[((uint32_t)(hash >> 32) + *it) & mask];
        (*it)++;
        if (!s->pos)
            return UINT32_MAX;
        if (s->hash == hash)
            return s->pos - 1;
    }
    return UINT32_MAX;
}

static void put(struct result_index *x, slot s)
{
    uint32_t mask = x->cap - 1, i = (uint32_t)(s.hash >> 32) & mask;
    while (x->slots[i].pos)
        i = (i + 1) & mask;
    x->slots[i] = s;
    x->n++;
}

static gp_status grow(struct result_index *x)
{
    struct result_index bigger = {.cap = x->cap ? 2 * x->cap : 16};
    bigger.slots = gp_calloc(bigger.cap, sizeof *bigger.slots);
    if (!bigger.slots)
        return GP_ENOMEM;
    for (uint32_t i = 0; i < x->cap; i++)
        if (x->slots[i].pos)
            put(&bigger, x->slots[i]);
    gp_free(x->slots);
    *x = bigger;
    return GP_OK;
}

gp_status result_labels_add(struct result_index **x, uint64_t hash, uint32_t pos)
{
    if (!*x) {
        *x = gp_calloc(1, sizeof **x);
        if (!*x)
            return GP_ENOMEM;
    }
    if ((*x)->n >= (*x)->cap / 2 && grow(*x) != GP_OK)
        return GP_ENOMEM;
    put(*x, (slot){hash, pos + 1});
    return GP_OK;
}

void result_labels_free(struct result_index *x)
{
    if (!x)
        return;
    gp_free(x->slots);
    gp_free(x);
}
