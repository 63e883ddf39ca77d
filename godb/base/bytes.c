/* bytes.c - growing byte buffer; see gp/bytes.h. */
#include "gp/bytes.h"

#include "gp/mem.h"

#include <stdarg.h>
#include <stdio.h>

enum { FIRST_CAP = 64 };

/* Make data hold need bytes at least; the capacity doubles so that appends cost O(1) each. */
static int grow(gp_buf *b, size_t need)
{
    if (need <= b->cap)
        return 1;
    size_t cap = b->cap ? b->cap : FIRST_CAP;
    while (cap < need)
        if (__builtin_mul_overflow(cap, 2, &cap))
            cap = need;
    if (b->limit && cap > b->limit) /* no more than is ever used; one byte for the NUL */
        cap = need > b->limit ? need : b->limit;
    uint8_t *data = gp_realloc(b->data, cap, 1);
    if (!data) {
        b->failed = 1;
        return 0;
    }
    b->data = data;
    b->cap = cap;
    return 1;
}

uint8_t *gp_buf_reserve(gp_buf *b, size_t n)
{
    size_t need;

    if (b->failed)
        return NULL;
    if (__builtin_add_overflow(b->len, n, &need) || (b->limit && need > b->limit)) {
        b->failed = 1;
        return NULL;
    }
    if (!grow(b, need ? need : 1)) /* n = 0 on an empty buffer is no failure either */
        return NULL;
    return b->data + b->len;
}

void gp_buf_add(gp_buf *b, const void *bytes, size_t n)
{
    if (n == 0)
        return;
    uint8_t *p = gp_buf_reserve(b, n);
    if (p) {
        memcpy(p, bytes, n);
        b->len += n;
    }
}

void gp_buf_addc(gp_buf *b, char c)
{
    gp_buf_add(b, &c, 1);
}

void gp_buf_adds(gp_buf *b, const char *s)
{
    gp_buf_add(b, s, strlen(s));
}

void gp_buf_printf(gp_buf *b, const char *fmt, ...)
{
    va_list ap;

    if (b->failed)
        return;
    /* First try into what is free; most texts are short and fit. */
    size_t free_bytes = b->cap - b->len;
    va_start(ap, fmt);
    int n = vsnprintf(free_bytes ? (char *)b->data + b->len : NULL, free_bytes, fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->failed = 1;
        return;
    }
    size_t len = (size_t)n;
    if (!gp_buf_reserve(b, len))
        return;
    if (len >= free_bytes) {
        if (!grow(b, b->len + len + 1)) /* vsnprintf writes a NUL, outside the limit */
            return;
        va_start(ap, fmt);
        (void)vsnprintf((char *)b->data + b->len, len + 1, fmt, ap);
        va_end(ap);
    }
    b->len += len;
}

void gp_buf_fill(gp_buf *b, char c, size_t n)
{
    if (n == 0)
        return;
    uint8_t *p = gp_buf_reserve(b, n);
    if (p) {
        memset(p, c, n);
        b->len += n;
    }
}

const char *gp_buf_str(gp_buf *b)
{
    if (b->failed)
        return NULL;
    if (b->len == 0)
        return "";
    if (!grow(b, b->len + 1))
        return NULL;
    b->data[b->len] = '\0';
    return (const char *)b->data;
}

char *gp_buf_take(gp_buf *b)
{
    if (b->failed || !grow(b, b->len + 1))
        return NULL;
    char *s = (char *)b->data;
    s[b->len] = '\0';
    b->data = NULL;
    b->len = 0;
    b->cap = 0;
    return s;
}

void gp_buf_clear(gp_buf *b)
{
    b->len = 0;
    b->failed = 0;
}

void gp_buf_free(gp_buf *b)
{
    gp_free(b->data);
    b->data = NULL;
    b->len = 0;
    b->cap = 0;
    b->failed = 0;
}

int gp_text_ok(const char *s, size_t max)
{
    size_t n = 0;

    for (; s[n]; n++)
        if (n == max || (unsigned char)s[n] < 0x20 || s[n] == 0x7f)
            return 0;
    return 1;
}
