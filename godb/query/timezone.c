/* timezone.c - civil dates and the local zone of the process. */
#include "timezone.h"

#include <time.h>

/* 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z: what four digits of a year can say. */
static const int64_t FIRST_S = INT64_C(-62167219200), LAST_S = INT64_C(253402300799);

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;

    return q * b > a ? q - 1 : q;
}

static int is_leap(int64_t y)
{
    return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

int query_days_in_month(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 1970-01-01 to the first of a month. Years start in March here, so that the leap day is
 * the last of its year: 400 years are 146,097 days, and (153 m + 2) / 5 counts the days before
 * month m. */
static int64_t days_before(int64_t year, int month)
{
    int64_t y = year - (month <= 2);
    int64_t era = floor_div(y, 400), yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

int64_t query_civil_seconds(const query_civil *c)
{
    int64_t months = c->year * 12 + c->month - 1;
    int64_t year = floor_div(months, 12);
    int64_t days = days_before(year, (int)(months - year * 12) + 1) + c->day - 1;

    return ((days * 24 + c->hour) * 60 + c->minute) * 60 + c->second;
}

query_civil query_civil_of(int64_t utc_s)
{
    int64_t days = floor_div(utc_s, QUERY_DAY_S), in_day = utc_s - days * QUERY_DAY_S;
    int64_t z = days + 719468, era = floor_div(z, 146097), doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

    return (query_civil){
        .year = yoe + era * 400 + (mp >= 10),
        .month = (int)(mp < 10 ? mp + 3 : mp - 9),
        .day = (int)(doy - (153 * mp + 2) / 5) + 1,
        .hour = (int)(in_day / 3600),
        .minute = (int)(in_day / 60 % 60),
        .second = (int)(in_day % 60),
        .weekday = (int)((days % 7 + 11) % 7), /* 1970-01-01 was a Thursday */
    };
}

int32_t query_zone_offset(int64_t at_s)
{
    time_t t = (time_t)at_s;
    struct tm tm;

    return localtime_r(&t, &tm) ? (int32_t)tm.tm_gmtoff : 0;
}

int64_t query_zone_instant(const query_civil *c)
{
    int64_t u = query_civil_seconds(c);

    /* If u - offset(u) lies in the period of offset(u), the inner and outer offset are the same. */
    return u - query_zone_offset(u - query_zone_offset(u));
}

query_civil query_zone_civil(int64_t at_s, int32_t *offset_s)
{
    int64_t t = at_s < FIRST_S ? FIRST_S : at_s > LAST_S ? LAST_S : at_s;
    int32_t off = query_zone_offset(t);

    if (t + off < FIRST_S || t + off > LAST_S)
        off = 0;
    if (offset_s)
        *offset_s = off;
    return query_civil_of(t + off);
}
