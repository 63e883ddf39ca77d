/* lookup_int.h - what forward and reverse lookups share; servers of one's own, for tests. */
#ifndef QUERY_LOOKUP_INT_H
#define QUERY_LOOKUP_INT_H

#include "gp/clock.h"
#include "query/cond.h"
#include "query/reverse.h"

#include <ares.h>

/* As query_lookup_system(); servers: "127.0.0.1:5353" instead of those of the system, NULL = those.
 */
gp_status query_lookup_at(const char *servers, const char *const *names, size_t n,
                          int64_t timeout_ns, query_addrs *out, gp_err *err) GP_MUST_CHECK;

/* As query_reverse_system(). */
gp_status query_reverse_at(const char *servers, const gp_addr *addrs, size_t n, int64_t timeout_ns,
                           char **names, gp_err *err) GP_MUST_CHECK;

/* A channel for one batch; ares_destroy() it. timeout_ms: of the whole batch. */
gp_status query_channel_open(const char *servers, int64_t timeout_ms, ares_channel *ch,
                             gp_err *err) GP_MUST_CHECK;
/* Let the channel work until *open is 0 (callbacks count it down) or the deadline passes. */
gp_status query_channel_run(ares_channel ch, const size_t *open,
                            gp_deadline deadline) GP_MUST_CHECK;

#endif
