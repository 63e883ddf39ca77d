/* cond.c - conditions: what may come next, token by token (query.md 8.4). */
#include "completion.h"
#include "cond_state.h"
#include "gp/ipproto.h"
#include "query/suggest.h"
#include "query/tokens.h"

#include <ctype.h>
#include <string.h>

#define MORE                                                                                       \
    " ...  " /* behind what cannot be the end; blanks keep the shell from closing a quote */

/* A token that the condition cannot end with. */
static void offer_more(step_items *out, const char *token)
{
    static const char more[] = MORE;
    size_t len = strlen(token);
    char *display = gp_arena_alloc(out->arena, len + sizeof more, 1);
    if (!display) {
        out->failed = 1;
        return;
    }
    memcpy(display, token, len);
    memcpy(display + len, more, sizeof more);
    step_offer(out, token, display, 0);
}

static void offer_list(step_items *out, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        offer_more(out, words[i]);
}

/* Where a comparison, a bracket or a negation may stand. */
static void offer_starts(step_items *out, int negated, int filter)
{
    static const char *const starts[] = {"(",   "dip",  "sip", "dnet",  "snet", "dst",
                                         "src", "host", "net", "dport", "port", "proto"};
    static const char *const filters[] = {"dir", "direction"};
    if (!negated)
        offer_more(out, "!");
    offer_list(out, starts, sizeof starts / sizeof *starts);
    if (filter && !negated)
        offer_list(out, filters, 2);
}

static void offer_comparators(step_items *out, const char *attr)
{
    static const char *const all[] = {"=", "!=", "<", ">", "<=", ">="};
    static const char *const addresses[] = {"sip", "dip", "snet", "dnet",
                                            "src", "dst", "host", "net"};
    if (cond_is_filter(attr))
        offer_list(out, all, 1);
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
        if (strcmp(attr, addresses[i]) == 0)
            offer_list(out, all, 2);
    if (cond_is_protocol(attr) || strcmp(attr, "dport") == 0 || strcmp(attr, "port") == 0)
        offer_list(out, all, 6);
}

static void offer_protocols(step_items *out, int acceptable)
{
    for (unsigned p = 0; p < 256; p++) {
        const char *name = gp_ipproto_name((uint8_t)p);
        char *lower = name ? gp_arena_alloc(out->arena, strlen(name) + 1, 1) : NULL;
        if (!name)
            continue;
        if (!lower) {
            out->failed = 1;
            return;
        }
        for (size_t i = 0; name[i]; i++)
            lower[i] = (char)tolower((unsigned char)name[i]);
        if (acceptable)
            step_offer(out, lower, NULL, 1);
        else
            offer_more(out, lower);
    }
}

/* Behind the comparator of attr. */
static void offer_values(step_items *out, const char *attr, const cond_state *s)
{
    size_t n;
    if (cond_is_protocol(attr)) {
        offer_protocols(out, s->open == 0);
    } else if (cond_is_filter(attr)) {
        const char *const *values = query_dir_values(&n);
        for (size_t i = 0; i < n; i++)
            step_offer(out, values[i], NULL, 1);
    } else {
        out->unknown = 1;
    }
}

/* Behind a complete operand. */
static void offer_operators(step_items *out, const cond_state *s)
{
    if (s->open || !s->filters || s->ops == 0)
        offer_more(out, "&");
    if (s->open || !s->filters)
        offer_more(out, "|");
    if (s->open == 1)
        step_offer(out, ")", NULL, 1);
    else if (s->open)
        offer_more(out, ")");
}

static void suggest(void *ctx, const step_text *t, step_items *out)
{
    const char *const *token = t->token;
    size_t n = t->n - 1; /* tokens before the one that is being typed */
    cond_state s = cond_scan(token, n);
    (void)ctx;
    if (cond_is_hopeless(&s)) {
        out->unknown = 1;
        return;
    }
    if (cond_is_finished(token, n))
        return;
    const char *prev = n ? token[n - 1] : "";
    if (n == 0) {
        offer_starts(out, 0, 1);
    } else if (cond_is_value(token, n - 1) || strcmp(prev, ")") == 0) {
        offer_operators(out, &s);
    } else if (strcmp(prev, "(") == 0 || strcmp(prev, "|") == 0) {
        offer_starts(out, 0, 0);
    } else if (strcmp(prev, "&") == 0) {
        offer_starts(out, 0, s.open == 0 && s.ops == 1 && s.filters == 0);
    } else if (strcmp(prev, "!") == 0) {
        offer_starts(out, 1, 0);
    } else if (cond_is_comparator(prev)) {
        offer_values(out, n > 1 ? token[n - 2] : "", &s);
    } else {
        offer_comparators(out, prev);
    }
}

/* NUL-terminated copies of the tokens, and "" where something new begins. */
static gp_status make_text(const query_tokens *tokens, gp_arena *arena, step_text *t, gp_err *err)
{
    *t = (step_text){.token = gp_arena_alloc(arena, STEP_MAX_TOKENS, sizeof *t->token)};
    if (!t->token)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    if (tokens->n + 2 > STEP_MAX_TOKENS)
        return gp_fail(err, GP_ELIMIT, 0, "condition too long");
    for (size_t i = 0; i < tokens->n; i++) {
        const query_token *k = &tokens->v[i];
        char *copy = gp_arena_alloc(arena, (size_t)k->len + 1, 1);
        if (!copy)
            return gp_fail(err, GP_ENOMEM, 0, "out of memory");
        memcpy(copy, k->s, k->len);
        t->token[t->n++] = copy;
    }
    if (t->n == 0 || tokens->ends_in_space)
        t->token[t->n++] = "";
    return GP_OK;
}

gp_status complete_cond(const char *text, gp_arena *arena, gp_buf *out, gp_err *err)
{
    query_tokens tokens = {0};
    step_text t;
    gp_status st = query_tokens_scan(text, &tokens, err);
    if (st == GP_OK)
        st = make_text(&tokens, arena, &t, err);
    query_tokens_clear(&tokens);
    if (st != GP_OK)
        return st;
    if (cond_is_finished(t.token, t.n - (t.token[t.n - 1][0] == '\0'))) {
        gp_buf_addc(out, '\n');
        return GP_OK;
    }
    return step_complete(&t, " ", suggest, NULL, arena, out, err);
}
