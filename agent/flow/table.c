/* table.c - packets into entries: batch hashing with prefetch, orientation, overflow. */
#include "flow/table.h"

#include "bank.h"
#include "gp/bytes.h"
#include "gp/mem.h"

#include <errno.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
    BATCH = 64, /* packets whose cache misses overlap */
    SPARE = 8,  /* 1/8 of max_entries on top for entries without source port */
};

struct flow_table {
    flow_bank *active;
    flow_bank *prev; /* of the interval before, for orientations; NULL at first */
    uint64_t seed;
    size_t max_entries;
    int compat, by_endpoint;
    uint32_t scale;
    uint64_t lost, shared;
};

/* A packet on its way into the table. */
typedef struct slot {
    uint64_t key[FLOW_KEY6];
    flow_entry *e; /* guess of the second pass, or NULL */
    uint32_t tag;
    uint32_t flip; /* 1: the packet travels from the higher endpoint to the lower */
} slot;

static inline uint32_t hash_key(const uint64_t *key, unsigned words, uint64_t seed)
{
    uint64_t h = XXH3_64bits_withSeed(key, words * sizeof *key, seed);
    return (uint32_t)(h ^ h >> 32);
}

/* Last word of a key; lo and hi in endpoint order. */
static inline uint64_t key_tail(uint16_t lo, uint16_t hi, uint8_t proto)
{
    return (uint64_t)lo | (uint64_t)hi << 16 | (uint64_t)proto << 32;
}

static inline void key_v4(const capture_pkt *p, slot *s)
{
    uint32_t src = gp_be32(p->src), dst = gp_be32(p->dst);
    uint64_t a = (uint64_t)src << 16 | p->sport, b = (uint64_t)dst << 16 | p->dport;
    uint64_t lo = a < b ? a : b, hi = a < b ? b : a;

    s->flip = a > b;
    s->key[0] = lo >> 16 | hi >> 16 << 32;
    s->key[1] = key_tail((uint16_t)lo, (uint16_t)hi, p->proto);
}

static inline void key_v6(const capture_pkt *p, slot *s)
{
    uint64_t a0 = gp_be64(p->src), b0 = gp_be64(p->dst);
    uint64_t a1 = gp_be64(p->src + 8), b1 = gp_be64(p->dst + 8);
    int flip = a0 != b0 ? a0 > b0 : a1 != b1 ? a1 > b1 : p->sport > p->dport;

    s->flip = (uint32_t)flip;
    memcpy(&s->key[flip ? 2 : 0], p->src, 16);
    memcpy(&s->key[flip ? 0 : 2], p->dst, 16);
    s->key[4] =
        flip ? key_tail(p->dport, p->sport, p->proto) : key_tail(p->sport, p->dport, p->proto);
}

static inline int key_equal(const uint64_t *a, const uint64_t *b, unsigned words)
{
    uint64_t diff = 0;
    for (unsigned i = 0; i < words; i++)
        diff |= a[i] ^ b[i];
    return diff == 0;
}

/* The entry of a key, or NULL. */
static inline flow_entry *find(const flow_half *h, const uint64_t *key, unsigned words,
                               uint32_t tag)
{
    for (uint32_t pos = tag & h->mask; h->index[pos]; pos = (pos + 1) & h->mask) {
        if ((uint32_t)(h->index[pos] >> 32) != tag)
            continue;
        flow_entry *e = flow_half_at(h, (uint32_t)h->index[pos] - 1);
        if (key_equal(e->key, key, words))
            return e;
    }
    return NULL;
}

/* The first entry with this tag, unverified: good enough to fetch its cache line. */
static inline flow_entry *guess(const flow_half *h, uint32_t tag)
{
    for (uint32_t pos = tag & h->mask; h->index[pos]; pos = (pos + 1) & h->mask)
        if ((uint32_t)(h->index[pos] >> 32) == tag)
            return flow_half_at(h, (uint32_t)h->index[pos] - 1);
    return NULL;
}

static inline unsigned key_words(const capture_pkt *p)
{
    return p->family == 6 ? FLOW_KEY6 : FLOW_KEY4;
}

static void make_slot(const flow_table *t, const capture_pkt *p, slot *s)
{
    if (p->family == 6)
        key_v6(p, s);
    else
        key_v4(p, s);
    s->tag = hash_key(s->key, key_words(p), t->seed);
    s->e = NULL;
}

/* Flags for a source decided by c. A host that talks to itself on equal ports has no direction. */
static uint32_t orientation(unsigned c, const capture_pkt *p, const slot *s)
{
    uint32_t from_hi = (c & CAPTURE_REVERSE) ? !s->flip : s->flip;

    if (p->sport == p->dport && memcmp(p->src, p->dst, p->family == 6 ? 16 : 4) == 0)
        from_hi = 0;
    return (from_hi ? FLOW_SWAPPED : 0) | (c & CAPTURE_SURE ? FLOW_SURE : 0);
}

/* Flags of a new entry: as in the interval before, else by classification of this packet. */
static uint32_t orient(const flow_table *t, const capture_pkt *p, const slot *s)
{
    unsigned v6 = p->family == 6;

    if (t->prev) {
        const flow_entry *old = find(&t->prev->half[v6], s->key, key_words(p), s->tag);
        if (old)
            return old->flags | FLOW_KEPT;
    }
    return orientation(capture_classify(p, t->compat), p, s);
}

static size_t entries(const flow_table *t)
{
    return flow_bank_count(t->active);
}

/* p with the client's port blanked; reverse: the packet came from the server. */
static capture_pkt blanked(const capture_pkt *p, int reverse)
{
    capture_pkt q = *p;
    if (reverse)
        q.dport = 0;
    else
        q.sport = 0;
    return q;
}

/* The table is full: find or make the entry that stands for all source ports of this client.
 * Without sure evidence an existing entry of either orientation is preferred, so that the packets
 * of a conversation stay together. *s becomes the slot of that entry. */
static flow_entry *share(flow_table *t, const capture_pkt *p, slot *s)
{
    flow_half *h = &t->active->half[p->family == 6];
    unsigned words = key_words(p);
    uint32_t flags = orient(t, p, s);
    int reverse = ((flags & FLOW_SWAPPED) != 0) != (s->flip != 0);
    flow_entry *e = NULL;

    for (int i = 0; i < 2 && !e; i++) {
        if (i == 1 && (flags & FLOW_SURE))
            break;
        capture_pkt q = blanked(p, i == 0 ? reverse : !reverse);
        make_slot(t, &q, s);
        e = find(h, s->key, words, s->tag);
    }
    if (!e) {
        capture_pkt q = blanked(p, reverse);
        make_slot(t, &q, s);
        if (entries(t) >= t->max_entries + t->max_entries / SPARE)
            return NULL;
        uint32_t swapped = reverse ? !s->flip : s->flip;
        e = flow_half_insert(h, s->key, words, s->tag, (swapped ? FLOW_SWAPPED : 0) | FLOW_SURE);
    }
    t->shared += e != NULL;
    return e;
}

/* Entry of a packet that the guess did not find; NULL when it must be counted as lost. */
static flow_entry *find_or_make(flow_table *t, const capture_pkt *p, slot *s)
{
    flow_half *h = &t->active->half[p->family == 6];
    unsigned words = key_words(p);

    flow_entry *e = find(h, s->key, words, s->tag);
    if (e)
        return e;
    if (entries(t) >= t->max_entries)
        return share(t, p, s);
    e = flow_half_insert(h, s->key, words, s->tag, orient(t, p, s));
    if (!e)
        return share(t, p, s);
    e->first_us = p->time_us;
    return e;
}

/* A weakly oriented entry is turned around by later evidence (3.6; the first evidence is final),
 * and by a packet that was captured before the one that decided: the rings of the two directions
 * are read one after the other (L-13). */
static void correct(flow_entry *e, const capture_pkt *p, const slot *s, int compat)
{
    unsigned c = compat ? 0 : capture_evidence(p);

    if (c) {
        e->flags = orientation(c, p, s);
    } else if (!(e->flags & FLOW_KEPT) && (int32_t)(p->time_us - e->first_us) < 0) {
        e->flags = orientation(capture_classify(p, compat), p, s);
        e->first_us = p->time_us;
    }
}

static inline void update(flow_table *t, const capture_pkt *p, slot *s, unsigned words)
{
    flow_entry *e = s->e;

    if (!e || !key_equal(e->key, s->key, words)) {
        e = find_or_make(t, p, s);
        if (!e) {
            t->lost += p->frag != CAPTURE_FRAG_LATER; /* those are none of the processed */
            return;
        }
    }
    unsigned out = t->by_endpoint ? !s->flip : p->dir == CAPTURE_OUT;
    e->counter[FLOW_BYTES_IN + out] += (uint64_t)p->len * t->scale;
    e->counter[FLOW_PKTS_IN + out] += t->scale;
    if (!(e->flags & FLOW_SURE))
        correct(e, p, s, t->compat);
}

/* The packets `at` of one family; v6 is a constant, so that nothing branches on it per packet. */
__attribute__((always_inline)) static inline void add_family(flow_table *t, const capture_pkt *pkts,
                                                             const uint8_t *at, size_t n, int v6)
{
    const unsigned words = v6 ? FLOW_KEY6 : FLOW_KEY4;
    const flow_half *h = &t->active->half[v6];
    slot slots[BATCH];

    for (size_t i = 0; i < n; i++) {
        slot *s = &slots[i];
        if (v6)
            key_v6(&pkts[at[i]], s);
        else
            key_v4(&pkts[at[i]], s);
        s->tag = hash_key(s->key, words, t->seed);
        __builtin_prefetch(&h->index[s->tag & h->mask]);
    }
    for (size_t i = 0; i < n; i++) {
        slot *s = &slots[i];
        s->e = guess(h, s->tag);
        if (s->e) {
            __builtin_prefetch(s->e, 1);
            if (v6) /* 80 bytes: may reach into the next line */
                __builtin_prefetch((const char *)s->e + FLOW_ENTRY6_BYTES - 1, 1);
        }
    }
    for (size_t i = 0; i < n; i++)
        update(t, &pkts[at[i]], &slots[i], words);
}

/* Families mix at random, which no branch predictor likes: they are sorted first. Their order among
 * each other does not matter, they have tables of their own. */
static void add_batch(flow_table *t, const capture_pkt *pkts, size_t n)
{
    uint8_t at[2][BATCH];
    size_t n4 = 0, n6 = 0;

    for (size_t i = 0; i < n; i++) {
        size_t v6 = pkts[i].family == 6;
        at[0][n4] = at[1][n6] = (uint8_t)i;
        n4 += !v6;
        n6 += v6;
    }
    add_family(t, pkts, at[0], n4, 0);
    add_family(t, pkts, at[1], n6, 1);
}

void flow_table_add(flow_table *t, const capture_pkt *pkts, size_t n)
{
    for (size_t i = 0; i < n; i += BATCH)
        add_batch(t, pkts + i, n - i < BATCH ? n - i : BATCH);
}

gp_status flow_table_new(const flow_table_opts *opts, flow_table **out, gp_err *err)
{
    static const flow_table_opts none;
    const flow_table_opts *o = opts ? opts : &none;
    size_t max = o->max_entries ? o->max_entries : FLOW_ENTRIES_DEFAULT;

    if (max < FLOW_ENTRIES_MIN || max > FLOW_ENTRIES_MAX)
        return gp_fail(err, GP_EINVAL, 0, "flow table: %zu entries, expected %d to %d", max,
                       FLOW_ENTRIES_MIN, FLOW_ENTRIES_MAX);
    GP_CLEANUP(flow_table_freep) flow_table *t = gp_calloc(1, sizeof *t);
    if (!t)
        return gp_fail(err, GP_ENOMEM, 0, "flow table: out of memory");
    t->max_entries = max;
    t->compat = o->compat;
    t->by_endpoint = o->by_endpoint;
    t->scale = o->scale ? o->scale : 1;
    t->seed = o->seed;
    if (t->seed == 0 && getrandom(&t->seed, sizeof t->seed, 0) != (ssize_t)sizeof t->seed)
        return gp_fail(err, GP_EIO, errno, "flow table: no random seed");
    GP_TRY(flow_bank_new(0, max, &t->active, err));
    t->active->by_endpoint = t->by_endpoint;
    *out = t;
    t = NULL;
    return GP_OK;
}

void flow_table_free(flow_table *t)
{
    if (!t)
        return;
    flow_bank_unref(t->active);
    flow_bank_unref(t->prev);
    gp_free(t);
}

flow_bank *flow_table_rotate(flow_table *t, flow_bank *fresh, flow_bank **retired)
{
    *retired = t->prev;
    t->prev = t->active;
    t->active = fresh;
    fresh->by_endpoint = t->by_endpoint;
    return flow_bank_ref(t->prev);
}

flow_bank *flow_table_active(const flow_table *t)
{
    return t->active;
}

uint64_t flow_table_lost(const flow_table *t)
{
    return t->lost;
}

uint64_t flow_table_shared(const flow_table *t)
{
    return t->shared;
}

int flow_table_full(const flow_table *t)
{
    return entries(t) >= t->max_entries;
}
