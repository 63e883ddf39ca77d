/* example_test.c - the worked example of godb-format.md 10, byte for byte. */
#include "storetest.h"

static const struct {
    const char *file;
    const char *hex;
} files[] = {
    {"sip.gpf", "430a0000010400f0020220010db80000000000000000000000014f0a00000904000450090a000009"},
    {"dip.gpf", "44c00002010400f00120010db8000000000000000000000002c6336401c6336402c6336403c6336404"
                "c6336405c6336406c6336407c6336408"},
    {"proto.gpf", "110606060606060606060606"},
    {"dport.gpf", "003501bb01bb00162500500200505000500050"},
    {"bytes_rcvd.gpf", "0200005802dc05ff0002e903ea03eb03ec03ed03ee03ef03f00301"},
    {"bytes_sent.gpf", "034800002c010070110100010001000000000000000001"},
    {"pkts_rcvd.gpf", "010004030101010101010101010101"},
    {"pkts_sent.gpf", "010105330101000000000000000001"},
    {".blockmeta", "00000000000000010000000000000003000000000000000b0000000000000001"
                   "00000000000000070000000000002897"
                   "00000000000113e40000000000000010000000000000003a0000000000000028"
                   "0000001a0000001c030000000e00000020030000000000000000010000000000"
                   "00003900000019"
                   "0000001c030000002000000020010000000000000000010000000000"
                   "00000c0000000400000004010000000800000008010000000000000000010000"
                   "0000000000130000000800000008010000000b00000010030000000000000000"
                   "01000000000000001b0000000900000009010000001100000011010000000100"
                   "0000010100000000000000170000000d0000000d010000000900000009010000"
                   "00010000000101000000000000000f0000000500000005010000000900000009"
                   "01000000010000000101000000000000000f0000000500000005010000000900"
                   "0000090100000001000000010100000000"
                   "6553f164000000030000000100000000000000000000000800000000000000020000012c0000000"
                   "000000000000000"
                   "050000012c"},
};

static void check_files(const char *root, const char *day)
{
    for (size_t i = 0; i < COUNT(files); i++) {
        GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/%s/%s", root, day, files[i].file);
        size_t len = 0;
        GP_CLEANUP(gp_freep) char *got = test_slurp(path, &len);
        GP_CLEANUP(gp_freep) char *hex = gp_alloc(2 * len + 1, 1);
        for (size_t k = 0; k < len; k++)
            snprintf(hex + 2 * k, 3, "%02x", (unsigned char)got[k]);
        if (strcmp(hex, files[i].hex) != 0)
            fail_msg("%s: got %s, want %s", files[i].file, hex, files[i].hex);
    }
}

static void want_day(const char *root, const char *want)
{
    GP_CLEANUP(gp_freep) char *day = st_only_day(root, "eth0");
    assert_string_equal(day, want);
}

static void test_lz4(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    gp_err err = {0};
    int64_t last = 1;

    st_utc();
    want_ok_err(&err, godb_writer_open(root, "eth0", NULL, &w, &err));
    want_ok(godb_writer_last_time(w, &last, NULL));
    assert_true(last == 0);
    st_example_block(w, 0);
    want_day(root, "eth0/2023/11/1699920000_3-1-0-ZB-ani-8-W");
    st_example_block(w, 1);
    want_day(root, "eth0/2023/11/1699920000_b-1-2-BH2-ani-g-W");
    st_example_block(w, 2);
    want_day(root, "eth0/2023/11/1699920000_b-1-7-BH2-ani-g-W");
    check_files(root, "eth0/2023/11/1699920000_b-1-7-BH2-ani-g-W");
    want_ok(godb_writer_last_time(w, &last, NULL));
    assert_true(last == 1700000700);
    assert_null(godb_writer_note(w));
}

/* One metadata commit for all three gives the same bytes. */
static void test_bulk(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    gp_err err = {0};

    st_utc();
    want_ok_err(&err, godb_writer_open(root, "eth0", NULL, &w, &err));
    want_ok(godb_writer_begin_bulk(w, &err));
    for (unsigned i = 0; i < 3; i++)
        st_example_block(w, i);
    want_ok_err(&err, godb_writer_commit(w, &err));
    check_files(root, "eth0/2023/11/1699920000_b-1-7-BH2-ani-g-W");
}

static void test_idle(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;

    st_utc();
    want_ok(godb_writer_open(root, "eth0", NULL, &w, NULL));
    st_append(w, 1700000100, NULL, 0, 0);
    want_day(root, "eth0/2023/11/1699920000_0-0-0-0-0-0-0");
    static const struct {
        const char *file;
        long size; /* -1: must not exist */
    } cases[] = {{"sip.gpf", -1},      {"dip.gpf", -1},       {"proto.gpf", -1},
                 {"dport.gpf", -1},    {"bytes_rcvd.gpf", 1}, {"bytes_sent.gpf", 1},
                 {"pkts_rcvd.gpf", 1}, {"pkts_sent.gpf", 1},  {".blockmeta", 232}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        GP_CLEANUP(gp_freep)
        char *path =
            gp_asprintf("%s/eth0/2023/11/1699920000_0-0-0-0-0-0-0/%s", root, cases[i].file);
        struct stat st = {.st_size = -1};
        (void)!stat(path, &st);
        if (st.st_size != cases[i].size)
            fail_msg("%s: %ld bytes, want %ld", cases[i].file, (long)st.st_size, cases[i].size);
    }
}

/* Any codec: what was written is read back, row by row. */
static void test_codecs(void **state)
{
    (void)state;
    for (uint8_t codec = 1; codec <= 3; codec++) {
        GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
        GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
        GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
        GP_CLEANUP(godb_reader_freep) godb_reader *r = NULL;
        godb_writer_opts o = GODB_WRITER_OPTS_INIT;
        gp_err err = {0};
        godb_rows rows;

        st_utc();
        o.codec = codec;
        want_ok_err(&err, godb_writer_open(root, "eth0", &o, &w, &err));
        for (unsigned i = 0; i < 3; i++)
            st_example_block(w, i);
        want_ok(godb_db_open(root, &db, NULL));
        want_ok(godb_reader_new(&r, NULL));
        GP_CLEANUP(godb_day_closep) godb_day *d = st_open_only(db, "eth0");
        assert_int_equal(godb_day_n_blocks(d), 3);
        want_ok_err(&err, godb_reader_rows(r, d, 0, &rows, &err));
        assert_int_equal(rows.n_v4, 3);
        assert_int_equal(rows.n_v6, 1);
        assert_memory_equal(rows.sip, "\x0a\0\0\1\x0a\0\0\1\x0a\0\0\2\x20\x01\x0d\xb8", 16);
        assert_memory_equal(rows.dport, "\0\x35\x01\xbb\x01\xbb\0\x16", 8);
        assert_true(rows.counter[1][2] == 70000 && rows.counter[1][3] == 256);
        want_ok_err(&err, godb_reader_rows(r, d, 1, &rows, &err));
        assert_int_equal(rows.n_v4, 8);
        for (unsigned k = 0; k < 8; k++)
            assert_true(rows.counter[0][k] == 1001 + k && rows.dip[4 * k + 3] == k + 1);
        want_ok_err(&err, godb_reader_rows(r, d, 2, &rows, &err));
        assert_int_equal(rows.n_v4 + rows.n_v6, 0);
        assert_int_equal(godb_day_block(d, 2)->drops, 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lz4),
        cmocka_unit_test(test_bulk),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_codecs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
