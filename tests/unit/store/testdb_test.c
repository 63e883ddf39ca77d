/* testdb_test.c - the reference's own sample database: totals, hashes, identical re-encoding. */
#include "storetest.h"

#include "blockmeta.h"
#include "godb/codec.h"
#include "godb/packed.h"
#include "gp/num.h"

#include <sodium.h>

#define TESTDB SHARED_DIR "/corpus/upstream-testdb"

static const struct {
    const char *iface;
    int64_t day_s;
    size_t blocks;
    int64_t first_s, last_s;
    godb_totals t;
    size_t stored; /* bytes of the eight column files */
} days_want[] = {
#define T(a, b, c, d, e, f, g)                                                                     \
    {                                                                                              \
        .v4 = a, .v6 = b, .drops = c, .bytes_rcvd = d, .bytes_sent = e, .pkts_rcvd = f,            \
        .pkts_sent = g                                                                             \
    }
#define D1 1456358400, 54, 1456428875, 1456444775
#define D2 1456444800, 93, 1456445075, 1456472675
    {"eth0", D1, T(6179, 0, 1280939, 5753048398, 497772607, 4168954, 837770), 88112},
    {"eth0", D2, T(5230, 0, 14026, 472821664, 1368754896, 1140404, 1470009), 78058},
    {"eth1", D1, T(4109, 25, 2057965, 861264014, 5252683353, 2740605, 4802635), 66759},
    {"eth1", D2, T(3682, 1, 384100, 4089642458, 2548002132, 2020704, 3402250), 61059},
    {"eth2", D1, T(127, 0, 0, 271433, 159588, 1329, 906), 2375},
    {"eth2", D2, T(218, 0, 0, 462646, 272350, 2271, 1547), 4078},
    {"t_c1_fwde", D1, T(1097, 0, 0, 6474748062, 357124012, 492171, 484565), 15080},
    {"t_c1_fwde", D2, T(1785, 0, 0, 263017841, 371811599, 324796, 361546), 21332},
    {"t_c1_fwde1", D1, T(244, 0, 0, 13941523, 6464737, 44084, 46812), 4049},
    {"t_c1_fwde1", D2, T(382, 0, 0, 60374280, 10799825, 63349, 74175), 6475},
    {"tun_3g_c1_fw1", D1, T(54, 0, 0, 16624, 13810, 335, 212), 1089},
    {"tun_3g_c1_fw1", D2, T(93, 0, 0, 28616, 23579, 574, 361), 1875},
    {"tun_3g_c1_fwde", D1, T(54, 0, 0, 14260, 12034, 295, 181), 1049},
    {"tun_3g_c1_fwde", D2, T(93, 0, 0, 24068, 20223, 497, 303), 1799},
};

struct db {
    godb_db *db;
    godb_reader *r;
};

static int setup(void **state)
{
    static struct db s;

    if (godb_db_open(TESTDB, &s.db, NULL) != GP_OK || godb_reader_new(&s.r, NULL) != GP_OK)
        return -1;
    *state = &s;
    return 0;
}

static int teardown(void **state)
{
    struct db *s = *state;

    godb_reader_free(s->r);
    godb_db_close(s->db);
    return 0;
}

static godb_day *open_day(const struct db *s, const char *iface, int64_t day_s, char **path)
{
    godb_days days = {0};
    godb_day *d = NULL;
    gp_err err = {0};

    /* exactly one day: 300 s after its begin */
    want_ok_err(&err,
                godb_db_days(s->db, iface, day_s + 300, day_s + GODB_DAY_S - 301, &days, &err));
    assert_int_equal(days.n, 1);
    assert_int_equal(days.skipped, 0);
    want_ok_err(&err, godb_day_open(s->db, &days.v[0], &d, &err));
    if (days.v[0].has_totals)
        assert_memory_equal(&days.v[0].totals, godb_day_totals(d), sizeof(godb_totals));
    if (path)
        *path = gp_asprintf("%s/%s", TESTDB, days.v[0].path);
    godb_days_free(&days);
    return d;
}

static void test_interfaces(void **state)
{
    const struct db *s = *state;
    static const char *const want[] = {"eth0",       "eth1",          "eth2",          "t_c1_fwde",
                                       "t_c1_fwde1", "tun_3g_c1_fw1", "tun_3g_c1_fwde"};
    char **names = NULL;
    size_t n = 0;

    want_ok(godb_db_ifaces(s->db, &names, &n, NULL));
    assert_int_equal(n, COUNT(want));
    for (size_t i = 0; i < n; i++)
        assert_string_equal(names[i], want[i]);
    assert_null(names[n]);
    godb_strv_free(names);
}

static void test_totals(void **state)
{
    const struct db *s = *state;

    for (size_t i = 0; i < COUNT(days_want); i++) {
        GP_CLEANUP(godb_day_closep)
        godb_day *d = open_day(s, days_want[i].iface, days_want[i].day_s, NULL);
        godb_totals sum = {0};
        size_t n = godb_day_n_blocks(d), stored = 0;
        assert_int_equal(n, days_want[i].blocks);
        assert_memory_equal(godb_day_totals(d), &days_want[i].t, sizeof sum);
        assert_true(godb_day_block(d, 0)->time_s == days_want[i].first_s);
        assert_true(godb_day_block(d, n - 1)->time_s == days_want[i].last_s);
        assert_true(godb_day_sorted(d));
        for (size_t b = 0; b < n; b++) {
            godb_rows rows;
            gp_err err = {0};
            want_ok_err(&err, godb_reader_rows(s->r, d, b, &rows, &err));
            size_t m = (size_t)rows.n_v4 + rows.n_v6;
            sum.v4 += rows.n_v4;
            sum.v6 += rows.n_v6;
            sum.drops += godb_day_block(d, b)->drops;
            for (size_t k = 0; k < m; k++) {
                sum.bytes_rcvd += rows.counter[0][k];
                sum.bytes_sent += rows.counter[1][k];
                sum.pkts_rcvd += rows.counter[2][k];
                sum.pkts_sent += rows.counter[3][k];
            }
            for (int c = 0; c < GODB_N_COLS; c++)
                stored += godb_day_block(d, b)->stored[c];
        }
        assert_memory_equal(&sum, &days_want[i].t, sizeof sum);
        assert_int_equal(stored, days_want[i].stored);
    }
}

static uint64_t field_u64(char **line)
{
    char *f = strsep(line, "\t");
    uint64_t v = 0;
    assert_non_null(f);
    assert_true(gp_num_u64(f, strlen(f), UINT64_MAX, &v));
    return v;
}

/* One line of the block table against one block. */
static void check_block(const struct db *s, const godb_day *d, char *line)
{
    size_t at = (size_t)field_u64(&line);
    const godb_block *b = godb_day_block(d, at);
    crypto_hash_sha256_state sha;
    uint8_t digest[crypto_hash_sha256_BYTES], want[sizeof digest];
    gp_err err = {0};

    assert_true(at < godb_day_n_blocks(d));
    assert_true((uint64_t)b->time_s == field_u64(&line));
    assert_true(b->n_v4 == field_u64(&line) && b->n_v6 == field_u64(&line));
    assert_true(b->drops == field_u64(&line));
    uint64_t sums[GODB_N_COUNTERS];
    for (int k = 0; k < GODB_N_COUNTERS; k++)
        sums[k] = field_u64(&line);
    crypto_hash_sha256_init(&sha);
    for (int c = 0; c < GODB_N_COLS; c++) {
        const uint8_t *raw = NULL;
        assert_true(b->codec[c] == field_u64(&line) && b->stored[c] == field_u64(&line));
        assert_true(b->raw[c] == field_u64(&line));
        want_ok_err(&err, godb_reader_col(s->r, d, at, (godb_col)c, &raw, NULL, &err));
        crypto_hash_sha256_update(&sha, raw, b->raw[c]);
        if (c >= GODB_N_ATTRS)
            assert_true(godb_packed_sum(raw, raw[0], 0, b->n_v4 + b->n_v6) ==
                        sums[c - GODB_N_ATTRS]);
    }
    crypto_hash_sha256_final(&sha, digest);
    assert_true(gp_unhex(line, strlen(line), want, sizeof want));
    assert_memory_equal(digest, want, sizeof want);
}

static void test_blocks(void **state)
{
    const struct db *s = *state;
    GP_CLEANUP(gp_freep)
    char *tsv = test_slurp(SHARED_DIR "/corpus/upstream-testdb-blocks.tsv", NULL);
    char *rest = tsv, *line = strsep(&rest, "\n"); /* heading */
    char open_iface[64] = "";
    int64_t open_s = 0;
    size_t n = 0;
    GP_CLEANUP(godb_day_closep) godb_day *d = NULL;

    while ((line = strsep(&rest, "\n")) && *line) {
        const char *iface = strsep(&line, "\t");
        int64_t day_s = (int64_t)field_u64(&line);
        if (strcmp(iface, open_iface) != 0 || day_s != open_s) {
            godb_day_close(d);
            d = open_day(s, iface, day_s, NULL);
            snprintf(open_iface, sizeof open_iface, "%s", iface);
            open_s = day_s;
        }
        check_block(s, d, line);
        n++;
    }
    assert_int_equal(n, 1029);
}

static void same_file(const char *path, const char *name, const gp_buf *want)
{
    GP_CLEANUP(gp_freep) char *full = gp_asprintf("%s/%s", path, name);
    size_t len = 0;
    GP_CLEANUP(gp_freep) char *got = test_slurp(full, &len);

    if (len != want->len || memcmp(got, want->data, len) != 0)
        fail_msg("%s: re-encoding differs", full);
}

/* Decode everything and write it again: columns and metadata are identical bytes. */
static void test_reencode(void **state)
{
    const struct db *s = *state;
    godb_codec *codec = NULL;
    size_t files = 0;

    want_ok(godb_codec_new(&codec, NULL));
    for (size_t i = 0; i < COUNT(days_want); i++) {
        GP_CLEANUP(gp_freep) char *path = NULL;
        GP_CLEANUP(godb_day_closep)
        godb_day *d = open_day(s, days_want[i].iface, days_want[i].day_s, &path);
        gp_buf col[GODB_N_COLS] = {0}, meta = {0};
        godb_blockmeta m;
        godb_blockmeta_init(&m, days_want[i].day_s);
        for (size_t at = 0; at < godb_day_n_blocks(d); at++) {
            godb_block b = *godb_day_block(d, at);
            uint64_t sums[GODB_N_COUNTERS] = {0};
            godb_rows rows;
            want_ok(godb_reader_rows(s->r, d, at, &rows, NULL));
            size_t n = (size_t)rows.n_v4 + rows.n_v6, wide = 4 * rows.n_v4 + 16 * rows.n_v6;
            const uint8_t *attr[] = {rows.sip, rows.dip, rows.proto, rows.dport};
            size_t len[] = {wide, wide, n, 2 * n};
            for (int c = 0; c < GODB_N_COLS; c++) {
                gp_buf packed = {0};
                size_t before = col[c].len;
                if (c >= GODB_N_ATTRS) {
                    godb_packed_encode(rows.counter[c - GODB_N_ATTRS], n, &packed);
                    for (size_t k = 0; k < n; k++)
                        sums[c - GODB_N_ATTRS] += rows.counter[c - GODB_N_ATTRS][k];
                } else {
                    gp_buf_add(&packed, attr[c], len[c]);
                }
                want_ok(godb_codec_encode(codec, GODB_CODEC_LZ4, 0, packed.data, packed.len,
                                          &col[c], &b.codec[c], NULL));
                b.raw[c] = (uint32_t)packed.len;
                b.stored[c] = (uint32_t)(col[c].len - before);
                gp_buf_free(&packed);
            }
            want_ok(godb_blockmeta_push(&m, &b, sums, NULL));
        }
        godb_blockmeta_write(&m, &meta);
        same_file(path, ".blockmeta", &meta);
        for (int c = 0; c < GODB_N_COLS; c++, files++) {
            same_file(path, godb_col_file((godb_col)c), &col[c]);
            gp_buf_free(&col[c]);
        }
        gp_buf_free(&meta);
        godb_blockmeta_free(&m);
    }
    assert_int_equal(files, 112);
    godb_codec_free(codec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interfaces),
        cmocka_unit_test(test_totals),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_reencode),
    };
    if (!test_have_shared())
        return 77;
    return cmocka_run_group_tests(tests, setup, teardown);
}
