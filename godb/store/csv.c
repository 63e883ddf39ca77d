/* csv.c - flow rows out of CSV text: schema, quoting, fields (godb-format.md 8.2). */
#include "csv.h"

#include "gp/addr.h"
#include "gp/ipproto.h"
#include "gp/mem.h"
#include "gp/num.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { HAS_V4 = 1, HAS_V6 = 2 }; /* versions among the addresses of a row */

static const char *const names[GODB_CSV_N_COLS] = {
    [GODB_CSV_TIME] = "time",
    [GODB_CSV_IFACE] = "iface",
    [GODB_CSV_SIP] = "sip",
    [GODB_CSV_DIP] = "dip",
    [GODB_CSV_DPORT] = "dport",
    [GODB_CSV_PROTO] = "proto",
    [GODB_CSV_BYTES_RCVD] = "data vol. received",
    [GODB_CSV_BYTES_SENT] = "data vol. sent",
    [GODB_CSV_PKTS_RCVD] = "packets received",
    [GODB_CSV_PKTS_SENT] = "packets sent",
};

const char *godb_csv_col_name(godb_csv_col c)
{
    return names[c];
}

void godb_csv_free(godb_csv_parser *p)
{
    gp_free(p->schema.col);
    gp_free(p->field);
    gp_buf_free(&p->unquoted);
    *p = (godb_csv_parser){0};
}

/* ---- splitting with full care ---- */

static int add_field(godb_csv_parser *p, const char *s, size_t len)
{
    if (p->n_fields == p->cap_fields) {
        size_t cap = p->cap_fields ? 2 * p->cap_fields : 32;
        godb_csv_field *f = gp_realloc(p->field, cap, sizeof *f);
        if (!f)
            return 0;
        p->field = f;
        p->cap_fields = cap;
    }
    p->field[p->n_fields++] = (godb_csv_field){s, len};
    return 1;
}

static godb_csv_result syntax(gp_err *err, const char *what)
{
    (void)gp_fail(err, GP_ECORRUPT, 0, "%s", what);
    return GODB_CSV_ERROR;
}

static godb_csv_result no_memory(gp_err *err)
{
    (void)gp_fail(err, GP_ENOMEM, 0, "out of memory");
    return GODB_CSV_ERROR;
}

/* Content of the quoted field that begins behind the quote at *at, appended to p->unquoted; moves
 * *at behind the closing quote. Counts line breaks into *lines. */
static godb_csv_result unquote(godb_csv_parser *p, const char **at, const char *end, int last,
                               uint64_t *lines, gp_err *err)
{
    for (const char *s = *at; s < end; s++) {
        if (*s == '"' && (s + 1 < end || last)) {
            if (s + 1 == end || s[1] != '"') {
                *at = s + 1;
                return GODB_CSV_ROW;
            }
            s++; /* doubled: one quote */
        } else if (*s == '"') {
            return GODB_CSV_MORE; /* the next byte decides what it means */
        } else if (*s == '\n') {
            ++*lines;
        } else if (*s == '\r' && s + 1 < end && s[1] == '\n') {
            continue; /* CRLF is one line feed */
        }
        gp_buf_addc(&p->unquoted, *s);
    }
    return last ? syntax(err, "a quoted field is not closed") : GODB_CSV_MORE;
}

/* One field; *more: another one follows. Unquoted fields lie in the text, quoted ones in
 * p->unquoted, where they are found again by their offset (the buffer may move). */
static godb_csv_result split_field(godb_csv_parser *p, const char **at, const char *end, int last,
                                   uint64_t *lines, int *more, gp_err *err)
{
    const char *s = *at, *e;
    int quoted = s < end && *s == '"';
    size_t off = p->unquoted.len;

    if (quoted) {
        s++;
        godb_csv_result r = unquote(p, &s, end, last, lines, err);
        if (r != GODB_CSV_ROW)
            return r;
        e = s;
    } else {
        for (e = s; e < end && *e != ',' && *e != '\n'; e++)
            if (*e == '"')
                return syntax(err, "a quote inside a field that does not begin with one");
    }
    if (e == end && !last)
        return GODB_CSV_MORE;
    const char *stop = e;
    if (!quoted && stop > s && stop[-1] == '\r' && (e == end || *e == '\n'))
        stop--; /* CRLF */
    if (quoted && e < end && *e == '\r' && (e + 1 == end ? last : e[1] == '\n'))
        e++;
    else if (quoted && e + 1 == end && *e == '\r')
        return GODB_CSV_MORE;
    if (quoted && e < end && *e != ',' && *e != '\n')
        return syntax(err, "something follows a closing quote");
    *more = e < end && *e == ',';
    *at = e < end ? e + 1 : e;
    int ok = quoted ? add_field(p, NULL, off) : add_field(p, s, (size_t)(stop - s));
    return ok ? GODB_CSV_ROW : no_memory(err);
}

/* Put addresses into the fields that lie in p->unquoted (s is NULL, len the offset). */
static int settle_quoted(godb_csv_parser *p)
{
    const char *base = gp_buf_str(&p->unquoted);
    size_t stop = p->unquoted.len;

    if (!base)
        return 0;
    for (size_t i = p->n_fields; i-- > 0;) {
        godb_csv_field *f = &p->field[i];
        if (f->s)
            continue;
        size_t off = f->len;
        *f = (godb_csv_field){base + off, stop - off};
        stop = off;
    }
    return 1;
}

godb_csv_result godb_csv_split(godb_csv_parser *p, const char **at, const char *end, int last,
                               gp_err *err)
{
    const char *s = *at;
    uint64_t lines = 0;
    int more = 1;

    p->n_fields = 0;
    gp_buf_clear(&p->unquoted);
    p->at_line = p->line;
    if (s < end && (*s == '\n' || (*s == '\r' && (s + 1 < end ? s[1] == '\n' : last)))) {
        *at = s + 1 < end && *s == '\r' ? s + 2 : s + 1;
        p->line++;
        return GODB_CSV_EMPTY;
    }
    while (more) {
        godb_csv_result r = split_field(p, &s, end, last, &lines, &more, err);
        if (r != GODB_CSV_ROW)
            return r;
    }
    if (!settle_quoted(p))
        return no_memory(err);
    *at = s;
    p->line += lines + 1;
    return GODB_CSV_ROW;
}

/* ---- schema ---- */

static int is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static godb_csv_field trim(godb_csv_field f)
{
    while (f.len > 0 && is_blank(f.s[0])) {
        f.s++;
        f.len--;
    }
    while (f.len > 0 && is_blank(f.s[f.len - 1]))
        f.len--;
    return f;
}

static godb_csv_col col_by_name(godb_csv_field f)
{
    for (unsigned c = 0; c < GODB_CSV_N_COLS; c++)
        if (f.len == strlen(names[c]) && strncasecmp(f.s, names[c], f.len) == 0)
            return (godb_csv_col)c;
    return GODB_CSV_IGNORED;
}

gp_status godb_csv_set_schema(godb_csv_parser *p, int iface_given, gp_err *err)
{
    godb_csv_schema s = {0};

    if (p->n_fields > GODB_CSV_MAX_COLS)
        return gp_fail(err, GP_EINVAL, 0, "schema has %zu columns, at most %d are possible",
                       p->n_fields, GODB_CSV_MAX_COLS);
    GP_CLEANUP(gp_freep) uint8_t *col = gp_alloc(p->n_fields + 1, 1);
    if (!col)
        return gp_fail(err, GP_ENOMEM, 0, "schema: out of memory");
    for (size_t i = 0; i < p->n_fields; i++) {
        godb_csv_col c = col_by_name(trim(p->field[i]));
        col[i] = (uint8_t)c;
        if (c == GODB_CSV_IGNORED)
            continue;
        if (s.mask & 1u << c)
            return gp_fail(err, GP_EINVAL, 0, "schema names column '%s' twice", names[c]);
        s.mask |= 1u << c;
        s.n = i + 1;
    }
    if (s.mask == 0)
        return gp_fail(err, GP_EINVAL, 0,
                       "no known column name in the schema (expected names such as "
                       "time,iface,sip,dip,dport,proto,packets received,data vol. received)");
    if (!(s.mask & 1u << GODB_CSV_TIME))
        return gp_fail(err, GP_EINVAL, 0, "schema has no column 'time'");
    if (!(s.mask & 1u << GODB_CSV_IFACE) && !iface_given)
        return gp_fail(err, GP_EINVAL, 0,
                       "schema has no column 'iface', and no interface was given");
    gp_free(p->schema.col);
    s.col = col;
    col = NULL;
    p->schema = s;
    return GP_OK;
}

/* ---- fields with full care ---- */

int godb_csv_proto(godb_csv_parser *p, const char *s, size_t len)
{
    uint64_t key = 0;

    if (len == 0 || len > sizeof key)
        return gp_ipproto_number_strict(s, len);
    memcpy(&key, s, len);
    size_t slot = (key * UINT64_C(0x9E3779B97F4A7C15)) >> 58; /* 64 slots */
    if (p->cache[slot].name != key) {
        p->cache[slot].number = gp_ipproto_number_strict(s, len);
        p->cache[slot].name = key;
    }
    return p->cache[slot].number;
}

/* An address; with a dot it is IPv4, whatever the form, and then the last four bytes count. */
static const char *read_addr(godb_csv_field f, godb_csv_row *row, int dst, unsigned *families)
{
    gp_addr a;
    uint8_t *out = dst ? row->row.dip : row->row.sip;

    if (!gp_addr_parse(f.s, f.len, &a))
        return "is not an IP address";
    if (a.family == 6 && memchr(f.s, '.', f.len)) {
        memcpy(a.bytes, a.bytes + 12, 4);
        memset(a.bytes + 4, 0, 12);
        a.family = 4;
    }
    memcpy(out, a.bytes, 16);
    *families |= a.family == 4 ? HAS_V4 : HAS_V6;
    return NULL;
}

static const char *read_field(godb_csv_parser *p, godb_csv_col c, godb_csv_field f,
                              godb_csv_row *row, unsigned *families)
{
    uint64_t u;
    int64_t i;
    int number;

    switch (c) {
    case GODB_CSV_TIME:
        if (!gp_num_i64(f.s, f.len, &i) || i <= 0 || i > GODB_CSV_TIME_MAX)
            return "is not a time in Unix seconds";
        row->time_s = i;
        return NULL;
    case GODB_CSV_IFACE:
        row->iface = f;
        return NULL;
    case GODB_CSV_SIP:
    case GODB_CSV_DIP:
        return read_addr(f, row, c == GODB_CSV_DIP, families);
    case GODB_CSV_DPORT:
        if (!gp_num_u64(f.s, f.len, UINT16_MAX, &u))
            return "is not a port (0 to 65535)";
        row->row.dport = (uint16_t)u;
        return NULL;
    case GODB_CSV_PROTO:
        number = gp_num_u64(f.s, f.len, UINT8_MAX, &u) ? (int)u : godb_csv_proto(p, f.s, f.len);
        if (number < 0)
            return "is not an IP protocol (0 to 255 or a name)";
        row->row.proto = (uint8_t)number;
        return NULL;
    default:
        if (!gp_num_u64(f.s, f.len, UINT64_MAX, &row->row.counter[c - GODB_CSV_BYTES_RCVD]))
            return "is not a plain number";
        return NULL;
    }
}

/* The fields that were split last, as a row. */
static godb_csv_result read_fields(godb_csv_parser *p, godb_csv_row *row)
{
    unsigned families = 0;

    *row = (godb_csv_row){.row = {.family = 4}};
    if (p->n_fields < p->schema.n) {
        p->why = "has too few fields";
        p->why_col = GODB_CSV_IGNORED;
        return GODB_CSV_SKIP;
    }
    for (size_t i = 0; i < p->schema.n; i++) {
        godb_csv_col c = (godb_csv_col)p->schema.col[i];
        if (c == GODB_CSV_IGNORED)
            continue;
        p->why = read_field(p, c, trim(p->field[i]), row, &families);
        p->why_col = c;
        if (p->why)
            return GODB_CSV_SKIP;
    }
    /* A missing address column is 0.0.0.0, which is IPv4 like any other. */
    if ((p->schema.mask & (1u << GODB_CSV_SIP | 1u << GODB_CSV_DIP)) !=
        (1u << GODB_CSV_SIP | 1u << GODB_CSV_DIP))
        families |= HAS_V4;
    if (families == (HAS_V4 | HAS_V6)) {
        p->why = "mixes IPv4 and IPv6 addresses";
        p->why_col = GODB_CSV_IGNORED;
        return GODB_CSV_SKIP;
    }
    row->row.family = families == HAS_V6 ? 6 : 4;
    return GODB_CSV_ROW;
}

godb_csv_result godb_csv_careful(godb_csv_parser *p, const char **at, const char *end, int last,
                                 godb_csv_row *row, gp_err *err)
{
    godb_csv_result r = godb_csv_split(p, at, end, last, err);
    return r == GODB_CSV_ROW ? read_fields(p, row) : r;
}

godb_csv_result godb_csv_next(godb_csv_parser *p, const char **at, const char *end, int last,
                              godb_csv_row *row, gp_err *err)
{
    if (*at < end && end[-1] == '\n') {
        godb_csv_result quick = godb_csv_quick(p, at, end, row);
        if (quick != GODB_CSV_MORE)
            return quick;
    }
    return godb_csv_careful(p, at, end, last, row, err);
}
