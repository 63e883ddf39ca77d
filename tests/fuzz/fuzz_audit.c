/* fuzz_audit.c - audit logs: every line of the input is checked as a chain. */
#include "auth/audit.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auth_audit_check c = {0};
    auth_audit_line l;
    const char *p = (const char *)data;
    for (size_t at = 0; at < size;) {
        const char *nl = memchr(p + at, '\n', size - at);
        size_t n = nl ? (size_t)(nl - p) - at : size - at;
        if (auth_audit_line_parse(p + at, n, &l, NULL) == GP_OK && (l.body_len >= n || !l.seq))
            __builtin_trap();
        if (auth_audit_check_line(&c, p + at, n, NULL) != GP_OK)
            break;
        at += n + 1;
    }
    return 0;
}
