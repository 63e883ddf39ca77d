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

/* Add one group; the search begins at slot s. *at: the number of its entry. */
static inline __attribute__((always_inline)) gp_status
FN(put)(exec_table *t, exec_part *p, uint32_t s, uint32_t hash, uint32_t mask, const uint64_t *key,
        exec_quad low, uint32_t *at, gp_err *err)
{
    for (uint32_t tag = hash & 0xff;; s = (s + 1) & mask) {
        uint32_t v = p->slots[s];
        uint64_t *entry;
        if (v == 0) {
            if (p->n == p->n_chunks * EXEC_CHUNK)
                GP_TRY(exec_part_chunk(t, p, err));
            *at = p->n++;
            entry = FN(entry)(p, *at);
            for (unsigned w = 0; w < KW; w++)
                entry[w] = key[w];
            memcpy(entry + KW, &low, sizeof low);
            p->slots[s] = hash << 24 | p->n;
            return GP_OK;
        }
        *at = (v & 0xffffff) - 1;
        entry = FN(entry)(p, *at);
        if (v >> 24 == tag && FN(equal)(entry, key))
            return entry_add(t, p, *at, entry + KW, low, err);
    }
}

/* Add the records of b to p. p has slots for all of them. */
static gp_status FN(add)(exec_table *t, exec_part *p, const exec_batch *b, gp_err *err)
{
    uint32_t pos[EXEC_BATCH], at, n = b->n, mask = (1u << p->slots_log2) - 1;
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
    for (uint32_t i = 0; i < n; i++) {
        const uint64_t *rec = b->rec + (size_t)i * (KW + 2);
        exec_quad low;
        memcpy(&low, rec + KW, sizeof low);
        GP_TRY(FN(put)(t, p, pos[i], b->hash[i], mask, rec, low, &at, err));
    }
    return GP_OK;
}

/* Add the groups [from, from + n) of v, at most EXEC_BATCH, to p. p has slots for all of them. The
 * same passes as add, without a copy of the records in between. */
static gp_status FN(absorb)(exec_table *t, exec_part *p, const exec_vec *v, size_t from, uint32_t n,
                            gp_err *err)
{
    uint32_t pos[EXEC_BATCH], hash[EXEC_BATCH], at, mask = (1u << p->slots_log2) - 1;
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
        uint64_t k[KW];
        for (unsigned w = 0; w < KW; w++)
            k[w] = v->k[w][from + i];
        GP_TRY(FN(put)(t, p, pos[i], hash[i], mask, k, v->low[from + i], &at, err));
        if (v->has_high)
            GP_TRY(entry_add_high(t, p, at, v, from + i, err));
    }
    return GP_OK;
}

/* Group i of v, at once: records in batches have no high halves. */
static gp_status FN(add_now)(exec_table *t, exec_part *p, uint32_t hash, const uint64_t *k,
                             const exec_vec *v, size_t i, gp_err *err)
{
    uint32_t at;

    pthread_mutex_lock(&p->lock);
    gp_status st = part_reserve(t, p, 1, err);
    if (st == GP_OK)
        st = FN(put)(t, p, hash >> (32 - p->slots_log2), hash, (1u << p->slots_log2) - 1, k,
                     v->low[i], &at, err);
    if (st == GP_OK)
        st = entry_add_high(t, p, at, v, i, err);
    pthread_mutex_unlock(&p->lock);
    return st;
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
        if (v->has_high && exec_quad_any(v->high[i])) {
            GP_TRY(FN(add_now)(s->t, &s->t->part[part], (uint32_t)(h >> (32 - EXEC_PARTS_LOG2)), k,
                               v, i, err));
            continue;
        }
        exec_batch *b = s->b[part];
        uint32_t j = b->n;
        uint64_t *rec = b->rec + (size_t)j * (KW + 2);
        b->hash[j] = (uint32_t)(h >> (32 - EXEC_PARTS_LOG2));
        for (unsigned w = 0; w < KW; w++)
            rec[w] = k[w];
        memcpy(rec + KW, &v->low[i], sizeof v->low[i]);
        b->n = ++j;
        if (j == EXEC_BATCH)
            GP_TRY(feed_flush_part(s, part, err));
    }
    return GP_OK;
}

#undef FN
#undef FN_
#undef FN__
