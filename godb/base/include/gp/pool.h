/* pool.h - fixed set of worker threads that run independent jobs. Locked inside. */
#ifndef GP_POOL_H
#define GP_POOL_H

#include "gp/err.h"

#include <stddef.h>

typedef struct gp_pool gp_pool;
typedef void (*gp_job)(void *arg);

/* n_threads workers (1..256) and a queue of at most max_queued jobs (0 = unlimited).
 * name: at most 11 characters, shown in thread listings. */
gp_status gp_pool_new(unsigned n_threads, size_t max_queued, const char *name, gp_pool **out,
                      gp_err *err) GP_MUST_CHECK;

/* Queue a job. GP_ELIMIT when the queue is full, GP_EUNAVAILABLE after gp_pool_stop(). */
gp_status gp_pool_submit(gp_pool *p, gp_job fn, void *arg) GP_MUST_CHECK;

/* Wait until every submitted job has finished. Not from inside a job (it would wait for itself). */
void gp_pool_wait(gp_pool *p);

/* Refuse further jobs; those already queued still run. Any thread, any number of times. */
void gp_pool_stop(gp_pool *p);

/* Run fn(ctx, i) for i in 0..n-1 (n <= 256) on n threads (the calling thread is one of them) and
 * return when all are done. Needs no pool; threads are made and joined inside. If the system
 * gives fewer threads, the calling thread runs the rest one after the other: so one fn must not
 * wait for another. GP_EINVAL when n is above 256; fn has not run then. */
gp_status gp_parallel(unsigned n, void (*fn)(void *ctx, unsigned i), void *ctx,
                      gp_err *err) GP_MUST_CHECK;

/* Number of usable CPUs (affinity and cgroup quota respected), at least 1. */
unsigned gp_cpu_count(void);

/* Finish queued jobs, join the threads, free. NULL is fine. */
void gp_pool_free(gp_pool *p);

#endif
