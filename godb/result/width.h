/* width.h - UTF-8 texts on a terminal: columns they take, and what must not reach it. */
#ifndef RESULT_WIDTH_H
#define RESULT_WIDTH_H

#include <stddef.h>
#include <stdint.h>

#define WIDTH_BAD UINT32_MAX /* a byte that is not UTF-8 */

/* Code point at p (NUL-terminated, *p != 0) and its bytes; WIDTH_BAD and 1 for a malformed byte. */
uint32_t result_width_next(const char *p, size_t *n);

/* Columns of the first len bytes: 2 for wide East Asian characters and emoji, 0 for combining
 * marks, 1 for all others. */
size_t result_width_columns(const char *s, size_t len);

/* Copy s so that it cannot control a terminal: control characters (C0, DEL, C1), bidirectional
 * overrides and malformed bytes become '?'. Writes at most cap bytes with NUL, cut at a character;
 * returns the length. */
size_t result_width_clean(const char *s, char *out, size_t cap);

#endif
