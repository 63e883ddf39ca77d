/* timeformat.c - times as they are printed (spec 2.9, 6.6, 7.1). */
#include "query/timearg.h"

#include "timezone.h"

#include <stdio.h>

static const char MONTHS[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char WEEKDAYS[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

char *query_time_format_local(int64_t ts_s, char *buf, size_t cap)
{
    query_civil c = query_zone_civil(ts_s, NULL);

    (void)snprintf(buf, cap, "%04d-%02d-%02d %02d:%02d:%02d", (int)c.year, c.month, c.day, c.hour,
                   c.minute, c.second);
    return buf;
}

char *query_time_format_ansic(int64_t ts_s, char *buf, size_t cap)
{
    query_civil c = query_zone_civil(ts_s, NULL);

    (void)snprintf(buf, cap, "%s %s %2d %02d:%02d:%02d %04d", WEEKDAYS[c.weekday],
                   MONTHS[c.month - 1], c.day, c.hour, c.minute, c.second, (int)c.year);
    return buf;
}

char *query_time_format_rfc3339(int64_t ts_s, uint32_t ns, char *buf, size_t cap)
{
    int32_t off;
    query_civil c = query_zone_civil(ts_s, &off);
    char frac[12] = "", zone[12] = "Z";

    if (ns > 0 && ns < 1000000000) {
        int n = snprintf(frac, sizeof frac, ".%09u", ns);
        while (n > 1 && frac[n - 1] == '0')
            frac[--n] = 0;
    }
    if (off) {
        int m = (off < 0 ? -off : off) / 60;
        (void)snprintf(zone, sizeof zone, "%c%02d:%02d", off < 0 ? '-' : '+', m / 60 % 100, m % 60);
    }
    (void)snprintf(buf, cap, "%04d-%02d-%02dT%02d:%02d:%02d%s%s", (int)c.year, c.month, c.day,
                   c.hour, c.minute, c.second, frac, zone);
    return buf;
}
