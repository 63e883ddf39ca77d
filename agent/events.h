/* events.h - the manager's events as log lines and metrics. */
#ifndef AGENT_EVENTS_H
#define AGENT_EVENTS_H

#include "flow/manager.h"
#include "rt/metrics.h"

typedef struct agent_events agent_events;

/* no_iface: metrics without iface label. */
gp_status agent_events_new(int no_iface, agent_events **out, gp_err *err) GP_MUST_CHECK;
void agent_events_free(agent_events *e); /* NULL is fine */

/* For flow_manager_opts.event with ctx = an agent_events. */
void agent_events_on(void *ctx, const flow_event *e);

/* From now on counters are read from m at scrape time; NULL before m goes away. */
void agent_events_manager(agent_events *e, flow_manager *m);

rt_metrics *agent_events_metrics(agent_events *e);

#endif
