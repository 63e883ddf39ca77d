/* vec512.c - unpack counters, find and fold runs of equal keys, pick rows, with 512-bit vectors.
 *
 * Eight packed values of w bytes lie in 8 w <= 64 bytes: one load and one byte permutation widen
 * them to eight words. The sum of a run is the difference of two running sums, which are made for
 * eight rows in three shifted additions and then squeezed to the rows where a run ends.
 */
#include "vec512.h"

#ifdef EXEC_VEC512
#include <immintrin.h>

#define WIDE        __attribute__((target("avx512f,avx512bw,avx512dq,avx512vbmi")))
#define WIDE_INLINE WIDE static inline __attribute__((always_inline))

enum { LANES = 8 };

/* How values of one width are widened. */
typedef struct widen {
    __m512i from;    /* byte of the source for each byte of the result */
    __mmask64 keep;  /* bytes of the result that have one */
    unsigned w;      /* bytes of a value */
    __mmask64 whole; /* bytes of eight values */
} widen;

int exec_v512_ok(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vbmi");
}

WIDE_INLINE __mmask64 bytes_mask(size_t bytes)
{
    return bytes >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << bytes) - 1;
}

WIDE_INLINE widen widen_for(unsigned w)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const __m512i lane = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    widen x = {.w = w, .whole = bytes_mask((size_t)LANES * w)};

    x.from = _mm512_add_epi64(_mm512_set1_epi64(0x0706050403020100),
                              _mm512_mullo_epi64(lane, _mm512_set1_epi64((long long)(w * ones))));
    x.keep = ones * ((1u << w) - 1);
    return x;
}

WIDE_INLINE __m512i widened(const widen *x, const uint8_t *p, __mmask64 bytes)
{
    return _mm512_maskz_permutexvar_epi8(x->keep, x->from, _mm512_maskz_loadu_epi8(bytes, p));
}

WIDE void exec_v512_unpack(const uint8_t *p, unsigned w, size_t n, uint64_t *out)
{
    const widen x = widen_for(w);
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        _mm512_storeu_si512(out + i, widened(&x, p + i * w, x.whole));
    if (i < n)
        _mm512_mask_storeu_epi64(out + i, (__mmask8)((1u << (n - i)) - 1),
                                 widened(&x, p + i * w, bytes_mask((n - i) * w)));
}

WIDE size_t exec_v512_runs(const exec_vec *v, size_t n, unsigned kw, uint8_t *ends)
{
    size_t m = 0;

    for (size_t i = 0; i < n; i += LANES) {
        size_t pairs = n - 1 - i < LANES ? n - 1 - i : LANES; /* rows that have one behind them */
        __mmask8 have = (__mmask8)((1u << pairs) - 1), end = 0;
        for (unsigned w = 0; w < kw; w++) {
            __m512i a = _mm512_maskz_loadu_epi64(have, v->k[w] + i);
            __m512i b = _mm512_maskz_loadu_epi64(have, v->k[w] + i + 1);
            end |= _mm512_cmpneq_epi64_mask(a, b);
        }
        if (pairs < LANES)
            end |= (__mmask8)(1u << pairs); /* the last row */
        ends[i / LANES] = end;
        m += (size_t)__builtin_popcount(end);
    }
    return m;
}

/* Eight running sums behind *before, which becomes the last of them in every lane. */
WIDE_INLINE __m512i running(__m512i x, __m512i *before)
{
    const __m512i zero = _mm512_setzero_si512();

    x = _mm512_add_epi64(x, _mm512_alignr_epi64(x, zero, 7));
    x = _mm512_add_epi64(x, _mm512_alignr_epi64(x, zero, 6));
    x = _mm512_add_epi64(x, _mm512_alignr_epi64(x, zero, 4));
    x = _mm512_add_epi64(x, *before);
    *before = _mm512_permutexvar_epi64(_mm512_set1_epi64(7), x);
    return x;
}

/* One counter: running sums at the ends of runs, then their differences. */
WIDE static void fold_counter(uint64_t *out, const exec_counter *c, size_t n, const uint8_t *ends)
{
    const widen x = widen_for(c->width);
    __m512i before = _mm512_setzero_si512();
    size_t m = 0;

    for (size_t i = 0; i < n; i += LANES) { /* m <= i: what is overwritten was read */
        size_t rows = n - i < LANES ? n - i : LANES;
        __mmask64 bytes = rows == LANES ? x.whole : bytes_mask(rows * c->width);
        __m512i sum = running(widened(&x, c->p + i * c->width, bytes), &before);
        __mmask8 end = ends[i / LANES];
        _mm512_storeu_si512(out + m, _mm512_maskz_compress_epi64(end, sum));
        m += (size_t)__builtin_popcount(end);
    }
    before = _mm512_setzero_si512();
    for (size_t r = 0; r < m; r += LANES) {
        __m512i now = _mm512_loadu_si512(out + r);
        _mm512_storeu_si512(out + r, _mm512_sub_epi64(now, _mm512_alignr_epi64(now, before, 7)));
        before = now;
    }
}

/* Keys at the ends of runs to the front of v->k; v->n becomes their number. */
WIDE static void fold_keys(exec_vec *v, size_t n, unsigned kw, const uint8_t *ends)
{
    for (unsigned w = 0; w < kw; w++) {
        size_t m = 0;
        for (size_t i = 0; i < n; i += LANES) {
            __mmask8 end = ends[i / LANES];
            __m512i k = _mm512_loadu_si512(v->k[w] + i);
            _mm512_storeu_si512(v->k[w] + m, _mm512_maskz_compress_epi64(end, k));
            m += (size_t)__builtin_popcount(end);
        }
        v->n = m;
    }
}

WIDE void exec_v512_fold(exec_vec *v, const exec_counter cnt[4], size_t n, unsigned kw,
                         const uint8_t *ends)
{
    for (unsigned j = 0; j < 4; j++)
        fold_counter(v->c[j], &cnt[j], n, ends);
    fold_keys(v, n, kw, ends);
}

/* ---- counters side by side ---- */

/* Sixteen values of one column as 32-bit words. */
typedef struct column32 {
    __m512i from;
    __mmask64 keep, whole;
    const uint8_t *p;
    unsigned w;
} column32;

WIDE_INLINE column32 column32_for(const exec_counter *c, __m512i rows)
{
    const int ones = 0x01010101;

    return (column32){
        .from = _mm512_add_epi32(_mm512_set1_epi32(0x03020100),
                                 _mm512_mullo_epi32(rows, _mm512_set1_epi32((int)c->width * ones))),
        .keep = UINT64_C(0x1111111111111111) * ((1u << c->width) - 1),
        .whole = bytes_mask((size_t)16 * c->width),
        .p = c->p,
        .w = c->width};
}

/* Values of rows i..i+15 of n. */
WIDE_INLINE __m512i column32_at(const column32 *c, size_t i, size_t n)
{
    __mmask64 bytes = n - i >= 16 ? c->whole : bytes_mask((n - i) * c->w);

    return _mm512_maskz_permutexvar_epi8(c->keep, c->from,
                                         _mm512_maskz_loadu_epi8(bytes, c->p + i * c->w));
}

/* Word q of 128-bit lane l is row 4 q + l: turning the lanes of four columns gives rows in order.
 */
WIDE_INLINE void columns32_for(const exec_counter cnt[4], column32 c[4])
{
    const __m512i rows = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);

    for (unsigned j = 0; j < 4; j++)
        c[j] = column32_for(&cnt[j], rows);
}

/* Rows i..i+15 of n, four in each vector. */
WIDE_INLINE void quads_at(const column32 c[4], size_t i, size_t n, __m512i out[4])
{
    __m512i x = column32_at(&c[0], i, n), y = column32_at(&c[1], i, n);
    __m512i ab0 = _mm512_unpacklo_epi32(x, y), ab1 = _mm512_unpackhi_epi32(x, y);

    x = column32_at(&c[2], i, n);
    y = column32_at(&c[3], i, n);
    __m512i cd0 = _mm512_unpacklo_epi32(x, y), cd1 = _mm512_unpackhi_epi32(x, y);
    out[0] = _mm512_unpacklo_epi64(ab0, cd0);
    out[1] = _mm512_unpackhi_epi64(ab0, cd0);
    out[2] = _mm512_unpacklo_epi64(ab1, cd1);
    out[3] = _mm512_unpackhi_epi64(ab1, cd1);
}

WIDE void exec_v512_quads(exec_vec *v, const exec_counter cnt[4], size_t n)
{
    column32 c[4];

    columns32_for(cnt, c);
    for (size_t i = 0; i < n; i += 16) {
        __m512i x[4];
        quads_at(c, i, n, x);
        for (unsigned q = 0; q < 4; q++)
            _mm512_storeu_si512(&v->low[i + 4 * q], x[q]);
    }
}

/* Running sums of all four counters, and what went into them. */
typedef struct sums32 {
    __m512i before, seen;
    __mmask16 over;
} sums32;

/* Four running sums behind s->before. */
WIDE_INLINE __m512i running32(sums32 *s, __m512i x)
{
    const __m512i zero = _mm512_setzero_si512();

    s->seen = _mm512_or_si512(s->seen, x);
    x = _mm512_add_epi32(x, _mm512_alignr_epi64(x, zero, 6));
    x = _mm512_add_epi32(x, _mm512_alignr_epi64(x, zero, 4));
    __m512i all = _mm512_shuffle_i64x2(x, x, 0xff); /* not of what follows: no long chain */
    x = _mm512_add_epi32(x, s->before);
    s->over = _kor_mask16(s->over, _mm512_cmplt_epu32_mask(x, s->before));
    s->before = _mm512_add_epi32(s->before, all);
    return x;
}

/* Below 2^30, four values cannot pass 32 bits before `before` is added. */
WIDE_INLINE int fit32(const sums32 *s)
{
    return s->over == 0 && _mm512_test_epi32_mask(s->seen, _mm512_set1_epi32((int)0xc0000000)) == 0;
}

/* Lanes of 128 bits whose bit is set, to the front: word i of the result is word [mask][i]. */
#define LANES_OF(a, b, c, d)                                                                       \
    {                                                                                              \
        2 * (a), 2 * (a) + 1, 2 * (b), 2 * (b) + 1, 2 * (c), 2 * (c) + 1, 2 * (d), 2 * (d) + 1     \
    }
static const _Alignas(64) uint64_t lanes_of[16][8] = {
    LANES_OF(0, 0, 0, 0), LANES_OF(0, 0, 0, 0), LANES_OF(1, 0, 0, 0), LANES_OF(0, 1, 0, 0),
    LANES_OF(2, 0, 0, 0), LANES_OF(0, 2, 0, 0), LANES_OF(1, 2, 0, 0), LANES_OF(0, 1, 2, 0),
    LANES_OF(3, 0, 0, 0), LANES_OF(0, 3, 0, 0), LANES_OF(1, 3, 0, 0), LANES_OF(0, 1, 3, 0),
    LANES_OF(2, 3, 0, 0), LANES_OF(0, 2, 3, 0), LANES_OF(1, 2, 3, 0), LANES_OF(0, 1, 2, 3)};

/* m running sums in v->low to their differences. */
WIDE static void differences(exec_vec *v, size_t m)
{
    __m512i before = _mm512_setzero_si512();

    for (size_t r = 0; r < m; r += 4) {
        __m512i now = _mm512_loadu_si512(&v->low[r]);
        _mm512_storeu_si512(&v->low[r], _mm512_sub_epi32(now, _mm512_alignr_epi64(now, before, 6)));
        before = now;
    }
}

/* Rows i..i+15 of n in v->low. */
WIDE_INLINE void low_at(const exec_vec *v, size_t i, size_t n, __m512i out[4])
{
    const unsigned rows = n - i < 16 ? (unsigned)(n - i) : 16;
    const uint32_t words = (uint32_t)((UINT64_C(1) << 2 * rows) - 1);

    for (unsigned q = 0; q < 4; q++)
        out[q] = _mm512_maskz_loadu_epi64((__mmask8)(words >> 8 * q), &v->low[i + 4 * q]);
}

WIDE_INLINE int fold_quads(exec_vec *v, const column32 *c, size_t n, unsigned kw,
                           const uint8_t *ends)
{
    sums32 s = {_mm512_setzero_si512(), _mm512_setzero_si512(), 0};
    size_t m = 0;

    for (size_t i = 0; i < n; i += 16) { /* m <= i: what is overwritten was read */
        unsigned end = ends[i / 8] | (n - i > 8 ? (unsigned)ends[i / 8 + 1] << 8 : 0);
        __m512i x[4];
        if (c)
            quads_at(c, i, n, x);
        else
            low_at(v, i, n, x);
        for (unsigned q = 0; q < 4; q++, end >>= 4) {
            __m512i to = _mm512_load_si512(lanes_of[end & 15]);
            _mm512_storeu_si512(&v->low[m], _mm512_permutexvar_epi64(to, running32(&s, x[q])));
            m += (size_t)__builtin_popcount(end & 15);
        }
    }
    if (!fit32(&s))
        return 0;
    differences(v, m);
    fold_keys(v, n, kw, ends);
    return 1;
}

WIDE int exec_v512_fold_quads(exec_vec *v, const exec_counter cnt[4], size_t n, unsigned kw,
                              const uint8_t *ends)
{
    column32 c[4];

    columns32_for(cnt, c);
    return fold_quads(v, c, n, kw, ends);
}

WIDE int exec_v512_fold_low(exec_vec *v, size_t n, unsigned kw, const uint8_t *ends)
{
    return fold_quads(v, NULL, n, kw, ends);
}

/* ---- rows picked by a mask ---- */

WIDE_INLINE __m512i first_rows(void)
{
    return _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
}

WIDE void exec_v512_bits(const uint8_t *mask, size_t n, uint64_t *bits)
{
    for (size_t i = 0; i < n; i += 64) {
        __m512i x = _mm512_maskz_loadu_epi8(bytes_mask(n - i), mask + i);
        bits[i / 64] = _mm512_test_epi8_mask(x, x);
    }
}

WIDE size_t exec_v512_list(const uint64_t *bits, size_t n, uint32_t base, uint32_t *out)
{
    size_t m = 0;

    for (size_t i = 0; i < n; i += 64) {
        uint64_t word = bits[i / 64];
        __m512i row = _mm512_add_epi32(first_rows(), _mm512_set1_epi32((int)(base + i)));
        for (; word; word >>= 16) {
            _mm512_storeu_si512(out + m, _mm512_maskz_compress_epi32((__mmask16)word, row));
            m += (size_t)__builtin_popcount((unsigned)word & 0xffff);
            row = _mm512_add_epi32(row, _mm512_set1_epi32(16));
        }
    }
    return m;
}

WIDE size_t exec_v512_equal(const uint64_t *bits, size_t n, const uint8_t *dport, unsigned port,
                            const uint8_t *proto, unsigned value, uint64_t *equal)
{
    const __m512i want_port = _mm512_set1_epi16((short)__builtin_bswap16((uint16_t)port));
    const __m512i want_proto = _mm512_set1_epi8((char)value);
    size_t m = 0;

    for (size_t i = 0; i < n; i += 64) {
        size_t rows = n - i < 64 ? n - i : 64, low = rows < 32 ? rows : 32;
        uint64_t e = bits[i / 64];
        if (proto)
            e &= _mm512_cmpeq_epi8_mask(_mm512_maskz_loadu_epi8(bytes_mask(rows), proto + i),
                                        want_proto);
        if (dport) {
            const uint8_t *p = dport + 2 * i;
            __m512i a = _mm512_maskz_loadu_epi8(bytes_mask(2 * low), p);
            __m512i b = _mm512_maskz_loadu_epi8(bytes_mask(2 * (rows - low)), p + 2 * low);
            e &= _mm512_cmpeq_epi16_mask(a, want_port) |
                 (uint64_t)_mm512_cmpeq_epi16_mask(b, want_port) << 32;
        }
        equal[i / 64] = e;
        m += (size_t)__builtin_popcountll(e);
    }
    return m;
}

WIDE uint64_t exec_v512_sum(const exec_counter *c, size_t n, const uint64_t *bits)
{
    const column32 x = column32_for(c, first_rows());
    const widen y = widen_for(c->width);
    __m512i sum = _mm512_setzero_si512();

    if (c->width < 4) { /* at most EXEC_VEC / 16 values of 24 bits in each sum */
        for (size_t i = 0; i < n; i += 16)
            sum = _mm512_mask_add_epi32(sum, (__mmask16)(bits[i / 64] >> i % 64), sum,
                                        column32_at(&x, i, n));
        sum = _mm512_add_epi64(_mm512_srli_epi64(sum, 32),
                               _mm512_and_si512(sum, _mm512_set1_epi64(UINT32_MAX)));
    } else {
        for (size_t i = 0; i < n; i += LANES) {
            __mmask64 bytes = n - i >= LANES ? y.whole : bytes_mask((n - i) * c->width);
            sum = _mm512_mask_add_epi64(sum, (__mmask8)(bits[i / 64] >> i % 64), sum,
                                        widened(&y, c->p + i * c->width, bytes));
        }
    }
    uint64_t lane[LANES], all = 0; /* gcc's reduction is of signed numbers: it may overflow */
    _mm512_storeu_si512(lane, sum);
    for (unsigned i = 0; i < LANES; i++)
        all += lane[i];
    return all;
}
#endif
