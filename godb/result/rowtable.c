/* rowtable.c - open addressing over packed row keys, in batches with prefetching. */
#include "rowtable.h"

#include "gp/clock.h"
#include "gp/mem.h"
#include "number.h"

#include <string.h>
#include <sys/random.h>

/* The key is the leading part of a row: seven words, the last with three bytes of padding. */
enum { KEY_WORDS = 7, KEY_BYTES = 8 * KEY_WORDS };
_Static_assert(offsetof(result_row, c) == KEY_BYTES, "the key must end where the counters start");
_Static_assert(offsetof(result_row, proto) == 52, "proto is the last byte of the key");

void result_rowtable_init(rowtable *t, size_t mem_limit)
{
    *t = (rowtable){.mem_limit = mem_limit};
    if (getrandom(t->seed, sizeof t->seed, GRND_NONBLOCK) != (ssize_t)sizeof t->seed)
        for (size_t i = 0; i < GP_COUNT(t->seed); i++) /* early boot: still differs by run */
            t->seed[i] = ((uint64_t)gp_mono_ns() + i) * UINT64_C(0x9e3779b97f4a7c15);
}

static void mem_give(rowtable *t, size_t bytes)
{
    t->mem -= bytes;
    if (t->quota && bytes)
        t->quota->give(t->quota->ctx, bytes);
}

void result_rowtable_free(rowtable *t)
{
    for (uint32_t i = 0; i < t->n_chunks; i++)
        gp_free(t->chunks[i]);
    gp_free(t->chunks);
    gp_free(t->slots);
    mem_give(t, t->mem);
    *t = (rowtable){0};
}

void result_rowtable_stage(result_row *dst, const result_row *src, uint32_t host, uint32_t iface,
                           int64_t time_s)
{
    memcpy(dst, src, sizeof *dst);
    dst->host = host;
    dst->iface = iface;
    dst->time_s = time_s;
    memset((unsigned char *)dst + offsetof(result_row, proto) + 1, 0, KEY_BYTES - 53);
}

static inline uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 p = (unsigned __int128)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/* Multiply-and-fold over the seven words (the construction of wyhash), keyed by random seeds. */
static inline uint64_t row_hash(const rowtable *t, const result_row *r)
{
    uint64_t w[KEY_WORDS];
    memcpy(w, r, sizeof w);
    uint64_t a = fold(w[0] ^ t->seed[0], w[1] ^ t->seed[1]);
    uint64_t b = fold(w[2] ^ t->seed[1], w[3] ^ t->seed[2]);
    uint64_t c = fold(w[4] ^ t->seed[2], w[5] ^ t->seed[3]);
    return fold(a ^ w[6] ^ t->seed[3], (b + c) ^ t->seed[0]) ^ fold(b ^ t->seed[2], c ^ w[6]);
}

static inline int row_same_key(const result_row *x, const result_row *y)
{
    uint64_t a[KEY_WORDS], b[KEY_WORDS], diff = 0;
    memcpy(a, x, sizeof a);
    memcpy(b, y, sizeof b);
    for (int i = 0; i < KEY_WORDS; i++)
        diff |= a[i] ^ b[i];
    return diff == 0;
}

static gp_status mem_take(rowtable *t, size_t bytes, gp_err *err)
{
    if (t->mem_limit && (bytes > t->mem_limit || t->mem > t->mem_limit - bytes))
        return gp_fail(err, GP_ELIMIT, 0, "merging needs more than the %zu MiB of memory allowed",
                       t->mem_limit >> 20);
    if (t->quota && !t->quota->take(t->quota->ctx, bytes))
        return gp_fail(err, GP_ELIMIT, 0, "merging needs more memory than is allowed");
    t->mem += bytes;
    return GP_OK;
}

static gp_status slots_grow(rowtable *t, gp_err *err)
{
    unsigned bits = t->bits ? t->bits + 1 : 10;
    size_t n = (size_t)1 << bits, old_n = t->bits ? (size_t)1 << t->bits : 0;
    if (bits > 32)
        return gp_fail(err, GP_ELIMIT, 0, "merging is limited to 2,800 million rows");
    GP_TRY(mem_take(t, n * 8, err));
    uint64_t *slots = gp_calloc(n, 8);
    if (!slots) {
        mem_give(t, n * 8);
        return gp_fail(err, GP_ENOMEM, 0, "merging: out of memory for %zu slots", n);
    }
    for (size_t i = 0; i < old_n; i++) {
        uint64_t s = t->slots[i];
        if (!s)
            continue;
        size_t pos = (uint32_t)(s >> 32) >> (32 - bits);
        while (slots[pos])
            pos = (pos + 1) & (n - 1);
        slots[pos] = s;
    }
    gp_free(t->slots);
    mem_give(t, old_n * 8);
    t->slots = slots;
    t->bits = bits;
    return GP_OK;
}

static gp_status chunk_add(rowtable *t, gp_err *err)
{
    if (t->n_chunks == t->cap_chunks) {
        uint32_t cap = t->cap_chunks ? 2 * t->cap_chunks : 16;
        result_row **p = gp_realloc(t->chunks, cap, sizeof *p);
        if (!p)
            return gp_fail(err, GP_ENOMEM, 0, "merging: out of memory");
        t->chunks = p;
        t->cap_chunks = cap;
    }
    GP_TRY(mem_take(t, ROWTABLE_CHUNK * sizeof(result_row), err));
    result_row *rows = gp_alloc(ROWTABLE_CHUNK, sizeof *rows);
    if (!rows) {
        mem_give(t, ROWTABLE_CHUNK * sizeof(result_row));
        return gp_fail(err, GP_ENOMEM, 0, "merging: out of memory for rows");
    }
    t->chunks[t->n_chunks++] = rows;
    return GP_OK;
}

/* Everything that can fail happens here, so a batch is added as a whole or not at all. */
static gp_status make_room(rowtable *t, size_t n, gp_err *err)
{
    while (!t->bits || ((uint64_t)t->n + n) * 3 > ((uint64_t)2 << t->bits))
        GP_TRY(slots_grow(t, err));
    while ((uint64_t)t->n + n > (uint64_t)t->n_chunks << ROWTABLE_SHIFT)
        GP_TRY(chunk_add(t, err));
    return GP_OK;
}

static void counters_add(result_counters *dst, const result_counters *src)
{
    dst->bytes_rcvd = result_number_add(dst->bytes_rcvd, src->bytes_rcvd);
    dst->bytes_sent = result_number_add(dst->bytes_sent, src->bytes_sent);
    dst->pkts_rcvd = result_number_add(dst->pkts_rcvd, src->pkts_rcvd);
    dst->pkts_sent = result_number_add(dst->pkts_sent, src->pkts_sent);
}

/* 1 when the row met an equal key. */
static int add_one(rowtable *t, const result_row *row, uint32_t tag)
{
    size_t mask = ((size_t)1 << t->bits) - 1, pos = tag >> (32 - t->bits);
    for (;; pos = (pos + 1) & mask) {
        uint64_t s = t->slots[pos];
        if (!s)
            break;
        if ((uint32_t)(s >> 32) != tag)
            continue;
        result_row *have = result_rowtable_row(t, (uint32_t)s - 1);
        if (row_same_key(have, row)) {
            counters_add(&have->c, &row->c);
            return 1;
        }
    }
    t->slots[pos] = (uint64_t)tag << 32 | (t->n + 1);
    *result_rowtable_row(t, t->n++) = *row;
    return 0;
}

gp_status result_rowtable_add(rowtable *t, const result_row *rows, size_t n, uint64_t *merged,
                              gp_err *err)
{
    uint32_t tags[ROWTABLE_BATCH];
    GP_TRY(make_room(t, n, err));
    unsigned shift = 32 - t->bits;
    for (size_t i = 0; i < n; i++) {
        tags[i] = (uint32_t)(row_hash(t, &rows[i]) >> 32);
        __builtin_prefetch(&t->slots[tags[i] >> shift]);
    }
    for (size_t i = 0; i < n; i++) { /* slots have arrived: ask for the rows they point to */
        uint64_t s = t->slots[tags[i] >> shift];
        if ((uint32_t)(s >> 32) == tags[i] && s) {
            const result_row *r = result_rowtable_row(t, (uint32_t)s - 1);
            __builtin_prefetch(r, 1);
            __builtin_prefetch((const unsigned char *)r + sizeof *r - 1, 1);
        }
    }
    uint64_t met = 0;
    for (size_t i = 0; i < n; i++)
        met += (uint64_t)add_one(t, &rows[i], tags[i]);
    *merged += met;
    return GP_OK;
}
