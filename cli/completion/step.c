/* step.c - from suggestions for the last token to candidate lines (query.md 8.4). */
#include "step.h"

#include <string.h>

enum { MAX_ROUNDS = 64 };

void step_offer(step_items *s, const char *token, const char *display, int acceptable)
{
    if (s->failed || strncmp(token, s->prefix, strlen(s->prefix)) != 0)
        return;
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 64;
        step_item *v = gp_arena_alloc(s->arena, cap, sizeof *v);
        if (!v) {
            s->failed = 1;
            return;
        }
        if (s->n)
            memcpy(v, s->v, s->n * sizeof *v);
        s->v = v;
        s->cap = cap;
    }
    s->v[s->n++] = (step_item){token, display ? display : token, acceptable};
}

/* All tokens, the last one replaced. */
static void put_joined(const step_text *t, const char *separator, const char *last, gp_buf *out)
{
    for (size_t i = 0; i + 1 < t->n; i++) {
        gp_buf_adds(out, t->token[i]);
        gp_buf_adds(out, separator);
    }
    gp_buf_adds(out, last);
}

static void put_several(const step_text *t, const char *separator, const step_items *s, gp_buf *out)
{
    for (size_t i = 0; i < s->n; i++) {
        put_joined(t, separator, s->v[i].display, out);
        gp_buf_adds(out, s->v[i].acceptable ? "\n" : " \n");
    }
}

gp_status step_complete(step_text *t, const char *separator, step_suggest suggest, void *ctx,
                        gp_arena *arena, gp_buf *out, gp_err *err)
{
    for (int round = 0; round < MAX_ROUNDS; round++) {
        step_items s = {.arena = arena, .prefix = t->token[t->n - 1]};
        suggest(ctx, t, &s);
        if (s.failed)
            return gp_fail(err, GP_ENOMEM, 0, "out of memory");
        if (s.unknown) {
            put_joined(t, separator, t->token[t->n - 1], out);
            gp_buf_adds(out, "\n (I can't help you)\n");
            return GP_OK;
        }
        if (s.n != 1) {
            put_several(t, separator, &s, out);
            return GP_OK;
        }
        t->token[t->n - 1] = s.v[0].token;
        if (s.v[0].acceptable) {
            put_joined(t, separator, s.v[0].token, out);
            gp_buf_addc(out, '\n');
        }
        if (t->n == STEP_MAX_TOKENS)
            return GP_OK;
        t->token[t->n++] = "";
    }
    return GP_OK;
}
