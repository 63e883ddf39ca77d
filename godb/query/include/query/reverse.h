/* reverse.h - addresses to host names, for output (spec query.md 5.9). */
#ifndef QUERY_REVERSE_H
#define QUERY_REVERSE_H

#include "gp/addr.h"
#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>

enum { QUERY_MAX_REVERSE = 65536 }; /* addresses a call */

/* Look n addresses up in the hosts file and DNS, all in parallel, with one limit for the batch.
 * names: n entries, zeroed by the caller; names[i] is set (gp_free() it) to the first name of
 * addrs[i], with its closing dot, when it came in time; failures leave NULL and are no error.
 * GP_EINVAL above QUERY_MAX_REVERSE, GP_EIO, GP_ENOMEM. Any thread; makes none. */
gp_status query_reverse_system(const gp_addr *addrs, size_t n, int64_t timeout_ns, char **names,
                               gp_err *err) GP_MUST_CHECK;

#endif
