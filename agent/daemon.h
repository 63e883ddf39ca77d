/* daemon.h - goprobe as a daemon: capture, queries and control until a signal ends it. */
#ifndef AGENT_DAEMON_H
#define AGENT_DAEMON_H

#include "options.h"

/* Run until SIGTERM or SIGINT. Exit code. */
int agent_run(const agent_options *o);

#endif
