/* reader.c - column bytes of blocks: spans read with one system call, decoded into reused buffers.
 */
#include "day.h"
#include "godb/codec.h"
#include "godb/packed.h"
#include "gp/io.h"
#include "gp/mem.h"
#include "indexfile.h"

#include <errno.h>
#include <sys/stat.h>

enum {
    PAD = 64,               /* readable bytes behind what is handed out */
    SPAN_FIRST = 64 * 1024, /* bytes read at the first touch of a column */
    SPAN_JUMP = 4 * 1024,   /* and after a jump inside the file */
    SPAN_MAX =
        128 * 1024,    /* read at once in a sequence: measured, larger ones leave the L2 cache */
    GAP_OK = 16 * 1024 /* bytes; a jump ahead of up to so much still counts as a sequence */
};

/* A buffer that only grows. */
typedef struct space {
    uint8_t *p;
    size_t cap;
} space;

struct column {
    uint64_t day_id;                /* whose bytes span holds; 0 = none */
    uint64_t off, len;              /* bytes [off, off + len) of the file are in span */
    uint64_t next;                  /* where a sequence would go on */
    uint64_t used;                  /* bytes of span that were handed out */
    size_t window;                  /* bytes to read ahead */
    const godb_index_rec *verified; /* run of blocks whose checksum was found right last */
    uint64_t size;                  /* of the file when it was first touched */
    space span, raw;
};

struct godb_reader {
    godb_codec *codec;
    struct column col[GODB_N_COLS];
    space wide[GODB_N_COUNTERS]; /* widened counters of godb_reader_rows */
};

gp_status godb_reader_new(godb_reader **out, gp_err *err)
{
    godb_reader *r = gp_calloc(1, sizeof *r);
    gp_status st = r ? godb_codec_new(&r->codec, err) : GP_ENOMEM;

    if (st != GP_OK) {
        gp_free(r);
        return gp_fail(err, GP_ENOMEM, 0, "reader: out of memory");
    }
    *out = r;
    return GP_OK;
}

void godb_reader_free(godb_reader *r)
{
    if (!r)
        return;
    for (int c = 0; c < GODB_N_COLS; c++) {
        gp_free(r->col[c].span.p);
        gp_free(r->col[c].raw.p);
    }
    for (int c = 0; c < GODB_N_COUNTERS; c++)
        gp_free(r->wide[c].p);
    godb_codec_free(r->codec);
    gp_free(r);
}

/* At least n bytes and PAD more; the content is lost. */
static gp_status make_room(space *s, size_t n, gp_err *err)
{
    if (s->cap >= n + PAD)
        return GP_OK;
    size_t cap = n + n / 4 + PAD;
    uint8_t *p = gp_alloc_aligned(cap, 1);
    if (!p)
        return gp_fail(err, GP_ENOMEM, 0, "reader: out of memory for %zu bytes", cap);
    gp_free(s->p);
    *s = (space){.p = p, .cap = cap};
    return GP_OK;
}

/* Bring [off, off + n) of the column file into c->span. */
static gp_status load(struct column *c, const godb_day *d, godb_col col, uint64_t off, size_t n,
                      gp_err *err)
{
    int fd;
    GP_TRY(godb_day_col_fd(d, col, &fd, err));
    if (c->day_id != d->id) {
        struct stat st;
        if (fstat(fd, &st) != 0)
            return gp_fail(err, GP_EIO, errno, "%s/%s", d->path, godb_col_file(col));
        c->day_id = d->id;
        c->verified = NULL;
        c->size = (uint64_t)st.st_size;
        c->window = off == 0 ? SPAN_FIRST : SPAN_JUMP;
    } else if (off >= c->next && off - c->next <= GAP_OK && c->used >= c->len / 2) {
        c->window = c->window * 4 < SPAN_MAX ? c->window * 4 : SPAN_MAX;
    } else {
        c->window = SPAN_JUMP; /* blocks are picked: what lies between is hardly wanted */
    }
    c->len = c->used = 0;
    if (off + n > c->size) /* before allocating: the length is untrusted */
        return gp_fail(err, GP_ECORRUPT, 0, "%s/%s has %llu bytes, the block needs %llu", d->path,
                       godb_col_file(col), (unsigned long long)c->size,
                       (unsigned long long)(off + n));
    uint64_t want = n > c->window ? n : c->window, end = d->meta.append[col];
    if (end > c->size || end < off + n)
        end = c->size;
    if (want > end - off)
        want = end - off;
    GP_TRY(make_room(&c->span, want, err));
    gp_status st = gp_pread_full(fd, c->span.p, want, off, err);
    if (st != GP_OK)
        return gp_fail_context(err, st, "%s/%s", d->path, godb_col_file(col));
    c->off = off;
    c->len = want;
    return GP_OK;
}

/* Stored bytes of the block, borrowed from the span, PAD readable bytes behind them. */
static gp_status stored_bytes(struct column *c, const godb_day *d, godb_col col, uint64_t off,
                              size_t n, const uint8_t **bytes, gp_err *err)
{
    if (c->day_id != d->id || off < c->off || off - c->off > c->len || n > c->len - (off - c->off))
        GP_TRY(load(c, d, col, off, n, err));
    if (off + n > c->next || c->used == 0) { /* not a second look at the same bytes */
        c->next = off + n;
        c->used += n;
    }
    *bytes = c->span.p + (off - c->off);
    return GP_OK;
}

/* Compare the run of blocks that shares a checksum with this one, once. */
static gp_status verify(struct column *c, const godb_day *d, godb_col col, size_t block,
                        gp_err *err)
{
    const godb_index *ix = godb_day_index(d);
    const godb_index_rec *rec = ix ? godb_index_record(ix, block) : NULL;
    const uint8_t *bytes;

    if (!rec || (c->verified == rec && c->day_id == d->id))
        return GP_OK;
    const godb_block *a = &d->meta.blocks[rec->first], *z = a + rec->n - 1;
    uint64_t off = a->offset[col], n = z->offset[col] + z->stored[col] - off;
    if (!rec->times_bad && stored_bytes(c, d, col, off, n, &bytes, NULL) == GP_OK &&
        godb_index_sum(bytes, n) == rec->sum[col]) {
        c->verified = rec;
        return GP_OK;
    }
    gp_err why = {0};
    gp_status st = godb_index_verify(ix, d, block, col, &why); /* is it this block? */
    if (st == GP_ENOTFOUND)
        return GP_OK;
    if (st != GP_OK && err)
        *err = why;
    return st;
}

/* A block of a column with D1 damage. *off: where its bytes are; or *bytes: its raw content. */
static gp_status find_place(struct column *c, const godb_day *d, size_t block, godb_col col,
                            const godb_places *places, uint64_t *off, const uint8_t **bytes,
                            gp_err *err)
{
    const godb_place *p = &places->v[block];
    const godb_block *b = &d->meta.blocks[block];

    switch (p->kind) {
    case GODB_PLACE_MOVED:
        *off = p->at;
        break;
    case GODB_PLACE_BYTES: /* copied for the padding that callers may read */
        GP_TRY(make_room(&c->raw, b->raw[col], err));
        memcpy(c->raw.p, p->bytes, b->raw[col]);
        *bytes = c->raw.p;
        break;
    case GODB_PLACE_LOST:
        return gp_fail(err, GP_ECORRUPT, 0, "%s/%s: block %lld is damaged by defect D1%s", d->path,
                       godb_col_file(col), (long long)b->time_s,
                       p->hit ? " and partly overwritten" : " of a block before it");
    case GODB_PLACE_HOME:
        break;
    }
    return GP_OK;
}

static gp_status check_counter(const uint8_t *raw, const godb_block *b, godb_col col,
                               const godb_day *d, gp_err *err)
{
    if (godb_packed_width(raw, b->raw[col], (size_t)b->n_v4 + b->n_v6) != 0)
        return GP_OK;
    return gp_fail(err, GP_ECORRUPT, 0, "%s/%s: block %lld: width byte %u does not fit %u rows",
                   d->path, godb_col_file(col), (long long)b->time_s, raw[0], b->n_v4 + b->n_v6);
}

gp_status godb_reader_col(godb_reader *r, const godb_day *d, size_t block, godb_col col,
                          const uint8_t **bytes, uint64_t *loaded, gp_err *err)
{
    return godb_reader_col_head(r, d, block, col, SIZE_MAX, bytes, loaded, err);
}

gp_status godb_reader_col_head(godb_reader *r, const godb_day *d, size_t block, godb_col col,
                               size_t head, const uint8_t **bytes, uint64_t *loaded, gp_err *err)
{
    if (block >= d->meta.n)
        return gp_fail(err, GP_EINVAL, 0, "%s has no block %zu", d->path, block);
    const godb_block *b = &d->meta.blocks[block];
    struct column *c = &r->col[col];
    const godb_places *places;
    const uint8_t *src, *out = NULL;
    uint64_t off;

    if (!b->usable)
        return gp_fail(err, GP_ECORRUPT, 0, "%s: block %zu: %s", d->path, block, b->reason);
    if (b->raw[col] == 0) { /* never opens the file (6.6) */
        *bytes = NULL;
        return GP_OK;
    }
    off = b->offset[col];
    GP_TRY(godb_day_places(d, col, &places, err));
    if (places)
        GP_TRY(find_place(c, d, block, col, places, &off, &out, err));
    if (!out) {
        if (d->verify && !places)
            GP_TRY(verify(c, d, col, block, err));
        GP_TRY(stored_bytes(c, d, col, off, b->stored[col], &src, err));
        out = src;
        if (b->codec[col] != GODB_CODEC_NULL) {
            GP_TRY(make_room(&c->raw, b->raw[col], err));
            gp_status st = godb_codec_decode_head(r->codec, b->codec[col], src, b->stored[col],
                                                  c->raw.p, b->raw[col], head, err);
            if (st != GP_OK)
                return gp_fail_context(err, st, "%s/%s: block %lld", d->path, godb_col_file(col),
                                       (long long)b->time_s);
            out = c->raw.p;
        }
    }
    if ((int)col >= GODB_N_ATTRS)
        GP_TRY(check_counter(out, b, col, d, err));
    if (loaded)
        *loaded += b->stored[col];
    *bytes = out;
    return GP_OK;
}

gp_status godb_reader_rows(godb_reader *r, const godb_day *d, size_t block, godb_rows *out,
                           gp_err *err)
{
    const uint8_t *bytes[GODB_N_COLS];

    for (int c = 0; c < GODB_N_COLS; c++)
        GP_TRY(godb_reader_col(r, d, block, (godb_col)c, &bytes[c], NULL, err));
    const godb_block *b = &d->meta.blocks[block];
    size_t n = (size_t)b->n_v4 + b->n_v6;
    godb_rows rows = {.n_v4 = b->n_v4,
                      .n_v6 = b->n_v6,
                      .sip = bytes[GODB_COL_SIP],
                      .dip = bytes[GODB_COL_DIP],
                      .proto = bytes[GODB_COL_PROTO],
                      .dport = bytes[GODB_COL_DPORT]};
    for (int k = 0; k < GODB_N_COUNTERS; k++) {
        int c = GODB_N_ATTRS + k;
        GP_TRY(make_room(&r->wide[k], n * sizeof(uint64_t), err));
        uint64_t *v = (uint64_t *)(void *)r->wide[k].p; /* aligned to 64 */
        if (n > 0)
            godb_packed_decode(bytes[c], bytes[c][0], 0, n, v);
        rows.counter[k] = v;
    }
    *out = rows;
    return GP_OK;
}
