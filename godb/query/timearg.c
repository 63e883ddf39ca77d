/* timearg.c - times as users write them: relative, epoch, layouts; default bounds; bins. */
#include "query/timearg.h"

#include "gp/num.h"
#include "limits.h"
#include "timelayout.h"
#include "timezone.h"

#include <string.h>
#include <time.h>

static const int64_t NS_PER_S = 1000000000;
static const int64_t BIN_S = 300; /* a block; spec 4.6 */

/* *sum += value * unit, or 0 if it does not fit. */
static int add_scaled(int64_t *sum, int64_t value, int64_t unit)
{
    int64_t v;

    return !__builtin_mul_overflow(value, unit, &v) && !__builtin_add_overflow(*sum, v, sum);
}

/* Chunks of integer and unit between colons: 15d:04h:05m. */
static int parse_colon_form(const char *s, int64_t *back_s)
{
    int64_t sum = 0, v;

    for (;; s++) {
        size_t len = strcspn(s, ":");
        const char *units = "dhms", *u = len ? strchr(units, s[len - 1]) : NULL;
        static const int64_t scale[] = {QUERY_DAY_S, 3600, 60, 1};
        if (!u || !gp_num_i64(s, len - 1, &v) || !add_scaled(&sum, v, scale[u - units]))
            return 0;
        s += len;
        if (!*s)
            break;
    }
    *back_s = sum;
    return 1;
}

/* Days, then a duration, either of them optional: 15d4h5m, 90s, 1.5h. */
static int parse_compact_form(const char *s, int64_t *back_s)
{
    const char *d = strchr(s, 'd');
    int64_t sum = 0, days, ns;

    if (d) {
        if (!gp_num_i64(s, (size_t)(d - s), &days) || !add_scaled(&sum, days, QUERY_DAY_S))
            return 0;
        s = d + 1;
    }
    if (!d || *s) {
        if (!gp_num_duration_ns(s, strlen(s), &ns) || !add_scaled(&sum, ns / NS_PER_S, 1))
            return 0;
    }
    *back_s = sum;
    return 1;
}

static gp_status bad_time(const char *text, const char *why, gp_err *err)
{
    return gp_fail(err, GP_EINVAL, 0, "invalid time format: \"%.64s\": %s", text, why);
}

gp_status query_time_parse(const char *text, int64_t now_s, int64_t *out_s, gp_err *err)
{
    int64_t v;

    tzset(); /* localtime_r() need not look at TZ itself */
    if (strnlen(text, QUERY_MAX_TEXT + 1) > QUERY_MAX_TEXT)
        return gp_fail(err, GP_EINVAL, 0, "invalid time format: longer than %d bytes",
                       QUERY_MAX_TEXT);
    if (*text == '-') {
        int ok =
            strchr(text, ':') ? parse_colon_form(text + 1, &v) : parse_compact_form(text + 1, &v);
        if (!ok)
            return bad_time(text, "a relative time is written like -1d, -2h30m or -1d:4h:05m", err);
        if (__builtin_sub_overflow(now_s, v, out_s))
            return bad_time(text, "out of range", err);
        return GP_OK;
    }
    if (gp_num_i64(text, strlen(text), out_s) || query_layout_parse(text, out_s))
        return GP_OK;
    if (*text && strspn(text, "0123456789") == strlen(text))
        return bad_time(text, "out of range", err);
    return bad_time(
        text,
        "expected -1d or -2h30m (before now), epoch seconds, or a date with a time such "
        "as \"2030-01-31 14:05\" or 2030-01-31T14:05:00Z",
        err);
}

/* Wall time some months or days before now; 31 March less a month rolls over to 3 March (or 2). */
static int64_t wall_before(int64_t now_s, int months, int days)
{
    tzset();
    query_civil c = query_zone_civil(now_s, NULL);
    int day = c.day;
    c.month -= months;
    c.day = 1;
    query_civil first = query_civil_of(query_civil_seconds(&c)); /* rolls the year back */
    first.day = day - days;
    return query_zone_instant(&first);
}

int64_t query_time_month_before(int64_t now_s)
{
    return wall_before(now_s, 1, 0);
}

int64_t query_time_day_before(int64_t now_s)
{
    return wall_before(now_s, 0, 1);
}

int query_time_is_day(const char *raw_query)
{
    return strstr(raw_query, "time") || strstr(raw_query, "raw");
}

/* One 288th of the span, rounded up to a multiple of 5 minutes. */
static int64_t auto_resolution(int64_t first_s, int64_t last_s)
{
    const int64_t step = BIN_S * NS_PER_S;
    int64_t span;

    if (last_s <= first_s)
        return BIN_S;
    if (__builtin_sub_overflow(last_s, first_s, &span) ||
        __builtin_mul_overflow(span, NS_PER_S, &span))
        span = INT64_MAX;
    int64_t q = span / 288;
    return (q / step + (q % step != 0)) * BIN_S;
}

gp_status query_time_resolution(const char *text, int64_t first_s, int64_t last_s, int64_t *bin_s,
                                gp_err *err)
{
    char shown[32];
    int64_t ns;

    if (!text || !*text) {
        *bin_s = BIN_S;
        return GP_OK;
    }
    if (strcmp(text, "auto") == 0) {
        *bin_s = auto_resolution(first_s, last_s);
        return GP_OK;
    }
    if (!gp_num_duration_ns(text, strlen(text), &ns))
        return gp_fail(err, GP_EINVAL, 0,
                       "invalid time resolution: \"%.64s\" (a duration such as 10m or 1h, or auto)",
                       text);
    if (ns < BIN_S * NS_PER_S)
        return gp_fail(err, GP_EINVAL, 0, "time resolution must be at least %s",
                       gp_num_duration_str(BIN_S * NS_PER_S, shown, sizeof shown));
    if (ns % (BIN_S * NS_PER_S))
        return gp_fail(err, GP_EINVAL, 0, "time resolution must be a multiple of %s",
                       gp_num_duration_str(BIN_S * NS_PER_S, shown, sizeof shown));
    *bin_s = ns / NS_PER_S;
    return GP_OK;
}

int64_t query_time_bin(int64_t ts_s, int64_t bin_s)
{
    int64_t into = ts_s % bin_s, end;

    if (into == 0)
        return ts_s;
    if (into < 0)
        into += bin_s; /* before 1970 too, bins end at multiples */
    return __builtin_add_overflow(ts_s, bin_s - into, &end) ? INT64_MAX : end;
}

int query_time_parse_rfc3339(const char *s, size_t len, int64_t *ts_s, uint32_t *ns)
{
    char text[64];

    if (len >= sizeof text || memchr(s, 0, len))
        return 0;
    memcpy(text, s, len);
    text[len] = 0;
    return query_layout_rfc3339(text, ts_s, ns);
}
