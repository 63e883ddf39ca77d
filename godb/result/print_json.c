/* print_json.c - the JSON object of query.md 6.6 and NDJSON rows, streamed. */
#include "printers.h"

#include "gp/mem.h"
#include "number.h"

#include <string.h>

/* Label texts are escaped once and then copied into every row. */
typedef struct rows_json {
    const result *r;
    writer *w;
    const char **host, **iface; /* `"host":"a","host_id":"b"` and `"iface":"eth0"`; "" = absent */
    size_t *host_len, *iface_len;
    gp_arena *arena;
    int64_t time_s; /* time whose text is in time_text */
    size_t time_len;
    char time_text[48];
} rows_json;

static void put_time(writer *w, int64_t time_s, uint32_t ns)
{
    char buf[64];
    if (time_s != result_time_clamp(time_s)) {
        result_writer_adds(w, "\"9999-12-31T23:59:59Z\"");
        return;
    }
    query_time_format_rfc3339(time_s, ns, buf, sizeof buf);
    result_writer_addc(w, '"');
    result_writer_adds(w, buf);
    result_writer_addc(w, '"');
}

/* `,"name":value` (comma only after the first), left out when zero. */
static void put_member(writer *w, const char *name, uint64_t v, int *n)
{
    if (!v)
        return;
    result_writer_adds(w, (*n)++ ? ",\"" : "\"");
    result_writer_adds(w, name);
    result_writer_adds(w, "\":");
    result_writer_u64(w, v);
}

static void put_counters(writer *w, const result_counters *c)
{
    int n = 0;
    result_writer_addc(w, '{');
    put_member(w, "br", c->bytes_rcvd, &n);
    put_member(w, "bs", c->bytes_sent, &n);
    put_member(w, "pr", c->pkts_rcvd, &n);
    put_member(w, "ps", c->pkts_sent, &n);
    result_writer_addc(w, '}');
}

static void put_status(writer *w, result_code code, const char *message)
{
    result_writer_adds(w, "{\"code\":");
    result_writer_json(w, result_code_name(code));
    if (message && *message) {
        result_writer_adds(w, ",\"message\":");
        result_writer_json(w, message);
    }
    result_writer_addc(w, '}');
}

static void put_strings(writer *w, const char *const *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        result_writer_addc(w, i ? ',' : '[');
        result_writer_json(w, v[i]);
    }
    result_writer_adds(w, n ? "]" : "null");
}

static void put_head(const result *r, writer *w)
{
    result_writer_addc(w, '{');
    if (r->hostname && *r->hostname) {
        result_writer_adds(w, "\"hostname\":");
        result_writer_json(w, r->hostname);
        result_writer_addc(w, ',');
    }
    result_writer_adds(w, "\"status\":");
    put_status(w, r->status, r->status_message);
    result_writer_adds(w, ",\"hosts_statuses\":");
    for (size_t i = 0; i < r->n_host_statuses; i++) {
        const result_host_status *h = &r->host_statuses[i];
        result_writer_addc(w, i ? ',' : '{');
        result_writer_json(w, h->host);
        result_writer_addc(w, ':');
        put_status(w, h->code, h->message);
    }
    if (r->n_host_statuses)
        result_writer_addc(w, '}');
    else
        result_writer_adds(w, r->status == RESULT_TOO_MANY_REQUESTS ? "null" : "{}");
}

static void put_timings(const result *r, writer *w)
{
    int64_t s = r->query_start_ns / 1000000000, ns = r->query_start_ns % 1000000000;
    if (ns < 0) {
        ns += 1000000000;
        s--;
    }
    result_writer_adds(w, ",\"timings\":{\"query_start\":");
    put_time(w, s, (uint32_t)ns);
    result_writer_adds(w, ",\"query_duration_ns\":");
    result_writer_i64(w, r->query_duration_ns);
    if (r->resolution_ns) {
        result_writer_adds(w, ",\"resolution\":");
        result_writer_i64(w, r->resolution_ns);
    }
    result_writer_addc(w, '}');
}

static void put_stats(const result_stats *s, writer *w)
{
    const struct {
        const char *name;
        uint64_t v;
    } members[] = {{",\"stats\":{\"bytes_loaded\":", s->bytes_loaded},
                   {",\"bytes_decompressed\":", s->bytes_decompressed},
                   {",\"blocks_processed\":", s->blocks_processed},
                   {",\"blocks_corrupted\":", s->blocks_corrupted},
                   {",\"directories_processed\":", s->directories_processed},
                   {",\"workloads\":", s->workloads}};
    for (size_t i = 0; i < GP_COUNT(members); i++) {
        result_writer_adds(w, members[i].name);
        result_writer_u64(w, members[i].v);
    }
    result_writer_addc(w, '}');
}

static void put_summary(const result *r, writer *w)
{
    result_writer_adds(w, "{\"interfaces\":");
    put_strings(w, r->ifaces, r->n_ifaces);
    result_writer_adds(w, ",\"time_first\":");
    put_time(w, r->time_first_s, 0);
    result_writer_adds(w, ",\"time_last\":");
    put_time(w, r->time_last_s, 0);
    result_writer_adds(w, ",\"totals\":");
    put_counters(w, &r->totals);
    put_timings(r, w);
    result_writer_adds(w, ",\"hits\":{\"displayed\":");
    result_writer_u64(w, r->n_rows);
    result_writer_adds(w, ",\"total\":");
    result_writer_u64(w, r->hits_total);
    result_writer_adds(w, r->data_available ? "},\"data_available\":true"
                                            : "},\"data_available\":false");
    if (r->has_stats)
        put_stats(&r->stats, w);
    result_writer_addc(w, '}');
}

static void put_query(const result *r, writer *w)
{
    result_writer_adds(w, ",\"query\":{\"attributes\":[");
    for (size_t i = 0; i < r->fields.n_attrs; i++) {
        if (i)
            result_writer_addc(w, ',');
        result_writer_json(w, query_attr_name(r->fields.attrs[i]));
    }
    result_writer_addc(w, ']');
    if (r->condition && *r->condition) {
        result_writer_adds(w, ",\"condition\":");
        result_writer_json(w, r->condition);
    }
    result_writer_addc(w, '}');
}

/* ---- rows ---- */

/* What result_writer_json() would write for name:text, kept in the arena. Uses an empty scratch
 * writer. */
static const char *keep(rows_json *x, writer *scratch, size_t *len)
{
    char *p = gp_arena_alloc(x->arena, scratch->len + 1, 1);
    if (p)
        memcpy(p, scratch->buf, scratch->len);
    *len = scratch->len;
    scratch->len = 0;
    return p;
}

static gp_status prepare_labels(rows_json *x, writer *scratch)
{
    const result *r = x->r;
    x->arena = gp_arena_new(SIZE_MAX);
    if (!x->arena)
        return GP_ENOMEM;
    x->host = gp_arena_alloc(x->arena, r->n_hosts + 1, sizeof *x->host);
    x->host_len = gp_arena_alloc(x->arena, r->n_hosts + 1, sizeof *x->host_len);
    x->iface = gp_arena_alloc(x->arena, r->n_names + 1, sizeof *x->iface);
    x->iface_len = gp_arena_alloc(x->arena, r->n_names + 1, sizeof *x->iface_len);
    if (!x->host || !x->host_len || !x->iface || !x->iface_len)
        return GP_ENOMEM;
    for (size_t i = 0; i < r->n_hosts; i++) {
        const result_host *h = &r->hosts[i];
        if (*h->name) {
            result_writer_adds(scratch, "\"host\":");
            result_writer_json(scratch, h->name);
        }
        if (*h->id) {
            result_writer_adds(scratch, *h->name ? ",\"host_id\":" : "\"host_id\":");
            result_writer_json(scratch, h->id);
        }
        if (!(x->host[i] = keep(x, scratch, &x->host_len[i])))
            return GP_ENOMEM;
    }
    for (size_t i = 0; i < r->n_names; i++) {
        if (*r->names[i]) {
            result_writer_adds(scratch, "\"iface\":");
            result_writer_json(scratch, r->names[i]);
        }
        if (!(x->iface[i] = keep(x, scratch, &x->iface_len[i])))
            return GP_ENOMEM;
    }
    return GP_OK;
}

#define LIT(p, text) (memcpy((p), (text), sizeof(text) - 1), (p) + sizeof(text) - 1)

/* {"timestamp":...,"iface":...,"host":...,"host_id":...} */
static void put_labels(rows_json *x, const result_row *row)
{
    writer *w = x->w;
    int comma = 0;
    result_writer_add(w, "{\"labels\":{", 11);
    if (row->time_s) {
        if (row->time_s != x->time_s) {
            char *p = LIT(x->time_text, "\"timestamp\":\"");
            char *end = x->time_text + sizeof x->time_text;
            query_time_format_rfc3339(result_time_clamp(row->time_s), 0, p, (size_t)(end - p - 1));
            p += strlen(p);
            *p++ = '"';
            x->time_len = (size_t)(p - x->time_text);
            x->time_s = row->time_s;
        }
        result_writer_add(w, x->time_text, x->time_len);
        comma = 1;
    }
    size_t n = x->iface_len[row->iface];
    if (n) {
        if (comma)
            result_writer_addc(w, ',');
        result_writer_add(w, x->iface[row->iface], n);
        comma = 1;
    }
    n = x->host_len[row->host];
    if (n) {
        if (comma)
            result_writer_addc(w, ',');
        result_writer_add(w, x->host[row->host], n);
    }
}

/* A counter or number that is left out when zero; key holds the comma. */
static inline char *put_nonzero(char *p, const char *key, size_t key_len, uint64_t v, char *start)
{
    if (!v)
        return p;
    if (p != start)
        *p++ = ',';
    memcpy(p, key, key_len);
    p += key_len;
    return p + result_number_u64(p, v);
}
#define NONZERO(p, key, v, start) put_nonzero((p), (key), sizeof(key) - 1, (v), (start))

static char *put_addr(const writer *w, char *p, const char *key, uint8_t family,
                      const uint8_t bytes[16], char *start)
{
    if (!family)
        return p;
    if (p != start)
        *p++ = ',';
    memcpy(p, key, 7);
    p += 7;
    p += result_writer_addr(w, p, family, bytes);
    *p++ = '"';
    return p;
}

static void put_row(rows_json *x, const result_row *row)
{
    put_labels(x, row);
    writer *w = x->w;
    char *p = result_writer_room(w, 512), *start; /* at most 2 * 55 + 4 * 26 + 60 bytes */
    p = start = LIT(p, "},\"attributes\":{");
    p = put_addr(w, p, "\"sip\":\"", row->sip_family, row->sip, start);
    p = put_addr(w, p, "\"dip\":\"", row->dip_family, row->dip, start);
    p = NONZERO(p, "\"proto\":", row->proto, start);
    p = NONZERO(p, "\"dport\":", row->dport, start);
    p = start = LIT(p, "},\"counters\":{");
    p = NONZERO(p, "\"br\":", row->c.bytes_rcvd, start);
    p = NONZERO(p, "\"bs\":", row->c.bytes_sent, start);
    p = NONZERO(p, "\"pr\":", row->c.pkts_rcvd, start);
    p = NONZERO(p, "\"ps\":", row->c.pkts_sent, start);
    p = LIT(p, "}}");
    result_writer_used(w, p);
}

/* between: what separates two rows. */
static gp_status put_rows(const result *r, writer *w, char between, gp_err *err)
{
    rows_json x = {.r = r, .w = w};
    GP_CLEANUP(result_writer_freep) writer *scratch = result_writer_new(NULL);
    gp_status st = scratch ? prepare_labels(&x, scratch) : GP_ENOMEM;
    for (size_t i = 0; i < r->n_rows && st == GP_OK && !w->failed; i++) {
        if (i)
            result_writer_addc(w, between);
        put_row(&x, &r->rows[i]);
    }
    gp_arena_free(x.arena);
    return st == GP_OK ? st : gp_fail(err, st, 0, "printing: out of memory");
}

gp_status result_print_json(const result *r, const result_print_opts *o, writer *w, gp_err *err)
{
    (void)o;
    put_head(r, w);
    result_writer_adds(w, ",\"summary\":");
    put_summary(r, w);
    put_query(r, w);
    result_writer_adds(w, ",\"rows\":");
    int merged = !r->hostname || !*r->hostname;
    if (r->n_rows == 0 && merged) {
        result_writer_adds(w, "null}\n");
        return GP_OK;
    }
    result_writer_addc(w, '[');
    GP_TRY(put_rows(r, w, ',', err));
    result_writer_adds(w, "]}\n");
    return GP_OK;
}

gp_status result_print_ndjson(const result *r, const result_print_opts *o, writer *w, gp_err *err)
{
    (void)o;
    GP_TRY(put_rows(r, w, '\n', err));
    if (r->n_rows)
        result_writer_addc(w, '\n');
    return GP_OK;
}

gp_status result_print_summary(const result *r, FILE *out, gp_err *err)
{
    GP_CLEANUP(result_writer_freep) writer *w = result_writer_new(out);
    if (!w)
        return gp_fail(err, GP_ENOMEM, 0, "printing: out of memory");
    put_summary(r, w);
    return result_writer_finish(w, err);
}
