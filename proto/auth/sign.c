/* sign.c - typed signatures: Ed25519 over a prefix, a type and the hash of the bytes. */
#include "identity.h"

#include <sodium.h>
#include <string.h>

static const char PREFIX[] = "fleetprobe-v1 ";

enum { TYPE_MAX = 64, MSG_MAX = sizeof PREFIX + TYPE_MAX + 64 };

/* "fleetprobe-v1 " || type || 0x00 || BLAKE2b-512(bytes) into msg; returns its length. The type
 * keeps a signature made for one purpose from being shown for another (docs/security.md). */
static size_t to_sign(const char *type, const void *bytes, size_t len, uint8_t msg[MSG_MAX])
{
    size_t n = sizeof PREFIX - 1, tn = strnlen(type, TYPE_MAX);
    memcpy(msg, PREFIX, n);
    memcpy(msg + n, type, tn);
    n += tn;
    msg[n++] = 0;
    crypto_generichash_blake2b(msg + n, 64, bytes, len, NULL, 0);
    return n + 64;
}

void auth_sign(const auth_identity *id, const char *type, const void *bytes, size_t len,
               uint8_t sig[AUTH_SIG])
{
    uint8_t msg[MSG_MAX];
    size_t n = to_sign(type, bytes, len, msg);
    crypto_sign_ed25519_detached(sig, NULL, msg, n, id->sign_sk);
}

int auth_verify(const uint8_t pk[AUTH_SIGN_PK], const char *type, const void *bytes, size_t len,
                const uint8_t sig[AUTH_SIG])
{
    uint8_t msg[MSG_MAX];
    size_t n = to_sign(type, bytes, len, msg);
    return crypto_sign_ed25519_verify_detached(sig, msg, n, pk) == 0;
}
