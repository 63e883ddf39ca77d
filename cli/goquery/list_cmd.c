/* list_cmd.c - `goquery list`: interfaces, their traffic and the time covered (query.md 2.9). */
#include "options.h"

#include "godb/listing.h"
#include "gp/clock.h"
#include "gp/mem.h"
#include "query/json.h"
#include "query/stmt.h"
#include "querylog.h"
#include "report.h"
#include "result/print.h"
#include "rt/log.h"

#include <string.h>

enum { CELL_PAD = 4, MAX_COLUMNS = 10, CELL_BYTES = 32 };

typedef struct entry {
    const char *iface;
    godb_listing l;
} entry;

typedef struct inventory {
    char **names; /* all interfaces of the database */
    size_t n_names;
    entry *v;
    size_t n;
} inventory;

static void inventory_free(inventory *inv)
{
    godb_strv_free(inv->names);
    gp_free(inv->v);
}

static int wanted(const cli_line *line, const char *iface)
{
    for (size_t i = 0; i < line->n_words; i++)
        if (strcmp(line->words[i], iface) == 0)
            return 1;
    return line->n_words == 0;
}

static gp_status take_inventory(const char *path, const cli_line *line, int64_t first_s,
                                int64_t last_s, inventory *inv, gp_err *err)
{
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    GP_TRY(godb_db_open(path, &db, err));
    GP_TRY(godb_db_ifaces(db, &inv->names, &inv->n_names, err));
    inv->v = gp_calloc(inv->n_names + 1, sizeof *inv->v);
    if (!inv->v)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    for (size_t i = 0; i < inv->n_names; i++) {
        if (!wanted(line, inv->names[i]))
            continue;
        entry *e = &inv->v[inv->n];
        e->iface = inv->names[i];
        gp_status st = godb_listing_get(db, e->iface, first_s, last_s, &e->l, err);
        if (st != GP_OK)
            return gp_fail_context(err, st, "interface %s", e->iface);
        if (e->l.bad_days)
            rt_warn("days that cannot be read are left out", RT_S("iface", e->iface),
                    RT_U("days", e->l.bad_days));
        inv->n++;
    }
    return GP_OK;
}

/* ---- table ---- */

typedef struct cells {
    char text[MAX_COLUMNS][CELL_BYTES];
    const char *p[MAX_COLUMNS];
    size_t n;
} cells;

static void count(cells *c, uint64_t v)
{
    c->p[c->n] = result_fmt_count(v, c->text[c->n], CELL_BYTES);
    c->n++;
}

static void size(cells *c, uint64_t v)
{
    c->p[c->n] = result_fmt_size(v, c->text[c->n], CELL_BYTES);
    c->n++;
}

static void text(cells *c, const char *s)
{
    c->p[c->n++] = s;
}

static void times(cells *c, const godb_listing *l)
{
    for (int i = 0; i < 2; i++) {
        c->p[c->n] =
            l ? query_time_format_local(i ? l->last_s : l->first_s, c->text[c->n], CELL_BYTES) : "";
        c->n++;
    }
}

static gp_status put_line(result_table *t, int detailed, const char *name, const godb_totals *v,
                          const godb_listing *l, gp_err *err)
{
    cells c = {.n = 0};
    text(&c, name);
    if (detailed) {
        count(&c, v->pkts_rcvd);
        count(&c, v->pkts_sent);
        size(&c, v->bytes_rcvd);
        size(&c, v->bytes_sent);
        count(&c, v->v4);
        count(&c, v->v6);
        count(&c, v->drops);
    } else {
        count(&c, v->pkts_rcvd + v->pkts_sent);
        size(&c, v->bytes_rcvd + v->bytes_sent);
        count(&c, v->v4 + v->v6);
    }
    times(&c, l);
    return result_table_line(t, c.p, c.n, err);
}

static gp_status put_headers(result_table *t, int detailed, gp_err *err)
{
    static const char *const plain[] = {"iface", "packets", "traffic", "flows", "from", "to"};
    static const char *const one[] = {"",     "packets", "packets", "bytes", "bytes",
                                      "# of", "# of",    "",        "",      ""};
    static const char *const two[] = {"iface",      "in",         "out",   "in",   "out",
                                      "IPv4 flows", "IPv6 flows", "drops", "from", "to"};
    static const char dashes[] = "--------------------";
    const char *line[MAX_COLUMNS];
    size_t n = detailed ? GP_COUNT(two) : GP_COUNT(plain);
    for (size_t i = 0; i < n; i++) {
        size_t a = strlen(detailed ? two[i] : plain[i]), b = detailed ? strlen(one[i]) : 0;
        line[i] = dashes + sizeof dashes - 1 - (a > b ? a : b);
    }
    if (detailed)
        GP_TRY(result_table_line(t, one, n, err));
    GP_TRY(result_table_line(t, detailed ? two : plain, n, err));
    return result_table_line(t, line, n, err);
}

static void totals_add(godb_totals *sum, const godb_totals *v)
{
    sum->v4 += v->v4;
    sum->v6 += v->v6;
    sum->drops += v->drops;
    sum->bytes_rcvd += v->bytes_rcvd;
    sum->bytes_sent += v->bytes_sent;
    sum->pkts_rcvd += v->pkts_rcvd;
    sum->pkts_sent += v->pkts_sent;
}

static gp_status fill_table(result_table *t, const inventory *inv, int detailed, gp_err *err)
{
    static const char *const empty[MAX_COLUMNS] = {"", "", "", "", "", "", "", "", "", ""};
    godb_totals sum = {0};
    GP_TRY(put_headers(t, detailed, err));
    for (size_t i = 0; i < inv->n; i++) {
        const entry *e = &inv->v[i];
        GP_TRY(put_line(t, detailed, e->iface, &e->l.totals, &e->l, err));
        totals_add(&sum, &e->l.totals);
    }
    GP_TRY(result_table_line(t, empty, detailed ? 10 : 6, err));
    return put_line(t, detailed, "Total", &sum, NULL, err);
}

static gp_status print_table(const inventory *inv, int detailed, gp_err *err)
{
    result_table *t = NULL;
    GP_TRY(result_table_new(&t, err));
    gp_status st = fill_table(t, inv, detailed, err);
    if (st == GP_OK)
        st = result_table_print(t, CELL_PAD, stdout, err);
    result_table_free(t);
    fputc('\n', stdout);
    return st;
}

/* ---- JSON ---- */

static void json_time(query_json_object *j, const char *key, int64_t time_s)
{
    char buf[64];
    query_json_text(j, key, query_time_format_rfc3339(time_s, 0, buf, sizeof buf));
}

static void json_entry(const entry *e, gp_buf *b)
{
    const godb_totals *v = &e->l.totals;
    query_json_object j = query_json_open(b);
    query_json_text(&j, "iface", e->iface);
    json_time(&j, "time_first", e->l.first_s);
    json_time(&j, "time_last", e->l.last_s);
    query_json_key(&j, "counts");
    query_json_object c = query_json_open(b);
    query_json_uint_opt(&c, "br", v->bytes_rcvd);
    query_json_uint_opt(&c, "bs", v->bytes_sent);
    query_json_uint_opt(&c, "pr", v->pkts_rcvd);
    query_json_uint_opt(&c, "ps", v->pkts_sent);
    query_json_close(&c);
    query_json_key(&j, "traffic");
    gp_buf_printf(b, "{\"num_v4_entries\":%llu,\"num_v6_entries\":%llu,\"num_drops\":%llu}",
                  (unsigned long long)v->v4, (unsigned long long)v->v6,
                  (unsigned long long)v->drops);
    query_json_close(&j);
}

static gp_status print_json(const inventory *inv, gp_err *err)
{
    gp_buf b = {0};
    gp_buf_addc(&b, '[');
    for (size_t i = 0; i < inv->n; i++) {
        if (i)
            gp_buf_addc(&b, ',');
        json_entry(&inv->v[i], &b);
    }
    gp_buf_adds(&b, "]\n");
    const char *s = gp_buf_str(&b);
    if (s)
        fputs(s, stdout);
    gp_buf_free(&b);
    return s ? GP_OK : gp_fail(err, GP_ENOMEM, 0, "out of memory");
}

/* ---- command ---- */

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

static int print(const inventory *inv, const goquery_opts *o)
{
    gp_err err = {0};
    int json = o->json || strcmp(o->format, "json") == 0;
    if (!json)
        fputc('\n', stdout);
    if (!json && inv->n == 0) {
        fflush(stdout);
        return goquery_fail("no interfaces found in %s", o->db_path);
    }
    gp_status st = json ? print_json(inv, &err) : print_table(inv, o->detailed, &err);
    return st == GP_OK || err.sys ? 0 : goquery_fail("%s", err.msg);
}

int goquery_list(void *opts, const cli_line *line)
{
    const goquery_opts *o = opts;
    gp_err err = {0};
    goquery_querylog log;
    inventory inv = {0};
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
    gp_status st = take_inventory(o->db_path, line, first_s, last_s, &inv, &err);
    code = st == GP_OK ? print(&inv, o) : goquery_fail("%s", err.msg);
    goquery_querylog_text(&log, "interfaces listed", NULL);
    goquery_querylog_close(&log);
    inventory_free(&inv);
    return code;
}
