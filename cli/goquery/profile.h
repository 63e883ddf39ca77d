/* profile.h - figures about one run for --profiling.output-dir (query.md 2.3). */
#ifndef GOQUERY_PROFILE_H
#define GOQUERY_PROFILE_H

#include "gp/err.h"

#include <stdint.h>

/* Make the directory (mode 0750). */
gp_status goquery_profile_start(const char *dir, gp_err *err) GP_MUST_CHECK;
/* Write goquery_cpu_profile.pprof and goquery_mem_profile.pprof: what the kernel counted for this
 * process, as "name value unit" lines. */
gp_status goquery_profile_end(const char *dir, int64_t wall_ns, gp_err *err) GP_MUST_CHECK;

#endif
