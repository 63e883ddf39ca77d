/* replay_cmd.h - goprobe --pcap: capture files into a database, or printed. */
#ifndef AGENT_REPLAY_CMD_H
#define AGENT_REPLAY_CMD_H

#include "options.h"

/* Exit code: 0; 1 when nothing was written, or when a file broke off (what came before is stored).
 */
int agent_replay(const agent_options *o);

#endif
