/* utf8.h - the little this room needs of Unicode: decode, white space, lower case. */
#ifndef QUERY_UTF8_H
#define QUERY_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Code point at p (NUL-terminated text, *p != 0) and its length in bytes. A malformed byte counts
 * as one code point 0xFFFD of one byte, so every text is walked to its end. */
uint32_t query_utf8_next(const char *p, size_t *n);

/* Code points in the first len bytes. */
size_t query_utf8_len(const char *s, size_t len);

/* White space as Unicode's White_Space property has it. */
int query_utf8_is_space(uint32_t cp);

/* Lower-case s in place: ASCII, Latin, Greek, Cyrillic and Armenian; the text never grows. */
void query_utf8_lower(char *s);

/* Write cp at out (1 to 4 bytes); returns the length. */
size_t query_utf8_put(uint32_t cp, char *out);

#endif
