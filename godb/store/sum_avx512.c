/* sum_avx512.c - XXH3 by vectors of 512 bits: compiled for them, called only where they exist. */
#include "sum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t godb_sum_avx512(const void *bytes, size_t n)
{
    return XXH3_64bits(bytes, n);
}
