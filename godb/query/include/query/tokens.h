/* tokens.h - conditions as tokens in their base spelling (spec query.md 3.1, 3.2). */
#ifndef QUERY_TOKENS_H
#define QUERY_TOKENS_H

#include "gp/bytes.h"
#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>

typedef enum query_token_kind {
    QUERY_TOK_WORD,
    QUERY_TOK_OPEN,  /* ( */
    QUERY_TOK_CLOSE, /* ) */
    QUERY_TOK_AND,   /* & */
    QUERY_TOK_OR,    /* | */
    QUERY_TOK_NOT,   /* ! */
    QUERY_TOK_EQ,    /* the six comparisons, in the order of query_op */
    QUERY_TOK_NE,
    QUERY_TOK_LT,
    QUERY_TOK_LE,
    QUERY_TOK_GT,
    QUERY_TOK_GE,
} query_token_kind;

typedef struct query_token {
    const char *s; /* base spelling, lower case, not NUL-terminated; lives as long as the list */
    uint32_t len;  /* bytes */
    uint8_t kind;  /* query_token_kind */
} query_token;

/* Zero-initialise. One thread. */
typedef struct query_tokens {
    query_token *v;
    size_t n;
    size_t cap;
    char *text;        /* lower-cased input, owned; words point into it */
    int ends_in_space; /* the input goes on behind the last token (completion wants to know) */
} query_tokens;

/* Scan a condition; any text gives tokens. GP_EINVAL for a word or a text that is too long.
 *
 * Alternative spellings are replaced only where an operator can stand: `and` is an operator between
 * two comparisons, yet a value may be called `l` or `tp++`. This accepts all the reference accepts
 * with the same meaning, and what it gets wrong (U21, U22). */
gp_status query_tokens_scan(const char *text, query_tokens *out, gp_err *err) GP_MUST_CHECK;
void query_tokens_clear(query_tokens *t);

/* Append the first n tokens joined by single blanks. */
void query_tokens_join(const query_tokens *t, size_t n, gp_buf *out);

/* Is the token this text? */
int query_token_is(const query_token *t, const char *text);

#endif
