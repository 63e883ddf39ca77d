/* stmt_text.c - a statement as people and logs see it (spec 2.10, 7.1). */
#include "query/stmt.h"

#include "args_int.h"
#include "ifsel_int.h"
#include "query/json.h"

#include <inttypes.h>

const char *query_direction_name(query_direction d)
{
    switch (d) {
    case QUERY_SUM:
        return "sum";
    case QUERY_IN:
        return "in";
    case QUERY_OUT:
        return "out";
    case QUERY_BOTH:
        break;
    }
    return "bi-directional";
}

void query_error_dump(const query_stmt *s, const char *text, gp_buf *out)
{
    char from[40], to[40];

    gp_buf_printf(out, "failed to execute query\n\n      Error: %s\n  Statement:\n\n", text);
    gp_buf_printf(out, "        query: %s\n       ifaces: [", s->args.query);
    query_ifsel_list(s->ifsel, out, " ", gp_buf_adds);
    gp_buf_adds(out, "]\n    \n");
    if (*s->cond->statement_text)
        gp_buf_printf(out, "    condition: %s\n\t\t\n", s->cond->statement_text);
    gp_buf_printf(out, "         from: %s\n           to: %s\n    \n",
                  query_time_format_ansic(s->first_s, from, sizeof from),
                  query_time_format_ansic(s->last_s, to, sizeof to));
    gp_buf_printf(out, "        limit: %" PRIu64 "\n    \n", s->limit);
    if (s->dns_enabled)
        gp_buf_adds(out, "          dns: true\n    \n");
}

static void labels_to_json(unsigned labels, gp_buf *out)
{
    query_json_object o = query_json_open(out);

    query_json_true_opt(&o, "timestamp", (labels & QUERY_LABEL_TIME) != 0);
    query_json_true_opt(&o, "iface", (labels & QUERY_LABEL_IFACE) != 0);
    query_json_true_opt(&o, "hostname", (labels & QUERY_LABEL_HOST) != 0);
    query_json_true_opt(&o, "host_id", (labels & QUERY_LABEL_HOSTID) != 0);
    query_json_close(&o);
}

void query_stmt_to_json(const query_stmt *s, gp_buf *out)
{
    query_json_object o = query_json_open(out);

    query_json_key(&o, "ifaces");
    gp_buf_addc(out, '[');
    query_ifsel_list(s->ifsel, out, ",", query_json_string);
    gp_buf_addc(out, ']');
    query_json_key(&o, "label_selector");
    labels_to_json(s->labels, out);
    query_json_text(&o, "query_type", s->args.query);
    query_json_text_opt(&o, "condition", s->cond->statement_text);
    query_json_text(&o, "direction", query_direction_name(s->direction));
    query_json_int(&o, "from", s->first_s);
    query_json_int(&o, "to", s->last_s);
    if (s->fields.labels & QUERY_LABEL_TIME)
        query_json_int(&o, "time_bin_size", s->bin_s * INT64_C(1000000000));
    query_json_text(&o, "format", query_format_name(s->format));
    query_json_uint_opt(&o, "limit", s->limit);
    query_json_text(&o, "sort_by", query_sort_name(s->sort));
    query_json_true_opt(&o, "sort_ascending", s->ascending);
    query_json_text_opt(&o, "caller", s->args.caller);
    query_json_key(&o, "dns_resolution");
    query_dns_to_json(&s->args, out);
    query_json_int(&o, "max_mem_pct", s->max_mem_pct);
    query_json_true_opt(&o, "low_mem", s->low_mem);
    query_json_int_opt(&o, "keepalive", s->keepalive_ns);
    query_json_true_opt(&o, "live", s->live);
    query_json_true_opt(&o, "merge_hosts", s->merge_hosts);
    query_json_close(&o);
}
