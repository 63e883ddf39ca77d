/* fuzz_request.c - any bytes as a signed request, its body, and the statement they make. */
#include "wire/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void body(const uint8_t *data, size_t size)
{
    wire_query q;
    query_stmt *s = NULL;
    gp_buf b = {0};
    if (wire_query_decode(data, size, &q, NULL) != GP_OK)
        return;
    if (wire_query_to_stmt(&q, 1750000000, &s, NULL) == GP_OK)
        query_stmt_free(s);
    (void)!wire_query_encode(&q, &b, NULL);
    gp_buf_free(&b);
    wire_query_clear(&q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wire_request r;
    if (wire_request_decode(data, size, &r, NULL) == GP_OK) {
        body(r.body.data, r.body.len);
        wire_request_clear(&r);
    }
    body(data, size);
    return 0;
}
