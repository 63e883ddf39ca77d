/* hello.c - handshake payloads: encode, decode, and check who the peer is. */
#include "auth/hello.h"

#include "gp/num.h"
#include "identity.h"

#include <string.h>

/* Layout, big endian: "FPH1", u8 min version, u8 max version, u16 zero, u32 features, then fields
 * of u8 type, u16 length, bytes. Types with the high bit set must be understood, others may be
 * skipped. */
enum {
    HEAD = 12,
    F_SIGN_PK = 1,
    F_DH_SIG = 2,
    F_CERT = 3,
    F_LISTS = 4,
    LIST = AUTH_SIGN_PK + 8,
    F_CRITICAL = 0x80
};

static const char MAGIC[] = "FPH1";

static void add_field(gp_buf *out, uint8_t type, const void *bytes, size_t len)
{
    uint8_t head[3] = {type, 0, 0};
    gp_put_be16(head + 1, (uint16_t)len);
    gp_buf_add(out, head, sizeof head);
    gp_buf_add(out, bytes, len);
}

/* Fleets and the numbers of their revocation lists: whoever has the newer one sends it. */
static void add_lists(auth_trust *trust, gp_buf *out)
{
    auth_fleet_state f[AUTH_MAX_FLEETS];
    uint8_t raw[AUTH_MAX_FLEETS * LIST];
    size_t n = auth_trust_fleets(trust, f);
    for (size_t i = 0; i < n; i++) {
        memcpy(raw + i * LIST, f[i].fleet, AUTH_SIGN_PK);
        gp_put_be64(raw + i * LIST + AUTH_SIGN_PK, f[i].number);
    }
    if (n)
        add_field(out, F_LISTS, raw, n * LIST);
}

void auth_hello_encode(const auth_identity *id, auth_trust *trust, uint32_t features, gp_buf *out)
{
    auth_chain chain;
    uint8_t head[HEAD] = {0};
    memcpy(head, MAGIC, 4);
    head[4] = AUTH_PROTO_MIN;
    head[5] = AUTH_PROTO_MAX;
    gp_put_be32(head + 8, features);
    gp_buf_add(out, head, sizeof head);
    if (id) {
        add_field(out, F_SIGN_PK, id->sign_pk, AUTH_SIGN_PK);
        add_field(out, F_DH_SIG, id->dh_sig, AUTH_SIG);
        auth_identity_chain(id, &chain);
        for (size_t i = 0; i < chain.n; i++)
            add_field(out, F_CERT, chain.der[i], chain.len[i]);
    }
    if (trust)
        add_lists(trust, out);
}

static gp_status decode_field(uint8_t type, const uint8_t *v, size_t n, unsigned *seen,
                              auth_hello *h, gp_err *err)
{
    switch (type) {
    case F_SIGN_PK:
        if (n != AUTH_SIGN_PK || (*seen & 1u << F_SIGN_PK))
            return gp_fail(err, GP_ECORRUPT, 0, "hello: identity field of %zu bytes", n);
        memcpy(h->sign_pk, v, n);
        break;
    case F_DH_SIG:
        if (n != AUTH_SIG || (*seen & 1u << F_DH_SIG))
            return gp_fail(err, GP_ECORRUPT, 0, "hello: signature field of %zu bytes", n);
        memcpy(h->dh_sig, v, n);
        break;
    case F_CERT:
        if (n > AUTH_CERT_MAX || h->chain.n == AUTH_CHAIN_MAX)
            return gp_fail(err, GP_ECORRUPT, 0, "hello: too many or too long certificates");
        memcpy(h->chain.der[h->chain.n], v, n);
        h->chain.len[h->chain.n++] = n;
        break;
    case F_LISTS:
        if (n % LIST || n / LIST > AUTH_MAX_FLEETS || (*seen & 1u << F_LISTS))
            return gp_fail(err, GP_ECORRUPT, 0, "hello: list field of %zu bytes", n);
        h->n_fleets = n / LIST;
        for (size_t i = 0; i < h->n_fleets; i++) {
            memcpy(h->fleets[i].fleet, v + i * LIST, AUTH_SIGN_PK);
            h->fleets[i].number = gp_be64(v + i * LIST + AUTH_SIGN_PK);
        }
        break;
    default:
        if (type & F_CRITICAL)
            return gp_fail(err, GP_EUNSUPPORTED, 0,
                           "hello: the peer needs feature %u that this version does not have",
                           (unsigned)type);
        return GP_OK;
    }
    *seen |= 1u << type;
    return GP_OK;
}

gp_status auth_hello_decode(const void *bytes, size_t len, auth_hello *out, gp_err *err)
{
    const uint8_t *p = bytes;
    auth_hello h = {0};
    unsigned seen = 0;
    if (len < HEAD || len > AUTH_HELLO_MAX || memcmp(p, MAGIC, 4) != 0)
        return gp_fail(err, GP_ECORRUPT, 0, "hello: the peer does not speak fleetprobe");
    h.min_version = p[4];
    h.max_version = p[5];
    if (h.min_version == 0 || h.min_version > h.max_version || gp_be16(p + 6) != 0)
        return gp_fail(err, GP_ECORRUPT, 0, "hello: malformed header");
    h.features = gp_be32(p + 8);
    for (size_t at = HEAD; at < len;) {
        if (len - at < 3 || len - at - 3 < gp_be16(p + at + 1))
            return gp_fail(err, GP_ECORRUPT, 0, "hello: cut short");
        size_t n = gp_be16(p + at + 1);
        GP_TRY(decode_field(p[at], p + at + 3, n, &seen, &h, err));
        at += 3 + n;
    }
    if (!(seen & 1u << F_SIGN_PK) != !(seen & 1u << F_DH_SIG))
        return gp_fail(err, GP_ECORRUPT, 0, "hello: identity without signature");
    h.has_identity = (seen & 1u << F_SIGN_PK) != 0;
    *out = h;
    return GP_OK;
}

unsigned auth_hello_version(const auth_hello *peer, gp_err *err)
{
    unsigned top = peer->max_version < AUTH_PROTO_MAX ? peer->max_version : AUTH_PROTO_MAX;
    if (top >= AUTH_PROTO_MIN && top >= peer->min_version)
        return top;
    gp_fail(
        err, GP_EUNSUPPORTED, 0,
        "the peer speaks protocol versions %u to %u, this program %d to %d; update the older one",
        peer->min_version, peer->max_version, AUTH_PROTO_MIN, AUTH_PROTO_MAX);
    return 0;
}

/* Who asked learns where our trust is missing; a stranger that came by learns about his own key and
 * nothing about our files. */
static gp_status stranger(const auth_hello *h, auth_trust *t, int dialed, gp_err *err)
{
    char hex[2 * AUTH_SIGN_PK + 1], file[128];
    gp_hex(h->sign_pk, AUTH_SIGN_PK, hex);
    if (!dialed)
        return gp_fail(err, GP_EDENIED, 0,
                       "your key %s is not trusted by this server: it is not in its trusted_keys, "
                       "or not valid at this time",
                       hex);
    auth_trust_file(t, file, sizeof file);
    return gp_fail(err, GP_EDENIED, 0, "the server's key %s is not in %s (gpkey trust), or expired",
                   hex, file);
}

gp_status auth_hello_verify(const auth_hello *h, auth_trust *t, const uint8_t dh_pk[AUTH_DH],
                            int64_t now_s, int dialed, auth_peer *out, gp_err *err)
{
    auth_peer p;
    gp_err why = {0};
    if (!h->has_identity)
        return gp_fail(err, GP_EDENIED, 0, "the peer has no identity; it needs a key (gpkey new)");
    /* Look first: known peers cost no certificate check, strangers without one no signature check.
     */
    int known = t && auth_trust_find(t, h->sign_pk, now_s, &p);
    if (!known && t && h->chain.n) {
        gp_status st = auth_trust_learn(t, &h->chain, now_s, &p, &why);
        if (st != GP_OK && st != GP_ENOTFOUND)
            return gp_fail(err, GP_EDENIED, 0, "%s%s", dialed ? "the server: " : "", why.msg);
        known = st == GP_OK && memcmp(p.sign_pk, h->sign_pk, AUTH_SIGN_PK) == 0;
    }
    if (!known)
        return stranger(h, t, dialed, err);
    if (!auth_verify(h->sign_pk, "dh-key", dh_pk, AUTH_DH, h->dh_sig))
        return gp_fail(err, GP_EDENIED, 0, "the channel key is not bound to the key of '%s'",
                       p.name);
    memcpy(p.dh_pk, dh_pk, AUTH_DH);
    *out = p;
    return GP_OK;
}
