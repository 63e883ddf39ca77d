/* list_cmd.c - `goquery list`: interfaces, their traffic and the time covered (query.md 2.9). */
#include "options.h"

#include "cli/inventory.h"
#include "gp/clock.h"
#include "gp/mem.h"
#include "query/stmt.h"
#include "querylog.h"
#include "report.h"
#include "rt/log.h"

#include <string.h>

static gp_status add_problem(query_problems *p, const char *location, const char *message,
                             const char *value)
{
    query_problem *v = gp_realloc(p->v, p->n + 1, sizeof *v);
    if (!v)
        return GP_ENOMEM;
    p->v = v;
    query_problem *new = &v[p->n++];
    *new = (query_problem){
        .location = gp_strdup(location), .message = gp_strdup(message), .value = gp_strdup(value)};
    return new->location &&new->message &&new->value ? GP_OK : GP_ENOMEM;
}

/* Range of the list: everything up to now, unless said otherwise. 0, or an exit code. */
static int parse_range(const goquery_opts *o, int64_t *first_s, int64_t *last_s)
{
    query_problems p = {0};
    gp_err err = {0};
    int64_t now = gp_wall_s();
    int code = 0;
    gp_status st = GP_OK;
    *first_s = 0;
    *last_s = now;
    if (*o->first && query_time_parse(o->first, now, first_s, &err) != GP_OK)
        st = add_problem(&p, "body.first", err.msg, o->first);
    if (st == GP_OK && *o->last && query_time_parse(o->last, now, last_s, &err) != GP_OK)
        st = add_problem(&p, "body.last", err.msg, o->last);
    if (st == GP_OK && p.n == 0 && *first_s > *last_s)
        st = add_problem(&p, "body.first",
                         "invalid time interval: the lower bound must not exceed the upper bound",
                         o->first);
    if (st != GP_OK)
        code = goquery_fail("out of memory");
    else if (p.n)
        code = goquery_fail_problems(&p);
    query_problems_clear(&p);
    return code;
}

static int print(const cli_inventory *inv, const goquery_opts *o, const cli_line *line)
{
    gp_err err = {0};
    int json = o->json || strcmp(o->format, "json") == 0;
    if (!json)
        fputc('\n', stdout);
    if (!json && inv->n == 0) {
        fflush(stdout);
        (void)cli_inventory_none(inv, o->db_path, line->words, line->n_words, &err);
        return goquery_fail("%s", err.msg);
    }
    gp_status st = json ? cli_inventory_json(inv, stdout, &err)
                        : cli_inventory_table(inv, o->detailed, stdout, &err);
    return st == GP_OK || err.sys ? 0 : goquery_fail("%s", err.msg);
}

int goquery_list(void *opts, const cli_line *line)
{
    const goquery_opts *o = opts;
    gp_err err = {0};
    goquery_querylog log;
    cli_inventory inv = {0};
    int64_t first_s, last_s;
    if (!*o->db_path)
        return goquery_fail(
            "db.path is required to list interfaces: give the database with -d DIR");
    int code = parse_range(o, &first_s, &last_s);
    if (code)
        return code;
    goquery_querylog_open(&log, o->query_log);
    gp_buf args = {0};
    for (size_t i = 0; i < line->n_words; i++)
        gp_buf_printf(&args, "%s%s", i ? "," : "", line->words[i]);
    goquery_querylog_text(&log, "listing interfaces", gp_buf_str(&args));
    gp_buf_free(&args);
    gp_status st =
        cli_inventory_take(o->db_path, line->words, line->n_words, first_s, last_s, &inv, &err);
    for (size_t i = 0; i < inv.n; i++) {
        const godb_listing *l = &inv.v[i].l;
        if (l->bad_days)
            rt_warn("days that cannot be read are left out", RT_S("iface", inv.v[i].iface),
                    RT_U("days", l->bad_days));
        if (l->strays)
            rt_warn("directories that are no days are left out", RT_S("iface", inv.v[i].iface),
                    RT_S("which", l->strays_text));
    }
    code = st == GP_OK ? print(&inv, o, line) : goquery_fail("%s", err.msg);
    goquery_querylog_text(&log, "interfaces listed", NULL);
    goquery_querylog_close(&log);
    cli_inventory_free(&inv);
    return code;
}
