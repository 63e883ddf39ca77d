/* learned.c - peers known by certificate, and the revocation lists that end them. */
#include "armor.h"
#include "gp/mem.h"
#include "state.h"
#include "trust_int.h"

#include <string.h>

static size_t bucket_of(const uint8_t pk[AUTH_SIGN_PK])
{
    return gp_le32(pk) % AUTH_LEARNED_BUCKETS; /* keys of checked certificates: nobody picks them */
}

static const auth_fleet *find_fleet(const auth_trust *t, const uint8_t pk[AUTH_SIGN_PK])
{
    for (size_t i = 0; i < t->n_fleets; i++)
        if (memcmp(t->fleets[i].pk, pk, AUTH_SIGN_PK) == 0)
            return &t->fleets[i];
    return NULL;
}

int auth_key_revoked(const auth_trust *t, const uint8_t pk[AUTH_SIGN_PK])
{
    for (size_t i = 0; i < t->n_fleets; i++)
        if (auth_revlist_has(&t->fleets[i].list, AUTH_REVOKED_KEY, pk))
            return 1;
    return 0;
}

/* Is what the certificate rests on revoked by its fleet? */
static int learned_revoked(const auth_trust *t, const auth_learned *l)
{
    const auth_fleet *f = find_fleet(t, l->fleet);
    if (!f)
        return 1;
    return auth_revlist_has(&f->list, AUTH_REVOKED_SERIAL, l->serial) ||
           auth_revlist_has(&f->list, AUTH_REVOKED_KEY, l->peer.sign_pk) ||
           auth_revlist_has(&f->list, AUTH_REVOKED_SERIAL, l->issuer_serial) ||
           auth_revlist_has(&f->list, AUTH_REVOKED_KEY, l->issuer_pk);
}

static int valid_at(const auth_learned *l, int64_t now_s)
{
    return now_s >= l->peer.not_before_s && now_s <= l->peer.not_after_s &&
           now_s <= l->issuer_until_s;
}

const auth_learned *auth_learned_find(const auth_trust *t, const uint8_t pk[AUTH_SIGN_PK],
                                      int64_t now_s)
{
    const auth_learned *l = t->buckets ? t->buckets[bucket_of(pk)] : NULL;
    while (l && memcmp(l->peer.sign_pk, pk, AUTH_SIGN_PK) != 0)
        l = l->next;
    return l && valid_at(l, now_s) && !learned_revoked(t, l) ? l : NULL;
}

void auth_learned_clear(auth_trust *t)
{
    for (size_t b = 0; t->buckets && b < AUTH_LEARNED_BUCKETS; b++)
        while (t->buckets[b]) {
            auth_learned *next = t->buckets[b]->next;
            gp_free(t->buckets[b]);
            t->buckets[b] = next;
        }
    t->n_learned = 0;
}

/* Make room: drop what is not valid any more. Lock held for writing. */
static void sweep(auth_trust *t, int64_t now_s)
{
    for (size_t b = 0; b < AUTH_LEARNED_BUCKETS; b++)
        for (auth_learned **at = &t->buckets[b]; *at;) {
            auth_learned *l = *at;
            if (valid_at(l, now_s) && !learned_revoked(t, l)) {
                at = &l->next;
                continue;
            }
            *at = l->next;
            gp_free(l);
            t->n_learned--;
        }
}

/* Insert or replace. Lock held for writing. */
static gp_status remember(auth_trust *t, const auth_learned *fresh, int64_t now_s, gp_err *err)
{
    if (!t->buckets && !(t->buckets = gp_calloc(AUTH_LEARNED_BUCKETS, sizeof *t->buckets)))
        return gp_fail(err, GP_ENOMEM, 0, "certificate: out of memory");
    auth_learned **head = &t->buckets[bucket_of(fresh->peer.sign_pk)], *l = *head;
    while (l && memcmp(l->peer.sign_pk, fresh->peer.sign_pk, AUTH_SIGN_PK) != 0)
        l = l->next;
    if (!l) {
        if (t->n_learned >= AUTH_LEARNED_MAX)
            sweep(t, now_s);
        if (t->n_learned >= AUTH_LEARNED_MAX)
            return gp_fail(err, GP_ELIMIT, 0, "more than %d certificates at a time",
                           AUTH_LEARNED_MAX);
        l = gp_calloc(1, sizeof *l);
        if (!l)
            return gp_fail(err, GP_ENOMEM, 0, "certificate: out of memory");
        l->next = *head;
        *head = l;
        t->n_learned++;
    } else if (l->peer.not_after_s > fresh->peer.not_after_s && valid_at(l, now_s) &&
               !learned_revoked(t, l)) {
        return GP_OK; /* an older certificate of the same key does not replace the newer one */
    }
    auth_learned *next = l->next;
    *l = *fresh;
    l->next = next;
    return GP_OK;
}

gp_status auth_trust_learn(auth_trust *t, const auth_chain *chain, int64_t now_s, auth_peer *out,
                           gp_err *err)
{
    auth_cert leaf, issuer;
    auth_fleet_state fleets[AUTH_MAX_FLEETS];
    size_t n = auth_trust_fleets(t, fleets);
    if (!n)
        return gp_fail(err, GP_ENOTFOUND, 0, "no fleet key is trusted here");
    GP_TRY(
        auth_cert_parse(chain->der[0], chain->len[0], &leaf, err)); /* which fleet does it name? */
    size_t i = 0;
    while (i < n && memcmp(fleets[i].fleet, leaf.fleet, AUTH_SIGN_PK) != 0)
        i++;
    if (i == n)
        return gp_fail(err, GP_EDENIED, 0,
                       "the certificate of '%s' is of a fleet that is not trusted "
                       "here",
                       leaf.name);
    GP_TRY(auth_chain_check(chain, fleets[i].fleet, now_s, &leaf, &issuer, err));
    auth_learned l = {.issuer_until_s =
                          issuer.kind == AUTH_KIND_NONE ? INT64_MAX : issuer.not_after_s};
    auth_cert_peer(&leaf, &l.peer);
    memcpy(l.serial, leaf.serial, AUTH_SERIAL);
    memcpy(l.fleet, leaf.fleet, AUTH_SIGN_PK);
    if (issuer.kind != AUTH_KIND_NONE) {
        memcpy(l.issuer_serial, issuer.serial, AUTH_SERIAL);
        memcpy(l.issuer_pk, issuer.sign_pk, AUTH_SIGN_PK);
    }
    pthread_rwlock_wrlock(&t->lock);
    gp_status st =
        learned_revoked(t, &l)
            ? gp_fail(err, GP_EDENIED, 0, "the certificate of '%s' was revoked", leaf.name)
            : remember(t, &l, now_s, err);
    pthread_rwlock_unlock(&t->lock);
    if (st == GP_OK)
        *out = l.peer;
    return st;
}

/* ---- lists ---- */

size_t auth_trust_fleets(auth_trust *t, auth_fleet_state out[AUTH_MAX_FLEETS])
{
    pthread_rwlock_rdlock(&t->lock);
    size_t n = t->n_fleets;
    for (size_t i = 0; i < n; i++) {
        memcpy(out[i].fleet, t->fleets[i].pk, AUTH_SIGN_PK);
        out[i].number = t->fleets[i].list.number;
    }
    pthread_rwlock_unlock(&t->lock);
    return n;
}

gp_status auth_trust_revocations(auth_trust *t, const uint8_t fleet[AUTH_SIGN_PK], gp_buf *out)
{
    pthread_rwlock_rdlock(&t->lock);
    const auth_fleet *f = find_fleet(t, fleet);
    gp_status st = f && f->list.number ? GP_OK : GP_ENOTFOUND;
    if (st == GP_OK)
        gp_buf_add(out, f->bytes.data, f->bytes.len);
    pthread_rwlock_unlock(&t->lock);
    return st == GP_OK && out->failed ? GP_ENOMEM : st;
}

/* The file's text: the lists of all fleets. Lock held. */
static void lists_text(const auth_trust *t, gp_buf *out)
{
    for (size_t i = 0; i < t->n_fleets; i++)
        if (t->fleets[i].list.number)
            auth_revlist_text(t->fleets[i].bytes.data, t->fleets[i].bytes.len, out);
}

gp_status auth_trust_revoke(auth_trust *t, const void *bytes, size_t len, int *taken, gp_err *err)
{
    auth_revlist l = {0};
    gp_buf copy = {0}, text = {0};
    char *path = NULL;
    *taken = 0;
    GP_TRY(auth_revlist_parse(bytes, len, &l, err));
    gp_buf_add(&copy, bytes, len);
    gp_status st =
        copy.failed ? gp_fail(err, GP_ENOMEM, 0, "revocation list: out of memory") : GP_OK;
    pthread_rwlock_wrlock(&t->lock);
    union {
        const auth_fleet *c;
        auth_fleet *m;
    } f = {.c = find_fleet(t, l.fleet)};
    if (st == GP_OK && !f.c) {
        st = gp_fail(err, GP_EDENIED, 0, "revocation list: of a fleet that is not trusted here");
    } else if (st == GP_OK && l.number > f.m->list.number) {
        auth_revlist old = f.m->list;
        gp_buf old_bytes = f.m->bytes;
        f.m->list = l;
        f.m->bytes = copy;
        l = old;
        copy = old_bytes;
        *taken = 1;
        atomic_fetch_add(&t->generation, 1);
        path = t->path ? gp_strdup(t->path) : NULL;
        if (path)
            lists_text(t, &text);
    }
    pthread_rwlock_unlock(&t->lock);
    /* Best effort: a process that may write nowhere learns the list again from its peers. */
    if (path)
        (void)!auth_state_write(path, ".revoked", &text, NULL);
    gp_free(path);
    gp_buf_free(&text);
    gp_buf_free(&copy);
    auth_revlist_free(&l);
    return st;
}
