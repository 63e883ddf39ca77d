/* trust.c - who is trusted: the entries of a trusted_keys file, found by signing or channel key. */
#include "gp/io.h"
#include "gp/mem.h"
#include "gp/num.h"
#include "identity.h"
#include "trustline.h"

#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>

/* Entries sorted by sign_pk; by_dh holds the same entries sorted by dh_pk. */
typedef struct keyset {
    auth_peer *peers;
    auth_peer **by_dh;
    size_t n;
} keyset;

struct auth_trust {
    pthread_rwlock_t lock; /* protects set */
    keyset set;
};

static void keyset_free(keyset *s)
{
    gp_free(s->peers);
    gp_free(s->by_dh);
    *s = (keyset){0};
}

static int cmp_sign(const void *a, const void *b)
{
    return memcmp(((const auth_peer *)a)->sign_pk, ((const auth_peer *)b)->sign_pk, AUTH_SIGN_PK);
}

static int cmp_dh(const void *a, const void *b)
{
    return memcmp((*(auth_peer *const *)a)->dh_pk, (*(auth_peer *const *)b)->dh_pk, AUTH_DH);
}

gp_status auth_trust_new(auth_trust **out, gp_err *err)
{
    GP_TRY(auth_init(err));
    auth_trust *t = gp_calloc(1, sizeof *t);
    if (!t)
        return gp_fail(err, GP_ENOMEM, 0, "trusted keys: out of memory");
    pthread_rwlock_init(&t->lock, NULL);
    *out = t;
    return GP_OK;
}

void auth_trust_free(auth_trust *t)
{
    if (!t)
        return;
    keyset_free(&t->set);
    pthread_rwlock_destroy(&t->lock);
    gp_free(t);
}

static gp_status append(keyset *s, size_t *cap, const auth_peer *p, gp_err *err)
{
    if (s->n == AUTH_TRUST_MAX_ENTRIES)
        return gp_fail(err, GP_ELIMIT, 0, "more than %d trusted keys", AUTH_TRUST_MAX_ENTRIES);
    if (s->n == *cap) {
        size_t want = *cap ? *cap * 2 : 16;
        auth_peer *grown = gp_realloc(s->peers, want, sizeof *grown);
        if (!grown)
            return gp_fail(err, GP_ENOMEM, 0, "trusted keys: out of memory");
        s->peers = grown;
        *cap = want;
    }
    s->peers[s->n++] = *p;
    return GP_OK;
}

/* Sort, index and refuse a key that appears twice. */
static gp_status index_set(keyset *s, gp_err *err)
{
    if (!s->n)
        return GP_OK;
    qsort(s->peers, s->n, sizeof *s->peers, cmp_sign);
    for (size_t i = 1; i < s->n; i++)
        if (cmp_sign(&s->peers[i - 1], &s->peers[i]) == 0)
            return gp_fail(err, GP_EINVAL, 0,
                           "the key of '%s' and '%s' is the same; one entry a key",
                           s->peers[i - 1].name, s->peers[i].name);
    s->by_dh = gp_calloc(s->n, sizeof *s->by_dh);
    if (!s->by_dh)
        return gp_fail(err, GP_ENOMEM, 0, "trusted keys: out of memory");
    for (size_t i = 0; i < s->n; i++)
        s->by_dh[i] = &s->peers[i];
    qsort(s->by_dh, s->n, sizeof *s->by_dh, cmp_dh);
    return GP_OK;
}

static gp_status parse_all(const char *text, size_t len, keyset *s, gp_err *err)
{
    size_t cap = 0;
    unsigned line_no = 0;
    for (size_t at = 0; at < len;) {
        const char *nl = memchr(text + at, '\n', len - at);
        size_t n = nl ? (size_t)(nl - (text + at)) : len - at;
        const char *line = text + at;
        at += n + 1;
        line_no++;
        while (n && (line[n - 1] == '\r' || line[n - 1] == ' ' || line[n - 1] == '\t'))
            n--;
        while (n && (*line == ' ' || *line == '\t')) {
            line++;
            n--;
        }
        if (n == 0 || *line == '#')
            continue;
        auth_peer p;
        gp_status st = n > AUTH_LINE_MAX
                           ? gp_fail(err, GP_EINVAL, 0, "longer than %d bytes", AUTH_LINE_MAX)
                           : auth_entry_parse(line, n, &p, err);
        if (st == GP_OK)
            st = append(s, &cap, &p, err);
        if (st != GP_OK)
            return gp_fail_context(err, st, "line %u", line_no);
    }
    return index_set(s, err);
}

gp_status auth_trust_parse(auth_trust *t, const char *text, size_t len, gp_err *err)
{
    keyset fresh = {0};
    gp_status st = parse_all(text, len, &fresh, err);
    if (st == GP_OK) {
        pthread_rwlock_wrlock(&t->lock);
        keyset old = t->set;
        t->set = fresh;
        pthread_rwlock_unlock(&t->lock);
        fresh = old;
    }
    keyset_free(&fresh);
    return st;
}

gp_status auth_trust_load(auth_trust *t, const char *path, gp_err *err)
{
    gp_buf text = {0};
    gp_status st = gp_read_file(AT_FDCWD, path, AUTH_TRUST_MAX_FILE, &text, err);
    if (st == GP_OK && (st = auth_trust_parse(t, (const char *)text.data, text.len, err)) != GP_OK)
        st = gp_fail_context(err, st, "%s", path);
    gp_buf_free(&text);
    return st;
}

static int valid_at(const auth_peer *p, int64_t now_s)
{
    return now_s >= p->not_before_s && (p->not_after_s == 0 || now_s <= p->not_after_s);
}

int auth_trust_find(auth_trust *t, const uint8_t sign_pk[AUTH_SIGN_PK], int64_t now_s,
                    auth_peer *out)
{
    auth_peer key;
    memcpy(key.sign_pk, sign_pk, AUTH_SIGN_PK);
    pthread_rwlock_rdlock(&t->lock);
    const auth_peer *p =
        t->set.n ? bsearch(&key, t->set.peers, t->set.n, sizeof key, cmp_sign) : NULL;
    int ok = p && valid_at(p, now_s);
    if (ok)
        *out = *p;
    pthread_rwlock_unlock(&t->lock);
    return ok;
}

int auth_trust_find_dh(auth_trust *t, const uint8_t dh_pk[AUTH_DH], int64_t now_s, auth_peer *out)
{
    auth_peer key, *kp = &key;
    memcpy(key.dh_pk, dh_pk, AUTH_DH);
    pthread_rwlock_rdlock(&t->lock);
    auth_peer *const *p =
        t->set.n ? bsearch(&kp, t->set.by_dh, t->set.n, sizeof(auth_peer *), cmp_dh) : NULL;
    int ok = p && valid_at(*p, now_s);
    if (ok)
        *out = **p;
    pthread_rwlock_unlock(&t->lock);
    return ok;
}

void auth_trust_entry(const auth_identity *id, const char *options, gp_buf *out)
{
    char hex[2 * AUTH_SIGN_PK + 1];
    gp_hex(id->sign_pk, AUTH_SIGN_PK, hex);
    gp_buf_printf(out, "%s %s %s%s%s\n", auth_kind_name(id->kind), id->name, hex,
                  options && *options ? " " : "", options ? options : "");
}
