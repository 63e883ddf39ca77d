/* tokens.c - scanner of conditions; it knows where an operator may stand. */
#include "query/tokens.h"

#include "gp/mem.h"
#include "limits.h"
#include "utf8.h"

#include <string.h>

/* What may come next. Word spellings and + * are operators only where one can stand. */
typedef enum place {
    AT_PRIMARY, /* start, or after ( & | ! */
    AT_COMPARE, /* after a word that should be an attribute */
    AT_VALUE,   /* after a comparison operator: whatever comes is the value */
    AT_AFTER,   /* after a complete comparison or ) */
} place;

static const char *const SPELLING[] = {
    [QUERY_TOK_OPEN] = "(", [QUERY_TOK_CLOSE] = ")", [QUERY_TOK_AND] = "&", [QUERY_TOK_OR] = "|",
    [QUERY_TOK_NOT] = "!",  [QUERY_TOK_EQ] = "=",    [QUERY_TOK_NE] = "!=", [QUERY_TOK_LT] = "<",
    [QUERY_TOK_LE] = "<=",  [QUERY_TOK_GT] = ">",    [QUERY_TOK_GE] = ">=",
};

static const struct {
    const char *word;
    query_token_kind kind;
} COMPARE_WORDS[] = {
    {"eq", QUERY_TOK_EQ},      {"-eq", QUERY_TOK_EQ},  {"equals", QUERY_TOK_EQ},
    {"ne", QUERY_TOK_NE},      {"-ne", QUERY_TOK_NE},  {"neq", QUERY_TOK_NE},
    {"-neq", QUERY_TOK_NE},    {"le", QUERY_TOK_LE},   {"-le", QUERY_TOK_LE},
    {"leq", QUERY_TOK_LE},     {"-leq", QUERY_TOK_LE}, {"ge", QUERY_TOK_GE},
    {"-ge", QUERY_TOK_GE},     {"geq", QUERY_TOK_GE},  {"-geq", QUERY_TOK_GE},
    {"l", QUERY_TOK_LT},       {"-l", QUERY_TOK_LT},   {"lt", QUERY_TOK_LT},
    {"-lt", QUERY_TOK_LT},     {"less", QUERY_TOK_LT}, {"g", QUERY_TOK_GT},
    {"-g", QUERY_TOK_GT},      {"gt", QUERY_TOK_GT},   {"-gt", QUERY_TOK_GT},
    {"greater", QUERY_TOK_GT},
};

static int is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t spaces(const char *p)
{
    size_t n = 0;

    while (is_space(p[n]))
        n++;
    return n;
}

/* Ends a word wherever it stands. */
static int is_delim(char c)
{
    return c == 0 || is_space(c) || strchr("()[]{}&|=!<>", c) != NULL;
}

static int is_plus(char c)
{
    return c == '+' || c == '*';
}

static size_t word_len(const char *p)
{
    size_t n = 0;

    while (!is_delim(p[n]) && !is_plus(p[n]))
        n++;
    return n;
}

static int is(const char *p, size_t n, const char *word)
{
    return strlen(word) == n && memcmp(p, word, n) == 0;
}

int query_token_is(const query_token *t, const char *text)
{
    return is(t->s, t->len, text);
}

/* Kind of a comparison spelt as a word, or -1. */
static int compare_word(const char *p, size_t n)
{
    for (size_t i = 0; i < GP_COUNT(COMPARE_WORDS); i++)
        if (is(p, n, COMPARE_WORDS[i].word))
            return (int)COMPARE_WORDS[i].kind;
    return -1;
}

static int is_attribute(const char *p, size_t n)
{
    static const char *const names[] = {"sip",   "dip",  "snet",     "dnet",    "dport",
                                        "proto", "dir",  "src",      "dst",     "host",
                                        "net",   "port", "protocol", "ipproto", "direction"};
    for (size_t i = 0; i < GP_COUNT(names); i++)
        if (is(p, n, names[i]))
            return 1;
    return 0;
}

static int opens(char c)
{
    return c == '(' || c == '[' || c == '{';
}

static int closes(char c)
{
    return c == ')' || c == ']' || c == '}';
}

/* Does a comparison, a negation or a bracket start at p? Tells 22+proto=6 from tp++. */
static int starts_primary(const char *p)
{
    while (is_space(*p))
        p++;
    if (opens(*p) || (*p == '!' && p[1] != '='))
        return 1;
    size_t n = word_len(p);
    if (is(p, n, "not"))
        return is_space(p[n]) || opens(p[n]);
    if (!is_attribute(p, n))
        return 0;
    for (p += n; is_space(*p); p++)
        ;
    n = word_len(p);
    return n ? compare_word(p, n) >= 0 && is_space(p[n]) : *p && strchr("=!<>", *p) != NULL;
}

/* Length of the word at p, which does not start with a delimiter. */
static size_t scan_word(const char *p, place at)
{
    size_t n = 0;

    while (!is_delim(p[n]) && !(is_plus(p[n]) && (at != AT_VALUE || starts_primary(p + n + 1))))
        n++;
    return n;
}

/* Operator of punctuation at p; *n its length, 0 if there is none. */
static query_token_kind scan_symbol(const char *p, size_t *n)
{
    static const char first[] = "([{)]}&|+*=!<>";
    static const uint8_t kinds[] = {
        QUERY_TOK_OPEN,  QUERY_TOK_OPEN, QUERY_TOK_OPEN, QUERY_TOK_CLOSE, QUERY_TOK_CLOSE,
        QUERY_TOK_CLOSE, QUERY_TOK_AND,  QUERY_TOK_OR,   QUERY_TOK_OR,    QUERY_TOK_AND,
        QUERY_TOK_EQ,    QUERY_TOK_NOT,  QUERY_TOK_LT,   QUERY_TOK_GT};
    const char *at = strchr(first, *p);

    if (!at) {
        *n = 0;
        return QUERY_TOK_WORD;
    }
    query_token_kind kind = kinds[at - first];
    *n = 1;
    if (kind == QUERY_TOK_AND || kind == QUERY_TOK_OR) {
        if ((*p == '&' || *p == '|') && p[1] == *p)
            *n = 2;
        return kind;
    }
    if (kind < QUERY_TOK_NOT)
        return kind;
    size_t eq = strspn(p + 1, "=");             /* one to three make one `=`: != !== !=== */
    size_t most = kind == QUERY_TOK_EQ ? 2 : 3; /* `=` itself is the first of three */
    *n += eq < most ? eq : most;
    if (eq && kind != QUERY_TOK_EQ)
        return kind == QUERY_TOK_NOT ? QUERY_TOK_NE : kind + 1;
    return kind;
}

/* Word spellings stand for their symbol with the white space around them (3.1), so that one beside
 * a symbol makes a symbol of two characters: `> eq` and `gt =` are >=, `! eq` and `not =` are !=.
 * Length of such a pair at p, where a comparison operator may stand, or 0. */
static size_t scan_pair(const char *p, query_token_kind *kind)
{
    size_t n = word_len(p);

    if (n == 0) { /* a symbol, then the word */
        size_t gap = spaces(p + 1), eq = word_len(p + 1 + gap);
        if (!*p || !strchr("!<>", *p) || !gap || !is_space(p[1 + gap + eq]) ||
            compare_word(p + 1 + gap, eq) != QUERY_TOK_EQ)
            return 0;
        *kind = *p == '!' ? QUERY_TOK_NE : *p == '<' ? QUERY_TOK_LE : QUERY_TOK_GE;
        return 1 + gap + eq;
    }
    int word = is(p, n, "not") ? (int)QUERY_TOK_NOT : compare_word(p, n);
    size_t gap = spaces(p + n), eq = strspn(p + n + gap, "=");
    if (!gap || !eq || (word != QUERY_TOK_NOT && word != QUERY_TOK_LT && word != QUERY_TOK_GT))
        return 0;
    *kind = word == QUERY_TOK_NOT ? QUERY_TOK_NE : (query_token_kind)(word + 1);
    return n + gap + (eq < 3 ? eq : 3);
}

/* Operator spelt as a word of n letters at p, or QUERY_TOK_WORD. */
static query_token_kind word_operator(const char *p, size_t n, place at)
{
    char next = p[n];

    if (at == AT_VALUE ||
        !(next == 0 || is_space(next) || opens(next) || closes(next) || next == '!'))
        return QUERY_TOK_WORD;
    if (is(p, n, "and"))
        return QUERY_TOK_AND;
    if (is(p, n, "or"))
        return QUERY_TOK_OR;
    if (at == AT_PRIMARY && is(p, n, "not") &&
        (is_space(next) || opens(next) || (next == '!' && p[n + 1] != '=')))
        return QUERY_TOK_NOT;
    int kind = at == AT_COMPARE && next != '!' ? compare_word(p, n) : -1;
    return kind < 0 ? QUERY_TOK_WORD : (query_token_kind)kind;
}

static place place_after(query_token_kind kind, place at)
{
    if (at == AT_VALUE)
        return AT_AFTER;
    switch (kind) {
    case QUERY_TOK_WORD:
        return AT_COMPARE;
    case QUERY_TOK_CLOSE:
        return AT_AFTER;
    case QUERY_TOK_OPEN:
    case QUERY_TOK_AND:
    case QUERY_TOK_OR:
    case QUERY_TOK_NOT:
        return AT_PRIMARY;
    default:
        return AT_VALUE;
    }
}

static gp_status push(query_tokens *t, query_token tok)
{
    if (t->n == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 32;
        query_token *v = gp_realloc(t->v, cap, sizeof *v);
        if (!v)
            return GP_ENOMEM;
        t->v = v;
        t->cap = cap;
    }
    t->v[t->n++] = tok;
    return GP_OK;
}

/* The token at p, which is not white space. */
static query_token next_token(const char *p, place at, size_t *len)
{
    size_t n = is_plus(*p) && at == AT_VALUE ? scan_word(p, at) : 0; /* `= +22`: a (bad) value */
    query_token_kind kind = QUERY_TOK_WORD;

    if (at == AT_COMPARE)
        n = scan_pair(p, &kind);
    if (n == 0)
        kind = scan_symbol(p, &n);
    if (n == 0) {
        n = scan_word(p, at);
        kind = word_operator(p, n, at);
    }
    *len = n;
    if (kind == QUERY_TOK_WORD)
        return (query_token){.s = p, .len = (uint32_t)n, .kind = QUERY_TOK_WORD};
    return (query_token){
        .s = SPELLING[kind], .len = (uint32_t)strlen(SPELLING[kind]), .kind = (uint8_t)kind};
}

static gp_status scan(query_tokens *t, gp_err *err)
{
    place at = AT_PRIMARY;

    for (const char *p = t->text; *p;) {
        t->ends_in_space = is_space(*p);
        if (t->ends_in_space) {
            p++;
            continue;
        }
        size_t n;
        query_token tok = next_token(p, at, &n);
        if (n > QUERY_MAX_WORD)
            return gp_fail(err, GP_EINVAL, 0, "token too long: %zu bytes, at most %d", n,
                           QUERY_MAX_WORD);
        if (push(t, tok) != GP_OK)
            return gp_fail(err, GP_ENOMEM, 0, "condition of %zu tokens", t->n);
        at = place_after((query_token_kind)tok.kind, at);
        p += n;
    }
    return GP_OK;
}

gp_status query_tokens_scan(const char *text, query_tokens *out, gp_err *err)
{
    query_tokens t = {0};

    if (!text)
        text = "";
    if (strnlen(text, QUERY_MAX_COND + 1) > QUERY_MAX_COND)
        return gp_fail(err, GP_EINVAL, 0, "condition too long: at most %d bytes", QUERY_MAX_COND);
    t.text = gp_strdup(text);
    if (!t.text)
        return gp_fail(err, GP_ENOMEM, 0, "condition");
    query_utf8_lower(t.text);
    gp_status st = scan(&t, err);
    if (st != GP_OK) {
        query_tokens_clear(&t);
        return st;
    }
    *out = t;
    return GP_OK;
}

void query_tokens_clear(query_tokens *t)
{
    gp_free(t->v);
    gp_free(t->text);
    *t = (query_tokens){0};
}

void query_tokens_join(const query_tokens *t, size_t n, gp_buf *out)
{
    for (size_t i = 0; i < n && i < t->n; i++) {
        if (i)
            gp_buf_addc(out, ' ');
        gp_buf_add(out, t->v[i].s, t->v[i].len);
    }
}
