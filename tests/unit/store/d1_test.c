/* d1_test.c - defect D1: a simulated reference writer damages columns; readers never show wrong
 * rows.
 *
 * The simulation writes as godb-format.md 9 describes: codec output first, raw bytes behind it, the
 * descriptor counts only the raw bytes; each pass begins at the recorded append position.
 */
#include "storetest.h"

#include "blockmeta.h"
#include "day.h"
#include "godb/codec.h"
#include "godb/packed.h"

#include <lz4.h>
#include <lz4hc.h>
#include <zstd.h>

enum { MAX_BLOCKS = 40, DAY = 1709164800 };

/* One day being written the wrong way. */
struct sim {
    char *dir;
    godb_blockmeta meta;
    gp_buf file[GODB_N_COLS];            /* content of the column files */
    size_t pos[GODB_N_COLS];             /* where the open pass writes next */
    gp_buf raw[MAX_BLOCKS][GODB_N_COLS]; /* the truth */
    godb_codec *codec;
    uint8_t id;
    unsigned hits;
};

static void sim_open(struct sim *s, uint8_t codec)
{
    memset(s, 0, sizeof *s);
    s->dir = test_tmpdir();
    s->id = codec;
    godb_blockmeta_init(&s->meta, DAY);
    want_ok(godb_codec_new(&s->codec, NULL));
}

static void sim_close(struct sim *s)
{
    for (size_t c = 0; c < GODB_N_COLS; c++) {
        gp_buf_free(&s->file[c]);
        for (size_t i = 0; i < MAX_BLOCKS; i++)
            gp_buf_free(&s->raw[i][c]);
    }
    godb_codec_free(s->codec);
    godb_blockmeta_free(&s->meta);
    test_tmpdirp(&s->dir);
}

/* A new pass: the files are opened and positioned at the recorded ends. */
static void sim_pass(struct sim *s)
{
    for (size_t c = 0; c < GODB_N_COLS; c++)
        s->pos[c] = s->meta.append[c];
}

static void put(gp_buf *f, size_t *pos, const void *bytes, size_t n)
{
    if (f->len < *pos + n)
        gp_buf_fill(f, 0, *pos + n - f->len);
    memcpy(f->data + *pos, bytes, n);
    *pos += n;
}

/* The codec's output even when it is longer than the input. */
static void compress_anyway(struct sim *s, const gp_buf *raw, gp_buf *out)
{
    uint8_t used;
    want_ok(godb_codec_encode(s->codec, s->id, 0, raw->data, raw->len, out, &used, NULL));
    if (used == s->id)
        return;
    gp_buf_clear(out);
    if (s->id == GODB_CODEC_LZ4) {
        char *p = (char *)gp_buf_reserve(out, (size_t)LZ4_compressBound((int)raw->len));
        out->len = (size_t)LZ4_compress_HC((const char *)raw->data, p, (int)raw->len,
                                           LZ4_compressBound((int)raw->len), 6);
    } else {
        ZSTD_CCtx *z = ZSTD_createCCtx();
        uint8_t *p = gp_buf_reserve(out, ZSTD_compressBound(raw->len));
        ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, 6);
        ZSTD_CCtx_setParameter(z, ZSTD_c_contentSizeFlag, 0);
        out->len = ZSTD_compress2(z, p, ZSTD_compressBound(raw->len), raw->data, raw->len);
        ZSTD_freeCCtx(z);
    }
}

/* Write one block with the raw columns that are in s->raw[meta.n]. */
static void sim_block(struct sim *s, uint32_t v4, uint32_t v6, const uint64_t sums[4])
{
    godb_block b = {.time_s = DAY + 300 * (int64_t)(s->meta.n + 1), .n_v4 = v4, .n_v6 = v6};

    for (size_t c = 0; c < GODB_N_COLS; c++) {
        const gp_buf *raw = &s->raw[s->meta.n][c];
        gp_buf out = {0};
        b.codec[c] = 1;
        b.raw[c] = b.stored[c] = (uint32_t)raw->len;
        if (raw->len > 0)
            compress_anyway(s, raw, &out);
        if (out.len > 0 && out.len <= raw->len) {
            put(&s->file[c], &s->pos[c], out.data, out.len);
            b.codec[c] = s->id;
            b.stored[c] = (uint32_t)out.len;
        } else if (raw->len > 0) {
            if (out.len > 4096) { /* the defect */
                put(&s->file[c], &s->pos[c], out.data, out.len);
                s->hits++;
            }
            put(&s->file[c], &s->pos[c], raw->data, raw->len);
        }
        gp_buf_free(&out);
    }
    want_ok(godb_blockmeta_push(&s->meta, &b, sums, NULL));
}

/* Bring the day onto the disk and open it. */
static godb_day *sim_store(struct sim *s)
{
    GP_CLEANUP(gp_freep) char *day = gp_asprintf("%s/eth0/2024/02/%d", s->dir, DAY);
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    gp_buf meta = {0};
    gp_err err = {0};

    want_ok_err(&err, gp_mkdir_all(day, 0755, &err));
    godb_blockmeta_write(&s->meta, &meta);
    for (int c = 0; c <= GODB_N_COLS; c++) {
        const gp_buf *b = c < GODB_N_COLS ? &s->file[c] : &meta;
        GP_CLEANUP(gp_freep)
        char *path =
            gp_asprintf("%s/%s", day, c < GODB_N_COLS ? godb_col_file((godb_col)c) : ".blockmeta");
        test_spew(path, b->data, b->len);
    }
    gp_buf_free(&meta);
    want_ok(godb_db_open(s->dir, &db, NULL));
    return st_open_only(db, "eth0");
}

/* Random rows: kind of noise per column decides which columns are hit. */
static void random_block(struct sim *s, test_rng *rng, size_t rows, unsigned noise)
{
    uint64_t sums[4] = {0}, v[4][3000];
    gp_buf *raw = s->raw[s->meta.n];

    assert_true(rows <= COUNT(v[0]));
    for (size_t i = 0; i < rows; i++) {
        uint8_t b[16] = {10, 0, 0, (uint8_t)(i / 100)};
        if (noise & 1)
            test_rng_fill(rng, b, 4);
        gp_buf_add(&raw[GODB_COL_SIP], b, 4);
        if (noise & 2)
            test_rng_fill(rng, b, 4);
        gp_buf_add(&raw[GODB_COL_DIP], b, 4);
        gp_buf_addc(&raw[GODB_COL_PROTO], noise & 4 ? (char)test_rng_below(rng, 256) : 6);
        test_rng_fill(rng, b, 2);
        gp_buf_add(&raw[GODB_COL_DPORT], noise & 8 ? b : (const uint8_t *)"\0\x50", 2);
        for (size_t k = 0; k < 4; k++) {
            uint64_t bits = 8 * (1 + (rows + k) % 4);
            v[k][i] = noise & (16u << k) ? test_rng_u64(rng) >> (64 - bits) : 60;
            sums[k] += v[k][i];
        }
    }
    for (size_t k = 0; k < 4; k++)
        godb_packed_encode(v[k], rows, &raw[GODB_N_ATTRS + k]);
    sim_block(s, (uint32_t)rows, 0, sums);
}

/* Every column of every block is either right or refused; returns how many were refused. */
static size_t check_all(struct sim *s, const char *what, size_t round)
{
    GP_CLEANUP(godb_day_closep) godb_day *d = sim_store(s);
    GP_CLEANUP(godb_reader_freep) godb_reader *r = NULL;
    size_t refused = 0;

    want_ok(godb_reader_new(&r, NULL));
    assert_int_equal(godb_day_n_blocks(d), s->meta.n);
    for (size_t i = 0; i < s->meta.n; i++)
        for (int c = 0; c < GODB_N_COLS; c++) {
            const uint8_t *got = NULL;
            const gp_buf *want = &s->raw[i][c];
            gp_status st = godb_reader_col(r, d, i, (godb_col)c, &got, NULL, NULL);
            if (st == GP_ECORRUPT)
                refused++;
            else if (st != GP_OK || (want->len && memcmp(got, want->data, want->len) != 0))
                fail_msg("%s, round %zu: block %zu of %zu, %s: %s", what, round, i, s->meta.n,
                         godb_col_file((godb_col)c), st ? gp_status_name(st) : "wrong content");
        }
    return refused;
}

/* Sequences as they happen: what must be salvaged completely. */
static void test_scenarios(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint8_t codec;
        size_t rows[6]; /* 0 ends; a hit block has 1500 rows */
        unsigned noise; /* of the big blocks */
        int one_pass;
        size_t refused; /* column blocks at most */
    } cases[] = {
        {"last block of the file", 3, {10, 1500}, 2, 0, 0},
        {"only block", 3, {1500}, 2, 0, 0},
        {"one pass", 3, {10, 1500, 20, 30, 1500, 40}, 2, 1, 0},
        {"one pass, ports", 3, {2100, 20, 30, 2100, 40}, 8, 1, 0},
        {"one pass, counters", 3, {10, 2500, 20, 30, 2500, 40}, 16 + 64, 1, 0},
        {"next write behind a hit block", 3, {10, 1500, 200}, 2, 0, 0},
        {"small writes behind a hit block", 3, {10, 1500, 50, 60, 70, 80}, 2, 0, 0},
        {"a tiny write behind a hit block", 3, {1500, 5}, 2, 0, 0},
        {"tiny writes behind a hit block", 3, {5, 1500, 2, 1, 1, 3}, 2, 0, 0},
        {"a tiny write, then another hit block", 3, {1500, 3, 1500, 2}, 2, 0, 2},
        {"zstd, a tiny write", 2, {1500, 1}, 2, 0, 0},
        {"ports, next write", 3, {2100, 300, 300}, 8, 0, 0},
        {"two hit blocks, own passes", 3, {1500, 1500}, 2, 0, 1},
        {"overwritten by a hit block", 3, {1500, 1500, 10, 10}, 2, 0, 1},
        {"zstd, last block", 2, {10, 1500}, 2, 0, 0},
        {"zstd, one pass", 2, {10, 1500, 20, 30, 1500, 40}, 2, 1, 0},
        {"zstd, next write", 2, {10, 1500, 200}, 2, 0, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sim s;
        test_rng rng = test_rng_new(17 + i);
        sim_open(&s, cases[i].codec);
        for (size_t k = 0; k < COUNT(cases[i].rows) && cases[i].rows[k]; k++) {
            if (k == 0 || !cases[i].one_pass)
                sim_pass(&s);
            random_block(&s, &rng, cases[i].rows[k], cases[i].rows[k] > 1000 ? cases[i].noise : 0);
        }
        if (s.hits == 0)
            fail_msg("%s: the simulation hit nothing", cases[i].what);
        size_t refused = check_all(&s, cases[i].what, 0);
        if (refused > cases[i].refused)
            fail_msg("%s: %zu column blocks refused, at most %zu expected", cases[i].what, refused,
                     cases[i].refused);
        sim_close(&s);
    }
}

/* A match in the output of a hit block that ends, begins or has its length about where the next
 * write begins to overwrite it: the block must be known as hit all the same, never be taken for
 * raw. */
static void test_match_at_the_end(void **state)
{
    (void)state;
    enum { ROWS = 1500, BYTES = 4 * ROWS, ENDS = 90 };
    static const uint64_t sums[4] = {0};
    static uint64_t none[ROWS];
    test_rng rng = test_rng_new(11);

    for (size_t k = 12; k < ENDS; k++) {
        struct sim s;
        sim_open(&s, GODB_CODEC_LZ4);
        for (int i = 0; i < 3; i++) {
            gp_buf *raw = s.raw[i];
            uint8_t dip[BYTES];
            test_rng_fill(&rng, dip, sizeof dip);
            memcpy(dip + BYTES - k, dip + 100, k % 3 || k < 22 ? 11 : 22);
            gp_buf_fill(&raw[GODB_COL_SIP], 10, BYTES);
            gp_buf_add(&raw[GODB_COL_DIP], dip, sizeof dip);
            gp_buf_fill(&raw[GODB_COL_PROTO], 6, ROWS);
            gp_buf_fill(&raw[GODB_COL_DPORT], 7, 2 * ROWS);
            for (size_t c = 0; c < 4; c++)
                godb_packed_encode(none, ROWS, &raw[GODB_N_ATTRS + c]);
            sim_pass(&s);
            sim_block(&s, ROWS, 0, sums);
        }
        assert_true(s.hits == 3);
        (void)check_all(&s, "match at the end", k);
        sim_close(&s);
    }
}

/* Random passes, sizes and noise: nothing wrong is ever shown. */
static void test_random(void **state)
{
    (void)state;
    test_rng rng = test_rng_new(2024);
    size_t hits = 0, refused = 0, total = 0;

    for (size_t round = 0; round < test_rounds(120); round++) {
        struct sim s;
        size_t blocks = 1 + (size_t)test_rng_below(&rng, MAX_BLOCKS - 1);
        uint64_t pass_in = 1 + test_rng_below(&rng, 8), big_in = 1 + test_rng_below(&rng, 8);
        sim_open(&s, test_rng_below(&rng, 4) ? GODB_CODEC_LZ4 : GODB_CODEC_ZSTD);
        sim_pass(&s);
        for (size_t i = 0; i < blocks; i++) {
            if (test_rng_below(&rng, pass_in) == 0)
                sim_pass(&s);
            int big = test_rng_below(&rng, big_in) == 0;
            size_t rows = (size_t)test_rng_below(&rng, big ? 3000 : 60);
            random_block(&s, &rng, rows, (unsigned)test_rng_u64(&rng) & 255);
        }
        refused += check_all(&s, "random", round);
        hits += s.hits;
        total += blocks * GODB_N_COLS;
        sim_close(&s);
    }
    print_message("%zu hit column blocks, %zu of %zu refused\n", hits, refused, total);
    assert_true(hits > 300);
}

/* Sound raw blocks of the same kinds are never taken for damaged. */
static void test_no_false_alarm(void **state)
{
    (void)state;
    test_rng rng = test_rng_new(99);

    for (size_t round = 0; round < test_rounds(30); round++) {
        struct sim s;
        sim_open(&s, GODB_CODEC_NULL);
        sim_pass(&s);
        for (size_t i = 0; i < 20; i++)
            random_block(&s, &rng, (size_t)test_rng_below(&rng, 3000),
                         (unsigned)test_rng_u64(&rng) & 255);
        if (check_all(&s, "sound", round) != 0)
            fail_msg("sound blocks refused in round %zu", round);
        sim_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scenarios),
        cmocka_unit_test(test_match_at_the_end),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_no_false_alarm),
    };
    st_utc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
