/* writer.c - buffered output with escapes for JSON, CSV, HTML and Markdown. */
#include "writer.h"

#include "gp/mem.h"
#include "number.h"
#include "width.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

writer *result_writer_new(FILE *f)
{
    writer *w = gp_alloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->f = f;
    w->len = 0;
    w->failed = w->sys = 0;
    for (unsigned i = 0; i < 256; i++)
        w->octet[i][3] = (char)result_number_u64(w->octet[i], i);
    return w;
}

void result_writer_free(writer *w)
{
    gp_free(w);
}

void result_writer_flush(writer *w)
{
    if (!w->failed && w->len && fwrite(w->buf, 1, w->len, w->f) != w->len) {
        w->failed = 1;
        w->sys = errno;
    }
    w->len = 0;
}

gp_status result_writer_finish(writer *w, gp_err *err)
{
    result_writer_flush(w);
    if (!w->failed && fflush(w->f) != 0) {
        w->failed = 1;
        w->sys = errno;
    }
    return w->failed ? gp_fail(err, GP_EIO, w->sys ? w->sys : EIO, "cannot write the result")
                     : GP_OK;
}

void result_writer_add(writer *w, const char *p, size_t n)
{
    while (n > WRITER_BYTES - w->len) {
        size_t part = WRITER_BYTES - w->len;
        memcpy(w->buf + w->len, p, part);
        w->len += part;
        p += part;
        n -= part;
        result_writer_flush(w);
    }
    memcpy(w->buf + w->len, p, n);
    w->len += n;
}

void result_writer_adds(writer *w, const char *s)
{
    result_writer_add(w, s, strlen(s));
}

void result_writer_addc(writer *w, char c)
{
    *result_writer_room(w, 1) = c;
    w->len++;
}

void result_writer_fill(writer *w, char c, size_t n)
{
    while (n) {
        size_t part = n < WRITER_ROOM ? n : WRITER_ROOM;
        memset(result_writer_room(w, part), c, part);
        w->len += part;
        n -= part;
    }
}

void result_writer_u64(writer *w, uint64_t v)
{
    char *p = result_writer_room(w, 20);
    w->len += result_number_u64(p, v);
}

void result_writer_i64(writer *w, int64_t v)
{
    if (v < 0)
        result_writer_addc(w, '-');
    result_writer_u64(w, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void result_writer_printf(writer *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *p = result_writer_room(w, WRITER_ROOM);
    int n = vsnprintf(p, WRITER_ROOM, fmt, ap);
    va_end(ap);
    if (n > 0)
        w->len += (size_t)n < WRITER_ROOM ? (size_t)n : WRITER_ROOM - 1;
}

static void json_special(writer *w, uint32_t cp)
{
    static const char hex[] = "0123456789abcdef";
    char *p = result_writer_room(w, 6);
    const char *at = cp < 0x20 ? strchr("\bb\ff\nn\rr\tt", (int)cp) : NULL;
    *p++ = '\\';
    if (cp == '"' || cp == '\\') {
        *p++ = (char)cp;
    } else if (cp && at) {
        *p++ = at[1];
    } else {
        *p++ = 'u';
        for (int shift = 12; shift >= 0; shift -= 4)
            *p++ = hex[cp >> shift & 15];
    }
    result_writer_used(w, p);
}

void result_writer_json(writer *w, const char *s)
{
    const char *from = s; /* start of what can be copied as it is */
    result_writer_addc(w, '"');
    for (size_t n; *s; s += n) {
        uint32_t cp = result_width_next(s, &n);
        int special = cp < 0x20 || cp == '"' || cp == '\\' || cp == '<' || cp == '>' || cp == '&' ||
                      cp == 0x2028 || cp == 0x2029 || cp == WIDTH_BAD;
        if (!special)
            continue;
        result_writer_add(w, from, (size_t)(s - from));
        json_special(w, cp == WIDTH_BAD ? 0xfffd : cp);
        from = s + n;
    }
    result_writer_add(w, from, (size_t)(s - from));
    result_writer_addc(w, '"');
}

void result_writer_csv(writer *w, const char *s, size_t n)
{
    int quote = n > 0 && strchr(" \t\v\f", s[0]) != NULL;
    for (size_t i = 0; i < n && !quote; i++)
        quote = s[i] == ',' || s[i] == '"' || s[i] == '\n' || s[i] == '\r';
    if (!quote) {
        result_writer_add(w, s, n);
        return;
    }
    result_writer_addc(w, '"');
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '"')
            result_writer_addc(w, '"');
        result_writer_addc(w, s[i]);
    }
    result_writer_addc(w, '"');
}

/* Entity or escape for a byte, NULL when it may stay. */
static const char *html_entity(char c)
{
    switch (c) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void result_writer_html(writer *w, const char *s, size_t n)
{
    size_t from = 0;
    for (size_t i = 0; i < n; i++) {
        const char *e = html_entity(s[i]);
        if (!e)
            continue;
        result_writer_add(w, s + from, i - from);
        result_writer_adds(w, e);
        from = i + 1;
    }
    result_writer_add(w, s + from, n - from);
}

void result_writer_markdown(writer *w, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\n' || s[i] == '\r') {
            result_writer_addc(w, ' ');
        } else if (s[i] == '<' || s[i] == '>' || s[i] == '&') {
            result_writer_html(w, s + i, 1);
        } else {
            if (s[i] && strchr("\\`*_[]|~", s[i]))
                result_writer_addc(w, '\\');
            result_writer_addc(w, s[i]);
        }
    }
}

static char *put_octet(const writer *w, char *p, uint8_t v)
{
    memcpy(p, w->octet[v], 3);
    return p + w->octet[v][3];
}

static size_t put_v4(const writer *w, char *p, const uint8_t b[4])
{
    char *at = p;
    for (int i = 0; i < 4; i++) {
        at = put_octet(w, at, b[i]);
        *at++ = '.';
    }
    return (size_t)(at - 1 - p);
}

static char *put_group(char *p, unsigned g)
{
    static const char hex[] = "0123456789abcdef";
    if (g >= 0x1000)
        *p++ = hex[g >> 12];
    if (g >= 0x100)
        *p++ = hex[g >> 8 & 15];
    if (g >= 0x10)
        *p++ = hex[g >> 4 & 15];
    *p++ = hex[g & 15];
    return p;
}

/* Longest run of at least two zero groups, the first on ties (RFC 5952 4.2); none: start -1, len 1.
 */
static void zero_run(const unsigned g[8], int *start, int *len)
{
    *start = -1;
    *len = 1;
    for (int i = 0; i < 8;) {
        int j = i;
        while (j < 8 && g[j] == 0)
            j++;
        if (j - i > *len) {
            *start = i;
            *len = j - i;
        }
        i = j > i ? j : i + 1;
    }
}

static size_t put_v6(const writer *w, char *p, const uint8_t b[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (memcmp(b, mapped, 12) == 0) {
        static const char prefix[7] = {':', ':', 'f', 'f', 'f', 'f', ':'};
        memcpy(p, prefix, sizeof prefix);
        return sizeof prefix + put_v4(w, p + sizeof prefix, b + 12);
    }
    unsigned g[8];
    int start, len;
    for (size_t i = 0; i < 8; i++)
        g[i] = (unsigned)b[2 * i] << 8 | b[2 * i + 1];
    zero_run(g, &start, &len);
    char *at = p;
    for (int i = 0; i < 8; i++) {
        if (i == start) {
            *at++ = ':';
            *at++ = ':';
            i += len - 1;
            continue;
        }
        if (i && i != start + len)
            *at++ = ':';
        at = put_group(at, g[i]);
    }
    return (size_t)(at - p);
}

size_t result_writer_addr(const writer *w, char *p, uint8_t family, const uint8_t bytes[16])
{
    if (family == 4)
        return put_v4(w, p, bytes);
    return family == 6 ? put_v6(w, p, bytes) : 0;
}
