/* utf8.c - the little this room needs of Unicode: decode, white space, lower case. */
#include "utf8.h"

#include <string.h>

uint32_t query_utf8_next(const char *p, size_t *n)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000}; /* shorter forms are refused */
    unsigned char c = (unsigned char)*p;
    size_t len = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;

    *n = 1;
    if (len == 1)
        return c;
    if (len == 0)
        return 0xFFFD;
    uint32_t cp = c & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (((unsigned char)p[i] & 0xC0) != 0x80) /* also stops at the NUL */
            return 0xFFFD;
        cp = cp << 6 | ((unsigned char)p[i] & 0x3F);
    }
    if (cp < least[len] || cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF))
        return 0xFFFD;
    *n = len;
    return cp;
}

size_t query_utf8_put(uint32_t cp, char *out)
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    size_t len = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, cp >>= 6)
        out[i] = (char)(0x80 | (cp & 0x3F));
    out[0] = (char)((0xF00u >> len & 0xFF) | cp);
    return len;
}

size_t query_utf8_len(const char *s, size_t len)
{
    size_t count = 0, n;

    for (const char *end = s + len; s < end && *s; s += n, count++)
        query_utf8_next(s, &n);
    return count;
}

int query_utf8_is_space(uint32_t cp)
{
    return (cp >= 9 && cp <= 13) || cp == ' ' || cp == 0x85 || cp == 0xA0 || cp == 0x1680 ||
           (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 || cp == 0x2029 || cp == 0x202F ||
           cp == 0x205F || cp == 0x3000;
}

static uint32_t lower(uint32_t c)
{
    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + 32 : c;
    if ((c >= 0xC0 && c <= 0xDE && c != 0xD7) || (c >= 0x391 && c <= 0x3A9 && c != 0x3A2) ||
        (c >= 0x410 && c <= 0x42F))
        return c + 32;
    if ((c >= 0x100 && c <= 0x12F) || (c >= 0x132 && c <= 0x137) || (c >= 0x14A && c <= 0x177) ||
        (c >= 0x460 && c <= 0x481) || (c >= 0x48A && c <= 0x4BF) || (c >= 0x4D0 && c <= 0x52F) ||
        (c >= 0x1E00 && c <= 0x1E95) || (c >= 0x1EA0 && c <= 0x1EFF))
        return c | 1; /* pairs: upper even, lower odd */
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E))
        return c + (c & 1); /* pairs: upper odd, lower even */
    if (c >= 0x400 && c <= 0x40F)
        return c + 80;
    if (c >= 0x531 && c <= 0x556)
        return c + 48;
    return c == 0x178 ? 0xFF : c == 0x130 ? 'i' : c == 0x212A ? 'k' : c;
}

void query_utf8_lower(char *s)
{
    char *to = s;

    for (size_t n; *s; s += n) {
        uint32_t c = query_utf8_next(s, &n), l = lower(c);
        if (l == c) {
            memmove(to, s, n);
            to += n;
        } else {
            to += query_utf8_put(l, to); /* never longer than what was read */
        }
    }
    *to = 0;
}
