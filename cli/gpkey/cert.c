/* cert.c - what the certificate commands share: signing, files, printing. */
#include "gpkey.h"

#include "auth/digest.h"
#include "auth/renew.h"
#include "auth/seal.h"
#include "gp/clock.h"
#include "gp/num.h"
#include "gp/output.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DAY = 86400, BACKDATE_S = 300 }; /* clocks differ: valid from a little earlier */

void gpkey_cert_path(const char *path, gp_buf *out)
{
    size_t n = strlen(path);
    if (n > 4 && (strcmp(path + n - 4, ".key") == 0 || strcmp(path + n - 4, ".pub") == 0 ||
                  strcmp(path + n - 4, ".csr") == 0))
        n -= 4;
    gp_buf_add(out, path, n);
    gp_buf_adds(out, ".crt");
}

gp_status gpkey_with_options(const gpkey_values *v, auth_peer *p, gp_err *err)
{
    const struct {
        const char *name, *value;
    } opts[] = {{"roles", v->roles},           {"hosts", v->hosts},
                {"ifaces", v->ifaces},         {"max-span", v->max_span},
                {"not-before", v->not_before}, {"not-after", v->not_after}};
    gp_buf line = {0};
    auth_entry_format(p, &line);
    if (line.len)
        line.len--; /* the newline */
    for (size_t i = 0; i < GP_COUNT(opts); i++)
        if (opts[i].value && *opts[i].value)
            gp_buf_printf(&line, " %s=%s", opts[i].name, opts[i].value);
    gp_status st = line.failed ? gp_fail(err, GP_ENOMEM, 0, "out of memory")
                               : auth_entry_parse((const char *)line.data, line.len, p, err);
    gp_buf_free(&line);
    return st;
}

void gpkey_cert_from_peer(const auth_peer *p, uint64_t days, auth_cert *c)
{
    int64_t from = p->not_before_s ? p->not_before_s : gp_wall_s() - BACKDATE_S;
    *c = (auth_cert){.kind = p->kind,
                     .roles = p->roles,
                     .max_span_s = p->max_span_s,
                     .not_before_s = from,
                     .not_after_s = p->not_after_s ? p->not_after_s : from + (int64_t)days * DAY};
    memcpy(c->name, p->name, sizeof c->name);
    memcpy(c->sign_pk, p->sign_pk, AUTH_SIGN_PK);
    memcpy(c->host_globs, p->host_globs, sizeof c->host_globs);
    memcpy(c->iface_globs, p->iface_globs, sizeof c->iface_globs);
}

/* --by, loaded once: it may ask for a pass phrase. */
static gp_status load_signer(gpkey_values *v, gp_err *err)
{
    return v->signer ? GP_OK : auth_identity_load(v->by, &v->signer, err);
}

/* The signer's own certificate goes along when it is an issuing key. */
static gp_status add_issuer(const gpkey_values *v, auth_chain *ch, auth_cert *c, gp_err *err)
{
    auth_chain own;
    auth_cert issuing;
    GP_TRY(auth_issuer_cert(v->signer, &own, &issuing, err));
    if (c->not_after_s > issuing.not_after_s) {
        c->not_after_s = issuing.not_after_s;
        if (!v->quiet)
            fprintf(stderr, "gpkey: '%s' ends with the issuing key '%s' that signs it\n", c->name,
                    issuing.name);
    }
    memcpy(c->fleet, issuing.fleet, AUTH_SIGN_PK);
    memcpy(ch->der[1], own.der[0], own.len[0]);
    ch->len[1] = own.len[0];
    ch->n = 2;
    return GP_OK;
}

gp_status gpkey_default_days(gpkey_values *v, gp_err *err)
{
    auth_chain own;
    auth_cert c = {0};
    if (v->days)
        return GP_OK;
    GP_TRY(load_signer(v, err));
    if (auth_identity_kind(v->signer) == AUTH_KIND_ISSUER)
        GP_TRY(auth_issuer_cert(v->signer, &own, &c, err));
    v->days = 365;
    if (c.max_validity_s && c.max_validity_s < 365 * (int64_t)DAY)
        v->days = (uint64_t)(c.max_validity_s / DAY);
    return GP_OK;
}

gp_status gpkey_limits_of_signer(gpkey_values *v, auth_peer *p, gp_err *err)
{
    auth_chain own;
    auth_cert c;
    GP_TRY(load_signer(v, err));
    if (auth_identity_kind(v->signer) != AUTH_KIND_ISSUER)
        return GP_OK;
    GP_TRY(auth_issuer_cert(v->signer, &own, &c, err));
    if (strcmp(p->host_globs, "*") == 0)
        memcpy(p->host_globs, c.host_globs, sizeof p->host_globs);
    if (strcmp(p->iface_globs, "*") == 0)
        memcpy(p->iface_globs, c.iface_globs, sizeof p->iface_globs);
    if (!p->max_span_s)
        p->max_span_s = c.max_span_s;
    if (p->roles == auth_roles_default(p->kind))
        p->roles &= c.roles;
    return GP_OK;
}

gp_status gpkey_sign(gpkey_values *v, auth_cert *c, auth_chain *out, gp_err *err)
{
    auth_chain ch = {.n = 1};
    auth_cert got;
    gp_buf b = {0};
    GP_TRY(load_signer(v, err));
    const auth_identity *signer = v->signer;
    gp_status st = GP_OK;
    auth_random(c->serial, sizeof c->serial);
    if (auth_identity_kind(signer) == AUTH_KIND_ISSUER && c->kind == AUTH_KIND_ISSUER)
        st = gp_fail(err, GP_EINVAL, 0,
                     "%s is an issuing key itself: issuing keys are signed by the key of the fleet",
                     v->by);
    else if (auth_identity_kind(signer) == AUTH_KIND_ISSUER)
        st = add_issuer(v, &ch, c, err);
    if (st == GP_OK)
        st = auth_cert_sign(c, signer, &b, err);
    if (st == GP_OK) {
        memcpy(ch.der[0], b.data, b.len);
        ch.len[0] = b.len;
        /* Never hand out what others will refuse. */
        if (c->kind != AUTH_KIND_ISSUER && c->not_before_s <= gp_wall_s())
            st = auth_chain_check(&ch, c->fleet, gp_wall_s(), &got, NULL, err);
    }
    if (st == GP_OK)
        *out = ch;
    gp_buf_free(&b);
    return st;
}

gp_status gpkey_save(const gpkey_values *v, const auth_identity *id, const char *path, gp_err *err)
{
    char *pass = NULL;
    if (v->seal)
        GP_TRY(auth_pass_get(path, 1, &pass, err));
    gp_status st = auth_identity_write(id, path, 0, pass, NULL, err);
    auth_pass_free(pass);
    return st;
}

gp_status gpkey_write_pub(const auth_identity *id, const char *key_path, gp_buf *pub_path,
                          gp_err *err)
{
    gp_buf entry = {0};
    gpkey_pub_path(key_path, pub_path);
    auth_trust_entry(id, NULL, &entry);
    gp_status st = gp_output_write(gp_buf_str(pub_path), 0644, entry.data, entry.len, err);
    gp_buf_free(&entry);
    return st;
}

gp_status gpkey_make(const gpkey_values *v, auth_kind kind, const char *name, gp_buf *key_path,
                     gp_buf *pub_path, gp_err *err)
{
    auth_identity *id = NULL;
    GP_TRY(auth_identity_new(kind, name, &id, err));
    if (v->out && *v->out)
        gp_buf_adds(key_path, v->out);
    else
        gp_buf_printf(key_path, "%s.key", name);
    gp_status st = gpkey_save(v, id, gp_buf_str(key_path), err);
    if (st == GP_OK)
        st = gpkey_write_pub(id, gp_buf_str(key_path), pub_path, err);
    auth_identity_free(id);
    return st;
}

gp_status gpkey_write_chain(const char *path, const auth_chain *ch, gp_err *err)
{
    gp_buf text = {0};
    auth_chain_text(ch, &text);
    gp_status st = text.failed ? gp_fail(err, GP_ENOMEM, 0, "out of memory")
                               : gp_output_write(path, 0644, text.data, text.len, err);
    gp_buf_free(&text);
    return st;
}

void gpkey_print_time(const char *what, int64_t s)
{
    char text[40];
    struct tm tm;
    time_t t = (time_t)s;
    gmtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &tm);
    printf("  %-11s %s\n", what, text);
}

static void print_hex(const char *what, const uint8_t *p, size_t n)
{
    char hex[2 * AUTH_SIGN_PK + 1];
    gp_hex(p, n, hex);
    printf("  %-11s %s\n", what, hex);
}

void gpkey_print_cert(const auth_cert *c)
{
    gp_buf roles = {0};
    auth_roles_format(c->roles, &roles);
    printf("  what        %s\n  kind        %s\n  name        %s\n",
           c->kind == AUTH_KIND_ISSUER ? "issuing certificate" : "certificate",
           auth_kind_name(c->kind), c->name);
    print_hex("serial", c->serial, AUTH_SERIAL);
    print_hex("public key", c->sign_pk, AUTH_SIGN_PK);
    print_hex("fleet key", c->fleet, AUTH_SIGN_PK);
    if (memcmp(c->issuer, c->fleet, AUTH_SIGN_PK) != 0)
        print_hex("issuer key", c->issuer, AUTH_SIGN_PK);
    gpkey_print_time("valid from", c->not_before_s);
    gpkey_print_time("valid until", c->not_after_s);
    printf("  roles       %s\n  hosts       %s\n  interfaces  %s\n", gp_buf_str(&roles),
           c->host_globs, c->iface_globs);
    if (c->max_span_s)
        printf("  max span    %lld s\n", (long long)c->max_span_s);
    for (int k = AUTH_KIND_AGENT; c->kinds && k <= AUTH_KIND_USER; k++)
        if (c->kinds >> k & 1)
            printf("  may sign    %s\n", auth_kind_name((auth_kind)k));
    gp_buf_free(&roles);
}
