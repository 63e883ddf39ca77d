/* cond_parse.c - grammar of conditions (spec 3.2): tokens to a tree, without recursion.
 *
 * One frame per open bracket; brackets cost no depth, so two thousand of them are fine. A chain of
 * & or | becomes one node with many children.
 */
#include "cond_int.h"

#include "gp/mem.h"
#include "limits.h"
#include "take.h"

#include <assert.h>

typedef struct list {
    cond_node *first, *last;
    unsigned n;
} list;

typedef struct frame {
    list ors;  /* finished operands of | */
    list ands; /* operands of the & chain being read */
    int neg;   /* a ! waits for the primitive that comes next */
} frame;

typedef struct parser {
    cond_ctx *c;
    size_t at; /* token looked at */
    frame *v;  /* open brackets, the text itself first */
    size_t n, cap;
    cond_node *last_cmp;
} parser;

static const struct {
    const char *name;
    cond_attr attr;
} ATTRS[] = {
    {"sip", COND_SIP},       {"src", COND_SIP},        {"dip", COND_DIP},     {"dst", COND_DIP},
    {"snet", COND_SNET},     {"dnet", COND_DNET},      {"dport", COND_DPORT}, {"port", COND_DPORT},
    {"proto", COND_PROTO},   {"protocol", COND_PROTO}, {"host", COND_HOST},   {"net", COND_NET},
    {"ipproto", COND_PROTO}, {"direction", COND_DIR},  {"dir", COND_DIR},
};

static const char ATTR[] = "expected attribute";
static const char CMP[] = "expected comparison operator";
static const char END[] = "unexpected end of input";
static const char PAREN[] = "expected \")\", but didn't get it";
static const char CONT[] = "input unexpectedly continues";

cond_node *query_cond_node(cond_ctx *c, cond_kind kind)
{
    cond_node *n = gp_arena_alloc(c->arena, 1, sizeof *n);

    if (n)
        n->kind = (uint8_t)kind;
    return n;
}

static gp_status no_memory(cond_ctx *c)
{
    return gp_fail(c->err, GP_ENOMEM, 0, "condition of %zu tokens", c->tokens.n);
}

gp_status query_cond_too_deep(cond_ctx *c)
{
    return gp_fail(c->err, GP_EINVAL, 0, "condition tree exceeds maximum nesting depth: %d",
                   QUERY_MAX_DEPTH);
}

/* Syntax error at token p->at, which may be one past the end. */
static gp_status syntax(parser *p, const char *what)
{
    const query_tokens *t = &p->c->tokens;
    query_caret *caret = p->c->caret;
    gp_buf text = {0}, before = {0};

    if (caret) {
        query_tokens_join(t, t->n, &text);
        query_tokens_join(t, p->at, &before);
        if (p->at)
            gp_buf_addc(&before, ' ');
        query_caret_clear(caret);
        *caret = (query_caret){.offset = 0,
                               .text = query_take(&text),
                               .what = gp_strdup(what),
                               .word = p->at < t->n ? gp_strndup(t->v[p->at].s, t->v[p->at].len)
                                                    : gp_strdup("")};
        for (size_t i = 0; i < before.len; i++) /* code points: all but continuation bytes */
            caret->offset += (before.data[i] & 0xC0) != 0x80;
    }
    gp_buf_free(&before);
    if (caret && (!caret->text || !caret->what || !caret->word)) {
        query_caret_clear(caret);
        return no_memory(p->c);
    }
    if (p->at >= t->n)
        return gp_fail(p->c->err, GP_EINVAL, 0, "%s at the end", what);
    unsigned len = t->v[p->at].len;
    return gp_fail(p->c->err, GP_EINVAL, 0, "%s at \"%.*s\"", what, (int)(len < 64 ? len : 64),
                   t->v[p->at].s);
}

static void list_add(list *l, cond_node *n)
{
    n->next = NULL;
    if (l->last)
        l->last->next = n;
    else
        l->first = n;
    l->last = n;
    l->n++;
}

static void adopt(cond_node *parent, const cond_node *child)
{
    parent->has_dir |= child->has_dir;
    if (child->height + 1 > parent->height)
        parent->height = child->height + 1;
}

void query_cond_append(cond_node *parent, cond_node *child)
{
    child->next = NULL;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    adopt(parent, child);
}

/* A last operand of the chain's own kind, a | (b | c), is the same as a | b | c: chains associate
 * to the right (spec 3.2). The others go in front of its operands, so that long chains in result
 * form, which is full of brackets, are neither deep nor slow. */
static cond_node *extend_last(list *l)
{
    cond_node *chain = l->last, *n = l->first;

    for (;; n = n->next) {
        adopt(chain, n);
        assert(n->next); /* the chain is the last of the list */
        if (n->next == chain)
            break;
    }
    n->next = chain->first;
    chain->first = l->first;
    chain->next = NULL;
    return chain;
}

/* The list as one node: itself when it has one member. NULL: out of memory. */
static cond_node *list_close(cond_ctx *c, list *l, cond_kind kind)
{
    cond_node *n = l->first;

    if (l->n > 1 && l->last->kind == kind) {
        n = extend_last(l);
    } else if (l->n > 1) {
        cond_node *chain = query_cond_node(c, kind);
        if (!chain)
            return NULL;
        for (cond_node *next; n; n = next) {
            next = n->next;
            query_cond_append(chain, n);
        }
        n = chain;
    }
    *l = (list){0};
    return n;
}

/* A bracket or a comparison is complete: negate it if asked and append it to the & chain. */
static gp_status add_primary(parser *p, cond_node *n)
{
    frame *f = &p->v[p->n - 1];

    if (f->neg) {
        cond_node *neg = query_cond_node(p->c, COND_NOT);
        if (!neg)
            return no_memory(p->c);
        query_cond_append(neg, n);
        n = neg;
        f->neg = 0;
    }
    list_add(&f->ands, n);
    return GP_OK;
}

static gp_status end_and(parser *p)
{
    frame *f = &p->v[p->n - 1];
    cond_node *n = list_close(p->c, &f->ands, COND_AND);

    if (!n)
        return no_memory(p->c);
    list_add(&f->ors, n);
    return GP_OK;
}

static gp_status open_frame(parser *p)
{
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 16;
        frame *v = gp_realloc(p->v, cap, sizeof *v);
        if (!v)
            return no_memory(p->c);
        p->v = v;
        p->cap = cap;
    }
    p->v[p->n++] = (frame){0};
    return GP_OK;
}

/* End of a bracket or of the text: *out is its node. */
static gp_status close_frame(parser *p, cond_node **out)
{
    GP_TRY(end_and(p));
    *out = list_close(p->c, &p->v[p->n - 1].ors, COND_OR);
    p->n--;
    return *out ? GP_OK : no_memory(p->c);
}

/* attribute operator value */
static gp_status comparison(parser *p)
{
    cond_ctx *c = p->c;
    const query_token *t = c->tokens.v + p->at;
    size_t left = c->tokens.n - p->at, a = 0;

    while (left && a < GP_COUNT(ATTRS) && !query_token_is(t, ATTRS[a].name))
        a++;
    if (!left || a == GP_COUNT(ATTRS))
        return syntax(p, ATTR);
    p->at++;
    if (left < 2 || t[1].kind < QUERY_TOK_EQ)
        return syntax(p, CMP);
    p->at++;
    if (left < 3)
        return syntax(p, END);
    p->at++;

    cond_node *n = query_cond_node(c, COND_CMP);
    if (!n)
        return no_memory(c);
    n->attr = (uint8_t)ATTRS[a].attr;
    n->op = (uint8_t)(t[1].kind - QUERY_TOK_EQ);
    n->name = t;
    n->text = t[2].s;
    n->text_len = t[2].len;
    n->has_dir = n->attr == COND_DIR;
    if (p->last_cmp)
        p->last_cmp->next_cmp = n;
    else
        c->first_cmp = n;
    p->last_cmp = n;
    return add_primary(p, n);
}

/* Everything up to and including one comparison: brackets, negations. */
static gp_status primary(parser *p)
{
    for (;;) {
        int kind = p->at < p->c->tokens.n ? p->c->tokens.v[p->at].kind : -1;
        assert(p->n > 0); /* the text itself is a frame */
        frame *f = &p->v[p->n - 1];
        if (kind == QUERY_TOK_NOT && !f->neg)
            f->neg = 1;
        else if (kind == QUERY_TOK_OPEN)
            GP_TRY(open_frame(p));
        else
            return comparison(p);
        p->at++;
    }
}

/* After a primary: closing brackets, then an operator (*more = 1) or the end of the text. */
static gp_status after(parser *p, int *more)
{
    const query_tokens *t = &p->c->tokens;

    for (; p->at < t->n; p->at++) {
        int kind = t->v[p->at].kind;
        if (kind == QUERY_TOK_CLOSE && p->n > 1) {
            cond_node *n;
            GP_TRY(close_frame(p, &n));
            GP_TRY(add_primary(p, n));
            continue;
        }
        if (kind != QUERY_TOK_AND && kind != QUERY_TOK_OR)
            return syntax(p, p->n > 1 ? PAREN : CONT);
        if (kind == QUERY_TOK_OR)
            GP_TRY(end_and(p));
        p->at++;
        *more = 1;
        return GP_OK;
    }
    *more = 0;
    return p->n > 1 ? syntax(p, PAREN) : GP_OK;
}

static gp_status parse(parser *p)
{
    int more = 1;

    GP_TRY(open_frame(p));
    while (more) {
        GP_TRY(primary(p));
        GP_TRY(after(p, &more));
    }
    return close_frame(p, &p->c->root);
}

gp_status query_cond_tree(cond_ctx *c)
{
    parser p = {.c = c};

    if (c->tokens.n == 0)
        return GP_OK;
    gp_status st = parse(&p);
    gp_free(p.v);
    if (st == GP_OK && c->root->height > QUERY_MAX_DEPTH)
        return query_cond_too_deep(c); /* from here on recursion over the tree is bounded */
    return st;
}
