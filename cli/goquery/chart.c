/* chart.c - SVG charts of a result; colours are attributes that a page's style may override. */
#include "chart.h"

#include "gp/addr.h"
#include "gp/ipproto.h"
#include "gp/mem.h"
#include "query/timearg.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 900, HEIGHT = 260, LEFT = 90, RIGHT = 12, TOP = 30, BOTTOM = 30, MAX_POINTS = 2000 };
enum { MAX_BARS = 15, BAR_ROW = 36, BAR_SPACE = 110 };
#define COLOR_IN  "#2563a8"
#define COLOR_OUT "#c2571a"

void goquery_html(gp_buf *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        switch (*p) {
        case '<':
            gp_buf_adds(out, "&lt;");
            break;
        case '>':
            gp_buf_adds(out, "&gt;");
            break;
        case '&':
            gp_buf_adds(out, "&amp;");
            break;
        case '"':
            gp_buf_adds(out, "&quot;");
            break;
        case '\'':
            gp_buf_adds(out, "&#39;");
            break;
        default:
            if ((unsigned char)*p >= 0x20 || *p == '\n')
                gp_buf_addc(out, *p);
        }
    }
}

/* ---- amounts ---- */

typedef struct amounts {
    double in, out;
} amounts;

static int by_packets(const query_stmt *s)
{
    return s->sort == QUERY_SORT_PACKETS;
}

static amounts amounts_of(const result_row *row, const query_stmt *s)
{
    const result_counters *c = &row->c;
    amounts a = {(double)(by_packets(s) ? c->pkts_rcvd : c->bytes_rcvd),
                 (double)(by_packets(s) ? c->pkts_sent : c->bytes_sent)};
    if (s->direction == QUERY_IN)
        a.out = 0;
    if (s->direction == QUERY_OUT)
        a.in = 0;
    return a;
}

/* "1.5 GB": 1024 for bytes, 1000 for packets, at most four digits. */
static void format_amount(double v, int packets, char *buf, size_t cap)
{
    static const char *const bytes[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    static const char *const counts[] = {"", "k", "M", "G", "T", "P", "E"};
    double step = packets ? 1000 : 1024;
    int unit = 0;
    for (; v >= step && unit < 6; unit++)
        v /= step;
    snprintf(buf, cap, "%.*f%s%s",
             v >= 100 || v == (double)(long)v ? 0
             : v >= 10                        ? 1
                                              : 2,
             v, packets && unit == 0 ? "" : " ", packets ? counts[unit] : bytes[unit]);
}

/* A round number of units that divides 0..max into at most five steps. */
static double tick_step(double max, int packets)
{
    double unit = 1, base = packets ? 1000 : 1024;
    while (max / unit >= base)
        unit *= base;
    double want = max / unit / 4, ten = 1;
    while (ten * 10 <= want)
        ten *= 10;
    while (ten > want && ten > 0.01 && unit > 1)
        ten /= 10;
    double step = want <= ten       ? ten
                  : want <= 2 * ten ? 2 * ten
                  : want <= 5 * ten ? 5 * ten
                                    : 10 * ten;
    return step * unit;
}

static void open_svg(gp_buf *out, int height, const char *title)
{
    gp_buf_printf(out,
                  "<svg class=\"chart\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\" "
                  "viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" "
                  "font-size=\"12\">\n<title>",
                  WIDTH, height, WIDTH, height);
    goquery_html(out, title);
    gp_buf_adds(out, "</title>\n");
}

static void put_legend(const query_stmt *s, int x, gp_buf *out)
{
    const char *what = by_packets(s) ? "packets" : "bytes";
    if (s->direction == QUERY_SUM) {
        gp_buf_printf(out,
                      "<rect class=\"in\" fill=\"" COLOR_IN "\" x=\"%d\" y=\"6\" width=\"12\" "
                      "height=\"12\"/><text x=\"%d\" y=\"16\">%s, received and sent</text>\n",
                      x, x + 18, what);
        return;
    }
    if (s->direction != QUERY_OUT) {
        gp_buf_printf(out,
                      "<rect class=\"in\" fill=\"" COLOR_IN "\" x=\"%d\" y=\"6\" width=\"12\" "
                      "height=\"12\"/><text x=\"%d\" y=\"16\">%s received</text>\n",
                      x, x + 18, what);
        x += 150;
    }
    if (s->direction != QUERY_IN)
        gp_buf_printf(out,
                      "<rect class=\"out\" fill=\"" COLOR_OUT "\" x=\"%d\" y=\"6\" width=\"12\" "
                      "height=\"12\"/><text x=\"%d\" y=\"16\">%s sent</text>\n",
                      x, x + 18, what);
}

/* ---- over time ---- */

typedef struct series {
    amounts *v;
    size_t n;
    int64_t first_s, step_s; /* end of the first bin, width of a bin */
    double max;
} series;

/* Sum all groups of a bin. Bins without rows are zero. */
static int make_series(const result *r, const query_stmt *s, series *t)
{
    int64_t last = INT64_MIN, step = s->bin_s > 0 ? s->bin_s : 300;
    *t = (series){.first_s = INT64_MAX};
    for (size_t i = 0; i < r->n_rows; i++) {
        int64_t at = r->rows[i].time_s;
        t->first_s = at < t->first_s ? at : t->first_s;
        last = at > last ? at : last;
    }
    if (r->n_rows == 0 || last - t->first_s > INT64_C(1) << 40)
        return 0;
    while ((last - t->first_s) / step >= MAX_POINTS)
        step *= 2;
    t->step_s = step;
    t->n = (size_t)((last - t->first_s) / step) + 1;
    t->v = gp_calloc(t->n, sizeof *t->v);
    if (!t->v)
        return 0;
    for (size_t i = 0; i < r->n_rows; i++) {
        amounts a = amounts_of(&r->rows[i], s), *p;
        p = &t->v[(r->rows[i].time_s - t->first_s) / step];
        if (s->direction == QUERY_SUM)
            a = (amounts){a.in + a.out, 0};
        p->in += a.in;
        p->out += a.out;
        t->max = p->in > t->max ? p->in : t->max;
        t->max = p->out > t->max ? p->out : t->max;
    }
    return 1;
}

static double x_of(const series *t, double i)
{
    return LEFT + i * (WIDTH - LEFT - RIGHT) / (double)t->n;
}

static double y_of(double v, double top)
{
    return HEIGHT - BOTTOM - v / top * (HEIGHT - TOP - BOTTOM);
}

static void put_axes(const series *t, double top, double step, int packets, gp_buf *out)
{
    char text[64];
    for (unsigned k = 0; k * step <= top * 1.001; k++) {
        double v = k * step;
        format_amount(v, packets, text, sizeof text);
        gp_buf_printf(out,
                      "<line class=\"grid\" stroke=\"#ccc\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" "
                      "y2=\"%.1f\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
                      LEFT, WIDTH - RIGHT, y_of(v, top), y_of(v, top), LEFT - 6, y_of(v, top) + 4,
                      text);
    }
    size_t labels = t->n < 6 ? t->n : 6;
    for (size_t k = 0; k < labels; k++) {
        size_t i = k * t->n / labels;
        query_time_format_local(t->first_s + ((int64_t)i - 1) * t->step_s, text, sizeof text);
        gp_buf_printf(out, "<text x=\"%.1f\" y=\"%d\">%.11s</text>\n", x_of(t, (double)i),
                      HEIGHT - BOTTOM + 18, strlen(text) > 16 ? text + 5 : text);
    }
}

/* Steps: an amount belongs to the whole bin. What was sent is a line over the area of what was
 * received: two areas would mix to a third colour. */
static void put_curve(const series *t, double top, int sent, gp_buf *out)
{
    static const char in[] = "class=\"in\" fill=\"" COLOR_IN "\" fill-opacity=\"0.55\" "
                             "stroke=\"" COLOR_IN "\" stroke-width=\"1\"",
                      line[] = "class=\"out\" fill=\"none\" stroke=\"" COLOR_OUT "\" "
                               "stroke-width=\"2\"";
    gp_buf_printf(out, "<path %s d=\"M%d %.1f", sent ? line : in, LEFT, y_of(0, top));
    for (size_t i = 0; i < t->n; i++)
        gp_buf_printf(out, "V%.1fH%.1f", y_of(sent ? t->v[i].out : t->v[i].in, top),
                      x_of(t, (double)i + 1));
    gp_buf_printf(out, "V%.1fZ\"/>\n", y_of(0, top));
}

void goquery_chart_time(const result *r, const query_stmt *s, const char *title, gp_buf *out)
{
    series t;
    if (!make_series(r, s, &t))
        return;
    double step = tick_step(t.max > 0 ? t.max : 1, by_packets(s)), top = step;
    while (top < t.max)
        top += step;
    open_svg(out, HEIGHT, title);
    put_legend(s, LEFT, out);
    put_axes(&t, top, step, by_packets(s), out);
    if (s->direction != QUERY_OUT)
        put_curve(&t, top, 0, out);
    if (s->direction == QUERY_OUT || s->direction == QUERY_BOTH)
        put_curve(&t, top, 1, out);
    gp_buf_adds(out, "</svg>\n");
    gp_free(t.v);
}

/* ---- bars ---- */

static void add_part(char *label, size_t cap, const char *between, const char *part)
{
    size_t n = strlen(label);
    snprintf(label + n, cap - n, "%s%s", n ? between : "", part);
}

static void address(uint8_t family, const uint8_t bytes[16], char *buf, size_t cap)
{
    gp_addr a = {.family = family};
    memcpy(a.bytes, bytes, sizeof a.bytes);
    if (family)
        gp_addr_format(&a, buf, cap);
    else
        snprintf(buf, cap, "?");
}

/* "fw-1 eth0 10.0.0.1 → 10.0.0.2 443 TCP" */
static void label_of(const result *r, const result_row *row, unsigned labels, char *label,
                     size_t cap)
{
    char part[64];
    label[0] = '\0';
    if (labels & (QUERY_LABEL_HOST | QUERY_LABEL_HOSTID) && row->host < r->n_hosts)
        add_part(label, cap, " ", r->hosts[row->host].name);
    if (labels & QUERY_LABEL_IFACE && row->iface < r->n_names)
        add_part(label, cap, " ", r->names[row->iface]);
    for (size_t i = 0; i < r->fields.n_attrs; i++) {
        const char *between = " ";
        switch (r->fields.attrs[i]) {
        case QUERY_SIP:
            address(row->sip_family, row->sip, part, sizeof part);
            break;
        case QUERY_DIP:
            address(row->dip_family, row->dip, part, sizeof part);
            between = i && r->fields.attrs[i - 1] == QUERY_SIP ? " \xe2\x86\x92 " : " ";
            break;
        case QUERY_DPORT:
            snprintf(part, sizeof part, "port %u", row->dport);
            break;
        default:
            gp_ipproto_format(row->proto, part, sizeof part);
        }
        add_part(label, cap, between, part);
    }
}

static void put_bar(const char *label, amounts a, double max, int y, int packets, gp_buf *out)
{
    double scale = (WIDTH - BAR_SPACE) / (max > 0 ? max : 1), in = a.in * scale,
           sent = a.out * scale;
    char text[64];
    format_amount(a.in + a.out, packets, text, sizeof text);
    gp_buf_printf(out, "<text x=\"0\" y=\"%d\">", y + 12);
    goquery_html(out, label);
    gp_buf_printf(out,
                  "</text>\n<rect class=\"in\" fill=\"" COLOR_IN
                  "\" x=\"0\" y=\"%d\" width=\"%.1f\" "
                  "height=\"12\"/><rect class=\"out\" fill=\"" COLOR_OUT
                  "\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"12\"/>"
                  "<text x=\"%.1f\" y=\"%d\">%s</text>\n",
                  y + 17, in, in, y + 17, sent, in + sent + 6, y + 28, text);
}

void goquery_chart_bars(const result *r, const query_stmt *s, const char *title, gp_buf *out)
{
    size_t n = r->n_rows < MAX_BARS ? r->n_rows : MAX_BARS;
    unsigned labels = s->labels | (query_auto_iface_label(s, r->n_ifaces) ? QUERY_LABEL_IFACE : 0);
    char label[512];
    double max = 0;
    for (size_t i = 0; i < n; i++) {
        amounts a = amounts_of(&r->rows[i], s);
        max = a.in + a.out > max ? a.in + a.out : max;
    }
    if (n == 0)
        return;
    open_svg(out, TOP + (int)n * BAR_ROW, title);
    put_legend(s, 0, out);
    for (size_t i = 0; i < n; i++) {
        amounts a = amounts_of(&r->rows[i], s);
        if (s->direction == QUERY_SUM)
            a = (amounts){a.in + a.out, 0};
        label_of(r, &r->rows[i], labels, label, sizeof label);
        put_bar(label, a, max, TOP + (int)i * BAR_ROW, by_packets(s), out);
    }
    gp_buf_adds(out, "</svg>\n");
}
