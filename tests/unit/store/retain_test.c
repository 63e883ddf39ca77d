/* retain_test.c - retention: which days go, in which order, and what is never touched. */
#include "dbdump.h"

#include "godb/retain.h"

enum { D = 1699920000, NOW = D + 10 * 86400 + 7200, KIB = 1024 };

static void on_day(void *ctx, const godb_retain_day *d)
{
    assert_int_equal(d->status, GP_OK);
    gp_buf_printf(ctx, "%s%lld:%s ", d->iface, (long long)(d->day_s - D) / 86400, d->why);
}

/* Days 0 .. n - 1 of iface, with files so old that nobody is taken to write to them. */
static void make_days(const char *root, const char *iface, int n)
{
    for (int i = 0; i < n; i++)
        st_put(root, iface, D + 86400 * i + 300, 1, 1);
}

static void make_old(const char *root)
{
    GP_CLEANUP(gp_freep) char *cmd = gp_asprintf("find %s -exec touch -d @1700000000 {} +", root);
    assert_int_equal(system(cmd), 0); /* layout: allow system - touch in a test */
}

/* Disk space of one of these days. */
static uint64_t day_bytes(const char *root)
{
    godb_retain_opts o = {.now_s = NOW, .dry_run = 1};
    godb_retain_stats st;

    want_ok(godb_retain(root, &o, NULL, NULL, &st, NULL));
    assert_true(st.days > 0 && st.bytes % st.days == 0);
    return st.bytes / st.days;
}

static const char *const only_a[] = {"a", NULL}, *const a_twice[] = {"a", "a", NULL};

static const struct {
    const char *what;
    const char *const *ifaces;
    int64_t max_age_s;
    int days, iface_days, free_days; /* limits in days' worth of disk space; -1 = none */
    const char *want;                /* of a: days 0..10, b: days 0..2; "now" is in day 10 */
    int short_days;
} cases[] = {
    {"no limit", NULL, 0, -1, -1, -1, "", 0},
    {"age: ended longer ago", NULL, 8 * 86400, -1, -1, -1, "a0:age b0:age a1:age b1:age ", 0},
    {"age: one second less keeps", NULL, 9 * 86400 + 7200, -1, -1, -1, "", 0},
    {"age: exactly one more goes", NULL, 9 * 86400 + 7199, -1, -1, -1, "a0:age b0:age ", 0},
    {"age of one interface", only_a, 8 * 86400, -1, -1, -1, "a0:age a1:age ", 0},
    {"a name twice counts once", a_twice, 8 * 86400, -1, 10, -1, "a0:age a1:age ", 0},
    {"size of all: the oldest first", NULL, 0, 11, -1, -1, "a0:size b0:size a1:size ", 0},
    {"size that fits", NULL, 0, 14, -1, -1, "", 0},
    {"size of each interface", NULL, 0, -1, 2, -1,
     "a0:size b0:size a1:size a2:size a3:size a4:size a5:size a6:size a7:size a8:size ", 0},
    {"age counts towards size", NULL, 8 * 86400, 9, -1, -1, "a0:age b0:age a1:age b1:age a2:size ",
     0},
    {"free space", NULL, 0, -1, -1, 2, "a0:free b0:free ", 0},
    {"free space after age", NULL, 8 * 86400, -1, -1, 5, "a0:age b0:age a1:age b1:age a2:free ", 0},
    {"free space out of reach", NULL, 0, -1, -1, 40, "", 40},
    {"the day being written and the last hour's stay", only_a, 0, 0, -1, -1,
     "a0:size a1:size a2:size a3:size a4:size a5:size a6:size a7:size a8:size a9:size ", 1},
};

static void test_plan(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();

    make_days(root, "a", 11);
    make_days(root, "b", 3);
    make_old(root);
    uint64_t day = day_bytes(root);
    int tries = 0;
    for (size_t i = 0; i < COUNT(cases); i++) {
        godb_retain_stats st;
        gp_err err = {0};
        GP_CLEANUP(gp_buf_free) gp_buf got = {0};
        godb_retain_opts o = {
            .ifaces = cases[i].ifaces, .now_s = NOW, .max_age_s = cases[i].max_age_s, .dry_run = 1};
    again:
        gp_buf_clear(&got);
        o.min_free_bytes = 0;
        o.max_bytes = o.max_iface_bytes = 0;
        want_ok(godb_retain(root, &o, NULL, NULL, &st, NULL));
        uint64_t free_before = st.free_bytes;
        o.max_bytes = cases[i].days > 0 ? day * (uint64_t)cases[i].days : cases[i].days == 0;
        o.max_iface_bytes = cases[i].iface_days > 0 ? day * (uint64_t)cases[i].iface_days : 0;
        if (cases[i].free_days > 0)
            o.min_free_bytes = st.free_bytes + day * (uint64_t)cases[i].free_days - day / 2;
        want_ok_err(&err, godb_retain(root, &o, on_day, &got, &st, &err));
        if (cases[i].free_days > 0 && st.free_bytes != free_before && tries++ < 1000)
            goto again; /* somebody else used the disk in between */
        if (strcmp(gp_buf_str(&got), cases[i].want) != 0)
            fail_msg("%s: got %s", cases[i].what, gp_buf_str(&got));
        if ((st.bytes_missing + day - 1) / day != (uint64_t)cases[i].short_days)
            fail_msg("%s: %llu bytes missing", cases[i].what, (unsigned long long)st.bytes_missing);
        assert_int_equal(st.bytes_deleted, day * st.days_deleted);
    }
}

/* One hour after its end a day may still get a last block. */
static void test_settled(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    godb_retain_stats st;

    make_days(root, "a", 1);
    make_old(root);
    for (int64_t after = 3599; after <= 3600; after++) {
        godb_retain_opts o = {.now_s = D + 86400 + after, .max_bytes = 1, .dry_run = 1};
        want_ok(godb_retain(root, &o, NULL, NULL, &st, NULL));
        assert_int_equal(st.days_deleted, after == 3600);
    }
    /* and a day that was changed just now may be in use by an import */
    godb_retain_opts o = {.now_s = NOW, .max_bytes = 1, .dry_run = 1};
    st_put(root, "a", D + 600, 1, 1);
    want_ok(godb_retain(root, &o, NULL, NULL, &st, NULL));
    assert_int_equal(st.days_deleted, 0);
    /* which is said of an age, too */
    o = (godb_retain_opts){.now_s = NOW, .max_age_s = 1, .dry_run = 1};
    want_ok(godb_retain(root, &o, NULL, NULL, &st, NULL));
    assert_int_equal(st.days_deleted, 0);
    assert_int_equal(st.bytes_missing, st.bytes);
}

static void test_apply(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    godb_retain_opts o = {.now_s = NOW, .max_age_s = 8 * 86400};
    godb_retain_stats st;
    gp_err err = {0};

    make_days(root, "a", 3);
    make_days(root, "b", 2);
    make_old(root);
    GP_CLEANUP(gp_freep) char *before = st_dump(root);
    o.dry_run = 1;
    want_ok(godb_retain(root, &o, NULL, NULL, &st, NULL));
    assert_int_equal(st.days_deleted, 4);
    GP_CLEANUP(gp_freep) char *same = st_dump(root);
    assert_string_equal(before, same);
    o.dry_run = 0;
    want_ok(godb_writer_open(root, "a", NULL, &w, NULL)); /* a writer does no harm */
    want_ok_err(&err, godb_retain(root, &o, NULL, NULL, &st, &err));
    assert_int_equal(st.days_deleted, 4);
    assert_int_equal(st.days_failed, 0);
    GP_CLEANUP(gp_freep) char *after = st_dump(root);
    assert_string_equal(after, "a 1700093100 4|10.0.0.1 10.0.0.2 1 6 1 0 1 0\n");
    /* months that became empty are gone, unless somebody writes; the interface stays */
    GP_CLEANUP(gp_freep) char *b = gp_asprintf("%s/b", root);
    GP_CLEANUP(gp_freep) char *year = gp_asprintf("%s/b/2023", root);
    assert_int_equal(access(b, F_OK), 0);
    assert_int_not_equal(access(year, F_OK), 0);
    GP_CLEANUP(gp_freep) char *stage = gp_asprintf("ls -A %s | grep -q stage", root);
    assert_int_not_equal(system(stage), 0); /* layout: allow system - ls in a test */
}

static void test_errors(void **state)
{
    (void)state;
    static const char *const missing[] = {"x", NULL};
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    godb_retain_opts o = {.ifaces = missing};
    gp_err err = {0};

    want_err(GP_ENOTFOUND, &err, "no interface 'x'", godb_retain(root, &o, NULL, NULL, NULL, &err));
    want_status(GP_ENOTFOUND, godb_retain("/nonexistent", &o, NULL, NULL, NULL, &err));
}

/* Directories whose names are those of a year, a month and a day by chance are nobody's old days.
 */
static void test_foreign(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    GP_CLEANUP(gp_freep) char *cache = gp_asprintf("%s/cache/12/34/0/x", root);
    GP_CLEANUP(gp_freep) char *empty = gp_asprintf("%s/a/2023/10/1696118400", root);
    godb_retain_opts o = {.now_s = NOW, .max_age_s = 86400, .max_bytes = 1};
    godb_retain_stats st;

    make_days(root, "a", 1);
    want_ok(gp_mkdir_all(cache, 0755, NULL));
    want_ok(gp_mkdir_all(empty, 0755, NULL)); /* left by a write that died early (5.4) */
    make_old(root);
    want_ok(godb_retain(root, &o, NULL, NULL, &st, NULL));
    assert_true(st.days == 2 && st.days_deleted == 2);
    assert_true(access(cache, F_OK) == 0 && access(empty, F_OK) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_foreign), cmocka_unit_test(test_plan),
        cmocka_unit_test(test_settled), cmocka_unit_test(test_apply),
        cmocka_unit_test(test_errors),
    };
    st_utc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
