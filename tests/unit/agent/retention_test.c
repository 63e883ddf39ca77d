/* retention_test.c - db.retention: old days go without being asked, the end does not wait. */
#include "retention.h"

#include "dbdump.h"
#include "gp/clock.h"

#include <time.h>

enum { OLD = 1699920000, PATIENCE_S = 60 };

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static double metric(rt_metrics *m, const char *name)
{
    gp_buf b = {0};
    double v = -1;
    char want[80];

    rt_metrics_text(m, &b);
    (void)snprintf(want, sizeof want, "\n%s ", name);
    const char *at = strstr(gp_buf_str(&b), want);
    if (at)
        (void)sscanf(at + strlen(want), "%lf", &v);
    gp_buf_free(&b);
    return v;
}

/* Two days of 2023, changed then, too, and one of today. */
static char *make_db(void)
{
    char *root = test_tmpdir();
    GP_CLEANUP(gp_freep) char *old = gp_asprintf("find %s -exec touch -d @1700000000 {} +", root);

    st_put(root, "e", OLD + 300, 1, 1);
    st_put(root, "e", OLD + 86400 + 300, 2, 2);
    assert_int_equal(system(old), 0); /* layout: allow system - touch in a test */
    st_put(root, "e", gp_wall_s() / 300 * 300, 3, 3);
    return root;
}

static size_t lines(const char *root)
{
    GP_CLEANUP(gp_freep) char *dump = st_dump(root);
    size_t n = 0;

    for (const char *s = dump; *s; s++)
        n += *s == '\n';
    return n;
}

static void test_old_days_go(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = make_db();
    agent_retention_limits l = {.max_age_s = 90 * 86400, .interval_ms = 20};
    agent_retention *r = NULL;
    rt_metrics *m = NULL;
    gp_err err = {0};
    size_t all = lines(root);

    want_ok(rt_metrics_new(&m, &err));
    want_ok_err(&err, agent_retention_start(root, &l, 0, m, &r, &err));
    assert_non_null(r);
    gp_deadline until = gp_deadline_in_ms(PATIENCE_S * 1000);
    while (metric(m, "goprobe_retention_last_run_timestamp_seconds") <= 0 &&
           !gp_deadline_passed(until))
        pause_ms(5);
    assert_true(metric(m, "goprobe_retention_last_run_timestamp_seconds") > 0);
    agent_retention_stop(r);
    assert_int_equal(metric(m, "goprobe_retention_deleted_days_total"), 2);
    assert_true(metric(m, "goprobe_retention_deleted_bytes_total") > 0);
    assert_int_equal(metric(m, "goprobe_retention_failures_total"), 0);
    assert_true(all > lines(root) && lines(root) > 0); /* today stays */
    rt_metrics_free(m);
}

/* What cannot be met, and a database that is not there: counted, and tried again. */
static void test_goes_on(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = test_tmpdir();
    GP_CLEANUP(gp_freep) char *gone = gp_asprintf("%s/none", root);
    agent_retention_limits l = {.min_free_percent = 100, .interval_ms = 1};
    agent_retention *r = NULL;
    rt_metrics *m = NULL;
    gp_err err = {0};

    want_ok(rt_metrics_new(&m, &err));
    want_ok_err(&err, agent_retention_start(gone, &l, 0, m, &r, &err));
    gp_deadline until = gp_deadline_in_ms(PATIENCE_S * 1000);
    while (metric(m, "goprobe_retention_failures_total") < 3 && !gp_deadline_passed(until))
        pause_ms(5);
    agent_retention_stop(r);
    assert_true(metric(m, "goprobe_retention_failures_total") >= 3);
    rt_metrics_free(m);
}

static void test_end_does_not_wait(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *root = make_db();
    agent_retention_limits none = {0}, l = {.max_age_s = 1, .interval_ms = 3600000};
    agent_retention *r = NULL;
    gp_err err = {0};
    size_t all = lines(root);

    want_ok(agent_retention_start(root, &none, 0, NULL, &r, &err));
    assert_null(r); /* no limits, no thread */
    want_ok_err(&err, agent_retention_start(root, &l, 3600000, NULL, &r, &err));
    agent_retention_stop(r); /* would sit here for an hour */
    assert_int_equal(lines(root), all);
    agent_retention_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_old_days_go),
        cmocka_unit_test(test_goes_on),
        cmocka_unit_test(test_end_does_not_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
