/* merge_test.c - merging databases: every rule of godb-format.md 8.1, damage, leftovers. */
#include "dbdump.h"

#include "godb/merge.h"
#include "merge_day.h"

#include <sys/file.h>

enum { D = 1699920000 }; /* 2023-11-14 */

/* What the call-backs saw. */
struct seen {
    gp_buf days, notes;
};

static void on_day(void *ctx, const godb_merge_day *d)
{
    static const char *const names[] = {"copy", "rebuild", "skip"};
    struct seen *s = ctx;
    gp_buf_printf(&s->days, "%s %lld %s\n", d->iface, (long long)d->day_s, names[d->action]);
}

static void on_note(void *ctx, const char *text)
{
    struct seen *s = ctx;
    gp_buf_printf(&s->notes, "%s\n", text);
}

static void seen_free(struct seen *s)
{
    gp_buf_free(&s->days);
    gp_buf_free(&s->notes);
}

/* Two roots below one temporary directory. */
struct pair {
    char *dir, *src, *dst;
};

static struct pair pair_new(void)
{
    struct pair p = {.dir = test_tmpdir()};
    p.src = gp_asprintf("%s/src", p.dir);
    p.dst = gp_asprintf("%s/dst", p.dir);
    assert_int_equal(mkdir(p.src, 0755), 0);
    return p;
}

static void pair_free(struct pair *p)
{
    test_tmpdirp(&p->dir);
    gp_free(p->src);
    gp_free(p->dst);
}

/* Names of everything below path, one a line, sorted by the walk. */
static gp_buf *tree_out;
static int tree_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)type;
    if (ftw->level == 0) /* its time changes with the staging tree */
        return 0;
    gp_buf_printf(tree_out, "%s %o %lld %lld\n", path, st->st_mode,
                  S_ISDIR(st->st_mode) ? 0LL : (long long)st->st_size,
                  (long long)st->st_mtim.tv_nsec);
    return 0;
}

static char *tree(const char *path)
{
    gp_buf b = {0};
    tree_out = &b;
    gp_buf_adds(&b, "");
    (void)nftw(path, tree_one, 16, FTW_PHYS);
    char *s = gp_buf_take(&b);
    return s ? s : gp_strdup("");
}

static void want_no_leftovers(const char *root)
{
    GP_CLEANUP(gp_freep) char *t = tree(root);
    if (strstr(t, ".gpdb-merge"))
        fail_msg("leftovers of the merge: %s", t);
}

/* ---- completeness ---- */

static void test_complete(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int64_t t[3]; /* after the begin of the day, -1 = none */
        int64_t tol;
        int complete;
    } cases[] = {
        {"first block exactly at the tolerance", {150, 86000, -1}, 150, 1},
        {"first block behind it", {151, 86000, -1}, 150, 0},
        {"last block plus its length reaches the end", {0, 43050, 43199}, 300, 0},
        {"exactly", {0, 85800, 86025}, 149, 1},
        {"one second less", {0, 85800, 86024}, 150, 0},
        {"one more of tolerance", {0, 85800, 86024}, 151, 1},
        {"one block is taken for 300 s long", {0, -1, -1}, 86099, 1},
        {"one second short", {0, -1, -1}, 86098, 0},
        {"the length of the last block counts", {100, 43300, -1}, 150, 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
        GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
        godb_days days = {0};
        for (int k = 0; k < 3 && cases[i].t[k] >= 0; k++)
            st_put(root, "e", D + cases[i].t[k], 1, 1);
        want_ok(godb_db_open(root, &db, NULL));
        want_ok(godb_db_days(db, "e", 0, INT64_MAX, &days, NULL));
        godb_side s = {.db = db, .ref = &days.v[0]};
        want_ok(godb_side_open(&s, cases[i].tol, NULL));
        if (s.complete != cases[i].complete)
            fail_msg("%s: got %d", cases[i].what, s.complete);
        godb_side_close(&s);
        godb_days_free(&days);
    }
}

/* ---- the action table ---- */

/* A complete day has blocks at 100 and 43300 (so long that it reaches the end), an incomplete one
 * at 100 and 400. Source rows have port 1, destination rows port 2. */
enum state { ABSENT, INCOMPLETE, COMPLETE };

static void make_day(const char *root, enum state what, uint16_t port)
{
    if (what == ABSENT)
        return;
    st_put(root, "e", D + 100, port, port);
    st_put(root, "e", D + (what == COMPLETE ? 43300 : 400), port, port);
}

#define ROW(t, port) "e " t " 4|10.0.0.1 10.0.0.2 " port " 6 " port " 0 1 0\n"
#define T100         "1699920100"
#define T400         "1699920400"
#define T43300       "1699963300"

static const struct {
    const char *what;
    enum state src, dst;
    int overwrite;
    const char *action, *want;
    uint64_t conflicts_dst, conflicts_src;
} actions[] = {
    {"absent, complete", COMPLETE, ABSENT, 0, "copy", ROW(T100, "1") ROW(T43300, "1"), 0, 0},
    {"absent, complete, overwrite", COMPLETE, ABSENT, 1, "copy", ROW(T100, "1") ROW(T43300, "1"), 0,
     0},
    {"absent, incomplete", INCOMPLETE, ABSENT, 0, "rebuild", ROW(T100, "1") ROW(T400, "1"), 0, 0},
    {"both complete", COMPLETE, COMPLETE, 0, "skip", ROW(T100, "2") ROW(T43300, "2"), 0, 0},
    {"both complete, overwrite", COMPLETE, COMPLETE, 1, "copy", ROW(T100, "1") ROW(T43300, "1"), 0,
     0},
    {"complete, incomplete", COMPLETE, INCOMPLETE, 0, "rebuild",
     ROW(T100, "2") ROW(T400, "2") ROW(T43300, "1"), 1, 0},
    {"complete, incomplete, overwrite", COMPLETE, INCOMPLETE, 1, "copy",
     ROW(T100, "1") ROW(T43300, "1"), 0, 0},
    {"incomplete, complete", INCOMPLETE, COMPLETE, 0, "rebuild",
     ROW(T100, "2") ROW(T400, "1") ROW(T43300, "2"), 1, 0},
    {"incomplete, complete, overwrite", INCOMPLETE, COMPLETE, 1, "rebuild",
     ROW(T100, "1") ROW(T400, "1") ROW(T43300, "2"), 0, 1},
    {"both incomplete", INCOMPLETE, INCOMPLETE, 0, "rebuild", ROW(T100, "2") ROW(T400, "2"), 2, 0},
    {"both incomplete, overwrite", INCOMPLETE, INCOMPLETE, 1, "rebuild",
     ROW(T100, "1") ROW(T400, "1"), 0, 2},
};

static void test_actions(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(actions); i++) {
        size_t k = i / 2;
        int dry = i % 2 == 0;
        struct pair p = pair_new();
        struct seen seen = {{0}, {0}};
        godb_merge_stats st;
        gp_err err = {0};
        godb_merge_opts o = {.overwrite = actions[k].overwrite,
                             .dry_run = dry,
                             .tolerance_s = 150,
                             .on_day = on_day,
                             .on_note = on_note,
                             .ctx = &seen};
        make_day(p.src, actions[k].src, 1);
        make_day(p.dst, actions[k].dst, 2);
        GP_CLEANUP(gp_freep) char *src_before = tree(p.src);
        GP_CLEANUP(gp_freep) char *dst_before = tree(p.dst);
        if (godb_merge(p.src, p.dst, &o, &st, &err) != GP_OK)
            fail_msg("%s: %s", actions[k].what, err.msg);
        char want[64];
        snprintf(want, sizeof want, "e %d %s\n", D, actions[k].action);
        if (strcmp(gp_buf_str(&seen.days), want) != 0)
            fail_msg("%s: got %s", actions[k].what, gp_buf_str(&seen.days));
        const char *a = actions[k].action;
        assert_int_equal(st.ifaces, 1);
        assert_int_equal(st.days_copied, *a == 'c');
        assert_int_equal(st.days_rebuilt, *a == 'r');
        assert_int_equal(st.days_skipped, *a == 's');
        assert_int_equal(st.conflicts_dst, dry ? 0 : actions[k].conflicts_dst);
        assert_int_equal(st.conflicts_src, dry ? 0 : actions[k].conflicts_src);
        GP_CLEANUP(gp_freep) char *got = st_dump(p.dst);
        GP_CLEANUP(gp_freep) char *src_after = tree(p.src);
        GP_CLEANUP(gp_freep) char *dst_after = tree(p.dst);
        assert_string_equal(src_before, src_after);
        if (dry && *dst_before)
            assert_string_equal(dst_before, dst_after);
        if (dry && !*dst_before)
            assert_string_equal(got, ""); /* made, and nothing in it */
        if (!dry && strcmp(got, actions[k].want) != 0)
            fail_msg("%s: got\n%s", actions[k].what, got);
        assert_string_equal(gp_buf_str(&seen.notes), "");
        want_no_leftovers(p.dst);
        seen_free(&seen);
        pair_free(&p);
    }
}

/* A copied day keeps its name, with or without suffix, its modes and its bytes. */
static void test_copy_is_exact(void **state)
{
    (void)state;
    for (int suffix = 0; suffix < 2; suffix++) {
        struct pair p = pair_new();
        gp_err err = {0};
        make_day(p.src, COMPLETE, 1);
        GP_CLEANUP(gp_freep) char *day = st_only_day(p.src, "e");
        GP_CLEANUP(gp_freep) char *from = gp_asprintf("%s/%s", p.src, day);
        GP_CLEANUP(gp_freep) char *plain = gp_asprintf("%s/e/2023/11/%d", p.src, D);
        if (!suffix)
            assert_int_equal(rename(from, plain), 0);
        GP_CLEANUP(gp_freep) char *file = gp_asprintf("%s/sip.gpf", suffix ? from : plain);
        assert_int_equal(chmod(file, 0640), 0);
        assert_int_equal(chmod(suffix ? from : plain, 0750), 0);
        want_ok_err(&err, godb_merge(p.src, p.dst, NULL, NULL, &err));
        GP_CLEANUP(gp_freep) char *got = st_only_day(p.dst, "e");
        assert_string_equal(strrchr(got, '/') + 1, strrchr(suffix ? from : plain, '/') + 1);
        GP_CLEANUP(gp_freep) char *to = gp_asprintf("%s/%s", p.dst, got);
        GP_CLEANUP(gp_freep) char *copy = gp_asprintf("%s/sip.gpf", to);
        struct stat st;
        assert_int_equal(stat(copy, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(stat(to, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0750);
        for (int c = -1; c < GODB_N_COLS; c++) {
            const char *name = c < 0 ? ".blockmeta" : godb_col_file((godb_col)c);
            GP_CLEANUP(gp_freep) char *x = gp_asprintf("%s/%s", suffix ? from : plain, name);
            GP_CLEANUP(gp_freep) char *y = gp_asprintf("%s/%s", to, name);
            size_t nx, ny;
            GP_CLEANUP(gp_freep) char *bx = test_slurp(x, &nx);
            GP_CLEANUP(gp_freep) char *by = test_slurp(y, &ny);
            assert_int_equal(nx, ny);
            assert_memory_equal(bx, by, nx);
        }
        pair_free(&p);
    }
}

/* A rebuilt day: drops and empty blocks are kept, totals are those of the winners. */
static void test_rebuild_content(void **state)
{
    (void)state;
    struct pair p = pair_new();
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    gp_err err = {0};
    godb_row r = st_port_row(7, 70);

    st_put(p.dst, "e", D + 400, 2, 2);
    want_ok(godb_writer_open(p.src, "e", NULL, &w, NULL));
    st_append(w, D + 100, &r, 1, 11);
    st_append(w, D + 700, NULL, 0, 5);
    want_ok_err(&err, godb_merge(p.src, p.dst, NULL, NULL, &err));
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    want_ok(godb_db_open(p.dst, &db, NULL));
    GP_CLEANUP(godb_day_closep) godb_day *d = st_open_only(db, "e");
    assert_int_equal(godb_day_n_blocks(d), 3);
    assert_int_equal(godb_day_block(d, 0)->drops, 11);
    assert_int_equal(godb_day_block(d, 2)->drops, 5);
    assert_int_equal(godb_day_block(d, 2)->n_v4, 0);
    const godb_totals *t = godb_day_totals(d);
    assert_true(t->v4 == 2 && t->drops == 16 && t->bytes_rcvd == 72 && t->pkts_rcvd == 2);
    GP_CLEANUP(gp_freep) char *day = st_only_day(p.dst, "e");
    assert_string_equal(day, "e/2023/11/1699920000_2-0-g-a1-0-2-0");
    pair_free(&p);
}

/* ---- what is merged ---- */

static void test_selection(void **state)
{
    (void)state;
    static const char *const some[] = {" b ", "", "a", "b\t", NULL},
                             *const none[] = {"", " ", NULL}, *const missing[] = {"a", "zz", NULL};
    static const struct {
        const char *what;
        const char *const *ifaces;
        gp_status status;
        const char *days;
    } cases[] = {
        {"all", NULL, GP_OK, "a 1699920000 rebuild\nb 1699920000 rebuild\nc 1699920000 rebuild\n"},
        {"trimmed, sorted, once", some, GP_OK, "a 1699920000 rebuild\nb 1699920000 rebuild\n"},
        {"empty names only", none, GP_OK,
         "a 1699920000 rebuild\nb 1699920000 rebuild\nc 1699920000 rebuild\n"},
        {"one that is missing", missing, GP_ENOTFOUND, ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pair p = pair_new();
        struct seen seen = {{0}, {0}};
        godb_merge_stats st;
        gp_err err = {0};
        godb_merge_opts o = {.ifaces = cases[i].ifaces, .on_day = on_day, .ctx = &seen};
        for (const char *n = "cab"; *n; n++)
            st_put(p.src, (char[]){*n, '\0'}, D + 300, 1, 1);
        GP_CLEANUP(gp_freep) char *empty = gp_asprintf("%s/idle", p.src);
        assert_int_equal(mkdir(empty, 0755), 0); /* no days: not counted */
        gp_status got = godb_merge(p.src, p.dst, &o, &st, &err);
        if (got != cases[i].status || strcmp(gp_buf_str(&seen.days), cases[i].days) != 0)
            fail_msg("%s: %s, days %s", cases[i].what, err.msg, gp_buf_str(&seen.days));
        size_t lines = 0;
        for (const char *s = cases[i].days; *s; s++)
            lines += *s == '\n';
        assert_int_equal(st.ifaces, lines);
        want_no_leftovers(p.dst);
        seen_free(&seen);
        pair_free(&p);
    }
}

static void test_preconditions(void **state)
{
    (void)state;
    struct pair p = pair_new();
    gp_err err = {0};
    GP_CLEANUP(gp_freep) char *missing = gp_asprintf("%s/none", p.dir);
    GP_CLEANUP(gp_freep) char *file = gp_asprintf("%s/file", p.dir);
    GP_CLEANUP(gp_freep) char *same = gp_asprintf("%s/x/..//src/.", p.dir);
    GP_CLEANUP(gp_freep) char *x = gp_asprintf("%s/x", p.dir);
    GP_CLEANUP(gp_freep) char *inside = gp_asprintf("%s/sub", p.src);
    GP_CLEANUP(gp_freep) char *link_path = gp_asprintf("%s/link", p.dir);

    test_spew(file, "x", 1);
    assert_int_equal(mkdir(x, 0755), 0);
    assert_int_equal(symlink(p.src, link_path), 0);
    want_err(GP_ENOTFOUND, &err, "source", godb_merge(missing, p.dst, NULL, NULL, &err));
    assert_int_not_equal(access(p.dst, F_OK), 0);
    want_err(GP_EINVAL, &err, "not a directory", godb_merge(file, p.dst, NULL, NULL, &err));
    want_err(GP_EINVAL, &err, "the same", godb_merge(p.src, same, NULL, NULL, &err));
    want_err(GP_EINVAL, &err, "the same", godb_merge(p.src, link_path, NULL, NULL, &err));
    want_err(GP_EINVAL, &err, "inside", godb_merge(p.src, inside, NULL, NULL, &err));
    want_ok_err(&err, godb_merge(p.src, p.dst, NULL, NULL, &err)); /* nothing to do, but made */
    assert_int_equal(access(p.dst, F_OK), 0);
    pair_free(&p);
}

static void make_dir(const char *root, const char *path)
{
    GP_CLEANUP(gp_freep) char *full = gp_asprintf("%s/%s", root, path);
    want_ok(gp_mkdir_all(full, 0755, NULL));
}

static void test_strange_names(void **state)
{
    (void)state;
    static const struct {
        const char *what, *dir;
        int in_dst;
        gp_status status;
        const char *text;
    } cases[] = {
        {"year that is none", "e/old/11", 0, GP_OK, NULL},
        {"month that is none", "e/2023/xi/1699920000", 0, GP_OK, NULL},
        {"day that is none", "e/2023/11/tuesday", 0, GP_ECORRUPT, "is not the name of a day"},
        {"the same in the destination", "e/2023/11/tuesday", 1, GP_ECORRUPT, "destination: "},
        {"second directory of a day", "e/2023/10/1699920000", 0, GP_ECORRUPT, "two directories"},
        {"the same in the destination", "e/2023/10/1699920000", 1, GP_ECORRUPT, "two directories"},
        {"backup of another merge", "e/2023/11/1699920000.gpdb-merge-backup-1", 0, GP_OK, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pair p = pair_new();
        gp_err err = {0};
        st_put(p.src, "e", D + 300, 1, 1);
        st_put(p.dst, "e", D + 600, 2, 2);
        make_dir(cases[i].in_dst ? p.dst : p.src, cases[i].dir);
        gp_status got = godb_merge(p.src, p.dst, NULL, NULL, &err);
        if (got != cases[i].status || (cases[i].text && !strstr(err.msg, cases[i].text)))
            fail_msg("%s: %s (%s)", cases[i].what, err.msg, gp_status_name(got));
        want_no_leftovers(p.dst);
        pair_free(&p);
    }
}

/* The day stays in the month directory where another time zone put it. */
static void test_month_of_another_zone(void **state)
{
    (void)state;
    struct pair p = pair_new();
    gp_err err = {0};

    st_put(p.src, "e", D + 300, 1, 1);
    st_put(p.dst, "e", D + 600, 2, 2);
    GP_CLEANUP(gp_freep) char *a = gp_asprintf("%s/e/2023/11", p.dst);
    GP_CLEANUP(gp_freep) char *b = gp_asprintf("%s/e/2023/10", p.dst);
    assert_int_equal(rename(a, b), 0);
    want_ok_err(&err, godb_merge(p.src, p.dst, NULL, NULL, &err));
    GP_CLEANUP(gp_freep) char *day = st_only_day(p.dst, "e");
    assert_memory_equal(day, "e/2023/10/1699920000_2-", 23);
    pair_free(&p);
}

/* ---- damage ---- */

static void break_column(const char *root, const char *iface, const char *file, long at)
{
    GP_CLEANUP(gp_freep) char *day = st_only_day(root, iface);
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/%s/%s", root, day, file);
    GP_CLEANUP(gp_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0 && pwrite(fd, "\x09", 1, at) == 1);
}

static void test_damage(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        enum state src, dst;
        int break_src, break_dst; /* index of the block, -1 = none */
        int overwrite;
        gp_status status;
        const char *want;
        uint64_t dropped;
    } cases[] = {
        {"copy becomes a rebuild", COMPLETE, ABSENT, 0, -1, 0, GP_OK, ROW(T43300, "1"), 1},
        {"copy over another keeps its good block", COMPLETE, COMPLETE, 0, -1, 1, GP_OK,
         ROW(T100, "2") ROW(T43300, "1"), 1},
        {"left out of a rebuild", INCOMPLETE, ABSENT, 1, -1, 0, GP_OK, ROW(T100, "1"), 1},
        {"the other side steps in for the destination", INCOMPLETE, INCOMPLETE, -1, 0, 0, GP_OK,
         ROW(T100, "1") ROW(T400, "2"), 0},
        {"the destination would lose a block", COMPLETE, INCOMPLETE, -1, 1, 0, GP_ECORRUPT, NULL,
         0},
        {"both are damaged", INCOMPLETE, INCOMPLETE, 0, 0, 0, GP_ECORRUPT, NULL, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pair p = pair_new();
        struct seen seen = {{0}, {0}};
        godb_merge_stats st;
        gp_err err = {0};
        godb_merge_opts o = {
            .overwrite = cases[i].overwrite, .tolerance_s = 150, .on_note = on_note, .ctx = &seen};
        make_day(p.src, cases[i].src, 1);
        make_day(p.dst, cases[i].dst, 2);
        if (cases[i].break_src >= 0) /* two bytes a block: width and value */
            break_column(p.src, "e", "pkts_rcvd.gpf", 2 * cases[i].break_src);
        if (cases[i].break_dst >= 0)
            break_column(p.dst, "e", "pkts_rcvd.gpf", 2 * cases[i].break_dst);
        GP_CLEANUP(gp_freep) char *before = tree(p.dst);
        gp_status got = godb_merge(p.src, p.dst, &o, &st, &err);
        if (got != cases[i].status)
            fail_msg("%s: %s", cases[i].what, err.msg);
        if (cases[i].want) {
            GP_CLEANUP(gp_freep) char *have = st_dump(p.dst);
            if (strcmp(have, cases[i].want) != 0)
                fail_msg("%s: got\n%s", cases[i].what, have);
            assert_int_equal(st.blocks_dropped, cases[i].dropped);
            assert_true((strstr(gp_buf_str(&seen.notes), "left out") != NULL) ==
                        (cases[i].dropped > 0));
        } else {
            GP_CLEANUP(gp_freep) char *after = tree(p.dst);
            assert_non_null(strstr(err.msg, "destination: "));
            assert_string_equal(before, after);
        }
        want_no_leftovers(p.dst);
        seen_free(&seen);
        pair_free(&p);
    }
}

/* Nothing but damaged blocks, or none at all: no day is made. */
static void test_no_day_without_blocks(void **state)
{
    (void)state;
    struct pair p = pair_new();
    struct seen seen = {{0}, {0}};
    godb_merge_opts o = {.on_note = on_note, .ctx = &seen};
    godb_merge_stats st;
    gp_err err = {0};

    st_put(p.src, "e", D + 300, 1, 1);
    break_column(p.src, "e", "bytes_sent.gpf", 0);
    uint8_t empty[144] = {[7] = 1};
    make_dir(p.src, "f/2023/11/1699920000_0-0-0-0-0-0-0");
    GP_CLEANUP(gp_freep)
    char *meta = gp_asprintf("%s/f/2023/11/1699920000_0-0-0-0-0-0-0/.blockmeta", p.src);
    test_spew(meta, empty, sizeof empty);
    want_ok_err(&err, godb_merge(p.src, p.dst, &o, &st, &err));
    assert_int_equal(st.days_skipped, 2);
    assert_int_equal(st.blocks_dropped, 1);
    assert_non_null(strstr(gp_buf_str(&seen.notes), "has no blocks"));
    GP_CLEANUP(gp_freep) char *have = tree(p.dst);
    assert_null(strstr(have, "1699920000"));
    seen_free(&seen);
    pair_free(&p);
}

/* ---- other writers and leftovers ---- */

static void test_locked(void **state)
{
    (void)state;
    struct pair p = pair_new();
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    gp_err err = {0};

    st_put(p.src, "e", D + 300, 1, 1);
    want_ok(godb_writer_open(p.dst, "e", NULL, &w, NULL));
    want_err(GP_EEXIST, &err, "another process writes", godb_merge(p.src, p.dst, NULL, NULL, &err));
    want_no_leftovers(p.dst);
    pair_free(&p);
}

static void test_leftovers(void **state)
{
    (void)state;
    struct pair p = pair_new();
    struct seen seen = {{0}, {0}};
    godb_merge_opts o = {.on_note = on_note, .ctx = &seen};
    gp_err err = {0};

    st_put(p.src, "e", D + 900, 1, 1);
    /* day D: only a backup is left, because the merge died between two renames */
    st_put(p.dst, "e", D + 300, 2, 2);
    GP_CLEANUP(gp_freep) char *day = st_only_day(p.dst, "e");
    GP_CLEANUP(gp_freep) char *from = gp_asprintf("%s/%s", p.dst, day);
    GP_CLEANUP(gp_freep) char *to = gp_asprintf("%s.gpdb-merge-backup-17", from);
    assert_int_equal(rename(from, to), 0);
    /* the day after: the backup is not needed any more */
    st_put(p.dst, "e", D + 86400 + 300, 3, 3);
    GP_CLEANUP(gp_freep)
    char *next = gp_asprintf(
        "cd %s/e/2023/11 && cp -r 1700006400_* 1700006400_x.gpdb-merge-backup-9", p.dst);
    assert_int_equal(system(next), 0); /* layout: allow system - cp -r in a test */
    /* and one whose day lacks a block */
    st_put(p.dst, "e", D + 2 * 86400 + 300, 4, 4);
    GP_CLEANUP(gp_freep)
    char *keep =
        gp_asprintf("cd %s/e/2023/11 && cp -r 1700092800_* keep && rm -r 1700092800_*", p.dst);
    assert_int_equal(system(keep), 0); /* layout: allow system - cp -r in a test */
    st_put(p.dst, "e", D + 2 * 86400 + 600, 5, 5);
    GP_CLEANUP(gp_freep) char *k1 = gp_asprintf("%s/e/2023/11/keep", p.dst);
    GP_CLEANUP(gp_freep)
    char *k2 = gp_asprintf("%s/e/2023/11/1700092800_y.gpdb-merge-backup-3", p.dst);
    assert_int_equal(rename(k1, k2), 0);
    /* staging trees: of ours, dead; of another program, young */
    make_dir(p.dst, ".gpdb-merge-stage-fp1/e/2023/11/1699920000");
    make_dir(p.dst, ".gpdb-merge-stage-2/e");

    want_ok_err(&err, godb_merge(p.src, p.dst, &o, NULL, &err));
    const char *notes = gp_buf_str(&seen.notes);
    assert_non_null(strstr(notes, "back in place"));
    assert_non_null(strstr(notes, "1700092800_y.gpdb-merge-backup-3 is left alone"));
    assert_non_null(strstr(notes, ".gpdb-merge-stage-2 is left alone"));
    GP_CLEANUP(gp_freep) char *have = tree(p.dst);
    assert_null(strstr(have, "stage-fp1"));
    assert_null(strstr(have, "backup-9"));
    assert_null(strstr(have, "backup-17"));
    assert_non_null(strstr(have, "backup-3"));
    assert_non_null(strstr(have, "stage-2"));
    GP_CLEANUP(gp_freep) char *rows = st_dump(p.dst);
    assert_string_equal(rows, ROW("1699920300", "2") ROW("1699920900", "1") ROW("1700006700", "3")
                                  ROW("1700093400", "5"));
    seen_free(&seen);
    pair_free(&p);
}

/* ---- corpus: halves of the sample database merged are the sample database ---- */

static void copy_half(const godb_db *db, const char *iface, const char *root, unsigned half)
{
    godb_days days = {0};
    GP_CLEANUP(godb_reader_freep) godb_reader *r = NULL;
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    godb_writer_opts o = GODB_WRITER_OPTS_INIT;

    o.sync = GODB_SYNC_NONE;
    want_ok(godb_reader_new(&r, NULL));
    want_ok(godb_writer_open(root, iface, &o, &w, NULL));
    want_ok(godb_writer_begin_bulk(w, NULL));
    want_ok(godb_db_days(db, iface, 0, INT64_MAX, &days, NULL));
    for (size_t i = 0; i < days.n; i++) {
        GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
        want_ok(godb_day_open(db, &days.v[i], &d, NULL));
        for (size_t k = 0; k < godb_day_n_blocks(d); k++) {
            godb_rows rows;
            const godb_block *b = godb_day_block(d, k);
            if (k % 3 == half) /* the third third is in both */
                continue;
            want_ok(godb_reader_rows(r, d, k, &rows, NULL));
            want_ok(godb_writer_append(w, b->time_s, &rows, b->drops, NULL));
        }
    }
    want_ok(godb_writer_commit(w, NULL));
    godb_days_free(&days);
}

static void test_corpus_halves(void **state)
{
    (void)state;
    static const char db_path[] = SHARED_DIR "/corpus/upstream-testdb";
    if (!test_have_shared())
        skip();
    struct pair p = pair_new();
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL, *out = NULL;
    char **names = NULL;
    size_t n = 0;
    godb_merge_stats st;
    gp_err err = {0};

    want_ok(godb_db_open(db_path, &db, NULL));
    want_ok(godb_db_ifaces(db, &names, &n, NULL));
    for (size_t i = 0; i < n; i++) {
        copy_half(db, names[i], p.src, 0);
        copy_half(db, names[i], p.dst, 1);
    }
    want_ok_err(&err, godb_merge(p.src, p.dst, NULL, &st, &err));
    assert_int_equal(st.days_rebuilt, 14);
    assert_int_equal(st.conflicts_dst, 7 * (18 + 31));
    want_ok(godb_db_open(p.dst, &out, NULL));
    for (size_t i = 0; i < n; i++) {
        godb_days a = {0}, b = {0};
        want_ok(godb_db_days(db, names[i], 0, INT64_MAX, &a, NULL));
        want_ok(godb_db_days(out, names[i], 0, INT64_MAX, &b, NULL));
        assert_int_equal(a.n, b.n);
        for (size_t k = 0; k < a.n; k++)
            for (int c = -1; c < GODB_N_COLS; c++) {
                const char *file = c < 0 ? ".blockmeta" : godb_col_file((godb_col)c);
                GP_CLEANUP(gp_freep) char *x = gp_asprintf("%s/%s/%s", db_path, a.v[k].path, file);
                GP_CLEANUP(gp_freep) char *y = gp_asprintf("%s/%s/%s", p.dst, b.v[k].path, file);
                size_t nx, ny;
                GP_CLEANUP(gp_freep) char *bx = test_slurp(x, &nx);
                GP_CLEANUP(gp_freep) char *by = test_slurp(y, &ny);
                if (nx != ny || memcmp(bx, by, nx) != 0)
                    fail_msg("%s differs", y);
            }
        godb_days_free(&a);
        godb_days_free(&b);
    }
    godb_strv_free(names);
    pair_free(&p);
}

/* A complete day hit by defect D1 is not copied as it is. */
static void test_corpus_displaced(void **state)
{
    (void)state;
    if (!test_have_shared())
        skip();
    struct pair p = pair_new();
    godb_merge_opts o = {.tolerance_s = 90000};
    godb_merge_stats st;
    gp_err err = {0};

    want_ok_err(&err, godb_merge(SHARED_DIR "/corpus/d1-displaced/db", p.dst, &o, &st, &err));
    assert_int_equal(st.days_copied, 0);
    assert_int_equal(st.days_rebuilt, 1);
    assert_int_equal(st.blocks_dropped, 0);
    GP_CLEANUP(gp_freep) char *a = st_dump(SHARED_DIR "/corpus/d1-displaced/db");
    GP_CLEANUP(gp_freep) char *b = st_dump(p.dst);
    assert_string_equal(a, b);
    pair_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_complete),      cmocka_unit_test(test_actions),
        cmocka_unit_test(test_copy_is_exact), cmocka_unit_test(test_rebuild_content),
        cmocka_unit_test(test_selection),     cmocka_unit_test(test_preconditions),
        cmocka_unit_test(test_strange_names), cmocka_unit_test(test_month_of_another_zone),
        cmocka_unit_test(test_damage),        cmocka_unit_test(test_no_day_without_blocks),
        cmocka_unit_test(test_locked),        cmocka_unit_test(test_leftovers),
        cmocka_unit_test(test_corpus_halves), cmocka_unit_test(test_corpus_displaced),
    };
    st_utc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
