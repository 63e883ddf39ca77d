/* daemon.h - goprobe as a daemon: capture, control, and what the query service needs of it. */
#ifndef AGENT_DAEMON_H
#define AGENT_DAEMON_H

#include "config.h"
#include "flow/manager.h"
#include "options.h"

/* The running daemon. Locked inside. */
typedef struct agent agent;

/* Run until SIGTERM or SIGINT. Exit code. */
int agent_run(const agent_options *o);

/* ---- for the control service; any thread ---- */

flow_manager *agent_manager(agent *a);

/* Read the configuration file again and apply its interfaces; other settings that differ are logged
 * as needing a restart. On failure the last good configuration stays. *changes: gp_free() it. */
gp_status agent_reload(agent *a, flow_change **changes, size_t *n, gp_err *err);

/* Replace the whole set of interfaces by the map in text (JSON or YAML, as below `interfaces` in
 * the file). Holds until the file changes or a reload (D-25). GP_EEXIST under autodetection. */
gp_status agent_set_interfaces(agent *a, const char *text, size_t len, flow_change **changes,
                               size_t *n, gp_err *err);

#endif
