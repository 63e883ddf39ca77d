/* names_test.c - names of days, damaged metadata, days in a range, listings. */
#include "storetest.h"

#include "blockmeta.h"
#include "godb/listing.h"
#include "gp/bytes.h"
#include "suffix.h"

enum { DAY = 1699920000 };

static void test_day_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int ok, totals;
    } cases[] = {
        {"1699920000", 1, 0},
        {"1699920000_b-1-7-BH2-ani-g-W", 1, 1},
        {"1699920000_b-1-7-BH2-ani-g-W_more", 1, 1}, /* further parts are ignored */
        {"0", 1, 0},
        {"1699920000_", 1, 0},
        {"1699920000_1-2-3-4-5-6", 1, 0},              /* six parts */
        {"1699920000_1-2-3-4-5-6-7-8", 1, 0},          /* eight */
        {"1699920000_1--3-4-5-6-7", 1, 0},             /* empty part */
        {"1699920000_fyha61AhGYm-0-0-0-0-0-0", 1, 0},  /* 2^64 */
        {"1699920000_000000000000-0-0-0-0-0-0", 1, 0}, /* twelve digits */
        {"1699920000_~-0-0-0-0-0-0", 1, 0},
        {"1699920001", 0, 0}, /* no multiple of 86400 */
        {"-86400", 0, 0},
        {"", 0, 0},
        {"x1699920000", 0, 0},
        {"99999999999999999999", 0, 0},
        {"1699920000.gpdb-merge-backup-5", 0, 0},
        {"1699920000_b-1-7-BH2-ani-g-W.gpdb-merge-backup-5", 0, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        godb_dayname d = {0};
        int ok = godb_dayname_parse(cases[i].name, &d);
        if (ok != cases[i].ok || (ok && d.has_totals != cases[i].totals))
            fail_msg("%s: got %d, %d", cases[i].name, ok, d.has_totals);
    }
}

/* Metadata of three blocks with one row each. */
static gp_buf good_meta(void)
{
    godb_blockmeta m;
    gp_buf out = {0};
    uint64_t sums[4] = {1, 1, 1, 1};

    godb_blockmeta_init(&m, DAY);
    for (int i = 0; i < 3; i++) {
        static const uint32_t raw[] = {4, 4, 1, 2, 2, 2, 2, 2};
        godb_block b = {.time_s = DAY + 300 * (i + 1), .n_v4 = 1, .drops = 2};
        for (int c = 0; c < GODB_N_COLS; c++) {
            b.codec[c] = 1;
            b.raw[c] = b.stored[c] = raw[c];
        }
        want_ok(godb_blockmeta_push(&m, &b, sums, NULL));
    }
    godb_blockmeta_write(&m, &out);
    assert_int_equal(out.len, 144 + 88 * 3);
    godb_blockmeta_free(&m);
    return out;
}

#define COLUMN(k) (72 + (k) * (8 + 9 * 3))
#define ENTRY(i)  (144 + 72 * 3 + 16 * (i))

static void test_meta_damage(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t at, width; /* big-endian value put there; width 0: cut to `at` bytes */
        uint64_t value;
        gp_status st;
        unsigned usable; /* blocks */
        int append_ok, sorted;
    } cases[] = {
        {"sound", 0, 8, 1, GP_OK, 3, 1, 1},
        {"too short", 143, 0, 0, GP_ECORRUPT, 0, 0, 0},
        {"cut", 144 + 88 * 3 - 1, 0, 0, GP_ECORRUPT, 0, 0, 0},
        {"version", 0, 8, 2, GP_ECORRUPT, 0, 0, 0},
        {"huge count", 8, 8, UINT64_MAX / 88 + 2, GP_ECORRUPT, 0, 0, 0},
        {"one block more", 8, 8, 4, GP_ECORRUPT, 0, 0, 0},
        {"zero blocks", 8, 8, 0, GP_OK, 0, 1, 1},
        {"append position", COLUMN(2), 8, 9, GP_OK, 3, 0, 1},
        {"raw 0 but stored", COLUMN(0) + 12, 4, 0, GP_OK, 2, 1, 1},
        {"raw does not fit rows", COLUMN(1) + 12, 4, 8, GP_OK, 2, 1, 1},
        {"counter width 9", COLUMN(4) + 12, 4, 10, GP_OK, 2, 1, 1},
        {"codec 0", COLUMN(3) + 16, 1, 0, GP_OK, 2, 1, 1},
        {"codec 4", COLUMN(3) + 16, 1, 4, GP_OK, 2, 1, 1},
        {"lz4 of the same length", COLUMN(3) + 16, 1, 3, GP_OK, 3, 1, 1},
        {"row counts", ENTRY(1), 4, 5, GP_OK, 2, 1, 1},
        {"first time before the day", 136 + 72 * 3, 8, DAY - 1, GP_OK, 0, 0, 1},
        {"first time negative", 136 + 72 * 3, 8, UINT64_MAX, GP_OK, 0, 0, 1},
        {"first difference", ENTRY(0) + 12, 4, 1, GP_OK, 0, 0, 1},
        {"no difference", ENTRY(1) + 12, 4, 0, GP_OK, 2, 1, 1},
        {"D4", ENTRY(2) + 12, 4, (uint32_t)-500, GP_OK, 3, 1, 0},
        {"into the next day", ENTRY(1) + 12, 4, 90000, GP_OK, 1, 0, 1},
        {"before the day", ENTRY(1) + 12, 4, (uint32_t)-301, GP_OK, 1, 0, 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        gp_buf b = good_meta();
        godb_blockmeta m = {0};
        unsigned usable = 0;
        gp_err err = {0};
        for (size_t k = 0; k < cases[i].width; k++)
            b.data[cases[i].at + k] = (uint8_t)(cases[i].value >> 8 * (cases[i].width - 1 - k));
        size_t len = cases[i].width ? b.len : cases[i].at;
        gp_status st = godb_blockmeta_parse(b.data, len, DAY, &m, &err);
        for (size_t k = 0; k < m.n; k++)
            usable += m.blocks[k].usable;
        if (st != cases[i].st || usable != cases[i].usable ||
            (st == GP_OK && (m.append_ok != cases[i].append_ok || m.sorted != cases[i].sorted)))
            fail_msg("%s: %s, %u usable, append %d, sorted %d", cases[i].what, gp_status_name(st),
                     usable, m.append_ok, m.sorted);
        godb_blockmeta_free(&m);
        gp_buf_free(&b);
    }
}

/* Three days with blocks at noon and 300 s later, each with 10 bytes received and 1 drop. */
static char *three_days(void)
{
    char *root = test_tmpdir();
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    godb_writer_opts o = GODB_WRITER_OPTS_INIT;
    godb_row row = st_row("10.0.0.1", "10.0.0.2", 80, 6, 10, 1, 1, 1);

    o.sync = GODB_SYNC_NONE;
    want_ok(godb_writer_open(root, "eth0", &o, &w, NULL));
    for (int d = 0; d < 3; d++)
        for (int i = 0; i < 2; i++)
            st_append(w, DAY + d * GODB_DAY_S + 43200 + 300 * i, &row, 1, 1);
    return root;
}

static void test_ranges(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = three_days();
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    const int64_t D = GODB_DAY_S, noon = 43200;
    const struct {
        const char *what;
        int64_t first_s, last_s;
        size_t days;
        godb_totals t;
        int64_t from_s, to_s; /* covered */
    } cases[] = {
        {"all",
         0,
         INT64_MAX,
         3,
         {6, 0, 6, 60, 6, 6, 6},
         DAY + noon - 300,
         DAY + 2 * D + noon + 300},
        {"first block only",
         DAY,
         DAY + noon,
         1,
         {1, 0, 1, 10, 1, 1, 1},
         DAY + noon - 300,
         DAY + noon},
        {"from the second block on",
         DAY + noon + 1,
         DAY + D - 301,
         1,
         {1, 0, 1, 10, 1, 1, 1},
         DAY + noon + 1 - 300,
         DAY + noon + 300},
        {"one day in the middle",
         DAY + D,
         DAY + D + noon + 300,
         1,
         {2, 0, 2, 20, 2, 2, 2},
         DAY + D + noon - 300,
         DAY + D + noon + 300},
        {"last 300 s reach into the next day",
         DAY,
         DAY + D - 299,
         2,
         {3, 0, 3, 30, 3, 3, 3},
         DAY + noon - 300,
         DAY + D + noon},
        {"before everything", 0, DAY - 301, 0, {0}, 0, 0},
        {"after everything", DAY + 9 * D, INT64_MAX, 0, {0}, 0, 0},
        {"empty range", DAY + D, DAY, 0, {0}, 0, 0},
    };
    want_ok(godb_db_open(root, &db, NULL));
    for (size_t i = 0; i < COUNT(cases); i++) {
        godb_days days = {0};
        godb_listing l;
        gp_err err = {0};
        want_ok_err(&err, godb_db_days(db, "eth0", cases[i].first_s, cases[i].last_s, &days, &err));
        if (days.n != cases[i].days)
            fail_msg("%s: %zu days", cases[i].what, days.n);
        godb_days_free(&days);
        want_ok_err(&err,
                    godb_listing_get(db, "eth0", cases[i].first_s, cases[i].last_s, &l, &err));
        if (memcmp(&l.totals, &cases[i].t, sizeof l.totals) != 0 || l.first_s != cases[i].from_s ||
            l.last_s != cases[i].to_s)
            fail_msg("%s: %llu rows, %llu drops, %lld to %lld", cases[i].what,
                     (unsigned long long)l.totals.v4, (unsigned long long)l.totals.drops,
                     (long long)(l.first_s - DAY), (long long)(l.last_s - DAY));
    }
    godb_days none = {0};
    want_ok(godb_db_days(db, "eth9", 0, INT64_MAX, &none, NULL));
    assert_int_equal(none.n, 0);
    want_status(GP_EINVAL, godb_db_days(db, "../x", 0, INT64_MAX, &none, NULL));

    gp_err err = {0};
    GP_CLEANUP(gp_freep) char *link = gp_asprintf("%s/link", godb_db_path(db));
    assert_int_equal(symlink("eth0", link), 0);
    want_err(GP_EIO, &err, "opening link failed: Not a dir",
             godb_db_days(db, "link", 0, INT64_MAX, &none, &err));
}

/* West of Greenwich the first of a month lies in the month before; any reader finds it. */
static void test_time_zone(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    godb_writer *w = NULL;
    godb_days days = {0};

    setenv("TZ", "America/New_York", 1);
    want_ok(godb_writer_open(root, "eth0", NULL, &w, NULL));
    st_append(w, 1709251200 + 300, NULL, 0, 0); /* 2024-03-01 */
    godb_writer_close(w);
    st_utc();
    GP_CLEANUP(gp_freep) char *path = st_only_day(root, "eth0");
    assert_true(strncmp(path, "eth0/2024/02/1709251200_", 24) == 0);
    want_ok(godb_db_open(root, &db, NULL));
    want_ok(godb_db_days(db, "eth0", 1709251200, 1709251200 + 600, &days, NULL));
    assert_int_equal(days.n, 1);
    godb_days_free(&days);
}

/* A day that was replaced while it is open (merge, repair): its files are found in the new place,
 * if they hold the same blocks; otherwise the blocks are refused. */
static void test_replaced(void **state)
{
    (void)state;
    for (int same = 0; same < 2; same++) {
        GP_CLEANUP(test_tmpdirp) char *root = three_days();
        GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
        GP_CLEANUP(godb_reader_freep) godb_reader *r = NULL;
        GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
        godb_days days = {0};
        const uint8_t *bytes;
        char from[512], to[512], cmd[1200];
        want_ok(godb_db_open(root, &db, NULL));
        want_ok(godb_reader_new(&r, NULL));
        want_ok(godb_db_days(db, "eth0", 0, INT64_MAX, &days, NULL));
        want_ok(godb_day_open(db, &days.v[0], &d, NULL));
        want_ok(godb_reader_col(r, d, 0, GODB_COL_SIP, &bytes, NULL, NULL)); /* stays open */
        snprintf(from, sizeof from, "%s/%s", root, days.v[same ? 0 : 1].path);
        snprintf(to, sizeof to, "%s/eth0/2023/11/%d_1-1-1-1-1-1-1", root, DAY);
        snprintf(cmd, sizeof cmd, "cp -r %s %s && rm -r %s/%s", from, to, root, days.v[0].path);
        FILE *sh = popen(cmd, "r"); /* layout: allow popen - a copy of a directory */
        assert_non_null(sh);
        assert_int_equal(pclose(sh), 0);
        want_ok(godb_reader_col(r, d, 1, GODB_COL_SIP, &bytes, NULL, NULL));
        want_status(same ? GP_OK : GP_ECORRUPT,
                    godb_reader_col(r, d, 1, GODB_COL_DIP, &bytes, NULL, NULL));
        godb_days_free(&days);
    }
}

static void want_one_iface(const godb_db *db, const char *what, const char *want)
{
    char **v = NULL;
    size_t n = 0;

    want_ok(godb_db_ifaces(db, &v, &n, NULL));
    if (n != 1 || strcmp(v[0], want) != 0)
        fail_msg("%s: %zu interfaces, first %s, want %s", what, n, n ? v[0] : "none", want);
    godb_strv_free(v);
}

/* A handle that is open for long reads what its path leads to, when it is told to look. */
static void test_follow(void **state)
{
    (void)state;
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    GP_CLEANUP(gp_freep) char *dir = test_tmpdir();
    GP_CLEANUP(gp_freep) char *old = gp_asprintf("%s.old", dir);
    GP_CLEANUP(gp_freep) char *before = gp_asprintf("%s/before", dir);
    GP_CLEANUP(gp_freep) char *after = gp_asprintf("%s/after", dir);

    assert_int_equal(mkdir(before, 0755), 0);
    want_ok(godb_db_open(dir, &db, NULL));
    godb_db_follow(db);
    want_one_iface(db, "same", "before");
    assert_int_equal(rename(dir, old), 0);
    godb_db_follow(db);
    want_one_iface(db, "moved, nothing there", "before");
    assert_int_equal(mkdir(dir, 0755), 0);
    assert_int_equal(mkdir(after, 0755), 0);
    want_one_iface(db, "not told yet", "before");
    godb_db_follow(db);
    want_one_iface(db, "made again", "after");
    test_rmtree(dir);
    test_rmtree(old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_day_names), cmocka_unit_test(test_meta_damage),
        cmocka_unit_test(test_ranges),    cmocka_unit_test(test_time_zone),
        cmocka_unit_test(test_replaced),  cmocka_unit_test(test_follow),
    };
    st_utc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
