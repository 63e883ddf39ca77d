/* wide.c - the high halves of the few counters that do not fit 32 bits. */
#include "table.h"

#include <string.h>

enum { WIDE_LOG2_MIN = 4 };

static uint32_t place(const exec_part *p, uint32_t i)
{
    return (i * UINT32_C(0x9e3779b1)) >> (32 - p->wide_log2);
}

static exec_wide *find(const exec_part *p, uint32_t i)
{
    uint32_t mask = (1u << p->wide_log2) - 1, s = place(p, i);

    while (p->wide[s].entry != 0 && p->wide[s].entry != i + 1)
        s = (s + 1) & mask;
    return &p->wide[s];
}

void exec_wide_get(const exec_part *p, uint32_t i, uint64_t c[4])
{
    const exec_wide *w = find(p, i);

    if (w->entry)
        for (unsigned j = 0; j < 4; j++)
            c[j] += (uint64_t)w->hi[j] << 32;
}

static size_t wide_bytes(const exec_part *p)
{
    return p->wide ? sizeof *p->wide << p->wide_log2 : 0;
}

void exec_wide_reset(exec_table *t, exec_part *p, int keep)
{
    if (p->wide && keep)
        memset(p->wide, 0, wide_bytes(p));
    if (!keep) {
        exec_mem_free(t->mem, p->wide, wide_bytes(p));
        p->wide = NULL;
        p->wide_log2 = 0;
    }
    p->n_wide = 0;
}

static gp_status grow(exec_table *t, exec_part *p, gp_err *err)
{
    exec_part old = {.wide = p->wide, .wide_log2 = p->wide_log2};
    uint32_t log2 = p->wide ? p->wide_log2 + 1 : WIDE_LOG2_MIN;
    void *v = NULL;

    GP_TRY(exec_mem_alloc(t->mem, sizeof *p->wide << log2, &v, err));
    memset(v, 0, sizeof *p->wide << log2);
    p->wide = v;
    p->wide_log2 = log2;
    for (uint32_t s = 0; old.wide && s < 1u << old.wide_log2; s++)
        if (old.wide[s].entry)
            *find(p, old.wide[s].entry - 1) = old.wide[s];
    exec_mem_free(t->mem, old.wide, wide_bytes(&old));
    return GP_OK;
}

gp_status exec_wide_add(exec_table *t, exec_part *p, uint32_t i, const uint64_t hi[4], gp_err *err)
{
    if (!p->wide || p->n_wide * 2 >= 1u << p->wide_log2)
        GP_TRY(grow(t, p, err));
    exec_wide *w = find(p, i);
    if (w->entry == 0) {
        w->entry = i + 1;
        p->n_wide++;
    }
    for (unsigned j = 0; j < 4; j++)
        w->hi[j] += (uint32_t)hi[j]; /* modulo 2^64 in all */
    return GP_OK;
}
