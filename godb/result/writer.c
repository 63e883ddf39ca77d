/* writer.c - buffered output with escapes for JSON, CSV, HTML and Markdown. */
#include "writer.h"

#include "gp/mem.h"
#include "number.h"
#include "width.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

writer *writer_new(FILE *f)
{
    writer *w = gp_alloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->f = f;
    w->len = 0;
    w->failed = w->sys = 0;
    for (unsigned i = 0; i < 256; i++)
        w->octet[i][3] = (char)number_u64(w->octet[i], i);
    return w;
}

void writer_free(writer *w)
{
    gp_free(w);
}

void writer_flush(writer *w)
{
    if (!w->failed && w->len && fwrite(w->buf, 1, w->len, w->f) != w->len) {
        w->failed = 1;
        w->sys = errno;
    }
    w->len = 0;
}

gp_status writer_finish(writer *w, gp_err *err)
{
    writer_flush(w);
    if (!w->failed && fflush(w->f) != 0) {
        w->failed = 1;
        w->sys = errno;
    }
    return w->failed ? gp_fail(err, GP_EIO, w->sys ? w->sys : EIO, "cannot write the result")
                     : GP_OK;
}

void writer_add(writer *w, const char *p, size_t n)
{
    while (n > WRITER_BYTES - w->len) {
        size_t part = WRITER_BYTES - w->len;
        memcpy(w->buf + w->len, p, part);
        w->len += part;
        p += part;
        n -= part;
        writer_flush(w);
    }
    memcpy(w->buf + w->len, p, n);
    w->len += n;
}

void writer_adds(writer *w, const char *s)
{
    writer_add(w, s, strlen(s));
}

void writer_addc(writer *w, char c)
{
    *writer_room(w, 1) = c;
    w->len++;
}

void writer_fill(writer *w, char c, size_t n)
{
    while (n) {
        size_t part = n < WRITER_ROOM ? n : WRITER_ROOM;
        memset(writer_room(w, part), c, part);
        w->len += part;
        n -= part;
    }
}

void writer_u64(writer *w, uint64_t v)
{
    char *p = writer_room(w, 20);
    w->len += number_u64(p, v);
}

void writer_i64(writer *w, int64_t v)
{
    if (v < 0)
        writer_addc(w, '-');
    writer_u64(w, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void writer_printf(writer *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *p = writer_room(w, WRITER_ROOM);
    int n = vsnprintf(p, WRITER_ROOM, fmt, ap);
    va_end(ap);
    if (n > 0)
        w->len += (size_t)n < WRITER_ROOM ? (size_t)n : WRITER_ROOM - 1;
}

static void json_special(writer *w, uint32_t cp)
{
    static const char hex[] = "0123456789abcdef";
    char *p = writer_room(w, 6);
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
    writer_used(w, p);
}

void writer_json(writer *w, const char *s)
{
    const char *from = s; /* start of what can be copied as it is */
    writer_addc(w, '"');
    for (size_t n; *s; s += n) {
        uint32_t cp = width_next(s, &n);
        int special = cp < 0x20 || cp == '"' || cp == '\\' || cp == '<' || cp == '>' || cp == '&' ||
                      cp == 0x2028 || cp == 0x2029 || cp == WIDTH_BAD;
        if (!special)
            continue;
        writer_add(w, from, (size_t)(s - from));
        json_special(w, cp == WIDTH_BAD ? 0xfffd : cp);
        from = s + n;
    }
    writer_add(w, from, (size_t)(s - from));
    writer_addc(w, '"');
}

void writer_csv(writer *w, const char *s, size_t n)
{
    int quote = n > 0 && strchr(" \t\v\f", s[0]) != NULL;
    for (size_t i = 0; i < n && !quote; i++)
        quote = s[i] == ',' || s[i] == '"' || s[i] == '\n' || s[i] == '\r';
    if (!quote) {
        writer_add(w, s, n);
        return;
    }
    writer_addc(w, '"');
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '"')
            writer_addc(w, '"');
        writer_addc(w, s[i]);
    }
    writer_addc(w, '"');
}

void writer_html(writer *w, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        switch (s[i]) {
        case '<':
            writer_adds(w, "&lt;");
            break;
        case '>':
            writer_adds(w, "&gt;");
            break;
        case '&':
            writer_adds(w, "&amp;");
            break;
        case '"':
            writer_adds(w, "&quot;");
            break;
        case '\'':
            writer_adds(w, "&#39;");
            break;
        default:
            writer_addc(w, s[i]);
        }
    }
}

void writer_markdown(writer *w, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\n' || s[i] == '\r') {
            writer_addc(w, ' ');
            continue;
        }
        if (s[i] == '<' || s[i] == '>' || s[i] == '&') {
            writer_html(w, s + i, 1);
            continue;
        }
        if (strchr("\\`*_[]|~", s[i]))
            writer_addc(w, '\\');
        writer_addc(w, s[i]);
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
        memcpy(p, "::ffff:", 7);
        return 7 + put_v4(w, p + 7, b + 12);
    }
    unsigned g[8];
    int start, len;
    for (int i = 0; i < 8; i++)
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

size_t writer_addr(const writer *w, char *p, uint8_t family, const uint8_t bytes[16])
{
    if (family == 4)
        return put_v4(w, p, bytes);
    return family == 6 ? put_v6(w, p, bytes) : 0;
}
