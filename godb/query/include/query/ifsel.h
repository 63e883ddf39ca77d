/* ifsel.h - interface selectors: lists, any, !name, /pattern/ (spec query.md 5.1). */
#ifndef QUERY_IFSEL_H
#define QUERY_IFSEL_H

#include "gp/err.h"

#include <stddef.h>

/* Read-only after parsing (matching uses its own scratch per call). */
typedef struct query_ifsel query_ifsel;

/* Parse. GP_EINVAL with the text of 5.1. A regular expression is PCRE2 with match limits. */
gp_status query_ifsel_parse(const char *text, query_ifsel **out, gp_err *err) GP_MUST_CHECK;
void query_ifsel_free(query_ifsel *s);

int query_ifsel_is_regex(const query_ifsel *s);
int query_ifsel_is_any(const query_ifsel *s); /* an "any" element in any case */
size_t query_ifsel_n_positive(const query_ifsel *s);

/* 1 if the selector takes this interface. */
int query_ifsel_match(const query_ifsel *s, const char *iface);

/* From all (names in byte order) those selected, in byte order, without duplicates. *out: array of
 * n pointers into all, free with gp_free(). n = 0 is not an error here. */
gp_status query_ifsel_select(const query_ifsel *s, char *const *all, size_t n_all,
                             const char ***out, size_t *n, gp_err *err) GP_MUST_CHECK;

#endif
