/* sum_test.c - every variant of XXH3 gives the library's value at every length and alignment. */
#include "sum.h"
#include "test.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { LONGEST = 5000 };

static void test_variants_agree(void **state)
{
    (void)state;
    static uint8_t bytes[LONGEST + 64];
    uint64_t x = 1;

    for (size_t i = 0; i < sizeof bytes; i++) {
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
        bytes[i] = (uint8_t)(x >> 56);
    }
    for (size_t n = 0; n <= LONGEST; n += n < 600 ? 1 : 97) {
        const uint8_t *p = bytes + n % 64;
        uint64_t want = XXH3_64bits(p, n);
        if (godb_sum_plain(p, n) != want || godb_sum(p, n) != want)
            fail_msg("%zu bytes: plain or chosen variant differs", n);
#ifdef __x86_64__
        if (__builtin_cpu_supports("avx2") && godb_sum_avx2(p, n) != want)
            fail_msg("%zu bytes: AVX2 differs", n);
        if (__builtin_cpu_supports("avx512f") && godb_sum_avx512(p, n) != want)
            fail_msg("%zu bytes: AVX-512 differs", n);
#endif
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_variants_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
