/* acc.c - rows of all hosts so far, in bounded memory.
 *
 * Hosts apart: a group lives on one host, so the best N of all rows are among the best N of each
 * host, and nothing has to be looked up. `keep` holds at most 2 N rows; when it is full, the worse
 * half goes, and rows that are worse than the N-th seen so far are not even stored (design.md
 * "Merging").
 *
 * Hosts merged: every row must be found again, so rows are dealt out by a hash of their key to
 * shards, each a merger with a thread of its own. A row's key lies in one shard, so the result is
 * the best of what the shards have. */
#include "acc.h"

#include "gp/clock.h"
#include "gp/mem.h"
#include "gp/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SHARDS = 8, QUEUE = 4, MIN_KEEP = 4096, STRINGS = 64 * 1024 * 1024 };

/* A part whose rows were dealt out; the last shard frees it. */
struct dealt {
    atomic_uint refs;
    const result_quota *quota;
    uint64_t bytes;   /* taken from it */
    result part;      /* labels */
    result_row *rows; /* shard after shard */
    size_t from[MAX_SHARDS + 1];
};

struct shard {
    fanout_acc *acc;
    unsigned index;
    pthread_t thread;
    int has_thread;
    result_merger *m;     /* the thread's, while it is busy */
    pthread_mutex_t lock; /* protects queue, n, busy, stop, st, err */
    pthread_cond_t changed;
    struct dealt *queue[QUEUE];
    unsigned n, busy, stop;
    gp_status st;
    gp_err err;
};

struct fanout_acc {
    const query_stmt *stmt;
    result_order order;
    const result_quota *quota;
    uint64_t limit;
    uint64_t kept, copied; /* bytes taken: of keep and the labels; of the last result given out */
    result_merger *sum;    /* statuses and summary; rows too when there are no shards */
    result names;          /* hosts that have answered, as labels */
    int top;               /* hosts apart */
    result keep;
    uint32_t *host_map, *iface_map;
    size_t cap_hosts, cap_ifaces;
    size_t cap_keep; /* rows in keep before it is cut */
    int has_bound;
    uint64_t bound; /* sort value of the N-th row: worse ones can't matter */
    unsigned n_shards;
    struct shard *shards;
};

static gp_status no_memory(gp_err *err)
{
    return gp_fail(err, GP_ENOMEM, 0, "merging: out of memory");
}

static gp_status take(fanout_acc *a, uint64_t bytes, gp_err *err)
{
    if (!a->quota->take(a->quota->ctx, bytes))
        return gp_fail(err, GP_ELIMIT, 0, "the result does not fit the memory allowed");
    return GP_OK;
}

/* What keep and the labels hold now; also before they grow by `more`. */
static gp_status count_kept(fanout_acc *a, uint64_t more, gp_err *err)
{
    uint64_t now = a->keep.cap_rows * sizeof *a->keep.rows + gp_arena_bytes(a->keep.arena) +
                   gp_arena_bytes(a->names.arena) + more;
    if (now > a->kept)
        GP_TRY(take(a, now - a->kept, err));
    else
        a->quota->give(a->quota->ctx, a->kept - now);
    a->kept = now;
    return GP_OK;
}

/* ---- hosts apart ---- */

/* What rows are sorted by, as a number; ties are left to result_sort(). */
static inline uint64_t sort_value(const result_order *o, const result_row *r)
{
    if (o->has_time || o->sort == QUERY_SORT_TIME)
        return (uint64_t)r->time_s ^ UINT64_C(1) << 63;
    int packets = o->sort == QUERY_SORT_PACKETS;
    uint64_t in = packets ? r->c.pkts_rcvd : r->c.bytes_rcvd;
    uint64_t out = packets ? r->c.pkts_sent : r->c.bytes_sent, sum;
    if (o->direction == QUERY_IN)
        return in;
    if (o->direction == QUERY_OUT)
        return out;
    return __builtin_add_overflow(in, out, &sum) ? UINT64_MAX : sum;
}

static inline int rising(const result_order *o)
{
    return o->ascending || o->has_time || o->sort == QUERY_SORT_TIME;
}

static gp_status grow_map(uint32_t **map, size_t *cap, size_t n, gp_err *err)
{
    if (n <= *cap)
        return GP_OK;
    uint32_t *m = gp_realloc(*map, n, sizeof *m);
    if (!m)
        return no_memory(err);
    *map = m;
    *cap = n;
    return GP_OK;
}

/* Labels of src as indices in dst. */
static gp_status map_labels(fanout_acc *a, const result *src, result *dst, gp_err *err)
{
    GP_TRY(grow_map(&a->host_map, &a->cap_hosts, src->n_hosts, err));
    GP_TRY(grow_map(&a->iface_map, &a->cap_ifaces, src->n_names, err));
    for (size_t i = 0; i < src->n_hosts; i++) {
        a->host_map[i] = result_host_id(dst, src->hosts[i].name, src->hosts[i].id);
        if (a->host_map[i] == UINT32_MAX)
            return no_memory(err);
    }
    for (size_t i = 0; i < src->n_names; i++) {
        a->iface_map[i] = result_iface_id(dst, src->names[i]);
        if (a->iface_map[i] == UINT32_MAX)
            return no_memory(err);
    }
    return GP_OK;
}

static gp_status cut_keep(fanout_acc *a, gp_err *err)
{
    if (a->keep.n_rows <= a->limit)
        return GP_OK;
    GP_TRY(result_sort(&a->keep, &a->order, a->limit, err));
    a->bound = sort_value(&a->order, &a->keep.rows[a->keep.n_rows - 1]);
    a->has_bound = 1;
    return GP_OK;
}

static gp_status keep_rows(fanout_acc *a, const result *part, gp_err *err)
{
    int up = rising(&a->order);
    GP_TRY(map_labels(a, part, &a->keep, err));
    for (size_t i = 0; i < part->n_rows; i++) {
        const result_row *r = &part->rows[i];
        uint64_t v = sort_value(&a->order, r);
        if (a->has_bound && (up ? v > a->bound : v < a->bound))
            continue;
        if (a->keep.n_rows >= a->cap_keep)
            GP_TRY(cut_keep(a, err));
        if (a->keep.n_rows == a->keep.cap_rows) {
            GP_TRY(count_kept(a, (a->keep.cap_rows / 2 + 64) * sizeof *r, err));
            GP_TRY(result_reserve_rows(&a->keep, 1, err));
        }
        result_row *to = &a->keep.rows[a->keep.n_rows++];
        *to = *r;
        to->host = a->host_map[r->host];
        to->iface = a->iface_map[r->iface];
    }
    return count_kept(a, 0, err);
}

/* ---- hosts merged: shards ---- */

static void dealt_put(struct dealt *d)
{
    if (atomic_fetch_sub(&d->refs, 1) != 1)
        return;
    result_clear(&d->part);
    gp_free(d->rows);
    d->quota->give(d->quota->ctx, d->bytes);
    gp_free(d);
}

/* A view of one shard's rows: labels shared, summary left out. */
static result view_of(const struct dealt *d, unsigned shard)
{
    result v = d->part;
    v.rows = d->rows + d->from[shard];
    v.n_rows = d->from[shard + 1] - d->from[shard];
    v.hits_total = v.n_rows;
    v.totals = (result_counters){0};
    v.has_stats = 0;
    v.n_host_statuses = v.n_ifaces = 0;
    v.data_available = 0;
    return v;
}

static void *shard_main(void *arg)
{
    struct shard *s = arg;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (!s->n && !s->stop)
            pthread_cond_wait(&s->changed, &s->lock);
        if (!s->n)
            break;
        struct dealt *d = s->queue[0];
        memmove(s->queue, s->queue + 1, --s->n * sizeof s->queue[0]);
        s->busy = 1;
        gp_status st = s->st;
        pthread_cond_broadcast(&s->changed);
        pthread_mutex_unlock(&s->lock);
        gp_err err = {0};
        result v = view_of(d, s->index);
        if (st == GP_OK && v.n_rows)
            st = result_merger_add(s->m, &v, &err);
        dealt_put(d);
        pthread_mutex_lock(&s->lock);
        if (st != GP_OK && s->st == GP_OK) {
            s->st = st;
            s->err = err;
        }
        s->busy = 0;
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void shard_push(struct shard *s, struct dealt *d)
{
    pthread_mutex_lock(&s->lock);
    while (s->n == QUEUE)
        pthread_cond_wait(&s->changed, &s->lock);
    s->queue[s->n++] = d;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* Wait until the shard has nothing to do; its merger is ours until the next push. */
static gp_status shard_idle(struct shard *s, gp_err *err)
{
    pthread_mutex_lock(&s->lock);
    while (s->n || s->busy)
        pthread_cond_wait(&s->changed, &s->lock);
    gp_status st = s->st;
    if (st != GP_OK && err)
        *err = s->err;
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* Time is left out: bins are made by the shards, and all of a bin must meet in one. */
static inline unsigned shard_of(const result_row *r, unsigned n)
{
    uint64_t h = gp_le64(r->sip) ^ gp_le64(r->sip + 8) * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    h ^= gp_le64(r->dip) + gp_le64(r->dip + 8) * UINT64_C(0x94d049bb133111eb);
    h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
    h ^= (uint64_t)r->dport << 8 ^ r->proto;
    h *= UINT64_C(0x9e3779b97f4a7c15);
    return (unsigned)((h >> 32) * n >> 32);
}

static gp_status deal_rows(fanout_acc *a, result *take_part, gp_err *err)
{
    size_t count[MAX_SHARDS] = {0}, at[MAX_SHARDS] = {0};
    uint64_t bytes = take_part->n_rows * sizeof(result_row) + gp_arena_bytes(take_part->arena) +
                     sizeof(struct dealt);
    GP_TRY(take(a, bytes, err));
    struct dealt *d = gp_calloc(1, sizeof *d);
    result_row *rows = gp_alloc(take_part->n_rows ? take_part->n_rows : 1, sizeof *rows);
    if (!d || !rows) {
        gp_free(d);
        gp_free(rows);
        a->quota->give(a->quota->ctx, bytes);
        return no_memory(err);
    }
    *d = (struct dealt){.quota = a->quota, .bytes = bytes, .rows = rows, .part = *take_part};
    *take_part = (result){0};
    atomic_store(&d->refs, a->n_shards);
    for (size_t i = 0; i < d->part.n_rows; i++)
        count[shard_of(&d->part.rows[i], a->n_shards)]++;
    for (unsigned s = 0; s < a->n_shards; s++) {
        d->from[s + 1] = d->from[s] + count[s];
        at[s] = d->from[s];
    }
    for (size_t i = 0; i < d->part.n_rows; i++)
        d->rows[at[shard_of(&d->part.rows[i], a->n_shards)]++] = d->part.rows[i];
    gp_free(d->part.rows);
    d->part.rows = NULL;
    for (unsigned s = 0; s < a->n_shards; s++)
        shard_push(&a->shards[s], d);
    return GP_OK;
}

/* ---- making ---- */

static gp_status start_shards(fanout_acc *a, gp_err *err)
{
    unsigned n = gp_cpu_count();
    n = n < 1 ? 1 : n > MAX_SHARDS ? MAX_SHARDS : n;
    a->shards = gp_calloc(n, sizeof *a->shards);
    if (!a->shards)
        return no_memory(err);
    for (unsigned i = 0; i < n; i++) {
        struct shard *s = &a->shards[i];
        s->acc = a;
        s->index = i;
        pthread_mutex_init(&s->lock, NULL);
        pthread_cond_init(&s->changed, NULL);
        a->n_shards = i + 1;
        GP_TRY(result_merger_new(a->stmt, 1, 0, &s->m, err));
        result_merger_quota(s->m, a->quota);
        if (pthread_create(&s->thread, NULL, shard_main, s) != 0)
            return gp_fail(err, GP_ENOMEM, 0, "merging: no thread");
        s->has_thread = 1;
    }
    return GP_OK;
}

gp_status fanout_acc_new(const query_stmt *s, const result_quota *quota, fanout_acc **out,
                         gp_err *err)
{
    fanout_acc *a = gp_calloc(1, sizeof *a);
    if (!a)
        return no_memory(err);
    a->stmt = s;
    a->order = result_order_of(s);
    a->quota = quota;
    a->limit = s->limit;
    a->top = !s->merge_hosts;
    a->cap_keep = s->limit > SIZE_MAX / 4 ? SIZE_MAX / 2 : 2 * s->limit;
    if (a->cap_keep < MIN_KEEP)
        a->cap_keep = MIN_KEEP;
    gp_status st = result_init(&a->names, STRINGS, err);
    if (st == GP_OK)
        st = result_init(&a->keep, STRINGS, err);
    if (st == GP_OK)
        st = result_merger_new(s, s->merge_hosts, 0, &a->sum, err);
    if (st == GP_OK)
        result_merger_quota(a->sum, quota);
    if (st == GP_OK && !a->top)
        st = start_shards(a, err);
    if (st != GP_OK) {
        fanout_acc_free(a);
        return st;
    }
    *out = a;
    return GP_OK;
}

void fanout_acc_free(fanout_acc *a)
{
    if (!a)
        return;
    for (unsigned i = 0; i < a->n_shards; i++) {
        struct shard *s = &a->shards[i];
        pthread_mutex_lock(&s->lock);
        s->stop = 1;
        s->st = s->st == GP_OK ? GP_ECANCELLED : s->st; /* what is queued is only let go */
        pthread_cond_broadcast(&s->changed);
        pthread_mutex_unlock(&s->lock);
        if (s->has_thread)
            pthread_join(s->thread, NULL);
        result_merger_free(s->m);
        pthread_mutex_destroy(&s->lock);
        pthread_cond_destroy(&s->changed);
    }
    gp_free(a->shards);
    result_merger_free(a->sum);
    result_clear(&a->names);
    result_clear(&a->keep);
    gp_free(a->host_map);
    gp_free(a->iface_map);
    a->quota->give(a->quota->ctx, a->kept + a->copied);
    gp_free(a);
}

/* ---- use ---- */

int fanout_acc_has(const fanout_acc *a, const char *host)
{
    return result_has_host(&a->names, host, "");
}

gp_status fanout_acc_claim(fanout_acc *a, const char *host, gp_err *err)
{
    if (fanout_acc_has(a, host))
        return gp_fail(err, GP_EEXIST, 0, "%s has answered already (listed twice?)", host);
    return result_host_id(&a->names, host, "") == UINT32_MAX ? no_memory(err) : GP_OK;
}

gp_status fanout_acc_add(fanout_acc *a, result *take_part, gp_err *err)
{
    result head = *take_part; /* its summary; labels of rows that are kept come with them */
    head.n_rows = head.n_hosts = head.n_names = 0;
    head.rows = NULL;
    if (!a->top)
        head.hits_total -=
            take_part->n_rows < head.hits_total ? take_part->n_rows : head.hits_total;
    gp_status st = result_merger_add(a->sum, &head, err);
    if (st == GP_OK)
        st = a->top ? keep_rows(a, take_part, err) : deal_rows(a, take_part, err);
    result_clear(take_part);
    return st;
}

gp_status fanout_acc_host(fanout_acc *a, const char *host, result_code code, const char *text,
                          gp_err *err)
{
    return result_merger_host(a->sum, host, code, text, err);
}

static gp_status append(fanout_acc *a, const result *from, result *out, gp_err *err)
{
    GP_TRY(map_labels(a, from, out, err));
    GP_TRY(result_reserve_rows(out, from->n_rows ? from->n_rows : 1, err));
    for (size_t i = 0; i < from->n_rows; i++) {
        result_row *to = &out->rows[out->n_rows++];
        *to = from->rows[i];
        to->host = a->host_map[to->host];
        to->iface = a->iface_map[to->iface];
    }
    return GP_OK;
}

static gp_status append_shards(fanout_acc *a, uint64_t limit, result *out, gp_err *err)
{
    for (unsigned i = 0; i < a->n_shards; i++) {
        result part = {0};
        GP_TRY(shard_idle(&a->shards[i], err));
        GP_TRY(result_merger_get(a->shards[i].m, limit, &part, err));
        out->hits_total += part.hits_total;
        gp_status st = append(a, &part, out, err);
        result_clear(&part);
        GP_TRY(st);
    }
    return GP_OK;
}

/* Copies and the index they are sorted by; take them before they are made. */
static gp_status count_copies(fanout_acc *a, uint64_t limit, gp_err *err)
{
    enum { ROW = sizeof(result_row), INDEX = 16 };
    uint64_t rows = a->top ? a->keep.n_rows : 0, most = 0;
    for (unsigned i = 0; i < a->n_shards; i++) {
        GP_TRY(shard_idle(&a->shards[i], err));
        uint64_t n = result_merger_rows(a->shards[i].m), cut = limit && limit < n ? limit : n;
        rows += cut;
        most = cut * ROW + n * INDEX > most ? cut * ROW + n * INDEX : most;
    }
    a->quota->give(a->quota->ctx, a->copied);
    a->copied = 0;
    GP_TRY(take(a, rows * (ROW + INDEX) + most, err));
    a->copied = rows * (ROW + INDEX) + most;
    return GP_OK;
}

gp_status fanout_acc_get(fanout_acc *a, uint64_t limit, result *out, gp_err *err)
{
    result r = {0};
    if (a->top) /* what is dropped here can't come back into a smaller result */
        GP_TRY(cut_keep(a, err));
    GP_TRY(count_copies(a, limit, err));
    GP_TRY(result_merger_get(a->sum, 0, &r, err));
    gp_status st = a->top ? append(a, &a->keep, &r, err) : append_shards(a, limit, &r, err);
    if (st == GP_OK)
        st = result_sort(&r, &a->order, limit, err);
    if (st != GP_OK) {
        result_clear(&r);
        return st;
    }
    result_finish_status(&r);
    *out = r;
    return GP_OK;
}
