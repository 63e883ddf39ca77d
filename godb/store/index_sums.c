/* index_sums.c - checksums of consecutive blocks, for a record of the index. */
#include "index_sums.h"

#include "day.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "indexfile.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { WINDOW = 64 * 1024 }; /* bytes of a column read at once */

struct godb_index_sums {
    const godb_day *d;
    struct {
        uint64_t off; /* bytes [off, off + len) of the file are in bytes */
        size_t len;
        uint8_t *bytes;
        XXH3_state_t run; /* over the blocks since begin */
    } col[GODB_N_COLS];
    uint8_t windows[GODB_N_COLS * WINDOW];
};

gp_status godb_index_sums_new(const godb_day *d, godb_index_sums **out, gp_err *err)
{
    godb_index_sums *s = gp_alloc_aligned(sizeof *s, 1); /* the states want 64 */

    if (!s)
        return gp_fail(err, GP_ENOMEM, 0, "index: out of memory");
    s->d = d;
    for (int c = 0; c < GODB_N_COLS; c++) {
        s->col[c].off = s->col[c].len = 0;
        s->col[c].bytes = s->windows + (size_t)c * WINDOW;
        XXH3_INITSTATE(&s->col[c].run);
    }
    *out = s;
    return GP_OK;
}

void godb_index_sums_free(godb_index_sums *s)
{
    gp_free(s);
}

void godb_index_sums_begin(godb_index_sums *s)
{
    for (int c = 0; c < GODB_N_COLS; c++)
        XXH3_64bits_reset(&s->col[c].run);
}

/* The bytes from off on that are in the window, after reading if there are none. */
static gp_status look_at(godb_index_sums *s, godb_col c, uint64_t off, const uint8_t **at,
                         size_t *len, gp_err *err)
{
    int fd;

    if (off < s->col[c].off || off - s->col[c].off >= s->col[c].len) {
        uint64_t rest = s->d->meta.append[c] - off;
        size_t n = rest < WINDOW ? (size_t)rest : WINDOW;
        s->col[c].len = 0;
        GP_TRY(godb_day_col_fd(s->d, c, &fd, err));
        GP_TRY(gp_pread_full(fd, s->col[c].bytes, n, off, err));
        s->col[c].off = off;
        s->col[c].len = n;
    }
    size_t skip = (size_t)(off - s->col[c].off);
    *at = s->col[c].bytes + skip;
    *len = s->col[c].len - skip;
    return GP_OK;
}

static gp_status add_column(godb_index_sums *s, godb_col c, uint64_t off, uint64_t n, uint32_t *sum,
                            gp_err *err)
{
    XXH3_state_t one;

    XXH3_INITSTATE(&one);
    XXH3_64bits_reset(&one);
    while (n > 0) {
        const uint8_t *at;
        size_t len;
        GP_TRY(look_at(s, c, off, &at, &len, err));
        if (len > n)
            len = (size_t)n;
        XXH3_64bits_update(&one, at, len);
        XXH3_64bits_update(&s->col[c].run, at, len);
        off += len;
        n -= len;
    }
    *sum = (uint32_t)XXH3_64bits_digest(&one);
    return GP_OK;
}

gp_status godb_index_sums_add(godb_index_sums *s, size_t block, uint32_t *sum, gp_err *err)
{
    const godb_block *b = &s->d->meta.blocks[block];
    uint32_t one[GODB_N_COLS];

    for (int c = 0; c < GODB_N_COLS; c++)
        GP_TRY(add_column(s, (godb_col)c, b->offset[c], b->stored[c], &one[c], err));
    *sum = godb_index_sum_of(b, one);
    return GP_OK;
}

void godb_index_sums_get(const godb_index_sums *s, uint32_t sum[GODB_N_COLS])
{
    for (int c = 0; c < GODB_N_COLS; c++)
        sum[c] = (uint32_t)XXH3_64bits_digest(&s->col[c].run);
}
