/* seal.c - the seed of a key under a pass phrase: Argon2id, then XChaCha20-Poly1305 that also binds
 * kind, name and cost. */
#include "gp/num.h"
#include "keyfile.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
    SALT = crypto_pwhash_argon2id_SALTBYTES,
    NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    KEY = crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
    RAW = SALT + NONCE + AUTH_SEED + TAG,
    HEAD_MAX = 160,
    PASSES = 3,
    MEMORY_KIB = 256 * 1024,
    PASSES_MAX = 16,
    MEMORY_MIN_KIB = 8,
    MEMORY_MAX_KIB = 1024 * 1024
};

/* *key: locked memory for sodium_free(). */
static gp_status derive(const char *pass, const uint8_t salt[SALT], const auth_seal_cost *c,
                        uint8_t **key, gp_err *err)
{
    uint8_t *k = sodium_malloc(KEY);
    if (k && crypto_pwhash_argon2id(k, KEY, pass, strlen(pass), salt, c->passes,
                                    (size_t)c->memory_kib * 1024,
                                    crypto_pwhash_argon2id_ALG_ARGON2ID13) == 0) {
        *key = k;
        return GP_OK;
    }
    sodium_free(k);
    return gp_fail(err, GP_ENOMEM, 0, "pass phrase: Argon2id needs %u MiB of memory",
                   c->memory_kib / 1024);
}

static int head_of(const char *kind, const char *name, const auth_seal_cost *c, char head[HEAD_MAX])
{
    return snprintf(head, HEAD_MAX, "%s %s %s %u %u", AUTH_SEALED_MAGIC, kind, name, c->passes,
                    c->memory_kib);
}

gp_status auth_seal_line(const auth_identity *id, const char *pass, const auth_seal_cost *cost,
                         gp_buf *out, gp_err *err)
{
    auth_seal_cost c = cost ? *cost : (auth_seal_cost){PASSES, MEMORY_KIB};
    uint8_t raw[RAW], *key = NULL;
    char head[HEAD_MAX], hex[2 * RAW + 1];
    if (!*pass)
        return gp_fail(err, GP_EINVAL, 0, "the pass phrase is empty");
    randombytes_buf(raw, SALT + NONCE);
    GP_TRY(derive(pass, raw, &c, &key, err));
    int n = head_of(auth_kind_name(id->kind), id->name, &c, head);
    crypto_aead_xchacha20poly1305_ietf_encrypt(raw + SALT + NONCE, NULL, id->seed, AUTH_SEED,
                                               (const uint8_t *)head, (unsigned long long)n, NULL,
                                               raw + SALT, key);
    sodium_free(key);
    gp_hex(raw, RAW, hex);
    gp_buf_printf(out, "%s %s\n", head, hex);
    return out->failed ? gp_fail(err, GP_ENOMEM, 0, "key file: out of memory") : GP_OK;
}

static int parse_cost(const char *passes, const char *memory, auth_seal_cost *c)
{
    uint64_t p, m;
    if (!gp_num_u64(passes, strlen(passes), PASSES_MAX, &p) || p == 0 ||
        !gp_num_u64(memory, strlen(memory), MEMORY_MAX_KIB, &m) || m < MEMORY_MIN_KIB)
        return 0;
    *c = (auth_seal_cost){(uint32_t)p, (uint32_t)m};
    return 1;
}

gp_status auth_seal_open(char *line, const char *path, uint8_t seed[AUTH_SEED], const char **kind,
                         const char **name, gp_err *err)
{
    char *save = NULL, *pass = NULL, head[HEAD_MAX];
    const char *word[6] = {0};
    uint8_t raw[RAW], *key = NULL;
    auth_seal_cost c;
    for (int i = 0; i < 6; i++)
        word[i] = strtok_r(i ? NULL : line, " \t\r\n", &save);
    if (!word[5] || strtok_r(NULL, " \t\r\n", &save) || !parse_cost(word[3], word[4], &c) ||
        strlen(word[1]) > 16 || !auth_name_ok(word[2], strlen(word[2])) ||
        !gp_unhex(word[5], strlen(word[5]), raw, RAW))
        return gp_fail(err, GP_ECORRUPT, 0,
                       "%s: expected '%s KIND NAME PASSES MEMORY HEX' in one line", path,
                       AUTH_SEALED_MAGIC);
    GP_TRY(auth_pass_get(path, 0, &pass, err));
    gp_status st = derive(pass, raw, &c, &key, err);
    auth_pass_free(pass);
    GP_TRY(st);
    int n = head_of(word[1], word[2], &c, head);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(seed, NULL, NULL, raw + SALT + NONCE,
                                                   AUTH_SEED + TAG, (const uint8_t *)head,
                                                   (unsigned long long)n, raw + SALT, key) != 0)
        st = gp_fail(err, GP_EDENIED, 0, "%s: wrong pass phrase, or the file was changed", path);
    sodium_free(key);
    *kind = word[1];
    *name = word[2];
    return st;
}
