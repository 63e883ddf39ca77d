/* chain.c - is a certificate good under a fleet key? Signatures, path, validity, nothing widened.
 */
#include "auth/cert.h"
#include "auth/request.h"

#include <string.h>
#include <time.h>

static gp_status check_time(const auth_cert *c, int64_t now_s, gp_err *err)
{
    if (now_s >= c->not_before_s && now_s <= c->not_after_s)
        return GP_OK;
    int64_t t = now_s < c->not_before_s ? c->not_before_s : c->not_after_s;
    char text[32];
    struct tm tm;
    gmtime_r(&(time_t){(time_t)t}, &tm);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &tm);
    return gp_fail(err, GP_EDENIED, 0, "the certificate of '%s' %s %s", c->name,
                   now_s < c->not_before_s ? "is not valid before" : "expired on", text);
}

/* May this issuing certificate sign that leaf? */
static gp_status check_issuer(const auth_cert *leaf, const auth_cert *iss, gp_err *err)
{
    const char *what = NULL;
    if (!(iss->kinds >> leaf->kind & 1))
        what = "kind";
    else if (leaf->roles & ~iss->roles)
        what = "roles";
    else if (!auth_globs_within(leaf->host_globs, iss->host_globs))
        what = "hosts";
    else if (!auth_globs_within(leaf->iface_globs, iss->iface_globs))
        what = "interfaces";
    else if (iss->max_span_s && (!leaf->max_span_s || leaf->max_span_s > iss->max_span_s))
        what = "time span";
    else if (iss->max_validity_s && leaf->not_after_s - leaf->not_before_s > iss->max_validity_s)
        what = "validity";
    if (what)
        return gp_fail(err, GP_EDENIED, 0,
                       "the certificate of '%s' goes beyond what its issuer '%s' may give (%s)",
                       leaf->name, iss->name, what);
    return GP_OK;
}

gp_status auth_chain_check(const auth_chain *ch, const uint8_t fleet[AUTH_SIGN_PK], int64_t now_s,
                           auth_cert *leaf, auth_cert *issuer, gp_err *err)
{
    auth_cert l, i = {.kind = AUTH_KIND_NONE};
    if (ch->n < 1 || ch->n > AUTH_CHAIN_MAX)
        return gp_fail(err, GP_EINVAL, 0, "no certificate");
    GP_TRY(auth_cert_parse(ch->der[0], ch->len[0], &l, err));
    if (ch->n == 2)
        GP_TRY(auth_cert_parse(ch->der[1], ch->len[1], &i, err));
    if (l.kind == AUTH_KIND_ISSUER)
        return gp_fail(err, GP_EDENIED, 0, "'%s' is an issuing key, not a peer", l.name);
    if (memcmp(l.fleet, fleet, AUTH_SIGN_PK) != 0)
        return gp_fail(err, GP_EDENIED, 0, "the certificate of '%s' is of another fleet", l.name);
    if (ch->n == 1) {
        if (memcmp(l.issuer, fleet, AUTH_SIGN_PK) != 0)
            return gp_fail(err, GP_EDENIED, 0, "the issuer's certificate of '%s' is missing",
                           l.name);
    } else {
        if (i.kind != AUTH_KIND_ISSUER || memcmp(l.issuer, i.sign_pk, AUTH_SIGN_PK) != 0 ||
            memcmp(i.fleet, fleet, AUTH_SIGN_PK) != 0 || memcmp(i.issuer, fleet, AUTH_SIGN_PK) != 0)
            return gp_fail(err, GP_EDENIED, 0,
                           "the certificate of '%s' was issued by a key that the "
                           "fleet did not appoint",
                           l.name);
        if (!auth_cert_signed_by(ch->der[1], ch->len[1], fleet))
            return gp_fail(err, GP_EDENIED, 0, "the issuer's certificate of '%s' is forged",
                           l.name);
        GP_TRY(check_time(&i, now_s, err));
        GP_TRY(check_issuer(&l, &i, err));
    }
    if (!auth_cert_signed_by(ch->der[0], ch->len[0], l.issuer))
        return gp_fail(err, GP_EDENIED, 0, "the certificate of '%s' is forged", l.name);
    GP_TRY(check_time(&l, now_s, err));
    *leaf = l;
    if (issuer)
        *issuer = i;
    return GP_OK;
}
