/* shared_day_test.c - one open day in the hands of several threads: its index, its column files and
 * its D1 scan are all made at the first use, by whoever comes first. For TSan.
 */
#include "storetest.h"

#include "godb/index.h"
#include "gp/pool.h"

#include <sched.h>
#include <stdatomic.h>

enum { DAY = 1699920000, BLOCKS = 24, ROWS = 1200, THREADS = 6, DAYS_OPENED = 20 };

/* What each thread has found: must be the same. */
struct found {
    const godb_index *index;
    uint64_t sum;
    unsigned covered, may_have;
};

struct shared {
    const godb_day *d;
    atomic_int there; /* threads that are about to look */
    struct found found[THREADS];
};

/* Random addresses: large raw columns, which are also scanned for D1. */
static void write_day(const char *root, int no_index)
{
    test_rng rng = test_rng_new(5);
    godb_writer_opts o = GODB_WRITER_OPTS_INIT;
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    GP_CLEANUP(godb_sorter_freep) godb_sorter *s = NULL;

    o.sync = GODB_SYNC_NONE;
    o.no_index = no_index;
    want_ok(godb_sorter_new(&s, NULL));
    want_ok(godb_writer_open(root, "eth0", &o, &w, NULL));
    for (int i = 0; i < BLOCKS; i++) {
        godb_rows rows;
        godb_sorter_clear(s);
        for (int k = 0; k < ROWS; k++) {
            godb_row r = {.family = 4, .proto = 6, .counter = {1, 2, 3, 4}};
            test_rng_fill(&rng, r.sip, 4);
            test_rng_fill(&rng, r.dip, 4);
            want_ok(godb_sorter_add(s, &r));
        }
        want_ok(godb_sorter_finish(s, 0, &rows, NULL));
        want_ok(godb_writer_append(w, DAY + 300 * (i + 1), &rows, 0, NULL));
    }
}

/* Of one thread; blocks in an order of its own. Fails no assertion: that is for the main thread. */
static void look(void *ctx, unsigned thread)
{
    struct shared *sh = ctx;
    struct found *f = &sh->found[thread];
    GP_CLEANUP(godb_reader_freep) godb_reader *r = NULL;
    const gp_addr none = {.family = 4, .bytes = {203, 0, 113, 7}};
    godb_index_key key = godb_index_key_of(GODB_COL_DIP, &none);

    if (godb_reader_new(&r, NULL) != GP_OK)
        return;
    atomic_fetch_add(&sh->there, 1); /* together, if the machine has the threads */
    for (int i = 0; i < 10000 && atomic_load(&sh->there) < THREADS; i++)
        sched_yield();
    f->index = godb_day_index(sh->d);
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t b = (i * 5 + thread * 7) % BLOCKS;
        godb_rows rows;
        if (f->index) {
            f->covered += (unsigned)godb_index_covers(f->index, b);
            f->may_have += (unsigned)godb_index_may_have(f->index, b, &key);
        }
        if (godb_reader_rows(r, sh->d, b, &rows, NULL) != GP_OK)
            continue;
        for (size_t k = 0; k < rows.n_v4; k++)
            f->sum += rows.dip[4 * k] + rows.counter[3][k];
    }
}

static void test_threads(void **state)
{
    (void)state;
    for (int no_index = 0; no_index < 2; no_index++) {
        GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
        GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
        godb_days days = {0};
        uint64_t sum = 0;

        write_day(root, no_index);
        want_ok(godb_db_open(root, &db, NULL));
        want_ok(godb_db_days(db, "eth0", 0, INT64_MAX, &days, NULL));
        assert_int_equal(days.n, 1);
        for (int i = 0; i < DAYS_OPENED; i++) {
            GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
            want_ok(godb_day_open(db, &days.v[0], &d, NULL));
            struct shared sh = {.d = d};
            want_ok(gp_parallel(THREADS, look, &sh, NULL));
            sum = sum ? sum : sh.found[0].sum;
            for (int t = 0; t < THREADS; t++) {
                const struct found *f = &sh.found[t];
                assert_true(f->sum == sum && sum > 0);
                assert_ptr_equal(f->index, sh.found[0].index);
                assert_int_equal(f->covered, no_index ? 0 : BLOCKS);
                assert_int_equal(f->may_have, sh.found[0].may_have);
                assert_true(f->may_have < BLOCKS);
            }
            assert_true((sh.found[0].index != NULL) == !no_index);
        }
        godb_days_free(&days);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads)};
    st_utc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
