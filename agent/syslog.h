/* syslog.h - stored flows as messages to a local stream socket (capture.md 4.8). */
#ifndef AGENT_SYSLOG_H
#define AGENT_SYSLOG_H

#include "godb/columns.h"
#include "gp/err.h"

#include <stdint.h>

#define AGENT_SYSLOG_SOCKET "/var/run/goprobe.sock"

/* One thread: the one that writes blocks. */
typedef struct agent_syslog agent_syslog;

gp_status agent_syslog_new(const char *socket_path, agent_syslog **out, gp_err *err) GP_MUST_CHECK;
void agent_syslog_free(agent_syslog *s); /* NULL is fine */

/* Send one message per flow. Connects when needed. A receiver that is absent or slow costs at most
 * a second, then nothing is sent for a minute; what was not sent is logged as a number (D-30). */
void agent_syslog_rows(agent_syslog *s, const char *iface, int64_t time_s, const godb_rows *rows);

#endif
