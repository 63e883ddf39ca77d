/* log.h - one event = one line: logfmt, JSON or plain, with levels and typed fields; to stderr, a
 * file, syslog or the journal.
 *
 * The log is the one process-wide thing of a daemon; all calls are locked inside. Library rooms
 * return errors instead of logging. */
#ifndef RT_LOG_H
#define RT_LOG_H

#include "gp/err.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef enum rt_level { RT_DEBUG, RT_INFO, RT_WARN, RT_ERROR, RT_FATAL, RT_N_LEVELS } rt_level;
typedef enum rt_encoding { RT_LOGFMT, RT_JSON, RT_PLAIN } rt_encoding;

/* Names in any case; -1 if unknown. "panic" counts as fatal (capture.md 8.6). */
int rt_level_by_name(const char *name);
int rt_encoding_by_name(const char *name);

typedef struct rt_log_opts {
    rt_level level; /* lowest level written */
    rt_encoding encoding;
    /* NULL, "" or "stderr", "stdout", "devnull", "syslog", "journal" (these two write time and
     * priority themselves), or a file to append to */
    const char *destination;
    const char *journal; /* its socket; NULL = the usual one */
    const char *version; /* field version=; NULL = none. Static. */
    int priorities; /* 1: "<N>" in front for journald; -1: only when JOURNAL_STREAM names stderr */
} rt_log_opts;
/* Set up or change; before the first call: info, logfmt, stderr. On failure nothing changes. */
gp_status rt_log_init(const rt_log_opts *o, gp_err *err) GP_MUST_CHECK;
/* Reopen a destination file (after rotation). No-op for the others. */
gp_status rt_log_reopen(gp_err *err) GP_MUST_CHECK;
void rt_log_set_level(rt_level l);
int rt_log_enabled(rt_level l);

/* A typed field; made by the macros below. */
typedef struct rt_field {
    const char *key; /* NULL ends the list */
    enum { RT_F_STR, RT_F_I64, RT_F_U64, RT_F_F64, RT_F_DUR, RT_F_BOOL } type;
    union {
        const char *s; /* NULL is written as "" */
        int64_t i;
        uint64_t u;
        double f;
    } v;
} rt_field;
#define RT_S(k, val) ((rt_field){.key = (k), .type = RT_F_STR, .v.s = (val)})
#define RT_I(k, val) ((rt_field){.key = (k), .type = RT_F_I64, .v.i = (int64_t)(val)})
#define RT_U(k, val) ((rt_field){.key = (k), .type = RT_F_U64, .v.u = (uint64_t)(val)})
#define RT_F(k, val) ((rt_field){.key = (k), .type = RT_F_F64, .v.f = (val)})
#define RT_D(k, ns)  ((rt_field){.key = (k), .type = RT_F_DUR, .v.i = (ns)}) /* "1.5s" */
#define RT_B(k, val) ((rt_field){.key = (k), .type = RT_F_BOOL, .v.i = (val) ? 1 : 0})

/* rt_info("rotation done", RT_S("iface", name), RT_D("took", ns)); */
void rt_log_write(rt_level l, const char *msg, const rt_field *fields);
#define RT_LOG(l, msg, ...)                                                                        \
    do {                                                                                           \
        if (rt_log_enabled(l))                                                                     \
            rt_log_write((l), (msg), (const rt_field[]){__VA_ARGS__ __VA_OPT__(, ){0}});           \
    } while (0)
#define rt_debug(msg, ...) RT_LOG(RT_DEBUG, msg, __VA_ARGS__)
#define rt_info(msg, ...)  RT_LOG(RT_INFO, msg, __VA_ARGS__)
#define rt_warn(msg, ...)  RT_LOG(RT_WARN, msg, __VA_ARGS__)
#define rt_error(msg, ...) RT_LOG(RT_ERROR, msg, __VA_ARGS__)

/* For events that strangers or broken hardware can repeat: at most one line per interval_ms and
 * call site; the next line carries suppressed=N. */
typedef struct rt_limit {
    atomic_int_fast64_t next_ms, suppressed;
} rt_limit;
/* 1 if the line may be written now; *suppressed: how many were not since the last one. */
int rt_limit_pass(rt_limit *l, int64_t interval_ms, uint64_t *suppressed);
#define RT_LOG_LIMITED(l, interval_ms, msg, ...)                                                   \
    do {                                                                                           \
        static rt_limit rt_lim_;                                                                   \
        uint64_t rt_sup_;                                                                          \
        if (rt_log_enabled(l) && rt_limit_pass(&rt_lim_, (interval_ms), &rt_sup_))                 \
            rt_log_write(                                                                          \
                (l), (msg),                                                                        \
                (const rt_field[]){__VA_ARGS__ __VA_OPT__(, ) RT_U("suppressed", rt_sup_), {0}});  \
    } while (0)

/* Text a gp_err leaves behind, as field "error". */
#define RT_ERR(e) RT_S("error", (e)->msg)

#endif
