/* hosts_cmd.c - goquery hosts: what a host selector means to a query server, and its health. */
#include "gp/mem.h"
#include "query/json.h"
#include "query/timearg.h"
#include "report.h"
#include "result/print.h"
#include "server.h"

#include <string.h>

enum { N_COLS = 6, CELL_PAD = 2 };

static gp_status host_line(result_table *t, const wire_host_info *h, gp_err *err)
{
    char rtt[32] = "", since[32] = "";
    if (h->rtt_us >= 0)
        snprintf(rtt, sizeof rtt, "%.1f ms", (double)h->rtt_us / 1000);
    if (h->since_s)
        query_time_format_local(h->since_s, since, sizeof since);
    const char *cells[N_COLS] = {h->host, h->state, h->address, rtt, since, h->detail};
    return result_table_line(t, cells, N_COLS, err);
}

static gp_status print_hosts(const wire_host_info *v, size_t n, gp_err *err)
{
    static const char *const head[N_COLS] = {"host", "state", "address", "rtt", "since", ""};
    result_table *t = NULL;
    GP_TRY(result_table_new(&t, err));
    gp_status st = result_table_line(t, head, N_COLS, err);
    for (size_t i = 0; i < n && st == GP_OK; i++)
        st = host_line(t, &v[i], err);
    if (st == GP_OK)
        st = result_table_print(t, CELL_PAD, stdout, err);
    result_table_free(t);
    return st;
}

static gp_status print_json(const wire_host_info *v, size_t n, gp_err *err)
{
    gp_buf b = {0};
    gp_buf_addc(&b, '[');
    for (size_t i = 0; i < n; i++) {
        char since[64];
        if (i)
            gp_buf_addc(&b, ',');
        query_json_object j = query_json_open(&b);
        query_json_text(&j, "host", v[i].host);
        query_json_text(&j, "state", v[i].state);
        query_json_text_opt(&j, "address", v[i].address);
        query_json_text_opt(&j, "software", v[i].software);
        query_json_text_opt(&j, "detail", v[i].detail);
        if (v[i].rtt_us >= 0)
            query_json_int(&j, "rtt_us", v[i].rtt_us);
        if (v[i].since_s)
            query_json_text(&j, "since",
                            query_time_format_rfc3339(v[i].since_s, 0, since, sizeof since));
        query_json_close(&j);
    }
    gp_buf_adds(&b, "]\n");
    const char *s = gp_buf_str(&b);
    if (s)
        fputs(s, stdout);
    gp_buf_free(&b);
    return s ? GP_OK : gp_fail(err, GP_ENOMEM, 0, "out of memory");
}

int goquery_hosts(void *opts, const cli_line *line)
{
    const goquery_opts *o = opts;
    goquery_server server = {0};
    wire_host_info *v = NULL;
    void *owner = NULL;
    size_t n = 0;
    gp_err err = {0};
    if (!*o->server_addr)
        return goquery_fail("which server? Give it with --query.server.addr HOST:PORT");
    gp_status st = goquery_server_open(o, &server, &err);
    if (st == GP_OK) {
        server.r.hosts = line->n_words ? line->words[0] : *o->hosts ? o->hosts : "any";
        st = remote_hosts(&server.r, &v, &n, &owner, &err);
    }
    if (st == GP_OK && n == 0)
        st = gp_fail(&err, GP_ENOTFOUND, 0, "\"%s\" selects no hosts", server.r.hosts);
    if (st == GP_OK)
        st = o->json || strcmp(o->format, "json") == 0 ? print_json(v, n, &err)
                                                       : print_hosts(v, n, &err);
    wire_hosts_free(v, owner);
    goquery_server_close(&server);
    return st == GP_OK ? 0 : goquery_fail("%s", err.msg);
}
