/* renew.c - signing certificates again, and taking the new one. */
#include "auth/renew.h"

#include "auth/digest.h"
#include "gp/mem.h"
#include "identity.h"
#include "state.h"

#include <string.h>

enum { BACKDATE_S = 300 }; /* clocks differ: valid from a little earlier */

struct auth_issuer {
    auth_identity *id;
    auth_chain own; /* one certificate */
    auth_cert cert;
};

void auth_issuer_free(auth_issuer *i)
{
    if (!i)
        return;
    auth_identity_free(i->id);
    gp_free(i);
}

gp_status auth_issuer_cert(const auth_identity *id, auth_chain *own, auth_cert *cert, gp_err *err)
{
    const char *path = id->certs->path;
    if (!path)
        return gp_fail(err, GP_EINVAL, 0, "the issuing key '%s' is in no file", id->name);
    GP_TRY(auth_chain_load(path, own, err));
    GP_TRY(auth_cert_parse(own->der[0], own->len[0], cert, err));
    if (cert->kind != AUTH_KIND_ISSUER || memcmp(cert->sign_pk, id->sign_pk, AUTH_SIGN_PK) != 0)
        return gp_fail(err, GP_EINVAL, 0, "%s is not the certificate of the issuing key '%s'", path,
                       id->name);
    return GP_OK;
}

static gp_status load(auth_issuer *i, const char *path, gp_err *err)
{
    GP_TRY(auth_identity_load(path, &i->id, err));
    if (i->id->kind != AUTH_KIND_ISSUER)
        return gp_fail(err, GP_EINVAL, 0, "%s: the key is of kind %s, expected issuer", path,
                       auth_kind_name(i->id->kind));
    return auth_issuer_cert(i->id, &i->own, &i->cert, err);
}

gp_status auth_issuer_load(const char *path, auth_issuer **out, gp_err *err)
{
    auth_issuer *i = gp_calloc(1, sizeof *i);
    if (!i)
        return gp_fail(err, GP_ENOMEM, 0, "issuing key: out of memory");
    gp_status st = load(i, path, err);
    if (st != GP_OK) {
        auth_issuer_free(i);
        return st;
    }
    *out = i;
    return GP_OK;
}

/* The same certificate with a fresh serial number and validity. */
static gp_status sign_again(const auth_issuer *i, const auth_cert *old, int64_t now_s,
                            auth_chain *fresh, gp_err *err)
{
    auth_cert c = *old;
    gp_buf b = {0};
    auth_random(c.serial, sizeof c.serial);
    c.not_before_s = now_s - BACKDATE_S;
    c.not_after_s = c.not_before_s + (old->not_after_s - old->not_before_s);
    if (c.not_after_s > i->cert.not_after_s)
        c.not_after_s = i->cert.not_after_s;
    if (c.not_after_s <= old->not_after_s)
        return gp_fail(err, GP_EDENIED, 0, "the issuing key '%s' expires too soon", i->cert.name);
    gp_status st = auth_cert_sign(&c, i->id, &b, err);
    if (st == GP_OK) {
        *fresh = (auth_chain){.n = 2};
        memcpy(fresh->der[0], b.data, b.len);
        fresh->len[0] = b.len;
        memcpy(fresh->der[1], i->own.der[0], i->own.len[0]);
        fresh->len[1] = i->own.len[0];
    }
    gp_buf_free(&b);
    return st;
}

gp_status auth_issuer_renew(const auth_issuer *i, auth_trust *trust,
                            const uint8_t peer[AUTH_SIGN_PK], const void *packed, size_t len,
                            int64_t now_s, gp_buf *out, gp_err *err)
{
    auth_chain chain, fresh;
    auth_cert old;
    auth_peer p;
    GP_TRY(auth_chain_unpack(packed, len, &chain, err));
    if (chain.n == 0)
        return gp_fail(err, GP_EINVAL, 0, "no certificate to renew");
    GP_TRY(auth_trust_learn(trust, &chain, now_s, &p, err)); /* good now, and not revoked */
    GP_TRY(auth_cert_parse(chain.der[0], chain.len[0], &old, err));
    if (memcmp(old.sign_pk, peer, AUTH_SIGN_PK) != 0)
        return gp_fail(err, GP_EDENIED, 0, "the certificate is not that of the caller");
    /* A stolen user key must end when its certificate does. */
    if (old.kind == AUTH_KIND_USER)
        return gp_fail(err, GP_EDENIED, 0,
                       "certificates of users are renewed by whoever issues them");
    if (now_s - old.not_before_s < (old.not_after_s - old.not_before_s) / 2)
        return gp_fail(err, GP_EEXIST, 0, "the certificate of '%s' is good for long enough",
                       old.name);
    GP_TRY(sign_again(i, &old, now_s, &fresh, err));
    GP_TRY(auth_trust_learn(trust, &fresh, now_s, &p, err)); /* within what the issuer may give */
    auth_chain_pack(&fresh, out);
    return out->failed ? gp_fail(err, GP_ENOMEM, 0, "certificate: out of memory") : GP_OK;
}

/* ---- the holder ---- */

int64_t auth_renew_in(const auth_identity *id, int64_t now_s, int64_t *left_s)
{
    auth_chain chain;
    auth_cert c;
    auth_identity_chain(id, &chain);
    if (chain.n == 0 || auth_cert_parse(chain.der[0], chain.len[0], &c, NULL) != GP_OK)
        return INT64_MAX;
    int64_t due = c.not_before_s + (c.not_after_s - c.not_before_s) / 3 * 2;
    if (left_s)
        *left_s = c.not_after_s - now_s;
    return now_s >= due ? 0 : due - now_s;
}

/* An issuer may prolong what we are, not change it. */
gp_status auth_cert_prolongs(const auth_cert *old, const auth_cert *fresh, gp_err *err)
{
    if (old->kind != fresh->kind || old->roles != fresh->roles ||
        old->max_span_s != fresh->max_span_s || strcmp(old->name, fresh->name) != 0 ||
        strcmp(old->host_globs, fresh->host_globs) != 0 ||
        strcmp(old->iface_globs, fresh->iface_globs) != 0 ||
        memcmp(old->fleet, fresh->fleet, AUTH_SIGN_PK) != 0 ||
        memcmp(old->sign_pk, fresh->sign_pk, AUTH_SIGN_PK) != 0)
        return gp_fail(err, GP_EDENIED, 0, "the new certificate says something else than the old");
    if (fresh->not_after_s <= old->not_after_s)
        return gp_fail(err, GP_EDENIED, 0, "the new certificate ends no later than the old");
    return GP_OK;
}

gp_status auth_renew_take(const auth_identity *id, auth_trust *trust, const void *packed,
                          size_t len, int64_t now_s, gp_err *err)
{
    auth_chain old, fresh;
    auth_cert a, b;
    auth_peer p;
    gp_buf text = {0};
    auth_identity_chain(id, &old);
    GP_TRY(auth_chain_unpack(packed, len, &fresh, err));
    if (old.n == 0 || fresh.n == 0)
        return gp_fail(err, GP_EINVAL, 0, "no certificate");
    GP_TRY(auth_cert_parse(old.der[0], old.len[0], &a, err));
    GP_TRY(auth_cert_parse(fresh.der[0], fresh.len[0], &b, err));
    GP_TRY(auth_cert_prolongs(&a, &b, err));
    GP_TRY(auth_trust_learn(trust, &fresh, now_s, &p, err));
    GP_TRY(auth_identity_set_chain(id, &fresh, err));
    if (!id->certs->path)
        return GP_OK;
    auth_chain_text(&fresh, &text);
    gp_status st = auth_state_write(id->certs->path, "", &text, err);
    gp_buf_free(&text);
    return st;
}
