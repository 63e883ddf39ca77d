/* rig.h - an aggregator in the test's process, in front of simulated agents. */
#ifndef FANOUT_TEST_RIG_H
#define FANOUT_TEST_RIG_H

#include "fanout/fanout.h"
#include "remote/remote.h"
#include "sim.h"
#include "test.h"

typedef struct rig {
    rpc_runtime *rt;
    fleet *fleet;
    fanout *fanout;
    char addr[256];
} rig;

/* table: YAML. id: its key. Connections back off for milliseconds only. */
void rig_start(rig *r, const auth_identity *id, auth_trust *trust, const gp_buf *table,
               const fanout_limits *limits);
/* The same for an aggregator of an older version: features (wire/features.h) that it lacks. */
void rig_start_older(rig *r, const auth_identity *id, auth_trust *trust, const gp_buf *table,
                     const fanout_limits *limits, uint32_t lacks);
void rig_stop(rig *r);
/* Wait until n hosts are connected. */
void rig_wait_connected(rig *r, unsigned n);

query_stmt *rig_prepare(const char *query, uint64_t limit, int merge_hosts);
/* Options for a client of r: user of the simulator, all hosts. */
remote_opts rig_client(const rig *r, sim *s);
const result_host_status *rig_status(const result *r, const char *host);

#endif
