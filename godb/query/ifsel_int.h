/* ifsel_int.h - what the statement's texts need of an interface selector. */
#ifndef QUERY_IFSEL_INT_H
#define QUERY_IFSEL_INT_H

#include "gp/bytes.h"
#include "query/ifsel.h"

/* The elements as given, each through put(), with sep between them; a pattern is one element. */
void query_ifsel_list(const query_ifsel *s, gp_buf *out, const char *sep,
                      void (*put)(gp_buf *, const char *));

/* Where the pattern, len bytes and a NUL or slash behind them, uses what PCRE2 has and RE2 has not
 * (look-around, references, verbs, possessive repetition, properties and escapes of Perl only), or
 * len. */
size_t query_re2_beyond(const char *p, size_t len);

#endif
