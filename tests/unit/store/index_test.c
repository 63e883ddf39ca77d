/* index_test.c - the per-day index: no false negatives, checksums, stale and torn files, size. */
#include "storetest.h"

#include "day.h"
#include "godb/codec.h"
#include "godb/index.h"
#include "gp/bytes.h"
#include "indexfile.h"
#include "xorfilter.h"

enum { DAY = 1699920000 };

/* A block like real traffic: few local hosts, many remote ones, some IPv6. */
static void traffic(godb_writer *w, test_rng *rng, int64_t time_s, size_t rows, unsigned v6_in)
{
    godb_row *r = gp_calloc(rows + 1, sizeof *r);

    for (size_t i = 0; i < rows; i++) {
        r[i].family = v6_in && test_rng_below(rng, v6_in) == 0 ? 6 : 4;
        uint32_t local = (uint32_t)test_rng_below(rng, 200), remote;
        remote = (uint32_t)test_rng_below(rng, test_rng_below(rng, 2) ? 300 : 1u << 24);
        r[i].sip[0] = r[i].family == 4 ? 10 : 0x20;
        gp_put_be16(r[i].sip + 2, (uint16_t)local);
        r[i].dip[0] = r[i].family == 4 ? 80 : 0x26;
        gp_put_be32(r[i].dip + (r[i].family == 4 ? 0 : 8), remote | 80u << 24);
        r[i].dport = test_rng_below(rng, 2) ? 443 : (uint16_t)test_rng_u64(rng);
        r[i].proto = test_rng_below(rng, 3) ? 6 : 17;
        for (size_t k = 0; k < 4; k++)
            r[i].counter[k] = test_rng_u64(rng) >> (40 + test_rng_below(rng, 24));
    }
    st_append(w, time_s, r, rows, 0);
    gp_free(r);
}

static godb_writer *open_writer(const char *root, int no_index)
{
    godb_writer_opts o = GODB_WRITER_OPTS_INIT;
    godb_writer *w = NULL;
    gp_err err = {0};

    o.sync = GODB_SYNC_NONE;
    o.no_index = no_index;
    want_ok_err(&err, godb_writer_open(root, "eth0", &o, &w, &err));
    return w;
}

/* Every address of every covered block is possible; returns how many blocks are covered. *wrong
 * counts probes of addresses that are not there but possible, of *asked. */
static size_t check_day(const godb_day *d, size_t *wrong, size_t *asked)
{
    GP_CLEANUP(godb_index_closep) godb_index *ix = NULL;
    GP_CLEANUP(godb_reader_freep) godb_reader *r = NULL;
    size_t covered = 0;
    gp_err err = {0};

    gp_status st = godb_index_open(d, &ix, &err);
    if (st == GP_ENOTFOUND)
        return 0;
    want_ok_err(&err, st);
    want_ok(godb_reader_new(&r, NULL));
    for (size_t i = 0; i < godb_day_n_blocks(d); i++) {
        godb_rows rows;
        if (!godb_index_covers(ix, i))
            continue;
        covered++;
        want_ok(godb_reader_rows(r, d, i, &rows, NULL));
        for (size_t k = 0; k < (size_t)rows.n_v4 + rows.n_v6; k++) {
            size_t w = k < rows.n_v4 ? 4 : 16;
            size_t off = k < rows.n_v4 ? 4 * k : 4 * rows.n_v4 + 16 * (k - rows.n_v4);
            for (int c = 0; c < 2; c++) {
                gp_addr a = {.family = w == 4 ? 4 : 6};
                memcpy(a.bytes, (c ? rows.dip : rows.sip) + off, w);
                godb_index_key key = godb_index_key_of((godb_col)c, &a);
                gp_net net = {.addr = a, .prefix = (uint8_t)(8 * w - 7)};
                assert_true(godb_index_may_have(ix, i, &key));
                assert_true(godb_index_may_overlap(ix, i, (godb_col)c, &net));
            }
        }
        for (uint32_t k = 0; k < 200; k++) { /* 80.1.128.0 and up do not occur */
            gp_addr a = {.family = 4, .bytes = {79 + k % 2, 255, (uint8_t)k, 255}};
            godb_index_key key = godb_index_key_of(GODB_COL_DIP, &a);
            *wrong += (size_t)godb_index_may_have(ix, i, &key);
            (*asked)++;
        }
        for (int c = 0; c < GODB_N_COLS; c++)
            want_ok_err(&err, godb_index_verify(ix, d, i, (godb_col)c, &err));
    }
    return covered;
}

static godb_day *open_only(const char *root)
{
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    want_ok(godb_db_open(root, &db, NULL));
    return st_open_only(db, "eth0");
}

static void test_written(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t blocks, rows;
        unsigned v6_in;
        int bulk;
    } cases[] = {
        {"one small block", 1, 3, 0, 0},    {"small blocks", 60, 30, 5, 0},
        {"middle blocks", 20, 1500, 10, 0}, {"large blocks, bulk", 4, 30000, 20, 1},
        {"only IPv6", 10, 500, 1, 1},       {"empty blocks between", 50, 0, 0, 0},
        {"huge blocks", 2, 120000, 0, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
        test_rng rng = test_rng_new(i + 1);
        godb_writer *w = open_writer(root, 0);
        if (cases[i].bulk)
            want_ok(godb_writer_begin_bulk(w, NULL));
        for (size_t k = 0; k < cases[i].blocks; k++)
            traffic(w, &rng, DAY + 300 * (int64_t)(k + 1), cases[i].rows, cases[i].v6_in);
        if (cases[i].bulk)
            want_ok(godb_writer_commit(w, NULL));
        const char *note = godb_writer_note(w);
        if (note)
            fail_msg("%s: note: %s", cases[i].what, note);
        godb_writer_close(w); /* the day is past: the rest is indexed, too */
        GP_CLEANUP(godb_day_closep) godb_day *d = open_only(root);
        size_t wrong = 0, asked = 0, covered = check_day(d, &wrong, &asked);
        if (covered != cases[i].blocks)
            fail_msg("%s: %zu of %zu blocks covered", cases[i].what, covered, cases[i].blocks);
        godb_index_stats s = {0};
        gp_err err = {0};
        want_ok_err(&err, godb_index_build(root, "eth0", 0, INT64_MAX, 0, &s, &err));
        assert_true(s.days == 1 && s.days_changed == 0 && s.blocks == 0);
        print_message("%s: %.2f %% of %llu bytes, %.2f %% false positives\n", cases[i].what,
                      100.0 * (double)s.index_bytes / (double)s.data_bytes,
                      (unsigned long long)s.data_bytes, 100.0 * (double)wrong / (double)asked);
        if (s.data_bytes > 20000)
            assert_true(s.index_bytes * 20 <= s.data_bytes);
        if (cases[i].rows >= 1500)
            assert_true(wrong * 4 < asked);
    }
}

/* A day that another program appends to keeps its records and gets the missing ones later. */
static void test_foreign_append(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    test_rng rng = test_rng_new(3);
    size_t wrong = 0, asked = 0;

    for (int part = 0; part < 3; part++) {
        godb_writer *w = open_writer(root, part == 1);
        for (int k = 0; k < 5; k++)
            traffic(w, &rng, DAY + 300 * (part * 5 + k + 1), 1500, 0);
        godb_writer_close(w);
        GP_CLEANUP(godb_day_closep) godb_day *d = open_only(root);
        assert_int_equal(check_day(d, &wrong, &asked), part == 1 ? 5 : 5 * (part + 1));
    }
}

/* Records of other blocks, as after a day was replaced, are ignored. */
static void test_stale(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *a = test_tmpdir();
    GP_CLEANUP(test_tmpdirp) char *b = test_tmpdir();
    test_rng rng = test_rng_new(4);
    size_t len = 0, wrong = 0, asked = 0;

    for (int i = 0; i < 2; i++) {
        godb_writer *w = open_writer(i ? b : a, i);
        for (int k = 0; k < 6; k++)
            traffic(w, &rng, DAY + 300 * (k + 1), 900, 0);
        godb_writer_close(w);
    }
    GP_CLEANUP(gp_freep) char *day_a = st_only_day(a, "eth0");
    GP_CLEANUP(gp_freep) char *day_b = st_only_day(b, "eth0");
    GP_CLEANUP(gp_freep) char *from = gp_asprintf("%s/%s/.index", a, day_a);
    GP_CLEANUP(gp_freep) char *to = gp_asprintf("%s/%s/.index", b, day_b);
    GP_CLEANUP(gp_freep) char *bytes = test_slurp(from, &len);
    test_spew(to, bytes, len);
    {
        GP_CLEANUP(godb_day_closep) godb_day *d = open_only(b);
        assert_int_equal(check_day(d, &wrong, &asked), 0);
    }
    godb_index_stats s = {0};
    want_ok(godb_index_build(b, "eth0", 0, INT64_MAX, 0, &s, NULL));
    assert_true(s.days_changed == 1 && s.blocks == 6);
    GP_CLEANUP(godb_day_closep) godb_day *d = open_only(b);
    assert_int_equal(check_day(d, &wrong, &asked), 6);
    uint64_t grown = s.index_bytes;
    want_ok(godb_index_build(b, "eth0", 0, INT64_MAX, 1, &s, NULL)); /* anew: stale ones go */
    assert_true(s.index_bytes < grown);
}

/* Cut at every length, and every byte changed: what is left is never wrong. */
static void test_damage(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    test_rng rng = test_rng_new(6);
    size_t len = 0, wrong = 0, asked = 0;
    godb_writer *w = open_writer(root, 0);

    for (int k = 0; k < 3; k++)
        traffic(w, &rng, DAY + 300 * (k + 1), 1000, 0);
    godb_writer_close(w);
    GP_CLEANUP(gp_freep) char *day = st_only_day(root, "eth0");
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/%s/.index", root, day);
    GP_CLEANUP(gp_freep) char *bytes = test_slurp(path, &len);
    GP_CLEANUP(godb_day_closep) godb_day *d = open_only(root);
    for (size_t at = 0; at < len; at++)
        for (int cut = 0; cut < 2; cut++) {
            godb_index_file f = {0};
            if (cut) {
                gp_buf_add(&f.bytes, bytes, at);
            } else {
                gp_buf_add(&f.bytes, bytes, len);
                f.bytes.data[at] ^= (uint8_t)(1u << at % 8);
            }
            want_ok(godb_index_file_parse(&d->meta, &f, NULL));
            assert_true(f.end <= (cut ? at : len));
            int harmless = !cut && at >= 5 && at < 8; /* reserved bytes of the head */
            if (f.n >= 3 && !harmless)
                fail_msg("byte %zu %s: all records accepted", at, cut ? "cut" : "changed");
            godb_index_file_free(&f);
        }
    test_spew(path, bytes, len / 2); /* the next write goes on behind the last sound record */
    w = open_writer(root, 0);
    traffic(w, &rng, DAY + 300 * 9, 1000, 0);
    godb_writer_close(w);
    GP_CLEANUP(godb_day_closep) godb_day *e = open_only(root);
    assert_int_equal(check_day(e, &wrong, &asked), 4);
}

/* Any changed byte of a column is noticed. */
static void test_checksums(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    test_rng rng = test_rng_new(7);
    godb_writer *w = open_writer(root, 0);
    godb_index *ix = NULL;

    traffic(w, &rng, DAY + 300, 2000, 9);
    godb_writer_close(w);
    GP_CLEANUP(gp_freep) char *day = st_only_day(root, "eth0");
    GP_CLEANUP(godb_day_closep) godb_day *d = open_only(root);
    want_ok(godb_index_open(d, &ix, NULL));
    for (int c = 0; c < GODB_N_COLS; c++) {
        GP_CLEANUP(gp_freep)
        char *path = gp_asprintf("%s/%s/%s", root, day, godb_col_file((godb_col)c));
        int fd = open(path, O_RDWR);
        assert_true(fd >= 0);
        for (size_t k = 0; k < 20; k++) {
            off_t at = (off_t)test_rng_below(&rng, d->meta.append[c]);
            uint8_t byte;
            gp_err err = {0};
            assert_int_equal(pread(fd, &byte, 1, at), 1);
            byte ^= 4;
            assert_int_equal(pwrite(fd, &byte, 1, at), 1);
            want_err(GP_ECORRUPT, &err, "changed", godb_index_verify(ix, d, 0, (godb_col)c, &err));
            byte ^= 4;
            assert_int_equal(pwrite(fd, &byte, 1, at), 1);
            want_ok(godb_index_verify(ix, d, 0, (godb_col)c, &err));
        }
        close(fd);
    }
    godb_index_close(ix);
}

/* Reads compare with the checksums by themselves: zeros in a raw column would pass as addresses. */
static void test_reads_verify(void **state)
{
    (void)state;
    static const uint8_t zeros[4000];
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    test_rng rng = test_rng_new(9);
    godb_writer_opts o = GODB_WRITER_OPTS_INIT;
    godb_writer *w = NULL;

    o.codec = GODB_CODEC_NULL;
    want_ok(godb_writer_open(root, "eth0", &o, &w, NULL));
    traffic(w, &rng, DAY + 300, 1000, 0);
    traffic(w, &rng, DAY + 600, 1000, 0);
    godb_writer_close(w);
    GP_CLEANUP(gp_freep) char *day = st_only_day(root, "eth0");
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/%s/sip.gpf", root, day);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0 && pwrite(fd, zeros, sizeof zeros, 4000) == sizeof zeros);
    close(fd);
    for (int on = 1; on >= 0; on--) {
        GP_CLEANUP(godb_day_closep) godb_day *d = open_only(root);
        GP_CLEANUP(godb_reader_freep) godb_reader *r = NULL;
        const uint8_t *bytes;
        gp_err err = {0};
        if (!on)
            godb_day_verify(d, 0);
        want_ok(godb_reader_new(&r, NULL));
        want_ok(godb_reader_col(r, d, 0, GODB_COL_SIP, &bytes, NULL, NULL));
        if (on)
            want_err(GP_ECORRUPT, &err, "changed",
                     godb_reader_col(r, d, 1, GODB_COL_SIP, &bytes, NULL, &err));
        else
            want_ok(godb_reader_col(r, d, 1, GODB_COL_SIP, &bytes, NULL, NULL));
        want_ok(godb_reader_col(r, d, 1, GODB_COL_DIP, &bytes, NULL, NULL));
    }
}

/* A power loss takes .blockmeta back but not the index; then a block of the same lengths is written
 * in the place of the lost one. What the index says of the lost block must not be held against it.
 */
static void test_rolled_back(void **state)
{
    (void)state;
    const godb_row a = st_row("10.0.0.1", "10.0.0.2", 80, 6, 1, 1, 1, 1),
                   lost = st_row("10.0.0.3", "10.0.0.4", 81, 7, 2, 2, 2, 2),
                   other = st_row("10.9.9.9", "10.8.8.8", 99, 17, 3, 3, 3, 3);
    for (int no_index = 0; no_index < 2; no_index++) {
        GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
        godb_writer *w = open_writer(root, 0);
        size_t len;
        st_append(w, DAY + 300, &a, 1, 0);
        GP_CLEANUP(gp_freep) char *before = st_only_day(root, "eth0");
        GP_CLEANUP(gp_freep) char *old = gp_asprintf("%s/%s/.blockmeta", root, before);
        GP_CLEANUP(gp_freep) char *meta = test_slurp(old, &len);
        st_append(w, DAY + 600, &lost, 1, 0);
        godb_writer_close(w);
        GP_CLEANUP(gp_freep) char *after = st_only_day(root, "eth0");
        GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/%s/.blockmeta", root, after);
        test_spew(path, meta, len);
        w = open_writer(root, no_index);
        st_append(w, DAY + 900, &other, 1, 0);
        godb_writer_close(w);

        GP_CLEANUP(godb_day_closep) godb_day *d = open_only(root);
        GP_CLEANUP(godb_reader_freep) godb_reader *r = NULL;
        const godb_index *ix = godb_day_index(d);
        godb_rows rows;
        gp_err err = {0};
        want_ok(godb_reader_new(&r, NULL));
        want_ok_err(&err, godb_reader_rows(r, d, 0, &rows, &err));
        want_ok_err(&err, godb_reader_rows(r, d, 1, &rows, &err));
        assert_memory_equal(rows.sip, other.sip, 4);
        assert_non_null(ix);
        const gp_addr sip = {.family = 4, .bytes = {10, 9, 9, 9}};
        const godb_index_key key = godb_index_key_of(GODB_COL_SIP, &sip);
        assert_true(godb_index_may_have(ix, 1, &key));
        want_status(no_index ? GP_ENOTFOUND : GP_OK,
                    godb_index_verify(ix, d, 1, GODB_COL_SIP, NULL));
        want_ok(godb_index_verify(ix, d, 0, GODB_COL_SIP, NULL));
        assert_int_equal(godb_index_covers(ix, 1), !no_index);
    }
}

/* Damaged times in .blockmeta are told from a record of other blocks: the bytes are the same. */
static void test_damaged_time(void **state)
{
    (void)state;
    const godb_row a = st_row("10.0.0.1", "10.0.0.2", 80, 6, 1, 1, 1, 1);
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    godb_writer *w = open_writer(root, 0);
    size_t len;

    st_append(w, DAY + 300, &a, 1, 0);
    godb_writer_close(w);
    GP_CLEANUP(gp_freep) char *day = st_only_day(root, "eth0");
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/%s/.blockmeta", root, day);
    GP_CLEANUP(gp_freep) char *meta = test_slurp(path, &len);
    meta[136 + 72 + 7] ^= 4; /* lowest byte of the first timestamp */
    test_spew(path, meta, len);
    GP_CLEANUP(godb_day_closep) godb_day *d = open_only(root);
    GP_CLEANUP(godb_reader_freep) godb_reader *r = NULL;
    const uint8_t *bytes;
    want_ok(godb_reader_new(&r, NULL));
    want_status(GP_ECORRUPT, godb_reader_col(r, d, 0, GODB_COL_DIP, &bytes, NULL, NULL));
}

static void test_xor_filter(void **state)
{
    (void)state;
    test_rng rng = test_rng_new(8);

    for (uint32_t n = 0; n < 3000; n = n * 3 / 2 + 1)
        for (unsigned k = 1; k <= GODB_XOR_MAX_BITS; k++) {
            uint64_t keys[4096];
            gp_buf b = {0};
            uint8_t seed = 0;
            size_t wrong = 0;
            gp_err err = {0};
            for (uint32_t i = 0; i < n; i++)
                keys[i] = test_rng_u64(&rng);
            want_ok_err(&err, godb_xor_build(keys, n, k, &b, &seed, &err));
            assert_true(b.len == godb_xor_bytes(n, k));
            assert_non_null(gp_buf_reserve(&b, 8));
            for (uint32_t i = 0; i < n; i++)
                assert_true(godb_xor_has(b.data, godb_xor_third(n), k, seed, keys[i]));
            for (int i = 0; i < 4000; i++)
                wrong +=
                    (size_t)godb_xor_has(b.data, godb_xor_third(n), k, seed, test_rng_u64(&rng));
            if (n > 50 && wrong > 4000u / (1u << k) * 3 / 2 + 20)
                fail_msg("%u keys, %u bits: %zu of 4000 wrong", n, k, wrong);
            gp_buf_free(&b);
        }
    uint64_t same[256]; /* as many as a slot's count cannot hold */
    gp_buf b = {0};
    uint8_t seed;
    for (size_t i = 0; i < COUNT(same); i++)
        same[i] = 7;
    want_status(GP_ELIMIT, godb_xor_build(same, 4, 8, &b, &seed, NULL));
    want_status(GP_ELIMIT, godb_xor_build(same, COUNT(same), 8, &b, &seed, NULL));
    gp_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written),      cmocka_unit_test(test_foreign_append),
        cmocka_unit_test(test_stale),        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_checksums),    cmocka_unit_test(test_xor_filter),
        cmocka_unit_test(test_reads_verify), cmocka_unit_test(test_rolled_back),
        cmocka_unit_test(test_damaged_time),
    };
    st_utc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
