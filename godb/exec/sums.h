/* sums.h - adding groups to sums of 32 bits in arrays; what those cannot hold stays in the vector.
 */
#ifndef EXEC_SUMS_H
#define EXEC_SUMS_H

#include "vec.h"

enum {
    EXEC_SUMS = 64, /* groups whose sums are fetched ahead */
    /* Sums keep this bit clear between calls, and groups added without looking are below a 64th of
     * it: so many cannot carry. A sum that reaches it is moved on to the table. */
    EXEC_SUM_BITS = 31,
    EXEC_SMALL_BITS = 25,
};

/* Put a group to the front of v, behind the *left groups there. */
void exec_sums_leave(exec_vec *v, size_t *left, uint64_t key, exec_quad low, exec_quad high);

/* 1 when the sum is too large to stay in its array. */
static inline int exec_sums_full(exec_quad sum)
{
    return exec_quad_any(sum >> EXEC_SUM_BITS);
}

/* The key of group i. */
typedef uint64_t (*exec_sums_key)(const void *ctx, size_t i);

/* 1 when each of n groups has something, and little. */
static inline __attribute__((always_inline)) int exec_sums_small(const exec_quad *low, size_t n)
{
    const uint64_t above = UINT64_C(0x100000001) * (UINT32_MAX - ((1u << EXEC_SMALL_BITS) - 1));
    typedef uint64_t halves __attribute__((vector_size(16)));
    halves bad = {0};

    for (size_t i = 0; i < n; i++) {
        halves x = (halves)low[i];
        bad |= (halves)(x == 0) | (x & above);
    }
    return (bad[0] | bad[1]) == 0;
}

/* A group at a time, with a look at everything. */
static inline __attribute__((always_inline)) void
exec_sums_add_each(exec_vec *v, size_t from, size_t n, exec_quad *const at[EXEC_SUMS],
                   exec_sums_key key, const void *ctx, int has_high, size_t *left)
{
    const exec_quad none = {0};

    for (size_t j = 0; j < n; j++) {
        exec_quad low = v->low[from + j], high = has_high ? v->high[from + j] : none;
        typedef uint64_t halves __attribute__((vector_size(16)));
        if (!at[j] || ((halves)low)[1] == 0 || exec_quad_any(high)) {
            exec_sums_leave(v, left, key(ctx, from + j), low, high);
            continue;
        }
        exec_quad sum = *at[j] + low, carry = (exec_quad)(sum < low) & 1;
        *at[j] = sum;
        if (exec_sums_full(sum) || exec_quad_any(carry)) {
            exec_sums_leave(v, left, key(ctx, from + j), sum, carry);
            *at[j] = none;
        }
    }
}

/* Add groups [from, from + n) of v, n <= EXEC_SUMS, to the sums at at[] and move what they leave to
 * the front of v, behind the *left groups there (*left <= from), with its key. It goes on to a
 * table, where the two meet when the arrays are flushed:
 * - groups without a sum (NULL; `all` is 1 when there are none);
 * - without packets: their sum would look like that of no group;
 * - of more than 32 bits, and sums that became too large to stay.
 * has_high: whether v->high holds anything for these groups; v->has_high becomes that of the left
 * ones. */
static inline __attribute__((always_inline)) void
exec_sums_add(exec_vec *v, size_t from, size_t n, exec_quad *const at[EXEC_SUMS], int all,
              exec_sums_key key, const void *ctx, int has_high, size_t *left)
{
    const exec_quad none = {0};
    exec_quad seen = none;

    if (!all || has_high || !exec_sums_small(&v->low[from], n)) {
        exec_sums_add_each(v, from, n, at, key, ctx, has_high, left);
        return;
    }
    for (size_t j = 0; j < n; j++)
        seen |= *at[j] += v->low[from + j];
    for (size_t j = 0; j < n && exec_sums_full(seen); j++)
        if (exec_sums_full(*at[j])) {
            exec_sums_leave(v, left, key(ctx, from + j), *at[j], none);
            *at[j] = none;
        }
}

#endif
