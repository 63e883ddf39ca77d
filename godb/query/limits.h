/* limits.h - every bound this room puts on text from outside, in one place. */
#ifndef QUERY_LIMITS_H
#define QUERY_LIMITS_H

enum {
    QUERY_MAX_TEXT = 64 * 1024,       /* bytes of a query type, an interface argument, a time */
    QUERY_MAX_COND = 1024 * 1024,     /* bytes of a condition */
    QUERY_MAX_WORD = 64 * 1024,       /* bytes of one word in a condition (spec 3.2) */
    QUERY_MAX_DEPTH = 512,            /* nesting of &, | and ! in a condition (spec 3.7, U26) */
    QUERY_MAX_NAMES = 1024,           /* distinct host names in a condition */
    QUERY_MAX_ADDRS = 256,            /* addresses taken of one name */
    QUERY_MAX_NAME_LEN = 253,         /* bytes of a host name (RFC 1035 2.3.4) */
    QUERY_MAX_REGEX = 1024,           /* bytes of an interface pattern */
    QUERY_REGEX_MATCH = 100000,       /* PCRE2 match limit: calls of match() per name */
    QUERY_REGEX_DEPTH = 1000,         /* PCRE2 depth limit: nested backtracking points */
    QUERY_REGEX_HEAP_KIB = 1024,      /* PCRE2 heap limit per match */
    QUERY_REGEX_NEST = 100,           /* nested parentheses in a pattern */
    QUERY_MAX_JSON = 4 * 1024 * 1024, /* bytes of an arguments object */
};

#endif
