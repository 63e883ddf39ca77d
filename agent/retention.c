/* retention.c - the agent deletes old days by itself (db.retention): one thread that mostly waits.
 */
#include "retention.h"

#include "gp/mem.h"
#include "rt/log.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { NICE = 15, WARN_MS = 3600 * 1000 };

struct agent_retention {
    char *db;
    agent_retention_limits limits;
    int64_t first_ms;
    rt_metric *days, *bytes, *failures, *last_run;
    pthread_t thread;
    pthread_mutex_t mu;
    pthread_cond_t wake; /* with CLOCK_MONOTONIC */
    int end;             /* under mu */
    gp_cancel cancel;
};

static void on_day(void *ctx, const godb_retain_day *d)
{
    agent_retention *r = ctx;
    char day[16] = "";
    time_t t = (time_t)d->day_s;
    struct tm tm;

    if (gmtime_r(&t, &tm))
        (void)strftime(day, sizeof day, "%Y-%m-%d", &tm);
    if (d->status != GP_OK) {
        rt_warn("day not deleted", RT_S("iface", d->iface), RT_S("day", day),
                RT_S("error", d->text));
        return;
    }
    rt_info("day deleted", RT_S("iface", d->iface), RT_S("day", day), RT_U("bytes", d->bytes),
            RT_S("reason", d->why));
    rt_metric_add(r->days, 1);
    rt_metric_add(r->bytes, d->bytes);
}

static void run_once(agent_retention *r)
{
    const agent_retention_limits *l = &r->limits;
    godb_retain_opts o = {.max_age_s = l->max_age_s,
                          .max_bytes = l->max_bytes,
                          .max_iface_bytes = l->max_iface_bytes,
                          .min_free_bytes = l->min_free_bytes,
                          .min_free_percent = l->min_free_percent,
                          .cancel = &r->cancel};
    godb_retain_stats s = {0};
    gp_err err = {0};
    gp_status st = godb_retain(r->db, &o, on_day, r, &s, &err);

    if (st == GP_ECANCELLED)
        return;
    rt_metric_set(r->last_run, (double)gp_wall_s());
    if (st != GP_OK || s.days_failed)
        rt_metric_add(r->failures, 1);
    if (st != GP_OK)
        RT_LOG_LIMITED(RT_WARN, WARN_MS, "retention failed", RT_ERR(&err));
    else if (s.free_out_of_reach)
        RT_LOG_LIMITED(
            RT_WARN, WARN_MS,
            "something else fills the disk: not even without all days db.retention.min_free "
            "could be met, none is deleted for it",
            RT_U("bytes_missing", s.bytes_missing));
    else if (s.bytes_missing)
        RT_LOG_LIMITED(RT_WARN, WARN_MS, "retention cannot meet its limits: newer days are kept",
                       RT_U("bytes_missing", s.bytes_missing));
}

/* Under mu: until ms are over (0) or the end is asked for (1). */
static int wait_ms(agent_retention *r, int64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    while (!r->end && pthread_cond_timedwait(&r->wake, &r->mu, &until) != ETIMEDOUT)
        ;
    return r->end;
}

static void *loop(void *ctx)
{
    agent_retention *r = ctx;

    /* Linux: both belong to the thread. Reading and deleting wait for everybody else's I/O. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    (void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
    pthread_mutex_lock(&r->mu);
    for (int64_t ms = r->first_ms; !wait_ms(r, ms); ms = r->limits.interval_ms) {
        pthread_mutex_unlock(&r->mu);
        run_once(r);
        pthread_mutex_lock(&r->mu);
    }
    pthread_mutex_unlock(&r->mu);
    return NULL;
}

static void free_parts(agent_retention *r)
{
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->mu);
    gp_free(r->db);
    gp_free(r);
}

static void register_metrics(agent_retention *r, rt_metrics *m)
{
    if (!m)
        return;
    r->days = rt_counter(m, "goprobe_retention_deleted_days_total",
                         "Days that db.retention deleted", NULL);
    r->bytes = rt_counter(m, "goprobe_retention_deleted_bytes_total",
                          "Disk space that db.retention freed", NULL);
    r->failures = rt_counter(m, "goprobe_retention_failures_total",
                             "Runs of db.retention in which something could not be deleted", NULL);
    r->last_run = rt_gauge(m, "goprobe_retention_last_run_timestamp_seconds",
                           "End of the last run of db.retention", NULL);
}

gp_status agent_retention_start(const char *db, const agent_retention_limits *l, int64_t first_ms,
                                rt_metrics *metrics, agent_retention **out, gp_err *err)
{
    pthread_condattr_t attr;

    if (l->interval_ms == 0)
        return GP_OK;
    agent_retention *r = gp_calloc(1, sizeof *r);
    if (!r)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    r->limits = *l;
    r->first_ms = first_ms < l->interval_ms ? first_ms : l->interval_ms;
    r->cancel = (gp_cancel)GP_CANCEL_INIT;
    pthread_mutex_init(&r->mu, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->wake, &attr);
    pthread_condattr_destroy(&attr);
    r->db = gp_strdup(db);
    register_metrics(r, metrics);
    int rc = r->db ? pthread_create(&r->thread, NULL, loop, r) : ENOMEM;
    if (rc != 0) {
        free_parts(r);
        return gp_fail(err, GP_EIO, rc, "starting retention failed");
    }
    (void)pthread_setname_np(r->thread, "retention");
    *out = r;
    return GP_OK;
}

void agent_retention_stop(agent_retention *r)
{
    if (!r)
        return;
    gp_cancel_set(&r->cancel, GP_ECANCELLED);
    pthread_mutex_lock(&r->mu);
    r->end = 1;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->mu);
    pthread_join(r->thread, NULL);
    free_parts(r);
}
