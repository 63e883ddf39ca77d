/* num.h - text to numbers, strictly: the whole text must be the number. */
#ifndef GP_NUM_H
#define GP_NUM_H

#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>

/* Decimal digits only, no sign, no blanks, leading zeros fine. len bytes of s.
 * False on empty text, other characters or a value above max; *out is then untouched. */
int gp_num_u64(const char *s, size_t len, uint64_t max, uint64_t *out);

/* Optional sign ('+' or '-'), then decimal digits; must fit int64_t. */
int gp_num_i64(const char *s, size_t len, int64_t *out);

/* Integer as Go's flag parsers read it: optional sign, 0x / 0o / 0 / 0b prefixes, '_' between
 * digits (spec query.md 2.2). */
int gp_num_i64_prefixed(const char *s, size_t len, int64_t *out);

/* Decimal floating point without locale, for limits such as 2.5; finite values only. */
int gp_num_f64(const char *s, size_t len, double *out);

/* Duration grammar of query.md 4.5 ("1h30m", "1.5s", "0"), result in ns. */
int gp_num_duration_ns(const char *s, size_t len, int64_t *out_ns);

/* Size with optional unit B, k/K, M, G, T (powers of 1024, also written "MB" or "MiB"; "64M",
 * "1.5G"), result in bytes; a fraction needs a unit above B, parts of a byte are dropped. */
int gp_num_bytes(const char *s, size_t len, uint64_t *out);

/* Print ns in Go's duration form ("1m30s", "1.235s", "0s", "5m0s", "1.5ms"), exactly: round before
 * if fewer digits are wanted. Into buf (>= 32 bytes); returns buf. */
char *gp_num_duration_str(int64_t ns, char *buf, size_t cap);

/* Lower-case hex of n bytes into out (2 n + 1 bytes, NUL-terminated). */
void gp_hex(const void *bytes, size_t n, char *out);
/* Hex text (any case) of exactly 2 n digits to n bytes; false if malformed. */
int gp_unhex(const char *s, size_t len, void *out, size_t n);

#endif
