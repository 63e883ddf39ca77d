/* trust.c - who is trusted: the entries of a trusted_keys file, found by signing or channel key. */
#include "gp/io.h"
#include "gp/mem.h"
#include "gp/num.h"
#include "identity.h"
#include "state.h"
#include "trust_int.h"
#include "trustline.h"

#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>

static void keyset_free(auth_keyset *s)
{
    gp_free(s->peers);
    *s = (auth_keyset){0};
}

static int cmp_sign(const void *a, const void *b)
{
    return memcmp(((const auth_peer *)a)->sign_pk, ((const auth_peer *)b)->sign_pk, AUTH_SIGN_PK);
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

static void fleet_free(auth_fleet *f)
{
    auth_revlist_free(&f->list);
    gp_buf_free(&f->bytes);
}

void auth_trust_free(auth_trust *t)
{
    if (!t)
        return;
    keyset_free(&t->set);
    auth_learned_clear(t);
    gp_free(t->buckets);
    for (size_t i = 0; i < t->n_fleets; i++)
        fleet_free(&t->fleets[i]);
    pthread_rwlock_destroy(&t->lock);
    gp_free(t->path);
    gp_free(t);
}

/* What a file says, before it replaces what was said before. */
typedef struct parsed {
    auth_keyset set;
    auth_fleet fleets[AUTH_MAX_FLEETS];
    size_t n_fleets;
} parsed;

static gp_status append_fleet(parsed *s, const auth_peer *p, gp_err *err)
{
    if (s->n_fleets == AUTH_MAX_FLEETS)
        return gp_fail(err, GP_ELIMIT, 0, "more than %d fleet keys", AUTH_MAX_FLEETS);
    for (size_t i = 0; i < s->n_fleets; i++)
        if (memcmp(s->fleets[i].pk, p->sign_pk, AUTH_SIGN_PK) == 0)
            return gp_fail(err, GP_EINVAL, 0, "the fleet key of '%s' appears twice", p->name);
    auth_fleet *f = &s->fleets[s->n_fleets++];
    *f = (auth_fleet){0};
    memcpy(f->pk, p->sign_pk, AUTH_SIGN_PK);
    memcpy(f->name, p->name, sizeof f->name);
    return GP_OK;
}

static gp_status append(parsed *all, const auth_peer *p, gp_err *err)
{
    auth_keyset *s = &all->set;
    if (p->kind == AUTH_KIND_FLEET)
        return append_fleet(all, p, err);
    if (s->n == AUTH_TRUST_MAX_ENTRIES)
        return gp_fail(err, GP_ELIMIT, 0, "more than %d trusted keys", AUTH_TRUST_MAX_ENTRIES);
    if (s->n == s->cap) {
        size_t want = s->cap ? s->cap * 2 : 16;
        auth_peer *grown = gp_realloc(s->peers, want, sizeof *grown);
        if (!grown)
            return gp_fail(err, GP_ENOMEM, 0, "trusted keys: out of memory");
        s->peers = grown;
        s->cap = want;
    }
    s->peers[s->n++] = *p;
    return GP_OK;
}

/* Sort, and refuse a key that appears twice. */
static gp_status sort_set(auth_keyset *s, gp_err *err)
{
    if (s->n)
        qsort(s->peers, s->n, sizeof *s->peers, cmp_sign);
    for (size_t i = 1; i < s->n; i++)
        if (cmp_sign(&s->peers[i - 1], &s->peers[i]) == 0)
            return gp_fail(err, GP_EINVAL, 0,
                           "the key of '%s' and '%s' is the same; one entry a key",
                           s->peers[i - 1].name, s->peers[i].name);
    return GP_OK;
}

static gp_status parse_all(const char *text, size_t len, parsed *s, gp_err *err)
{
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
            st = append(s, &p, err);
        if (st != GP_OK)
            return gp_fail_context(err, st, "line %u", line_no);
    }
    return sort_set(&s->set, err);
}

/* Put what was parsed in force; *s gets what was there. Lists of fleets that stay are kept, and so
 * is who showed their certificates. Lock held for writing. */
static void swap_in(auth_trust *t, parsed *s)
{
    parsed old = {.set = t->set, .n_fleets = t->n_fleets};
    memcpy(old.fleets, t->fleets, sizeof old.fleets);
    for (size_t i = 0; i < s->n_fleets; i++)
        for (size_t k = 0; k < old.n_fleets; k++)
            if (memcmp(s->fleets[i].pk, old.fleets[k].pk, AUTH_SIGN_PK) == 0) {
                s->fleets[i].list = old.fleets[k].list;
                s->fleets[i].bytes = old.fleets[k].bytes;
                old.fleets[k].list = (auth_revlist){0};
                old.fleets[k].bytes = (gp_buf){0};
            }
    t->set = s->set;
    t->n_fleets = s->n_fleets;
    memcpy(t->fleets, s->fleets, sizeof t->fleets);
    atomic_fetch_add(&t->generation, 1);
    *s = old;
}

gp_status auth_trust_parse(auth_trust *t, const char *text, size_t len, gp_err *err)
{
    parsed fresh = {0};
    gp_status st = parse_all(text, len, &fresh, err);
    if (st == GP_OK) {
        pthread_rwlock_wrlock(&t->lock);
        swap_in(t, &fresh);
        pthread_rwlock_unlock(&t->lock);
    }
    keyset_free(&fresh.set);
    for (size_t i = 0; i < fresh.n_fleets; i++)
        fleet_free(&fresh.fleets[i]);
    return st;
}

/* Lists of a file on their way in. */
typedef struct reading {
    auth_trust *t;
    const char *file;
    unsigned ours;
    gp_err others; /* why a list of a fleet that is not trusted was refused */
} reading;

static int is_ours(auth_trust *t, const uint8_t fleet[AUTH_SIGN_PK])
{
    auth_fleet_state fleets[AUTH_MAX_FLEETS];
    size_t n = auth_trust_fleets(t, fleets);
    for (size_t i = 0; i < n; i++)
        if (memcmp(fleets[i].fleet, fleet, AUTH_SIGN_PK) == 0)
            return 1;
    return 0;
}

static gp_status take_list(void *ctx, const uint8_t *bytes, size_t len, gp_err *err)
{
    reading *r = ctx;
    auth_revlist l = {0};
    int taken = 0;
    gp_status st = auth_revlist_parse(bytes, len, &l, err);
    int ours = st != GP_OK || is_ours(r->t, l.fleet); /* what is damaged is of no fleet */
    auth_revlist_free(&l);
    r->ours += (unsigned)ours;
    if (st == GP_OK) {
        st = auth_trust_revoke(r->t, bytes, len, &taken, ours ? err : &r->others);
        if (!ours) /* trusted once, or beside it */
            st = GP_OK;
    }
    return st == GP_OK ? GP_OK : gp_fail_context(err, st, "%s", r->file);
}

/* A file that is there but damaged is an error: silence would trust keys that are revoked. So is
 * one of the administrator's without a list of a fleet that is trusted. */
static gp_status load_list(auth_trust *t, const char *file, int kept, gp_err *err)
{
    reading r = {.t = t, .file = file};
    gp_err why = {0};
    gp_status st = auth_revlist_each(file, take_list, &r, &why);
    if (st == GP_ENOTFOUND)
        return GP_OK;
    if (st == GP_OK && !r.ours && !kept) {
        why = r.others;
        st = gp_fail_context(&why, why.code, "%s", file);
    }
    if (st != GP_OK && err)
        *err = why;
    return st;
}

/* The lists beside trusted_keys, and those that were learned but could not be written there. */
static gp_status load_lists(auth_trust *t, const char *path, gp_err *err)
{
    gp_buf file = {0}, kept = {0};
    gp_buf_printf(&file, "%s.revoked", path);
    gp_status st = file.failed ? gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", path)
                               : load_list(t, gp_buf_str(&file), 0, err);
    if (st == GP_OK && auth_state_path(path, ".revoked", &kept))
        st = load_list(t, gp_buf_str(&kept), 1, err);
    gp_buf_free(&file);
    gp_buf_free(&kept);
    return st;
}

gp_status auth_trust_load(auth_trust *t, const char *path, gp_err *err)
{
    gp_buf text = {0};
    char *copy = gp_strdup(path);
    if (!copy)
        return gp_fail(err, GP_ENOMEM, 0, "%s: out of memory", path);
    gp_status st = gp_read_file(AT_FDCWD, path, AUTH_TRUST_MAX_FILE, &text, err);
    if (st == GP_OK && (st = auth_trust_parse(t, (const char *)text.data, text.len, err)) != GP_OK)
        st = gp_fail_context(err, st, "%s", path);
    gp_buf_free(&text);
    if (st == GP_OK)
        st = load_lists(t, path, err);
    if (st == GP_OK) { /* only now: loading must not write the list back */
        pthread_rwlock_wrlock(&t->lock);
        char *old = t->path;
        t->path = copy;
        copy = old;
        pthread_rwlock_unlock(&t->lock);
    }
    gp_free(copy);
    return st;
}

void auth_trust_file(auth_trust *t, char *out, size_t cap)
{
    if (t)
        pthread_rwlock_rdlock(&t->lock);
    snprintf(out, cap, "%s", t && t->path ? t->path : "trusted_keys");
    if (t)
        pthread_rwlock_unlock(&t->lock);
}

static int valid_at(const auth_peer *p, int64_t now_s)
{
    return now_s >= p->not_before_s && (p->not_after_s == 0 || now_s <= p->not_after_s);
}

int auth_trust_find(auth_trust *t, const uint8_t sign_pk[AUTH_SIGN_PK], int64_t now_s,
                    auth_peer *out)
{
    auth_peer key = {0};
    memcpy(key.sign_pk, sign_pk, AUTH_SIGN_PK);
    pthread_rwlock_rdlock(&t->lock);
    const auth_peer *p =
        t->set.n ? bsearch(&key, t->set.peers, t->set.n, sizeof key, cmp_sign) : NULL;
    int ok = p && valid_at(p, now_s) && !auth_key_revoked(t, sign_pk);
    if (ok) {
        *out = *p;
    } else if (!p) {
        const auth_learned *l = auth_learned_find(t, sign_pk, now_s);
        if ((ok = l != NULL))
            *out = l->peer;
    }
    pthread_rwlock_unlock(&t->lock);
    return ok;
}

uint64_t auth_trust_generation(auth_trust *t)
{
    return atomic_load(&t->generation);
}

void auth_trust_entry(const auth_identity *id, const char *options, gp_buf *out)
{
    char hex[2 * AUTH_SIGN_PK + 1];
    gp_hex(id->sign_pk, AUTH_SIGN_PK, hex);
    gp_buf_printf(out, "%s %s %s%s%s\n", auth_kind_name(id->kind), id->name, hex,
                  options && *options ? " " : "", options ? options : "");
}
