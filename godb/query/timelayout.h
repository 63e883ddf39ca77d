/* timelayout.h - absolute times in one of the accepted layouts (spec 4.1, item 3). */
#ifndef QUERY_TIMELAYOUT_H
#define QUERY_TIMELAYOUT_H

#include <stddef.h>
#include <stdint.h>

/* 1 and *out_s if some layout fits the whole text. Texts without zone are read in the local zone.
 */
int query_layout_parse(const char *text, int64_t *out_s);

/* RFC 3339 only; *ns: the fraction, cut to nanoseconds. */
int query_layout_rfc3339(const char *text, int64_t *out_s, uint32_t *ns);

#endif
