/* export_rows.c - rows as CSV text. */
#include "export_rows.h"

#include "csv.h"
#include "gp/addr.h"

#include <stdio.h>
#include <string.h>

enum { ROW_MAX = 2 * GP_ADDR_STRLEN + 6 * 21 + 32 }; /* bytes of a row without time and interface */

void godb_export_heading(gp_buf *out)
{
    static const godb_csv_col order[] = {
        GODB_CSV_TIME,       GODB_CSV_IFACE,     GODB_CSV_SIP,       GODB_CSV_DIP,
        GODB_CSV_DPORT,      GODB_CSV_PROTO,     GODB_CSV_PKTS_RCVD, GODB_CSV_PKTS_SENT,
        GODB_CSV_BYTES_RCVD, GODB_CSV_BYTES_SENT};

    for (size_t i = 0; i < GP_COUNT(order); i++)
        gp_buf_printf(out, "%s%s", i ? "," : "", godb_csv_col_name(order[i]));
    gp_buf_addc(out, '\n');
}

void godb_export_field(gp_buf *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        gp_buf_adds(out, text);
        return;
    }
    gp_buf_addc(out, '"');
    for (; *text; text++) {
        if (*text == '"')
            gp_buf_addc(out, '"');
        gp_buf_addc(out, *text);
    }
    gp_buf_addc(out, '"');
}

int godb_export_name_ok(const char *iface)
{
    size_t n = strlen(iface);

    for (size_t i = 0; i < n; i++)
        if ((unsigned char)iface[i] < ' ')
            return 0;
    return n > 0 && iface[0] != ' ' && iface[n - 1] != ' ';
}

static char *put_u64(char *p, uint64_t v)
{
    char tmp[20];
    size_t n = 0;

    do {
        tmp[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    while (n > 0)
        *p++ = tmp[--n];
    return p;
}

static char *put_addr(char *p, const uint8_t *bytes, int v6)
{
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    gp_addr a = {.family = v6 ? 6 : 4};

    /* A dot would make it IPv4 when it is read back. */
    if (v6 && memcmp(bytes, mapped, sizeof mapped) == 0)
        return p + snprintf(p, GP_ADDR_STRLEN, "::ffff:%x:%x", gp_be16(bytes + 12),
                            gp_be16(bytes + 14));
    memcpy(a.bytes, bytes, v6 ? 16 : 4);
    return p + gp_addr_format(&a, p, GP_ADDR_STRLEN);
}

size_t godb_export_rows(gp_buf *out, int64_t time_s, const gp_buf *iface, const godb_rows *r,
                        size_t from, size_t most)
{
    static const int counters[GODB_N_COUNTERS] = {2, 3, 0, 1}; /* packets before bytes */
    size_t n = (size_t)r->n_v4 + r->n_v6, i = from;

    for (; i < n && out->len < most; i++) {
        int v6 = i >= r->n_v4;
        size_t off = v6 ? 4 * (size_t)r->n_v4 + 16 * (i - r->n_v4) : 4 * i;
        char *p = (char *)gp_buf_reserve(out, iface->len + ROW_MAX);
        if (!p)
            break;
        char *start = p;
        p = put_u64(p, (uint64_t)time_s);
        *p++ = ',';
        memcpy(p, iface->data, iface->len);
        p += iface->len;
        *p++ = ',';
        p = put_addr(p, r->sip + off, v6);
        *p++ = ',';
        p = put_addr(p, r->dip + off, v6);
        *p++ = ',';
        p = put_u64(p, gp_be16(r->dport + 2 * i));
        *p++ = ',';
        p = put_u64(p, r->proto[i]);
        for (int k = 0; k < GODB_N_COUNTERS; k++) {
            *p++ = ',';
            p = put_u64(p, r->counter[counters[k]][i]);
        }
        *p++ = '\n';
        out->len += (size_t)(p - start);
    }
    return i;
}

godb_row godb_rows_get(const godb_rows *r, size_t i)
{
    int v6 = i >= r->n_v4;
    size_t w = v6 ? 16 : 4, off = v6 ? 4 * (size_t)r->n_v4 + 16 * (i - r->n_v4) : 4 * i;
    godb_row row = {.family = v6 ? 6 : 4, .proto = r->proto[i], .dport = gp_be16(r->dport + 2 * i)};

    memcpy(row.sip, r->sip + off, w);
    memcpy(row.dip, r->dip + off, w);
    for (int k = 0; k < GODB_N_COUNTERS; k++)
        row.counter[k] = r->counter[k][i];
    return row;
}
