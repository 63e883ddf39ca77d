/* names.h - host names for the addresses of a result (query.md 5.9). */
#ifndef GOQUERY_NAMES_H
#define GOQUERY_NAMES_H

#include "query/stmt.h"
#include "result/result.h"

/* Read-only after making. */
typedef struct goquery_names goquery_names;

/* Look up the queried addresses of the first dns_max_rows rows, once each, within dns_timeout_ns.
 * NULL (no names) is not an error. */
gp_status goquery_names_new(const result *r, const query_stmt *s, goquery_names **out,
                            gp_err *err) GP_MUST_CHECK;
void goquery_names_free(goquery_names *n);

/* For result_print_opts.resolve; ctx is the goquery_names. */
const char *goquery_names_get(void *ctx, const gp_addr *a);

#endif
