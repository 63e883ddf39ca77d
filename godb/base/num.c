/* num.c - strict text to number, sizes and hex; see gp/num.h. Durations are in duration.c. */
#include "gp/num.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int gp_num_u64(const char *s, size_t len, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;

    if (len == 0)
        return 0;
    for (size_t i = 0; i < len; i++)
        if (!is_digit(s[i]) || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s[i] - '0'), &v) || v > max)
            return 0;
    *out = v;
    return 1;
}

/* Sign and magnitude to int64_t; false if it does not fit. */
static int apply_sign(int negative, uint64_t v, int64_t *out)
{
    if (negative) {
        if (v > (uint64_t)INT64_MAX + 1)
            return 0;
        *out = v ? -(int64_t)(v - 1) - 1 : 0; /* -INT64_MIN is not an int64_t */
        return 1;
    }
    if (v > INT64_MAX)
        return 0;
    *out = (int64_t)v;
    return 1;
}

int gp_num_i64(const char *s, size_t len, int64_t *out)
{
    uint64_t v;
    int sign = len > 0 && (s[0] == '-' || s[0] == '+');

    if (!gp_num_u64(s + sign, len - (size_t)sign, UINT64_MAX, &v))
        return 0;
    return apply_sign(sign && s[0] == '-', v, out);
}

/* Value of a digit in bases up to 16; 255 if it is none. */
static unsigned digit_value(char c)
{
    if (is_digit(c))
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 255;
}

/* Base prefix at s; *skip: its length. "0" followed by more means octal, as in C. */
static unsigned base_prefix(const char *s, size_t len, size_t *skip)
{
    *skip = 0;
    if (len < 2 || s[0] != '0')
        return 10;
    *skip = 2;
    switch (s[1]) {
    case 'x':
    case 'X':
        return 16;
    case 'o':
    case 'O':
        return 8;
    case 'b':
    case 'B':
        return 2;
    default:
        *skip = 1;
        return 8;
    }
}

int gp_num_i64_prefixed(const char *s, size_t len, int64_t *out)
{
    int sign = len > 0 && (s[0] == '-' || s[0] == '+');
    size_t i = (size_t)sign, skip;
    unsigned base = base_prefix(s + i, len - i, &skip);
    uint64_t v = 0;
    int digit_before = 0;                 /* did a digit end right here? */
    int underscore_ok = skip > 0 ? 1 : 0; /* "0x_1" and "0_7" are fine, "_1" is not */

    for (i += skip; i < len; i++) {
        if (s[i] == '_') {
            if (!underscore_ok)
                return 0;
            underscore_ok = digit_before = 0;
            continue;
        }
        unsigned d = digit_value(s[i]);
        if (d >= base || __builtin_mul_overflow(v, (uint64_t)base, &v) ||
            __builtin_add_overflow(v, (uint64_t)d, &v))
            return 0;
        underscore_ok = digit_before = 1;
    }
    return digit_before && apply_sign(sign && s[0] == '-', v, out);
}

/* [+-] digits [. digits] [e [+-] digits], at least one digit before the exponent. strtod() alone
 * would take "inf", "nan", hex and leading blanks. */
static int is_float_text(const char *s, size_t len)
{
    size_t i = 0, digits = 0;

    if (i < len && (s[i] == '+' || s[i] == '-'))
        i++;
    for (; i < len && is_digit(s[i]); i++)
        digits++;
    if (i < len && s[i] == '.')
        for (i++; i < len && is_digit(s[i]); i++)
            digits++;
    if (digits == 0)
        return 0;
    if (i < len && (s[i] == 'e' || s[i] == 'E')) {
        i++;
        if (i < len && (s[i] == '+' || s[i] == '-'))
            i++;
        if (i == len)
            return 0;
        while (i < len && is_digit(s[i]))
            i++;
    }
    return i == len;
}

static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;
static locale_t c_locale; /* for a program that calls setlocale(): '.' stays the decimal point */

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

int gp_num_f64(const char *s, size_t len, double *out)
{
    char text[128]; /* more digits than any sensible number has */

    if (len >= sizeof text || !is_float_text(s, len))
        return 0;
    memcpy(text, s, len);
    text[len] = '\0';
    (void)pthread_once(&c_locale_once, make_c_locale);
    if (c_locale == (locale_t)0)
        return 0;
    double v = strtod_l(text, NULL, c_locale);
    if (!isfinite(v))
        return 0;
    *out = v;
    return 1;
}

/* Shift of a size unit ("", "B", "k", "M", "G", "T", each of the letters also as "MB", "MiB");
 * -1 if it is none. */
static int size_shift(const char *s, size_t len)
{
    static const char letters[] = "kMGT";

    if (len == 0 || (len == 1 && s[0] == 'B'))
        return 0;
    const char *hit = memchr(letters, s[0] == 'K' ? 'k' : s[0], sizeof letters - 1);
    if (!hit || (len == 2 && s[1] != 'B') || (len == 3 && memcmp(s + 1, "iB", 2) != 0) || len > 3)
        return -1;
    return 10 * (int)(hit - letters + 1);
}

int gp_num_bytes(const char *s, size_t len, uint64_t *out)
{
    size_t i = 0, frac_digits = 0;
    uint64_t whole, frac = 0, scale = 1;

    while (i < len && is_digit(s[i]))
        i++;
    if (!gp_num_u64(s, i, UINT64_MAX, &whole))
        return 0;
    if (i < len && s[i] == '.') {
        for (i++; i < len && is_digit(s[i]); i++) {
            if (++frac_digits > 15) /* below a byte even in T */
                continue;
            frac = frac * 10 + (uint64_t)(s[i] - '0');
            scale *= 10;
        }
        if (frac_digits == 0)
            return 0;
    }
    int shift = size_shift(s + i, len - i);
    if (shift < 0 || (shift == 0 && frac_digits > 0)) /* there is no part of a byte */
        return 0;
    uint64_t v;
    if (__builtin_mul_overflow(whole, (uint64_t)1 << shift, &v) ||
        __builtin_add_overflow(
            v, (uint64_t)((unsigned __int128)frac * ((uint64_t)1 << shift) / scale), &v))
        return 0;
    *out = v;
    return 1;
}

void gp_hex(const void *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = bytes;

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * n] = '\0';
}

int gp_unhex(const char *s, size_t len, void *out, size_t n)
{
    uint8_t *p = out;

    if (len % 2 != 0 || len / 2 != n)
        return 0;
    for (size_t i = 0; i < len; i++)
        if (digit_value(s[i]) > 15)
            return 0;
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(digit_value(s[2 * i]) << 4 | digit_value(s[2 * i + 1]));
    return 1;
}
