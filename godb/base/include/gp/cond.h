/* cond.h - condition variables whose waits end by the monotonic clock. */
#ifndef GP_COND_H
#define GP_COND_H

#include "gp/clock.h"

#include <pthread.h>

/* To be ended with pthread_cond_destroy(). */
void gp_cond_init(pthread_cond_t *c);
/* Wait for a signal, with m held, until d at most (GP_NEVER: for ever). 0: there was one, or, as
 * with every condition, none; 1: d is over. c: of gp_cond_init(). */
int gp_cond_wait(pthread_cond_t *c, pthread_mutex_t *m, gp_deadline d);

#endif
