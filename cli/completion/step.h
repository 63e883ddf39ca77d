/* step.h - the generic completion step for texts made of tokens (query.md 8.4). */
#ifndef COMPLETION_STEP_H
#define COMPLETION_STEP_H

#include "gp/arena.h"
#include "gp/bytes.h"
#include "gp/err.h"

#include <stddef.h>

enum { STEP_MAX_TOKENS = 4096 };

/* What may stand for the last token. */
typedef struct step_item {
    const char *token;
    const char *display; /* what is shown while several are possible */
    int acceptable;      /* the text may end with it */
} step_item;

/* Suggestions, filled by step_suggest functions. Borrowed texts. */
typedef struct step_items {
    gp_arena *arena;
    const char *prefix; /* only tokens that start with it are taken */
    step_item *v;
    size_t n, cap;
    int unknown; /* something may stand there, but nobody knows what */
    int failed;  /* out of memory */
} step_items;

/* Add a suggestion if it starts with the prefix. display NULL: the token. */
void step_offer(step_items *s, const char *token, const char *display, int acceptable);

typedef struct step_text {
    const char **token; /* the last one is being typed */
    size_t n;           /* at least 1 */
} step_text;

/* Offer what may stand in place of the last token of t. */
typedef void (*step_suggest)(void *ctx, const step_text *t, step_items *out);

/* Append candidate lines to out. t->token has room for STEP_MAX_TOKENS; it is changed. */
gp_status step_complete(step_text *t, const char *separator, step_suggest suggest, void *ctx,
                        gp_arena *arena, gp_buf *out, gp_err *err) GP_MUST_CHECK;

#endif
