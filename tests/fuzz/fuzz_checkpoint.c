/* fuzz_checkpoint.c - a checkpoint file; head and checksum are made right so that the rest is seen.
 */
#include "checkpoint.h"
#include "gp/bytes.h"
#include "gp/mem.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every byte that the result names must be readable; 0 on a sum that cannot be. */
static int touch(const flow_checkpoint *c)
{
    GP_CLEANUP(flow_bank_unrefp) flow_bank *b = NULL;
    uint64_t sum = 0;

    if (flow_checkpoint_bank(c, &b, NULL) != GP_OK)
        return 1;
    if (flow_bank_count(b) != (size_t)c->n_v4 + c->n_v6)
        return 0;
    for (size_t i = 0; i < flow_bank_count(b); i++) {
        flow_row r;
        flow_bank_row(b, i, &r);
        sum |= r.sport; /* of no record */
    }
    return sum == 0;
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
        memcpy(b, "GPCK\2\0\0\0", 8);
        (void)XXH3_64bits_reset(&s);
        (void)XXH3_64bits_update(&s, b + FLOW_CHECKPOINT_HEAD, size - FLOW_CHECKPOINT_HEAD);
        (void)XXH3_64bits_update(&s, b, 40);
        gp_put_le64(b + 40, XXH3_64bits_digest(&s));
    }
    if (flow_checkpoint_parse(b, size, &c, NULL) == GP_OK && !touch(&c))
        abort();
    gp_free(b);
    return 0;
}
