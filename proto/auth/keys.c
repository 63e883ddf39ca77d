/* keys.c - identities: fresh key pairs, their names and kinds. */
#include "gp/mem.h"
#include "identity.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int init_failed;

static void init_sodium(void)
{
    init_failed = sodium_init() < 0;
}

gp_status auth_init(gp_err *err)
{
    pthread_once(&once, init_sodium);
    if (init_failed)
        return gp_fail(err, GP_EIO, 0, "libsodium: no source of random bytes");
    return GP_OK;
}

static const char *const KINDS[] = {"none", "agent",  "aggregator", "gateway",
                                    "user", "issuer", "fleet"};

const char *auth_kind_name(auth_kind k)
{
    return (size_t)k < GP_COUNT(KINDS) ? KINDS[k] : "unknown";
}

int auth_kind_by_name(const char *name)
{
    for (int i = 1; i < (int)GP_COUNT(KINDS); i++) /* "none" is no kind to name */
        if (strcmp(KINDS[i], name) == 0)
            return i;
    return -1;
}

int auth_name_ok(const char *name, size_t len)
{
    if (len == 0 || len > AUTH_NAME_MAX)
        return 0;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        int ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '.' || c == '_' || c == '@' || c == '-';
        if (!ok)
            return 0;
    }
    return 1;
}

gp_status auth_identity_from_seed(auth_kind kind, const char *name, const uint8_t seed[AUTH_SEED],
                                  auth_identity **out, gp_err *err)
{
    GP_TRY(auth_init(err));
    size_t n = strlen(name);
    if (!auth_name_ok(name, n))
        return gp_fail(err, GP_EINVAL, 0,
                       "key name '%s': expected 1 to 64 characters of A-Z a-z 0-9 . _ @ -", name);
    if (kind < AUTH_KIND_AGENT || kind > AUTH_KIND_FLEET)
        return gp_fail(err, GP_EINVAL, 0,
                       "key kind: expected agent, aggregator, gateway, user, issuer or fleet");
    auth_identity *id = sodium_malloc(sizeof *id);
    if (!id)
        return gp_fail(err, GP_ENOMEM, 0, "identity: out of locked memory");
    memset(id, 0, sizeof *id);
    id->certs = gp_calloc(1, sizeof *id->certs);
    if (!id->certs) {
        sodium_free(id);
        return gp_fail(err, GP_ENOMEM, 0, "identity: out of memory");
    }
    pthread_mutex_init(&id->certs->lock, NULL);
    id->kind = kind;
    memcpy(id->name, name, n + 1);
    memcpy(id->seed, seed, AUTH_SEED);
    if (crypto_sign_ed25519_seed_keypair(id->sign_pk, id->sign_sk, seed) != 0 ||
        crypto_sign_ed25519_sk_to_curve25519(id->dh_sk, id->sign_sk) != 0 ||
        crypto_scalarmult_base(id->dh_pk, id->dh_sk) != 0) {
        auth_identity_free(id);
        return gp_fail(err, GP_ECORRUPT, 0, "identity: the seed gives no usable key");
    }
    auth_sign(id, "dh-key", id->dh_pk, AUTH_DH, id->dh_sig);
    sodium_mprotect_readonly(id);
    *out = id;
    return GP_OK;
}

gp_status auth_identity_new(auth_kind kind, const char *name, auth_identity **out, gp_err *err)
{
    GP_TRY(auth_init(err));
    uint8_t seed[AUTH_SEED];
    randombytes_buf(seed, sizeof seed);
    gp_status st = auth_identity_from_seed(kind, name, seed, out, err);
    sodium_memzero(seed, sizeof seed);
    return st;
}

void auth_identity_free(auth_identity *id)
{
    if (!id)
        return;
    pthread_mutex_destroy(&id->certs->lock);
    gp_free(id->certs->path);
    gp_free(id->certs);
    sodium_mprotect_readwrite(id);
    sodium_free(id); /* wipes */
}

void auth_identity_chain(const auth_identity *id, auth_chain *out)
{
    pthread_mutex_lock(&id->certs->lock);
    *out = id->certs->chain;
    pthread_mutex_unlock(&id->certs->lock);
}

gp_status auth_identity_set_chain(const auth_identity *id, const auth_chain *chain, gp_err *err)
{
    auth_cert c;
    if (chain->n < 1 || chain->n > AUTH_CHAIN_MAX)
        return gp_fail(err, GP_EINVAL, 0, "no certificate");
    GP_TRY(auth_cert_parse(chain->der[0], chain->len[0], &c, err));
    if (memcmp(c.sign_pk, id->sign_pk, AUTH_SIGN_PK) != 0)
        return gp_fail(err, GP_EINVAL, 0, "the certificate is for another key ('%s', not '%s')",
                       c.name, id->name);
    if (c.kind != id->kind || strcmp(c.name, id->name) != 0)
        return gp_fail(err, GP_EINVAL, 0, "the certificate names %s '%s'; the key is of %s '%s'",
                       auth_kind_name(c.kind), c.name, auth_kind_name(id->kind), id->name);
    pthread_mutex_lock(&id->certs->lock);
    id->certs->chain = *chain;
    pthread_mutex_unlock(&id->certs->lock);
    return GP_OK;
}

int64_t auth_identity_expires_s(const auth_identity *id)
{
    int64_t first = 0;
    auth_chain chain;
    auth_cert c;
    auth_identity_chain(id, &chain);
    for (size_t i = 0; i < chain.n; i++)
        if (auth_cert_parse(chain.der[i], chain.len[i], &c, NULL) == GP_OK &&
            (first == 0 || c.not_after_s < first))
            first = c.not_after_s;
    return first;
}

const char *auth_identity_cert_path(const auth_identity *id)
{
    return id->certs->path;
}

const char *auth_identity_name(const auth_identity *id)
{
    return id->name;
}

auth_kind auth_identity_kind(const auth_identity *id)
{
    return id->kind;
}

const uint8_t *auth_identity_sign_pk(const auth_identity *id)
{
    return id->sign_pk;
}

const uint8_t *auth_identity_dh_pk(const auth_identity *id)
{
    return id->dh_pk;
}
