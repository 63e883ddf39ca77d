/* schedule_test.c - random faults of hosts, round after round: the result is always exactly that of
 * the hosts reported ok, every host has a true status, and nothing is left behind. */
#include "fanout_int.h"
#include "rig.h"

#include "gp/clock.h"

#include <unistd.h>

enum { HOSTS = 10, ROWS = 60, ROUNDS = 500, SILENT_MS = 600, PATIENT_MS = 30000 };

/* What a host's behaviour must be reported as. */
static result_code expected(sim_how h)
{
    switch (h) {
    case SIM_OK:
    case SIM_DELAY:
    case SIM_SLOW:
    case SIM_EARLY:
    case SIM_MORE_KINDS:
        return RESULT_OK;
    case SIM_SILENT:
        return RESULT_TIMEOUT;
    case SIM_DENY:
        return RESULT_DENIED;
    case SIM_BUSY:
        return RESULT_TOO_MANY_REQUESTS;
    case SIM_CUT:
    case SIM_EARLY_CUT:
        return RESULT_UNREACHABLE;
    default:
        return RESULT_ERROR;
    }
}

static sim_how pick(test_rng *g)
{
    uint64_t r = test_rng_below(g, 100);
    if (r < 50)
        return SIM_OK;
    if (r < 60)
        return SIM_DELAY;
    if (r == 60 && test_rng_below(g, 8) == 0) /* each costs max-wait */
        return SIM_SILENT;
    sim_how h;
    do
        h = (sim_how)test_rng_below(g, SIM_N_HOWS);
    while (h == SIM_SILENT);
    return h;
}

struct round {
    sim_how how[HOSTS];
    uint64_t limit;
    int merge, partials;
};

/* Snapshots count for nothing at the end, whatever becomes of the hosts they came from; on the way
 * they hold no more than all hosts have. */
static void on_any_partial(void *ctx, const result *r, unsigned done, unsigned total)
{
    unsigned *n = ctx;
    assert_true(done <= total && total == HOSTS);
    assert_true(r->n_rows <= HOSTS * ROWS);
    ++*n;
}

static void check(const struct round *q, size_t n, sim *s, const result *r)
{
    result_counters want = {0};
    size_t ok = 0;
    assert_int_equal(r->n_host_statuses, HOSTS);
    for (size_t i = 0; i < HOSTS; i++) {
        const result_host_status *h = rig_status(r, sim_host_name(s, i));
        if (h->code != expected(q->how[i]))
            fail_msg("round %zu: %s (%s): got %s \"%s\"", n, h->host, sim_how_name(q->how[i]),
                     result_code_name(h->code), h->message);
        if (h->code != RESULT_OK)
            continue;
        const result_counters *t = sim_totals(s, i);
        want.bytes_rcvd += t->bytes_rcvd;
        want.bytes_sent += t->bytes_sent;
        want.pkts_rcvd += t->pkts_rcvd;
        want.pkts_sent += t->pkts_sent;
        ok++;
    }
    if (memcmp(&want, &r->totals, sizeof want) != 0)
        fail_msg("round %zu: totals are not those of the %zu hosts reported ok", n, ok);
    if (!q->merge && r->hits_total != ok * ROWS)
        fail_msg("round %zu: %zu hits, want %zu", n, (size_t)r->hits_total, ok * ROWS);
    if (r->n_rows != (r->hits_total < q->limit ? r->hits_total : q->limit))
        fail_msg("round %zu: %zu rows of %zu hits", n, r->n_rows, (size_t)r->hits_total);
    if (r->hits_total > q->limit)
        return;
    result_counters sum = {0};
    for (size_t i = 0; i < r->n_rows; i++) {
        sum.bytes_rcvd += r->rows[i].c.bytes_rcvd;
        sum.bytes_sent += r->rows[i].c.bytes_sent;
        sum.pkts_rcvd += r->rows[i].c.pkts_rcvd;
        sum.pkts_sent += r->rows[i].c.pkts_sent;
    }
    if (memcmp(&sum, &want, sizeof sum) != 0)
        fail_msg("round %zu: the rows don't add up", n);
}

static void test_schedule(void **state)
{
    (void)state;
    test_rng g = test_rng_new(20261123);
    size_t rounds = test_rounds(ROUNDS);
    sim_opts so = {.n = HOSTS, .rows = ROWS, .shared_pct = 40, .seed = 3};
    fanout_limits l = {.partial_ms = 2};
    unsigned partials = 0;
    rig_fleet f;
    gp_err err = {0};
    rig_fleet_up(&f, &so, &l, "");
    for (size_t n = 0; n < rounds; n++) {
        struct round q = {.merge = test_rng_below(&g, 3) == 0,
                          .partials = test_rng_below(&g, 2) == 0};
        static const uint64_t limits[] = {1, 7, 100, 100000};
        q.limit = limits[test_rng_below(&g, COUNT(limits))];
        int64_t wait_ms = PATIENT_MS; /* only who says nothing may cost the time allowed */
        for (size_t i = 0; i < HOSTS; i++) {
            q.how[i] = pick(&g);
            if (q.how[i] == SIM_SILENT)
                wait_ms = SILENT_MS;
            sim_behave(f.s, i, q.how[i], (unsigned)test_rng_below(&g, 15));
        }
        query_stmt *stmt = rig_prepare("sip,dip", q.limit, q.merge);
        remote_opts o = rig_client(&f.r, f.s);
        o.max_wait_ms = wait_ms;
        o.on_partial = q.partials ? on_any_partial : NULL;
        o.ctx = &partials;
        result res = {0};
        if (remote_query(stmt, &o, &res, &err) != GP_OK)
            fail_msg("round %zu: %s", n, err.msg);
        check(&q, n, f.s, &res);
        result_clear(&res);
        query_stmt_free(stmt);
        fair_counts c;
        fair_count(f.r.fanout->fair, &c);
        assert_int_equal(c.running + c.waiting + c.calls + c.users, 0);
        assert_int_equal(c.bytes, 0);
    }
    assert_true(partials > 0 || rounds < 20);
    rig_fleet_down(&f);
}

/* Snapshots that a client saw. */
struct seen {
    unsigned early; /* with rows of the host that is still at work, and others */
};

static void on_partial(void *ctx, const result *r, unsigned done, unsigned total)
{
    struct seen *s = ctx;
    unsigned rows[3] = {0};
    assert_int_equal(total, 3);
    for (size_t i = 0; i < r->n_rows; i++)
        rows[r->hosts[r->rows[i].host].name[9] - '0']++;
    if (done <= 1 && rows[0] == ROWS && rows[1] == 5 && r->hits_total == ROWS + 5)
        s->early++;
}

/* Rows of a host that is not done reach the client, and are gone when its answer is there. */
static void test_early_rows(void **state)
{
    (void)state;
    sim_opts so = {.n = 3, .rows = ROWS, .seed = 6};
    fanout_limits l = {.partial_ms = 20};
    rig_fleet f;
    rig_fleet_up(&f, &so, &l, "");
    sim_behave(f.s, 1, SIM_EARLY, 1000);
    sim_behave(f.s, 2, SIM_SILENT, 0);
    query_stmt *stmt = rig_prepare("sip,dip", 1000, 0);
    struct seen seen = {0};
    remote_opts o = rig_client(&f.r, f.s);
    o.on_partial = on_partial;
    o.ctx = &seen;
    o.max_wait_ms = 3000;
    result res = rig_ask(&o, stmt);
    assert_true(seen.early > 0);
    assert_int_equal(res.hits_total, 2 * ROWS);
    assert_int_equal(rig_status(&res, sim_host_name(f.s, 2))->code, RESULT_TIMEOUT);
    result_clear(&res);
    query_stmt_free(stmt);
    rig_fleet_down(&f);
}

static void on_no_rows(void *ctx, const result *r, unsigned done, unsigned total)
{
    (void)ctx, (void)r, (void)done, (void)total;
}

/* There is no memory for a snapshot: it is left out, and the answer that comes when there is some
 * again counts. */
static void test_early_rows_without_memory(void **state)
{
    (void)state;
    sim_opts so = {.n = 1, .rows = ROWS, .seed = 6};
    fanout_limits l = {.partial_ms = 5, .share = {.mem_bytes = 1 << 20, .mem_total = 1 << 20}};
    rig_fleet f;
    rig_query q;
    gp_err err = {0};
    rig_fleet_up(&f, &so, &l, "");
    sim_behave(f.s, 0, SIM_EARLY, 1000);
    fair_query *hog = NULL;
    gp_cancel never = GP_CANCEL_INIT;
    auth_peer who = {.local_uid = -1, .sign_pk = {1}};
    want_ok_err(&err, fair_enter(f.r.fanout->fair, &who, &never, &hog, &err));
    assert_true(fair_bytes_take(hog, 1 << 20)); /* all there is */
    query_stmt *stmt = rig_prepare("sip,dip", 1000, 0);
    remote_opts o = rig_client(&f.r, f.s);
    o.on_partial = on_no_rows;
    rig_query_start(&q, &o, stmt);
    while (sim_running(f.s) == 0)
        usleep(1000);
    usleep(100000); /* the snapshot comes now; if it came later, nothing would be shown, or wrong */
    fair_bytes_give(hog, 1 << 20);
    fair_leave(hog);
    rig_query_wait(&q);
    assert_int_equal(q.st, GP_OK);
    assert_int_equal(q.hits, ROWS);
    query_stmt_free(stmt);
    rig_fleet_down(&f);
}

/* The client gives up in mid-query: every host is told. How soon is measured by build/bench/fleet
 * --cancel; the bound here only has to be shorter than any timer that would end the query. */
static void test_cancel_reaches_hosts(void **state)
{
    (void)state;
    sim_opts so = {.n = HOSTS, .rows = 1, .seed = 4};
    rig_fleet f;
    rig_query q;
    rig_fleet_up(&f, &so, NULL, "");
    for (size_t i = 0; i < HOSTS; i++)
        sim_behave(f.s, i, SIM_SILENT, 0);
    query_stmt *stmt = rig_prepare("sip", 10, 0);
    remote_opts o = rig_client(&f.r, f.s);
    rig_query_start(&q, &o, stmt);
    while (sim_running(f.s) < HOSTS)
        usleep(1000);
    int64_t start = gp_mono_ns();
    gp_cancel_set(&q.cancel, GP_ECANCELLED);
    rig_query_wait(&q);
    assert_int_equal(q.st, GP_ECANCELLED);
    for (int i = 0; sim_running(f.s) && i < 10000; i++)
        usleep(1000);
    assert_int_equal(sim_running(f.s), 0);
    int64_t took_ms = (sim_told_ns(f.s) - start) / 1000000;
    print_message("cancel reached %d hosts within %lld ms\n", HOSTS, (long long)took_ms);
    assert_true(took_ms <= 1000);
    query_stmt_free(stmt);
    rig_fleet_down(&f);
}

static void test_admission(void **state)
{
    (void)state;
    sim_opts so = {.n = 2, .rows = 5, .seed = 5};
    fanout_limits l = {.share = {.max_concurrent = 3, .max_per_user = 1, .max_queue_ms = -1}};
    rig_fleet f;
    rig_query q;
    result res = {0};
    gp_err err = {0};
    rig_fleet_up(&f, &so, &l, "");
    sim_behave(f.s, 0, SIM_DELAY, 800);
    query_stmt *stmt = rig_prepare("sip", 10, 0);
    remote_opts o = rig_client(&f.r, f.s);
    rig_query_start(&q, &o, stmt);
    while (fanout_running(f.r.fanout) == 0)
        usleep(1000);
    want_err(GP_ELIMIT, &err, "queries of yours", remote_query(stmt, &o, &res, &err));
    rig_query_wait(&q);
    assert_int_equal(q.st, GP_OK);
    res = rig_ask(&o, stmt);
    result_clear(&res);
    query_stmt_free(stmt);
    rig_fleet_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedule),
        cmocka_unit_test(test_cancel_reaches_hosts),
        cmocka_unit_test(test_admission),
        cmocka_unit_test(test_early_rows),
        cmocka_unit_test(test_early_rows_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
