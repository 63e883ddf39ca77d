/* rows.h - result rows for benchmarks: Zipf-like, a fifth IPv6, log-uniform counters. */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include "result/result.h"

/* Fill *out (zeroed; the caller clears it) with n rows of one host and three interfaces.
 * attrs: 1 sip; 2 sip,dip; 4 sip,dip,dport,proto. The same sequence in every run. GP_ENOMEM. */
gp_status bench_rows(size_t n, int attrs, result *out, gp_err *err) GP_MUST_CHECK;

#endif
