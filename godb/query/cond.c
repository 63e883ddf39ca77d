/* cond.c - conditions from text to tree: runs the stages and puts the outcome together. */
#include "cond_int.h"

#include "gp/mem.h"
#include "take.h"

#include <string.h>

enum { NODE_ARENA = 256 * 1024 * 1024 }; /* bytes of the final tree */

void query_cond_free(query_cond *c)
{
    if (!c)
        return;
    gp_arena_free(c->arena);
    gp_free(c->text);
    gp_free(c->statement_text);
    gp_free(c);
}

char *query_cond_sanitise(const char *text)
{
    query_tokens t = {0};
    gp_buf out = {0};

    gp_status st = query_tokens_scan(text, &t, NULL);
    if (st != GP_OK)
        return st == GP_EINVAL ? gp_strdup(text ? text : "") : NULL;
    query_tokens_join(&t, t.n, &out);
    query_tokens_clear(&t);
    return query_take(&out);
}

/* Result form: the tree with the direction filter where it was written. */
static char *result_text(const cond_ctx *c, const cond_node *n)
{
    gp_buf out = {0};
    const cond_node *f = c->filter;

    if (f && n)
        gp_buf_addc(&out, '(');
    if (n && (!f || c->filter_last))
        query_cond_print(n, &out);
    if (f && n && c->filter_last)
        gp_buf_adds(&out, " & ");
    if (f) {
        gp_buf_add(&out, f->name->s, f->name->len);
        gp_buf_adds(&out, " = ");
        gp_buf_add(&out, f->text, f->text_len);
    }
    if (f && n && !c->filter_last) {
        gp_buf_adds(&out, " & ");
        query_cond_print(n, &out);
    }
    if (f && n)
        gp_buf_addc(&out, ')');
    return query_take(&out);
}

/* All stages after the scanner. *q is cleared by the caller on failure. */
static gp_status run(cond_ctx *c, query_lookup lookup, void *lookup_ctx, int64_t timeout_ns,
                     query_cond *q)
{
    cond_node *norm = NULL;
    gp_buf stmt = {0};

    GP_TRY(query_cond_tree(c));
    GP_TRY(query_cond_split(c));
    GP_TRY(query_cond_values(c));
    GP_TRY(query_cond_resolve(c, lookup, lookup_ctx, timeout_ns));
    if (c->root) {
        GP_TRY(query_cond_normalise(c, &norm));
        GP_TRY(query_cond_balance(c, norm, q));
    }
    q->n_names = c->n_names;
    if (c->filter)
        q->dirfilter = query_cond_dirfilter(c->filter);
    query_tokens_join(&c->tokens, c->tokens.n, &stmt);
    q->statement_text = query_take(&stmt);
    q->text = result_text(c, norm);
    if (!q->statement_text || !q->text)
        return gp_fail(c->err, GP_ENOMEM, 0, "condition");
    return GP_OK;
}

/* The description of 3.10: caret display, or the one line that err has. NULL: out of memory. */
static char *describe(const query_caret *caret, const gp_err *err)
{
    gp_buf b = {0};

    if (!caret->text)
        return gp_strdup(err->msg);
    gp_buf_adds(&b, caret->text);
    gp_buf_addc(&b, '\n');
    gp_buf_fill(&b, ' ', caret->offset);
    gp_buf_adds(&b, "^\n");
    gp_buf_adds(&b, caret->what);
    return query_take(&b);
}

gp_status query_cond_parse(const char *text, query_lookup lookup, void *lookup_ctx,
                           int64_t lookup_timeout_ns, query_cond **out, query_caret *caret,
                           char **message, gp_err *err)
{
    query_caret at = {0};
    gp_err why = {0};
    cond_ctx c = {.caret = &at, .err = &why};
    query_cond *q = gp_calloc(1, sizeof *q);
    gp_status st = GP_ENOMEM;

    c.arena = gp_arena_new(QUERY_COND_ARENA);
    if (q)
        q->arena = gp_arena_new(NODE_ARENA);
    if (!c.arena || !q || !q->arena) {
        (void)gp_fail(&why, st, 0, "condition");
    } else {
        st = query_tokens_scan(text, &c.tokens, &why);
        if (st == GP_OK)
            st = run(&c, lookup, lookup_ctx, lookup_timeout_ns, q);
    }
    query_tokens_clear(&c.tokens);
    gp_arena_free(c.arena);
    if (st == GP_OK) {
        *out = q;
        return GP_OK;
    }
    query_cond_free(q);
    if (message)
        *message = describe(&at, &why);
    if (err)
        *err = why;
    if (caret)
        *caret = at;
    else
        query_caret_clear(&at);
    return st;
}
