/* certfile.c - certificates and requests for them as text files. */
#include "armor.h"
#include "auth/cert.h"
#include "gp/io.h"
#include "identity.h"
#include "trustline.h"

#include <fcntl.h>
#include <string.h>

static const char CERT[] = "fleetprobe-cert-v1", CSR[] = "fleetprobe-csr-v1";
enum { FILE_MAX = 16 * 1024 };

gp_status auth_chain_parse_text(const char *text, size_t len, auth_chain *out, gp_err *err)
{
    auth_chain ch = {0};
    size_t at = 0;
    int rv = 0;
    while (ch.n < AUTH_CHAIN_MAX && (rv = auth_armor_next(text, len, &at, CERT, ch.der[ch.n],
                                                          AUTH_CERT_MAX, &ch.len[ch.n])) > 0) {
        auth_cert c;
        GP_TRY(auth_cert_parse(ch.der[ch.n], ch.len[ch.n], &c, err));
        ch.n++;
    }
    uint8_t more[AUTH_CERT_MAX];
    size_t more_len;
    if (rv > 0 && ch.n == AUTH_CHAIN_MAX)
        rv = auth_armor_next(text, len, &at, CERT, more, sizeof more, &more_len) == 0 ? 0 : -1;
    if (rv < 0 || ch.n == 0)
        return gp_fail(err, GP_ECORRUPT, 0, "expected one or two lines '%s BASE64'", CERT);
    *out = ch;
    return GP_OK;
}

gp_status auth_chain_load(const char *path, auth_chain *out, gp_err *err)
{
    gp_buf text = {0};
    gp_status st = gp_read_file(AT_FDCWD, path, FILE_MAX, &text, err);
    if (st == GP_OK &&
        (st = auth_chain_parse_text((const char *)text.data, text.len, out, err)) != GP_OK)
        st = gp_fail_context(err, st, "%s", path);
    gp_buf_free(&text);
    return st;
}

void auth_chain_text(const auth_chain *ch, gp_buf *out)
{
    for (size_t i = 0; i < ch->n; i++)
        auth_armor_add(out, CERT, ch->der[i], ch->len[i]);
}

/* Signed: the trusted_keys line with the options asked for. */
gp_status auth_csr_make(const auth_identity *id, const char *options, gp_buf *out, gp_err *err)
{
    gp_buf b = {0};
    auth_peer p;
    uint8_t sig[AUTH_SIG];
    auth_trust_entry(id, options, &b);
    if (b.len)
        b.len--; /* the newline */
    gp_status st = auth_entry_parse((const char *)b.data, b.len, &p, err);
    if (st == GP_OK) {
        auth_sign(id, "csr", b.data, b.len, sig);
        gp_buf_add(&b, sig, sizeof sig);
        auth_armor_add(out, CSR, b.data, b.len);
        if (b.failed || out->failed)
            st = gp_fail(err, GP_ENOMEM, 0, "request: out of memory");
    }
    gp_buf_free(&b);
    return st;
}

gp_status auth_csr_read(const char *text, size_t len, auth_peer *out, gp_err *err)
{
    uint8_t raw[AUTH_LINE_MAX + AUTH_SIG];
    size_t n = 0, at = 0;
    auth_peer p;
    if (auth_armor_next(text, len, &at, CSR, raw, sizeof raw, &n) != 1 || n <= AUTH_SIG)
        return gp_fail(err, GP_ECORRUPT, 0, "expected a line '%s BASE64'", CSR);
    GP_TRY(auth_entry_parse((const char *)raw, n - AUTH_SIG, &p, err));
    if (!auth_verify(p.sign_pk, "csr", raw, n - AUTH_SIG, raw + n - AUTH_SIG))
        return gp_fail(err, GP_EDENIED, 0, "the request of '%s' is not signed by its own key",
                       p.name);
    *out = p;
    return GP_OK;
}

/* ---- chains in messages ---- */

void auth_chain_pack(const auth_chain *ch, gp_buf *out)
{
    for (size_t i = 0; i < ch->n; i++) {
        uint8_t len[2];
        gp_put_be16(len, (uint16_t)ch->len[i]);
        gp_buf_add(out, len, sizeof len);
        gp_buf_add(out, ch->der[i], ch->len[i]);
    }
}

gp_status auth_chain_unpack(const void *bytes, size_t len, auth_chain *out, gp_err *err)
{
    const uint8_t *p = bytes;
    auth_chain ch = {0};
    for (size_t at = 0; at < len;) {
        size_t n = len - at >= 2 ? gp_be16(p + at) : 0;
        if (n == 0 || n > AUTH_CERT_MAX || len - at - 2 < n || ch.n == AUTH_CHAIN_MAX)
            return gp_fail(err, GP_ECORRUPT, 0, "malformed certificates");
        memcpy(ch.der[ch.n], p + at + 2, n);
        ch.len[ch.n++] = n;
        at += 2 + n;
    }
    *out = ch;
    return GP_OK;
}

int auth_trust_know(auth_trust *t, const uint8_t sign_pk[AUTH_SIGN_PK], const void *packed,
                    size_t len, int64_t now_s, auth_peer *out)
{
    auth_chain ch;
    auth_peer p;
    if (auth_trust_find(t, sign_pk, now_s, out))
        return 1;
    if (!len || auth_chain_unpack(packed, len, &ch, NULL) != GP_OK || !ch.n ||
        auth_trust_learn(t, &ch, now_s, &p, NULL) != GP_OK ||
        memcmp(p.sign_pk, sign_pk, AUTH_SIGN_PK) != 0)
        return 0;
    *out = p;
    return 1;
}
