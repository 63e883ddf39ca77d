/* replay.c - ids of signed requests already seen: a hash set of fixed size with expiry.
 *
 * An id is kept as a keyed 16-byte hash of (signer, id), so an outsider cannot choose collisions. A
 * binary heap on the expiry time gives up ids that can no longer be replayed. One signer may hold a
 * quarter of the cache, so that a stolen key cannot lock everybody else out. */
#include "auth/request.h"
#include "gp/mem.h"
#include "identity.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>

enum { NIL = UINT32_MAX, SMALL = 64, MAX_IDS = 1 << 24 };

typedef struct seen {
    uint8_t hash[16];
    int64_t expires_s;
    uint32_t next;   /* in its bucket, or in the free list */
    uint32_t signer; /* index into signers */
} seen;

typedef struct signer {
    uint64_t hash;
    uint32_t next, held; /* ids of it in the cache; 0 = slot is free */
} signer;

struct auth_replay {
    pthread_mutex_t lock; /* protects everything below */
    uint8_t key[crypto_generichash_KEYBYTES];
    uint32_t max, n, mask, per_signer; /* mask: buckets - 1 */
    seen *ids;
    signer *signers;
    uint32_t *buckets, *signer_buckets, *heap, free_id, free_signer;
};

gp_status auth_replay_new(size_t max_ids, auth_replay **out, gp_err *err)
{
    GP_TRY(auth_init(err));
    if (max_ids == 0 || max_ids > MAX_IDS)
        return gp_fail(err, GP_EINVAL, 0, "replay cache: expected 1 to %d ids", MAX_IDS);
    auth_replay *r = gp_calloc(1, sizeof *r);
    if (!r)
        return gp_fail(err, GP_ENOMEM, 0, "replay cache: out of memory");
    pthread_mutex_init(&r->lock, NULL);
    uint32_t buckets = 1;
    while (buckets < max_ids)
        buckets *= 2;
    r->max = (uint32_t)max_ids;
    r->mask = buckets - 1;
    r->per_signer = r->max < SMALL ? r->max : r->max / 4;
    r->ids = gp_calloc(max_ids, sizeof *r->ids);
    r->signers = gp_calloc(max_ids, sizeof *r->signers);
    r->heap = gp_calloc(max_ids, sizeof *r->heap);
    r->buckets = gp_calloc(buckets, sizeof *r->buckets);
    r->signer_buckets = gp_calloc(buckets, sizeof *r->signer_buckets);
    if (!r->ids || !r->signers || !r->heap || !r->buckets || !r->signer_buckets) {
        auth_replay_free(r);
        return gp_fail(err, GP_ENOMEM, 0, "replay cache: out of memory for %zu ids", max_ids);
    }
    memset(r->buckets, 0xff, buckets * sizeof *r->buckets);
    memset(r->signer_buckets, 0xff, buckets * sizeof *r->signer_buckets);
    for (uint32_t i = 0; i < r->max; i++)
        r->ids[i].next = r->signers[i].next = i + 1 < r->max ? i + 1 : NIL;
    randombytes_buf(r->key, sizeof r->key);
    *out = r;
    return GP_OK;
}

void auth_replay_free(auth_replay *r)
{
    if (!r)
        return;
    gp_free(r->ids);
    gp_free(r->signers);
    gp_free(r->heap);
    gp_free(r->buckets);
    gp_free(r->signer_buckets);
    pthread_mutex_destroy(&r->lock);
    gp_free(r);
}

static void heap_up(auth_replay *r, uint32_t i)
{
    while (i > 0) {
        uint32_t up = (i - 1) / 2, t = r->heap[i];
        if (r->ids[r->heap[up]].expires_s <= r->ids[t].expires_s)
            return;
        r->heap[i] = r->heap[up];
        r->heap[up] = t;
        i = up;
    }
}

static void heap_down(auth_replay *r, uint32_t i)
{
    for (;;) {
        uint32_t kid = 2 * i + 1, t = r->heap[i];
        if (kid >= r->n)
            return;
        if (kid + 1 < r->n && r->ids[r->heap[kid + 1]].expires_s < r->ids[r->heap[kid]].expires_s)
            kid++;
        if (r->ids[t].expires_s <= r->ids[r->heap[kid]].expires_s)
            return;
        r->heap[i] = r->heap[kid];
        r->heap[kid] = t;
        i = kid;
    }
}

static uint32_t *signer_bucket(auth_replay *r, uint64_t hash)
{
    return &r->signer_buckets[hash & r->mask];
}

static void drop_signer(auth_replay *r, uint32_t s)
{
    uint32_t *at = signer_bucket(r, r->signers[s].hash);
    if (--r->signers[s].held)
        return;
    while (*at != s)
        at = &r->signers[*at].next;
    *at = r->signers[s].next;
    r->signers[s].next = r->free_signer;
    r->free_signer = s;
}

/* The signer's slot; a new one when unknown (there is one for each free id). */
static uint32_t find_signer(auth_replay *r, const uint8_t pk[AUTH_SIGN_PK])
{
    uint64_t hash;
    crypto_shorthash((uint8_t *)&hash, pk, AUTH_SIGN_PK, r->key);
    uint32_t *head = signer_bucket(r, hash);
    for (uint32_t s = *head; s != NIL; s = r->signers[s].next)
        if (r->signers[s].hash == hash)
            return s;
    uint32_t s = r->free_signer;
    r->free_signer = r->signers[s].next;
    r->signers[s] = (signer){.hash = hash, .next = *head};
    *head = s;
    return s;
}

static uint32_t *id_bucket(auth_replay *r, const uint8_t hash[16])
{
    return &r->buckets[gp_le32(hash) & r->mask];
}

/* Forget ids whose time is over. */
static void expire(auth_replay *r, int64_t now_s)
{
    while (r->n && r->ids[r->heap[0]].expires_s < now_s) {
        uint32_t i = r->heap[0], *at = id_bucket(r, r->ids[i].hash);
        r->heap[0] = r->heap[--r->n];
        heap_down(r, 0);
        while (*at != i)
            at = &r->ids[*at].next;
        *at = r->ids[i].next;
        drop_signer(r, r->ids[i].signer);
        r->ids[i].next = r->free_id;
        r->free_id = i;
    }
}

static gp_status add_locked(auth_replay *r, const uint8_t pk[AUTH_SIGN_PK], const uint8_t hash[16],
                            int64_t expires_s)
{
    uint32_t *head = id_bucket(r, hash);
    for (uint32_t i = *head; i != NIL; i = r->ids[i].next)
        if (memcmp(r->ids[i].hash, hash, 16) == 0)
            return GP_EEXIST;
    if (r->n == r->max)
        return GP_ELIMIT;
    uint32_t s = find_signer(r, pk);
    if (r->signers[s].held >= r->per_signer)
        return GP_ELIMIT;
    r->signers[s].held++;
    uint32_t i = r->free_id;
    r->free_id = r->ids[i].next;
    r->ids[i] = (seen){.expires_s = expires_s, .next = *head, .signer = s};
    memcpy(r->ids[i].hash, hash, 16);
    *head = i;
    r->heap[r->n++] = i;
    heap_up(r, r->n - 1);
    return GP_OK;
}

gp_status auth_replay_add(auth_replay *r, const uint8_t signer_pk[AUTH_SIGN_PK],
                          const uint8_t id[AUTH_QUERY_ID], int64_t now_s, int64_t expires_s)
{
    uint8_t in[AUTH_SIGN_PK + AUTH_QUERY_ID], hash[16];
    memcpy(in, signer_pk, AUTH_SIGN_PK);
    memcpy(in + AUTH_SIGN_PK, id, AUTH_QUERY_ID);
    crypto_generichash_blake2b(hash, sizeof hash, in, sizeof in, r->key, sizeof r->key);
    pthread_mutex_lock(&r->lock);
    expire(r, now_s);
    gp_status st = add_locked(r, signer_pk, hash, expires_s);
    pthread_mutex_unlock(&r->lock);
    return st;
}
