/* partial_test.c - snapshots of a running query: rows that the end will have, sums that only grow,
 * and no trace of them in the result. */
#include "fixture.h"

#include "godb/codec.h"

#include <string.h>

enum { SHOWN = 20, CHECKED = 8 };

typedef struct watch {
    const result *end; /* all rows */
    result_order order;
    unsigned n;
    uint64_t hits;
} watch;

static int same_group(const result *a, const result_row *x, const result *b, const result_row *y)
{
    return x->time_s == y->time_s && memcmp(x->sip, y->sip, 16) == 0 &&
           memcmp(x->dip, y->dip, 16) == 0 && x->dport == y->dport && x->proto == y->proto &&
           x->sip_family == y->sip_family && strcmp(a->names[x->iface], b->names[y->iface]) == 0 &&
           strcmp(a->hosts[x->host].name, b->hosts[y->host].name) == 0;
}

static void check_row(const watch *w, const result *r, const result_row *row)
{
    for (size_t i = 0; i < w->end->n_rows; i++) {
        const result_row *e = &w->end->rows[i];
        if (!same_group(r, row, w->end, e))
            continue;
        assert_true(row->c.bytes_rcvd <= e->c.bytes_rcvd && row->c.bytes_sent <= e->c.bytes_sent);
        assert_true(row->c.pkts_rcvd <= e->c.pkts_rcvd && row->c.pkts_sent <= e->c.pkts_sent);
        return;
    }
    fail_msg("a snapshot has a row that the result has not");
}

static void on_partial(void *ctx, const result *r)
{
    watch *w = ctx;

    assert_true(r->n_rows <= SHOWN && r->n_rows <= r->hits_total);
    assert_true(r->hits_total >= w->hits && r->hits_total <= w->end->hits_total);
    assert_true(r->totals.bytes_rcvd <= w->end->totals.bytes_rcvd);
    for (size_t i = 1; i < r->n_rows; i++)
        assert_true(result_row_cmp(r, &w->order, &r->rows[i - 1], &r->rows[i]) <= 0);
    for (size_t i = 0; i < r->n_rows && w->n < CHECKED; i++)
        check_row(w, r, &r->rows[i]);
    w->hits = r->hits_total;
    w->n++;
}

static void same_result(const char *what, const result *a, const result *b)
{
    if (a->n_rows != b->n_rows || a->hits_total != b->hits_total ||
        memcmp(&a->totals, &b->totals, sizeof a->totals) != 0)
        fail_msg("%s: the result is another one with snapshots", what);
    for (size_t i = 0; i < a->n_rows; i++)
        if (!same_group(a, &a->rows[i], b, &b->rows[i]) ||
            memcmp(&a->rows[i].c, &b->rows[i].c, sizeof a->rows[i].c) != 0)
            fail_msg("%s: row %zu is another one with snapshots", what, i);
}

static void test_snapshots(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    fixture_db(dir, "eth0", 2, 200, 30, GODB_CODEC_LZ4);
    fixture_db(dir, "eth1", 1, 200, 30, GODB_CODEC_LZ4);
    static const char *const queries[] = {"sip,dip",    "sip",      "dport,proto", "proto",
                                          "time,dport", "time,sip", "raw"};
    static const uint64_t limits[] = {0, 10};
    godb_db *db = NULL;
    gp_err err = {0};

    want_ok_err(&err, godb_db_open(dir, &db, &err));
    for (size_t i = 0; i < COUNT(queries) * COUNT(limits) * 2; i++) {
        const char *q = queries[i / 4];
        query_stmt *s = fixture_stmt(q, NULL, NULL, NULL, NULL);
        exec_opts o = {.host = "h", .host_id = "1", .threads = 1 + i % 2};
        result all, plain, out;
        want_ok_err(&err, exec_run(db, s, &o, &all, &err));
        o.max_rows = limits[i / 2 % 2];
        want_ok_err(&err, exec_run(db, s, &o, &plain, &err));
        watch w = {.end = &all, .order = result_order_of(s)};
        o.partial = on_partial;
        o.partial_ctx = &w;
        o.partial_rows = SHOWN;
        want_ok_err(&err, exec_run(db, s, &o, &out, &err));
        same_result(q, &plain, &out);
        /* Two workers may come to the end before both have handed over. */
        if (o.threads == 1 && (w.n == 0 || w.hits == 0))
            fail_msg("%s: %u snapshots, the last of %zu groups", q, w.n, (size_t)w.hits);
        result_clear(&all);
        result_clear(&plain);
        result_clear(&out);
        query_stmt_free(s);
    }
    godb_db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_snapshots)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
