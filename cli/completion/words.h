/* words.h - the typed line as words, by rules of its own (query.md 8.1). */
#ifndef COMPLETION_WORDS_H
#define COMPLETION_WORDS_H

#include "gp/arena.h"
#include "gp/err.h"

#include <stddef.h>

typedef struct line_words {
    char **v;  /* in the arena; the last one is what is being typed, perhaps "" */
    size_t n;  /* at least 1 */
    int weird; /* the last character closed a quote: nothing can be completed there */
} line_words;

/* Split len bytes of line. Deliberately not what a shell does: see query.md 8.1. GP_ENOMEM. */
gp_status words_split(const char *line, size_t len, gp_arena *arena, line_words *out,
                      gp_err *err) GP_MUST_CHECK;

#endif
