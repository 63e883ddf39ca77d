/* bank.c - storage of an interval's flow entries; see bank.h for the layout. */
#include "bank.h"

#include "gp/bytes.h"
#include "gp/mem.h"

enum { INDEX_MIN = 1024, CHUNKS_MIN = 16 };

/* The index is grown at 5/8 full: linear probing stays at about 2 probes for a miss. */
static uint32_t grow_at(uint32_t slots)
{
    return slots / 8 * 5;
}

static gp_status half_init(flow_half *h, size_t expect, uint32_t entry_bytes)
{
    uint32_t slots = INDEX_MIN;

    while (grow_at(slots) < expect && slots < UINT32_C(1) << 30)
        slots *= 2;
    /* Zero pages, touched one by one as entries come: an interval begins while the one before and
     * the one before that are still in memory, which is when most of it is in use. */
    h->index = gp_calloc(slots, sizeof *h->index);
    if (!h->index)
        return GP_ENOMEM;
    h->mask = slots - 1;
    h->grow_at = grow_at(slots);
    h->entry_bytes = entry_bytes;
    return GP_OK;
}

static void half_free(flow_half *h)
{
    for (uint32_t i = 0; i < h->n_chunks; i++)
        gp_free(h->chunks[i]);
    gp_free(h->chunks);
    gp_free(h->index);
}

/* Put a tagged entry number into the first free slot. */
static void index_put(uint64_t *index, uint32_t mask, uint64_t slot)
{
    uint32_t pos = (uint32_t)(slot >> 32) & mask;
    while (index[pos])
        pos = (pos + 1) & mask;
    index[pos] = slot;
}

/* Double the index. Old slots are walked in order and land in two rising streams, so this costs
 * about 5 ns an entry, not a cache miss. */
static int index_grow(flow_half *h)
{
    size_t slots = (size_t)h->mask + 1;

    uint64_t *bigger = gp_alloc_aligned(slots * 2, sizeof *bigger);
    if (!bigger)
        return 0;
    memset(bigger, 0, slots * 2 * sizeof *bigger);
    uint32_t mask = (uint32_t)(slots * 2 - 1);
    for (size_t i = 0; i < slots; i++)
        if (h->index[i])
            index_put(bigger, mask, h->index[i]);
    gp_free(h->index);
    h->index = bigger;
    h->mask = mask;
    h->grow_at = grow_at(mask + 1);
    return 1;
}

static int add_chunk(flow_half *h)
{
    if (h->n_chunks == h->cap_chunks) {
        uint32_t cap = h->cap_chunks ? h->cap_chunks * 2 : CHUNKS_MIN;
        uint8_t **chunks = gp_realloc(h->chunks, cap, sizeof *chunks);
        if (!chunks)
            return 0;
        h->chunks = chunks;
        h->cap_chunks = cap;
    }
    uint8_t *chunk = gp_alloc_aligned(FLOW_CHUNK, h->entry_bytes);
    if (!chunk)
        return 0;
    h->chunks[h->n_chunks++] = chunk;
    return 1;
}

flow_entry *flow_half_append(flow_half *h)
{
    if (h->count >> FLOW_CHUNK_BITS >= h->n_chunks && !add_chunk(h))
        return NULL;
    flow_entry *e = flow_half_at(h, h->count++);
    e->flags = 0;
    e->first_us = 0;
    return e;
}

flow_entry *flow_half_insert(flow_half *h, const uint64_t *key, unsigned words, uint32_t tag,
                             uint32_t flags)
{
    if (h->count >= h->grow_at && (h->mask >= UINT32_MAX / 2 || !index_grow(h)))
        return NULL;
    flow_entry *e = flow_half_append(h);
    if (!e)
        return NULL;
    memset(e->counter, 0, sizeof e->counter);
    e->flags = flags;
    memcpy(e->key, key, words * sizeof *key);
    index_put(h->index, h->mask, (uint64_t)tag << 32 | h->count);
    return e;
}

gp_status flow_bank_new(size_t expect, size_t max_entries, flow_bank **out, gp_err *err)
{
    flow_bank *b = gp_calloc(1, sizeof *b);

    if (expect > max_entries)
        expect = max_entries;
    if (!b || half_init(&b->half[0], expect, FLOW_ENTRY4_BYTES) != GP_OK ||
        half_init(&b->half[1], expect / 4, FLOW_ENTRY6_BYTES) != GP_OK) {
        if (b)
            half_free(&b->half[0]);
        gp_free(b);
        return gp_fail(err, GP_ENOMEM, 0, "flow table: no memory for %zu entries", expect);
    }
    b->max_entries = max_entries;
    atomic_init(&b->refs, 1);
    *out = b;
    return GP_OK;
}

flow_bank *flow_bank_ref(flow_bank *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void flow_bank_unref(flow_bank *b)
{
    if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    half_free(&b->half[0]);
    half_free(&b->half[1]);
    gp_free(b);
}

size_t flow_bank_count(const flow_bank *b)
{
    return (size_t)b->half[0].count + b->half[1].count;
}

size_t flow_bank_bytes(const flow_bank *b)
{
    size_t bytes = sizeof *b;
    for (int i = 0; i < 2; i++) {
        const flow_half *h = &b->half[i];
        bytes += ((size_t)h->mask + 1) * sizeof *h->index;
        bytes += h->cap_chunks * sizeof *h->chunks;
        bytes += (size_t)h->n_chunks * FLOW_CHUNK * h->entry_bytes;
    }
    return bytes;
}

void flow_bank_totals(const flow_bank *b, uint64_t totals[FLOW_N_COUNTERS])
{
    memset(totals, 0, sizeof(uint64_t) * FLOW_N_COUNTERS);
    for (int f = 0; f < 2; f++)
        for (uint32_t i = 0; i < b->half[f].count; i++) {
            const flow_entry *e = flow_half_at(&b->half[f], i);
            for (int c = 0; c < FLOW_N_COUNTERS; c++)
                totals[c] += e->counter[c];
        }
}

flow_bank *flow_bank_plain(size_t max_entries, int by_endpoint)
{
    flow_bank *b = gp_calloc(1, sizeof *b);

    if (!b)
        return NULL;
    b->max_entries = max_entries;
    b->by_endpoint = by_endpoint;
    b->half[0].entry_bytes = FLOW_ENTRY4_BYTES;
    b->half[1].entry_bytes = FLOW_ENTRY6_BYTES;
    atomic_init(&b->refs, 1);
    return b;
}

/* Copy up to *budget chunks of family f; 1 when that was all of it, 0 if not, -1 when out of
 * memory. */
static int copy_half(const flow_half *from, flow_half *to, flow_bank_cursor *at, int f,
                     uint32_t *budget)
{
    uint32_t n = (at->entries[f] + FLOW_CHUNK - 1) >> FLOW_CHUNK_BITS;

    for (; at->chunks[f] < n && *budget; at->chunks[f]++, --*budget) {
        uint32_t left = at->entries[f] - (at->chunks[f] << FLOW_CHUNK_BITS);
        uint32_t entries = left < FLOW_CHUNK ? left : FLOW_CHUNK;
        if (!add_chunk(to))
            return -1;
        memcpy(to->chunks[to->n_chunks - 1], from->chunks[at->chunks[f]],
               (size_t)entries * from->entry_bytes);
        to->count += entries;
    }
    return at->chunks[f] == n;
}

gp_status flow_bank_copy_slice(const flow_bank *from, flow_bank_cursor *at, uint32_t most,
                               flow_bank **copy)
{
    if (!at->begun)
        for (int f = 0; f < 2; f++)
            at->entries[f] = from->half[f].count;
    at->begun = 1;
    if (!*copy && !(*copy = flow_bank_plain(from->max_entries, from->by_endpoint)))
        return GP_ENOMEM;
    int a = copy_half(&from->half[0], &(*copy)->half[0], at, 0, &most);
    int b = a == 1 ? copy_half(&from->half[1], &(*copy)->half[1], at, 1, &most) : 0;
    if (a < 0 || b < 0)
        return GP_ENOMEM;
    return a == 1 && b == 1 ? GP_OK : GP_EUNAVAILABLE;
}

/* The two endpoints in key order: lo first. */
static void unpack_key(const flow_entry *e, int v6, uint8_t addr[2][16], uint16_t port[2])
{
    uint64_t last = e->key[v6 ? FLOW_KEY6 - 1 : FLOW_KEY4 - 1];

    memset(addr, 0, 32);
    if (v6) {
        memcpy(addr[0], &e->key[0], 16);
        memcpy(addr[1], &e->key[2], 16);
    } else {
        gp_put_be32(addr[0], (uint32_t)e->key[0]);
        gp_put_be32(addr[1], (uint32_t)(e->key[0] >> 32));
    }
    port[0] = (uint16_t)last;
    port[1] = (uint16_t)(last >> 16);
}

void flow_bank_row(const flow_bank *b, size_t i, flow_row *out)
{
    int v6 = i >= b->half[0].count;
    const flow_entry *e = flow_half_at(&b->half[v6], (uint32_t)(v6 ? i - b->half[0].count : i));
    uint8_t addr[2][16];
    uint16_t port[2];
    unsigned src = e->flags & FLOW_SWAPPED ? 1 : 0;

    unpack_key(e, v6, addr, port);
    out->family = v6 ? 6 : 4;
    out->proto = (uint8_t)(e->key[v6 ? FLOW_KEY6 - 1 : FLOW_KEY4 - 1] >> 32);
    out->sure = e->flags & FLOW_SURE ? 1 : 0;
    out->sport = port[src];
    out->dport = port[!src];
    memcpy(out->src, addr[src], 16);
    memcpy(out->dst, addr[!src], 16);
    memcpy(out->counter, e->counter, sizeof out->counter);
    if (b->by_endpoint && !src) { /* "out" counted lo to hi; see flow_table_opts */
        return;
    }
    if (b->by_endpoint) {
        out->counter[FLOW_BYTES_IN] = e->counter[FLOW_BYTES_OUT];
        out->counter[FLOW_BYTES_OUT] = e->counter[FLOW_BYTES_IN];
        out->counter[FLOW_PKTS_IN] = e->counter[FLOW_PKTS_OUT];
        out->counter[FLOW_PKTS_OUT] = e->counter[FLOW_PKTS_IN];
    }
}
