/* columns.c - columns of a result and the text of their cells. */
#include "columns.h"

#include "gp/ipproto.h"
#include "number.h"
#include "width.h"

#include <string.h>

static void add(columns *x, column c)
{
    x->col[x->n++] = c;
}

static void pick_columns(columns *x)
{
    static const struct {
        unsigned label;
        column c;
    } labels[] = {{QUERY_LABEL_TIME, COLUMN_TIME},
                  {QUERY_LABEL_HOST, COLUMN_HOST},
                  {QUERY_LABEL_HOSTID, COLUMN_HOSTID},
                  {QUERY_LABEL_IFACE, COLUMN_IFACE}};
    static const column attrs[QUERY_N_ATTRS] = {[QUERY_SIP] = COLUMN_SIP,
                                                [QUERY_DIP] = COLUMN_DIP,
                                                [QUERY_DPORT] = COLUMN_DPORT,
                                                [QUERY_PROTO] = COLUMN_PROTO};
    static const column counters[4][6] = {
        [QUERY_BOTH] = {COLUMN_PKTS_IN, COLUMN_PKTS_OUT, COLUMN_PKTS_PCT, COLUMN_BYTES_IN,
                        COLUMN_BYTES_OUT, COLUMN_BYTES_PCT},
        [QUERY_SUM] = {COLUMN_PKTS_SUM, COLUMN_PKTS_PCT, COLUMN_BYTES_SUM, COLUMN_BYTES_PCT},
        [QUERY_IN] = {COLUMN_PKTS_IN, COLUMN_PKTS_PCT, COLUMN_BYTES_IN, COLUMN_BYTES_PCT},
        [QUERY_OUT] = {COLUMN_PKTS_OUT, COLUMN_PKTS_PCT, COLUMN_BYTES_OUT, COLUMN_BYTES_PCT},
    };
    for (size_t i = 0; i < GP_COUNT(labels); i++)
        if (x->o->labels & labels[i].label)
            add(x, labels[i].c);
    for (size_t i = 0; i < x->r->fields.n_attrs && i < QUERY_N_ATTRS; i++)
        if (x->r->fields.attrs[i] < QUERY_N_ATTRS)
            add(x, attrs[x->r->fields.attrs[i]]);
    size_t n = x->o->direction == QUERY_BOTH ? 6 : 4;
    for (size_t i = 0; i < n; i++)
        add(x, counters[x->o->direction][i]);
}

static gp_status label_cell(columns *x, const char *s, int clean, layout_cell *out)
{
    size_t cap = strlen(s) + 1;
    uint32_t len = (uint32_t)(cap - 1);
    if (cap > UINT32_MAX)
        return GP_ENOMEM;
    if (clean) {
        char *copy = gp_arena_alloc(x->arena, cap, 1);
        if (!copy)
            return GP_ENOMEM;
        len = (uint32_t)result_width_clean(s, copy, cap);
        s = copy;
    }
    *out = (layout_cell){s, len, (uint32_t)result_width_columns(s, len)};
    return GP_OK;
}

static gp_status label_cells(columns *x, int clean)
{
    const result *r = x->r;
    x->hosts = gp_arena_alloc(x->arena, r->n_hosts + 1, sizeof *x->hosts);
    x->host_ids = gp_arena_alloc(x->arena, r->n_hosts + 1, sizeof *x->host_ids);
    x->ifaces = gp_arena_alloc(x->arena, r->n_names + 1, sizeof *x->ifaces);
    if (!x->hosts || !x->host_ids || !x->ifaces)
        return GP_ENOMEM;
    for (size_t i = 0; i < r->n_hosts; i++) {
        GP_TRY(label_cell(x, r->hosts[i].name, clean, &x->hosts[i]));
        GP_TRY(label_cell(x, r->hosts[i].id, clean, &x->host_ids[i]));
    }
    for (size_t i = 0; i < r->n_names; i++)
        GP_TRY(label_cell(x, r->names[i], clean, &x->ifaces[i]));
    return GP_OK;
}

uint64_t result_column_value(column c, const result_counters *v)
{
    switch (c) {
    case COLUMN_PKTS_IN:
        return v->pkts_rcvd;
    case COLUMN_PKTS_OUT:
        return v->pkts_sent;
    case COLUMN_PKTS_SUM:
        return result_number_add(v->pkts_rcvd, v->pkts_sent);
    case COLUMN_BYTES_IN:
        return v->bytes_rcvd;
    case COLUMN_BYTES_OUT:
        return v->bytes_sent;
    default:
        return result_number_add(v->bytes_rcvd, v->bytes_sent);
    }
}

/* The counter that a percentage belongs to. */
static column pct_of(const columns *x, column pct)
{
    int pkts = pct == COLUMN_PKTS_PCT;
    switch (x->o->direction) {
    case QUERY_IN:
        return pkts ? COLUMN_PKTS_IN : COLUMN_BYTES_IN;
    case QUERY_OUT:
        return pkts ? COLUMN_PKTS_OUT : COLUMN_BYTES_OUT;
    case QUERY_BOTH:
    case QUERY_SUM:
        break;
    }
    return pkts ? COLUMN_PKTS_SUM : COLUMN_BYTES_SUM;
}

gp_status result_columns_init(columns *x, const result *r, const result_print_opts *o,
                              const writer *w, int clean, gp_err *err)
{
    memset(x, 0, sizeof *x);
    x->r = r;
    x->o = o;
    x->w = w;
    x->arena = gp_arena_new(SIZE_MAX);
    if (!x->arena || label_cells(x, clean) != GP_OK) {
        result_columns_free(x);
        return gp_fail(err, GP_ENOMEM, 0, "printing: out of memory");
    }
    pick_columns(x);
    x->pkts_total = result_column_value(pct_of(x, COLUMN_PKTS_PCT), &r->totals);
    x->bytes_total = result_column_value(pct_of(x, COLUMN_BYTES_PCT), &r->totals);
    return GP_OK;
}

void result_columns_free(columns *x)
{
    gp_arena_free(x->arena);
    x->arena = NULL;
}

/* Times that were never recorded are "-" in text and empty in CSV (U38). */
static size_t time_cell(columns *x, int64_t time_s, int raw, const char **s)
{
    if (time_s == 0) {
        *s = raw ? "" : "-";
        return raw ? 0 : 1;
    }
    if (x->time_s != time_s) {
        x->time_s = time_s;
        if (raw) {
            char *p = x->time_text;
            if (time_s < 0)
                *p++ = '-';
            p += result_number_u64(p, time_s < 0 ? 0 - (uint64_t)time_s : (uint64_t)time_s);
            *p = '\0';
        } else {
            query_time_format_local(time_s, x->time_text, sizeof x->time_text);
        }
    }
    *s = x->time_text;
    return strlen(x->time_text);
}

static size_t addr_cell(columns *x, column c, const result_row *row, char *buf, const char **s)
{
    int sip = c == COLUMN_SIP;
    uint8_t family = sip ? row->sip_family : row->dip_family;
    const uint8_t *bytes = sip ? row->sip : row->dip;
    *s = buf;
    if (x->o->resolve && family) {
        gp_addr a = {.family = family};
        memcpy(a.bytes, bytes, sizeof a.bytes);
        const char *name = x->o->resolve(x->o->resolve_ctx, &a);
        if (name) {
            *s = x->name[sip];
            return result_width_clean(name, x->name[sip], sizeof x->name[sip]);
        }
    }
    size_t n = result_writer_addr(x->w, buf, family, bytes);
    if (n == 0) {
        *s = "invalid IP";
        n = strlen(*s);
    }
    return n;
}

static size_t proto_cell(uint8_t proto, char *buf, const char **s)
{
    *s = gp_ipproto_name(proto);
    if (*s)
        return strlen(*s);
    *s = buf;
    return result_number_u64(buf, proto);
}

static size_t counter_cell(columns *x, column c, const result_counters *v, char *buf, int raw)
{
    if (result_column_is_pct(c)) {
        double pct = result_number_percent(result_column_value(pct_of(x, c), v),
                                           c == COLUMN_PKTS_PCT ? x->pkts_total : x->bytes_total);
        if (pct == 0.0 && !raw) {
            buf[0] = '0';
            return 1;
        }
        return result_number_fixed2(buf, pct);
    }
    uint64_t n = result_column_value(c, v);
    if (raw)
        return result_number_u64(buf, n);
    return c <= COLUMN_PKTS_SUM ? result_number_count_small(buf, n, 1)
                                : result_number_size_small(buf, n, 1);
}

void result_columns_row(columns *x, const result_row *row, int raw)
{
    for (size_t i = 0; i < x->n; i++) {
        column c = x->col[i];
        char *buf = x->text[i];
        const char *s = buf;
        size_t n = 0;
        switch (c) {
        case COLUMN_TIME:
            n = time_cell(x, row->time_s, raw, &s);
            break;
        case COLUMN_HOST:
            x->cell[i] = x->hosts[row->host];
            continue;
        case COLUMN_HOSTID:
            x->cell[i] = x->host_ids[row->host];
            continue;
        case COLUMN_IFACE:
            x->cell[i] = x->ifaces[row->iface];
            continue;
        case COLUMN_SIP:
        case COLUMN_DIP:
            n = addr_cell(x, c, row, buf, &s);
            break;
        case COLUMN_DPORT:
            n = result_number_u64(buf, row->dport);
            break;
        case COLUMN_PROTO:
            n = proto_cell(row->proto, buf, &s);
            break;
        default:
            n = counter_cell(x, c, &row->c, buf, raw);
        }
        x->cell[i] = (layout_cell){s, (uint32_t)n, (uint32_t)result_width_columns(s, n)};
    }
}

void result_columns_totals(columns *x, int raw)
{
    for (size_t i = 0; i < x->n; i++) {
        uint32_t n = 0;
        if (result_column_is_counter(x->col[i]))
            n = (uint32_t)counter_cell(x, x->col[i], &x->r->totals, x->text[i], raw);
        x->cell[i] = (layout_cell){x->text[i], n, n};
    }
}

const char *result_column_head1(column c)
{
    if (!result_column_is_counter(c))
        return "";
    return c <= COLUMN_PKTS_SUM ? "packets" : "bytes";
}

const char *result_column_head2(column c)
{
    static const char *const names[] = {
        [COLUMN_TIME] = "time",    [COLUMN_HOST] = "host",       [COLUMN_HOSTID] = "hostid",
        [COLUMN_IFACE] = "iface",  [COLUMN_SIP] = "sip",         [COLUMN_DIP] = "dip",
        [COLUMN_DPORT] = "dport",  [COLUMN_PROTO] = "proto",     [COLUMN_PKTS_IN] = "in",
        [COLUMN_PKTS_OUT] = "out", [COLUMN_PKTS_SUM] = "in+out", [COLUMN_PKTS_PCT] = "%",
        [COLUMN_BYTES_IN] = "in",  [COLUMN_BYTES_OUT] = "out",   [COLUMN_BYTES_SUM] = "in+out",
        [COLUMN_BYTES_PCT] = "%",
    };
    return names[c];
}

const char *result_column_csv(const columns *x, column c)
{
    if (!result_column_is_counter(c))
        return result_column_head2(c);
    if (x->o->direction != QUERY_BOTH)
        return c <= COLUMN_PKTS_SUM ? "packets" : "data vol.";
    switch (c) {
    case COLUMN_PKTS_IN:
        return "packets received";
    case COLUMN_PKTS_OUT:
        return "packets sent";
    case COLUMN_BYTES_IN:
        return "data vol. received";
    default:
        return "data vol. sent";
    }
}
