/* index.c - asking the per-day index: can a block hold this address, are its bytes unchanged? */
#include "godb/index.h"

#include "day.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "indexfile.h"
#include "xorfilter.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

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

const godb_index_rec *godb_index_record(const godb_index *ix, size_t block)
{
    if (block >= ix->f.n_blocks || ix->f.of_block[block] == 0)
        return NULL;
    return &ix->f.rec[ix->f.of_block[block] - 1];
}

/* The record, if it is certain to be of the blocks that are there now. */
static const godb_index_rec *sure_record(const godb_index *ix, size_t block)
{
    const godb_index_rec *r = godb_index_record(ix, block);
    return r && !r->times_bad ? r : NULL;
}

int godb_index_covers(const godb_index *ix, size_t block)
{
    return sure_record(ix, block) != NULL;
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
    const godb_index_rec *r = sure_record(ix, block);
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
    const godb_index_rec *r = sure_record(ix, block);
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

gp_status godb_index_sum_span(const godb_day *d, godb_col col, uint64_t off, uint64_t n,
                              uint8_t *buf, uint32_t *sum, gp_err *err)
{
    XXH3_state_t state;
    int fd = -1;

    XXH3_INITSTATE(&state);
    XXH3_64bits_reset(&state);
    if (n > 0)
        GP_TRY(godb_day_col_fd(d, col, &fd, err));
    for (uint64_t done = 0; done < n;) {
        size_t step = n - done < GODB_INDEX_STEP ? (size_t)(n - done) : GODB_INDEX_STEP;
        GP_TRY(gp_pread_full(fd, buf, step, off + done, err));
        XXH3_64bits_update(&state, buf, step);
        done += step;
    }
    *sum = (uint32_t)XXH3_64bits_digest(&state);
    return GP_OK;
}

gp_status godb_index_sum_block(const godb_day *d, size_t block, uint8_t *buf, uint32_t *sum,
                               gp_err *err)
{
    const godb_block *b = &d->meta.blocks[block];
    uint32_t one[GODB_N_COLS];

    for (int c = 0; c < GODB_N_COLS; c++)
        GP_TRY(godb_index_sum_span(d, (godb_col)c, b->offset[c], b->stored[c], buf, &one[c], err));
    *sum = godb_index_sum_of(b, one);
    return GP_OK;
}

/* The run as a whole has changed: has this block of it? */
static gp_status verify_block(const godb_index_rec *r, const godb_day *d, size_t block,
                              godb_col col, uint8_t *buf, gp_err *err)
{
    uint32_t sum;

    if (r->block_sums) {
        GP_TRY(godb_index_sum_block(d, block, buf, &sum, err));
        if (sum == gp_le32(r->block_sums + 4 * (block - r->first)))
            return GP_OK;
    }
    return gp_fail(err, GP_ECORRUPT, 0,
                   "%s: block %lld: bytes have changed since they were written", godb_col_file(col),
                   (long long)d->meta.blocks[block].time_s);
}

/* Sum of one column over the blocks of a record. */
static gp_status sum_run(const godb_index_rec *r, const godb_day *d, godb_col col, uint8_t *buf,
                         uint32_t *sum)
{
    const godb_block *a = &d->meta.blocks[r->first], *z = a + r->n - 1;

    return godb_index_sum_span(d, col, a->offset[col],
                               z->offset[col] + z->stored[col] - a->offset[col], buf, sum, NULL);
}

/* Times in .blockmeta differ from the record's. Were they damaged, or is the record of blocks that
 * are there no more: made before a power loss that took .blockmeta back, and then others of the
 * same lengths were written? The bytes tell. */
static int of_other_blocks(const godb_index_rec *r, const godb_day *d, uint8_t *buf)
{
    for (int c = 0; c < GODB_N_COLS; c++) {
        uint32_t sum = 0;
        if (sum_run(r, d, (godb_col)c, buf, &sum) != GP_OK || sum != r->sum[c])
            return 1;
    }
    return 0;
}

gp_status godb_index_verify(const godb_index *ix, const godb_day *d, size_t block, godb_col col,
                            gp_err *err)
{
    int whole;
    return godb_index_verify_run(ix, d, block, col, &whole, err);
}

gp_status godb_index_verify_run(const godb_index *ix, const godb_day *d, size_t block, godb_col col,
                                int *whole, gp_err *err)
{
    const godb_index_rec *r = godb_index_record(ix, block);
    uint32_t sum = 0;

    *whole = 0;
    if (!r)
        return gp_fail(err, GP_ENOTFOUND, 0, "block %zu is not indexed", block);
    GP_CLEANUP(gp_freep) uint8_t *buf = gp_alloc(GODB_INDEX_STEP, 1);
    if (!buf)
        return gp_fail(err, GP_ENOMEM, 0, "index: out of memory");
    gp_status st = sum_run(r, d, col, buf, &sum);
    *whole = st == GP_OK && sum == r->sum[col] && !r->times_bad;
    if (*whole)
        return GP_OK; /* a file that ends before the run does not tell about this block yet */
    st = verify_block(r, d, block, col, buf, err);
    if (st == GP_ECORRUPT && r->times_bad && of_other_blocks(r, d, buf))
        return gp_fail(err, GP_ENOTFOUND, 0, "the record of block %zu is of other blocks", block);
    return st == GP_OK ? GP_OK : gp_fail_context(err, st, "%s", d->path);
}
