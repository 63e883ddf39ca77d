/* service.h - query and control service beside capture: database and running interval in one
 * answer.
 */
#ifndef AGENT_SERVICE_H
#define AGENT_SERVICE_H

#include "auth/audit.h"
#include "config.h"
#include "rt/metrics.h"
#include "serve/serve.h"

typedef struct agent_service agent_service;

/* Listen on the configuration's addresses. c, metrics and what control points to are borrowed until
 * agent_service_stop(). */
gp_status agent_service_start(const agent_config *c, const serve_control *control,
                              rt_metrics *metrics, agent_service **out, gp_err *err) GP_MUST_CHECK;
/* What only starting would find: the key of the configuration and its trusted keys. */
gp_status agent_service_check(const agent_config *c, gp_err *err) GP_MUST_CHECK;
/* Read the trusted keys again; on failure the old ones stay. Goes on in a new audit log when the
 * file was renamed. NULL is fine. */
void agent_service_reload(agent_service *s);
/* The audit log, or NULL: for what else changes something here. */
auth_audit *agent_service_audit(agent_service *s);
/* Running queries get 5 s to end. NULL is fine. */
void agent_service_stop(agent_service *s);

#endif
