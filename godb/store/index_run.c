/* index_run.c - collect distinct addresses of a run of blocks and size their filter to the budget.
 */
#include "index_run.h"

#include "gp/mem.h"
#include "xorfilter.h"

enum {
    /* A record may take 45 of 1,000 stored bytes, so that the file stays below 5 %. */
    BUDGET = 45,
    BUDGET_OF = 1000,
    FIRST_CAP = 1024,
    RANGE_BYTES = 48,    /* at most, both families */
    LARGE_CAP = 1 << 16, /* a set that is freed before its filter is built */
};

void godb_index_run_clear(godb_index_run *r, uint32_t first)
{
    if (r->keys > 0 && r->set)
        memset(r->set, 0, r->cap * sizeof *r->set);
    gp_buf_clear(&r->sums);
    *r = (godb_index_run){.first = first, .set = r->set, .cap = r->cap, .sums = r->sums};
    for (int f = 0; f < 2; f++)
        r->min[f][0] = r->min[f][1] = UINT64_MAX;
}

void godb_index_run_free(godb_index_run *r)
{
    gp_free(r->set);
    gp_buf_free(&r->sums);
    *r = (godb_index_run){0};
}

static void insert(uint64_t *set, size_t cap, uint64_t h, uint32_t *keys)
{
    size_t at = (size_t)(h * 0x9E3779B97F4A7C15u >> 32) & (cap - 1);

    while (set[at] != 0 && set[at] != h)
        at = (at + 1) & (cap - 1);
    *keys += set[at] == 0;
    set[at] = h;
}

static gp_status grow(godb_index_run *r, gp_err *err)
{
    size_t cap = r->cap ? 2 * r->cap : FIRST_CAP;
    uint64_t *set = gp_calloc(cap, sizeof *set);
    uint32_t keys = 0;

    if (!set)
        return gp_fail(err, GP_ENOMEM, 0, "index: out of memory for %zu addresses", cap);
    for (size_t i = 0; i < r->cap; i++)
        if (r->set[i])
            insert(set, cap, r->set[i], &keys);
    gp_free(r->set);
    r->set = set;
    r->cap = cap;
    return GP_OK;
}

/* n addresses of one family (f 0: IPv4, 1: IPv6) and column (c 0: sip, 1: dip). */
static gp_status add_addresses(godb_index_run *r, int f, int c, const uint8_t *p, size_t n,
                               gp_err *err)
{
    size_t w = f ? 16 : 4;
    const uint8_t *last = NULL;

    for (size_t i = 0; i < n; i++, p += w) {
        uint64_t head = f ? gp_be64(p) : gp_be32(p);
        if (last && memcmp(p, last, w) == 0)
            continue; /* sip is sorted: mostly runs */
        last = p;
        if (head < r->min[f][c])
            r->min[f][c] = head;
        if (head > r->max[f][c])
            r->max[f][c] = head;
        if (r->overflow)
            continue;
        if (r->keys >= INT32_MAX / 4) {
            r->overflow = 1;
            continue;
        }
        if (r->keys >= r->cap / 4 * 3)
            GP_TRY(grow(r, err));
        uint64_t h = godb_index_hash(c ? GODB_COL_DIP : GODB_COL_SIP, f ? 6 : 4, p);
        insert(r->set, r->cap, h, &r->keys);
    }
    return GP_OK;
}

gp_status godb_index_run_add(godb_index_run *r, const godb_block *b, const uint8_t *sip,
                             const uint8_t *dip, uint32_t sum, gp_err *err)
{
    uint8_t le[4];
    const uint8_t *col[2] = {sip, dip};

    for (int c = 0; c < 2; c++) {
        if (b->n_v4)
            GP_TRY(add_addresses(r, 0, c, col[c], b->n_v4, err));
        if (b->n_v6)
            GP_TRY(add_addresses(r, 1, c, col[c] + 4 * (size_t)b->n_v4, b->n_v6, err));
    }
    r->flags |= (b->n_v4 ? GODB_INDEX_V4 : 0) | (b->n_v6 ? GODB_INDEX_V6 : 0);
    for (int c = 0; c < GODB_N_COLS; c++)
        r->stored_bytes += b->stored[c];
    gp_put_le32(le, sum);
    gp_buf_add(&r->sums, le, sizeof le);
    if (r->sums.failed)
        return gp_fail(err, GP_ENOMEM, 0, "index: out of memory");
    r->n++;
    return GP_OK;
}

/* Bits of a fingerprint that the budget allows; 0: no filter. */
static unsigned choose_k(const godb_index_run *r)
{
    uint64_t budget = r->stored_bytes * BUDGET / BUDGET_OF,
             fixed = GODB_INDEX_REC + RANGE_BYTES + 4 * (uint64_t)r->n;
    uint64_t slots = 3 * (uint64_t)godb_xor_third(r->keys);

    if (r->keys == 0 || r->overflow || budget <= fixed)
        return 0;
    uint64_t k = (budget - fixed) * 8 / slots;
    return k > GODB_XOR_MAX_BITS ? GODB_XOR_MAX_BITS : (unsigned)k;
}

/* Filter over the set; k stays 0 when it would not fit. */
static gp_status make_filter(godb_index_run *r, godb_index_rec *rec, gp_buf *bits, gp_err *err)
{
    unsigned k = choose_k(r);
    uint32_t n = 0;

    if (k == 0)
        return GP_OK;
    GP_CLEANUP(gp_freep) uint64_t *keys = gp_alloc(r->keys, sizeof *keys);
    if (!keys)
        return gp_fail(err, GP_ENOMEM, 0, "index: out of memory for %u addresses", r->keys);
    for (size_t i = 0; i < r->cap; i++)
        if (r->set[i])
            keys[n++] = r->set[i];
    if (r->cap > LARGE_CAP) {
        gp_free(r->set);
        r->set = NULL;
        r->cap = 0;
    }
    gp_status st = godb_xor_build(keys, n, k, bits, &rec->seed, err);
    if (st == GP_ELIMIT)
        return GP_OK; /* record without a filter */
    GP_TRY(st);
    rec->k = (uint8_t)k;
    rec->keys = n;
    return GP_OK;
}

gp_status godb_index_run_write(godb_index_run *r, godb_index_rec *rec, gp_buf *out, gp_err *err)
{
    GP_CLEANUP(gp_buf_free) gp_buf bits = {0};

    rec->first = r->first;
    rec->n = r->n;
    rec->flags = r->flags;
    rec->block_sums = r->sums.data;
    memcpy(rec->min, r->min, sizeof rec->min);
    memcpy(rec->max, r->max, sizeof rec->max);
    GP_TRY(make_filter(r, rec, &bits, err));
    godb_index_rec_write(out, rec, bits.data);
    return out->failed ? gp_fail(err, GP_ENOMEM, 0, "index: out of memory") : GP_OK;
}
