/* order_test.c - what db.sync promises, seen in the order of the syncs and renames of a write. */
#include "content.h"
#include "fault_io.h"

#include <fnmatch.h>
#include <sys/stat.h>

enum { DAY = 1699920000, MAX_CALLS = 256 }; /* 2023-11-14, UTC */

#define MONTH "db/eth0/2023/11"

/* "fsync PATH" and "rename NEW-PATH", below the temporary directory. */
static struct {
    char text[32768];
    const char *call[MAX_CALLS];
    int n;
} made;

static void take_log(const char *dir)
{
    char *rest = NULL;

    snprintf(made.text, sizeof made.text, "%s", fault_record(0));
    made.n = 0;
    for (char *l = strtok_r(made.text, "\n", &rest); l; l = strtok_r(NULL, "\n", &rest)) {
        char *path = strstr(l, dir);
        assert_true(path && made.n < MAX_CALLS);
        const char *below = path + strlen(dir);
        below += *below == '/';
        memmove(path, below, strlen(below) + 1);
        made.call[made.n++] = l;
    }
}

/* The directories of a writer that was killed before it synced any of them. */
static void make_tree(const char *dir)
{
    static const char *const below[] = {"db", "db/eth0", "db/eth0/2023", MONTH};
    char path[512];

    for (size_t i = 0; i < COUNT(below); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, below[i]);
        assert_int_equal(mkdir(path, 0755), 0);
    }
}

/* Write n blocks, 300 s apart, into a new database with a new interface. */
static void write_run(godb_sync sync, int bulk, int has_tree, int64_t first_s, int n)
{
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    GP_CLEANUP(godb_sorter_freep) godb_sorter *s = NULL;
    godb_writer_opts o = GODB_WRITER_OPTS_INIT;
    godb_writer *w = NULL;
    char root[512];

    snprintf(root, sizeof root, "%s/db", dir);
    o.sync = sync;
    want_ok(godb_sorter_new(&s, NULL));
    if (has_tree)
        make_tree(dir);
    (void)fault_record(1);
    want_ok(godb_writer_open(root, "eth0", &o, &w, NULL));
    if (bulk)
        want_ok(godb_writer_begin_bulk(w, NULL));
    for (int i = 0; i < n; i++) {
        godb_rows rows = content_block(s, first_s + 300 * i);
        want_ok(godb_writer_append(w, first_s + 300 * i, &rows, 0, NULL));
    }
    if (bulk)
        want_ok(godb_writer_commit(w, NULL));
    assert_null(godb_writer_note(w));
    godb_writer_close(w);
    take_log(dir);
}

/* Number of the first call from number from on that fits the pattern. */
static int find(int from, const char *pattern)
{
    for (int i = from; i < made.n; i++)
        if (fnmatch(pattern, made.call[i], FNM_PATHNAME) == 0)
            return i;
    for (int i = 0; i < made.n; i++)
        print_message("%3d %s\n", i, made.call[i]);
    fail_msg("no '%s' from call %d on", pattern, from);
    return -1;
}

static void want_order(int from, const char *first, const char *then)
{
    if (find(from, first) > find(from, then))
        fail_msg("'%s' comes behind '%s'", first, then);
}

static void want_columns(int from, const char *before)
{
    char pattern[128];

    for (int c = 0; c < GODB_N_COLS; c++) {
        snprintf(pattern, sizeof pattern, "fsync " MONTH "/1*/%s", godb_col_file((godb_col)c));
        if (before)
            want_order(from, pattern, before);
        else
            (void)find(from, pattern);
    }
}

/* One commit from there on: columns and the new metadata, commit, day directory, its new name, the
 * month. Number of the call behind it. */
static int want_commit(int from)
{
    static const char commit[] = "rename " MONTH "/1*/.blockmeta";
    int at = find(from, commit);

    want_columns(from, commit);
    want_order(from, "fsync " MONTH "/1*/.tmp-metadata-*", commit);
    want_order(at, "fsync " MONTH "/1*", "rename " MONTH "/1*_*");
    return find(find(at, "rename " MONTH "/1*_*"), "fsync " MONTH) + 1;
}

static void want_new_tree(void)
{
    static const char *const dirs[] = {"fsync ", "fsync db", "fsync db/eth0", "fsync db/eth0/2023",
                                       ("fsync " MONTH)};
    for (size_t i = 0; i < COUNT(dirs); i++)
        (void)find(0, dirs[i]);
}

static void test_block(void **state)
{
    (void)state;
    write_run(GODB_SYNC_BLOCK, 0, 0, DAY + 300, 2);
    want_new_tree();
    (void)want_commit(want_commit(0));
}

/* Directories that are there are synced as well, before the first commit, and only once. */
static void test_directories_of_another_process(void **state)
{
    static const char commit[] = "rename " MONTH "/1*/.blockmeta";

    (void)state;
    for (int bulk = 0; bulk < 2; bulk++) {
        write_run(bulk ? GODB_SYNC_DAY : GODB_SYNC_BLOCK, bulk, 1, DAY + 300, 3);
        want_new_tree();
        static const char *const above[] = {"fsync ", "fsync db", "fsync db/eth0",
                                            "fsync db/eth0/2023"};
        for (size_t i = 0; i < COUNT(above); i++) {
            int n = 0;
            want_order(0, above[i], commit);
            for (int k = 0; k < made.n; k++)
                n += strcmp(made.call[k], above[i]) == 0;
            assert_int_equal(n, 1);
        }
    }
}

/* The first day when the second one begins, the second one at the close. */
static void test_day(void **state)
{
    (void)state;
    write_run(GODB_SYNC_DAY, 0, 0, DAY + GODB_DAY_S - 600, 4);
    want_new_tree();
    int second = find(0, "rename " MONTH "/1700006400_*"), first_synced = 0;
    for (int day = 0; day < 2; day++) {
        int from = day ? second : 0;
        want_columns(from, NULL);
        int meta = find(from, day ? "fsync " MONTH "/1700006400_*/.blockmeta"
                                  : "fsync " MONTH "/1699920000_*/.blockmeta");
        (void)find(meta, "fsync " MONTH "/1*_*");
        (void)find(meta, "fsync " MONTH);
        (void)find(meta, "fsync db/eth0/2023");
        (void)find(meta, "fsync db/eth0");
        first_synced = day ? first_synced : meta;
    }
    assert_true(first_synced < second);
}

/* What import does: no day is ever visible before its columns are on the disk. */
static void test_day_bulk(void **state)
{
    (void)state;
    write_run(GODB_SYNC_DAY, 1, 0, DAY + GODB_DAY_S - 600, 4);
    want_new_tree();
    (void)want_commit(want_commit(0));
}

/* A bulk of small blocks makes far fewer calls than it has columns, the index included. */
static void test_bulk_calls(void **state)
{
    (void)state;
    fault_plan(FAULT_NONE, 0);
    write_run(GODB_SYNC_DAY, 1, 0, DAY + 300, 30);
    if (fault_calls() > 8 * 30)
        fail_msg("%ld system calls for 30 blocks", fault_calls());
}

static void test_none(void **state)
{
    (void)state;
    for (int bulk = 0; bulk < 2; bulk++) {
        write_run(GODB_SYNC_NONE, bulk, 1, DAY + 300, 2);
        (void)find(0, "rename " MONTH "/1*/.blockmeta");
        for (int i = 0; i < made.n; i++)
            if (strncmp(made.call[i], "fsync", 5) == 0)
                fail_msg("%s", made.call[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block),      cmocka_unit_test(test_directories_of_another_process),
        cmocka_unit_test(test_day),        cmocka_unit_test(test_day_bulk),
        cmocka_unit_test(test_bulk_calls), cmocka_unit_test(test_none),
    };
    st_utc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
