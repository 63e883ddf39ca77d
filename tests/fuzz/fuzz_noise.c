/* fuzz_noise.c - handshake messages and records from a peer who does not know the keys. */
#include "auth/noise.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t s[AUTH_DH] = {1, 2, 3}, e[AUTH_DH] = {4, 5, 6};
    auth_noise *n = NULL;
    gp_buf out = {0}, payload = {0};
    if (!size)
        return 0;
    int initiator = data[0] & 1;
    data++;
    size--;
    if (auth_noise_new_raw(s, e, initiator, "p", 1, &n, NULL) != GP_OK)
        __builtin_trap();
    if (initiator && auth_noise_write(n, "", 0, &out, NULL) != GP_OK)
        __builtin_trap();
    size_t first = size < 48 || initiator ? size : 48; /* the rest is a later message */
    gp_status st = auth_noise_read(n, data, first, &payload, NULL);
    if (initiator && st == GP_OK)
        __builtin_trap(); /* forged without the key */
    if (!initiator && st == GP_OK) {
        gp_buf_clear(&out);
        if (auth_noise_write(n, "hello", 5, &out, NULL) == GP_OK &&
            auth_noise_read(n, data + first, size - first, &payload, NULL) == GP_OK)
            __builtin_trap();
    }
    if (auth_noise_done(n))
        __builtin_trap();
    gp_buf_free(&out);
    gp_buf_free(&payload);
    auth_noise_free(n);
    return 0;
}
