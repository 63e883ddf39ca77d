/* metrics.c - the counters of a runtime as a table that a metrics page can be filled from. */
#include "gp/mem.h"
#include "internal.h"

#include <stdio.h>

enum { CODES = 17, MAX_METRICS = 16 + 3 * CODES };

static double get_metric(void *arg)
{
    const rpc_metric *m = arg;
    return (double)atomic_load_explicit((atomic_uint_fast64_t *)m->value, memory_order_relaxed);
}

struct rpc_metrics {
    size_t n;
    rpc_metric v[MAX_METRICS];
};

static void add(struct rpc_metrics *t, const char *name, const char *help, int gauge,
                atomic_uint_fast64_t *value)
{
    rpc_metric *m = &t->v[t->n++];
    *m = (rpc_metric){
        .name = name, .help = help, .is_gauge = gauge, .get = get_metric, .value = value};
}

static void add_codes(struct rpc_metrics *t, const char *name, const char *help, const char *more,
                      atomic_uint_fast64_t value[CODES])
{
    for (int i = 0; i < CODES; i++) {
        add(t, name, help, 0, &value[i]);
        snprintf(t->v[t->n - 1].labels, sizeof t->v[0].labels, "%sstatus=\"%s\"", more,
                 rpc_code_name((rpc_code)i));
    }
}

const rpc_metric *rpc_runtime_metrics(rpc_runtime *rt, size_t *n)
{
    static const char closed[] = "rpc_connections_closed_total",
                      closed_help[] = "Connections that ended, by how far they had come and why.";
    rpc_stats *s = &rt->stats;
    struct rpc_metrics *t = rt->metrics;
    *n = 0;
    if (!t && !(t = rt->metrics = gp_calloc(1, sizeof *t)))
        return NULL;
    t->n = 0;
    add(t, "rpc_connections_open", "Connections with a peer that was accepted.", 1, &s->conns_open);
    add(t, "rpc_connections_accepted_total", "Streams accepted, before any handshake.", 0,
        &s->accepted);
    add_codes(t, closed, closed_help, "stage=\"handshake\",", s->closed[0]);
    add_codes(t, closed, closed_help, "stage=\"open\",", s->closed[1]);
    add(t, "rpc_connections_distrusted_total",
        "Open connections ended because the peer was revoked, expired or removed.", 0,
        &s->distrusted);
    add(t, "rpc_certificates_renewed_total", "Certificates renewed, own ones and as issuer.", 0,
        &s->renewed);
    add(t, "rpc_certificate_renewals_failed_total",
        "Renewals that were refused or came to nothing.", 0, &s->renew_failed);
    add(t, "rpc_calls_open", "Calls being served.", 1, &s->streams_open);
    add_codes(t, "rpc_calls_total", "Calls served, by status.", "", s->finished);
    add(t, "rpc_received_bytes_total", "Bytes received.", 0, &s->bytes_in);
    add(t, "rpc_sent_bytes_total", "Bytes sent.", 0, &s->bytes_out);
    *n = t->n;
    return t->v;
}
