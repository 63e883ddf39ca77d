/* allrows.c - all groups of an interface as sorted rows: sorted as references, then written once.
 */
#include "final.h"
#include "keysort.h"

#include "gp/pool.h"

#include <string.h>

enum { GRAIN = 65536, AHEAD = 12 }; /* rows handed out at once; entries fetched ahead */

typedef struct job {
    exec_final *f;
    exec_item *v;
    size_t n;
    result_row *rows;
    _Atomic size_t next;
} job;

static const uint64_t *entry_of(const exec_ctx *x, uint32_t ref, const exec_part **part)
{
    const exec_table *t = &x->table[exec_ref_table(ref)];

    *part = &t->part[exec_ref_part(ref)];
    return exec_entry(t, *part, exec_ref_entry(ref));
}

/* Word w of a key with dport and proto exchanged: ties are broken by proto first (5.5). */
static uint64_t tie_word(const exec_plan *p, unsigned t, const uint64_t *e, unsigned w)
{
    const unsigned both = 1u << QUERY_DPORT | 1u << QUERY_PROTO;
    const exec_keylayout *l = &p->key[t];

    if ((p->key_attrs & both) != both || l->f[l->n_fields - 1].word != w)
        return e[w];
    unsigned shift = l->f[l->n_fields - 1].shift; /* proto is last: 8 bits, dport above it */
    uint64_t proto = e[w] >> shift & 0xff, port = e[w] >> (shift + 8) & 0xffff;
    return (e[w] & ~(UINT64_C(0xffffff) << shift)) | (proto << 16 | port) << shift;
}

/* Level 0: the sort value; 1: family; then the key. Falling orders are inverted. */
static uint64_t word_of(const void *ctx, uint32_t ref, unsigned level)
{
    const exec_final *f = ctx;
    unsigned t = exec_ref_table(ref);
    const exec_part *part;
    uint64_t v = t;

    if (level == 0) {
        uint64_t c[4];
        const uint64_t *e = entry_of(f->x, ref, &part);
        exec_entry_counters(&f->x->table[t], part, exec_ref_entry(ref), e, c);
        return ~exec_final_rank(f, t, e, c);
    }
    if (level > 1) {
        unsigned w = level - 2;
        v = w < f->x->table[t].kw ? tie_word(&f->x->plan, t, entry_of(f->x, ref, &part), w) : 0;
    }
    return f->order.ascending ? v : ~v;
}

/* References to all groups that the direction filter keeps. */
static size_t gather(const exec_final *f, exec_item *v)
{
    size_t n = 0;

    for (unsigned t = 0; t < f->x->n_tables; t++) {
        const exec_table *table = &f->x->table[t];
        for (unsigned i = 0; i < EXEC_PARTS; i++) {
            const exec_part *p = &table->part[i];
            for (uint32_t j = 0; j < p->n; j++) {
                const uint64_t *e = exec_entry(table, p, j);
                uint64_t c[4];
                exec_entry_counters(table, p, j, e, c);
                if (exec_keeps(f->dir, c))
                    v[n++] = (exec_item){~exec_final_rank(f, t, e, c), exec_ref(t, i, j)};
            }
        }
    }
    return n;
}

static void write_rows(void *ctx, unsigned thread)
{
    job *j = ctx;
    const exec_ctx *x = j->f->x;
    size_t from;

    (void)thread;
    while (gp_cancel_check(x->opts->cancel) == GP_OK &&
           (from = atomic_fetch_add(&j->next, GRAIN)) < j->n) {
        size_t end = from + GRAIN < j->n ? from + GRAIN : j->n;
        for (size_t i = from; i < end; i++) {
            const exec_part *p;
            uint64_t c[4];
            if (i + AHEAD < end)
                __builtin_prefetch(entry_of(x, j->v[i + AHEAD].ref, &p));
            uint32_t ref = j->v[i].ref;
            unsigned t = exec_ref_table(ref);
            const uint64_t *e = entry_of(x, ref, &p);
            exec_entry_counters(&x->table[t], p, exec_ref_entry(ref), e, c);
            exec_final_row(j->f, t, e, c, &j->rows[i]);
        }
    }
}

static gp_status sort_items(exec_final *f, exec_item *v, size_t n, gp_err *err)
{
    exec_mem *mem = &f->x->mem;
    unsigned levels = 2, words = 0;
    void *tmp = NULL;

    for (unsigned t = 0; t < f->x->n_tables; t++)
        if (f->x->table[t].kw > words)
            words = f->x->table[t].kw;
    GP_TRY(exec_mem_alloc(mem, n * sizeof *v, &tmp, err));
    exec_keysort(v, tmp, n, levels + words, word_of, f);
    exec_mem_free(mem, tmp, n * sizeof *v);
    return exec_unfilled(f->x, 0, err);
}

gp_status exec_final_all(exec_final *f, uint64_t hits, gp_err *err)
{
    exec_ctx *x = f->x;
    result *out = f->out;
    size_t bytes = (size_t)hits * sizeof(exec_item);
    size_t keep =
        x->opts->max_rows && x->opts->max_rows < hits ? (size_t)x->opts->max_rows : (size_t)hits;
    void *items = NULL;

    for (unsigned t = 0; t < x->n_tables; t++)
        exec_table_drop_slots(&x->table[t]);
    GP_TRY(exec_mem_alloc(&x->mem, bytes, &items, err));
    job j = {.f = f, .v = items, .n = keep};
    exec_mem_huge(items, bytes);
    gp_status st = gather(f, items) == hits ? GP_OK : GP_EINVAL;
    if (st == GP_OK)
        st = sort_items(f, items, (size_t)hits, err);
    if (st == GP_OK)
        st = exec_mem_take(&x->mem, keep * sizeof *out->rows, err);
    if (st == GP_OK)
        st = result_reserve_rows(out, keep, err);
    if (st == GP_OK) {
        j.rows = out->rows + out->n_rows;
        exec_mem_huge(j.rows, keep * sizeof *j.rows);
        st = gp_parallel(keep < GRAIN ? 1 : x->n_threads, write_rows, &j, err);
    }
    if (st == GP_OK) {
        size_t done = atomic_load(&j.next);
        st = exec_unfilled(x, done < keep ? done : keep, err);
    }
    exec_mem_free(&x->mem, items, bytes);
    if (st != GP_OK)
        return st;
    f->sorted_parts++;
    out->n_rows += keep;
    return GP_OK;
}
