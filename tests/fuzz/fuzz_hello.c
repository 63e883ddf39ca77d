/* fuzz_hello.c - handshake payloads from strangers. */
#include "auth/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static auth_trust *trust;
    auth_hello h;
    auth_peer p;
    gp_err err = {0};
    static const uint8_t dh[AUTH_DH];
    static const char text[] =
        "fleet f d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\n";
    if (!trust && (auth_trust_new(&trust, NULL) != GP_OK ||
                   auth_trust_parse(trust, text, sizeof text - 1, NULL) != GP_OK))
        __builtin_trap();
    if (auth_hello_decode(data, size, &h, &err) != GP_OK)
        return 0;
    auth_hello_version(&h, &err);
    if (auth_hello_verify(&h, trust, dh, 1, 0, &p, &err) == GP_OK)
        __builtin_trap(); /* nobody is trusted */
    return 0;
}
