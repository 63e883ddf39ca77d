/* predkern.c - the loops that compare a vector of column values and write a byte mask. */
#include "pred.h"

#include "gp/bytes.h"
#include "simd.h"

#include <string.h>

EXEC_SIMD void exec_k_range16(const uint8_t *v, size_t n, uint16_t lo, uint16_t hi, uint8_t neg,
                              uint8_t *mask)
{
    uint16_t width = (uint16_t)(hi - lo);

    for (size_t i = 0; i < n; i++) {
        uint16_t x = gp_be16(v + 2 * i);
        mask[i] = (uint8_t)(((uint16_t)(x - lo) <= width) ^ neg);
    }
}

EXEC_SIMD void exec_k_range8(const uint8_t *v, size_t n, uint8_t lo, uint8_t hi, uint8_t neg,
                             uint8_t *mask)
{
    uint8_t width = (uint8_t)(hi - lo);

    for (size_t i = 0; i < n; i++)
        mask[i] = (uint8_t)(((uint8_t)(v[i] - lo) <= width) ^ neg);
}

void exec_k_lut16(const uint8_t *v, size_t n, const uint64_t *lut, uint8_t *mask)
{
    for (size_t i = 0; i < n; i++) {
        unsigned x = gp_be16(v + 2 * i);
        mask[i] = (uint8_t)(lut[x >> 6] >> (x & 63) & 1);
    }
}

void exec_k_lut8(const uint8_t *v, size_t n, const uint64_t *lut, uint8_t *mask)
{
    for (size_t i = 0; i < n; i++)
        mask[i] = (uint8_t)(lut[v[i] >> 6] >> (v[i] & 63) & 1);
}

EXEC_SIMD void exec_k_net4(const uint8_t *v, size_t n, uint32_t m, uint32_t value, uint8_t neg,
                           uint8_t *mask)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t x;
        memcpy(&x, v + 4 * i, 4);
        mask[i] = (uint8_t)(((x & m) == value) ^ neg);
    }
}

EXEC_SIMD void exec_k_net6(const uint8_t *v, size_t n, const uint64_t m[2], const uint64_t value[2],
                           uint8_t neg, uint8_t *mask)
{
    uint64_t m0 = m[0], m1 = m[1], v0 = value[0], v1 = value[1];

    for (size_t i = 0; i < n; i++) {
        uint64_t x[2];
        memcpy(x, v + 16 * i, 16);
        mask[i] = (uint8_t)(((((x[0] & m0) ^ v0) | ((x[1] & m1) ^ v1)) == 0) ^ neg);
    }
}

unsigned exec_set_hash(const uint8_t *addr, size_t width)
{
    uint64_t h = gp_le32(addr);

    if (width == 16)
        h = gp_le64(addr) ^ gp_le64(addr + 8) * UINT64_C(0xd6e8feb86659fd93);
    return (unsigned)(h * UINT64_C(0x9e3779b97f4a7c15) >> 48);
}

static int set_has(const exec_pred *p, const uint8_t *addr, size_t width)
{
    size_t lo = 0, hi = p->set_n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = memcmp(p->set + mid * width, addr, width);
        if (c == 0)
            return 1;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return 0;
}

void exec_k_set(const uint8_t *v, size_t n, const exec_pred *p, size_t width, uint8_t *mask)
{
    for (size_t i = 0; i < n; i++) {
        const uint8_t *a = v + i * width;
        unsigned h = exec_set_hash(a, width);
        uint8_t hit = (uint8_t)(p->bloom[h >> 6] >> (h & 63) & 1);
        if (hit)
            hit = (uint8_t)set_has(p, a, width);
        mask[i] = hit ^ p->neg;
    }
}

EXEC_SIMD void exec_k_and(uint8_t *a, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        a[i] &= b[i];
}

EXEC_SIMD void exec_k_or(uint8_t *a, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        a[i] |= b[i];
}

EXEC_SIMD size_t exec_k_count(const uint8_t *mask, size_t n)
{
    size_t total = 0;

    for (size_t i = 0; i < n;) { /* runs of at most 255 keep the sums in bytes */
        size_t end = i + 248 < n ? i + 248 : n;
        unsigned sum = 0;
        for (; i < end; i++)
            sum += mask[i];
        total += sum;
    }
    return total;
}

size_t exec_k_select(const uint8_t *mask, size_t n, uint32_t base, uint32_t *out)
{
    size_t k = 0, i = 0;

    for (; i + 8 <= n; i += 8) {
        uint64_t m = gp_le64(mask + i);
        if (m == 0)
            continue;
        for (unsigned j = 0; j < 8; j++) { /* no branch on the data */
            out[k] = base + (uint32_t)i + j;
            k += m & 1;
            m >>= 8;
        }
    }
    for (; i < n; i++) {
        out[k] = base + (uint32_t)i;
        k += mask[i];
    }
    return k;
}
