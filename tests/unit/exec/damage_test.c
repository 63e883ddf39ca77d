/* damage_test.c - damaged blocks and days are skipped and reported; times that repeat (defect D4).
 */
#include "fixture.h"

#include "godb/codec.h"

#include <errno.h>
#include <sys/resource.h>

enum { BLOCKS = 10, ROWS = 40 };

/* Texts of warnings, joined by newlines. */
static void on_warn(void *ctx, const char *text)
{
    gp_buf *b = ctx;
    gp_buf_adds(b, text);
    gp_buf_addc(b, '\n');
}

typedef struct answer {
    result out;
    gp_buf warnings;
} answer;

static void ask(const char *dir, const char *query, const char *cond, answer *a)
{
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    GP_CLEANUP(query_stmt_freep) query_stmt *s = fixture_stmt(query, NULL, cond, NULL, NULL);
    gp_err err = {0};

    *a = (answer){0};
    exec_opts o = {.host = "h", .host_id = "1", .warn = on_warn, .warn_ctx = &a->warnings};
    want_ok_err(&err, godb_db_open(dir, &db, &err));
    want_ok_err(&err, exec_run(db, s, &o, &a->out, &err));
}

static void forget(answer *a)
{
    result_clear(&a->out);
    gp_buf_free(&a->warnings);
}

static void patch(const char *dir, const char *file, long at, const void *bytes, size_t n)
{
    GP_CLEANUP(gp_freep) char *path = fixture_find(dir, file);
    assert_non_null(path);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void test_damaged_column(void **state)
{
    (void)state;
    static const uint8_t junk[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    fixture_db(dir, "eth0", 1, BLOCKS, ROWS, GODB_CODEC_LZ4);
    patch(dir, "dip.gpf", 0, junk, sizeof junk); /* block 0 */
    const struct {
        const char *query, *cond;
        uint64_t corrupted, bytes; /* received */
    } cases[] = {
        {"sip", "", 0, BLOCKS * ROWS * 10},
        {"dip", "", 1, (BLOCKS - 1) * ROWS * 10},
        {"sip", "dip = 10.1.0.0", 1, (BLOCKS - 1) * ROWS / 4 * 10},
        {"dip", "dport = 1", 0, 0}, /* nothing survives: the damage is not even seen */
        {"time,dip", "", 1, (BLOCKS - 1) * ROWS * 10},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        answer a;
        ask(dir, cases[i].query, cases[i].cond, &a);
        if (a.out.stats.blocks_corrupted != cases[i].corrupted ||
            a.out.totals.bytes_rcvd != cases[i].bytes)
            fail_msg("%s | %s: %llu corrupted, %llu bytes", cases[i].query, cases[i].cond,
                     (unsigned long long)a.out.stats.blocks_corrupted,
                     (unsigned long long)a.out.totals.bytes_rcvd);
        assert_int_equal(a.out.stats.blocks_processed, BLOCKS);
        const char *text = gp_buf_str(&a.warnings);
        assert_int_equal(strstr(text, "eth0: block 1700006700 skipped: ") != NULL,
                         cases[i].corrupted);
        forget(&a);
    }
}

/* Zeros where a raw column was, as a power loss can leave them: known by the checksum, not shown as
 * rows of 0.0.0.0. */
static void test_zeroed_column(void **state)
{
    (void)state;
    static const uint8_t zeros[4 * ROWS];
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    fixture_db(dir, "eth0", 1, BLOCKS, ROWS, GODB_CODEC_NULL);
    patch(dir, "sip.gpf", 3 * 4 * ROWS, zeros, sizeof zeros); /* block 3 */
    answer a;

    ask(dir, "sip", "sip = 0.0.0.0", &a);
    assert_int_equal(a.out.hits_total, 0);
    forget(&a);
    ask(dir, "sip", "", &a);
    assert_int_equal(a.out.stats.blocks_corrupted, 1);
    assert_int_equal(a.out.totals.bytes_rcvd, (BLOCKS - 1) * ROWS * 10);
    assert_non_null(strstr(gp_buf_str(&a.warnings), "bytes have changed"));
    forget(&a);
}

/* Block 7 of .blockmeta lies outside the day, so of it and the later ones not even the time is
 * known: lost in any range that the day is selected for, and never silently. The span is that of
 * the rest. */
static void test_unplaced(void **state)
{
    (void)state;
    enum { LOST_FROM = 7, AT_DIFF = 144 + 72 * BLOCKS + 16 * LOST_FROM + 12 };
    static const uint8_t far[4] = {0x7f, 0, 0, 0};
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    fixture_db(dir, "eth0", 1, BLOCKS, ROWS, GODB_CODEC_LZ4);
    patch(dir, ".blockmeta", AT_DIFF, far, sizeof far);
    GP_CLEANUP(gp_freep) char *index = fixture_find(dir, ".index"); /* which would tell the times */
    if (index)
        assert_int_equal(unlink(index), 0);
    answer a;

    ask(dir, "sip", "", &a);
    assert_int_equal(a.out.stats.blocks_corrupted, BLOCKS - LOST_FROM);
    assert_int_equal(a.out.stats.blocks_processed, BLOCKS);
    assert_int_equal(a.out.totals.bytes_rcvd, LOST_FROM * ROWS * 10);
    assert_non_null(
        strstr(gp_buf_str(&a.warnings),
               "eth0: block 7 of day 1700006400 skipped: timestamp is outside the day"));
    int64_t span = a.out.time_last_s - a.out.time_first_s;
    assert_int_equal(span, 300 * LOST_FROM);
    forget(&a);
}

static void test_short_column(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    fixture_db(dir, "eth0", 1, BLOCKS, ROWS, GODB_CODEC_NULL);
    GP_CLEANUP(gp_freep) char *path = fixture_find(dir, "pkts_sent.gpf");
    answer a;

    assert_int_equal(truncate(path, 3 * (1 + ROWS) + 5), 0); /* three blocks and a bit are left */
    ask(dir, "sip", "", &a);
    assert_int_equal(a.out.stats.blocks_corrupted, BLOCKS - 3);
    assert_int_equal(a.out.totals.pkts_sent, 3 * ROWS * 2);
    forget(&a);
}

/* Of a file that is gone one block is named, not each. */
static void test_lost_column(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    fixture_db(dir, "eth0", 1, BLOCKS, ROWS, GODB_CODEC_NULL);
    GP_CLEANUP(gp_freep) char *path = fixture_find(dir, "pkts_sent.gpf");
    answer a;

    assert_int_equal(unlink(path), 0);
    ask(dir, "sip", "", &a);
    assert_int_equal(a.out.stats.blocks_corrupted, BLOCKS);
    const char *text = gp_buf_str(&a.warnings), *more = strstr(text, " more block(s) skipped: ");
    assert_non_null(strstr(text, "eth0: block 17"));
    assert_non_null(more);
    assert_non_null(strstr(more, "pkts_sent.gpf: No such file"));
    unsigned lines = 0;
    for (const char *p = text; (p = strchr(p, '\n')); p++)
        lines++;
    assert_in_range(lines, 2, 4); /* by worker */
    forget(&a);
}

static void test_damaged_day(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    fixture_db(dir, "eth0", 3, BLOCKS, ROWS, GODB_CODEC_LZ4);
    GP_CLEANUP(gp_freep) char *path = fixture_find(dir, ".blockmeta");
    answer a;

    assert_int_equal(truncate(path, 100), 0);
    ask(dir, "sip", "", &a);
    assert_int_equal(a.out.status, RESULT_OK);
    assert_int_equal(a.out.stats.directories_processed, 2);
    assert_int_equal(a.out.totals.pkts_rcvd, 2 * BLOCKS * ROWS);
    assert_string_equal(a.out.status_message, "1 day(s) could not be read and are missing");
    assert_non_null(strstr(gp_buf_str(&a.warnings), "eth0: day skipped: "));
    forget(&a);
}

static gp_status try_ask(const godb_db *db, result *out, gp_err *err)
{
    GP_CLEANUP(query_stmt_freep) query_stmt *s = fixture_stmt("sip", NULL, "", NULL, NULL);
    exec_opts o = {.host = "h", .host_id = "1", .threads = 2};

    return exec_run(db, s, &o, out, err);
}

/* An answer without any day is no answer. */
static void test_no_day_left(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    fixture_db(dir, "eth0", 1, BLOCKS, ROWS, GODB_CODEC_LZ4);
    GP_CLEANUP(gp_freep) char *path = fixture_find(dir, ".blockmeta");
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    gp_err err = {0};
    result out;

    assert_int_equal(truncate(path, 100), 0);
    want_ok(godb_db_open(dir, &db, NULL));
    assert_int_equal(try_ask(db, &out, &err), GP_EIO);
    assert_non_null(strstr(err.msg, "none of 1 day(s) could be read"));
}

/* Too few descriptors: all rows or an error, never some of them as if the others were damaged. */
static void test_few_descriptors(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    fixture_db(dir, "eth0", 3, BLOCKS, ROWS, GODB_CODEC_LZ4);
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    struct rlimit all, few;
    unsigned whole = 0, refused = 0;

    want_ok(godb_db_open(dir, &db, NULL));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
    int next = dup(0); /* descriptors below are in use */
    assert_int_equal(close(next), 0);
    for (unsigned more = 0; more < 40; more++) {
        gp_err err = {0};
        result out;
        few = (struct rlimit){(rlim_t)next + more, all.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        gp_status st = try_ask(db, &out, &err);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
        if (st == GP_OK) {
            assert_int_equal(out.totals.pkts_rcvd, 3 * BLOCKS * ROWS);
            assert_int_equal(out.stats.blocks_corrupted, 0);
            result_clear(&out);
            whole++;
        } else if (err.sys != EMFILE) {
            fail_msg("%u more descriptors: %s", more, err.msg);
        } else {
            refused++;
        }
    }
    assert_true(whole > 0 && refused > 0);
}

/* Block 2 gets the time of block 0 (difference -300). */
static void test_times_repeat(void **state)
{
    (void)state;
    static const uint8_t minus_300[4] = {0xff, 0xff, 0xfe, 0xd4};
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    const long n = 3, traffic_2 = 144 + 72 * n + 16 * 2;
    fixture_db(dir, "eth0", 1, (unsigned)n, ROWS, GODB_CODEC_LZ4);
    patch(dir, ".blockmeta", traffic_2 + 12, minus_300, 4);
    GP_CLEANUP(gp_freep) char *index = fixture_find(dir, ".index");
    assert_int_equal(unlink(index),
                     0); /* writers with this defect make none; its sums would tell */
    static const struct {
        const char *query;
        uint64_t hits, first_row_bytes;
    } cases[] = {
        {"time,sip", 2 * ROWS, 20},
        {"time,dip", 2 * 4, 20 * ROWS / 4},
        {"time", 2, 20 * ROWS},
        {"sip", ROWS, 30},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        answer a;
        ask(dir, cases[i].query, "", &a);
        if (a.out.hits_total != cases[i].hits ||
            a.out.rows[0].c.bytes_rcvd != cases[i].first_row_bytes)
            fail_msg("%s: %llu hits, %llu bytes in the first row", cases[i].query,
                     (unsigned long long)a.out.hits_total,
                     (unsigned long long)a.out.rows[0].c.bytes_rcvd);
        assert_int_equal(a.out.stats.blocks_processed, 3);
        assert_int_equal(a.out.totals.bytes_rcvd, 3 * ROWS * 10);
        forget(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_column), cmocka_unit_test(test_zeroed_column),
        cmocka_unit_test(test_unplaced),       cmocka_unit_test(test_short_column),
        cmocka_unit_test(test_lost_column),    cmocka_unit_test(test_damaged_day),
        cmocka_unit_test(test_no_day_left),    cmocka_unit_test(test_few_descriptors),
        cmocka_unit_test(test_times_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
