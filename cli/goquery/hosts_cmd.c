/* hosts_cmd.c - goquery hosts: what a host selector means to a query server, and its health. */
#include "gp/mem.h"
#include "query/json.h"
#include "query/timearg.h"
#include "report.h"
#include "result/print.h"
#include "server.h"

#include <string.h>

enum { COLS = 7, CELL_PAD = 2, RTT = 3, DETAIL = 5 };

/* For people, or with all there is and times for programs. */
static gp_status host_line(result_table *t, const wire_host_info *h, int plain, gp_err *err)
{
    char rtt[32] = "", since[64] = "";
    if (h->rtt_us >= 0 && plain)
        snprintf(rtt, sizeof rtt, "%lld", (long long)h->rtt_us);
    else if (h->rtt_us >= 0)
        snprintf(rtt, sizeof rtt, "%.1f ms", (double)h->rtt_us / 1000);
    if (h->since_s && plain)
        query_time_format_rfc3339(h->since_s, 0, since, sizeof since);
    else if (h->since_s)
        query_time_format_local(h->since_s, since, sizeof since);
    const char *cells[COLS] = {h->host, h->state, h->address, rtt, since, h->detail, h->software};
    return result_table_line(t, cells, plain ? COLS : COLS - 1, err);
}

static gp_status print_table(const wire_host_info *v, size_t n, query_format f, gp_err *err)
{
    int plain = f == QUERY_CSV;
    const char *head[COLS] = {"host",  "state",  "address", plain ? "rtt_us" : "rtt",
                              "since", "detail", "software"};
    result_table *t = NULL;
    GP_TRY(result_table_new(&t, err));
    for (unsigned c = 0; c < COLS; c++)
        if (c == DETAIL || (f == QUERY_MD && c != RTT))
            result_table_left(t, c);
    gp_status st = result_table_line(t, head, plain ? COLS : COLS - 1, err);
    for (size_t i = 0; i < n && st == GP_OK; i++)
        st = host_line(t, &v[i], plain, err);
    if (st == GP_OK)
        st = f == QUERY_CSV  ? result_table_csv(t, stdout, err)
             : f == QUERY_MD ? result_table_markdown(t, stdout, err)
                             : result_table_print(t, CELL_PAD, stdout, err);
    result_table_free(t);
    return st;
}

/* One array, or (QUERY_NDJSON) an object a line. */
static gp_status print_json(const wire_host_info *v, size_t n, query_format f, gp_err *err)
{
    int lines = f == QUERY_NDJSON;
    gp_buf b = {0};
    gp_buf_adds(&b, lines ? "" : "[");
    for (size_t i = 0; i < n; i++) {
        char since[64];
        if (i && !lines)
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
        gp_buf_adds(&b, lines ? "\n" : "");
    }
    gp_buf_adds(&b, lines ? "" : "]\n");
    const char *s = gp_buf_str(&b);
    if (s)
        fputs(s, stdout);
    gp_buf_free(&b);
    return s ? GP_OK : gp_fail(err, GP_ENOMEM, 0, "out of memory");
}

static gp_status choose_format(const goquery_opts *o, query_format *out, gp_err *err)
{
    static const query_format known[] = {QUERY_TXT, QUERY_JSON, QUERY_CSV, QUERY_NDJSON, QUERY_MD};
    const char *name = o->json ? "json" : o->format;
    for (size_t i = 0; i < GP_COUNT(known); i++) {
        if (strcmp(name, query_format_name(known[i])) == 0) {
            *out = known[i];
            return GP_OK;
        }
    }
    return gp_fail(err, GP_EINVAL, 0,
                   "hosts can be shown as txt, json, csv, ndjson or md, not \"%.20s\"", name);
}

/* The words as one selector, else -q, else all; gp_free() it. */
static char *selector(const goquery_opts *o, const cli_line *line)
{
    gp_buf b = {0};
    for (size_t i = 0; i < line->n_words; i++)
        gp_buf_printf(&b, "%s%s", i ? "," : "", line->words[i]);
    if (line->n_words == 0)
        gp_buf_adds(&b, *o->hosts ? o->hosts : "any");
    return gp_buf_take(&b);
}

int goquery_hosts(void *opts, const cli_line *line)
{
    const goquery_opts *o = opts;
    goquery_server server = {0};
    wire_host_info *v = NULL;
    void *owner = NULL;
    size_t n = 0;
    query_format f = QUERY_TXT;
    gp_err err = {0};
    if (!*o->server_addr)
        return goquery_fail("which server? Give it with --query.server.addr HOST:PORT");
    GP_CLEANUP(gp_freep) char *hosts = selector(o, line);
    gp_status st =
        hosts ? choose_format(o, &f, &err) : gp_fail(&err, GP_ENOMEM, 0, "out of memory");
    if (st == GP_OK)
        st = goquery_server_open(o, &server, &err);
    if (st == GP_OK) {
        server.r.hosts = hosts;
        st = remote_hosts(&server.r, &v, &n, &owner, &err);
    }
    if (st == GP_OK && n == 0)
        st = gp_fail(&err, GP_ENOTFOUND, 0, "\"%s\" selects no hosts", hosts);
    if (st == GP_OK)
        st = f == QUERY_JSON || f == QUERY_NDJSON ? print_json(v, n, f, &err)
                                                  : print_table(v, n, f, &err);
    wire_hosts_free(v, owner);
    goquery_server_close(&server);
    return st == GP_OK ? 0 : goquery_fail("%s", err.msg);
}
