/* cond_test.c - waiting for a signal, and no longer than until a deadline. */
#include "gp/cond.h"

#include "test.h"

struct box {
    pthread_mutex_t mu;
    pthread_cond_t cond;
    int full;
};

static void *fill(void *arg)
{
    struct box *b = arg;
    pthread_mutex_lock(&b->mu);
    b->full = 1;
    pthread_cond_signal(&b->cond);
    pthread_mutex_unlock(&b->mu);
    return NULL;
}

static void test_signal(void **state)
{
    (void)state;
    const gp_deadline until[] = {GP_NEVER, gp_deadline_in_ms(60000)};
    for (size_t i = 0; i < COUNT(until); i++) {
        struct box b = {.mu = PTHREAD_MUTEX_INITIALIZER};
        pthread_t t;
        gp_cond_init(&b.cond);
        pthread_mutex_lock(&b.mu);
        assert_int_equal(pthread_create(&t, NULL, fill, &b), 0);
        while (!b.full)
            assert_int_equal(gp_cond_wait(&b.cond, &b.mu, until[i]), 0);
        pthread_mutex_unlock(&b.mu);
        pthread_join(t, NULL);
        pthread_cond_destroy(&b.cond);
    }
}

/* A deadline of the monotonic clock, which counts from the start of the machine: one of another
 * clock would be over at once, or in fifty years. */
static void test_deadline(void **state)
{
    (void)state;
    struct box b = {.mu = PTHREAD_MUTEX_INITIALIZER};
    gp_deadline d = gp_deadline_in_ms(20);
    gp_cond_init(&b.cond);
    pthread_mutex_lock(&b.mu);
    while (!gp_cond_wait(&b.cond, &b.mu, d))
        assert_false(gp_deadline_passed(d + INT64_C(60000000000)));
    assert_true(gp_deadline_passed(d));
    assert_int_equal(gp_cond_wait(&b.cond, &b.mu, gp_mono_ns() - 1), 1); /* over already */
    pthread_mutex_unlock(&b.mu);
    pthread_cond_destroy(&b.cond);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signal),
        cmocka_unit_test(test_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
