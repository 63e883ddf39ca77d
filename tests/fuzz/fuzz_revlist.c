/* fuzz_revlist.c - revocation lists: bytes, text, and bytes that a fleet key signed. */
#include "auth/cert.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FLEET = 32 };

/* The parser demands a signature; so that mutations get behind it, sign them. */
static void parse_signed(const uint8_t *p, size_t n)
{
    auth_revlist l = {0};
    gp_buf b = {0}, again = {0};
    uint8_t sig[AUTH_SIG];
    auth_identity *fleet = NULL;
    if (auth_identity_new(AUTH_KIND_FLEET, "f", &fleet, NULL) != GP_OK)
        abort();
    gp_buf_adds(&b, "FPR1");
    gp_buf_add(&b, auth_identity_sign_pk(fleet), FLEET);
    gp_buf_add(&b, p, n);
    auth_sign(fleet, "revocations", b.data, b.len, sig);
    gp_buf_add(&b, sig, sizeof sig);
    if (auth_revlist_parse(b.data, b.len, &l, NULL) == GP_OK) { /* one encoding of every list */
        if (auth_revlist_sign(&l, fleet, &again, NULL) != GP_OK || again.len != b.len ||
            memcmp(again.data, b.data, b.len) != 0)
            __builtin_trap();
        auth_revlist_free(&l);
    }
    gp_buf_free(&b);
    gp_buf_free(&again);
    auth_identity_free(fleet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auth_revlist l = {0};
    if (!size)
        return 0;
    if (data[0] & 1) {
        parse_signed(data + 1, size - 1);
    } else if (auth_revlist_parse(data + 1, size - 1, &l, NULL) == GP_OK) {
        auth_revlist_free(&l);
    }
    return 0;
}
