/* clock.c - see gp/clock.h. */
#include "gp/clock.h"

#include <time.h>

static int64_t now_ns(clockid_t id)
{
    struct timespec ts = {0};

    (void)clock_gettime(id, &ts); /* cannot fail for the two clocks used here */
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t gp_wall_s(void)
{
    return now_ns(CLOCK_REALTIME) / 1000000000;
}

int64_t gp_wall_ns(void)
{
    return now_ns(CLOCK_REALTIME);
}

int64_t gp_mono_ns(void)
{
    return now_ns(CLOCK_MONOTONIC);
}

int64_t gp_mono_ms(void)
{
    return now_ns(CLOCK_MONOTONIC) / 1000000;
}

gp_deadline gp_deadline_in_ms(int64_t ms)
{
    int64_t ns;

    if (ms < 0 || __builtin_mul_overflow(ms, (int64_t)1000000, &ns) ||
        __builtin_add_overflow(ns, gp_mono_ns(), &ns))
        return GP_NEVER;
    return ns;
}

int64_t gp_deadline_left_ms(gp_deadline d)
{
    if (d == GP_NEVER)
        return INT64_MAX;
    int64_t now = gp_mono_ns();
    if (d <= now)
        return 0;
    int64_t left = d - now;
    return left / 1000000 + (left % 1000000 != 0); /* up: poll() must not wake before it */
}

gp_status gp_cancel_check(gp_cancel *c)
{
    if (!c)
        return GP_OK;
    int flag = atomic_load_explicit(&c->flag, memory_order_relaxed);
    if (flag == 0 && gp_deadline_passed(c->deadline)) {
        gp_cancel_set(c, GP_EDEADLINE); /* all workers report the same reason */
        flag = atomic_load_explicit(&c->flag, memory_order_relaxed);
    }
    return (gp_status)flag;
}

void gp_cancel_set(gp_cancel *c, gp_status why)
{
    int go_on = 0;

    (void)atomic_compare_exchange_strong(&c->flag, &go_on, (int)why);
}
