/* torn_test.c - power loss: each file of the last write is cut or zeroed from every byte on.
 *
 * The day opens or says what is wrong, all earlier blocks read exactly, and the last one is right
 * or refused. When .blockmeta itself is lost the writer sets the day aside and goes on.
 */
#include "content.h"

#include "day.h"
#include "godb/index.h"

enum { DAY = 1699920000, BEFORE = 3 };

/* The day directory before and after the last write. */
struct snapshot {
    char *bytes[GODB_N_COLS + 2]; /* columns, .blockmeta, .index */
    size_t len[GODB_N_COLS + 2];
};

static const char *file_name(int i)
{
    return i < GODB_N_COLS    ? godb_col_file((godb_col)i)
           : i == GODB_N_COLS ? ".blockmeta"
                              : ".index";
}

static struct snapshot take(const char *root)
{
    GP_CLEANUP(gp_freep) char *day = st_only_day(root, "eth0");
    struct snapshot s;

    for (int i = 0; i < GODB_N_COLS + 2; i++) {
        GP_CLEANUP(gp_freep) char *p = gp_asprintf("%s/%s/%s", root, day, file_name(i));
        s.bytes[i] = test_slurp(p, &s.len[i]);
    }
    return s;
}

static void drop(struct snapshot *s)
{
    for (int i = 0; i < GODB_N_COLS + 2; i++)
        gp_free(s->bytes[i]);
}

static void append(const char *root, int64_t time_s, const char **note)
{
    static char text[512];
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    GP_CLEANUP(godb_sorter_freep) godb_sorter *s = NULL;
    godb_writer_opts o = GODB_WRITER_OPTS_INIT;
    gp_err err = {0};

    o.sync = GODB_SYNC_NONE;
    want_ok(godb_sorter_new(&s, NULL));
    want_ok_err(&err, godb_writer_open(root, "eth0", &o, &w, &err));
    godb_rows rows = content_block(s, time_s);
    want_ok_err(&err, godb_writer_append(w, time_s, &rows, content_drops(time_s), &err));
    const char *n = godb_writer_note(w);
    if (note) {
        snprintf(text, sizeof text, "%s", n ? n : "");
        *note = text;
    }
}

/* Block i of the day: 1 right, 0 refused; anything else fails the test. */
static int block_right(godb_reader *r, const godb_day *d, size_t i, godb_sorter *s, const char *ctx)
{
    godb_rows got, want;
    int64_t t = godb_day_block(d, i)->time_s;
    gp_err err = {0};

    if (godb_reader_rows(r, d, i, &got, &err) != GP_OK) {
        assert_true(err.msg[0] != '\0');
        return 0;
    }
    want = content_block(s, t);
    if (!content_equal(&got, &want))
        fail_msg("%s: block %zu has wrong rows", ctx, i);
    return 1;
}

/* What a reader makes of the damaged day. */
static void verify(const char *root, int file, const char *ctx)
{
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    GP_CLEANUP(godb_reader_freep) godb_reader *r = NULL;
    GP_CLEANUP(godb_sorter_freep) godb_sorter *s = NULL;
    GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
    godb_days days = {0};
    gp_err err = {0};

    want_ok(godb_db_open(root, &db, NULL));
    want_ok(godb_reader_new(&r, NULL));
    want_ok(godb_sorter_new(&s, NULL));
    want_ok(godb_db_days(db, "eth0", 0, INT64_MAX, &days, NULL));
    assert_int_equal(days.n, 1);
    gp_status st = godb_day_open(db, &days.v[0], &d, &err);
    godb_days_free(&days);
    if (st != GP_OK) {
        if (file != GODB_N_COLS) /* only .blockmeta can make a day unreadable */
            fail_msg("%s: %s", ctx, err.msg);
        assert_non_null(strstr(err.msg, ".blockmeta"));
        return;
    }
    for (size_t i = 0; i < godb_day_n_blocks(d); i++)
        if (!block_right(r, d, i, s, ctx) && i < BEFORE && file != GODB_N_COLS)
            fail_msg("%s: block %zu is lost", ctx, i);
}

/* File `file` gets its first n bytes, then zeros up to its length (or nothing). */
static void damage(const char *root, const struct snapshot *s, int file, size_t n, int zero)
{
    GP_CLEANUP(gp_freep) char *day = st_only_day(root, "eth0");
    GP_CLEANUP(gp_freep) char *p = gp_asprintf("%s/%s/%s", root, day, file_name(file));
    int fd = open(p, O_WRONLY | O_TRUNC | O_CREAT, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, s->bytes[file], n), n);
    if (zero)
        assert_int_equal(ftruncate(fd, (off_t)s->len[file]), 0);
    close(fd);
}

/* A database with BEFORE blocks and one more; *before is the day without that one. */
static char *make(int64_t last_s, struct snapshot *before, struct snapshot *after)
{
    char *root = test_tmpdir();

    for (int i = 0; i < BEFORE; i++)
        append(root, DAY + 300 * (i + 1), NULL);
    *before = take(root);
    append(root, last_s, NULL);
    *after = take(root);
    return root;
}

/* Times whose blocks are small, and large with raw columns. */
static int64_t time_with(size_t from, size_t to)
{
    static godb_row rows[CONTENT_MAX_ROWS];
    int64_t t = DAY + 3000;

    for (size_t n = content_rows(t, rows); n < from || n >= to; n = content_rows(t, rows))
        t++;
    return t;
}

static void every_byte(int64_t last_s, size_t step, size_t whole_below)
{
    struct snapshot before, after;
    GP_CLEANUP(test_tmpdirp) char *root = make(last_s, &before, &after);

    for (int f = 0; f < GODB_N_COLS + 2; f++) {
        size_t from = f < GODB_N_COLS ? before.len[f] : 0;
        for (size_t n = from; n < after.len[f]; n += after.len[f] - from < whole_below ? 1 : step)
            for (int zero = 0; zero < 2; zero++) {
                char ctx[128];
                snprintf(ctx, sizeof ctx, "%s %s from byte %zu of %zu", file_name(f),
                         zero ? "zeroed" : "cut", n, after.len[f]);
                damage(root, &after, f, n, zero);
                verify(root, f, ctx);
            }
        damage(root, &after, f, after.len[f], 0);
    }
    verify(root, -1, "restored");
    drop(&before);
    drop(&after);
}

static void test_small(void **state)
{
    (void)state;
    every_byte(time_with(20, 60), 1, SIZE_MAX);
}

static void test_large(void **state)
{
    (void)state;
    every_byte(time_with(1100, CONTENT_MAX_ROWS), 61, 600);
}

/* Writing goes on in a damaged day, and its readable blocks are still there. */
static void test_write_on(void **state)
{
    (void)state;
    static const struct {
        int file;
        size_t from;   /* byte of the last write-out, 0: of the file */
        size_t blocks; /* readable afterwards, the new one included */
    } cases[] = {
        {GODB_N_COLS, 0, 1},              /* .blockmeta empty */
        {GODB_N_COLS, 100, 1},            /* cut */
        {0, 0, 1},                        /* sip gone */
        {1, 1, BEFORE + 1},               /* dip of the last block */
        {5, 1, BEFORE + 1},               /* a counter */
        {GODB_N_COLS + 1, 0, BEFORE + 2}, /* index */
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int outside = 0; outside < 2; outside++) {
            struct snapshot before, after;
            const char *note = NULL;
            char *root = make(time_with(20, 60), &before, &after);
            GP_CLEANUP(gp_freep) char *q = gp_asprintf("%s.quarantine", root);
            size_t at = cases[i].from == 1 ? before.len[cases[i].file] + 1 : cases[i].from;
            GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
            GP_CLEANUP(godb_reader_freep) godb_reader *r = NULL;
            GP_CLEANUP(godb_sorter_freep) godb_sorter *s = NULL;
            size_t right = 0;

            if (outside) /* no quarantine possible: a file is in its place */
                test_spew(q, "x", 1);
            damage(root, &after, cases[i].file, at, 0);
            append(root, DAY + 50000, &note);
            want_ok(godb_db_open(root, &db, NULL));
            want_ok(godb_reader_new(&r, NULL));
            want_ok(godb_sorter_new(&s, NULL));
            GP_CLEANUP(godb_day_closep) godb_day *d = st_open_only(db, "eth0");
            for (size_t k = 0; k < godb_day_n_blocks(d); k++)
                right += (size_t)block_right(r, d, k, s, "written on");
            size_t want = outside && cases[i].file <= GODB_N_COLS ? 1 : cases[i].blocks;
            if (right != want || godb_day_n_blocks(d) != want)
                fail_msg("case %zu: %zu blocks are right, want %zu: %s", i, right, want, note);
            assert_true((cases[i].file <= GODB_N_COLS) == (strstr(note, "damaged") != NULL));
            if (outside)
                unlink(q);
            else
                test_rmtree(q);
            test_tmpdirp(&root);
            drop(&before);
            drop(&after);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_write_on),
    };
    st_utc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
