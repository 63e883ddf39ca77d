/* timezone.h - civil dates and the local zone of the process. */
#ifndef QUERY_TIMEZONE_H
#define QUERY_TIMEZONE_H

#include <stdint.h>

enum { QUERY_DAY_S = 86400 };

/* Wall clock time; only ever holds dates of the proleptic Gregorian calendar. */
typedef struct query_civil {
    int64_t year;
    int month, day, hour, minute, second; /* 1.., 1.., 0.. */
    int weekday;                          /* 0 = Sunday; filled by query_civil_of() only */
} query_civil;

int query_days_in_month(int64_t year, int month);

/* Read as UTC. year within +-10^9; other members may be out of range and roll over. */
int64_t query_civil_seconds(const query_civil *c);
query_civil query_civil_of(int64_t utc_s);

/* Seconds east of UTC at that instant in the local zone; 0 beyond what the C library can tell. Does
 * not look whether TZ has changed since the last tzset(): that would cost a stat() a row. */
int32_t query_zone_offset(int64_t at_s);

/* Wall time in the local zone to an instant, by the rule of spec 4.1 around clock changes. */
int64_t query_zone_instant(const query_civil *c);

/* Wall time in the local zone, clamped to the years 0 to 9999; *offset_s (may be NULL) as above. */
query_civil query_zone_civil(int64_t at_s, int32_t *offset_s);

#endif
