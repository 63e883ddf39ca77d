/* cond.c - condition variables on the monotonic clock; see gp/cond.h. */
#include "gp/cond.h"

#include <errno.h>
#include <time.h>

enum { NS = 1000000000 };

void gp_cond_init(pthread_cond_t *c)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(c, &attr);
    pthread_condattr_destroy(&attr);
}

int gp_cond_wait(pthread_cond_t *c, pthread_mutex_t *m, gp_deadline d)
{
    if (d == GP_NEVER) {
        pthread_cond_wait(c, m);
        return 0;
    }
    const struct timespec ts = {.tv_sec = d / NS, .tv_nsec = d % NS};
    return pthread_cond_timedwait(c, m, &ts) == ETIMEDOUT;
}
