/* simd.h - how kernels ask the compiler for AVX2 code beside the portable one. */
#ifndef EXEC_SIMD_H
#define EXEC_SIMD_H

/* The kernels are plain loops; gcc makes an AVX2 and a baseline body and picks at load time.
 * clang 14 has no target_clones (the baseline body is used), and the sanitizers do not stand the
 * ifunc that it needs. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) &&                             \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define EXEC_SIMD __attribute__((target_clones("avx2", "default")))
#else
#define EXEC_SIMD
#endif

#endif
