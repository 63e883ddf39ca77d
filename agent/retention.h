/* retention.h - the agent deletes old days by itself (db.retention). */
#ifndef AGENT_RETENTION_H
#define AGENT_RETENTION_H

#include "godb/retain.h"
#include "rt/metrics.h"

enum { AGENT_RETENTION_FIRST_S = 60 }; /* first run after the start, or one interval */

typedef struct agent_retention_limits {
    int64_t max_age_s;                   /* 0 = no such limit, as below */
    uint64_t max_bytes, max_iface_bytes; /* of the database; of each interface */
    uint64_t min_free_bytes;
    double min_free_percent;
    int64_t interval_ms; /* between runs; 0 = no retention at all */
} agent_retention_limits;

typedef struct agent_retention agent_retention;

/* Start a thread of low priority (CPU and I/O) that applies the limits first_ms after now, or an
 * interval if that is shorter, and then every interval. db: path of the database, copied. metrics:
 * goprobe_retention_*; may be NULL. *out stays NULL when there are no limits. What godb_retain()
 * keeps (days that may be written to) is never touched. */
gp_status agent_retention_start(const char *db, const agent_retention_limits *l, int64_t first_ms,
                                rt_metrics *metrics, agent_retention **out,
                                gp_err *err) GP_MUST_CHECK;
/* Ends a run between two days and waits for the thread. NULL is fine. */
void agent_retention_stop(agent_retention *r);

#endif
