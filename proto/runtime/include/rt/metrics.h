/* metrics.h - counters, gauges and histograms; Prometheus text; loopback HTTP for it and for
 * health.
 */
#ifndef RT_METRICS_H
#define RT_METRICS_H

#include "gp/bytes.h"
#include "gp/err.h"

#include <stdint.h>

/* Locked inside; values are atomics. */
typedef struct rt_metrics rt_metrics;
typedef struct rt_metric rt_metric; /* owned by the registry, valid until it is freed */

enum { RT_METRICS_MAX = 65536, RT_METRIC_MAX_BUCKETS = 24 };

gp_status rt_metrics_new(rt_metrics **out, gp_err *err) GP_MUST_CHECK;
void rt_metrics_free(rt_metrics *m);

/* Register, or find the one with the same name and labels. name: Prometheus rules; help: one line;
 * labels: "iface=\"eth0\"" as made by rt_label(), or NULL. Same name = same type and help.
 * NULL when out of memory, over RT_METRICS_MAX, or the name is malformed; all calls below take
 * NULL. */
rt_metric *rt_counter(rt_metrics *m, const char *name, const char *help, const char *labels);
rt_metric *rt_gauge(rt_metrics *m, const char *name, const char *help, const char *labels);
/* Value asked for at scrape time. */
rt_metric *rt_gauge_fn(rt_metrics *m, const char *name, const char *help, const char *labels,
                       double (*fn)(void *ctx), void *ctx);
rt_metric *rt_counter_fn(rt_metrics *m, const char *name, const char *help, const char *labels,
                         double (*fn)(void *ctx), void *ctx);
/* bounds: n rising upper bounds (at most RT_METRIC_MAX_BUCKETS); copied. */
rt_metric *rt_histogram(rt_metrics *m, const char *name, const char *help, const char *labels,
                        const double *bounds, size_t n);
/* Forget one (an interface went away). Afterwards the handle is invalid. */
void rt_metric_drop(rt_metrics *m, rt_metric *x);

/* Append `name="value"` with escapes to b, with a comma when b is not empty. */
void rt_label(gp_buf *b, const char *name, const char *value);

void rt_metric_add(rt_metric *x, uint64_t n);   /* counters */
void rt_metric_set(rt_metric *x, double v);     /* gauges */
void rt_metric_observe(rt_metric *x, double v); /* histograms */

/* Text exposition format 0.0.4: families in order of first registration. */
void rt_metrics_text(rt_metrics *m, gp_buf *out);
/* process_resident_memory_bytes, process_cpu_seconds_total, process_start_time_seconds,
 * process_open_fds and <name>_build_info. */
void rt_metrics_process(rt_metrics *m, const char *name, const char *version);

/* The program as a JSON object: name and version as given to rt_metrics_process(), and the pod from
 * the first set of POD_NAME, POD and PODNAME; what is not known is left out. */
void rt_metrics_info(rt_metrics *m, gp_buf *out);

/* HTTP on "ADDR:PORT" (port 0 = any): GET /metrics, /-/health, /-/ready, /-/info; anything else
 * 404. Bodies of requests are refused. At most 32 connections, 10 s each. Addresses other than
 * loopback are refused unless allow_remote. ready(ctx): 1 = ready (NULL: always), 0 = not yet, -1 =
 * unhealthy, so not ready either. bound (may be NULL): address in use. GP_EUNSUPPORTED when built
 * without libmicrohttpd. */
typedef struct rt_http rt_http;
gp_status rt_http_start(const char *addr, int allow_remote, rt_metrics *m, int (*ready)(void *ctx),
                        void *ctx, char *bound, size_t bound_cap, rt_http **out,
                        gp_err *err) GP_MUST_CHECK;
void rt_http_stop(rt_http *h);
/* Would rt_http_start() take this address? For checks of a configuration. */
gp_status rt_http_check(const char *addr, int allow_remote, gp_err *err) GP_MUST_CHECK;

#endif
