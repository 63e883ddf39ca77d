/* rig.h - an aggregator in the test's process, in front of simulated agents. */
#ifndef FANOUT_TEST_RIG_H
#define FANOUT_TEST_RIG_H

#include "fanout/fanout.h"
#include "remote/remote.h"
#include "sim.h"
#include "test.h"

#include <pthread.h>

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
/* The test fails when the query does. */
result rig_ask(const remote_opts *o, const query_stmt *stmt);

/* Simulated agents and an aggregator in front of them. */
typedef struct rig_fleet {
    sim *s;
    rig r;
} rig_fleet;
/* All agents are connected when it returns. more: lines behind theirs in the endpoint table. */
void rig_fleet_up(rig_fleet *f, const sim_opts *so, const fanout_limits *limits, const char *more);
void rig_fleet_down(rig_fleet *f);

/* A query in a thread of its own. */
typedef struct rig_query {
    remote_opts o;
    const query_stmt *stmt;
    gp_cancel cancel;
    pthread_t t;
    gp_status st;
    gp_err err;
    uint64_t hits;
} rig_query;
/* o: copied, with q's own cancel. */
void rig_query_start(rig_query *q, const remote_opts *o, const query_stmt *stmt);
void rig_query_wait(rig_query *q);

#endif
