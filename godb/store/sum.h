/* sum.h - XXH3 of whole buffers with the widest vectors of the processor; same value everywhere. */
#ifndef GODB_STORE_SUM_H
#define GODB_STORE_SUM_H

#include <stddef.h>
#include <stdint.h>

/* XXH3, 64 bits, seed 0. Every reader hashes all it reads: with SSE2, which is all that the
 * compiler may assume, that took a tenth of reading; with AVX-512 a thirtieth. */
uint64_t godb_sum(const void *bytes, size_t n);

/* The variants, for the dispatch and its test. The last two exist on x86-64 only and need a
 * processor that has these instructions. */
uint64_t godb_sum_plain(const void *bytes, size_t n);
uint64_t godb_sum_avx2(const void *bytes, size_t n);
uint64_t godb_sum_avx512(const void *bytes, size_t n);

#endif
