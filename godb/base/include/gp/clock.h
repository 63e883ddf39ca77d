/* clock.h - wall and monotonic time, deadlines, cancellation. */
#ifndef GP_CLOCK_H
#define GP_CLOCK_H

#include "gp/err.h"

#include <stdatomic.h>
#include <stdint.h>

int64_t gp_wall_s(void);  /* Unix seconds */
int64_t gp_wall_ns(void); /* Unix nanoseconds */
int64_t gp_mono_ns(void); /* monotonic nanoseconds; only differences mean something */
int64_t gp_mono_ms(void);

/* A point on the monotonic clock, in ns; GP_NEVER = no deadline. Plain value, copied freely. */
typedef int64_t gp_deadline;
#define GP_NEVER INT64_MAX

/* now + ms (saturating); ms < 0 or INT64_MAX gives GP_NEVER. */
gp_deadline gp_deadline_in_ms(int64_t ms);
/* Milliseconds left, rounded up: 0 when passed, INT64_MAX for GP_NEVER. */
int64_t gp_deadline_left_ms(gp_deadline d);
static inline int gp_deadline_passed(gp_deadline d)
{
    return d != GP_NEVER && gp_mono_ns() >= d;
}

/* Why a running job must stop: set by any thread, polled by workers once per block. */
typedef struct gp_cancel {
    atomic_int flag; /* 0 = go on, else the gp_status to return (GP_ECANCELLED, GP_ELIMIT, ...) */
    gp_deadline deadline;
} gp_cancel;

#define GP_CANCEL_INIT                                                                             \
    {                                                                                              \
        0, GP_NEVER                                                                                \
    }

/* GP_OK, or GP_ECANCELLED / GP_EDEADLINE / whatever was set. c may be NULL (GP_OK). */
gp_status gp_cancel_check(gp_cancel *c);
/* Stop the job for this reason; the first reason stays. Any thread, also a signal handler. */
void gp_cancel_set(gp_cancel *c, gp_status why);

#endif
