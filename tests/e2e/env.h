/* env.h - a fleet of real processes on loopback for one test: keys, databases, agents, aggregator.
 */
#ifndef E2E_ENV_H
#define E2E_ENV_H

#include "auth/keys.h"
#include "test.h"

#include <sys/types.h>

enum { E2E_MAX_AGENTS = 16 };

typedef struct e2e_proc {
    pid_t pid; /* 0 = not running */
    int out;   /* its stdout */
    char addr[256];
} e2e_proc;

typedef struct e2e_env {
    char *dir;
    size_t n_agents;
    char host[E2E_MAX_AGENTS][32]; /* "host00", ... */
    auth_identity *agent_id[E2E_MAX_AGENTS];
    auth_identity *aggr_id, *user, *stranger; /* stranger: trusted by nobody */
    auth_trust *trust;                        /* what a client trusts */
    int dials_out[E2E_MAX_AGENTS]; /* 1: listens nowhere, connects to the aggregator, which is up
                                      first */
    const char *listen[E2E_MAX_AGENTS];   /* NULL = tcp://127.0.0.1:0 */
    char netns[E2E_MAX_AGENTS][40];       /* network namespace of the agent; "" = ours */
    const char *trust_of[E2E_MAX_AGENTS]; /* its trusted_keys; NULL = the common one */
    const char *config[E2E_MAX_AGENTS]; /* of one that captures, with listen; NULL = serves only */
    e2e_proc agent[E2E_MAX_AGENTS], aggr;
    char *trusted_keys, *endpoints; /* files */
} e2e_env;

/* Keys, trusted_keys and one database per host (fleetdb.h); no process yet. */
void e2e_make(e2e_env *e, size_t n_agents);
/* extra: NULL-ended further arguments, or NULL. */
void e2e_start_agent(e2e_env *e, size_t i, const char *const *extra);
/* Endpoint table for all agents, then the aggregator. more: further YAML lines for the table. */
void e2e_start_aggregator(e2e_env *e, const char *more);
/* Path of a file of the environment: "db03", "agg.key", ...; gp_free() it. */
char *e2e_path(const e2e_env *e, const char *name);
/* Wait for its end (killed after 10 s); returns the wait status. */
int e2e_wait(e2e_proc *p);
/* Print the log of a process ("agg", "host03"), for failing tests. */
void e2e_show_log(const e2e_env *e, const char *name);
/* Stop everything, remove the directory. */
void e2e_end(e2e_env *e);

#endif
