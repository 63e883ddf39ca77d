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

static gp_status no_memory(gp_err *err)
{
    return gp_fail(err, GP_ENOMEM, 0, "result: out of memory");
}

/* The digits at i are a number of their own: no sign, fraction or exponent around them. */
static int is_whole(const char *s, size_t len, size_t i, size_t n)
{
    return (i == 0 || !memchr("-+.eE", s[i - 1], 5)) &&
           (i + n == len || !memchr(".eE", s[i + n], 3));
}

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
        if (n >= BIG_DIGITS && is_whole(s, len, i, n)) {
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
    return *out ? GP_OK : no_memory(err);
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

/* ---- rows are parsed one by one: a tree of all of them takes ten times the memory of the text
 * ---- */

/* End of the JSON value (or rubbish) that starts at i: the position of the ',' or closing bracket
 * behind it, or len. */
static size_t skip_value(const char *s, size_t len, size_t i)
{
    size_t depth = 0;
    int in_string = 0;
    for (; i < len; i++) {
        char c = s[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else
                in_string = c != '"';
        } else if (c == '"') {
            in_string = 1;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (depth-- == 0)
                return i;
        } else if (c == ',' && depth == 0) {
            return i;
        }
    }
    return len;
}

static size_t skip_space(const char *s, size_t len, size_t i)
{
    while (i < len && memchr(" \t\n\r", s[i], 4))
        i++;
    return i;
}

/* Where the elements of the array `rows` of the object lie: [*from, *to) without the brackets. 0
 * when it is not there or not written so plainly; then they are part of the whole text. */
static int find_rows(const char *s, size_t len, size_t *from, size_t *to)
{
    static const char key[] = "\"rows\"";
    size_t i = skip_space(s, len, 0);
    if (i == len || s[i] != '{')
        return 0;
    do {
        i = skip_space(s, len, i + 1);
        size_t end = skip_value(s, len, i), value = i + sizeof key - 1;
        if (value < end && memcmp(s + i, key, sizeof key - 1) == 0) {
            value = skip_space(s, end, value);
            if (value < end && s[value] == ':')
                value = skip_space(s, end, value + 1);
            if (value >= end || s[value] != '[')
                return 0;
            *from = value + 1;
            *to = skip_value(s, end, *from);
            while (*to < end && s[*to] == ',')
                *to = skip_value(s, end, *to + 1);
            return *to < end && s[*to] == ']';
        }
        i = end;
    } while (i < len && s[i] == ',');
    return 0;
}

/* Parse text that may hold numbers of 64 bits. NULL: why->text is empty when memory ran out. */
static json_t *parse(const char *s, size_t len, json_error_t *why)
{
    gp_buf quoted = {0};
    json_t *v = NULL;
    *why = (json_error_t){0};
    if (quote_big_numbers(s, len, &quoted)) {
        const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
        v = quoted.len ? json_loadb((const char *)quoted.data, quoted.len, flags, why)
                       : json_loadb(s, len, flags, why);
    }
    gp_buf_free(&quoted);
    return v;
}

static gp_status add_row(const json_t *v, result *r, gp_err *err)
{
    GP_TRY(result_reserve_rows(r, 1, err));
    gp_status st = get_row(v, r, &r->rows[r->n_rows], err);
    if (st != GP_OK)
        return gp_fail_context(err, st, "row %zu", r->n_rows);
    r->n_rows++;
    return GP_OK;
}

/* The elements of an array, from its text. */
static gp_status add_rows(const char *s, size_t len, result *r, gp_err *err)
{
    size_t i = skip_space(s, len, 0);
    while (i < len) {
        json_error_t why;
        size_t end = skip_value(s, len, i);
        json_t *v = parse(s + i, end - i, &why);
        if (!v && !why.text[0])
            return no_memory(err);
        if (!v)
            return gp_fail(err, GP_ECORRUPT, 0, "row %zu: result is not valid JSON: %.*s",
                           r->n_rows, MAX_MESSAGE, why.text);
        gp_status st = add_row(v, r, err);
        json_decref(v);
        if (st != GP_OK)
            return st;
        if (end < len && skip_space(s, len, end + 1) == len)
            return gp_fail(err, GP_ECORRUPT, 0, "result is not valid JSON: nothing after a comma");
        i = end < len ? skip_space(s, len, end + 1) : len;
    }
    return GP_OK;
}

static gp_status get_all(const json_t *root, result *r, gp_err *err)
{
    const json_t *rows;
    GP_TRY(keep_str(r, root, "hostname", &r->hostname, err));
    GP_TRY(get_statuses(root, r, err));
    GP_TRY(get_summary(root, r, err));
    GP_TRY(get_query(root, r, err));
    GP_TRY(get_arr(root, "rows", &rows, err));
    for (size_t i = 0; rows && i < json_array_size(rows); i++)
        GP_TRY(add_row(json_array_get(rows, i), r, err));
    return GP_OK;
}

/* Everything but the rows, whose array is empty in this text. */
static gp_status get_head(const char *s, size_t len, result *r, gp_err *err)
{
    json_error_t why;
    json_t *root = parse(s, len, &why);
    if (!root && !why.text[0])
        return no_memory(err);
    if (!root)
        return gp_fail(err, GP_ECORRUPT, 0, "result is not valid JSON: %.*s (line %d, column %d)",
                       MAX_MESSAGE, why.text, why.line, why.column);
    gp_status st = json_is_object(root) ? get_all(root, r, err)
                                        : gp_fail(err, GP_ECORRUPT, 0, "result is not an object");
    json_decref(root);
    return st;
}

static gp_status decode(const char *s, size_t len, result *r, gp_err *err)
{
    size_t from = 0, to = 0;
    if (!find_rows(s, len, &from, &to))
        return get_head(s, len, r, err);
    gp_buf head = {0};
    gp_buf_add(&head, s, from);
    gp_buf_add(&head, s + to, len - to);
    gp_status st =
        head.failed ? no_memory(err) : get_head((const char *)head.data, head.len, r, err);
    gp_buf_free(&head);
    return st == GP_OK ? add_rows(s + from, to - from, r, err) : st;
}

gp_status result_from_json(const void *bytes, size_t len, result *out, gp_err *err)
{
    result r;
    GP_TRY(result_init(&r, SIZE_MAX, err));
    gp_status st = decode(bytes, len, &r, err);
    if (st != GP_OK) {
        result_clear(&r);
        return st;
    }
    if (r.hits_total < r.n_rows)
        r.hits_total = r.n_rows;
    *out = r;
    return GP_OK;
}
