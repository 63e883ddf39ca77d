/* inventory.c - interfaces of a database with their totals, as table and as JSON (query.md 2.9). */
#include "cli/inventory.h"

#include "godb/columns.h"
#include "gp/bytes.h"
#include "gp/mem.h"
#include "query/json.h"
#include "query/timearg.h"
#include "result/print.h"

#include <string.h>

enum { CELL_PAD = 4, MAX_COLUMNS = 10, CELL_BYTES = 32, MAX_NAMED = 10 };

void cli_inventory_free(cli_inventory *inv)
{
    godb_strv_free(inv->names);
    gp_free(inv->v);
    *inv = (cli_inventory){0};
}

static int wanted(const char *const *words, size_t n, const char *iface)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(words[i], iface) == 0)
            return 1;
    return n == 0;
}

gp_status cli_inventory_take(const char *path, const char *const *words, size_t n_words,
                             int64_t first_s, int64_t last_s, cli_inventory *out, gp_err *err)
{
    GP_CLEANUP(godb_db_closep) godb_db *db = NULL;
    size_t n = 0;

    GP_TRY(godb_db_open(path, &db, err));
    GP_TRY(godb_db_ifaces(db, &out->names, &n, err));
    out->v = gp_calloc(n + 1, sizeof *out->v);
    if (!out->v)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    for (size_t i = 0; i < n; i++) {
        if (!wanted(words, n_words, out->names[i]))
            continue;
        cli_inventory_entry *e = &out->v[out->n];
        e->iface = out->names[i];
        gp_status st = godb_listing_get(db, e->iface, first_s, last_s, &e->l, err);
        if (st != GP_OK)
            return gp_fail_context(err, st, "interface %s", e->iface);
        if (e->l.first_s == 0 && e->l.last_s == 0) { /* no block: the range itself */
            e->l.first_s = first_s > INT64_MIN + GODB_BLOCK_S ? first_s - GODB_BLOCK_S : first_s;
            e->l.last_s = last_s;
        }
        out->n++;
    }
    return GP_OK;
}

gp_status cli_inventory_none(const cli_inventory *inv, const char *path, const char *const *words,
                             size_t n_words, gp_err *err)
{
    gp_buf b = {0};
    size_t n = 0;

    if (!n_words || !inv->names || !inv->names[0])
        return gp_fail(err, GP_ENOTFOUND, 0, "no interfaces found in %s", path);
    gp_buf_adds(&b, "none of the interfaces");
    for (size_t i = 0; i < n_words && i < MAX_NAMED; i++)
        gp_buf_printf(&b, "%s \"%.40s\"", i ? "," : "", words[i]);
    gp_buf_printf(&b, " is in %.200s (", path);
    for (; n < MAX_NAMED && inv->names[n]; n++)
        gp_buf_printf(&b, "%s%.40s", n ? ", " : "", inv->names[n]);
    gp_buf_adds(&b, inv->names[n] ? ", ...)" : ")");
    const char *text = gp_buf_str(&b);
    gp_status st = gp_fail(err, GP_ENOTFOUND, 0, "%s", text ? text : "no such interface");
    gp_buf_free(&b);
    return st;
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

static gp_status fill_table(result_table *t, const cli_inventory *inv, int detailed, gp_err *err)
{
    static const char *const empty[MAX_COLUMNS] = {"", "", "", "", "", "", "", "", "", ""};
    godb_totals sum = {0};
    GP_TRY(put_headers(t, detailed, err));
    for (size_t i = 0; i < inv->n; i++) {
        const cli_inventory_entry *e = &inv->v[i];
        GP_TRY(put_line(t, detailed, e->iface, &e->l.totals, &e->l, err));
        totals_add(&sum, &e->l.totals);
    }
    GP_TRY(result_table_line(t, empty, detailed ? 10 : 6, err));
    return put_line(t, detailed, "Total", &sum, NULL, err);
}

gp_status cli_inventory_table(const cli_inventory *inv, int detailed, FILE *out, gp_err *err)
{
    result_table *t = NULL;
    GP_TRY(result_table_new(&t, err));
    gp_status st = fill_table(t, inv, detailed, err);
    if (st == GP_OK)
        st = result_table_print(t, CELL_PAD, out, err);
    result_table_free(t);
    fputc('\n', out);
    return st;
}

/* ---- JSON ---- */

static void json_time(query_json_object *j, const char *key, int64_t time_s)
{
    char buf[64];
    query_json_text(j, key, query_time_format_rfc3339(time_s, 0, buf, sizeof buf));
}

static void json_entry(const cli_inventory_entry *e, gp_buf *b)
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

gp_status cli_inventory_json(const cli_inventory *inv, FILE *out, gp_err *err)
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
        fputs(s, out);
    gp_buf_free(&b);
    return s ? GP_OK : gp_fail(err, GP_ENOMEM, 0, "out of memory");
}
