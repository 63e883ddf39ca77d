/* toml.c - TOML 1.0 and .env files, as far as settings need them: scalars under dotted keys. */
#include "toml.h"

#include "gp/bytes.h"

#include <ctype.h>
#include <string.h>

typedef struct toml {
    const char *p, *end;
    unsigned line;
    gp_buf table; /* key of the current table and a dot, or empty */
    gp_buf key, value;
    int skip; /* inside an array: values are checked, not reported */
    goquery_setting_fn fn;
    void *ctx;
    gp_err *err;
} toml;

static gp_status bad(const toml *t, const char *what)
{
    return gp_fail(t->err, GP_EINVAL, 0, "line %u: %s", t->line, what);
}

static int peek(const toml *t)
{
    return t->p < t->end ? (unsigned char)*t->p : -1;
}

static int next(toml *t)
{
    int c = peek(t);
    if (c >= 0)
        t->p++;
    if (c == '\n')
        t->line++;
    return c;
}

static int at(const toml *t, const char *s)
{
    size_t n = strlen(s);
    return (size_t)(t->end - t->p) >= n && memcmp(t->p, s, n) == 0;
}

static void blanks(toml *t)
{
    while (peek(t) == ' ' || peek(t) == '\t')
        t->p++;
}

/* Blanks, newlines and comments between values of an array or between lines. */
static void space(toml *t)
{
    for (;;) {
        int c = peek(t);
        if (c == '#')
            while (peek(t) >= 0 && peek(t) != '\n')
                t->p++;
        else if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
            next(t);
        else
            return;
    }
}

static gp_status end_of_line(toml *t)
{
    blanks(t);
    if (peek(t) == '#')
        while (peek(t) >= 0 && peek(t) != '\n')
            t->p++;
    if (peek(t) == '\r')
        t->p++;
    return peek(t) < 0 || next(t) == '\n' ? GP_OK : bad(t, "expected the end of the line");
}

static void add_utf8(gp_buf *out, unsigned cp)
{
    if (cp < 0x80) {
        gp_buf_addc(out, (char)cp);
    } else if (cp < 0x800) {
        gp_buf_addc(out, (char)(0xc0 | cp >> 6));
        gp_buf_addc(out, (char)(0x80 | (cp & 63)));
    } else if (cp < 0x10000) {
        gp_buf_addc(out, (char)(0xe0 | cp >> 12));
        gp_buf_addc(out, (char)(0x80 | (cp >> 6 & 63)));
        gp_buf_addc(out, (char)(0x80 | (cp & 63)));
    } else {
        gp_buf_addc(out, (char)(0xf0 | cp >> 18));
        gp_buf_addc(out, (char)(0x80 | (cp >> 12 & 63)));
        gp_buf_addc(out, (char)(0x80 | (cp >> 6 & 63)));
        gp_buf_addc(out, (char)(0x80 | (cp & 63)));
    }
}

static gp_status unicode(toml *t, int digits, gp_buf *out)
{
    unsigned cp = 0;
    for (int i = 0; i < digits; i++) {
        int c = next(t);
        if (c < 0 || !isxdigit(c))
            return bad(t, "expected hexadecimal digits after \\u");
        cp = cp << 4 | (unsigned)(isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
        if (cp > 0x10ffff)
            return bad(t, "no such Unicode character");
    }
    if (cp == 0 || (cp >= 0xd800 && cp <= 0xdfff))
        return bad(t, "no such Unicode character");
    add_utf8(out, cp);
    return GP_OK;
}

static gp_status escape(toml *t, int multi, gp_buf *out)
{
    static const char from[] = "btnfre\"\\", to[] = "\b\t\n\f\r\033\"\\";
    int c = next(t);
    if (c == 'u' || c == 'U')
        return unicode(t, c == 'u' ? 4 : 8, out);
    const char *hit = c > 0 ? strchr(from, c) : NULL;
    if (hit) {
        gp_buf_addc(out, to[hit - from]);
        return GP_OK;
    }
    if (multi && (c == '\n' || c == ' ' || c == '\t' || c == '\r')) { /* line ends in a backslash */
        while (peek(t) >= 0 && strchr(" \t\r\n", peek(t)))
            next(t);
        return GP_OK;
    }
    return bad(t, "unknown escape in a string");
}

/* A string in any of the four forms. */
static gp_status string(toml *t, gp_buf *out)
{
    char quote = *t->p;
    const char three[] = {quote, quote, quote, '\0'};
    int multi = at(t, three);
    t->p += multi ? 3 : 1;
    if (multi && at(t, "\r\n"))
        t->p++;
    if (multi && peek(t) == '\n')
        next(t);
    for (;;) {
        if (multi ? at(t, three) : peek(t) == quote) {
            t->p += multi ? 3 : 1;
            for (int i = 0; multi && i < 2 && peek(t) == quote; i++) /* """" ends in quotes */
                gp_buf_addc(out, (char)next(t));
            return GP_OK;
        }
        if (peek(t) < 0 || (peek(t) == '\n' && !multi))
            return bad(t, "string is not closed");
        int c = next(t);
        if (c == 0)
            return bad(t, "NUL in a string");
        if (c == '\\' && quote == '"')
            GP_TRY(escape(t, multi, out));
        else
            gp_buf_addc(out, (char)c);
    }
}

/* a.b."c d" appended to out. */
static gp_status key(toml *t, gp_buf *out)
{
    for (;;) {
        blanks(t);
        int c = peek(t);
        size_t before = out->len;
        if (c == '"' || c == '\'') {
            GP_TRY(string(t, out));
        } else {
            while (c = peek(t), c >= 0 && (isalnum(c) || c == '_' || c == '-'))
                gp_buf_addc(out, (char)next(t));
            if (out->len == before)
                return bad(t, "expected a key");
        }
        blanks(t);
        if (peek(t) != '.')
            return GP_OK;
        gp_buf_addc(out, (char)next(t));
    }
}

static gp_status value(toml *t, unsigned depth);

static gp_status report(toml *t)
{
    if (t->skip)
        return GP_OK;
    const char *k = gp_buf_str(&t->key), *v = gp_buf_str(&t->value);
    if (!k || !v)
        return gp_fail(t->err, GP_ENOMEM, 0, "out of memory");
    return t->fn(t->ctx, k, v, t->line, t->err);
}

static gp_status array(toml *t, unsigned depth)
{
    int outer = t->skip;
    t->skip = 1;
    next(t);
    for (;;) {
        space(t);
        if (peek(t) == ']')
            break;
        GP_TRY(value(t, depth + 1));
        space(t);
        if (peek(t) == ',')
            next(t);
        else if (peek(t) != ']')
            return bad(t, "expected , or ] in an array");
    }
    next(t);
    t->skip = outer;
    return GP_OK;
}

/* key = value, the key below what t->key holds (and restored after). */
static gp_status pair(toml *t, unsigned depth)
{
    size_t before = t->key.len;
    GP_TRY(key(t, &t->key));
    blanks(t);
    if (next(t) != '=')
        return bad(t, "expected = after the key");
    GP_TRY(value(t, depth));
    t->key.len = before;
    return GP_OK;
}

static gp_status inline_table(toml *t, unsigned depth)
{
    size_t before = t->key.len;
    gp_buf_addc(&t->key, '.');
    next(t);
    blanks(t);
    if (peek(t) != '}') {
        for (;;) {
            GP_TRY(pair(t, depth + 1));
            blanks(t);
            if (peek(t) != ',')
                break;
            next(t);
        }
    }
    if (next(t) != '}')
        return bad(t, "expected , or } in an inline table");
    t->key.len = before;
    return GP_OK;
}

static gp_status value(toml *t, unsigned depth)
{
    blanks(t);
    int c = peek(t);
    if (depth > GOQUERY_TOML_MAX_DEPTH)
        return bad(t, "nested too deeply");
    if (c == '[')
        return array(t, depth);
    if (c == '{')
        return inline_table(t, depth);
    gp_buf_clear(&t->value);
    if (c == '"' || c == '\'') {
        GP_TRY(string(t, &t->value));
        return report(t);
    }
    /* numbers, booleans, times: whatever comes before the next delimiter */
    while (c = peek(t), c > 0 && !strchr(",]}#\r\n", c))
        gp_buf_addc(&t->value, (char)next(t));
    while (t->value.len && strchr(" \t", t->value.data[t->value.len - 1]))
        t->value.len--;
    if (t->value.len == 0)
        return bad(t, "expected a value");
    return report(t);
}

static gp_status header(toml *t)
{
    int of_array = at(t, "[[");
    t->p += of_array ? 2 : 1;
    gp_buf_clear(&t->table);
    GP_TRY(key(t, &t->table));
    gp_buf_adds(&t->table, of_array ? "[]." : "."); /* no setting is called so */
    if (!at(t, of_array ? "]]" : "]"))
        return bad(t, "expected ] after the table's name");
    t->p += of_array ? 2 : 1;
    return end_of_line(t);
}

gp_status goquery_toml(const char *text, size_t len, goquery_setting_fn fn, void *ctx, gp_err *err)
{
    toml t = {.p = text, .end = text + len, .line = 1, .fn = fn, .ctx = ctx, .err = err};
    gp_status st = GP_OK;
    if (at(&t, "\xef\xbb\xbf"))
        t.p += 3;
    while (st == GP_OK) {
        space(&t);
        if (peek(&t) < 0)
            break;
        if (peek(&t) == '[') {
            st = header(&t);
            continue;
        }
        gp_buf_clear(&t.key);
        if (t.table.len)
            gp_buf_add(&t.key, t.table.data, t.table.len);
        st = pair(&t, 0);
        if (st == GP_OK)
            st = end_of_line(&t);
    }
    if (st == GP_OK && (t.key.failed || t.value.failed || t.table.failed))
        st = gp_fail(err, GP_ENOMEM, 0, "out of memory");
    gp_buf_free(&t.table);
    gp_buf_free(&t.key);
    gp_buf_free(&t.value);
    return st;
}

/* Quoted, or up to the end of the line or a comment. */
static gp_status dotenv_value(toml *t)
{
    blanks(t);
    gp_buf_clear(&t->value);
    if (peek(t) == '"' || peek(t) == '\'') {
        GP_TRY(string(t, &t->value));
    } else {
        for (int c; c = peek(t), c > 0 && c != '\n' && c != '\r' && !at(t, " #");)
            gp_buf_addc(&t->value, (char)next(t));
        while (t->value.len && strchr(" \t", t->value.data[t->value.len - 1]))
            t->value.len--;
    }
    GP_TRY(report(t));
    return end_of_line(t);
}

gp_status goquery_dotenv(const char *text, size_t len, goquery_setting_fn fn, void *ctx,
                         gp_err *err)
{
    toml t = {.p = text, .end = text + len, .line = 1, .fn = fn, .ctx = ctx, .err = err};
    gp_status st = GP_OK;
    while (st == GP_OK) {
        space(&t);
        if (peek(&t) < 0)
            break;
        if (at(&t, "export "))
            t.p += 7;
        gp_buf_clear(&t.key);
        for (int c; c = peek(&t), c > 0 && (isalnum(c) || strchr("_.-", c));)
            gp_buf_addc(&t.key, (char)next(&t));
        blanks(&t);
        if (t.key.len == 0 || peek(&t) != '=') {
            st = bad(&t, "expected KEY=VALUE");
        } else {
            next(&t);
            st = dotenv_value(&t);
        }
    }
    if (st == GP_OK && (t.key.failed || t.value.failed))
        st = gp_fail(err, GP_ENOMEM, 0, "out of memory");
    gp_buf_free(&t.key);
    gp_buf_free(&t.value);
    return st;
}
