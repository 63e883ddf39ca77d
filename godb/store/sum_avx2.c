/* sum_avx2.c - XXH3 by vectors of 256 bits: compiled for them, called only where they exist. */
#include "sum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t godb_sum_avx2(const void *bytes, size_t n)
{
    return XXH3_64bits(bytes, n);
}
