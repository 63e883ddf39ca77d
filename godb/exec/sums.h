/* sums.h - adding groups to sums of 32 bits in arrays; what those cannot hold stays in the vector.
 */
#ifndef EXEC_SUMS_H
#define EXEC_SUMS_H

#include "vec.h"

enum { EXEC_SUMS = 64 }; /* groups whose sums are fetched ahead */

/* Put a group to the front of v, behind the *left groups there. */
void exec_sums_leave(exec_vec *v, size_t *left, uint64_t key, exec_quad low, exec_quad high);

/* The key of group i. */
typedef uint64_t (*exec_sums_key)(const void *ctx, size_t i);

/* Add groups [from, from + n) of v, n <= EXEC_SUMS, to the sums at at[] and move what they leave to
 * the front of v, behind the *left groups there (*left <= from), with its key. It goes on to a
 * table, where the two meet when the arrays are flushed:
 * - groups without a sum (NULL);
 * - without packets: their sum would look like that of no group;
 * - of more than 32 bits, and what a sum carries beyond 32 bits.
 * has_high: whether v->high holds anything for these groups; v->has_high becomes that of the left
 * ones. */
static inline __attribute__((always_inline)) void exec_sums_add(exec_vec *v, size_t from, size_t n,
                                                                exec_quad *const at[EXEC_SUMS],
                                                                exec_sums_key key, const void *ctx,
                                                                int has_high, size_t *left)
{
    const exec_quad none = {0};

    for (size_t j = 0; j < n; j++) {
        exec_quad low = v->low[from + j], high = has_high ? v->high[from + j] : none;
        typedef uint64_t halves __attribute__((vector_size(16)));
        if (__builtin_expect(!at[j] || ((halves)low)[1] == 0 || exec_quad_any(high), 0)) {
            exec_sums_leave(v, left, key(ctx, from + j), low, high);
            continue;
        }
        exec_quad sum = *at[j] + low, carry = (exec_quad)(sum < low);
        *at[j] = sum;
        if (__builtin_expect(exec_quad_any(carry), 0))
            exec_sums_leave(v, left, key(ctx, from + j), none, carry & 1);
    }
}

#endif
