/* daywriter_test.c - bulks write in large pieces: the same files as block by block, nothing lost
 * when a write fails in between. */
#include "storetest.h"

#include "godb/codec.h"
#include "gp/bytes.h"

#include <signal.h>
#include <sys/resource.h>

enum { BLOCKS = 40, ROWS = 4000, DAY = 1699920000 };

static uint64_t next(uint64_t *x)
{
    *x = *x * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return *x >> 20;
}

/* Rows that do not compress: a column of BLOCKS blocks takes several pieces. */
static gp_status append(godb_writer *w, unsigned block, uint64_t *sum, gp_err *err)
{
    GP_CLEANUP(godb_sorter_freep) godb_sorter *s = NULL;
    uint64_t x = block + 1;
    godb_rows sorted;

    want_ok(godb_sorter_new(&s, NULL));
    for (unsigned i = 0; i < ROWS; i++) {
        godb_row r = {.family = 4, .proto = 6, .dport = (uint16_t)next(&x)};
        gp_put_le32(r.sip, (uint32_t)next(&x));
        gp_put_le32(r.dip, i);
        r.counter[0] = next(&x) & 0xffffffff;
        *sum += r.counter[0];
        want_ok(godb_sorter_add(s, &r));
    }
    want_ok(godb_sorter_finish(s, 0, &sorted, NULL));
    return godb_writer_append(w, DAY + 300 * (int64_t)(block + 1), &sorted, 0, err);
}

static godb_writer *writer(const char *root)
{
    godb_writer_opts o = GODB_WRITER_OPTS_INIT;
    godb_writer *w = NULL;

    o.codec = GODB_CODEC_LZ4;
    o.sync = GODB_SYNC_NONE;
    want_ok(godb_writer_open(root, "eth0", &o, &w, NULL));
    return w;
}

/* Sum of the first counter over all rows, through verified reads. */
static uint64_t stored_sum(const char *root, size_t *blocks)
{
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    GP_CLEANUP(godb_reader_freep) godb_reader *r = NULL;
    uint64_t sum = 0;

    want_ok(godb_db_open(root, &db, NULL));
    want_ok(godb_reader_new(&r, NULL));
    GP_CLEANUP(godb_day_closep) godb_day *d = st_open_only(db, "eth0");
    *blocks = godb_day_n_blocks(d);
    for (size_t b = 0; b < *blocks; b++) {
        godb_rows rows;
        want_ok(godb_reader_rows(r, d, b, &rows, NULL));
        for (unsigned i = 0; i < rows.n_v4; i++)
            sum += rows.counter[0][i];
    }
    return sum;
}

static void same_file(const char *one, const char *other, const char *name)
{
    GP_CLEANUP(gp_freep) char *pa = gp_asprintf("%s/%s", one, name);
    GP_CLEANUP(gp_freep) char *pb = gp_asprintf("%s/%s", other, name);
    size_t na, nb;
    GP_CLEANUP(gp_freep) char *a = test_slurp(pa, &na);
    GP_CLEANUP(gp_freep) char *b = test_slurp(pb, &nb);

    if (na != nb || memcmp(a, b, na) != 0)
        fail_msg("%s differs", name);
}

static void test_same_files(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *bulk = test_tmpdir();
    GP_CLEANUP(test_tmpdirp) char *single = test_tmpdir();
    godb_writer *a = writer(bulk), *b = writer(single);
    uint64_t sum = 0, again = 0;
    size_t n;

    want_ok(godb_writer_begin_bulk(a, NULL));
    for (unsigned i = 0; i < BLOCKS; i++) {
        want_ok(append(a, i, &sum, NULL));
        want_ok(append(b, i, &again, NULL));
    }
    want_ok(godb_writer_commit(a, NULL));
    godb_writer_close(a);
    godb_writer_close(b);
    GP_CLEANUP(gp_freep) char *da = st_only_day(bulk, "eth0");
    GP_CLEANUP(gp_freep) char *db = st_only_day(single, "eth0");
    GP_CLEANUP(gp_freep) char *pa = gp_asprintf("%s/%s", bulk, da);
    GP_CLEANUP(gp_freep) char *pb = gp_asprintf("%s/%s", single, db);
    for (int c = 0; c < GODB_N_COLS; c++)
        same_file(pa, pb, godb_col_file((godb_col)c));
    same_file(pa, pb, ".blockmeta");
    assert_int_equal(stored_sum(bulk, &n), sum);
    assert_int_equal(n, BLOCKS);
}

/* The disk is full for a while: blocks that were accepted before and after are all there. */
static void test_failed_write(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    godb_writer *w = writer(root);
    struct rlimit old, tight;
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    uint64_t sum = 0;
    unsigned accepted = 0, refused = 0;
    size_t n;
    gp_err err = {0};

    assert_int_equal(sigaction(SIGXFSZ, &ignore, NULL), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    tight = old;
    tight.rlim_cur = 100000;
    want_ok(godb_writer_begin_bulk(w, NULL));
    for (unsigned i = 0; i < BLOCKS; i++) {
        uint64_t one = 0;
        if (i == BLOCKS / 4 || i == BLOCKS / 2)
            assert_int_equal(setrlimit(RLIMIT_FSIZE, i == BLOCKS / 2 ? &old : &tight), 0);
        if (append(w, i, &one, &err) == GP_OK) {
            sum += one;
            accepted++;
        } else {
            refused++;
        }
    }
    assert_true(refused > 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    want_status(GP_EIO, godb_writer_commit(w, NULL));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    want_ok_err(&err, godb_writer_commit(w, &err));
    godb_writer_close(w);
    assert_int_equal(stored_sum(root, &n), sum);
    assert_int_equal(n, accepted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_files),
                                       cmocka_unit_test(test_failed_write)};
    st_utc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
