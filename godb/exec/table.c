/* table.c - partitioned hash tables: set-up, growth, batches. */
#include "table.h"

#include "gp/mem.h"

#include <string.h>

enum {
    SLOTS_LOG2_MIN = 8,
    SLOTS_LOG2_SMALL = 14, /* below this, slots grow fourfold */
    SLOTS_LOG2_MAX = 25
};

/* 128-bit product folded to 64 bits. */
static inline uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 p = (unsigned __int128)a * b;

    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static gp_status feed_flush_part(exec_feed *s, unsigned part, gp_err *err);

/* Add low halves to entry i, which has its own at `at`. */
static inline __attribute__((always_inline)) gp_status
entry_add(exec_table *t, exec_part *p, uint32_t i, uint64_t *at, exec_quad low, gp_err *err)
{
    exec_quad sum;

    memcpy(&sum, at, sizeof sum);
    sum += low;
    memcpy(at, &sum, sizeof sum);
    typedef int64_t halves __attribute__((vector_size(16)));
    halves carry = (halves)(sum < low);
    if (__builtin_expect((carry[0] | carry[1]) == 0, 1))
        return GP_OK;
    uint64_t hi[4];
    for (unsigned j = 0; j < 4; j++)
        hi[j] = sum[j] < low[j];
    return exec_wide_add(t, p, i, hi, err);
}

/* Add the high halves of group j of v to entry i. */
static gp_status entry_add_high(exec_table *t, exec_part *p, uint32_t i, const exec_vec *v,
                                size_t j, gp_err *err)
{
    uint64_t hi[4], any = 0;

    for (unsigned c = 0; c < 4; c++)
        any |= hi[c] = v->high[j][c];
    return any ? exec_wide_add(t, p, i, hi, err) : GP_OK;
}

static gp_status part_reserve(exec_table *t, exec_part *p, uint32_t more, gp_err *err);

#define KW 1
#include "table_impl.h"
#undef KW
#define KW 2
#include "table_impl.h"
#undef KW
#define KW 3
#include "table_impl.h"
#undef KW
#define KW 4
#include "table_impl.h"
#undef KW
#define KW 5
#include "table_impl.h"
#undef KW
#define KW 6
#include "table_impl.h"
#undef KW

/* The functions of one key width. */
static const struct {
    gp_status (*scatter)(exec_feed *s, const exec_vec *v, gp_err *err);
    gp_status (*add)(exec_table *t, exec_part *p, const exec_batch *b, gp_err *err);
    gp_status (*absorb)(exec_table *t, exec_part *p, const exec_vec *v, size_t from, uint32_t n,
                        gp_err *err);
    void (*reslot)(const exec_table *t, exec_part *p);
} width[EXEC_KW_MAX + 1] = {
    {0},
    {scatter1, add1, absorb1, reslot1},
    {scatter2, add2, absorb2, reslot2},
    {scatter3, add3, absorb3, reslot3},
    {scatter4, add4, absorb4, reslot4},
    {scatter5, add5, absorb5, reslot5},
    {scatter6, add6, absorb6, reslot6},
};

gp_status exec_table_init(exec_table *t, unsigned kw, unsigned n_parts, exec_mem *mem,
                          exec_slabs *slabs, const uint64_t seed[EXEC_KW_MAX], gp_err *err)
{
    *t = (exec_table){.mem = mem, .slabs = slabs, .kw = kw, .n_parts = n_parts};
    memcpy(t->seed, seed, sizeof t->seed);
    void *parts = NULL;
    GP_TRY(exec_mem_alloc(mem, n_parts * sizeof *t->part, &parts, err));
    t->part = parts;
    memset(t->part, 0, n_parts * sizeof *t->part);
    for (unsigned i = 0; i < n_parts; i++)
        if (pthread_mutex_init(&t->part[i].lock, NULL) != 0) {
            while (i-- > 0)
                pthread_mutex_destroy(&t->part[i].lock);
            exec_mem_free(mem, parts, n_parts * sizeof *t->part);
            t->part = NULL;
            return gp_fail(err, GP_ENOMEM, 0, "out of memory for a lock");
        }
    return GP_OK;
}

static size_t slots_bytes(const exec_part *p)
{
    return p->slots ? sizeof *p->slots << (p->slots_log2 & 31) : 0; /* indexes have 32 bits */
}

void exec_table_drop_slots(exec_table *t)
{
    for (unsigned i = 0; i < t->n_parts; i++) {
        exec_mem_free(t->mem, t->part[i].slots, slots_bytes(&t->part[i]));
        t->part[i].slots = NULL;
    }
}

void exec_table_reset(exec_table *t)
{
    for (unsigned i = 0; t->part && i < t->n_parts; i++) {
        exec_part *p = &t->part[i];
        exec_mem_free(t->mem, p->slots, slots_bytes(p));
        exec_mem_free(t->mem, p->chunks, p->cap_chunks * sizeof *p->chunks);
        exec_wide_reset(t, p, 0);
        p->slots = NULL;
        p->chunks = NULL;
        p->slots_log2 = p->n = p->n_chunks = p->cap_chunks = 0;
    }
}

void exec_table_clear(exec_table *t)
{
    for (unsigned i = 0; i < t->n_parts; i++) {
        exec_part *p = &t->part[i];
        if (p->n)
            memset(p->slots, 0, slots_bytes(p));
        if (p->n_wide)
            exec_wide_reset(t, p, 1);
        p->n = 0;
    }
}

void exec_table_free(exec_table *t)
{
    if (!t->part)
        return;
    exec_table_reset(t);
    for (unsigned i = 0; i < t->n_parts; i++)
        pthread_mutex_destroy(&t->part[i].lock);
    exec_mem_free(t->mem, t->part, t->n_parts * sizeof *t->part);
    t->part = NULL;
}

gp_status exec_part_chunk(exec_table *t, exec_part *p, gp_err *err)
{
    if (p->n_chunks == p->cap_chunks) {
        uint32_t cap = p->cap_chunks ? p->cap_chunks * 2 : 16;
        void *v = NULL;
        GP_TRY(exec_mem_alloc(t->mem, cap * sizeof *p->chunks, &v, err));
        if (p->chunks)
            memcpy(v, p->chunks, p->n_chunks * sizeof *p->chunks);
        exec_mem_free(t->mem, p->chunks, p->cap_chunks * sizeof *p->chunks);
        p->chunks = v;
        p->cap_chunks = cap;
    }
    void *chunk = NULL;
    GP_TRY(
        exec_slabs_get(t->slabs, EXEC_CHUNK * exec_entry_words(t) * sizeof(uint64_t), &chunk, err));
    p->chunks[p->n_chunks++] = chunk;
    return GP_OK;
}

static gp_status too_many(const exec_table *t, gp_err *err)
{
    return gp_fail(err, GP_ELIMIT, 0, "the result has more than %u million groups",
                   (unsigned)((uint64_t)EXEC_PART_ENTRIES_MAX * t->n_parts / 1000000));
}

/* Make sure that `more` new entries leave at least a quarter of the slots free. */
static gp_status part_reserve(exec_table *t, exec_part *p, uint32_t more, gp_err *err)
{
    uint64_t want = (uint64_t)p->n + more;

    if (p->slots && want * 4 <= (UINT64_C(3) << p->slots_log2))
        return GP_OK;
    if (want > EXEC_PART_ENTRIES_MAX)
        return too_many(t, err);
    uint32_t log2 = p->slots ? p->slots_log2 : SLOTS_LOG2_MIN;
    while (want * 4 > (UINT64_C(3) << log2))
        log2 += log2 < SLOTS_LOG2_SMALL ? 2 : 1;
    if (log2 > SLOTS_LOG2_MAX)
        log2 = SLOTS_LOG2_MAX;
    void *slots = NULL;
    GP_TRY(exec_mem_alloc(t->mem, sizeof *p->slots << log2, &slots, err));
    exec_mem_free(t->mem, p->slots, slots_bytes(p));
    memset(slots, 0, sizeof *p->slots << log2);
    p->slots = slots;
    p->slots_log2 = log2;
    width[t->kw].reslot(t, p);
    return GP_OK;
}

gp_status exec_feed_init(exec_feed *s, exec_table *t, gp_err *err)
{
    size_t one = sizeof(exec_batch) + EXEC_BATCH * exec_entry_words(t) * sizeof(uint64_t);
    void *mem = NULL;

    one = (one + 63) / 64 * 64;
    *s = (exec_feed){.t = t, .mem_bytes = one * t->n_parts};
    GP_TRY(exec_mem_alloc(t->mem, s->mem_bytes, &mem, err));
    s->mem = mem;
    for (unsigned i = 0; i < t->n_parts; i++) {
        s->b[i] = (exec_batch *)(void *)(s->mem + i * one);
        s->b[i]->n = 0;
    }
    return GP_OK;
}

void exec_feed_free(exec_feed *s)
{
    if (s->t)
        exec_mem_free(s->t->mem, s->mem, s->mem_bytes);
    *s = (exec_feed){0};
}

static gp_status feed_flush_part(exec_feed *s, unsigned part, gp_err *err)
{
    exec_batch *b = s->b[part];
    exec_part *p = &s->t->part[part];

    pthread_mutex_lock(&p->lock);
    gp_status st = part_reserve(s->t, p, b->n, err);
    if (st == GP_OK)
        st = width[s->t->kw].add(s->t, p, b, err);
    pthread_mutex_unlock(&p->lock);
    b->n = 0;
    return st;
}

gp_status exec_feed_add(exec_feed *s, const exec_vec *v, gp_err *err)
{
    return width[s->t->kw].scatter(s, v, err);
}

gp_status exec_table_absorb(exec_table *t, const exec_vec *v, gp_err *err)
{
    exec_part *p = &t->part[0];

    for (size_t at = 0; at < v->n; at += EXEC_BATCH) {
        uint32_t n = v->n - at < EXEC_BATCH ? (uint32_t)(v->n - at) : EXEC_BATCH;
        GP_TRY(part_reserve(t, p, n, err));
        GP_TRY(width[t->kw].absorb(t, p, v, at, n, err));
    }
    return GP_OK;
}

gp_status exec_feed_flush(exec_feed *s, gp_err *err)
{
    for (unsigned i = 0; s->t && i < s->t->n_parts; i++)
        if (s->b[i]->n)
            GP_TRY(feed_flush_part(s, i, err));
    return GP_OK;
}

void exec_feed_forget(exec_feed *s)
{
    for (unsigned i = 0; s->t && i < s->t->n_parts; i++)
        s->b[i]->n = 0;
}

gp_status exec_table_append(exec_table *t, unsigned part, const exec_vec *v, gp_err *err)
{
    exec_part *p = &t->part[part];
    gp_status st = GP_OK;

    pthread_mutex_lock(&p->lock);
    if (v->n > EXEC_PART_ENTRIES_MAX - p->n)
        st = too_many(t, err);
    for (size_t i = 0; i < v->n && st == GP_OK; i++) {
        if (p->n == p->n_chunks * EXEC_CHUNK && (st = exec_part_chunk(t, p, err)) != GP_OK)
            break;
        uint64_t *e = exec_entry(t, p, p->n);
        for (unsigned w = 0; w < t->kw; w++)
            e[w] = v->k[w][i];
        memcpy(e + t->kw, &v->low[i], sizeof v->low[i]);
        p->n++;
        if (v->has_high)
            st = entry_add_high(t, p, p->n - 1, v, i, err);
    }
    pthread_mutex_unlock(&p->lock);
    return st;
}
