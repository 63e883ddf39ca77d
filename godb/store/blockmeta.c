/* blockmeta.c - the .blockmeta file, big-endian throughout (godb-format.md 2). */
#include "blockmeta.h"

#include "godb/codec.h"
#include "gp/mem.h"

enum {
    VERSION = 1,
    AT_COUNT = 8,
    AT_TOTALS = 16,
    AT_COLUMNS = 72,
    DESCRIPTOR = 9, /* stored, raw, codec */
    ENTRY = 16,     /* v4, v6, drops, time difference */
    FIRST_CAP = 320 /* a day of 5-minute blocks and some */
};

void godb_blockmeta_init(godb_blockmeta *m, int64_t day_s)
{
    *m = (godb_blockmeta){.day_s = day_s, .sorted = 1, .append_ok = 1, .max_s = INT64_MIN};
}

void godb_blockmeta_free(godb_blockmeta *m)
{
    gp_free(m->blocks);
    gp_free(m->diff);
    *m = (godb_blockmeta){0};
}

static gp_status reserve(godb_blockmeta *m, size_t cap, gp_err *err)
{
    if (cap <= m->cap)
        return GP_OK;
    godb_block *b = gp_realloc(m->blocks, cap, sizeof *b);
    if (b)
        m->blocks = b;
    uint32_t *d = b ? gp_realloc(m->diff, cap, sizeof *d) : NULL;
    if (!d)
        return gp_fail(err, GP_ENOMEM, 0, "metadata: out of memory for %zu blocks", cap);
    m->diff = d;
    m->cap = cap;
    return GP_OK;
}

/* Descriptors of one column; offsets are the running sums (2.2). */
static void parse_column(const uint8_t *p, godb_col c, godb_blockmeta *m)
{
    uint64_t offset = 0;

    m->append[c] = gp_be64(p);
    p += 8;
    for (size_t i = 0; i < m->n; i++, p += DESCRIPTOR) {
        godb_block *b = &m->blocks[i];
        b->stored[c] = gp_be32(p);
        b->raw[c] = gp_be32(p + 4);
        b->codec[c] = p[8];
        b->offset[c] = offset;
        offset += b->stored[c]; /* at most 86400 * 2^32 */
    }
    if (offset != m->append[c]) {
        m->append_ok = 0;
        m->warning = "append position differs from the stored lengths";
    }
}

/* No sound file ends in an entry that is all zero (the difference is at least 1): the end of the
 * file was lost. Then the last entry with content may be cut in its middle, and its time wrong. */
static void refuse_zero_end(godb_blockmeta *m)
{
    size_t i = m->n;

    while (i > 1) {
        const godb_block *b = &m->blocks[i - 1];
        if (m->diff[i - 1] || b->n_v4 || b->n_v6 || b->drops)
            break;
        i--;
    }
    if (i < m->n && i > 1) {
        m->blocks[i - 1].usable = 0;
        m->blocks[i - 1].reason = "lies next to a damaged part of .blockmeta";
    }
}

/* Timestamps with the repair of defect D4 (9): u32 difference first, then i32. */
static void parse_times(godb_blockmeta *m)
{
    int64_t end = m->day_s + GODB_DAY_S, t = m->first_s;
    const char *lost = NULL; /* set once the time line is broken: nothing later can be placed */

    if (m->diff[0] != 0 || t < m->day_s || t >= end)
        lost = "first timestamp is outside the day";
    for (size_t i = 0; i < m->n; i++) {
        godb_block *b = &m->blocks[i];
        int64_t next = t;
        if (i > 0 && !lost) {
            next = t + m->diff[i];
            if (next < m->day_s || next >= end)
                next = t + (int32_t)m->diff[i];
            if (next < m->day_s || next >= end)
                lost = "timestamp is outside the day";
        }
        if (lost) {
            b->usable = 0;
            b->reason = lost;
            continue;
        }
        b->time_s = t = next;
        if (i > 0 && m->diff[i] == 0) {
            b->usable = 0;
            b->reason = "same timestamp as the block before";
            continue;
        }
        if (t <= m->max_s)
            m->sorted = 0;
        else
            m->max_s = t;
    }
    if (lost)
        m->append_ok = 0;
}

static void parse_entries(const uint8_t *p, godb_blockmeta *m)
{
    uint64_t v4 = 0, v6 = 0, drops = 0;

    m->first_s = (int64_t)gp_be64(p);
    p += 8;
    for (size_t i = 0; i < m->n; i++, p += ENTRY) {
        godb_block *b = &m->blocks[i];
        b->n_v4 = gp_be32(p);
        b->n_v6 = gp_be32(p + 4);
        b->drops = gp_be32(p + 8);
        m->diff[i] = gp_be32(p + 12);
        v4 += b->n_v4;
        v6 += b->n_v6;
        drops += b->drops;
        godb_block_check(b);
    }
    if (v4 != m->totals.v4 || v6 != m->totals.v6 || drops != m->totals.drops) {
        m->warning = "day totals differ from the block entries";
        m->totals.v4 = v4;
        m->totals.v6 = v6;
        m->totals.drops = drops;
    }
}

static void parse_totals(const uint8_t *p, godb_totals *t)
{
    *t = (godb_totals){.v4 = gp_be64(p),
                       .v6 = gp_be64(p + 8),
                       .drops = gp_be64(p + 16),
                       .bytes_rcvd = gp_be64(p + 24),
                       .bytes_sent = gp_be64(p + 32),
                       .pkts_rcvd = gp_be64(p + 40),
                       .pkts_sent = gp_be64(p + 48)};
}

gp_status godb_blockmeta_parse(const void *bytes, size_t len, int64_t day_s, godb_blockmeta *out,
                               gp_err *err)
{
    const uint8_t *p = bytes;

    if (len < GODB_META_HEAD || len > GODB_META_MAX)
        return gp_fail(err, GP_ECORRUPT, 0, ".blockmeta has %zu bytes, expected %d to %d", len,
                       GODB_META_HEAD, GODB_META_MAX);
    if (gp_be64(p) != VERSION)
        return gp_fail(err, GP_ECORRUPT, 0, ".blockmeta has version %llu, expected %d",
                       (unsigned long long)gp_be64(p), VERSION);
    uint64_t n = gp_be64(p + AT_COUNT);
    if (n > (len - GODB_META_HEAD) / GODB_META_BLOCK)
        return gp_fail(err, GP_ECORRUPT, 0, ".blockmeta of %zu bytes cannot hold %llu blocks", len,
                       (unsigned long long)n);

    godb_blockmeta m;
    godb_blockmeta_init(&m, day_s);
    parse_totals(p + AT_TOTALS, &m.totals);
    if (len != GODB_META_HEAD + GODB_META_BLOCK * n)
        m.warning = ".blockmeta has bytes behind its end";
    if (n == 0) { /* the rest is not initialised by the reference (2.3) */
        m.totals = (godb_totals){0};
        *out = m;
        return GP_OK;
    }
    gp_status st = reserve(&m, n, err);
    if (st != GP_OK) {
        godb_blockmeta_free(&m);
        return st;
    }
    memset(m.blocks, 0, n * sizeof *m.blocks);
    m.n = n;
    p += AT_COLUMNS;
    for (int c = 0; c < GODB_N_COLS; c++, p += 8 + DESCRIPTOR * n)
        parse_column(p, (godb_col)c, &m);
    parse_entries(p, &m);
    parse_times(&m);
    refuse_zero_end(&m);
    *out = m;
    return GP_OK;
}

static void add_totals(godb_totals *t, const godb_block *b, const uint64_t s[GODB_N_COUNTERS])
{
    t->v4 += b->n_v4;
    t->v6 += b->n_v6;
    t->drops += b->drops;
    t->bytes_rcvd += s[0];
    t->bytes_sent += s[1];
    t->pkts_rcvd += s[2];
    t->pkts_sent += s[3];
}

gp_status godb_blockmeta_push(godb_blockmeta *m, const godb_block *b,
                              const uint64_t sums[GODB_N_COUNTERS], gp_err *err)
{
    if (b->time_s < m->day_s || b->time_s >= m->day_s + GODB_DAY_S)
        return gp_fail(err, GP_EINVAL, 0, "block %lld is not in the day %lld", (long long)b->time_s,
                       (long long)m->day_s);
    if (m->n > 0 && b->time_s <= m->max_s)
        return gp_fail(err, GP_EEXIST, 0, "block %lld is not later than the last one, %lld",
                       (long long)b->time_s, (long long)m->max_s);
    if (m->n >= GODB_MAX_BLOCKS)
        return gp_fail(err, GP_ELIMIT, 0, "the day has %zu blocks already", m->n);
    if (m->n == m->cap)
        GP_TRY(reserve(m, m->cap ? 2 * m->cap : FIRST_CAP, err));

    godb_block *nb = &m->blocks[m->n];
    *nb = *b;
    godb_block_check(nb);
    for (int c = 0; c < GODB_N_COLS; c++) {
        nb->offset[c] = m->append[c];
        m->append[c] += nb->stored[c];
    }
    /* After D4 the difference wraps as it does in what is there already. */
    int64_t prev = m->n ? m->blocks[m->n - 1].time_s : b->time_s;
    m->diff[m->n] = (uint32_t)(b->time_s - prev);
    if (m->n == 0)
        m->first_s = b->time_s;
    m->max_s = b->time_s;
    add_totals(&m->totals, b, sums);
    m->n++;
    return GP_OK;
}

void godb_blockmeta_write(const godb_blockmeta *m, gp_buf *out)
{
    const godb_totals *t = &m->totals;
    const uint64_t head[] = {VERSION,       m->n,          t->v4,        t->v6,       t->drops,
                             t->bytes_rcvd, t->bytes_sent, t->pkts_rcvd, t->pkts_sent};
    size_t len = GODB_META_HEAD + GODB_META_BLOCK * m->n;
    uint8_t *p = gp_buf_reserve(out, len);

    if (!p)
        return;
    for (size_t i = 0; i < GP_COUNT(head); i++, p += 8)
        gp_put_be64(p, head[i]);
    for (int c = 0; c < GODB_N_COLS; c++) {
        gp_put_be64(p, m->append[c]);
        p += 8;
        for (size_t i = 0; i < m->n; i++, p += DESCRIPTOR) {
            gp_put_be32(p, m->blocks[i].stored[c]);
            gp_put_be32(p + 4, m->blocks[i].raw[c]);
            p[8] = m->blocks[i].codec[c];
        }
    }
    gp_put_be64(p, (uint64_t)m->first_s);
    p += 8;
    for (size_t i = 0; i < m->n; i++, p += ENTRY) {
        gp_put_be32(p, m->blocks[i].n_v4);
        gp_put_be32(p + 4, m->blocks[i].n_v6);
        gp_put_be32(p + 8, m->blocks[i].drops);
        gp_put_be32(p + 12, m->diff[i]);
    }
    out->len += len;
}
