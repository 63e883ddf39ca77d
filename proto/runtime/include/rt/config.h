/* config.h - a daemon's settings: YAML or JSON file, environment, flags; typed getters with limits.
 *
 * Precedence (capture.md 5.1, fleet.md 9): flag > environment > file > default. Keys are paths such
 * as "api.query_rate_limit.max_burst"; matching ignores case, names are kept as written. */
#ifndef RT_CONFIG_H
#define RT_CONFIG_H

#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>

enum { RT_CONFIG_MAX_BYTES = 16 * 1024 * 1024, RT_CONFIG_MAX_DEPTH = 32 };

/* One file plus overrides. Reading marks keys as used, so: one thread. */
typedef struct rt_config rt_config;
/* A value in the file; owned by its rt_config. */
typedef struct rt_node rt_node;

typedef enum rt_kind { RT_NULL, RT_SCALAR, RT_LIST, RT_MAP } rt_kind;

/* Empty configuration (flags and environment only). */
gp_status rt_config_new(rt_config **out, gp_err *err) GP_MUST_CHECK;
/* Read and parse. Errors name file, line and column. JSON is read as the YAML subset it is.
 * Duplicate keys, more than one document and files above RT_CONFIG_MAX_BYTES are refused. */
gp_status rt_config_load(const char *path, rt_config **out, gp_err *err) GP_MUST_CHECK;
/* Parse from memory; name stands for the file in errors. */
gp_status rt_config_parse(const char *name, const void *text, size_t len, rt_config **out,
                          gp_err *err) GP_MUST_CHECK;
void rt_config_free(rt_config *c);
static inline void rt_config_freep(rt_config **c)
{
    rt_config_free(*c);
}

/* Let the environment override keys: "server.addr" looks for <prefix>SERVER_ADDR, then SERVER_ADDR
 * ('.' -> '_', '-' -> '__'). prefix (e.g. "GOPROBE_") is copied; NULL = bare names only. An empty
 * variable counts as unset. */
gp_status rt_config_use_env(rt_config *c, const char *prefix, gp_err *err) GP_MUST_CHECK;
/* Override by a flag: wins over everything. Copies. */
gp_status rt_config_set(rt_config *c, const char *key, const char *value,
                        gp_err *err) GP_MUST_CHECK;

/* ---- by key; env and flags apply. Strings live as long as c. ----
 * Errors: GP_EINVAL "FILE:LINE: KEY: expected ..., got ...". */
int rt_config_has(rt_config *c, const char *key); /* 1 if set anywhere (not null) */
/* def may be NULL. */
gp_status rt_config_str(rt_config *c, const char *key, const char *def, const char **out,
                        gp_err *err) GP_MUST_CHECK;
gp_status rt_config_bool(rt_config *c, const char *key, int def, int *out,
                         gp_err *err) GP_MUST_CHECK;
gp_status rt_config_i64(rt_config *c, const char *key, int64_t def, int64_t min, int64_t max,
                        int64_t *out, gp_err *err) GP_MUST_CHECK;
gp_status rt_config_f64(rt_config *c, const char *key, double def, double min, double max,
                        double *out, gp_err *err) GP_MUST_CHECK;
/* "1m30s"; a bare number is seconds. Result in ns. */
gp_status rt_config_duration(rt_config *c, const char *key, int64_t def_ns, int64_t min_ns,
                             int64_t max_ns, int64_t *out_ns, gp_err *err) GP_MUST_CHECK;
/* "64M", "1.5G" or plain bytes. */
gp_status rt_config_bytes(rt_config *c, const char *key, uint64_t def, uint64_t min, uint64_t max,
                          uint64_t *out, gp_err *err) GP_MUST_CHECK;
/* One of n names (case ignored): *out is the index. */
gp_status rt_config_choice(rt_config *c, const char *key, const char *const *names, size_t n,
                           size_t def, size_t *out, gp_err *err) GP_MUST_CHECK;
/* List of strings; a scalar (also from flag or environment) is split at commas and trimmed. *out: n
 * pointers, owned by c. */
gp_status rt_config_list(rt_config *c, const char *key, const char *const **out, size_t *n,
                         gp_err *err) GP_MUST_CHECK;

/* ---- the tree of the file (maps with free keys, lists of maps) ---- */
const rt_node *rt_config_root(rt_config *c);                  /* a map; never NULL */
const rt_node *rt_config_node(rt_config *c, const char *key); /* dotted; NULL if absent */
rt_kind rt_node_kind(const rt_node *n);                       /* NULL pointer: RT_NULL */
size_t rt_node_count(const rt_node *n);                       /* entries of a map or list, else 0 */
const char *rt_node_key(const rt_node *n, size_t i);          /* map: i-th key as written */
const rt_node *rt_node_at(const rt_node *n, size_t i);        /* map or list: i-th value */
const rt_node *rt_node_get(const rt_node *n, const char *key); /* map: one level; NULL if absent */
const char *rt_node_path(const rt_node *n);                    /* "interfaces.eth0.promisc" */
unsigned rt_node_line(const rt_node *n);                       /* 1-based */

/* Typed values of nodes; n NULL (absent) gives the default. Same errors as above. */
gp_status rt_node_str(const rt_node *n, const char *def, const char **out,
                      gp_err *err) GP_MUST_CHECK;
gp_status rt_node_bool(const rt_node *n, int def, int *out, gp_err *err) GP_MUST_CHECK;
gp_status rt_node_i64(const rt_node *n, int64_t def, int64_t min, int64_t max, int64_t *out,
                      gp_err *err) GP_MUST_CHECK;
gp_status rt_node_f64(const rt_node *n, double def, double min, double max, double *out,
                      gp_err *err) GP_MUST_CHECK;
gp_status rt_node_duration(const rt_node *n, int64_t def_ns, int64_t min_ns, int64_t max_ns,
                           int64_t *out_ns, gp_err *err) GP_MUST_CHECK;
gp_status rt_node_bytes(const rt_node *n, uint64_t def, uint64_t min, uint64_t max, uint64_t *out,
                        gp_err *err) GP_MUST_CHECK;
/* GP_EINVAL "FILE:LINE: PATH: <text>": for checks across values. n may be NULL. */
gp_status rt_node_fail(const rt_node *n, gp_err *err, const char *fmt, ...) GP_PRINTF(3, 4);
/* Same with a key that may come from flag, environment or file: names the source. */
gp_status rt_config_fail(rt_config *c, const char *key, gp_err *err, const char *fmt, ...)
    GP_PRINTF(4, 5);
/* A node and all below count as used (see rt_config_unused). */
void rt_node_mark(const rt_node *n);

/* After all getters ran: GP_EINVAL for the first single value or list that should have settings
 * below it; with strict also for the first key that nobody asked for. */
gp_status rt_config_check(rt_config *c, int strict, gp_err *err) GP_MUST_CHECK;

/* After all getters ran: call fn for each key of the file that nobody asked for (misspelt, or of
 * another version). The reference ignores such keys; daemons warn. Parents are reported, not each
 * leaf. Returns how many. */
size_t rt_config_unused(rt_config *c, void (*fn)(void *ctx, const char *path, unsigned line),
                        void *ctx);

/* Something to say about a key that is set, but no error: kept for the calls below, as
 * "FILE:LINE: KEY: <text>" like an error (lost when memory runs out). */
void rt_config_warn(rt_config *c, const char *key, const char *text);
/* After all getters ran, and once the log is set up as the configuration wants it: each warning,
 * and one for each key that nobody asked for. text lives until the call returns. */
void rt_config_warnings(rt_config *c, void (*fn)(void *ctx, const char *text), void *ctx);
void rt_config_log_warnings(rt_config *c);                        /* lines of the log */
void rt_config_print_warnings(rt_config *c, const char *program); /* "PROGRAM: warning: TEXT" */

#endif
