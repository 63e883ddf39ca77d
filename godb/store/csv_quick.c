/* csv_quick.c - ordinary CSV records in one pass over their bytes; anything odd is left to csv.c.
 *
 * Each reader takes the text of one field, which begins at s, and returns where it ends, or NULL
 * when csv.c shall look at it. A line break lies behind every field, so no reader needs the end.
 */
#include "csv.h"

#include "gp/addr.h"

static inline int ends_field(char c)
{
    return c == ',' || c == '\n' || c == '\r';
}

/* 1..19 digits: cannot overflow. */
static inline const char *digits(const char *s, uint64_t *out)
{
    uint64_t v = 0;
    const char *p = s;
    unsigned d;

    while ((d = (unsigned)(unsigned char)*p - '0') <= 9) {
        v = v * 10 + d;
        p++;
    }
    if (p == s || p - s > 19 || !ends_field(*p))
        return NULL;
    *out = v;
    return p;
}

/* End of a field of any content, or NULL at a quote. */
static inline const char *skip_text(const char *s)
{
    for (;; s++) {
        if (ends_field(*s))
            return s;
        if (*s == '"')
            return NULL;
    }
}

static const char *addr6(const char *s, uint8_t out[16])
{
    gp_addr a;
    const char *e = s;

    for (; !ends_field(*e); e++)
        if (*e == '"' || *e == '.')
            return NULL;
    if (!gp_addr_parse(s, (size_t)(e - s), &a) || a.family != 6)
        return NULL;
    memcpy(out, a.bytes, 16);
    return e;
}

/* Dotted quad, or IPv6 without dots. */
static inline const char *addr(const char *s, uint8_t out[16], uint8_t *family)
{
    const char *p = s;

    for (int part = 0; part < 4; part++) {
        unsigned d = (unsigned)(unsigned char)*p - '0', v = d;
        const char *first = p;
        if (d > 9)
            break;
        if ((d = (unsigned)(unsigned char)*++p - '0') <= 9) {
            v = 10 * v + d;
            if ((d = (unsigned)(unsigned char)*++p - '0') <= 9) {
                v = 10 * v + d;
                p++;
            }
        }
        if (v > 255 || (*first == '0' && p - first > 1))
            break;
        out[part] = (uint8_t)v;
        if (part == 3) {
            if (!ends_field(*p))
                break;
            *family = 4;
            memset(out + 4, 0, 12);
            return p;
        }
        if (*p++ != '.')
            break;
    }
    *family = 6;
    return addr6(s, out);
}

static inline const char *proto(godb_csv_parser *c, const char *s, uint8_t *out)
{
    uint64_t v;
    const char *e = digits(s, &v);

    if (e) {
        if (v > UINT8_MAX)
            return NULL;
    } else {
        e = skip_text(s);
        int number = e ? godb_csv_proto(c, s, (size_t)(e - s)) : -1;
        if (number < 0)
            return NULL;
        v = (uint64_t)number;
    }
    *out = (uint8_t)v;
    return e;
}

static inline const char *field(godb_csv_parser *c, unsigned col, const char *s, godb_csv_row *row,
                                uint8_t *family)
{
    uint64_t v;
    const char *e;

    switch (col) {
    case GODB_CSV_TIME:
        e = digits(s, &v);
        if (!e || v == 0 || v > (uint64_t)GODB_CSV_TIME_MAX)
            return NULL;
        row->time_s = (int64_t)v;
        return e;
    case GODB_CSV_IFACE:
        e = skip_text(s);
        /* blanks are at most 0x20; what else is below is odd enough to be looked at */
        if (!e || e == s || (unsigned char)*s <= ' ' || (unsigned char)e[-1] <= ' ')
            return NULL;
        row->iface = (godb_csv_field){s, (size_t)(e - s)};
        return e;
    case GODB_CSV_SIP:
        return addr(s, row->row.sip, family);
    case GODB_CSV_DIP:
        return addr(s, row->row.dip, family);
    case GODB_CSV_DPORT:
        e = digits(s, &v);
        if (!e || v > UINT16_MAX)
            return NULL;
        row->row.dport = (uint16_t)v;
        return e;
    case GODB_CSV_PROTO:
        return proto(c, s, &row->row.proto);
    case GODB_CSV_IGNORED:
        return skip_text(s);
    default:
        return digits(s, &row->row.counter[col - GODB_CSV_BYTES_RCVD]);
    }
}

godb_csv_result godb_csv_quick(godb_csv_parser *p, const char **at, const char *end,
                               godb_csv_row *row)
{
    const char *s = *at;
    size_t n = p->schema.n;
    uint8_t family[2] = {4, 4}; /* of sip, dip; a missing column is IPv4 */

    if (*s == '\n' || *s == '\r')
        return GODB_CSV_MORE;
    for (size_t i = 0; i < n; i++) {
        unsigned col = p->schema.col[i];
        s = field(p, col, s, row, &family[col == GODB_CSV_DIP]);
        if (!s)
            return GODB_CSV_MORE;
        if (i + 1 < n && *s++ != ',')
            return GODB_CSV_MORE; /* too few fields, or a carriage return inside */
    }
    if (*s != '\n') { /* fields that nobody needs, or CRLF */
        const char *e = memchr(s, '\n', (size_t)(end - s));
        if (memchr(s, '"', (size_t)(e - s)) || (*s == '\r' && e != s + 1))
            return GODB_CSV_MORE;
        s = e;
    }
    if (family[0] != family[1])
        return GODB_CSV_MORE;
    row->row.family = family[0];
    p->at_line = p->line++;
    *at = s + 1;
    return GODB_CSV_ROW;
}
