/* differential_test.c - random databases and queries: the engine against the plain evaluator.
 *
 * TEST_ROUNDS=60 makes a long run (60 * 400 pairs; fewer under sanitizers), TEST_SEED looks for new
 * cases.
 */
#include "exec/exec.h"
#include "naive.h"
#include "randdb.h"
#include "randq.h"

/* Fewer rounds where code runs ten times slower. */
#if defined(__SANITIZE_THREAD__)
enum { DATABASES = 3 };
#elif defined(__SANITIZE_ADDRESS__)
enum { DATABASES = 10 };
#else
enum { DATABASES = 20 };
#endif
enum { QUERIES = 20 };

/* What a stream delivered. */
typedef struct collected {
    result_row *v;
    size_t n, cap;
    char **names; /* interface of row i */
} collected;

static gp_status collect(void *ctx, const result *labels, const result_row *rows, size_t n)
{
    collected *c = ctx;

    assert_true(n > 0 && n <= 8192);
    if (c->n + n > c->cap) {
        c->cap = (c->n + n) * 2;
        c->v = gp_realloc(c->v, c->cap, sizeof *c->v);
        assert_non_null(c->v);
    }
    for (size_t i = 0; i < n; i++) {
        assert_true(rows[i].iface < labels->n_names);
        c->v[c->n++] = rows[i];
    }
    return GP_OK;
}

static void prepare(const randq *r, query_stmt **out)
{
    query_env env = {.now_s = RANDDB_DAY0 + 50 * 86400};
    query_problems problems = {0};
    query_args a;
    gp_err err = {0};

    want_ok(query_args_init(&a));
    want_ok(query_args_set(&a.query, r->query_text));
    want_ok(query_args_set(&a.ifaces, r->ifaces_text));
    want_ok(query_args_set(&a.condition, r->cond_text));
    want_ok(query_args_set(&a.first, r->first));
    want_ok(query_args_set(&a.last, r->last));
    want_ok(query_args_set(&a.sort_by, r->sort_by));
    want_ok(query_args_set(&a.time_resolution, r->resolution));
    a.in = r->in;
    a.out = r->out;
    a.sum = r->sum;
    a.sort_ascending = r->q.ascending;
    a.low_mem = r->low_mem;
    if (query_prepare(&a, &env, out, &problems, &err) != GP_OK)
        fail_msg("prepare \"%s\" \"%s\": %s", r->query_text, r->cond_text,
                 problems.n ? problems.v[0].message : err.msg);
    query_args_clear(&a);
}

/* Where the answers differ, or NULL. */
static const char *row_diff(const result_row *got, const char *iface, const naive_row *want,
                            const char *const *names, const naive_query *q)
{
    static const uint8_t none[16];
    int ip = q->sip || q->dip;

    if (strcmp(iface, names[want->iface]) != 0)
        return "interface";
    if (got->time_s != want->time_s)
        return "time";
    if (got->sip_family != (q->sip ? want->family : 0) || memcmp(got->sip, want->sip, 16) != 0)
        return "sip";
    if (got->dip_family != (q->dip ? want->family : 0) || memcmp(got->dip, want->dip, 16) != 0)
        return "dip";
    if (!ip && memcmp(got->sip, none, 16) != 0)
        return "address without being asked";
    if (got->dport != want->dport)
        return "dport";
    if (got->proto != want->proto)
        return "proto";
    const uint64_t c[4] = {got->c.bytes_rcvd, got->c.bytes_sent, got->c.pkts_rcvd,
                           got->c.pkts_sent};
    return memcmp(c, want->c, sizeof c) ? "counters" : NULL;
}

static void explain(const randq *r, const char *what, size_t row, size_t got, size_t want)
{
    fail_msg(
        "%s differs (row %zu; %zu rows, want %zu)\n  query %s -i %s -c \"%s\" -f %s -l %s -s %s"
        "%s%s%s%s bin '%s' limit %llu threads %u%s%s",
        what, row, got, want, r->query_text, r->ifaces_text, r->cond_text, r->first, r->last,
        r->sort_by, r->in ? " --in" : "", r->out ? " --out" : "", r->sum ? " --sum" : "",
        r->q.ascending ? " -a" : "", r->resolution, (unsigned long long)r->limit, r->threads,
        r->low_mem ? " low-mem" : "", r->stream ? " stream" : "");
}

static void compare(const randq *r, const randdb *db, const result *out, const result_row *rows,
                    size_t n, const naive_result *want)
{
    size_t shown = want->n;

    if (!r->stream && r->limit && r->limit < shown)
        shown = (size_t)r->limit;
    if (out->hits_total != want->n)
        explain(r, "hits.total", 0, out->hits_total, want->n);
    if (n != shown)
        explain(r, "number of rows", 0, n, shown);
    if (out->totals.bytes_rcvd != want->totals[0] || out->totals.bytes_sent != want->totals[1] ||
        out->totals.pkts_rcvd != want->totals[2] || out->totals.pkts_sent != want->totals[3])
        explain(r, "totals", 0, n, shown);
    for (size_t i = 0; i < n; i++) {
        const char *d =
            row_diff(&rows[i], out->names[rows[i].iface], &want->v[i], db->names, &r->q);
        if (d)
            explain(r, d, i, n, shown);
    }
}

static void one_pair(const godb_db *g, const randdb *db, const randq *r)
{
    query_stmt *stmt = NULL;
    result out;
    gp_err err = {0};
    naive_result want;
    collected got = {0};
    exec_opts o = {.bin = !r->bin_late,
                   .threads = r->threads,
                   .max_rows = r->limit,
                   .host = "h",
                   .host_id = "1"};

    prepare(r, &stmt);
    naive_run(db->rows, db->n, db->names, &r->q, &want);
    if (r->stream) {
        naive_stream_order(&want, db->names);
        want_ok_err(&err, exec_stream(g, stmt, &o, collect, &got, &out, &err));
        compare(r, db, &out, got.v, got.n, &want);
    } else {
        want_ok_err(&err, exec_run(g, stmt, &o, &out, &err));
        if (r->bin_late)
            want_ok_err(&err, result_bin(&out, stmt, &err));
        compare(r, db, &out, out.rows, out.n_rows, &want);
    }
    result_clear(&out);
    gp_free(got.v);
    naive_result_free(&want);
    query_stmt_free(stmt);
}

static void test_differential(void **state)
{
    (void)state;
    test_rng rng = test_rng_new(20240611);
    size_t n = test_rounds(DATABASES), pairs = 0;

    for (size_t i = 0; i < n; i++) {
        GP_CLEANUP(godb_db_closep) godb_db *g = NULL;
        gp_err err = {0};
        randdb db;
        randdb_make(&db, &rng);
        want_ok_err(&err, godb_db_open(db.dir, &g, &err));
        for (unsigned k = 0; k < QUERIES; k++, pairs++) {
            randq r;
            randq_make(&r, &db, &rng);
            one_pair(g, &db, &r);
            randq_free(&r);
        }
        randdb_free(&db);
    }
    print_message("%zu pairs of database and query\n", pairs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_differential),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
