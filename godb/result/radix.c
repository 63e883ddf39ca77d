/* radix.c - LSD radix sort of 64-bit keys; bytes that are the same in all keys cost nothing. */
#include "order.h"

#include <string.h>

void result_radix_sort(order_entry *v, order_entry *tmp, size_t n)
{
    size_t count[8][256];
    memset(count, 0, sizeof count);
    for (size_t i = 0; i < n; i++)
        for (unsigned b = 0; b < 8; b++)
            count[b][v[i].key >> (8 * b) & 255]++;

    order_entry *from = v, *to = tmp;
    for (unsigned b = 0; b < 8; b++) {
        if (n == 0 || count[b][v[0].key >> (8 * b) & 255] == n)
            continue;
        size_t at = 0;
        for (unsigned i = 0; i < 256; i++) {
            size_t c = count[b][i];
            count[b][i] = at;
            at += c;
        }
        for (size_t i = 0; i < n; i++)
            to[count[b][from[i].key >> (8 * b) & 255]++] = from[i];
        order_entry *swap = from;
        from = to;
        to = swap;
    }
    if (from != v)
        memcpy(v, from, n * sizeof *v);
}
