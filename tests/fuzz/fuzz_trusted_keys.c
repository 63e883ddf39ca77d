/* fuzz_trusted_keys.c - trusted_keys files: what parses is printed and parses to the same again. */
#include "auth/keys.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_line(const char *line, size_t n)
{
    auth_peer p, q;
    gp_buf out = {0};
    if (auth_entry_parse(line, n, &p, NULL) != GP_OK)
        return;
    auth_entry_format(&p, &out);
    if (auth_entry_parse((char *)out.data, out.len - 1, &q, NULL) != GP_OK || p.roles != q.roles ||
        p.max_span_s != q.max_span_s || p.not_after_s != q.not_after_s ||
        strcmp(p.host_globs, q.host_globs) != 0 || memcmp(p.sign_pk, q.sign_pk, AUTH_SIGN_PK) != 0)
        __builtin_trap();
    gp_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static auth_trust *trust;
    gp_err err = {0};
    if (!trust && auth_trust_new(&trust, NULL) != GP_OK)
        __builtin_trap();
    if (auth_trust_parse(trust, (const char *)data, size, &err) != GP_OK && err.msg[0] == 0)
        __builtin_trap(); /* every refusal says why */
    const char *nl = memchr(data, '\n', size);
    one_line((const char *)data, nl ? (size_t)(nl - (const char *)data) : size);
    return 0;
}
