/* options.h - settings of global-query: flags, environment and file in one checked struct. */
#ifndef AGGREGATOR_OPTIONS_H
#define AGGREGATOR_OPTIONS_H

#include "fanout/fanout.h"
#include "fleet/fleet.h"
#include "gp/bytes.h"
#include "resolver/resolver.h"
#include "rt/config.h"
#include "rt/log.h"
#include "svc/service.h"

enum { AGGR_MAX_LISTEN = 8, AGGR_MAX_RESOLVERS = 16, AGGR_MAX_WEIGHTS = 256 };

typedef struct aggr_options {
    rt_config *config; /* owns the strings */
    const char *file;  /* --config; NULL = none */
    int check_only;    /* --check-config */
    rt_log_opts log;
    char *listen[AGGR_MAX_LISTEN]; /* as rpc_listen() takes them */
    size_t n_listen;
    const char *key, *trusted_keys, *fleet_name, *endpoints;
    const char *default_resolver;
    resolver_conf resolvers[AGGR_MAX_RESOLVERS];
    size_t n_resolvers;
    char *where[AGGR_MAX_RESOLVERS]; /* of the resolvers, in the file */
    fleet_opts fleet;
    fanout_limits limits;
    fair_weight weights[AGGR_MAX_WEIGHTS]; /* limits.weights points to them */
    const char *metrics_addr;              /* NULL = none */
    int metrics_remote;
    int64_t grace_ms;
    const char *issuer_key; /* NULL = renews no certificates */
    svc_audit audit;
} aggr_options;

/* Parse argv (prints usage and exits 64 on a mistake), then read file and environment. GP_EINVAL
 * with file, line and key. Call aggr_options_clear() in any case. */
gp_status aggr_options_read(int argc, char **argv, aggr_options *o, gp_err *err) GP_MUST_CHECK;
/* Read the file again with the same flags, into a fresh struct. */
gp_status aggr_options_reread(const aggr_options *old, aggr_options *o, gp_err *err) GP_MUST_CHECK;
/* Settings that differ in a and b and need a restart: how many, and their keys ("a, b"). */
size_t aggr_options_need_restart(const aggr_options *a, const aggr_options *b, gp_buf *keys);
void aggr_options_clear(aggr_options *o);

#endif
