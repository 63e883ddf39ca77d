/* revoke.c - revocation lists: sorted entries under a growing number, signed by the fleet's key. */
#include "armor.h"
#include "auth/cert.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "identity.h"

#include <fcntl.h>
#include <string.h>

/* "FPR1", fleet key, u64 number, u64 issued, u32 count, count * {u8 type, 32 bytes}, then 64 bytes
 * of auth_sign("revocations"); big endian. */
enum { HEAD = 4 + AUTH_SIGN_PK + 8 + 8 + 4, ENTRY = 1 + AUTH_SIGN_PK };

static const char MAGIC[] = "FPR1", LABEL[] = "fleetprobe-revoked-v1";

void auth_revlist_free(auth_revlist *l)
{
    gp_free(l->entries);
    *l = (auth_revlist){0};
}

static int cmp(const auth_revoked *a, const auth_revoked *b)
{
    return a->type != b->type ? a->type - b->type : memcmp(a->id, b->id, sizeof a->id);
}

/* Index of the first entry that is not below r. */
static size_t lower(const auth_revlist *l, const auth_revoked *r)
{
    size_t lo = 0, hi = l->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (cmp(&l->entries[mid], r) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

int auth_revlist_has(const auth_revlist *l, auth_revoked_type type, const uint8_t *id)
{
    auth_revoked r = {.type = (uint8_t)type};
    memcpy(r.id, id, type == AUTH_REVOKED_SERIAL ? AUTH_SERIAL : AUTH_SIGN_PK);
    size_t i = lower(l, &r);
    return i < l->n && cmp(&l->entries[i], &r) == 0;
}

gp_status auth_revlist_add(auth_revlist *l, const auth_revoked *r, gp_err *err)
{
    size_t i = lower(l, r);
    if (i < l->n && cmp(&l->entries[i], r) == 0)
        return gp_fail(err, GP_EEXIST, 0, "revoked already");
    if (l->n == AUTH_REVOKED_MAX)
        return gp_fail(err, GP_ELIMIT, 0,
                       "the list holds %d entries already; issue with shorter validity",
                       AUTH_REVOKED_MAX);
    auth_revoked *grown = gp_realloc(l->entries, l->n + 1, sizeof *grown);
    if (!grown)
        return gp_fail(err, GP_ENOMEM, 0, "revocation list: out of memory");
    l->entries = grown;
    memmove(grown + i + 1, grown + i, (l->n - i) * sizeof *grown);
    grown[i] = *r;
    l->n++;
    return GP_OK;
}

gp_status auth_revlist_sign(auth_revlist *l, const auth_identity *fleet, gp_buf *out, gp_err *err)
{
    uint8_t num[20], sig[AUTH_SIG];
    gp_buf b = {0};
    if (fleet->kind != AUTH_KIND_FLEET)
        return gp_fail(err, GP_EINVAL, 0, "'%s' is no fleet key", fleet->name);
    memcpy(l->fleet, fleet->sign_pk, AUTH_SIGN_PK);
    gp_put_be64(num, l->number);
    gp_put_be64(num + 8, (uint64_t)l->issued_s);
    gp_put_be32(num + 16, (uint32_t)l->n);
    gp_buf_adds(&b, MAGIC);
    gp_buf_add(&b, l->fleet, AUTH_SIGN_PK);
    gp_buf_add(&b, num, sizeof num);
    for (size_t i = 0; i < l->n; i++) {
        gp_buf_addc(&b, (char)l->entries[i].type);
        gp_buf_add(&b, l->entries[i].id, AUTH_SIGN_PK);
    }
    if (!b.failed) {
        auth_sign(fleet, "revocations", b.data, b.len, sig);
        gp_buf_add(&b, sig, sizeof sig);
        gp_buf_add(out, b.data, b.len);
    }
    gp_status st = b.failed || out->failed
                       ? gp_fail(err, GP_ENOMEM, 0, "revocation list: out of memory")
                       : GP_OK;
    gp_buf_free(&b);
    return st;
}

static int entry_ok(const auth_revoked *r)
{
    static const uint8_t zero[AUTH_SIGN_PK - AUTH_SERIAL];
    if (r->type == AUTH_REVOKED_SERIAL)
        return memcmp(r->id + AUTH_SERIAL, zero, sizeof zero) == 0;
    return r->type == AUTH_REVOKED_KEY;
}

gp_status auth_revlist_parse(const void *bytes, size_t len, auth_revlist *out, gp_err *err)
{
    const uint8_t *p = bytes;
    if (len < HEAD + AUTH_SIG || len > AUTH_LIST_MAX || memcmp(p, MAGIC, 4) != 0)
        return gp_fail(err, GP_ECORRUPT, 0, "revocation list: not a list of this version");
    auth_revlist l = {.number = gp_be64(p + 36), .n = gp_be32(p + 52)};
    uint64_t issued = gp_be64(p + 44);
    if (l.n > AUTH_REVOKED_MAX || len != HEAD + l.n * ENTRY + AUTH_SIG || l.number == 0 ||
        issued > INT64_MAX)
        return gp_fail(err, GP_ECORRUPT, 0, "revocation list: %zu entries in %zu bytes", l.n, len);
    memcpy(l.fleet, p + 4, AUTH_SIGN_PK);
    l.issued_s = (int64_t)issued;
    if (!auth_verify(l.fleet, "revocations", p, len - AUTH_SIG, p + len - AUTH_SIG))
        return gp_fail(err, GP_EDENIED, 0, "revocation list: not signed by the fleet's key");
    l.entries = gp_calloc(l.n ? l.n : 1, sizeof *l.entries);
    if (!l.entries)
        return gp_fail(err, GP_ENOMEM, 0, "revocation list: out of memory");
    for (size_t i = 0; i < l.n; i++) {
        auth_revoked *r = &l.entries[i];
        r->type = p[HEAD + i * ENTRY];
        memcpy(r->id, p + HEAD + i * ENTRY + 1, AUTH_SIGN_PK);
        if (!entry_ok(r) || (i && cmp(r - 1, r) >= 0)) {
            auth_revlist_free(&l);
            return gp_fail(err, GP_ECORRUPT, 0, "revocation list: entry %zu is malformed", i);
        }
    }
    *out = l;
    return GP_OK;
}

gp_status auth_revlist_each(const char *path, auth_revlist_fn fn, void *ctx, gp_err *err)
{
    gp_buf text = {0};
    size_t at = 0, n = 0, lists = 0;
    int got = 1;
    GP_TRY(gp_read_file(AT_FDCWD, path, 2 * AUTH_MAX_FLEETS * (size_t)AUTH_LIST_MAX, &text, err));
    uint8_t *raw = gp_alloc(AUTH_LIST_MAX, 1);
    gp_status st = raw ? GP_OK : gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", path);
    while (st == GP_OK && (got = auth_armor_next((const char *)text.data, text.len, &at, LABEL, raw,
                                                 AUTH_LIST_MAX, &n)) == 1) {
        lists++;
        st = fn(ctx, raw, n, err);
    }
    if (st == GP_OK && (got < 0 || !lists))
        st = gp_fail(err, GP_ECORRUPT, 0, "%s: expected a line '%s BASE64'", path, LABEL);
    gp_free(raw);
    gp_buf_free(&text);
    return st;
}

void auth_revlist_text(const void *bytes, size_t len, gp_buf *out)
{
    auth_armor_add(out, LABEL, bytes, len);
}
