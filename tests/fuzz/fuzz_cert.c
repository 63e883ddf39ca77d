/* fuzz_cert.c - certificates, requests for them and revocation lists, binary and as text. The first
 * byte chooses. */
#include "auth/cert.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void chain(const uint8_t *p, size_t n)
{
    auth_chain ch = {.n = 1};
    auth_cert leaf, issuer;
    uint8_t fleet[AUTH_SIGN_PK] = {0};
    if (n > AUTH_CERT_MAX)
        return;
    memcpy(ch.der[0], p, n);
    ch.len[0] = n;
    if (auth_cert_parse(p, n, &leaf, NULL) == GP_OK)
        memcpy(fleet, leaf.fleet, sizeof fleet);
    if (auth_chain_check(&ch, fleet, 1000, &leaf, &issuer, NULL) == GP_OK)
        __builtin_trap(); /* nobody can sign */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auth_chain ch;
    auth_peer p;
    auth_revlist l = {0};
    if (!size)
        return 0;
    const char *text = (const char *)data + 1;
    size_t n = size - 1;
    switch (data[0] % 4) {
    case 0:
        chain(data + 1, n);
        break;
    case 1:
        if (auth_chain_parse_text(text, n, &ch, NULL) == GP_OK) {
            gp_buf again = {0};
            auth_chain_text(&ch, &again);
            auth_chain back;
            if (auth_chain_parse_text((char *)again.data, again.len, &back, NULL) != GP_OK)
                __builtin_trap();
            gp_buf_free(&again);
        }
        break;
    case 2:
        if (auth_csr_read(text, n, &p, NULL) == GP_OK && p.name[0] == 0)
            __builtin_trap();
        break;
    default:
        if (auth_revlist_parse(data + 1, n, &l, NULL) == GP_OK)
            auth_revlist_free(&l);
        break;
    }
    return 0;
}
