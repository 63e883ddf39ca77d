/* fuzz_answer.c - any bytes as a message of an answer, and as the small unary messages. */
#include "gp/mem.h"
#include "wire/answer.h"
#include "wire/info.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void others(const uint8_t *data, size_t size)
{
    wire_host_info *v = NULL;
    wire_info i;
    size_t n = 0;
    void *owner = NULL;
    char *a, *b;
    char *const *names;
    (void)!wire_hosts_decode(data, size, &v, &n, &owner, NULL);
    wire_hosts_free(v, owner);
    if (wire_info_decode(data, size, &i, &owner, NULL) == GP_OK)
        wire_info_free(owner);
    if (wire_ifaces_decode(data, size, &names, &n, &owner, NULL) == GP_OK)
        wire_ifaces_free(owner);
    if (wire_hosts_request_decode(data, size, &a, &b, NULL) == GP_OK) {
        gp_free(a);
        gp_free(b);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wire_answer a = {0};
    result r = {0};
    if (wire_answer_decode(data, size, &a, NULL) == GP_OK) {
        if (a.kind == WIRE_SUMMARY && result_init(&r, 1 << 20, NULL) == GP_OK)
            (void)!wire_summary_apply(&a.u.summary, &r, NULL);
        result_clear(&r);
        wire_answer_clear(&a);
    }
    others(data, size);
    return 0;
}
