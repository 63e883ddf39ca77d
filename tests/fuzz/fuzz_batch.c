/* fuzz_batch.c - any bytes as a batch of rows; what decodes must encode and decode to itself. */
#include "wire/batch.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static gp_status count(void *ctx, const uint8_t *bytes, size_t len, size_t rows, gp_err *err)
{
    size_t *n = ctx;
    (void)bytes;
    (void)len;
    (void)err;
    *n += rows;
    return GP_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static wire_dec *d;
    static wire_enc *e;
    result r = {0};
    size_t n = 0;
    if (!d && (wire_dec_new(&d, NULL) != GP_OK || wire_enc_new(&e, NULL) != GP_OK))
        return 0;
    if (result_init(&r, 1 << 24, NULL) != GP_OK)
        return 0;
    if (wire_batch_decode(d, data, size, NULL, NULL, &r, NULL) == GP_OK) {
        if (wire_batch_encode(e, &r, r.rows, r.n_rows, count, &n, NULL) != GP_OK || n != r.n_rows)
            abort();
    } else if (r.n_rows) {
        abort();
    }
    result_clear(&r);
    return 0;
}
