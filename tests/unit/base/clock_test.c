/* clock_test.c - clocks, deadlines and cancellation of gp/clock.h. */
#include "test.h"

#include "gp/clock.h"

#include <time.h>

static void test_clocks(void **state)
{
    (void)state;
    struct timespec ts;

    assert_int_equal(clock_gettime(CLOCK_REALTIME, &ts), 0);
    int64_t s = gp_wall_s(), ns = gp_wall_ns();
    assert_in_range((uint64_t)s, (uint64_t)ts.tv_sec, (uint64_t)ts.tv_sec + 60);
    assert_in_range((uint64_t)(ns / 1000000000), (uint64_t)s, (uint64_t)s + 60);

    int64_t a = gp_mono_ns(), b = gp_mono_ns(), ms = gp_mono_ms();
    assert_true(b >= a);
    assert_in_range((uint64_t)ms, (uint64_t)(b / 1000000), (uint64_t)(b / 1000000) + 60000);
}

static void test_deadline(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int64_t ms;
        int never;
    } cases[] = {
        {"negative", -1, 1},
        {"most negative", INT64_MIN, 1},
        {"most", INT64_MAX, 1},
        {"ns overflow", INT64_MAX / 1000000 + 1, 1},
        {"sum overflows", INT64_MAX / 1000000, 1},
        {"an hour", 3600000, 0},
        {"now", 0, 0},
        {"a year", 31536000000, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        gp_deadline d = gp_deadline_in_ms(cases[i].ms);
        if ((d == GP_NEVER) != cases[i].never)
            fail_msg("%s: got %" PRId64, cases[i].what, d);
        int64_t left = gp_deadline_left_ms(d);
        if (cases[i].never ? left != INT64_MAX : left > cases[i].ms || left < cases[i].ms - 60000)
            fail_msg("%s: %" PRId64 " ms left", cases[i].what, left);
    }
    assert_true(gp_deadline_passed(gp_deadline_in_ms(0)));
    assert_false(gp_deadline_passed(gp_deadline_in_ms(3600000)));
    assert_false(gp_deadline_passed(GP_NEVER));
    assert_true(gp_deadline_passed(1));
    assert_int_equal(gp_deadline_left_ms(1), 0);
    assert_int_equal(gp_deadline_left_ms(INT64_MIN), 0);
    assert_int_equal(gp_deadline_left_ms(gp_mono_ns() + 3600 * INT64_C(1000000000)), 3600000);
}

static void test_cancel(void **state)
{
    (void)state;
    gp_cancel c = GP_CANCEL_INIT;

    assert_int_equal(gp_cancel_check(NULL), GP_OK);
    assert_int_equal(gp_cancel_check(&c), GP_OK);
    c.deadline = gp_deadline_in_ms(3600000);
    assert_int_equal(gp_cancel_check(&c), GP_OK);
    c.deadline = 1;
    assert_int_equal(gp_cancel_check(&c), GP_EDEADLINE);
    gp_cancel_set(&c, GP_ECANCELLED); /* the first reason stays */
    assert_int_equal(gp_cancel_check(&c), GP_EDEADLINE);

    gp_cancel d = GP_CANCEL_INIT;
    gp_cancel_set(&d, GP_ELIMIT);
    gp_cancel_set(&d, GP_ECANCELLED);
    d.deadline = 1;
    assert_int_equal(gp_cancel_check(&d), GP_ELIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
