/* from_json.c - decode a JSON result object (query.md 6.6) that came from a file or a server.
 *
 * Members that are not known are skipped, missing ones are zero. What is known must have the right
 * type: a wrong number is worse than an error.
 */
#include "gp/bytes.h"
#include "gp/num.h"
#include "result/print.h"

#include <jansson.h>
#include <string.h>

enum {
    MAX_MESSAGE = 80,
    BIG_DIGITS = 19, /* numbers with fewer digits fit jansson's signed integers */
    BIG_MARK = '#',
};

/* Counters have 64 bits, jansson's integers 63: numbers of 19 digits and more become strings with a
 * mark in front. Writes a copy to out only when there is one; false if out of memory. */
static int quote_big_numbers(const char *s, size_t len, gp_buf *out)
{
    size_t copied = 0, i = 0;
    int in_string = 0;
    while (i < len) {
        if (in_string) {
            in_string = s[i] != '"';
            i += s[i] == '\\' ? 2 : 1;
            continue;
        }
        size_t n = 0;
        while (i + n < len && s[i + n] >= '0' && s[i + n] <= '9')
            n++;
        if (n >= BIG_DIGITS) {
            gp_buf_add(out, s + copied, i - copied);
            gp_buf_printf(out, "\"%c%.*s\"", BIG_MARK, (int)(n < 64 ? n : 64), s + i);
            copied = i + n;
        }
        in_string = n == 0 && s[i] == '"';
        i += n ? n : 1;
    }
    if (copied)
        gp_buf_add(out, s + copied, len - copied);
    return !out->failed;
}

static gp_status bad(gp_err *err, const char *what, const char *want)
{
    return gp_fail(err, GP_ECORRUPT, 0, "result: member \"%s\" is not %s", what, want);
}

static int big_value(const json_t *v, uint64_t max, uint64_t *out)
{
    const char *s = json_string_value(v);
    return s[0] == BIG_MARK && gp_num_u64(s + 1, json_string_length(v) - 1, max, out);
}

static gp_status get_u64(const json_t *o, const char *key, uint64_t *out, gp_err *err)
{
    const json_t *v = json_object_get(o, key);
    if (!v || json_is_null(v))
        return GP_OK;
    if (json_is_string(v) && big_value(v, UINT64_MAX, out))
        return GP_OK;
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return bad(err, key, "a whole number of 64 bits");
    *out = (uint64_t)json_integer_value(v);
    return GP_OK;
}

static gp_status get_i64(const json_t *o, const char *key, int64_t *out, gp_err *err)
{
    const json_t *v = json_object_get(o, key);
    if (!v || json_is_null(v))
        return GP_OK;
    uint64_t big;
    if (json_is_string(v) && big_value(v, INT64_MAX, &big)) {
        *out = (int64_t)big;
        return GP_OK;
    }
    if (!json_is_integer(v))
        return bad(err, key, "a whole number of 64 bits");
    *out = json_integer_value(v);
    return GP_OK;
}

/* *out points into o, "" when absent. */
static gp_status get_str(const json_t *o, const char *key, const char **out, gp_err *err)
{
    const json_t *v = json_object_get(o, key);
    *out = "";
    if (!v || json_is_null(v))
        return GP_OK;
    if (!json_is_string(v))
        return bad(err, key, "a string");
    *out = json_string_value(v);
    return GP_OK;
}

static gp_status keep_str(result *r, const json_t *o, const char *key, const char **out,
                          gp_err *err)
{
    const char *s;
    GP_TRY(get_str(o, key, &s, err));
    *out = result_strdup(r, s);
    return *out ? GP_OK : gp_fail(err, GP_ENOMEM, 0, "result: out of memory");
}

/* Sub-object or NULL; NULL also for null. */
static gp_status get_obj(const json_t *o, const char *key, const json_t **out, gp_err *err)
{
    const json_t *v = json_object_get(o, key);
    *out = NULL;
    if (!v || json_is_null(v))
        return GP_OK;
    if (!json_is_object(v))
        return bad(err, key, "an object");
    *out = v;
    return GP_OK;
}

static gp_status get_arr(const json_t *o, const char *key, const json_t **out, gp_err *err)
{
    const json_t *v = json_object_get(o, key);
    *out = NULL;
    if (!v || json_is_null(v))
        return GP_OK;
    if (!json_is_array(v))
        return bad(err, key, "an array");
    *out = v;
    return GP_OK;
}

static gp_status get_time(const json_t *o, const char *key, int64_t *s, uint32_t *ns, gp_err *err)
{
    const char *text;
    uint32_t frac = 0;
    GP_TRY(get_str(o, key, &text, err));
    if (!*text)
        return GP_OK;
    if (!query_time_parse_rfc3339(text, strlen(text), s, &frac))
        return bad(err, key, "an RFC 3339 time");
    if (ns)
        *ns = frac;
    return GP_OK;
}

static gp_status get_counters(const json_t *o, result_counters *c, gp_err *err)
{
    GP_TRY(get_u64(o, "br", &c->bytes_rcvd, err));
    GP_TRY(get_u64(o, "bs", &c->bytes_sent, err));
    GP_TRY(get_u64(o, "pr", &c->pkts_rcvd, err));
    return get_u64(o, "ps", &c->pkts_sent, err);
}

static gp_status get_code(const json_t *o, result_code *out, gp_err *err)
{
    const char *s;
    GP_TRY(get_str(o, "code", &s, err));
    int code = result_code_from_name(s);
    if (code < 0)
        return gp_fail(err, GP_ECORRUPT, 0, "result: unknown status \"%.*s\"", MAX_MESSAGE, s);
    *out = (result_code)code;
    return GP_OK;
}

static gp_status get_statuses(const json_t *root, result *r, gp_err *err)
{
    const json_t *o;
    GP_TRY(get_obj(root, "status", &o, err));
    if (o) {
        GP_TRY(get_code(o, &r->status, err));
        GP_TRY(keep_str(r, o, "message", &r->status_message, err));
    }
    GP_TRY(get_obj(root, "hosts_statuses", &o, err));
    if (!o)
        return GP_OK;
    const char *host;
    json_t *v;
    void *it; /* jansson iterates over non-const objects only */
    json_t *mut = json_object_get(root, "hosts_statuses");
    for (it = json_object_iter(mut); it; it = json_object_iter_next(mut, it)) {
        result_code code = RESULT_ERROR;
        const char *message;
        host = json_object_iter_key(it);
        v = json_object_iter_value(it);
        if (!json_is_object(v))
            return bad(err, "hosts_statuses", "an object of objects");
        GP_TRY(get_code(v, &code, err));
        GP_TRY(get_str(v, "message", &message, err));
        GP_TRY(result_add_host_status(r, host, code, message, err));
    }
    return GP_OK;
}

static gp_status get_stats(const json_t *summary, result *r, gp_err *err)
{
    const json_t *o;
    GP_TRY(get_obj(summary, "stats", &o, err));
    if (!o)
        return GP_OK;
    r->has_stats = 1;
    GP_TRY(get_u64(o, "bytes_loaded", &r->stats.bytes_loaded, err));
    GP_TRY(get_u64(o, "bytes_decompressed", &r->stats.bytes_decompressed, err));
    GP_TRY(get_u64(o, "blocks_processed", &r->stats.blocks_processed, err));
    GP_TRY(get_u64(o, "blocks_corrupted", &r->stats.blocks_corrupted, err));
    GP_TRY(get_u64(o, "directories_processed", &r->stats.directories_processed, err));
    return get_u64(o, "workloads", &r->stats.workloads, err);
}

static gp_status get_timings(const json_t *summary, result *r, gp_err *err)
{
    const json_t *o;
    int64_t s = 0;
    uint32_t ns = 0;
    GP_TRY(get_obj(summary, "timings", &o, err));
    if (!o)
        return GP_OK;
    GP_TRY(get_time(o, "query_start", &s, &ns, err));
    if (s > INT64_MAX / 1000000000 - 1 || s < INT64_MIN / 1000000000 + 1)
        s = 0; /* a zero time of the year 1 */
    r->query_start_ns = s * 1000000000 + ns;
    GP_TRY(get_i64(o, "query_duration_ns", &r->query_duration_ns, err));
    return get_i64(o, "resolution", &r->resolution_ns, err);
}

static gp_status get_summary(const json_t *root, result *r, gp_err *err)
{
    const json_t *sum, *v;
    GP_TRY(get_obj(root, "summary", &sum, err));
    if (!sum)
        return GP_OK;
    GP_TRY(get_arr(sum, "interfaces", &v, err));
    for (size_t i = 0; v && i < json_array_size(v); i++) {
        const char *name = json_string_value(json_array_get(v, i));
        if (!name)
            return bad(err, "interfaces", "an array of strings");
        GP_TRY(result_add_iface(r, name, err));
    }
    GP_TRY(get_time(sum, "time_first", &r->time_first_s, NULL, err));
    GP_TRY(get_time(sum, "time_last", &r->time_last_s, NULL, err));
    GP_TRY(get_obj(sum, "totals", &v, err));
    if (v)
        GP_TRY(get_counters(v, &r->totals, err));
    GP_TRY(get_timings(sum, r, err));
    GP_TRY(get_obj(sum, "hits", &v, err));
    if (v)
        GP_TRY(get_u64(v, "total", &r->hits_total, err));
    r->data_available = json_is_true(json_object_get(sum, "data_available"));
    return get_stats(sum, r, err);
}

static gp_status get_query(const json_t *root, result *r, gp_err *err)
{
    const json_t *q, *v;
    GP_TRY(get_obj(root, "query", &q, err));
    if (!q)
        return GP_OK;
    GP_TRY(keep_str(r, q, "condition", &r->condition, err));
    GP_TRY(get_arr(q, "attributes", &v, err));
    for (size_t i = 0; v && i < json_array_size(v); i++) {
        const char *name = json_string_value(json_array_get(v, i));
        unsigned a = 0;
        while (name && a < QUERY_N_ATTRS && strcmp(name, query_attr_name((query_attr)a)) != 0)
            a++;
        if (!name || a == QUERY_N_ATTRS || r->fields.attr_mask & 1U << a)
            return bad(err, "attributes", "a list of different attributes");
        r->fields.attrs[r->fields.n_attrs++] = (uint8_t)a;
        r->fields.attr_mask = (uint8_t)(r->fields.attr_mask | 1U << a);
    }
    return GP_OK;
}

static gp_status get_addr(const json_t *o, const char *key, uint8_t *family, uint8_t bytes[16],
                          gp_err *err)
{
    const char *s;
    gp_addr a;
    GP_TRY(get_str(o, key, &s, err));
    if (!*s)
        return GP_OK;
    if (!gp_addr_parse(s, strlen(s), &a))
        return bad(err, key, "an IP address");
    if (strchr(s, ':') && a.family == 4) { /* in results, unlike in conditions, this is IPv6 */
        uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff};
        memcpy(mapped + 12, a.bytes, 4);
        memcpy(bytes, mapped, 16);
        *family = 6;
        return GP_OK;
    }
    *family = a.family;
    memcpy(bytes, a.bytes, 16);
    return GP_OK;
}

static gp_status get_row(const json_t *v, result *r, result_row *row, gp_err *err)
{
    const json_t *labels, *attrs, *counters;
    const char *iface = "", *host = "", *id = "";
    uint64_t proto = 0, dport = 0;
    if (!json_is_object(v))
        return bad(err, "rows", "an array of objects");
    memset(row, 0, sizeof *row);
    GP_TRY(get_obj(v, "labels", &labels, err));
    GP_TRY(get_obj(v, "attributes", &attrs, err));
    GP_TRY(get_obj(v, "counters", &counters, err));
    if (labels) {
        GP_TRY(get_time(labels, "timestamp", &row->time_s, NULL, err));
        GP_TRY(get_str(labels, "iface", &iface, err));
        GP_TRY(get_str(labels, "host", &host, err));
        GP_TRY(get_str(labels, "host_id", &id, err));
    }
    if (attrs) {
        GP_TRY(get_addr(attrs, "sip", &row->sip_family, row->sip, err));
        GP_TRY(get_addr(attrs, "dip", &row->dip_family, row->dip, err));
        GP_TRY(get_u64(attrs, "proto", &proto, err));
        GP_TRY(get_u64(attrs, "dport", &dport, err));
    }
    if (proto > UINT8_MAX)
        return bad(err, "proto", "0..255");
    if (dport > UINT16_MAX)
        return bad(err, "dport", "0..65535");
    row->proto = (uint8_t)proto;
    row->dport = (uint16_t)dport;
    row->host = result_host_id(r, host, id);
    row->iface = result_iface_id(r, iface);
    if (row->host == UINT32_MAX || row->iface == UINT32_MAX)
        return gp_fail(err, GP_ENOMEM, 0, "result: out of memory for labels");
    return counters ? get_counters(counters, &row->c, err) : GP_OK;
}

static gp_status get_all(const json_t *root, result *r, gp_err *err)
{
    const json_t *rows;
    GP_TRY(keep_str(r, root, "hostname", &r->hostname, err));
    GP_TRY(get_statuses(root, r, err));
    GP_TRY(get_summary(root, r, err));
    GP_TRY(get_query(root, r, err));
    GP_TRY(get_arr(root, "rows", &rows, err));
    size_t n = rows ? json_array_size(rows) : 0;
    GP_TRY(result_reserve_rows(r, n, err));
    for (size_t i = 0; i < n; i++) {
        gp_status st = get_row(json_array_get(rows, i), r, &r->rows[r->n_rows], err);
        if (st != GP_OK)
            return gp_fail_context(err, st, "row %zu", i);
        r->n_rows++;
    }
    if (r->hits_total < r->n_rows)
        r->hits_total = r->n_rows;
    return GP_OK;
}

gp_status result_from_json(const void *bytes, size_t len, result *out, gp_err *err)
{
    json_error_t why;
    result r;
    gp_buf quoted = {0};
    if (!quote_big_numbers(bytes, len, &quoted)) {
        gp_buf_free(&quoted);
        return gp_fail(err, GP_ENOMEM, 0, "result: out of memory for %zu bytes of JSON", len);
    }
    json_t *root =
        quoted.len ? json_loadb((const char *)quoted.data, quoted.len, JSON_REJECT_DUPLICATES, &why)
                   : json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &why);
    gp_buf_free(&quoted);
    if (!root)
        return gp_fail(err, GP_ECORRUPT, 0, "result is not valid JSON: %.*s (line %d, column %d)",
                       MAX_MESSAGE, why.text, why.line, why.column);
    gp_status st = json_is_object(root) ? result_init(&r, SIZE_MAX, err)
                                        : gp_fail(err, GP_ECORRUPT, 0, "result is not an object");
    if (st == GP_OK) {
        st = get_all(root, &r, err);
        if (st == GP_OK)
            *out = r;
        else
            result_clear(&r);
    }
    json_decref(root);
    return st;
}
