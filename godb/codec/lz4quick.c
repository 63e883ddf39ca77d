/* lz4quick.c - the front of an LZ4 block, decoded with 512-bit vectors.
 *
 * Packed counters give sequences of a few literals and a match of four or five bytes, whose lengths
 * are hard to predict. Here no branch depends on them: a sequence is 64 bytes copied, of which
 * the literals are kept, then 32 bytes of the match. A match that overlaps itself is its first
 * `offset` bytes over and over, which is one permutation. Longer ones take longer_sequence().
 *
 * Both take a sequence only when it ends at least ROOM bytes before the ends of both buffers: no
 * rule for the last sequences of a block concerns it, and what is copied too much stays inside.
 * Both refuse what points before the front of dst.
 */
#include "lz4quick.h"

#ifdef __x86_64__
#include <immintrin.h>
#include <string.h>

#define WIDE __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,bmi")))

enum {
    LITERALS = 64, /* copied at once */
    MATCH = 32,
    LONG = 15,           /* a length that goes on behind the token; its first byte may end it */
    MIN_MATCH = 4,       /* less is not stored */
    ROOM = LITERALS + 8, /* with token, one more byte of length and offset */
};

/* Where sequences have to end. */
typedef struct bounds {
    const uint8_t *src; /* last place of a token */
    uint8_t *front, *dst;
} bounds;

/* Byte i of a match: i modulo its offset. */
#define BYTES(n)                                                                                   \
    {                                                                                              \
        0 % (n), 1 % (n), 2 % (n), 3 % (n), 4 % (n), 5 % (n), 6 % (n), 7 % (n), 8 % (n), 9 % (n),  \
            10 % (n), 11 % (n), 12 % (n), 13 % (n), 14 % (n), 15 % (n), 16 % (n), 17 % (n),        \
            18 % (n), 19 % (n), 20 % (n), 21 % (n), 22 % (n), 23 % (n), 24 % (n), 25 % (n),        \
            26 % (n), 27 % (n), 28 % (n), 29 % (n), 30 % (n), 31 % (n)                             \
    }
static const _Alignas(MATCH) uint8_t bytes_of[MATCH + 1][MATCH] = {
    BYTES(1),  BYTES(1),  BYTES(2),  BYTES(3),  BYTES(4),  BYTES(5),  BYTES(6),
    BYTES(7),  BYTES(8),  BYTES(9),  BYTES(10), BYTES(11), BYTES(12), BYTES(13),
    BYTES(14), BYTES(15), BYTES(16), BYTES(17), BYTES(18), BYTES(19), BYTES(20),
    BYTES(21), BYTES(22), BYTES(23), BYTES(24), BYTES(25), BYTES(26), BYTES(27),
    BYTES(28), BYTES(29), BYTES(30), BYTES(31), BYTES(32)}; /* [0] is not used */

int godb_lz4quick_ok(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("bmi");
}

static inline size_t offset_at(const uint8_t *p)
{
    return p[0] | (size_t)p[1] << 8;
}

/* The first MATCH bytes of a match that begins at m. */
WIDE static inline __attribute__((always_inline)) __m256i match_bytes(const uint8_t *m,
                                                                      size_t offset)
{
    const uint8_t *from = bytes_of[offset < MATCH ? offset : MATCH];

    return _mm256_permutexvar_epi8(_mm256_load_si256((const __m256i *)(const void *)from),
                                   _mm256_loadu_si256((const __m256i *)(const void *)m));
}

static inline __attribute__((always_inline)) WIDE void put(uint8_t *p, __m256i x)
{
    _mm256_storeu_si256((__m256i *)(void *)p, x);
}

/* Add the bytes of a length that goes on. 0: they do not end in time. */
static int add_length(const uint8_t **p, const uint8_t *last, size_t *n)
{
    uint8_t byte;

    do {
        if (*p >= last)
            return 0;
        byte = *(*p)++;
        *n += byte;
    } while (byte == 255);
    return 1;
}

/* Any sequence that ends within b. 0: this one does not, or is wrong; nothing is changed. */
WIDE static int longer_sequence(const bounds *b, const uint8_t **src, uint8_t **dst)
{
    const uint8_t *p = *src;
    uint8_t *q = *dst;
    size_t token = *p++, literals = token >> 4, n = token & LONG;

    if (literals == LONG && !add_length(&p, b->src, &literals))
        return 0;
    if (p >= b->src || literals >= (size_t)(b->src - p) || literals >= (size_t)(b->dst - q))
        return 0;
    for (size_t i = 0; i < literals; i += LITERALS)
        _mm512_storeu_si512(q + i, _mm512_loadu_si512(p + i));
    p += literals;
    q += literals;
    size_t offset = offset_at(p);
    p += 2;
    if (n == LONG && !add_length(&p, b->src, &n))
        return 0;
    n += MIN_MATCH;
    if (p > b->src || offset - 1 >= (size_t)(q - b->front) || n > (size_t)(b->dst - q))
        return 0;
    const uint8_t *m = q - offset;
    if (offset < MATCH) {
        size_t step = MATCH - MATCH % offset; /* whole repetitions */
        __m256i x = match_bytes(m, offset);
        for (size_t i = 0; i < n; i += step)
            put(q + i, x);
    } else {
        for (size_t i = 0; i < n; i += MATCH)
            put(q + i, match_bytes(m + i, MATCH));
    }
    *src = p;
    *dst = q + n;
    return 1;
}

WIDE size_t godb_lz4quick(const uint8_t *src, size_t len, uint8_t *dst, size_t raw_len, size_t want,
                          size_t *used)
{
    const uint8_t *p = src;
    uint8_t *q = dst, *const end = dst + want;

    *used = 0;
    if (len <= ROOM || raw_len <= ROOM)
        return 0;
    const bounds b = {src + len - ROOM, dst, dst + raw_len - ROOM};
    while (q < end) {
        size_t token = p[0], n = token & LONG;
        ptrdiff_t none = ((ptrdiff_t)token - (LONG << 4)) >> 63; /* -1: literals fit the token */
        size_t literals = (token >> 4) + (p[1] & (size_t)~none);
        const uint8_t *from = p + 2 + none;
        _mm512_storeu_si512(q, _mm512_loadu_si512(from));
        if (__builtin_expect(literals > LITERALS || n == LONG, 0)) {
            const uint8_t *in = p;
            uint8_t *out = q;
            if (!longer_sequence(&b, &in, &out))
                break;
            p = in;
            q = out;
            continue;
        }
        const uint8_t *at = from + literals;
        uint8_t *to = q + literals;
        size_t offset = offset_at(at);
        if (at + 2 > b.src || to + n + MIN_MATCH > b.dst || offset - 1 >= (size_t)(to - dst))
            break;
        put(to, match_bytes(to - offset, offset));
        p = at + 2;
        q = to + n + MIN_MATCH;
    }
    *used = (size_t)(p - src);
    return (size_t)(q - dst);
}
#else
int godb_lz4quick_ok(void)
{
    return 0;
}

size_t godb_lz4quick(const uint8_t *src, size_t len, uint8_t *dst, size_t raw_len, size_t want,
                     size_t *used)
{
    (void)src, (void)len, (void)dst, (void)raw_len, (void)want;
    *used = 0;
    return 0;
}
#endif
