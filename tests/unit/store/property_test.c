/* property_test.c - random databases round trip: any sizes, families, counters, codecs, sync, bulk.
 */
#include "storetest.h"

#include "godb/check.h"
#include "godb/index.h"

enum { DAY = 1699920000, CASES = 2000, MAX_BLOCKS = 6, BIG = 70000 };

/* What was written. */
struct block {
    int64_t time_s;
    uint32_t drops;
    godb_rows rows; /* owned copies */
};

static void *copy(const void *p, size_t n)
{
    void *c = gp_alloc(n + 1, 1);
    assert_non_null(c);
    if (n)
        memcpy(c, p, n);
    return c;
}

static void keep(struct block *b, const godb_rows *r)
{
    size_t n = (size_t)r->n_v4 + r->n_v6, w = 4 * (size_t)r->n_v4 + 16 * (size_t)r->n_v6;

    b->rows = *r;
    b->rows.sip = copy(r->sip, w);
    b->rows.dip = copy(r->dip, w);
    b->rows.proto = copy(r->proto, n);
    b->rows.dport = copy(r->dport, 2 * n);
    for (size_t k = 0; k < GODB_N_COUNTERS; k++)
        b->rows.counter[k] = copy(r->counter[k], 8 * n);
}

static void forget(struct block *b)
{
    const void *p[] = {b->rows.sip,        b->rows.dip,        b->rows.proto,
                       b->rows.dport,      b->rows.counter[0], b->rows.counter[1],
                       b->rows.counter[2], b->rows.counter[3]};
    for (size_t i = 0; i < COUNT(p); i++)
        gp_free((void *)(uintptr_t)p[i]);
}

static void want_rows(const godb_rows *a, const godb_rows *b, size_t round)
{
    size_t n = (size_t)a->n_v4 + a->n_v6, w = 4 * (size_t)a->n_v4 + 16 * (size_t)a->n_v6;

    if (a->n_v4 != b->n_v4 || a->n_v6 != b->n_v6)
        fail_msg("case %zu: row counts differ", round);
    int same =
        n == 0 || (memcmp(a->sip, b->sip, w) == 0 && memcmp(a->dip, b->dip, w) == 0 &&
                   memcmp(a->proto, b->proto, n) == 0 && memcmp(a->dport, b->dport, 2 * n) == 0);
    for (size_t k = 0; k < GODB_N_COUNTERS && n; k++)
        same = same && memcmp(a->counter[k], b->counter[k], 8 * n) == 0;
    if (!same)
        fail_msg("case %zu: rows differ", round);
}

/* Random rows; span narrows addresses so that keys repeat. */
static void fill(godb_sorter *s, test_rng *rng, size_t n)
{
    uint64_t span = 1 + test_rng_below(rng, 1u << test_rng_below(rng, 25));
    uint64_t v6_in = 1 + test_rng_below(rng, 4);
    unsigned bits = (unsigned)test_rng_below(rng, 65);

    godb_sorter_clear(s);
    for (size_t i = 0; i < n; i++) {
        godb_row r = {.family = test_rng_below(rng, v6_in) ? 4 : 6,
                      .proto = (uint8_t)test_rng_below(rng, 1 + span % 256),
                      .dport = (uint16_t)test_rng_below(rng, 1 + span % 65536)};
        uint64_t a = test_rng_below(rng, span), b = test_rng_below(rng, span);
        memcpy(r.sip, &a, r.family == 4 ? 4 : 8);
        memcpy(r.dip, &b, r.family == 4 ? 4 : 8);
        for (size_t k = 0; k < GODB_N_COUNTERS; k++)
            r.counter[k] =
                bits == 64 ? test_rng_u64(rng) : test_rng_u64(rng) & ((UINT64_C(1) << bits) - 1);
        want_ok(godb_sorter_add(s, &r));
    }
}

static size_t random_size(test_rng *rng, size_t round)
{
    if (round % 400 == 7)
        return (size_t)test_rng_below(rng, BIG + 1);
    return (size_t)test_rng_below(rng, test_rng_below(rng, 8) ? 60 : 1500);
}

static size_t write_case(const char *root, test_rng *rng, godb_sorter *s, size_t round,
                         struct block blocks[MAX_BLOCKS])
{
    godb_writer_opts o = GODB_WRITER_OPTS_INIT;
    GP_CLEANUP(godb_writer_closep) godb_writer *w = NULL;
    size_t n = 1 + (size_t)test_rng_below(rng, MAX_BLOCKS);
    int64_t t = DAY + (int64_t)test_rng_below(rng, GODB_DAY_S);
    int bulk = test_rng_below(rng, 2) == 0;
    gp_err err = {0};

    o.codec = (uint8_t)(1 + test_rng_below(rng, 3));
    o.level = (int)test_rng_below(rng, 9);
    o.sync = GODB_SYNC_NONE;
    o.no_index = test_rng_below(rng, 3) == 0;
    want_ok_err(&err, godb_writer_open(root, "eth0", &o, &w, &err));
    if (bulk)
        want_ok(godb_writer_begin_bulk(w, &err));
    for (size_t i = 0; i < n; i++) {
        godb_rows rows;
        t += 1 + (int64_t)test_rng_below(rng, test_rng_below(rng, 4) ? 600 : 2 * GODB_DAY_S);
        fill(s, rng, random_size(rng, round));
        want_ok_err(&err, godb_sorter_finish(s, 0, &rows, &err));
        blocks[i] = (struct block){.time_s = t, .drops = (uint32_t)(test_rng_u64(rng) >> 33)};
        keep(&blocks[i], &rows);
        want_ok_err(&err, godb_writer_append(w, t, &rows, blocks[i].drops, &err));
    }
    if (bulk)
        want_ok_err(&err, godb_writer_commit(w, &err));
    const char *note = godb_writer_note(w);
    if (note)
        fail_msg("case %zu: note: %s", round, note);
    return n;
}

static void read_case(const char *root, godb_reader *r, const struct block *blocks, size_t n,
                      size_t round)
{
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    godb_days days = {0};
    size_t at = 0;
    gp_err err = {0};

    want_ok(godb_db_open(root, &db, NULL));
    want_ok(godb_db_days(db, "eth0", blocks[0].time_s, blocks[n - 1].time_s, &days, NULL));
    for (size_t k = 0; k < days.n; k++) {
        GP_CLEANUP(godb_day_closep) godb_day *d = NULL;
        want_ok_err(&err, godb_day_open(db, &days.v[k], &d, &err));
        assert_true(days.v[k].has_totals);
        assert_memory_equal(&days.v[k].totals, godb_day_totals(d), sizeof(godb_totals));
        for (size_t i = 0; i < godb_day_n_blocks(d); i++, at++) {
            godb_rows rows;
            assert_true(at < n && godb_day_block(d, i)->time_s == blocks[at].time_s);
            assert_true(godb_day_block(d, i)->drops == blocks[at].drops);
            want_ok_err(&err, godb_reader_rows(r, d, i, &rows, &err));
            want_rows(&rows, &blocks[at].rows, round);
        }
    }
    assert_int_equal(at, n);
    godb_days_free(&days);
}

static void no_problem(void *ctx, const godb_problem *p)
{
    fail_msg("case %zu: check: %s: %s", *(size_t *)ctx, p->path, p->text);
}

static void test_round_trip(void **state)
{
    (void)state;
    test_rng rng = test_rng_new(42);
    GP_CLEANUP(godb_reader_freep) godb_reader *r = NULL;
    GP_CLEANUP(godb_sorter_freep) godb_sorter *s = NULL;

    want_ok(godb_reader_new(&r, NULL));
    want_ok(godb_sorter_new(&s, NULL));
    for (size_t round = 0; round < test_rounds(CASES); round++) {
        GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
        struct block blocks[MAX_BLOCKS];
        size_t n = write_case(root, &rng, s, round, blocks);
        read_case(root, r, blocks, n, round);
        if (round % 10 == 0) {
            GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
            godb_check_opts o = GODB_CHECK_OPTS_INIT;
            godb_check_stats stats;
            o.threads = 1;
            want_ok(godb_db_open(root, &db, NULL));
            want_ok(godb_check(db, &o, no_problem, &round, &stats, NULL));
            assert_int_equal(stats.blocks, n);
        }
        for (size_t i = 0; i < n; i++)
            forget(&blocks[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip)};
    st_utc();
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
