/* suffix.c - names of day directories: day number and base-62 totals. */
#include "suffix.h"

#include "gp/num.h"

#include <stdio.h>
#include <string.h>

enum { BASE = 62, MAX_DIGITS = 11, N_TOTALS = 7 };

static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

size_t godb_base62_put(uint64_t v, char *out)
{
    size_t n = 0;
    do {
        out[n++] = alphabet[v % BASE];
        v /= BASE;
    } while (v);
    return n;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 36;
    return -1;
}

int godb_base62_get(const char *s, size_t len, uint64_t *v)
{
    uint64_t sum = 0;

    if (len == 0 || len > MAX_DIGITS)
        return 0;
    for (size_t i = len; i-- > 0;) { /* Horner, from the most significant digit */
        int d = digit(s[i]);
        if (d < 0 || __builtin_mul_overflow(sum, (uint64_t)BASE, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)d, &sum))
            return 0;
    }
    *v = sum;
    return 1;
}

int godb_suffix_get(const char *s, size_t len, godb_totals *t)
{
    uint64_t v[N_TOTALS];
    size_t at = 0;

    for (int i = 0; i < N_TOTALS; i++) {
        size_t end = at;
        while (end < len && s[end] != '-')
            end++;
        int last = i == N_TOTALS - 1;
        if ((end == len) != last || !godb_base62_get(s + at, end - at, &v[i]))
            return 0;
        at = end + 1;
    }
    *t = (godb_totals){.v4 = v[0],
                       .v6 = v[1],
                       .drops = v[2],
                       .bytes_rcvd = v[3],
                       .bytes_sent = v[4],
                       .pkts_rcvd = v[5],
                       .pkts_sent = v[6]};
    return 1;
}

size_t godb_dayname_format(int64_t day_s, const godb_totals *t, char out[GODB_DAYNAME_CAP])
{
    int n = snprintf(out, GODB_DAYNAME_CAP, "%lld", (long long)day_s);
    size_t len = n > 0 ? (size_t)n : 0;

    if (t) {
        const uint64_t v[N_TOTALS] = {t->v4,         t->v6,        t->drops,    t->bytes_rcvd,
                                      t->bytes_sent, t->pkts_rcvd, t->pkts_sent};
        for (int i = 0; i < N_TOTALS; i++) { /* at most 20 + 7 * 12 characters */
            out[len++] = i ? '-' : '_';
            len += godb_base62_put(v[i], out + len);
        }
        out[len] = '\0';
    }
    return len;
}

int godb_dayname_is_backup(const char *name)
{
    return strstr(name, ".gpdb-merge-backup-") != NULL;
}

int godb_dayname_parse(const char *name, godb_dayname *out)
{
    size_t digits = strcspn(name, "_");
    uint64_t day = 0;

    if (godb_dayname_is_backup(name) ||
        !gp_num_u64(name, digits, (uint64_t)INT64_MAX - GODB_DAY_S, &day) || day % GODB_DAY_S != 0)
        return 0;
    *out = (godb_dayname){.day_s = (int64_t)day};
    if (name[digits] == '_') { /* parts behind a second underscore are ignored (1.4) */
        const char *suffix = name + digits + 1;
        out->has_totals = godb_suffix_get(suffix, strcspn(suffix, "_"), &out->totals);
    }
    return 1;
}
