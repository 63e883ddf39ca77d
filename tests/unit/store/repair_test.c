/* repair_test.c - damaged databases are in order afterwards, good blocks are untouched, originals
 * kept. */
#include "damage.h"

static void count_problem(void *ctx, const godb_problem *p)
{
    size_t *bad = ctx;
    *bad += p->severity > GODB_NOTE;
}

static size_t problems(const char *root)
{
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    godb_check_stats s;
    size_t bad = 0;

    want_ok(godb_db_open(root, &db, NULL));
    want_ok(godb_check(db, NULL, count_problem, &bad, &s, NULL));
    return bad;
}

/* Blocks of eth0 below root, and that each is the same in the sound database. */
static size_t compare(const char *root, const char *sound, const char *what)
{
    GP_CLEANUP(godb_db_closep) godb_db *got = NULL;
    GP_CLEANUP(godb_db_closep) godb_db *good = NULL;
    GP_CLEANUP(godb_reader_freep) godb_reader *a = NULL;
    GP_CLEANUP(godb_reader_freep) godb_reader *b = NULL;
    godb_days days = {0}, want = {0};
    size_t n = 0;

    want_ok(godb_reader_new(&a, NULL));
    want_ok(godb_reader_new(&b, NULL));
    want_ok(godb_db_open(root, &got, NULL));
    want_ok(godb_db_open(sound, &good, NULL));
    want_ok(godb_db_days(got, "eth0", 0, INT64_MAX, &days, NULL));
    want_ok(godb_db_days(good, "eth0", 0, INT64_MAX, &want, NULL));
    for (size_t i = 0; i < days.n; i++) {
        GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
        GP_CLEANUP(godb_day_closep) godb_day *e = NULL;
        size_t k = days.v[i].day_s == want.v[0].day_s ? 0 : 1;
        if (godb_day_open(got, &days.v[i], &d, NULL) != GP_OK)
            continue;
        want_ok(godb_day_open(good, &want.v[k], &e, NULL));
        for (size_t j = 0; j < godb_day_n_blocks(d); j++, n++) {
            godb_rows x, y;
            size_t m = 0;
            int64_t t = godb_day_block(d, j)->time_s;
            /* D4 moved the time of one block; rows tell which it is */
            want_ok(godb_reader_rows(a, d, j, &x, NULL));
            for (m = 0; m < godb_day_n_blocks(e); m++) {
                want_ok(godb_reader_rows(b, e, m, &y, NULL));
                if (x.n_v4 == y.n_v4 &&
                    (!x.n_v4 || (memcmp(x.dip, y.dip, 4 * x.n_v4) == 0 &&
                                 memcmp(x.counter[0], y.counter[0], 8 * x.n_v4) == 0)))
                    break;
            }
            if (m == godb_day_n_blocks(e))
                fail_msg("%s: block %lld has other rows", what, (long long)t);
        }
    }
    godb_days_free(&days);
    godb_days_free(&want);
    return n;
}

struct seen {
    size_t n[GODB_REPAIR_N_KINDS], all, failed;
    char last[600];
};

static void on_action(void *ctx, const godb_repair_action *a)
{
    struct seen *s = ctx;

    s->n[a->kind]++;
    s->all++;
    s->failed += a->status != GP_OK;
    snprintf(s->last, sizeof s->last, "%s %s: %s", godb_repair_name(a->kind), a->path, a->text);
}

static void one_case(size_t i, const char *sound)
{
    struct fixture x = make();
    GP_CLEANUP(gp_freep) char *q = gp_asprintf("%s.quarantine", x.root);
    godb_repair_opts o = GODB_REPAIR_OPTS_INIT;
    godb_repair_stats s;
    gp_err err = {0};

    cases[i].damage(&x);
    size_t before = problems(x.root);
    for (int dry = 1; dry >= 0; dry--) {
        struct seen seen = {0};
        o.dry_run = dry;
        want_ok_err(&err, godb_repair(x.root, &o, on_action, &seen, &s, &err));
        if (seen.failed)
            fail_msg("%s: %s", cases[i].what, seen.last);
        if (cases[i].repair >= 0 && seen.n[cases[i].repair] == 0 &&
            !(cases[i].lost >= BLOCKS && seen.n[GODB_REPAIR_QUARANTINE]))
            fail_msg("%s: no %s, last was %s", cases[i].what,
                     godb_repair_name((godb_repair_kind)cases[i].repair), seen.last);
        if (cases[i].repair < 0 && seen.all > 0)
            fail_msg("%s: %s", cases[i].what, seen.last);
        if (cases[i].repair == GODB_REPAIR_LEAVE && seen.n[GODB_REPAIR_LEAVE] < seen.all)
            fail_msg("%s: more is done: %s", cases[i].what, seen.last);
        if ((dry || cases[i].repair == GODB_REPAIR_LEAVE) && problems(x.root) != before)
            fail_msg("%s: the dry run changed something", cases[i].what);
        if (dry || cases[i].repair == GODB_REPAIR_LEAVE)
            assert_true(access(q, F_OK) != 0);
    }
    if (cases[i].repair != GODB_REPAIR_LEAVE && problems(x.root) != 0)
        fail_msg("%s: problems remain", cases[i].what);
    int same_rows = cases[i].kind != GODB_PROBLEM_ROW_ORDER; /* there one row is another one */
    if (s.days_lost != (cases[i].lost == BLOCKS && cases[i].kind != GODB_PROBLEM_NO_BLOCKS))
        fail_msg("%s: %d days lost", cases[i].what, (int)s.days_lost);
    size_t left = same_rows ? compare(x.root, sound, cases[i].what) : 2 * BLOCKS;
    if (left != 2 * BLOCKS - cases[i].lost)
        fail_msg("%s: %zu blocks left, want %u", cases[i].what, left, 2 * BLOCKS - cases[i].lost);
    test_rmtree(q);
    drop(&x);
}

static void test_cases(void **state)
{
    (void)state;
    struct fixture sound = make();

    for (size_t i = 0; i < COUNT(cases); i++)
        one_case(i, sound.root);
    drop(&sound);
}

/* Directories of other people: refused as a whole, and nothing in them is touched. */
static const struct {
    const char *what;
    const char *dirs[4]; /* below the root; a database goes to the first one */
    const char *root;    /* given to check and repair */
    gp_status want;
} others[] = {
    {"parent of a database", {"flows/good", "home/alice", "www/html"}, ".", GP_EINVAL},
    {"grandparent", {"srv/flows/good", "etc/ssl"}, ".", GP_EINVAL},
    {"an interface", {"good", "home/alice"}, "good/eth0", GP_EINVAL},
    {"a year", {"good"}, "good/eth0/2023", GP_EINVAL},
    {"numbers that are no days", {"flows/good", "cache/12/34/0/x", "home/alice"}, ".", GP_EINVAL},
    {"nothing in it", {"db", "new"}, "new", GP_OK},
    {"interfaces without a day", {"db", "new/eth0", "new/eth1/2023/11"}, "new", GP_OK},
    {"numbers only", {"db", "new/cache/12/34/0/x"}, "new", GP_OK},
};

static gp_status check_root(const char *root, gp_err *err)
{
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    godb_check_stats s;

    want_ok(godb_db_open(root, &db, NULL));
    return godb_check(db, NULL, NULL, NULL, &s, err);
}

static void one_other(size_t i)
{
    GP_CLEANUP(test_tmpdirp) char *top = test_tmpdir();
    GP_CLEANUP(gp_freep) char *root = gp_asprintf("%s/%s", top, others[i].root);
    GP_CLEANUP(gp_freep) char *q = gp_asprintf("%s/q", top);
    struct fixture sound = make();
    struct seen seen = {0};
    godb_repair_opts o = GODB_REPAIR_OPTS_INIT;
    godb_repair_stats s;
    gp_err err = {0};

    for (size_t k = 0; k < COUNT(others[i].dirs) && others[i].dirs[k]; k++) {
        GP_CLEANUP(gp_freep) char *dir = gp_asprintf("%s/%s", top, others[i].dirs[k]);
        want_ok(gp_mkdir_all(dir, 0755, NULL));
        if (k == 0) {
            assert_int_equal(rmdir(dir), 0);
            assert_int_equal(rename(sound.root, dir), 0);
        }
    }
    o.dry_run = 0;
    o.quarantine = q;
    gp_status checked = check_root(root, &err);
    gp_status repaired = godb_repair(root, &o, on_action, &seen, &s, &err);
    if (checked != others[i].want || repaired != others[i].want)
        fail_msg("%s: check says %s, repair %s: %s", others[i].what, gp_status_name(checked),
                 gp_status_name(repaired), err.msg);
    if (others[i].want != GP_OK && !strstr(err.msg, "is not a goDB"))
        fail_msg("%s: %s", others[i].what, err.msg);
    if (seen.all > seen.n[GODB_REPAIR_LEAVE] || access(q, F_OK) == 0)
        fail_msg("%s: touched: %s", others[i].what, seen.last);
    for (size_t k = 0; k < COUNT(others[i].dirs) && others[i].dirs[k]; k++) {
        GP_CLEANUP(gp_freep) char *dir = gp_asprintf("%s/%s", top, others[i].dirs[k]);
        if (access(dir, F_OK) != 0)
            fail_msg("%s: %s is gone", others[i].what, dir);
    }
    gp_free(sound.day);
    gp_free(sound.root);
}

static void test_no_database(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(others); i++)
        one_other(i);
}

/* A database is one even when its only day is damaged: that is what repair is for. */
static void test_only_damage(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    GP_CLEANUP(gp_freep) char *q = gp_asprintf("%s.quarantine", root);
    GP_CLEANUP(gp_freep) char *day = gp_asprintf("%s/" MONTH "/1699920000", root);
    GP_CLEANUP(gp_freep) char *stray = gp_asprintf("%s/eth0/backup", root);
    GP_CLEANUP(gp_freep) char *meta = gp_asprintf("%s/.blockmeta", day);
    struct seen seen = {0};
    godb_repair_opts o = GODB_REPAIR_OPTS_INIT;
    godb_repair_stats s;

    want_ok(gp_mkdir_all(day, 0755, NULL));
    want_ok(gp_mkdir_all(stray, 0755, NULL));
    test_spew(meta, "", 0);
    o.dry_run = 0;
    want_ok(godb_repair(root, &o, on_action, &seen, &s, NULL));
    assert_true(seen.n[GODB_REPAIR_QUARANTINE] == 2 && seen.all == 2);
    assert_true(access(day, F_OK) != 0 && access(stray, F_OK) != 0);
    test_rmtree(q);
}

/* A staging tree that a merge may be using stays; a dead one is kept in the quarantine. */
static void test_stages(void **state)
{
    (void)state;
    struct fixture x = make();
    GP_CLEANUP(gp_freep) char *q = gp_asprintf("%s.quarantine", x.root);
    GP_CLEANUP(gp_freep) char *old = gp_asprintf("%s/.gpdb-merge-stage-1", x.root);
    const struct timespec then[2] = {{.tv_sec = 1700000000}, {.tv_sec = 1700000000}};
    godb_repair_opts o = GODB_REPAIR_OPTS_INIT;
    godb_repair_stats s;

    do_stage(&x);
    make_dir(&x, ".gpdb-merge-stage-1");
    assert_int_equal(utimensat(AT_FDCWD, old, then, 0), 0);
    for (int dry = 1; dry >= 0; dry--) {
        struct seen seen = {0};
        o.dry_run = dry;
        want_ok(godb_repair(x.root, &o, on_action, &seen, &s, NULL));
        assert_true(seen.n[GODB_REPAIR_LEAVE] == 1 && seen.n[GODB_REPAIR_QUARANTINE] == 1);
        assert_true(seen.all == 2 && (access(old, F_OK) == 0) == dry);
    }
    assert_int_equal(access(q, F_OK), 0);
    test_rmtree(q);
    drop(&x);
}

/* An interface that is being written to is left alone. */
static void test_locked(void **state)
{
    (void)state;
    struct fixture x = make();
    struct seen seen = {0};
    godb_repair_opts o = GODB_REPAIR_OPTS_INIT;
    godb_repair_stats s;
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;

    do_suffix(&x);
    want_ok(godb_writer_open(x.root, "eth0", NULL, &w, NULL));
    o.dry_run = 0;
    want_ok(godb_repair(x.root, &o, on_action, &seen, &s, NULL));
    assert_true(seen.failed == 1 && s.failed == 1 && seen.n[GODB_REPAIR_LEAVE] == 1);
    assert_true(s.n[GODB_REPAIR_LEAVE] == 0); /* what failed is not counted twice */
    assert_non_null(strstr(seen.last, "another process"));
    drop(&x);
}

/* A quarantine inside the database would itself be damage. */
static void test_bad_quarantine(void **state)
{
    (void)state;
    struct fixture x = make();
    GP_CLEANUP(gp_freep) char *inside = gp_asprintf("%s/q", x.root);
    struct seen seen = {0};
    godb_repair_opts o = GODB_REPAIR_OPTS_INIT;
    godb_repair_stats s;

    do_decode(&x);
    size_t before = problems(x.root);
    o.dry_run = 0;
    o.quarantine = inside;
    want_ok(godb_repair(x.root, &o, on_action, &seen, &s, NULL));
    assert_true(seen.failed == 1);
    assert_true(access(inside, F_OK) != 0 && problems(x.root) == before);
    drop(&x);
}

/* The database named as one does who stands in it: the quarantine is beside it all the same. */
static void test_dot(void **state)
{
    (void)state;
    static const struct {
        const char *stand, *root; /* below the database */
    } ways[] = {{"", "."}, {"", "./"}, {"", "eth0/.."}, {"eth0", ".."}, {"eth0", "../."}};
    char here[4096];

    assert_non_null(getcwd(here, sizeof here));
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct fixture x = make();
        GP_CLEANUP(gp_freep) char *q = gp_asprintf("%s.quarantine", x.root);
        GP_CLEANUP(gp_freep) char *stand = gp_asprintf("%s/%s", x.root, ways[i].stand);
        struct seen seen = {0};
        godb_repair_opts o = GODB_REPAIR_OPTS_INIT;
        godb_repair_stats s;

        do_decode(&x);
        o.dry_run = 0;
        assert_int_equal(chdir(stand), 0);
        want_ok(godb_repair(ways[i].root, &o, on_action, &seen, &s, NULL));
        assert_int_equal(chdir(here), 0);
        if (seen.failed || access(q, F_OK) != 0 || problems(x.root) != 0)
            fail_msg("%s: %s", ways[i].root, seen.last);
        test_rmtree(q);
        drop(&x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),       cmocka_unit_test(test_no_database),
        cmocka_unit_test(test_only_damage), cmocka_unit_test(test_stages),
        cmocka_unit_test(test_locked),      cmocka_unit_test(test_bad_quarantine),
        cmocka_unit_test(test_dot),
    };
    st_utc();
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
