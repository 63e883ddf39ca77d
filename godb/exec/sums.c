/* sums.c - groups that sums of 32 bits in arrays cannot hold. */
#include "sums.h"

#include <string.h>

void exec_sums_leave(exec_vec *v, size_t *left, uint64_t key, exec_quad low, exec_quad high)
{
    if (!v->has_high && exec_quad_any(high)) {
        memset(v->high, 0, *left * sizeof v->high[0]);
        v->has_high = 1;
    }
    v->k[0][*left] = key;
    v->low[*left] = low;
    if (v->has_high)
        v->high[*left] = high;
    (*left)++;
}
