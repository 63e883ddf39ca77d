/* server.c - a statement through a query server. */
#include "run.h"

gp_status cli_run_server(const goquery_opts *o, const query_stmt *s, gp_cancel *cancel,
                         goquery_progress *progress, result *out, gp_err *err)
{
    (void)s;
    (void)cancel;
    (void)progress;
    (void)out;
    return gp_fail(err, GP_EUNSUPPORTED, 0, "cannot ask %.100s: this build has no RPC client",
                   o->server_addr);
}
