/* words.c - split a command line up to the cursor into words (query.md 8.1). */
#include "words.h"

#include <string.h>

typedef enum mode { NORMAL, DOUBLE, SINGLE } mode;

/* Words are written one after the other into one buffer: each takes at most the bytes it has on the
 * line plus its NUL, and ends at a blank or quote that pays for the NUL. */
typedef struct split {
    line_words *out;
    char *at;   /* end of the word being read */
    char *word; /* its start */
} split;

static void end_word(split *s)
{
    *s->at++ = '\0';
    s->out->v[s->out->n++] = s->word;
    s->word = s->at;
}

static mode normal(split *s, const char *line, size_t len, size_t *i)
{
    int empty = s->at == s->word;
    switch (line[*i]) {
    case ' ':
        if (!empty)
            end_word(s);
        return NORMAL;
    case '"':
    case '\'':
        if (!empty)
            end_word(s);
        return line[*i] == '"' ? DOUBLE : SINGLE;
    case '\\':
        if (*i + 1 < len)
            *s->at++ = line[++*i];
        return NORMAL;
    default:
        *s->at++ = line[*i];
        return NORMAL;
    }
}

static mode quoted(split *s, mode m, const char *line, size_t len, size_t *i)
{
    char c = line[*i];
    if (c == (m == DOUBLE ? '"' : '\'')) {
        end_word(s); /* even if it is empty */
        s->out->weird = *i + 1 == len;
        return NORMAL;
    }
    if (m == DOUBLE && c == '\\' && *i + 1 < len && strchr("\\\"", line[*i + 1]))
        c = line[++*i];
    *s->at++ = c;
    return m;
}

gp_status words_split(const char *line, size_t len, gp_arena *arena, line_words *out, gp_err *err)
{
    mode m = NORMAL;
    *out = (line_words){.v = gp_arena_alloc(arena, len + 2, sizeof *out->v)};
    split s = {.out = out, .at = gp_arena_alloc(arena, 2 * len + 2, 1)};
    if (!out->v || !s.at)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    s.word = s.at;
    for (size_t i = 0; i < len; i++)
        m = m == NORMAL ? normal(&s, line, len, &i) : quoted(&s, m, line, len, &i);
    end_word(&s);
    return GP_OK;
}
