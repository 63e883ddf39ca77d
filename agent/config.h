/* config.h - settings of goprobe: file, environment and flags, checked (capture.md 5). */
#ifndef AGENT_CONFIG_H
#define AGENT_CONFIG_H

#include "flow/ruleset.h"
#include "flow/table.h"
#include "godb/writer.h"
#include "gp/err.h"
#include "retention.h"
#include "rt/config.h"
#include "rt/log.h"
#include "svc/service.h"

#include <stddef.h>
#include <stdint.h>

enum { AGENT_MAX_LISTEN = 8 };

/* A flag "--key value": wins over environment and file. Borrowed strings. */
typedef struct agent_override {
    const char *key, *value;
} agent_override;

typedef struct agent_rate_limit {
    double max_req_per_sec; /* 0 = off */
    int64_t max_burst;
    int64_t max_concurrent;
} agent_rate_limit;

/* Strings belong to `source` and live as long as the struct. */
typedef struct agent_config {
    rt_config *source;
    const char *path; /* of the file, NULL without one */

    const char *db_path;
    godb_writer_opts writer;
    agent_retention_limits retention; /* db.retention */
    int64_t interval_s;               /* db.interval: 300; other values are for tests */
    int64_t checkpoint_ms;            /* db.checkpoint; 0 = off */

    int compat;          /* capture.compat */
    int fragments;       /* capture.fragments */
    size_t max_flows;    /* capture.max_flows, per interface */
    uint64_t keep_bytes; /* capture.keep_unwritten */

    flow_ruleset *rules; /* agent_config_take_rules() */
    int detect;          /* autodetection.enabled */

    int syslog_flows;

    char *listen[AGENT_MAX_LISTEN];   /* "tcp://ADDR:PORT", "ipc:///path"; owned */
    size_t n_listen;                  /* with n_dial_out: both 0 = no query service */
    char *dial_out[AGENT_MAX_LISTEN]; /* aggregators to connect to; owned */
    size_t n_dial_out;
    const char *key_file, *trusted_keys;
    const char *host_name; /* "" = the name in the key */
    const char *fleet;     /* "" = any */
    const char *const *names, *const *groups;
    size_t n_names, n_groups;
    int metrics, disable_iface_metrics;
    const char *metrics_addr;
    int metrics_remote; /* metrics_addr may be any address */
    agent_rate_limit rate;

    svc_audit audit;

    rt_level log_level;
    rt_encoding log_encoding;
    const char *log_destination;

    const char *user; /* "" = stay who we are */
    int seccomp;
} agent_config;

/* One key with its help, for flags and documentation; without help it is not listed. NULL key ends
 * the table. flag: may be given without value. */
typedef struct agent_key {
    const char *key, *arg, *help;
    int flag;
} agent_key;
extern const agent_key agent_keys[];

/* Read and check everything. path may be NULL (flags and environment only). What is accepted but
 * does nothing is in rt_config_warnings() of (*out)->source. Errors name file, line and key. */
gp_status agent_config_load(const char *path, const agent_override *set, size_t n_set,
                            agent_config **out, gp_err *err) GP_MUST_CHECK;
void agent_config_free(agent_config *c); /* NULL is fine */
static inline void agent_config_freep(agent_config **c)
{
    agent_config_free(*c);
}

/* Hand the interface rules over to the caller (for flow_manager_apply()). */
flow_ruleset *agent_config_take_rules(agent_config *c);

/* Settings that differ in a and b and need a restart: how many, and their keys ("a, b"). */
size_t agent_config_needs_restart(const agent_config *a, const agent_config *b, gp_buf *keys);

/* Default settings of detected interfaces (5.4). */
void agent_config_default_capture(capture_conf *conf);

/* ---- parts, each in its own file ---- */
gp_status agent_config_api(agent_config *c, gp_err *err) GP_MUST_CHECK;
gp_status agent_config_ifaces(agent_config *c, gp_err *err) GP_MUST_CHECK;
/* How blocks are written: db.encoder_type, db.permissions and db.sync, the keys that replay has,
 * too. The rest of *out stays as it is. */
gp_status agent_config_writer(rt_config *c, godb_writer_opts *out, gp_err *err) GP_MUST_CHECK;
/* The settings of one interface from a map node, as in the file and in a configuration request. */
gp_status agent_config_iface(const rt_node *n, capture_conf *out, gp_err *err) GP_MUST_CHECK;

/* The map of a configuration request ("config.set"): names or expressions with their settings, as
 * below `interfaces` in the file. An empty map, one without anything to capture and keys that are
 * not known are refused (GP_EINVAL): nothing is to stop capture by a slip. Errors name line and
 * key.
 */
gp_status agent_config_request(const char *text, size_t len, flow_ruleset **out,
                               gp_err *err) GP_MUST_CHECK;

#endif
