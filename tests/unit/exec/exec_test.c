/* exec_test.c - summary, status, span, statistics, budget, cancellation, progress, threads. */
#include "fixture.h"

#include "godb/codec.h"

#include <pthread.h>

static godb_db *open_db(const char *dir)
{
    godb_db *db = NULL;
    gp_err err = {0};

    want_ok_err(&err, godb_db_open(dir, &db, &err));
    return db;
}

static void test_no_interfaces(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    GP_CLEANUP(godb_db_closep) godb_db *db = open_db(dir);
    static const char *const selectors[] = {"any", "eth0", "!eth0"};

    for (size_t i = 0; i < COUNT(selectors); i++) {
        GP_CLEANUP(query_stmt_freep)
        query_stmt *s = fixture_stmt("sip", selectors[i], NULL, NULL, NULL);
        exec_opts o = {.host = "h", .host_id = "1"};
        gp_err err = {0};
        result out;
        want_err(GP_EINVAL, &err, "no interfaces provided", exec_run(db, s, &o, &out, &err));
    }
}

static void test_status_and_span(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    fixture_db(dir, "eth0", 2, 10, 8, GODB_CODEC_LZ4);
    fixture_db(dir, "eth1", 1, 20, 8, GODB_CODEC_LZ4);
    GP_CLEANUP(godb_db_closep) godb_db *db = open_db(dir);
    const struct {
        const char *what, *ifaces, *cond;
        int64_t first_s, last_s;
        result_code status;
        int64_t span_first_s, span_last_s;
        uint64_t hits;
    } cases[] = {
        {"all", "eth0", "", 1, DAY0 + 999999, RESULT_OK, DAY0, DAY0 + 86400 + 3000, 8},
        {"two interfaces", "any", "", 1, DAY0 + 999999, RESULT_OK, DAY0, DAY0 + 86400 + 3000, 16},
        {"bounds inside", "eth0", "", DAY0 + 301, DAY0 + 900, RESULT_OK, DAY0 + 1, DAY0 + 900, 8},
        {"first day only", "eth1", "", 1, DAY0 + 999999, RESULT_OK, DAY0, DAY0 + 6000, 8},
        {"no match", "eth0", "dport = 1", 1, DAY0 + 999999, RESULT_EMPTY, DAY0, DAY0 + 86400 + 3000,
         0},
        {"no data in range", "eth0", "", 1000, 2000, RESULT_MISSING_DATA, 1000, 2000, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char first[32], last[32];
        snprintf(first, sizeof first, "%lld", (long long)cases[i].first_s);
        snprintf(last, sizeof last, "%lld", (long long)cases[i].last_s);
        GP_CLEANUP(query_stmt_freep)
        query_stmt *s = fixture_stmt("sip", cases[i].ifaces, cases[i].cond, first, last);
        exec_opts o = {.host = "h", .host_id = "1"};
        gp_err err = {0};
        result out;
        want_ok_err(&err, exec_run(db, s, &o, &out, &err));
        if (out.status != cases[i].status || out.time_first_s != cases[i].span_first_s ||
            out.time_last_s != cases[i].span_last_s || out.hits_total != cases[i].hits)
            fail_msg("%s: status %s, span %lld..%lld, %llu hits", cases[i].what,
                     result_code_name(out.status), (long long)(out.time_first_s - DAY0),
                     (long long)(out.time_last_s - DAY0), (unsigned long long)out.hits_total);
        assert_int_equal(out.n_host_statuses, 1);
        assert_string_equal(out.host_statuses[0].host, "h");
        assert_int_equal(out.host_statuses[0].code, out.status);
        result_clear(&out);
    }
}

/* A name that cannot be sent is left out of what is sent, so that the others arrive. */
static void test_text_names(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    fixture_db(dir, "eth0", 1, 2, 8, GODB_CODEC_NULL);
    fixture_db(dir, "eth1", 1, 2, 8, GODB_CODEC_NULL);
    char from[512], to[512];
    snprintf(from, sizeof from, "%s/eth1", dir);
    snprintf(to, sizeof to, "%s/b\001c", dir);
    assert_int_equal(rename(from, to), 0);
    GP_CLEANUP(godb_db_closep) godb_db *db = open_db(dir);
    for (int text = 0; text < 2; text++) {
        GP_CLEANUP(query_stmt_freep)
        query_stmt *s = fixture_stmt("sip", "any", NULL, NULL, NULL);
        exec_opts o = {.host = "h", .host_id = "1", .text_names = text};
        gp_err err = {0};
        result out;
        want_ok_err(&err, exec_run(db, s, &o, &out, &err));
        assert_int_equal(out.n_ifaces, text ? 1 : 2);
        assert_int_equal(out.totals.pkts_rcvd, text ? 16 : 32);
        result_clear(&out);
    }
}

static void test_stats(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    fixture_db(dir, "eth0", 40, 3, 8, GODB_CODEC_NULL);
    GP_CLEANUP(godb_db_closep) godb_db *db = open_db(dir);
    const struct {
        const char *query, *cond;
        uint64_t decompressed; /* a block: 8 rows; a counter column is 1 + 8 bytes */
    } cases[] = {
        {"sip", "", 4 * 8 + 4 * 9},
        {"dport,proto", "", 2 * 8 + 8 + 4 * 9},
        {"proto", "dport = 1", 2 * 8},              /* nothing matches: nothing else is read */
        {"proto", "dport = 53 & sip = 1.2.3.4", 0}, /* ruled out by the index */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        GP_CLEANUP(query_stmt_freep)
        query_stmt *s = fixture_stmt(cases[i].query, NULL, cases[i].cond, NULL, NULL);
        exec_opts o = {.host = "h", .host_id = "1"};
        gp_err err = {0};
        result out;
        want_ok_err(&err, exec_run(db, s, &o, &out, &err));
        assert_int_equal(out.has_stats, 1);
        assert_int_equal(out.stats.directories_processed, 40);
        assert_int_equal(out.stats.workloads, 2);
        assert_int_equal(out.stats.blocks_processed, 120);
        assert_int_equal(out.stats.blocks_corrupted, 0);
        if (out.stats.bytes_decompressed != 120 * cases[i].decompressed)
            fail_msg("%s | %s: %llu bytes decompressed", cases[i].query, cases[i].cond,
                     (unsigned long long)out.stats.bytes_decompressed);
        assert_int_equal(out.stats.bytes_loaded, out.stats.bytes_decompressed); /* stored raw */
        result_clear(&out);
    }
}

static void test_budget(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    fixture_db(dir, "eth0", 1, 2, 30000, GODB_CODEC_LZ4);
    GP_CLEANUP(godb_db_closep) godb_db *db = open_db(dir);
    static const char *const types[] = {"sip,dip", "time,sip", "raw", "dport"};
    static const uint64_t limits[] = {1, 100 << 10, 900 << 10, 2 << 20, 5 << 20};
    unsigned refused = 0, passed = 0;

    for (size_t i = 0; i < COUNT(types); i++)
        for (size_t j = 0; j < COUNT(limits); j++) {
            GP_CLEANUP(query_stmt_freep)
            query_stmt *s = fixture_stmt(types[i], NULL, NULL, NULL, NULL);
            exec_opts o = {.host = "h", .host_id = "1", .mem_limit = limits[j], .threads = 2};
            gp_err err = {0};
            result out;
            gp_status st = exec_run(db, s, &o, &out, &err);
            if (st == GP_OK) {
                passed++;
                result_clear(&out);
                continue;
            }
            refused++;
            test_want_status(st, GP_ELIMIT, &err, types[i], __FILE__, __LINE__);
            assert_non_null(strstr(err.msg, "memory limit exceeded: the query needs more than"));
        }
    assert_true(refused >= 10);
    assert_true(passed >= 1);
}

static void test_cancelled_before(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    fixture_db(dir, "eth0", 1, 4, 100, GODB_CODEC_LZ4);
    GP_CLEANUP(godb_db_closep) godb_db *db = open_db(dir);
    GP_CLEANUP(query_stmt_freep) query_stmt *s = fixture_stmt("sip", NULL, NULL, NULL, NULL);
    gp_cancel cancel = GP_CANCEL_INIT;
    exec_opts o = {.host = "h", .host_id = "1", .cancel = &cancel};
    gp_err err = {0};
    result out;

    gp_cancel_set(&cancel, GP_ECANCELLED);
    want_err(GP_ECANCELLED, &err, "cancelled", exec_run(db, s, &o, &out, &err));
    gp_cancel late = {0, gp_mono_ns() - 1};
    o.cancel = &late;
    want_err(GP_EDEADLINE, &err, "deadline", exec_run(db, s, &o, &out, &err));
}

/* Cancels at the first message, or when all blocks are done. */
typedef struct watch {
    gp_cancel cancel;
    unsigned calls;
    exec_progress last;
    int cancel_it;
    uint64_t cancel_at; /* blocks */
} watch;

static void on_progress(void *ctx, const exec_progress *p)
{
    watch *w = ctx;

    w->calls++;
    assert_true(p->blocks_done >= w->last.blocks_done && p->rows >= w->last.rows);
    assert_true(p->blocks_done <= p->blocks_total && p->days_done <= p->days_total);
    w->last = *p;
    if (w->cancel_it && p->blocks_done >= w->cancel_at)
        gp_cancel_set(&w->cancel, GP_ECANCELLED);
}

static gp_status count_rows(void *ctx, const result *labels, const result_row *rows, size_t n)
{
    (void)labels;
    (void)rows;
    *(uint64_t *)ctx += n;
    return GP_OK;
}

static void test_progress_and_cancel(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    fixture_db(dir, "eth0", 3, 64, 50, GODB_CODEC_LZ4);
    GP_CLEANUP(godb_db_closep) godb_db *db = open_db(dir);
    GP_CLEANUP(query_stmt_freep) query_stmt *s = fixture_stmt("sip", NULL, NULL, NULL, NULL);
    watch w = {.cancel = GP_CANCEL_INIT};
    exec_opts o = {.host = "h",
                   .host_id = "1",
                   .cancel = &w.cancel,
                   .progress = on_progress,
                   .progress_ctx = &w,
                   .threads = 2};
    gp_err err = {0};
    result out;

    want_ok_err(&err, exec_run(db, s, &o, &out, &err));
    result_clear(&out);
    assert_true(w.calls >= 2);
    assert_int_equal(w.last.days_total, 3);
    assert_int_equal(w.last.days_done, 3); /* told once more when the interface is finished */
    w = (watch){.cancel = GP_CANCEL_INIT, .cancel_it = 1};
    want_status(GP_ECANCELLED, exec_run(db, s, &o, &out, &err));
    assert_true(w.last.blocks_done < 3 * 64); /* stopped on the way */

    uint64_t rows = 0;
    o.threads = 1; /* so that no message is left out because another is on its way */
    w = (watch){.cancel = GP_CANCEL_INIT, .cancel_it = 1, .cancel_at = 3 * 64};
    want_err(GP_ECANCELLED, &err, "cancelled before fully filled, 0/",
             exec_run(db, s, &o, &out, &err));
    w = (watch){.cancel = GP_CANCEL_INIT, .cancel_it = 1, .cancel_at = 3 * 64};
    want_err(GP_ECANCELLED, &err, "cancelled before fully filled, 0/",
             exec_stream(db, s, &o, count_rows, &rows, &out, &err));
    assert_int_equal(rows, 0);
}

static gp_status stop_sink(void *ctx, const result *labels, const result_row *rows, size_t n)
{
    (void)labels;
    (void)rows;
    *(size_t *)ctx += n;
    return GP_EUNAVAILABLE;
}

static void test_sink_stops(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    fixture_db(dir, "eth0", 1, 2, 20000, GODB_CODEC_LZ4);
    GP_CLEANUP(godb_db_closep) godb_db *db = open_db(dir);
    GP_CLEANUP(query_stmt_freep) query_stmt *s = fixture_stmt("sip", NULL, NULL, NULL, NULL);
    exec_opts o = {.host = "h", .host_id = "1"};
    size_t got = 0;
    gp_err err = {0};
    result out;

    want_status(GP_EUNAVAILABLE, exec_stream(db, s, &o, stop_sink, &got, &out, &err));
    assert_int_equal(got, 8192);
}

/* Rows, order, totals and statistics may not depend on the number of threads. */
static void test_threads(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    fixture_db(dir, "eth0", 3, 40, 700, GODB_CODEC_LZ4);
    GP_CLEANUP(godb_db_closep) godb_db *db = open_db(dir);
    static const char *const types[] = {"sip", "sip,dip", "raw", "dport,proto", "time,dip", "time"};

    for (size_t i = 0; i < COUNT(types); i++)
        for (unsigned rows = 0; rows <= 50; rows += 50) {
            GP_CLEANUP(query_stmt_freep)
            query_stmt *s = fixture_stmt(types[i], NULL, NULL, NULL, NULL);
            result one = {0};
            for (unsigned t = 1; t <= 9; t += 2) {
                exec_opts o = {.host = "h", .host_id = "1", .threads = t, .max_rows = rows};
                gp_err err = {0};
                result out;
                want_ok_err(&err, exec_run(db, s, &o, &out, &err));
                if (t == 1) {
                    one = out;
                    continue;
                }
                assert_int_equal(out.n_rows, one.n_rows);
                assert_int_equal(out.hits_total, one.hits_total);
                assert_memory_equal(&out.totals, &one.totals, sizeof one.totals);
                assert_memory_equal(&out.stats, &one.stats, sizeof one.stats);
                if (memcmp(out.rows, one.rows, one.n_rows * sizeof *one.rows) != 0)
                    fail_msg("%s: %u threads give other rows than one", types[i], t);
                result_clear(&out);
            }
            result_clear(&one);
        }
}

/* More groups than a worker keeps for itself, on two interfaces one after the other. */
static void test_many_groups(void **state)
{
    (void)state;
    enum { GROUPS = 140000, BLOCKS = 3 };
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    fixture_db(dir, "eth0", 1, BLOCKS, GROUPS, GODB_CODEC_NULL);
    fixture_db(dir, "eth1", 1, BLOCKS, GROUPS, GODB_CODEC_NULL);
    GP_CLEANUP(godb_db_closep) godb_db *db = open_db(dir);
    GP_CLEANUP(query_stmt_freep) query_stmt *s = fixture_stmt("sip", "any", NULL, NULL, NULL);

    for (unsigned t = 1; t <= 2; t++) {
        exec_opts o = {.host = "h", .host_id = "1", .threads = t};
        gp_err err = {0};
        result out;
        want_ok_err(&err, exec_run(db, s, &o, &out, &err));
        assert_int_equal(out.n_rows, 2 * GROUPS);
        assert_int_equal(out.hits_total, 2 * GROUPS);
        assert_int_equal(out.totals.bytes_sent, UINT64_C(20) * 2 * BLOCKS * GROUPS);
        for (size_t i = 0; i < out.n_rows; i++) {
            const result_counters want = {10 * BLOCKS, 20 * BLOCKS, BLOCKS, 2 * BLOCKS};
            if (memcmp(&out.rows[i].c, &want, sizeof want) != 0)
                fail_msg("%u threads: row %zu has other sums", t, i);
        }
        result_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_interfaces),
        cmocka_unit_test(test_status_and_span),
        cmocka_unit_test(test_stats),
        cmocka_unit_test(test_text_names),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_cancelled_before),
        cmocka_unit_test(test_progress_and_cancel),
        cmocka_unit_test(test_sink_stops),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_many_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
