/* lookup_int.h - name lookup with servers of one's own, for tests. */
#ifndef QUERY_LOOKUP_INT_H
#define QUERY_LOOKUP_INT_H

#include "query/cond.h"

/* As query_lookup_system(); servers: "127.0.0.1:5353" instead of those of the system, NULL = those.
 */
gp_status query_lookup_at(const char *servers, const char *const *names, size_t n,
                          int64_t timeout_ns, query_addrs *out, gp_err *err) GP_MUST_CHECK;

#endif
