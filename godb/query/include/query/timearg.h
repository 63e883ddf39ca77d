/* timearg.h - times as users write them, and how they are printed (spec query.md 4, 6). */
#ifndef QUERY_TIMEARG_H
#define QUERY_TIMEARG_H

#include "gp/bytes.h"
#include "gp/err.h"

#include <stdint.h>

#define QUERY_TIME_MAX                                                                             \
    INT64_C(9223371974719179007) /* largest supported time (API default `last`) */

/* Relative, epoch or one of the layouts of 4.1 in the zone of the process (TZ). now_s: injected
 * clock. GP_EINVAL with "invalid time format: ...". */
gp_status query_time_parse(const char *text, int64_t now_s, int64_t *out_s,
                           gp_err *err) GP_MUST_CHECK;

/* Default lower bounds on local wall time: one calendar month back (day overflow rolls over), or
 * one day back (4.3). */
int64_t query_time_month_before(int64_t now_s);
int64_t query_time_day_before(int64_t now_s);
/* Which of them a query type has, as it was typed: 1 = a day, if "time" or "raw" is in it (1.5). */
int query_time_is_day(const char *raw_query);

/* "" / "5m" -> 300; "auto" -> from the requested span; otherwise a multiple of 5 minutes (4.6). */
gp_status query_time_resolution(const char *text, int64_t first_s, int64_t last_s, int64_t *bin_s,
                                gp_err *err) GP_MUST_CHECK;

/* End of the bin of width bin_s that holds ts (4.6). */
int64_t query_time_bin(int64_t ts_s, int64_t bin_s);

/* "YYYY-MM-DD hh:mm:ss" in the local zone; buf >= 32 bytes. */
char *query_time_format_local(int64_t ts_s, char *buf, size_t cap);
/* RFC 3339 in the local zone ("Z" for UTC), ns with trailing zeros cut; buf >= 48 bytes. */
char *query_time_format_rfc3339(int64_t ts_s, uint32_t ns, char *buf, size_t cap);
/* "Www Mon _D hh:mm:ss YYYY" local; buf >= 32 bytes. */
char *query_time_format_ansic(int64_t ts_s, char *buf, size_t cap);
/* Parse RFC 3339 (as results carry it); 0 if malformed. */
int query_time_parse_rfc3339(const char *s, size_t len, int64_t *ts_s, uint32_t *ns);

#endif
