/* fuzz_checkpoint.c - a checkpoint file; head and checksum are made right so that the rest is seen.
 */
#include "checkpoint.h"
#include "gp/bytes.h"
#include "gp/mem.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every byte that the result names must be readable. */
static uint64_t touch(const flow_checkpoint *c)
{
    const godb_rows *r = &c->rows;
    size_t n = (size_t)r->n_v4 + r->n_v6, addr = (size_t)r->n_v4 * 4 + (size_t)r->n_v6 * 16;
    uint64_t sum = 0;

    for (size_t i = 0; i < addr; i++)
        sum += (uint64_t)r->sip[i] + r->dip[i];
    for (size_t i = 0; i < n; i++) {
        sum += (uint64_t)r->proto[i] + gp_be16(r->dport + 2 * i);
        for (int k = 0; k < GODB_N_COUNTERS; k++)
            sum += r->counter[k][i];
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *b = gp_alloc_aligned(size ? size : 1, 1);
    flow_checkpoint c;

    if (!b)
        return 0;
    memcpy(b, data, size);
    if (size >= FLOW_CHECKPOINT_HEAD && (data[size - 1] & 1)) {
        XXH3_state_t s;
        memcpy(b, "GPCK\1\0\0\0", 8);
        (void)XXH3_64bits_reset(&s);
        (void)XXH3_64bits_update(&s, b, 40);
        (void)XXH3_64bits_update(&s, b + FLOW_CHECKPOINT_HEAD, size - FLOW_CHECKPOINT_HEAD);
        gp_put_le64(b + 40, XXH3_64bits_digest(&s));
    }
    if (flow_checkpoint_parse(b, size, &c, NULL) == GP_OK && touch(&c) &&
        c.rows.n_v4 + c.rows.n_v6 == 0) /* a sum of nothing */
        abort();
    gp_free(b);
    return 0;
}
