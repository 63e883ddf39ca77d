/* sim.h - a fleet of agents in one process: real protocol, keys and signatures; synthetic rows; any
 * misbehaviour on demand. For benchmarks and for the fault-schedule test. */
#ifndef BENCH_FLEET_SIM_H
#define BENCH_FLEET_SIM_H

#include "auth/keys.h"
#include "gp/bytes.h"
#include "result/result.h"
#include "rpc/rpc.h"
#include "wire/answer.h"

typedef enum sim_how {
    SIM_OK,
    SIM_DELAY,      /* answers after delay_ms */
    SIM_SLOW,       /* delay_ms between batches */
    SIM_EARLY,      /* five rows as a snapshot at once if asked, the answer after delay_ms */
    SIM_SILENT,     /* says nothing until it is cancelled */
    SIM_DENY,       /* PERMISSION_DENIED */
    SIM_BUSY,       /* RESOURCE_EXHAUSTED */
    SIM_ERROR,      /* INTERNAL */
    SIM_GARBAGE,    /* bytes that are no message */
    SIM_BAD_BATCH,  /* a damaged batch under a digest that fits it */
    SIM_BAD_DIGEST, /* a batch changed after the digest was made */
    SIM_BAD_COUNT,  /* a trailer that counts one row too many */
    SIM_NO_TRAILER, /* ends well, but without a trailer */
    SIM_TWO_TRAILERS,
    SIM_OTHER_QUERY, /* a trailer for another query */
    SIM_OTHER_KEY,   /* a trailer signed by another agent */
    SIM_CUT,         /* closes the connection in mid-answer */
    SIM_EARLY_CUT,   /* as SIM_EARLY, but closes the connection instead of the trailer */
    SIM_OTHER_ROWS,  /* batches of a later version, digest and signature fit */
    SIM_MORE_KINDS,  /* messages of kinds that only a later version knows, in between */
    SIM_N_HOWS
} sim_how;
const char *sim_how_name(sim_how h);

typedef struct sim_opts {
    size_t n;            /* agents */
    size_t rows;         /* of each */
    unsigned shared_pct; /* of the rows have keys that all agents have */
    uint64_t seed;
    uint32_t lacks; /* features (wire/features.h) that its agents, of an older version, lack */
} sim_opts;

typedef struct sim sim;
/* Keys, rows, one listener per agent on a free loopback port. */
gp_status sim_new(const sim_opts *o, sim **out, gp_err *err) GP_MUST_CHECK;
void sim_free(sim *s);

const char *sim_host_name(const sim *s, size_t i);         /* "agent-0007" */
const result_counters *sim_totals(const sim *s, size_t i); /* over all rows of agent i */
/* What agent i does from its next query on. */
void sim_behave(sim *s, size_t i, sim_how how, unsigned delay_ms);
/* What agent i says about itself in its trailer from its next query on: code, message, span, stats,
 * interfaces, data, condition; borrowed. It sends rows only if the code is RESULT_OK. NULL: the
 * range that was asked for, "eth0". */
void sim_says(sim *s, size_t i, const wire_summary *sum);

const auth_identity *sim_aggregator(const sim *s);
const auth_identity *sim_user(const sim *s);       /* "alice" */
const auth_identity *sim_other_user(const sim *s); /* "bob" */
auth_trust *sim_trust(sim *s);                     /* everybody */
void sim_trusted_keys(const sim *s, gp_buf *out);  /* the same as a file */
/* Endpoint table; dead of the agents get an address where nobody listens. */
void sim_endpoints(const sim *s, size_t dead, gp_buf *out);
/* Queries that reached agents, and bytes of batches sent. */
uint64_t sim_queries(const sim *s);
uint64_t sim_bytes(const sim *s);
/* Queries being answered now, and the most at once since the last time this was asked. */
unsigned sim_running(const sim *s);
unsigned sim_most_running(sim *s);
/* Monotonic time at which the last agent was told to stop; 0 = none was. */
int64_t sim_told_ns(const sim *s);

#endif
