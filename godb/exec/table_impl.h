/* table_impl.h - scatter, batch add and absorb for keys of KW words; included by table.c once per
 * width. */

#define FN_(a, b)  a##b
#define FN__(a, b) FN_(a, b)
#define FN(name)   FN__(name, KW)

static inline uint64_t FN(hash)(const uint64_t *seed, const uint64_t *k)
{
    uint64_t h = mix(k[0] ^ seed[0], (KW > 1 ? k[KW > 1 ? 1 : 0] : 0) ^ seed[1]);

    if (KW > 2)
        h ^= mix(k[KW > 2 ? 2 : 0] ^ seed[2], (KW > 3 ? k[KW > 3 ? 3 : 0] : 0) ^ seed[3]);
    if (KW > 4)
        h ^= mix(k[KW > 4 ? 4 : 0] ^ seed[4], (KW > 5 ? k[KW > 5 ? 5 : 0] : 0) ^ seed[5]);
    return mix(h, UINT64_C(0x9e3779b97f4a7c15));
}

static gp_status FN(scatter)(exec_feed *s, const exec_vec *v, gp_err *err)
{
    const uint64_t *seed = s->t->seed;
    const unsigned parts = s->t->n_parts - 1;

    for (size_t i = 0; i < v->n; i++) {
        uint64_t k[KW];
        for (unsigned w = 0; w < KW; w++)
            k[w] = v->k[w][i];
        uint64_t h = FN(hash)(seed, k);
        unsigned part = (unsigned)(h >> (64 - EXEC_PARTS_LOG2)) & parts;
        exec_batch *b = s->b[part];
        uint32_t j = b->n;
        uint64_t *rec = b->rec + (size_t)j * (KW + 4);
        b->hash[j] = (uint32_t)(h >> (32 - EXEC_PARTS_LOG2));
        for (unsigned w = 0; w < KW; w++)
            rec[w] = k[w];
        for (unsigned c = 0; c < 4; c++)
            rec[KW + c] = v->c[c][i];
        b->n = ++j;
        if (j == EXEC_BATCH)
            GP_TRY(feed_flush_part(s, part, err));
    }
    return GP_OK;
}

/* Number the slots anew for all entries of p (slots are zero, big enough). */
static void FN(reslot)(const exec_table *t, exec_part *p)
{
    uint32_t mask = (1u << p->slots_log2) - 1;

    for (uint32_t i = 0; i < p->n; i++) {
        uint64_t h64 = FN(hash)(t->seed, exec_entry(t, p, i));
        uint32_t h = (uint32_t)(h64 >> (32 - EXEC_PARTS_LOG2)), s = h >> (32 - p->slots_log2);
        while (p->slots[s])
            s = (s + 1) & mask;
        p->slots[s] = h << 24 | (i + 1);
    }
}

static inline int FN(equal)(const uint64_t *a, const uint64_t *b)
{
    uint64_t x = 0;

    for (unsigned w = 0; w < KW; w++)
        x |= a[w] ^ b[w];
    return x == 0;
}

static inline uint64_t *FN(entry)(const exec_part *p, uint32_t e)
{
    return (uint64_t *)(void *)p->chunks[e / EXEC_CHUNK] + (size_t)(e % EXEC_CHUNK) * (KW + 2);
}

/* A new entry with the words of rec; slot s gets its number. */
static inline __attribute__((always_inline)) gp_status
FN(insert)(exec_table *t, exec_part *p, uint32_t s, uint32_t hash, const uint64_t *rec, gp_err *err)
{
    if (p->n == p->n_chunks * EXEC_CHUNK)
        GP_TRY(exec_part_chunk(t, p, err));
    uint64_t *e = FN(entry)(p, p->n);
    for (unsigned w = 0; w < KW; w++)
        e[w] = rec[w];
    p->slots[s] = hash << 24 | ++p->n;
    return entry_set(t, p, p->n - 1, (uint32_t *)(void *)(e + KW), rec + KW, err);
}

/* Add one record; the search begins at slot s. */
static inline __attribute__((always_inline)) gp_status FN(put)(exec_table *t, exec_part *p,
                                                               uint32_t s, uint32_t hash,
                                                               uint32_t mask, const uint64_t *rec,
                                                               gp_err *err)
{
    for (uint32_t tag = hash & 0xff;; s = (s + 1) & mask) {
        uint32_t v = p->slots[s];
        if (v == 0)
            return FN(insert)(t, p, s, hash, rec, err);
        uint32_t e = (v & 0xffffff) - 1;
        uint64_t *entry = FN(entry)(p, e);
        if (v >> 24 == tag && FN(equal)(entry, rec))
            return entry_add(t, p, e, (uint32_t *)(void *)(entry + KW), rec + KW, err);
    }
}

/* Add the records of b to p. p has slots for all of them. */
static gp_status FN(add)(exec_table *t, exec_part *p, const exec_batch *b, gp_err *err)
{
    uint32_t pos[EXEC_BATCH], n = b->n, mask = (1u << p->slots_log2) - 1;
    const unsigned down = 32 - p->slots_log2;
    const uint32_t *slots = p->slots;

    for (uint32_t i = 0; i < n; i++) {
        pos[i] = b->hash[i] >> down;
        __builtin_prefetch(&slots[pos[i]], 1);
    }
    for (uint32_t i = 0; i < n; i++) { /* first slot that is free or may be ours */
        uint32_t s = pos[i], tag = b->hash[i] & 0xff, v;
        while ((v = slots[s]) != 0 && v >> 24 != tag)
            s = (s + 1) & mask;
        pos[i] = s;
        if (v) {
            const uint64_t *entry = FN(entry)(p, (v & 0xffffff) - 1);
            __builtin_prefetch(entry, 1);
            if (64 % ((KW + 2) * 8) != 0) /* it may lie across two cache lines */
                __builtin_prefetch(entry + KW + 1, 1);
        }
    }
    for (uint32_t i = 0; i < n; i++)
        GP_TRY(FN(put)(t, p, pos[i], b->hash[i], mask, b->rec + (size_t)i * (KW + 4), err));
    return GP_OK;
}

/* Add the groups [from, from + n) of v, at most EXEC_BATCH, to p. p has slots for all of them. The
 * same passes as add, without a copy of the records in between. */
static gp_status FN(absorb)(exec_table *t, exec_part *p, const exec_vec *v, size_t from, uint32_t n,
                            gp_err *err)
{
    uint32_t pos[EXEC_BATCH], hash[EXEC_BATCH], mask = (1u << p->slots_log2) - 1;
    const unsigned down = 32 - p->slots_log2;
    const uint32_t *slots = p->slots;

    for (uint32_t i = 0; i < n; i++) {
        uint64_t k[KW];
        for (unsigned w = 0; w < KW; w++)
            k[w] = v->k[w][from + i];
        hash[i] = (uint32_t)(FN(hash)(t->seed, k) >> (32 - EXEC_PARTS_LOG2));
        __builtin_prefetch(&slots[hash[i] >> down], 1);
    }
    for (uint32_t i = 0; i < n; i++) { /* first slot that is free or may be ours */
        uint32_t s = hash[i] >> down, tag = hash[i] & 0xff, e;
        while ((e = slots[s]) != 0 && e >> 24 != tag)
            s = (s + 1) & mask;
        pos[i] = s;
        if (e) {
            const uint64_t *entry = FN(entry)(p, (e & 0xffffff) - 1);
            __builtin_prefetch(entry, 1);
            if (64 % ((KW + 2) * 8) != 0)
                __builtin_prefetch(entry + KW + 1, 1);
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        uint64_t rec[KW + 4];
        for (unsigned w = 0; w < KW; w++)
            rec[w] = v->k[w][from + i];
        for (unsigned c = 0; c < 4; c++)
            rec[KW + c] = v->c[c][from + i];
        GP_TRY(FN(put)(t, p, pos[i], hash[i], mask, rec, err));
    }
    return GP_OK;
}

#undef FN
#undef FN_
#undef FN__
