/* damage.h - a small database and every kind of damage to it, for the tests of check and repair. */
#ifndef DAMAGE_H
#define DAMAGE_H

#include "storetest.h"

#include "godb/check.h"
#include "godb/repair.h"
#include "gp/bytes.h"

enum { DAY = 1699920000, BLOCKS = 8 };
#define MONTH "eth0/2023/11"

/* The database under test. */
struct fixture {
    char *root;
    char *day; /* path of the first day of eth0, below the root */
};

static void fill(godb_writer *w, int64_t day_s, test_rng *rng)
{
    for (int i = 0; i < BLOCKS; i++) {
        godb_row rows[120];
        for (size_t k = 0; k < COUNT(rows); k++) {
            rows[k] = st_row("10.0.0.1", "192.0.2.9", 443, 6, 1000, 70000, 3, 4);
            test_rng_fill(rng, rows[k].dip, 4);
            rows[k].counter[0] = test_rng_u64(rng) >> 40;
        }
        st_append(w, day_s + 300 * (i + 1), rows, i == 3 ? 0 : COUNT(rows), 1);
    }
}

static struct fixture make(void)
{
    struct fixture x = {.root = test_tmpdir()};
    test_rng rng = test_rng_new(5);

    for (int i = 0; i < 2; i++) {
        godb_writer_opts o = GODB_WRITER_OPTS_INIT;
        godb_writer *w = NULL;
        o.sync = GODB_SYNC_NONE;
        want_ok(godb_writer_open(x.root, i ? "eth1" : "eth0", &o, &w, NULL));
        fill(w, DAY, &rng);
        if (i == 0) {
            x.day = st_only_day(x.root, "eth0");
            fill(w, DAY + GODB_DAY_S, &rng);
        }
        godb_writer_close(w);
    }
    return x;
}

static void drop(struct fixture *x)
{
    gp_free(x->day);
    test_tmpdirp(&x->root);
}

static char *in_day(const struct fixture *x, const char *file)
{
    char *p = gp_asprintf("%s/%s/%s", x->root, x->day, file);
    assert_non_null(p);
    return p;
}

/* Replace n bytes at off of a file of the day (from the end when negative). */
static void poke(const struct fixture *x, const char *file, long off, const void *bytes, size_t n)
{
    GP_CLEANUP(gp_freep) char *path = in_day(x, file);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    if (off < 0)
        off += lseek(fd, 0, SEEK_END);
    assert_int_equal(pwrite(fd, bytes, n, off), n);
    close(fd);
}

static void cut(const struct fixture *x, const char *file, long len)
{
    GP_CLEANUP(gp_freep) char *path = in_day(x, file);
    assert_int_equal(truncate(path, len), 0);
}

static void make_dir(const struct fixture *x, const char *rel)
{
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/%s", x->root, rel);
    assert_int_equal(mkdir(path, 0755), 0);
}

static void do_nothing(struct fixture *x)
{
    (void)x;
}
static void do_year(struct fixture *x)
{
    make_dir(x, "eth0/backup");
}
static void do_month(struct fixture *x)
{
    make_dir(x, "eth0/2023/nov");
}
static void do_day(struct fixture *x)
{
    make_dir(x, MONTH "/1699920001");
}
static void do_inside(struct fixture *x)
{
    GP_CLEANUP(gp_freep) char *p = in_day(x, "old");
    assert_int_equal(mkdir(p, 0755), 0);
}
static void do_duplicate(struct fixture *x)
{
    make_dir(x, MONTH "/1699920000");
}
static void do_backup(struct fixture *x)
{
    make_dir(x, MONTH "/1699920000_1-1.gpdb-merge-backup-123");
}
static void do_stage(struct fixture *x)
{
    make_dir(x, ".gpdb-merge-stage-77");
}
static void do_dead_stage(struct fixture *x)
{
    make_dir(x, ".gpdb-merge-stage-fp77"); /* ours, and nobody holds its lock */
    make_dir(x, ".gpdb-merge-stage-fp77/day");
}
static void do_twins(struct fixture *x)
{
    GP_CLEANUP(gp_freep) char *from = in_day(x, ".blockmeta");
    GP_CLEANUP(gp_freep) char *to = gp_asprintf("%s/" MONTH "/1699920000/.blockmeta", x->root);
    do_duplicate(x);
    assert_int_equal(link(from, to), 0);
    for (int c = 0; c < GODB_N_COLS; c++) {
        GP_CLEANUP(gp_freep) char *a = in_day(x, godb_col_file((godb_col)c));
        GP_CLEANUP(gp_freep)
        char *b = gp_asprintf("%s/" MONTH "/1699920000/%s", x->root, godb_col_file((godb_col)c));
        assert_int_equal(link(a, b), 0);
    }
}
static void do_other_iface(struct fixture *x)
{
    make_dir(x, "home");
    make_dir(x, "home/alice");
}
static void do_tmp(struct fixture *x)
{
    GP_CLEANUP(gp_freep) char *p = in_day(x, ".tmp-metadata-1");
    test_spew(p, "x", 1);
}
static void do_no_meta(struct fixture *x)
{
    GP_CLEANUP(gp_freep) char *p = in_day(x, ".blockmeta");
    assert_int_equal(unlink(p), 0);
}
static void do_empty_meta(struct fixture *x)
{
    cut(x, ".blockmeta", 0);
}
static void do_long_meta(struct fixture *x)
{
    cut(x, ".blockmeta", 144 + 88 * BLOCKS + 3);
}
static void do_zero_blocks(struct fixture *x)
{
    uint8_t zero[8] = {0};
    poke(x, ".blockmeta", 8, zero, 8);
    cut(x, ".blockmeta", 144);
}
static void do_bad_raw(struct fixture *x)
{
    uint8_t v[4] = {0, 0, 0, 9};
    poke(x, ".blockmeta", 72 + 8 + 4, v, 4); /* raw length of sip, block 0 */
}
static void do_order(struct fixture *x)
{
    GP_CLEANUP(gp_freep) char *index = in_day(x, ".index"); /* which would tell the right times */
    uint8_t v[4];
    assert_int_equal(unlink(index), 0);
    gp_put_be32(v, (uint32_t)-100);
    poke(x, ".blockmeta", 144 + 72 * BLOCKS + 16 * 4 + 12, v, 4);
}
static void do_short(struct fixture *x)
{
    cut(x, "dip.gpf", 100);
}
static void do_missing(struct fixture *x)
{
    GP_CLEANUP(gp_freep) char *p = in_day(x, "proto.gpf");
    assert_int_equal(unlink(p), 0);
}
static void do_tail(struct fixture *x)
{
    GP_CLEANUP(gp_freep) char *p = in_day(x, "dip.gpf");
    struct stat st;
    assert_int_equal(stat(p, &st), 0);
    assert_int_equal(truncate(p, st.st_size + 10), 0);
}
static void do_decode(struct fixture *x)
{
    poke(x, "sip.gpf", 0, "\xff\xff\xff", 3); /* lz4 */
}
static void do_width(struct fixture *x)
{
    poke(x, "bytes_rcvd.gpf", 0, "\x09", 1); /* raw counters: random */
}
static void do_flip(struct fixture *x)
{
    poke(x, "dip.gpf", 7, "\x55\x56", 2); /* raw addresses: nothing else notices */
}
static void do_rows(struct fixture *x)
{
    GP_CLEANUP(gp_freep) char *index = in_day(x, ".index"); /* which would tell that it is damage */
    assert_int_equal(unlink(index), 0);
    poke(x, "dip.gpf", 0, "\xff\xff", 2);
}
static void do_totals(struct fixture *x)
{
    uint8_t v[8] = {0, 0, 0, 0, 0, 0, 0, 7};
    poke(x, ".blockmeta", 40, v, 8);
}
static void do_suffix(struct fixture *x)
{
    GP_CLEANUP(gp_freep) char *from = gp_asprintf("%s/%s", x->root, x->day);
    GP_CLEANUP(gp_freep) char *to = gp_asprintf("%s/%s/1699920000_1-0-0-0-0-0-0", x->root, MONTH);
    assert_int_equal(rename(from, to), 0);
}
static void do_no_suffix(struct fixture *x)
{
    GP_CLEANUP(gp_freep) char *from = gp_asprintf("%s/%s", x->root, x->day);
    GP_CLEANUP(gp_freep) char *to = gp_asprintf("%s/%s/1699920000", x->root, MONTH);
    assert_int_equal(rename(from, to), 0);
}
static void do_index(struct fixture *x)
{
    poke(x, ".index", 30, "\x55\x56", 2);
}

static const struct {
    const char *what;
    void (*damage)(struct fixture *x);
    int kind; /* -1: nothing is found */
    godb_severity severity;
    int repair;    /* godb_repair_kind; -1: nothing to do */
    unsigned lost; /* blocks of the first day that are gone after the repair */
} cases[] = {
    {"sound", do_nothing, -1, GODB_NOTE, -1, 0},
    {"no suffix", do_no_suffix, -1, GODB_NOTE, -1, 0},
    {"stray year", do_year, GODB_PROBLEM_STRAY_NAME, GODB_WARNING, GODB_REPAIR_QUARANTINE, 0},
    {"stray month", do_month, GODB_PROBLEM_STRAY_NAME, GODB_WARNING, GODB_REPAIR_QUARANTINE, 0},
    {"stray day", do_day, GODB_PROBLEM_STRAY_NAME, GODB_WARNING, GODB_REPAIR_QUARANTINE, 0},
    {"directory in a day", do_inside, GODB_PROBLEM_STRAY_NAME, GODB_WARNING, GODB_REPAIR_LEAVE, 0},
    {"two directories of a day", do_duplicate, GODB_PROBLEM_DUPLICATE_DAY, GODB_WARNING,
     GODB_REPAIR_REMOVE, 0},
    {"backup of a merge", do_backup, GODB_PROBLEM_MERGE_LEFTOVER, GODB_WARNING, GODB_REPAIR_REMOVE,
     0},
    {"staging tree", do_stage, GODB_PROBLEM_MERGE_LEFTOVER, GODB_WARNING, GODB_REPAIR_LEAVE, 0},
    {"staging tree of a dead merge", do_dead_stage, GODB_PROBLEM_MERGE_LEFTOVER, GODB_WARNING,
     GODB_REPAIR_QUARANTINE, 0},
    {"two good directories of a day", do_twins, GODB_PROBLEM_DUPLICATE_DAY, GODB_WARNING,
     GODB_REPAIR_LEAVE, 0},
    {"directory that is no interface", do_other_iface, GODB_PROBLEM_STRAY_NAME, GODB_WARNING,
     GODB_REPAIR_LEAVE, 0},
    {"rows out of order", do_rows, GODB_PROBLEM_ROW_ORDER, GODB_WARNING, GODB_REPAIR_LEAVE, 0},
    {"temporary file", do_tmp, GODB_PROBLEM_TMP_FILE, GODB_NOTE, GODB_REPAIR_REMOVE, 0},
    {"no .blockmeta", do_no_meta, GODB_PROBLEM_META_MISSING, GODB_ERROR, GODB_REPAIR_QUARANTINE,
     BLOCKS},
    {"empty .blockmeta", do_empty_meta, GODB_PROBLEM_META_CORRUPT, GODB_ERROR,
     GODB_REPAIR_QUARANTINE, BLOCKS},
    {"bytes behind .blockmeta", do_long_meta, GODB_PROBLEM_META_ODD, GODB_WARNING,
     GODB_REPAIR_REBUILD, 0},
    {"zero blocks", do_zero_blocks, GODB_PROBLEM_NO_BLOCKS, GODB_WARNING, GODB_REPAIR_QUARANTINE,
     BLOCKS},
    {"wrong raw length", do_bad_raw, GODB_PROBLEM_BLOCK_UNUSABLE, GODB_ERROR, GODB_REPAIR_REBUILD,
     1},
    {"D4", do_order, GODB_PROBLEM_TIME_ORDER, GODB_WARNING, GODB_REPAIR_REBUILD, 0},
    {"short column", do_short, GODB_PROBLEM_COLUMN_SHORT, GODB_ERROR, GODB_REPAIR_REBUILD,
     BLOCKS - 1},
    {"missing column", do_missing, GODB_PROBLEM_COLUMN_SHORT, GODB_ERROR, GODB_REPAIR_REBUILD,
     BLOCKS - 1},
    {"tail", do_tail, GODB_PROBLEM_COLUMN_TAIL, GODB_NOTE, GODB_REPAIR_TRUNCATE, 0},
    {"bad lz4", do_decode, GODB_PROBLEM_DECODE, GODB_ERROR, GODB_REPAIR_REBUILD, 1},
    {"bad width", do_width, GODB_PROBLEM_DECODE, GODB_ERROR, GODB_REPAIR_REBUILD, 1},
    {"flipped bits", do_flip, GODB_PROBLEM_CHECKSUM, GODB_ERROR, GODB_REPAIR_REBUILD, 1},
    {"wrong totals", do_totals, GODB_PROBLEM_TOTALS, GODB_WARNING, GODB_REPAIR_REBUILD, 0},
    {"wrong suffix", do_suffix, GODB_PROBLEM_SUFFIX, GODB_WARNING, GODB_REPAIR_RENAME, 0},
    {"damaged index", do_index, GODB_PROBLEM_INDEX_STALE, GODB_NOTE, GODB_REPAIR_INDEX, 0},
};

#endif
