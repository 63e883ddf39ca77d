/* number.h - fast, printf-exact number texts: integers, two decimals, percentages. */
#ifndef RESULT_NUMBER_H
#define RESULT_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* Decimal digits of v at p (at most 20, no NUL); returns how many. */
size_t result_number_u64(char *p, uint64_t v);

/* v >= 0 and below 1e17 exactly as "%.2f" prints it (at most 21 characters, no NUL). */
size_t result_number_fixed2(char *p, double v);

/* 100 * part / total in floating point; 0 if total is 0 (5.6, U28). */
double result_number_percent(uint64_t part, uint64_t total);

/* a + b, stopping at the largest value. */
uint64_t result_number_add(uint64_t a, uint64_t b);

/* The formats of 6.2 without NUL, at most 26 characters; padded adds the blanks that take the
 * place of a unit. */
size_t result_number_count(char *p, uint64_t v);
size_t result_number_count_small(char *p, uint64_t v, int padded);
size_t result_number_size(char *p, uint64_t v);
size_t result_number_size_small(char *p, uint64_t v, int padded);

#endif
