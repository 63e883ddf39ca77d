/* xorfilter.c - building by peeling: a slot that only one key uses decides that key last. */
#include "xorfilter.h"

#include "gp/mem.h"

enum { TRIES = 64 };

struct place {
    uint32_t slot[3];
    uint32_t print; /* fingerprint, not yet cut to k bits */
};

/* Murmur's finisher: seeds give independent places. */
static uint64_t mix(uint64_t x, uint8_t seed)
{
    x += (uint64_t)(seed + 1u) * 0x9E3779B97F4A7C15u;
    x ^= x >> 33;
    x *= 0xFF51AFD7ED558CCDu;
    x ^= x >> 33;
    x *= 0xC4CEB9FE1A85EC53u;
    return x ^ x >> 33;
}

static uint32_t reduce(uint64_t h, uint32_t n)
{
    return (uint32_t)((h & UINT32_MAX) * n >> 32);
}

static struct place place_of(uint64_t key, uint8_t seed, uint32_t third)
{
    uint64_t h = mix(key, seed);
    struct place p = {.print = (uint32_t)(h ^ h >> 32)};

    p.slot[0] = reduce(h, third);
    p.slot[1] = reduce(h << 21 | h >> 43, third) + third;
    p.slot[2] = reduce(h << 42 | h >> 22, third) + 2 * third;
    return p;
}

uint32_t godb_xor_third(uint32_t n)
{
    return (uint32_t)(((uint64_t)n * 123 / 100 + 32 + 2) / 3);
}

uint64_t godb_xor_bytes(uint32_t n, unsigned k)
{
    return ((uint64_t)godb_xor_third(n) * 3 * k + 7) / 8;
}

/* k <= 8 bits at bit position slot * k. */
static unsigned get_bits(const uint8_t *t, uint32_t slot, unsigned k)
{
    uint64_t bit = (uint64_t)slot * k;
    return (unsigned)(gp_le16(t + bit / 8) >> (bit % 8)) & ((1u << k) - 1);
}

static void set_bits(uint8_t *t, uint32_t slot, unsigned k, unsigned v)
{
    uint64_t bit = (uint64_t)slot * k;
    uint16_t w = gp_le16(t + bit / 8);
    gp_put_le16(t + bit / 8, (uint16_t)(w | v << (bit % 8)));
}

int godb_xor_has(const uint8_t *table, uint32_t third, unsigned k, uint8_t seed, uint64_t key)
{
    struct place p = place_of(key, seed, third);
    unsigned x = get_bits(table, p.slot[0], k) ^ get_bits(table, p.slot[1], k) ^
                 get_bits(table, p.slot[2], k);
    return x == (p.print & ((1u << k) - 1));
}

/* Scratch space of one attempt. */
struct peel {
    uint64_t *mask; /* per slot: xor of the keys that use it; of a peeled one: its key */
    uint8_t *count; /* per slot: how many do; more than fit are a failed try */
    uint32_t *slot; /* slots that keys were alone in, in the order they were peeled; behind
                       those, what may be peeled next */
};

/* 1 if every key could be peeled. */
static int peel(struct peel *w, const uint64_t *keys, uint32_t n, uint32_t third, uint8_t seed)
{
    uint32_t slots = 3 * third, head = 0, tail = 0, done = 0;

    memset(w->mask, 0, slots * sizeof *w->mask);
    memset(w->count, 0, slots * sizeof *w->count);
    for (uint32_t i = 0; i < n; i++) {
        struct place p = place_of(keys[i], seed, third);
        for (int k = 0; k < 3; k++) {
            w->mask[p.slot[k]] ^= keys[i];
            if (++w->count[p.slot[k]] == 0)
                return 0;
        }
    }
    for (uint32_t s = 0; s < slots; s++)
        if (w->count[s] == 1)
            w->slot[tail++] = s;
    while (head < tail) {
        uint32_t s = w->slot[head++];
        if (w->count[s] != 1)
            continue;
        uint64_t key = w->mask[s];
        struct place p = place_of(key, seed, third);
        w->slot[done++] = s; /* done < head */
        for (int k = 0; k < 3; k++) {
            if (p.slot[k] != s)
                w->mask[p.slot[k]] ^= key;
            if (--w->count[p.slot[k]] == 1)
                w->slot[tail++] = p.slot[k]; /* at most once per slot: counts only fall */
        }
    }
    return done == n;
}

static void fill(const struct peel *w, uint32_t n, uint32_t third, unsigned k, uint8_t seed,
                 uint8_t *table)
{
    for (uint32_t i = n; i-- > 0;) { /* last peeled first: its other slots are final by then */
        struct place p = place_of(w->mask[w->slot[i]], seed, third);
        unsigned v = p.print & ((1u << k) - 1);
        for (int j = 0; j < 3; j++)
            if (p.slot[j] != w->slot[i])
                v ^= get_bits(table, p.slot[j], k);
        set_bits(table, w->slot[i], k, v);
    }
}

gp_status godb_xor_build(const uint64_t *keys, uint32_t n, unsigned k, gp_buf *out, uint8_t *seed,
                         gp_err *err)
{
    uint32_t third = godb_xor_third(n), slots = 3 * third;
    uint64_t bytes = godb_xor_bytes(n, k);
    GP_CLEANUP(gp_freep) uint64_t *mask = gp_alloc(slots, sizeof *mask);
    GP_CLEANUP(gp_freep) uint8_t *count = gp_alloc(slots, sizeof *count);
    GP_CLEANUP(gp_freep) uint32_t *slot = gp_alloc(slots, sizeof *slot);
    uint8_t *table = gp_buf_reserve(out, bytes + 8);
    struct peel w = {mask, count, slot};

    if (!mask || !count || !slot || !table)
        return gp_fail(err, GP_ENOMEM, 0, "index: out of memory for %u addresses", n);
    for (unsigned s = 0; s < TRIES; s++) {
        if (!peel(&w, keys, n, third, (uint8_t)s))
            continue;
        memset(table, 0, bytes + 8);
        fill(&w, n, third, k, (uint8_t)s, table);
        out->len += bytes;
        *seed = (uint8_t)s;
        return GP_OK;
    }
    return gp_fail(err, GP_ELIMIT, 0, "index: no filter for %u addresses", n);
}
