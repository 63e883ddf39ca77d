/* sum.c - XXH3 as the compiler may make it for any processor, and the choice among the variants. */
#include "sum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t godb_sum_plain(const void *bytes, size_t n)
{
    return XXH3_64bits(bytes, n);
}

uint64_t godb_sum(const void *bytes, size_t n)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f"))
        return godb_sum_avx512(bytes, n);
    if (__builtin_cpu_supports("avx2"))
        return godb_sum_avx2(bytes, n);
#endif
    return godb_sum_plain(bytes, n);
}
