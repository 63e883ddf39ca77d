/* cert.c - certificates: one canonical encoding, signed bytes, parsed only after a length check. */
#include "auth/cert.h"

#include "identity.h"
#include "tlv.h"

#include <sodium.h>
#include <string.h>

/* "FPC1", fields of tlv.h, then 64 bytes of auth_sign("cert") over everything before. */
enum {
    F_SERIAL = 1,
    F_KIND,
    F_NAME,
    F_KEY,
    F_FLEET,
    F_ISSUER,
    F_NOT_BEFORE,
    F_NOT_AFTER,
    F_ROLES,
    F_HOSTS,
    F_IFACES,
    F_MAX_SPAN,     /* absent = no limit */
    F_KINDS,        /* issuing certificates only */
    F_MAX_VALIDITY, /* issuing certificates only; absent = no limit */
    F_CRITICAL = 0x80
};

static const char MAGIC[] = "FPC1";
#define MAX_TIME INT64_C(253402300799) /* end of the year 9999 */

static void add_u32(gp_buf *b, uint8_t type, uint32_t v)
{
    uint8_t raw[4];
    gp_put_be32(raw, v);
    auth_tlv_add(b, type, raw, sizeof raw);
}

static void add_u64(gp_buf *b, uint8_t type, int64_t v)
{
    uint8_t raw[8];
    gp_put_be64(raw, (uint64_t)v);
    auth_tlv_add(b, type, raw, sizeof raw);
}

static int globs_ok(const char *g, size_t n)
{
    if (n == 0 || n > 255)
        return 0;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)g[i] <= ' ' || (unsigned char)g[i] > '~')
            return 0;
    return 1;
}

/* What every certificate must keep, ours or foreign. */
static gp_status check_fields(const auth_cert *c, gp_err *err)
{
    const uint32_t all_roles = AUTH_ROLE_QUERY | AUTH_ROLE_LIVE | AUTH_ROLE_STATUS |
                               AUTH_ROLE_CONFIG_READ | AUTH_ROLE_CONFIG_WRITE | AUTH_ROLE_RELAY;
    int issuing = c->kind == AUTH_KIND_ISSUER;
    if (c->kind < AUTH_KIND_AGENT || c->kind > AUTH_KIND_ISSUER)
        return gp_fail(err, GP_EINVAL, 0, "certificate: kind %d", (int)c->kind);
    if (!auth_name_ok(c->name, strnlen(c->name, sizeof c->name)))
        return gp_fail(err, GP_EINVAL, 0, "certificate: bad name");
    if (c->not_before_s < 0 || c->not_after_s <= c->not_before_s || c->not_after_s > MAX_TIME)
        return gp_fail(err, GP_EINVAL, 0, "certificate: validity ends before it begins");
    if (c->roles & ~all_roles)
        return gp_fail(err, GP_EINVAL, 0, "certificate: unknown roles");
    if (!globs_ok(c->host_globs, strlen(c->host_globs)) ||
        !globs_ok(c->iface_globs, strlen(c->iface_globs)))
        return gp_fail(err, GP_EINVAL, 0, "certificate: bad host or interface globs");
    if (c->max_span_s < 0 || c->max_validity_s < 0)
        return gp_fail(err, GP_EINVAL, 0, "certificate: negative limit");
    if (!issuing && (c->kinds || c->max_validity_s))
        return gp_fail(err, GP_EINVAL, 0, "certificate: limits of an issuing key in a leaf");
    if (issuing && (c->kinds & ~0x1eu || !c->kinds))
        return gp_fail(err, GP_EINVAL, 0, "certificate: an issuing key must name what it may sign");
    return GP_OK;
}

gp_status auth_cert_sign(auth_cert *c, const auth_identity *signer, gp_buf *out, gp_err *err)
{
    uint8_t kind = (uint8_t)c->kind, sig[AUTH_SIG];
    gp_buf b = {0};
    memcpy(c->issuer, signer->sign_pk, AUTH_SIGN_PK);
    if (signer->kind == AUTH_KIND_FLEET)
        memcpy(c->fleet, signer->sign_pk, AUTH_SIGN_PK);
    else if (signer->kind != AUTH_KIND_ISSUER)
        return gp_fail(err, GP_EINVAL, 0,
                       "'%s' is the key of an ordinary %s; certificates are signed "
                       "by a fleet key or an issuing key",
                       signer->name, auth_kind_name(signer->kind));
    GP_TRY(check_fields(c, err));
    gp_buf_adds(&b, MAGIC);
    auth_tlv_add(&b, F_SERIAL, c->serial, AUTH_SERIAL);
    auth_tlv_add(&b, F_KIND, &kind, 1);
    auth_tlv_add(&b, F_NAME, c->name, strlen(c->name));
    auth_tlv_add(&b, F_KEY, c->sign_pk, AUTH_SIGN_PK);
    auth_tlv_add(&b, F_FLEET, c->fleet, AUTH_SIGN_PK);
    auth_tlv_add(&b, F_ISSUER, c->issuer, AUTH_SIGN_PK);
    add_u64(&b, F_NOT_BEFORE, c->not_before_s);
    add_u64(&b, F_NOT_AFTER, c->not_after_s);
    add_u32(&b, F_ROLES, c->roles);
    auth_tlv_add(&b, F_HOSTS, c->host_globs, strlen(c->host_globs));
    auth_tlv_add(&b, F_IFACES, c->iface_globs, strlen(c->iface_globs));
    if (c->max_span_s)
        add_u64(&b, F_MAX_SPAN, c->max_span_s);
    if (c->kinds)
        add_u32(&b, F_KINDS, c->kinds);
    if (c->max_validity_s)
        add_u64(&b, F_MAX_VALIDITY, c->max_validity_s);
    if (!b.failed) {
        auth_sign(signer, "cert", b.data, b.len, sig);
        gp_buf_add(&b, sig, AUTH_SIG);
        gp_buf_add(out, b.data, b.len);
    }
    gp_status st =
        b.failed || out->failed ? gp_fail(err, GP_ENOMEM, 0, "certificate: out of memory") : GP_OK;
    gp_buf_free(&b);
    return st;
}

/* ---- parsing ---- */

static int get_bytes(const auth_tlv *t, void *dst, size_t n)
{
    if (t->n != n)
        return 0;
    memcpy(dst, t->v, n);
    return 1;
}

static int get_text(const auth_tlv *t, char *dst, size_t cap)
{
    if (t->n == 0 || t->n >= cap || memchr(t->v, 0, t->n))
        return 0;
    memcpy(dst, t->v, t->n);
    dst[t->n] = 0;
    return 1;
}

static int get_u32(const auth_tlv *t, uint32_t *v)
{
    if (t->n != 4)
        return 0;
    *v = gp_be32(t->v);
    return 1;
}

static int get_time(const auth_tlv *t, int64_t *v)
{
    if (t->n != 8 || gp_be64(t->v) > (uint64_t)MAX_TIME)
        return 0;
    *v = (int64_t)gp_be64(t->v);
    return 1;
}

static int get_field(const auth_tlv *t, auth_cert *c)
{
    uint8_t kind = 0;
    int ok;
    switch (t->type) {
    case F_SERIAL:
        return get_bytes(t, c->serial, AUTH_SERIAL);
    case F_KIND:
        ok = get_bytes(t, &kind, 1);
        c->kind = (auth_kind)kind;
        return ok;
    case F_NAME:
        return get_text(t, c->name, sizeof c->name);
    case F_KEY:
        return get_bytes(t, c->sign_pk, AUTH_SIGN_PK);
    case F_FLEET:
        return get_bytes(t, c->fleet, AUTH_SIGN_PK);
    case F_ISSUER:
        return get_bytes(t, c->issuer, AUTH_SIGN_PK);
    case F_NOT_BEFORE:
        return get_time(t, &c->not_before_s);
    case F_NOT_AFTER:
        return get_time(t, &c->not_after_s);
    case F_ROLES:
        return get_u32(t, &c->roles);
    case F_HOSTS:
        return get_text(t, c->host_globs, sizeof c->host_globs);
    case F_IFACES:
        return get_text(t, c->iface_globs, sizeof c->iface_globs);
    case F_MAX_SPAN: /* zero is written by leaving the field out */
        return get_time(t, &c->max_span_s) && c->max_span_s > 0;
    case F_KINDS:
        return get_u32(t, &c->kinds) && c->kinds != 0;
    case F_MAX_VALIDITY:
        return get_time(t, &c->max_validity_s) && c->max_validity_s > 0;
    default:
        return !(t->type & F_CRITICAL);
    }
}

gp_status auth_cert_parse(const void *bytes, size_t len, auth_cert *out, gp_err *err)
{
    const uint8_t *p = bytes;
    auth_cert c = {0};
    uint32_t seen = 0;
    int more;
    if (len < 4 + AUTH_SIG || len > AUTH_CERT_MAX || memcmp(p, MAGIC, 4) != 0)
        return gp_fail(err, GP_ECORRUPT, 0, "certificate: not a certificate of this version");
    auth_tlv t = {.p = p + 4, .end = p + len - AUTH_SIG, .last = -1};
    while ((more = auth_tlv_next(&t)) > 0) {
        if (!get_field(&t, &c))
            return gp_fail(err, GP_ECORRUPT, 0, "certificate: field %u is malformed or unknown",
                           t.type);
        if (t.type < 32)
            seen |= 1u << t.type;
    }
    const uint32_t needed = ((1u << (F_IFACES + 1)) - 1) & ~1u; /* F_SERIAL to F_IFACES */
    if (more < 0 || (seen & needed) != needed)
        return gp_fail(err, GP_ECORRUPT, 0, "certificate: fields are missing or out of order");
    gp_status st = check_fields(&c, err);
    if (st != GP_OK)
        return gp_fail_context(err, GP_ECORRUPT, "malformed");
    *out = c;
    return GP_OK;
}

int auth_cert_signed_by(const void *bytes, size_t len, const uint8_t pk[AUTH_SIGN_PK])
{
    const uint8_t *p = bytes;
    return len > AUTH_SIG && auth_verify(pk, "cert", p, len - AUTH_SIG, p + len - AUTH_SIG);
}

void auth_cert_peer(const auth_cert *c, auth_peer *out)
{
    *out = (auth_peer){.kind = c->kind,
                       .roles = c->roles,
                       .max_span_s = c->max_span_s,
                       .not_before_s = c->not_before_s,
                       .not_after_s = c->not_after_s,
                       .local_uid = -1};
    memcpy(out->name, c->name, sizeof out->name);
    memcpy(out->sign_pk, c->sign_pk, AUTH_SIGN_PK);
    memcpy(out->host_globs, c->host_globs, sizeof out->host_globs);
    memcpy(out->iface_globs, c->iface_globs, sizeof out->iface_globs);
    /* A key that gives no channel key stays all zero: no channel ever proves that. */
    if (crypto_sign_ed25519_pk_to_curve25519(out->dh_pk, c->sign_pk) != 0)
        memset(out->dh_pk, 0, AUTH_DH);
}
