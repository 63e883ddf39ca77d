/* pool_test.c - gp/pool.h: every job runs once, limits, stop and free; made for TSan, too. */
#include "test.h"

#include "gp/clock.h"
#include "gp/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

static atomic_int ran;

static void count_job(void *arg)
{
    (void)arg;
    atomic_fetch_add(&ran, 1);
}

static void mark_job(void *arg)
{
    ++*(int *)arg; /* not atomic: each job has its own, and wait() must order it before the read */
}

/* A job that stays until it is let go; bounded, so that a bug cannot hang the suite. */
struct gate {
    atomic_int entered, open;
};

static void gate_job(void *arg)
{
    struct gate *g = arg;
    atomic_fetch_add(&g->entered, 1);
    for (int64_t until = gp_mono_ms() + 30000; !atomic_load(&g->open) && gp_mono_ms() < until;)
        (void)sched_yield();
}

static void wait_entered(struct gate *g, int n)
{
    for (int64_t until = gp_mono_ms() + 30000; atomic_load(&g->entered) < n;) {
        if (gp_mono_ms() > until)
            fail_msg("only %d of %d jobs started", atomic_load(&g->entered), n);
        (void)sched_yield();
    }
}

static void test_every_job_once(void **state)
{
    (void)state;
    static const unsigned threads[] = {1, 2, 7, 64};
    enum { N = 3000 };
    static int marks[N];

    for (size_t t = 0; t < COUNT(threads); t++) {
        gp_pool *p = NULL;
        want_ok(gp_pool_new(threads[t], 0, "test", &p, NULL));
        memset(marks, 0, sizeof marks);
        for (int round = 1; round <= 3; round++) { /* wait() is no end */
            for (size_t i = 0; i < N; i++)
                want_ok(gp_pool_submit(p, mark_job, &marks[i]));
            gp_pool_wait(p);
            for (size_t i = 0; i < N; i++)
                assert_int_equal(marks[i], round);
        }
        gp_pool_wait(p); /* nothing to wait for */
        gp_pool_free(p);
    }
    gp_pool_free(NULL);
}

static int order[1000];
static int n_order;

static void note_job(void *arg)
{
    order[n_order++] = *(int *)arg; /* one worker */
}

/* First in, first out, also when the ring grows while its start is somewhere in the middle. */
static void test_fifo(void **state)
{
    (void)state;
    static int numbers[COUNT(order)];
    gp_pool *p = NULL;
    struct gate g = {0};

    want_ok(gp_pool_new(1, 0, "test", &p, NULL));
    n_order = 0;
    for (size_t i = 0; i < 40; i++) { /* moves the start of the ring */
        want_ok(gp_pool_submit(p, count_job, NULL));
        gp_pool_wait(p);
    }
    want_ok(gp_pool_submit(p, gate_job, &g));
    wait_entered(&g, 1);
    for (size_t i = 0; i < COUNT(order); i++) {
        numbers[i] = (int)i;
        want_ok(gp_pool_submit(p, note_job, &numbers[i]));
    }
    atomic_store(&g.open, 1);
    gp_pool_free(p);
    assert_int_equal(n_order, COUNT(order));
    for (size_t i = 0; i < COUNT(order); i++)
        assert_int_equal(order[i], i);
}

static void test_at_the_same_time(void **state)
{
    (void)state;
    gp_pool *p = NULL;
    int marks[2] = {0};
    struct gate g = {0};

    want_ok(gp_pool_new(2, 0, "test", &p, NULL));
    want_ok(gp_pool_submit(p, gate_job, &g));
    want_ok(gp_pool_submit(p, gate_job, &g));
    wait_entered(&g, 2); /* two jobs really run at the same time */
    want_ok(gp_pool_submit(p, mark_job, &marks[0]));
    atomic_store(&g.open, 1);
    gp_pool_wait(p);
    assert_int_equal(marks[0], 1);
    gp_pool_free(p);
}

static void test_limit_stop_free(void **state)
{
    (void)state;
    gp_pool *p = NULL;
    struct gate g = {0};

    want_ok(gp_pool_new(1, 3, "test", &p, NULL));
    want_ok(gp_pool_submit(p, gate_job, &g));
    wait_entered(&g, 1); /* it is out of the queue now */
    atomic_store(&ran, 0);
    for (int i = 0; i < 3; i++)
        want_ok(gp_pool_submit(p, count_job, NULL));
    want_status(GP_ELIMIT, gp_pool_submit(p, count_job, NULL));
    gp_pool_stop(p);
    gp_pool_stop(p);
    want_status(GP_EUNAVAILABLE, gp_pool_submit(p, count_job, NULL));
    assert_int_equal(atomic_load(&ran), 0);
    atomic_store(&g.open, 1);
    gp_pool_free(p); /* finishes what is queued */
    assert_int_equal(atomic_load(&ran), 3);
}

static void *submit_many(void *arg)
{
    for (int i = 0; i < 2000; i++)
        if (gp_pool_submit(arg, count_job, NULL) != GP_OK)
            break;
    return NULL;
}

struct again {
    gp_pool *pool;
    int left;
};

static void submit_again(void *arg)
{
    struct again *a = arg;
    atomic_fetch_add(&ran, 1);
    if (a->left-- > 0 && gp_pool_submit(a->pool, submit_again, a) != GP_OK) /* from inside a job */
        a->left = 0; /* the count of runs will tell */
}

static void test_many_submitters(void **state)
{
    (void)state;
    gp_pool *p = NULL;
    pthread_t t[4];

    want_ok(gp_pool_new(3, 0, "test", &p, NULL));
    struct again a = {p, 500};
    atomic_store(&ran, 0);
    for (size_t i = 0; i < COUNT(t); i++)
        assert_int_equal(pthread_create(&t[i], NULL, submit_many, p), 0);
    want_ok(gp_pool_submit(p, submit_again, &a));
    for (size_t i = 0; i < COUNT(t); i++)
        assert_int_equal(pthread_join(t[i], NULL), 0);
    gp_pool_wait(
        p); /* a job that submits another is still running then, so this covers the chain */
    assert_int_equal(atomic_load(&ran), 4 * 2000 + 501);
    gp_pool_free(p);
}

static char seen_name[16];
static sigset_t seen_mask;

static void look_around(void *arg)
{
    (void)arg;
    (void)pthread_getname_np(pthread_self(), seen_name, sizeof seen_name);
    (void)pthread_sigmask(SIG_BLOCK, NULL, &seen_mask);
}

static void test_thread_environment(void **state)
{
    (void)state;
    gp_pool *p = NULL;
    gp_err err = {0};
    sigset_t before, after;

    (void)pthread_sigmask(SIG_BLOCK, NULL, &before);
    want_ok(gp_pool_new(1, 0, "elevenchars-and-more", &p, NULL));
    want_ok(gp_pool_submit(p, look_around, NULL));
    gp_pool_free(p);
    assert_string_equal(seen_name, "elevenchars-0");
    assert_true(sigismember(&seen_mask, SIGTERM)); /* the main thread's business */
    assert_true(sigismember(&seen_mask, SIGHUP));
    assert_false(sigismember(&seen_mask, SIGSEGV));
    assert_false(sigismember(&seen_mask, SIGSYS));
    (void)pthread_sigmask(SIG_BLOCK, NULL, &after);
    for (int s = 1; s < 32; s++)
        assert_int_equal(sigismember(&before, s), sigismember(&after, s));

    want_err(GP_EINVAL, &err, "1 to 256 threads, not 0", gp_pool_new(0, 0, "x", &p, &err));
    want_err(GP_EINVAL, &err, "not 257", gp_pool_new(257, 0, "x", &p, &err));
}

static void mark_index(void *ctx, unsigned i)
{
    ((int *)ctx)[i]++;
}

static atomic_int together;

static void meet(void *ctx, unsigned i)
{
    (void)i;
    int n = *(const int *)ctx;
    atomic_fetch_add(&together, 1);
    for (int64_t until = gp_mono_ms() + 30000; atomic_load(&together) < n && gp_mono_ms() < until;)
        (void)sched_yield();
}

static void test_parallel(void **state)
{
    (void)state;
    static const unsigned ns[] = {0, 1, 2, 3, 16, 256};
    int marks[257], n = 4;
    gp_err err = {0};

    for (size_t k = 0; k < COUNT(ns); k++) {
        memset(marks, 0, sizeof marks);
        want_ok(gp_parallel(ns[k], mark_index, marks, NULL));
        for (unsigned i = 0; i < COUNT(marks); i++)
            assert_int_equal(marks[i], i < ns[k]);
    }
    memset(marks, 0, sizeof marks);
    want_err(GP_EINVAL, &err, "at most 256", gp_parallel(257, mark_index, marks, &err));
    assert_int_equal(marks[0], 0);

    atomic_store(&together, 0); /* all four are inside at the same time */
    want_ok(gp_parallel(4, meet, &n, NULL));
    assert_int_equal(atomic_load(&together), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_job_once),   cmocka_unit_test(test_fifo),
        cmocka_unit_test(test_at_the_same_time), cmocka_unit_test(test_limit_stop_free),
        cmocka_unit_test(test_many_submitters),  cmocka_unit_test(test_thread_environment),
        cmocka_unit_test(test_parallel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
