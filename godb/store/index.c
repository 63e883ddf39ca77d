/* index.c - asking the per-day index: can a block hold this address, are its bytes unchanged? */
#include "godb/index.h"

#include "day.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "indexfile.h"
#include "xorfilter.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { VERIFY_STEP = 256 * 1024 };

struct godb_index {
    godb_index_file f;
};

gp_status godb_index_open(const godb_day *d, godb_index **out, gp_err *err)
{
    godb_index *ix = gp_calloc(1, sizeof *ix);
    if (!ix)
        return gp_fail(err, GP_ENOMEM, 0, "index: out of memory");
    gp_status st = godb_index_file_read(d->fd, &d->meta, &ix->f, err);
    if (st != GP_OK) {
        godb_index_close(ix);
        return gp_fail_context(err, st, "%s", d->path);
    }
    *out = ix;
    return GP_OK;
}

void godb_index_close(godb_index *ix)
{
    if (!ix)
        return;
    godb_index_file_free(&ix->f);
    gp_free(ix);
}

static const godb_index_rec *record_of(const godb_index *ix, size_t block)
{
    if (block >= ix->f.n_blocks || ix->f.of_block[block] == 0)
        return NULL;
    return &ix->f.rec[ix->f.of_block[block] - 1];
}

int godb_index_covers(const godb_index *ix, size_t block)
{
    return record_of(ix, block) != NULL;
}

godb_index_key godb_index_key_of(godb_col col, const gp_addr *addr)
{
    return (godb_index_key){
        .hash = godb_index_hash(col, addr->family, addr->bytes), .addr = *addr, .col = col};
}

/* As it is compared with the ranges: IPv4 whole, IPv6 the upper half. */
static uint64_t head_of(const gp_addr *a)
{
    return a->family == 4 ? gp_be32(a->bytes) : gp_be64(a->bytes);
}

int godb_index_may_have(const godb_index *ix, size_t block, const godb_index_key *key)
{
    const godb_index_rec *r = record_of(ix, block);
    int f = key->addr.family == 6, c = key->col == GODB_COL_DIP;
    uint64_t head = head_of(&key->addr);

    if (!r || (key->col != GODB_COL_SIP && key->col != GODB_COL_DIP) || key->addr.family == 0)
        return 1;
    if (!(r->flags & 1u << f) || head < r->min[f][c] || head > r->max[f][c])
        return 0;
    return r->k == 0 || godb_xor_has(r->bits, r->third, r->k, r->seed, key->hash);
}

int godb_index_may_overlap(const godb_index *ix, size_t block, godb_col col, const gp_net *net)
{
    const godb_index_rec *r = record_of(ix, block);
    int f = net->addr.family == 6, c = col == GODB_COL_DIP;
    unsigned width = f ? 64 : 32;

    if (!r || (col != GODB_COL_SIP && col != GODB_COL_DIP) || net->addr.family == 0)
        return 1;
    if (net->prefix == (f ? 128 : 32)) {
        godb_index_key key = godb_index_key_of(col, &net->addr);
        return godb_index_may_have(ix, block, &key);
    }
    uint64_t lo = head_of(&net->addr), all = f ? UINT64_MAX : UINT32_MAX;
    uint64_t host = net->prefix >= width ? 0 : all >> net->prefix;
    return (r->flags & 1u << f) && (lo | host) >= r->min[f][c] && lo <= r->max[f][c];
}

gp_status godb_index_verify(const godb_index *ix, const godb_day *d, size_t block, godb_col col,
                            gp_err *err)
{
    const godb_index_rec *r = record_of(ix, block);
    int fd;

    if (!r)
        return gp_fail(err, GP_ENOTFOUND, 0, "block %zu is not indexed", block);
    const godb_block *a = &d->meta.blocks[r->first], *z = &d->meta.blocks[r->first + r->n - 1];
    uint64_t off = a->offset[col], left = z->offset[col] + z->stored[col] - off;
    if (left == 0)
        return GP_OK;
    GP_TRY(godb_day_col_fd(d, col, &fd, err));
    GP_CLEANUP(gp_freep) uint8_t *buf = gp_alloc(VERIFY_STEP, 1);
    XXH3_state_t state;
    if (!buf)
        return gp_fail(err, GP_ENOMEM, 0, "index: out of memory");
    gp_status st = GP_OK;
    XXH3_INITSTATE(&state);
    XXH3_64bits_reset(&state);
    while (left > 0 && st == GP_OK) {
        size_t n = left < VERIFY_STEP ? (size_t)left : VERIFY_STEP;
        st = gp_pread_full(fd, buf, n, off, err);
        if (st == GP_OK)
            XXH3_64bits_update(&state, buf, n);
        off += n;
        left -= n;
    }
    uint32_t sum = (uint32_t)XXH3_64bits_digest(&state);
    if (st == GP_OK && sum != r->sum[col])
        st = gp_fail(err, GP_ECORRUPT, 0, "%s: bytes of blocks %u to %u have changed",
                     godb_col_file(col), r->first, r->first + r->n - 1);
    return st == GP_OK ? GP_OK : gp_fail_context(err, st, "%s", d->path);
}
