/* bank.h - inside of a bank: entries in chunks, found through an open-addressing index.
 *
 *   index (power of two):  | tag:32 | entry number + 1 : 32 |   0 = free; linear probing
 *                              |
 *   chunks of 4,096 entries    v        never move, so pointers stay good while the index grows
 *   [e e e e ...] [e e e e ...] ...
 *
 * The tag is 32 bits of the key's hash; its low bits are the position, so the index grows without
 * looking at entries. Nothing is ever removed: a bank lives for one interval.
 */
#ifndef FLOW_BANK_H
#define FLOW_BANK_H

#include "flow/table.h"

#include <stdatomic.h>

enum {
    FLOW_CHUNK_BITS = 12,
    FLOW_CHUNK = 1 << FLOW_CHUNK_BITS,
    FLOW_KEY4 = 2,          /* words of an IPv4 key: 13 bytes used */
    FLOW_KEY6 = 5,          /* words of an IPv6 key: 37 bytes used */
    FLOW_ENTRY4_BYTES = 64, /* one cache line */
    FLOW_ENTRY6_BYTES = 80,
};

/* Flags of an entry. */
enum {
    FLOW_SWAPPED = 1, /* the flow's source is the higher endpoint */
    FLOW_SURE = 2,    /* orientation is not corrected any more (3.6) */
    FLOW_KEPT = 4,    /* orientation comes from the interval before */
};

/* Endpoints are ordered in the key, so both directions of a conversation find the same entry.
 * IPv4: addresses lo | hi << 32 (host order), then ports lo | hi << 16 | proto << 32.
 * IPv6: lo address (2 words of raw bytes), hi address (2), then the same last word. */
typedef struct flow_entry {
    uint64_t counter[FLOW_N_COUNTERS];
    uint32_t flags;
    uint32_t first_us; /* capture_pkt.time_us of the packet that decided the orientation */
    uint64_t key[];    /* FLOW_KEY4 or FLOW_KEY6 words */
} flow_entry;

/* Entries of one address family. */
typedef struct flow_half {
    uint64_t *index;
    uint32_t mask;    /* slots - 1 */
    uint32_t count;   /* entries */
    uint32_t grow_at; /* count at which the index doubles */
    uint32_t entry_bytes;
    uint8_t **chunks; /* n_chunks pointers, room for cap_chunks */
    uint32_t n_chunks, cap_chunks;
} flow_half;

struct flow_bank {
    flow_half half[2]; /* IPv4, IPv6 */
    size_t max_entries;
    int by_endpoint; /* counters are by endpoint order: swap them for swapped entries */
    atomic_uint refs;
};

static inline flow_entry *flow_half_at(const flow_half *h, uint32_t i)
{
    uint8_t *chunk = h->chunks[i >> FLOW_CHUNK_BITS];
    return (flow_entry *)(void *)(chunk + (size_t)(i & (FLOW_CHUNK - 1)) * h->entry_bytes);
}

/* Append an entry (counters zero) for a key that is not in the half; NULL when out of memory. */
flow_entry *flow_half_insert(flow_half *h, const uint64_t *key, unsigned words, uint32_t tag,
                             uint32_t flags);

/* Append an entry to a half without index, for reading only; NULL when out of memory. Its key and
 * counters are the caller's to fill. */
flow_entry *flow_half_append(flow_half *h);

/* An empty bank without index: it can be filled by the two calls around this and read. NULL when
 * out of memory. */
flow_bank *flow_bank_plain(size_t max_entries, int by_endpoint);

/* Append the next chunks of a bank that its own thread goes on filling, at most `most` of them, to
 * a bank without index (*copy; NULL: a new one); call from that thread. Copied are the entries that
 * were there at the first call, each as it was when its chunk was copied. GP_EUNAVAILABLE: call
 * again; GP_OK: that was the last; GP_ENOMEM: *copy is the caller's to free. */
gp_status flow_bank_copy_slice(const flow_bank *from, flow_bank_cursor *at, uint32_t most,
                               flow_bank **copy);

#endif
