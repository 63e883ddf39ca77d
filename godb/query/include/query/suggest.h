/* suggest.h - "did you mean": the known word nearest to a mistyped one. */
#ifndef QUERY_SUGGEST_H
#define QUERY_SUGGEST_H

#include <stddef.h>

/* The candidate nearest to word (case ignored; insert, delete, replace and swap of neighbours cost
 * 1), or NULL when none is near enough: at most a third of the longer length, at least one edit.
 * Words over 64 bytes get none. Ties: the first candidate. Borrowed from candidates. */
const char *query_suggest(const char *word, const char *const *candidates, size_t n);

/* Static lists of what may be written. Never empty. */
const char *const *query_field_names(size_t *n);     /* elements of a query type (1.1) */
const char *const *query_cond_attr_names(size_t *n); /* attributes of conditions (3.2) */
const char *const *query_dir_values(size_t *n);      /* direction filter values (3.4) */
const char *const *query_format_names(size_t *n);    /* output formats, sorted */
const char *const *query_sort_names(size_t *n);      /* sort keys, sorted */

#endif
