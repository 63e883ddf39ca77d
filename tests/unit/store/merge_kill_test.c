/* merge_kill_test.c - merges and retention killed at random moments: every day is always whole, old
 * or new, also for readers meanwhile, and the next run finishes and tidies up.
 */
#include "dbdump.h"

#include "godb/merge.h"
#include "godb/retain.h"

#include <signal.h>
#include <sys/wait.h>

enum { D = 1699920000, DAYS = 4, ROUNDS = 20 };

/* Blocks 100 and 43300 (complete) or 100 and 400 of each day, one port per database. */
static void make_db(const char *root, uint16_t port, int complete)
{
    for (int i = 0; i < DAYS; i++) {
        st_put(root, "e", D + 86400 * i + 100, port, port);
        st_put(root, "e", D + 86400 * i + (complete ? 43300 : 400), port, port);
    }
}

/* Ports of the rows of blocks 100, 400 and 43300 of day i, 0 where there is no such block. False
 * when the day was replaced while it was read (6.5: then the reader looks again). */
static int try_ports(const godb_db *db, int i, int port[3])
{
    static const int64_t at[3] = {100, 400, 43300};
    godb_days days = {0};
    GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
    GP_CLEANUP(godb_reader_freep) godb_reader *r = NULL;
    int ok = 1;
    gp_err err = {0};

    memset(port, 0, 3 * sizeof *port);
    want_ok(godb_reader_new(&r, NULL));
    want_ok(godb_db_days(db, "e", D + 86400 * i + 300, D + 86400 * i + 86000, &days, NULL));
    if (days.n != 1 || days.skipped != 0)
        fail_msg("day %d is there %zu times (%s)", i, days.n,
                 days.skipped_text ? days.skipped_text : "");
    want_ok_err(&err, godb_day_open(db, &days.v[0], &d, &err));
    for (size_t k = 0; k < godb_day_n_blocks(d) && ok; k++) {
        godb_rows rows;
        ok = godb_reader_rows(r, d, k, &rows, &err) == GP_OK;
        if (!ok && !strstr(err.msg, "No such file"))
            fail_msg("%s", err.msg);
        for (int n = 0; n < 3 && ok; n++)
            if (godb_day_block(d, k)->time_s == D + 86400 * i + at[n])
                port[n] = rows.dport[1];
    }
    godb_days_free(&days);
    return ok;
}

static void ports_of(const godb_db *db, int i, int port[3])
{
    int ok = 0;

    for (int k = 0; k < 50 && !ok; k++)
        ok = try_ports(db, i, port);
    assert_true(ok);
}

/* Old: 100 and 400 are the destination's (2). New: 100 is of the winner, 43300 of the source (1).
 */
static void want_whole(const char *root, int winner)
{
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;

    want_ok(godb_db_open(root, &db, NULL));
    for (int i = 0; i < DAYS; i++) {
        int p[3];
        ports_of(db, i, p);
        int is_old = p[0] == 2 && p[1] == 2 && p[2] == 0;
        int is_new = p[0] == winner && p[1] == (winner == 1 ? 0 : 2) && p[2] == 1;
        if (!is_old && !is_new)
            fail_msg("day %d is neither old nor new: %d %d %d", i, p[0], p[1], p[2]);
    }
}

static void want_done(const char *root)
{
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    GP_CLEANUP(gp_freep) char *cmd = gp_asprintf("find %s -name '*gpdb-merge*' | grep -q .", root);

    want_ok(godb_db_open(root, &db, NULL));
    for (int i = 0; i < DAYS; i++) {
        int p[3];
        ports_of(db, i, p);
        assert_int_equal(p[2], 1);
    }
    assert_int_not_equal(system(cmd), 0); /* layout: allow system - find in a test */
}

/* Run the merge in a child and kill it after us microseconds. */
static void merge_and_kill(const char *src, const char *dst, const godb_merge_opts *o, long us)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(godb_merge(src, dst, o, NULL, NULL) == GP_OK ? 0 : 1);
    struct timespec t = {.tv_nsec = us * 1000};
    nanosleep(&t, NULL);
    (void)kill(pid, SIGKILL);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void kill_rounds(int overwrite)
{
    test_rng rng = test_rng_new(5 + (uint64_t)overwrite);
    GP_CLEANUP(test_tmpdirp) char *src = test_tmpdir();
    godb_merge_opts o = {.overwrite = overwrite, .tolerance_s = 150};
    int finished = 0;

    make_db(src, 1, 1);
    for (size_t round = test_rounds(ROUNDS); round > 0; round--) {
        GP_CLEANUP(test_tmpdirp) char *dst = test_tmpdir();
        gp_err err = {0};
        make_db(dst, 2, 0);
        for (int again = 0; again < 2; again++) {
            merge_and_kill(src, dst, &o, 100 + (long)test_rng_below(&rng, 12000));
            want_whole(dst, overwrite ? 1 : 2);
        }
        want_ok_err(&err, godb_merge(src, dst, &o, NULL, &err));
        want_done(dst);
        finished++;
    }
    assert_true(finished > 0);
}

static void test_rebuild(void **state)
{
    (void)state;
    kill_rounds(0);
}

static void test_copy_over(void **state)
{
    (void)state;
    kill_rounds(1);
}

/* A reader beside a merge that goes over the same days again and again. */
static void test_reader(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *src = test_tmpdir();
    GP_CLEANUP(test_tmpdirp) char *dst = test_tmpdir();
    godb_merge_opts o = {.overwrite = 1, .tolerance_s = 150};

    make_db(src, 1, 1);
    make_db(dst, 2, 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        for (int i = 0; i < 40; i++)
            if (godb_merge(src, dst, &o, NULL, NULL) != GP_OK)
                _exit(1);
        _exit(0);
    }
    int status, looks = 0;
    for (pid_t done = 0; done == 0; looks++) {
        done = waitpid(pid, &status, WNOHANG);
        want_whole(dst, 1);
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(looks > 3);
    want_done(dst);
}

static void test_retain(void **state)
{
    (void)state;
    test_rng rng = test_rng_new(9);
    godb_retain_opts o = {.now_s = D + 400 * 86400, .max_age_s = 86400};

    for (size_t round = test_rounds(10); round > 0; round--) {
        GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
        GP_CLEANUP(gp_freep)
        char *old = gp_asprintf("find %s -exec touch -d @1700000000 {} +", root);
        GP_CLEANUP(gp_freep) char *left = gp_asprintf("find %s -type f | grep -q .", root);
        GP_CLEANUP(gp_freep) char *stage = gp_asprintf("ls -A %s | grep -q stage", root);
        gp_err err = {0};
        make_db(root, 2, 0);
        assert_int_equal(system(old), 0); /* layout: allow system - touch in a test */
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            _exit(godb_retain(root, &o, NULL, NULL, NULL, NULL) == GP_OK ? 0 : 1);
        struct timespec t = {.tv_nsec = 1000 * (50 + (long)test_rng_below(&rng, 2500))};
        nanosleep(&t, NULL);
        (void)kill(pid, SIGKILL);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        /* whatever is left is whole */
        GP_CLEANUP(gp_freep) char *dump = st_dump(root);
        size_t rows = 0;
        for (const char *s = dump; *s; s++)
            rows += *s == '\n';
        assert_true(rows % 2 == 0 && rows <= (size_t)2 * DAYS);
        want_ok_err(&err, godb_retain(root, &o, NULL, NULL, NULL, &err));
        assert_int_not_equal(system(left), 0);  /* layout: allow system - find in a test */
        assert_int_not_equal(system(stage), 0); /* layout: allow system - ls in a test */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rebuild),
        cmocka_unit_test(test_copy_over),
        cmocka_unit_test(test_reader),
        cmocka_unit_test(test_retain),
    };
    st_utc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
