/* run.c - answer a statement, wherever the options say, up to the rows that are shown. */
#include "run.h"

gp_status goquery_answer(const goquery_opts *o, const query_stmt *s, gp_cancel *cancel,
                         goquery_progress *progress, result *out, gp_err *err)
{
    result_order order = result_order_of(s);
    gp_status st = *o->server_addr ? cli_run_server(o, s, cancel, progress, out, err)
                                   : cli_run_local(o, s, cancel, progress, out, err);
    if (st != GP_OK)
        return st;
    if (*o->server_addr) /* the engine of the local mode has binned already */
        st = result_bin(out, s, err);
    if (st == GP_OK)
        st = result_sort(out, &order, s->limit, err);
    if (st != GP_OK)
        result_clear(out);
    return st;
}

unsigned goquery_missing_hosts(const result *r)
{
    unsigned n = 0;
    for (size_t i = 0; i < r->n_host_statuses; i++) {
        result_code c = r->host_statuses[i].code;
        n += c != RESULT_OK && c != RESULT_EMPTY && c != RESULT_MISSING_DATA;
    }
    return n;
}
