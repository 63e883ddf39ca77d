/* suffix.h - names of day directories: day number and base-62 totals (godb-format.md 1.4 to 1.6).
 */
#ifndef GODB_STORE_SUFFIX_H
#define GODB_STORE_SUFFIX_H

#include "godb/columns.h"
#include "limits.h"

/* Base 62, least significant digit first. Writes at most 11 characters, no NUL; returns how many.
 */
size_t godb_base62_put(uint64_t v, char *out);
/* Strict: 1..11 characters of the alphabet, below 2^64. False: *v untouched. */
int godb_base62_get(const char *s, size_t len, uint64_t *v);

/* The seven totals, without the underscore; strict. False: *t untouched. */
int godb_suffix_get(const char *s, size_t len, godb_totals *t);

/* "<day>" or, with t, "<day>_<suffix>"; returns the length. */
size_t godb_dayname_format(int64_t day_s, const godb_totals *t, char out[GODB_DAYNAME_CAP]);

typedef struct godb_dayname {
    int64_t day_s;
    int has_totals; /* 0: no suffix, or one that does not decode strictly */
    godb_totals totals;
} godb_dayname;

/* A name in a month directory. False when it is not the name of a day (not decimal, not a multiple
 * of 86400, or the backup of a running merge, 7.2). Untrusted input. */
int godb_dayname_parse(const char *name, godb_dayname *out);

/* 1 if name is a backup that a merge left or is about to remove. */
int godb_dayname_is_backup(const char *name);

#endif
