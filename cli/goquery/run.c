/* run.c - answer a statement, wherever the options say, up to the rows that are shown. */
#include "run.h"

#include "wire/answer.h"

#include <string.h>

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

static int answered(const result_host_status *h)
{
    switch (h->code) {
    case RESULT_OK:
    case RESULT_EMPTY:
    case RESULT_MISSING_DATA:
        return 1;
    case RESULT_NOT_FOUND:
        return strncmp(h->message, WIRE_NO_INTERFACE, sizeof WIRE_NO_INTERFACE - 1) == 0;
    default:
        return 0;
    }
}

unsigned goquery_missing_hosts(const result *r)
{
    unsigned n = 0;
    for (size_t i = 0; i < r->n_host_statuses; i++)
        n += !answered(&r->host_statuses[i]);
    return n;
}

int goquery_no_hosts(const result *r)
{
    return r->n_host_statuses == 0;
}
