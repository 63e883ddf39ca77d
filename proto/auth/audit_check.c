/* audit_check.c - lines of audit logs: parse one, follow the chain, verify checkpoints. */
#include "audit_line.h"

#include "auth/digest.h"
#include "gp/bytes.h"
#include "gp/num.h"

#include <inttypes.h>
#include <string.h>

void auth_audit_hash(const uint8_t prev[AUTH_HASH], const void *body, size_t len,
                     uint8_t out[AUTH_HASH])
{
    auth_digest d;
    auth_digest_init(&d);
    auth_digest_add(&d, prev, AUTH_HASH);
    auth_digest_add(&d, body, len);
    auth_digest_final(&d, out);
}

void auth_audit_signed(uint64_t seq, const uint8_t prev[AUTH_HASH], uint8_t out[AUTH_AUDIT_SIGNED])
{
    gp_put_be64(out, seq);
    memcpy(out + 8, prev, AUTH_HASH);
}

/* ---- one line ---- */

typedef struct cursor {
    const char *p, *end;
} cursor;

static int take(cursor *c, const char *literal)
{
    size_t n = strlen(literal);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, literal, n) != 0)
        return 0;
    c->p += n;
    return 1;
}

/* The rest of a string of plain characters, and its closing quote. */
static int take_word(cursor *c, char *out, size_t cap)
{
    size_t n = 0, left = (size_t)(c->end - c->p);
    while (n < left && c->p[n] != '"' && c->p[n] != '\\' && c->p[n] > ' ')
        n++;
    if (n == left || c->p[n] != '"' || n >= cap)
        return 0;
    memcpy(out, c->p, n);
    out[n] = 0;
    c->p += n + 1;
    return 1;
}

/* Lower case only: a line has one spelling. */
static int take_hex(cursor *c, uint8_t *out, size_t n)
{
    size_t left = (size_t)(c->end - c->p);
    if (left < 2 * n + 1 || c->p[2 * n] != '"' || !gp_unhex(c->p, 2 * n, out, n))
        return 0;
    for (size_t i = 0; i < 2 * n; i++)
        if (c->p[i] >= 'A' && c->p[i] <= 'F')
            return 0;
    c->p += 2 * n + 1;
    return 1;
}

static int take_number(cursor *c, uint64_t *out)
{
    size_t n = 0, left = (size_t)(c->end - c->p);
    while (n < left && n < 20 && c->p[n] >= '0' && c->p[n] <= '9')
        n++;
    if (!gp_num_u64(c->p, n, INT64_MAX, out))
        return 0;
    c->p += n;
    return 1;
}

gp_status auth_audit_line_parse(const char *line, size_t len, auth_audit_line *out, gp_err *err)
{
    static const char tail[] = ",\"hash\":\"";
    const size_t tail_len = sizeof tail - 1 + (size_t)2 * AUTH_HASH + 2;
    auth_audit_line l = {0};
    if (len < tail_len || len >= AUTH_AUDIT_LINE_MAX || memchr(line, '\n', len))
        return gp_fail(err, GP_ECORRUPT, 0, "not a line of an audit log");
    l.body_len = len - tail_len;
    cursor h = {line + l.body_len, line + len};
    if (!take(&h, tail) || !take_hex(&h, l.hash, AUTH_HASH) || !take(&h, "}"))
        return gp_fail(err, GP_ECORRUPT, 0, "the line does not end with its hash");
    cursor c = {line, line + l.body_len};
    if (!take(&c, "{\"seq\":") || !take_number(&c, &l.seq) || !take(&c, ",\"time\":\"") ||
        !take_word(&c, l.time, sizeof l.time) || !take(&c, ",\"event\":\"") ||
        !take_word(&c, l.event, sizeof l.event) || l.seq == 0)
        return gp_fail(err, GP_ECORRUPT, 0, "the line does not begin with seq, time and event");
    if (take(&c, ",\"prev\":\"")) {
        l.has_prev = take_hex(&c, l.prev, AUTH_HASH);
        if (!l.has_prev)
            return gp_fail(err, GP_ECORRUPT, 0, "prev is not a hash");
    }
    if (strcmp(l.event, "checkpoint") == 0) {
        if (!l.has_prev || !take(&c, ",\"key\":\"") || !take_hex(&c, l.key, AUTH_SIGN_PK) ||
            !take(&c, ",\"sig\":\"") || !take_hex(&c, l.sig, AUTH_SIG))
            return gp_fail(err, GP_ECORRUPT, 0, "the checkpoint has no signature");
        l.has_sig = 1;
    }
    *out = l;
    return GP_OK;
}

/* ---- the chain ---- */

static gp_status check_hash(const auth_audit_line *l, const uint8_t prev[AUTH_HASH],
                            const char *line, gp_err *err)
{
    uint8_t hash[AUTH_HASH];
    auth_audit_hash(prev, line, l->body_len, hash);
    if (memcmp(hash, l->hash, AUTH_HASH) != 0)
        return gp_fail(err, GP_ECORRUPT, 0,
                       "its hash does not fit: this line or the one before was changed");
    return GP_OK;
}

static gp_status check_sig(const auth_audit_line *l, const uint8_t key[AUTH_SIGN_PK], gp_err *err)
{
    uint8_t bytes[AUTH_AUDIT_SIGNED];
    if (memcmp(l->key, key, AUTH_SIGN_PK) != 0)
        return gp_fail(err, GP_EDENIED, 0, "the checkpoint is signed by another key");
    auth_audit_signed(l->seq, l->prev, bytes);
    if (!auth_verify(key, AUTH_AUDIT_SIGN, bytes, sizeof bytes, l->sig))
        return gp_fail(err, GP_EDENIED, 0, "the signature of the checkpoint is forged");
    return GP_OK;
}

/* Number and link to the line before; the first line seen must say where it hangs. */
static gp_status check_link(const auth_audit_check *c, const auth_audit_line *l, gp_err *err)
{
    if (c->lines == 0)
        return l->has_prev ? GP_OK
                           : gp_fail(err, GP_ECORRUPT, 0,
                                     "the log does not begin with an \"open\" line: its beginning "
                                     "is missing");
    if (l->seq > c->last_seq + 1)
        return gp_fail(err, GP_ECORRUPT, 0,
                       "%" PRIu64 " lines before it are missing (%" PRIu64 " to %" PRIu64 ")",
                       l->seq - c->last_seq - 1, c->last_seq + 1, l->seq - 1);
    if (l->seq <= c->last_seq)
        return gp_fail(err, GP_ECORRUPT, 0,
                       "it is number %" PRIu64 " after number %" PRIu64
                       ": inserted, repeated or moved",
                       l->seq, c->last_seq);
    if (l->has_prev && memcmp(l->prev, c->hash, AUTH_HASH) != 0)
        return gp_fail(err, GP_ECORRUPT, 0,
                       "it follows another line than the one before it: lines were replaced");
    return GP_OK;
}

gp_status auth_audit_check_line(auth_audit_check *c, const char *line, size_t len, gp_err *err)
{
    auth_audit_line l;
    GP_TRY(auth_audit_line_parse(line, len, &l, err));
    GP_TRY(check_link(c, &l, err));
    GP_TRY(check_hash(&l, c->lines ? c->hash : l.prev, line, err));
    if (l.has_sig) {
        const uint8_t *key = c->want_key ? c->want_key : c->checkpoints ? c->key : l.key;
        GP_TRY(check_sig(&l, key, err));
        memcpy(c->key, key, AUTH_SIGN_PK);
        c->checkpoints++;
    }
    if (c->lines++ == 0) {
        c->first_seq = l.seq;
        memcpy(c->first_time, l.time, sizeof c->first_time);
    }
    c->not_signed = l.has_sig ? 0 : c->not_signed + 1;
    c->last_seq = l.seq;
    memcpy(c->hash, l.hash, AUTH_HASH);
    memcpy(c->last_time, l.time, sizeof c->last_time);
    return GP_OK;
}

gp_status auth_audit_check_head(const char *line, size_t len, const uint8_t key[AUTH_SIGN_PK],
                                auth_audit_line *out, gp_err *err)
{
    auth_audit_line l;
    while (len && line[len - 1] == '\n')
        len--;
    GP_TRY(auth_audit_line_parse(line, len, &l, err));
    if (!l.has_sig)
        return gp_fail(err, GP_ECORRUPT, 0, "it is no checkpoint");
    GP_TRY(check_hash(&l, l.prev, line, err));
    GP_TRY(check_sig(&l, key, err));
    *out = l;
    return GP_OK;
}
