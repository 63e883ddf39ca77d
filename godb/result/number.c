/* number.c - number formats of query.md 6.2: counts, sizes, percentages, durations. */
#include "number.h"

#include "gp/num.h"
#include "result/print.h"

#include <string.h>

static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233"
                            "34353637383940414243444546474849505152535455565758596061626364656667"
                            "6869707172737475767778798081828384858687888990919293949596979899";

size_t result_number_u64(char *p, uint64_t v)
{
    char tmp[20];
    size_t i = sizeof tmp;
    while (v >= 100) {
        i -= 2;
        memcpy(tmp + i, pairs + 2 * (v % 100), 2);
        v /= 100;
    }
    if (v >= 10) {
        i -= 2;
        memcpy(tmp + i, pairs + 2 * v, 2);
    } else {
        tmp[--i] = (char)('0' + v);
    }
    memcpy(p, tmp + i, sizeof tmp - i);
    return sizeof tmp - i;
}

/* A double has 53 bits of mantissa and 100 needs 5 more (its factor 4 is only an exponent), so the
 * product is exact in long double (64 bits or more) and rounding half to even gives what printf
 * gives. */
size_t result_number_fixed2(char *p, double v)
{
    long double t = (long double)v * 100.0L;
    uint64_t n = (uint64_t)t;
    long double rest = t - (long double)n;
    if (rest > 0.5L || (rest == 0.5L && (n & 1)))
        n++;
    size_t len = result_number_u64(p, n / 100);
    p[len] = '.';
    memcpy(p + len + 1, pairs + 2 * (n % 100), 2);
    return len + 3;
}

double result_number_percent(uint64_t part, uint64_t total)
{
    return total ? 100.0 * (double)part / (double)total : 0.0;
}

uint64_t result_number_add(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* Unit texts are two characters: "k" right after a blank, and two blanks for none. */
size_t result_number_count(char *p, uint64_t v)
{
    static const char units[][2] = {{' ', ' '}, {' ', 'k'}, {' ', 'M'}, {' ', 'G'},
                                    {' ', 'T'}, {' ', 'P'}, {' ', 'E'}};
    double d = (double)v;
    size_t unit = 0;
    while (v >= 1000) {
        v /= 1000;
        d /= 1000.0;
        unit++;
    }
    size_t len = result_number_fixed2(p, d);
    memcpy(p + len, units[unit], 2);
    return len + 2;
}

size_t result_number_count_small(char *p, uint64_t v, int padded)
{
    if (v >= 1000)
        return result_number_count(p, v);
    size_t len = result_number_u64(p, v);
    for (int i = 0; padded && i < 2; i++)
        p[len++] = ' ';
    return len;
}

size_t result_number_size(char *p, uint64_t v)
{
    static const char units[][4] = {"  B", " kB", " MB", " GB", " TB", " PB", " EB"};
    double d = (double)v;
    size_t unit = 0;
    while (v > 1024) {
        v /= 1024;
        d /= 1024.0;
        unit++;
    }
    size_t len = result_number_fixed2(p, d);
    memcpy(p + len, units[unit], 3);
    return len + 3;
}

size_t result_number_size_small(char *p, uint64_t v, int padded)
{
    if (v > 1024)
        return result_number_size(p, v);
    size_t len = result_number_u64(p, v);
    for (int i = 0; padded && i < 3; i++)
        p[len++] = ' ';
    return len;
}

/* Copy n bytes of text into a caller's buffer, cut to fit, NUL-terminated. */
static char *give(char *buf, size_t cap, const char *text, size_t n)
{
    if (cap == 0)
        return buf;
    if (n >= cap)
        n = cap - 1;
    memcpy(buf, text, n);
    buf[n] = '\0';
    return buf;
}

char *result_fmt_count(uint64_t v, char *buf, size_t cap)
{
    char t[32];
    return give(buf, cap, t, result_number_count(t, v));
}

char *result_fmt_count_small(uint64_t v, char *buf, size_t cap)
{
    char t[32];
    return give(buf, cap, t, result_number_count_small(t, v, 0));
}

char *result_fmt_size(uint64_t v, char *buf, size_t cap)
{
    char t[32];
    return give(buf, cap, t, result_number_size(t, v));
}

char *result_fmt_size_small(uint64_t v, char *buf, size_t cap)
{
    char t[32];
    return give(buf, cap, t, result_number_size_small(t, v, 0));
}

/* Nearest millisecond, half away from zero; n >= 0. */
static int64_t round_ms(int64_t n)
{
    const int64_t ms = 1000000;
    if (n > INT64_MAX - ms / 2)
        return n / ms * ms;
    return (n + ms / 2) / ms * ms;
}

char *result_fmt_duration(int64_t ns, char *buf, size_t cap)
{
    const int64_t day_ns = INT64_C(86400) * 1000000000;
    char text[64];
    size_t len = 0;
    if (ns < 0) {
        text[len++] = '-';
        ns = ns == INT64_MIN ? INT64_MAX : -ns;
    }
    if (ns >= day_ns) {
        len += result_number_u64(text + len, (uint64_t)(ns / day_ns));
        text[len++] = 'd';
        ns %= day_ns;
    }
    gp_num_duration_str(round_ms(ns), text + len, sizeof text - len);
    return give(buf, cap, text, strlen(text));
}
