/* duration.c - durations as text: the grammar of query.md 4.5 and Go's way of printing them. */
#include "gp/num.h"

#include <string.h>

enum { FRAC_DIGITS = 18 }; /* fits uint64_t; further digits are far below a nanosecond */

static const struct unit {
    const char *name;
    uint64_t ns;
} units[] = {
    {"ns", 1},
    {"us", 1000},
    {"\xC2\xB5s", 1000}, /* U+00B5 micro sign */
    {"\xCE\xBCs", 1000}, /* U+03BC Greek mu */
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", UINT64_C(60) * 1000000000},
    {"h", UINT64_C(3600) * 1000000000},
};

/* Unit that s starts with; longest match first ("ms" before "m"). *len: its bytes. */
static uint64_t match_unit(const char *s, size_t left, size_t *len)
{
    uint64_t ns = 0;

    *len = 0;
    for (size_t i = 0; i < GP_COUNT(units); i++) {
        size_t n = strlen(units[i].name);
        if (n > *len && n <= left && memcmp(s, units[i].name, n) == 0) {
            *len = n;
            ns = units[i].ns;
        }
    }
    return ns;
}

/* One "<number><unit>" at s; adds it to *total. Bytes used, 0 if malformed or too large. */
static size_t take_part(const char *s, size_t left, uint64_t *total)
{
    size_t i = 0, digits = 0, unit_len;
    uint64_t whole = 0, frac = 0, scale = 1, part;

    for (; i < left && s[i] >= '0' && s[i] <= '9'; i++, digits++)
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, (uint64_t)(s[i] - '0'), &whole))
            return 0;
    if (i < left && s[i] == '.') {
        size_t n = 0;
        for (i++; i < left && s[i] >= '0' && s[i] <= '9'; i++, digits++) {
            if (n++ >= FRAC_DIGITS)
                continue;
            frac = frac * 10 + (uint64_t)(s[i] - '0');
            scale *= 10;
        }
    }
    uint64_t unit = match_unit(s + i, left - i, &unit_len);
    if (digits == 0 || unit == 0)
        return 0;
    uint64_t frac_ns = (uint64_t)((unsigned __int128)frac * unit / scale);
    if (__builtin_mul_overflow(whole, unit, &part) ||
        __builtin_add_overflow(part, frac_ns, &part) ||
        __builtin_add_overflow(*total, part, total) || *total > INT64_MAX)
        return 0;
    return i + unit_len;
}

int gp_num_duration_ns(const char *s, size_t len, int64_t *out_ns)
{
    int negative = len > 0 && s[0] == '-';
    size_t i = negative || (len > 0 && s[0] == '+') ? 1 : 0;
    uint64_t total = 0;

    if (i == len)
        return 0;
    if (len - i == 1 && s[i] == '0') {
        *out_ns = 0;
        return 1;
    }
    while (i < len) {
        size_t used = take_part(s + i, len - i, &total);
        if (used == 0)
            return 0;
        i += used;
    }
    *out_ns = negative ? -(int64_t)total : (int64_t)total;
    return 1;
}

/* Writes backwards from end: v with at least one digit. Returns the new start. */
static char *put_uint(char *end, uint64_t v)
{
    do {
        *--end = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    return end;
}

/* v / 10^digits with the fraction's trailing zeros cut, backwards from end. */
static char *put_decimal(char *end, uint64_t v, int digits)
{
    int shown = 0;

    for (int i = 0; i < digits; i++) {
        char d = (char)('0' + v % 10);
        v /= 10;
        shown |= d != '0';
        if (shown)
            *--end = d;
    }
    if (shown)
        *--end = '.';
    return put_uint(end, v);
}

char *gp_num_duration_str(int64_t ns, char *buf, size_t cap)
{
    char text[32]; /* longest: "-2562047h47m16.854775808s", 25 bytes */
    char *p = text + sizeof text;
    uint64_t v = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;

    *--p = '\0';
    *--p = 's';
    if (v == 0) {
        *--p = '0';
    } else if (v < 1000) {
        *--p = 'n';
        p = put_uint(p, v);
    } else if (v < 1000000) {
        *--p = '\xB5';
        *--p = '\xC2';
        p = put_decimal(p, v, 3);
    } else if (v < 1000000000) {
        *--p = 'm';
        p = put_decimal(p, v, 6);
    } else {
        uint64_t s = v / 1000000000;
        p = put_decimal(p, v - s * 1000000000 + s % 60 * 1000000000, 9);
        if (s >= 60) {
            *--p = 'm';
            p = put_uint(p, s / 60 % 60);
        }
        if (s >= 3600) {
            *--p = 'h';
            p = put_uint(p, s / 3600);
        }
    }
    if (ns < 0)
        *--p = '-';
    size_t n = (size_t)(text + sizeof text - p);
    if (cap > 0) {
        if (n > cap) {
            n = cap;
            text[sizeof text - 1] = '\0';
        }
        memcpy(buf, p, n);
        buf[n - 1] = '\0';
    }
    return buf;
}
