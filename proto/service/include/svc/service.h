/* service.h - what every daemon with a query service sets up: audit log, metrics, renewal. */
#ifndef SVC_SERVICE_H
#define SVC_SERVICE_H

#include "auth/audit.h"
#include "rpc/rpc.h"
#include "rt/config.h"
#include "rt/metrics.h"

/* Load the key of a daemon and demand its kind: agents and aggregators are taken for what their key
 * says. */
gp_status svc_identity_load(const char *path, auth_kind kind, auth_identity **out,
                            gp_err *err) GP_MUST_CHECK;

/* `audit.*` of a configuration. */
typedef struct svc_audit {
    const char *file;   /* "" or NULL: no audit log; borrowed from the configuration */
    uint64_t max_bytes; /* of a file before it becomes FILE.1; 0 = no limit */
    unsigned keep;      /* FILE.1 .. FILE.keep stay */
} svc_audit;
/* Fails with the file and line of what is wrong. */
gp_status svc_audit_read(rt_config *c, svc_audit *out, gp_err *err) GP_MUST_CHECK;
/* Open the log, when there is to be one: *out is NULL otherwise, and the caller's to close.
 * program: "goprobe/1.0". What later cannot be written is logged. */
gp_status svc_audit_open(const svc_audit *a, const auth_identity *id, const char *program,
                         auth_audit **out, gp_err *err) GP_MUST_CHECK;

/* Connections and calls of rt on the metrics page, which must not be served any more when rt is
 * freed. m may be NULL. */
void svc_rpc_metrics(rt_metrics *m, rpc_runtime *rt);
/* A gauge for the end of id's certificate; NULL if it has none. name, help: as of rt_gauge_fn(). id
 * must outlive m, or the gauge be dropped before. */
rt_metric *svc_certificate_metric(rt_metrics *m, const char *name, const char *help,
                                  const auth_identity *id);
/* On SIGHUP: take a certificate that was put beside the key since, and log it. */
void svc_reread_certificate(const auth_identity *id);
/* rpc_opts.on_renewal: logs how a renewal of the own certificate went. */
void svc_log_renewal(void *ctx, const gp_err *failed);
/* rpc_opts.on_refused: logs who was refused, a line a second at most. */
void svc_log_refused(void *ctx, const char *addr, const char *method, const char *why);

#endif
