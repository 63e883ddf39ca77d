/* re2.c - where an interface pattern uses what PCRE2 has and RE2 has not (query.md 5.1). */
#include "ifsel_int.h"

#include <string.h>

enum { MAX_REPEAT = 1000 }; /* RE2's limit of a{n,m} */

/* A pattern and the place looked at. */
typedef struct scan {
    const char *p;
    size_t len, i;
} scan;

static char at(const scan *s, size_t i)
{
    return i < s->len ? s->p[i] : 0;
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static int is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* \pL, \p{Lu}, \p{^Greek}: categories and scripts, written as Unicode does; none of PCRE2's own. */
static int property(scan *s)
{
    size_t i = s->i + 2, from;

    if (at(s, i) != '{') {
        s->i = i + 1;
        return 1;
    }
    i++;
    from = i + (at(s, i) == '^');
    for (i = from; is_alnum(at(s, i)) || at(s, i) == '_'; i++)
        ;
    s->i = i + 1;
    return at(s, i) == '}' && at(s, from) >= 'A' && at(s, from) <= 'Z' && at(s, from) != 'X';
}

/* \x41, \x{1F600} */
static int hex(scan *s)
{
    size_t i = s->i + 2;

    if (at(s, i) != '{') {
        s->i = i + 2;
        return is_hex(at(s, i)) && is_hex(at(s, i + 1));
    }
    for (i++; is_hex(at(s, i)); i++)
        ;
    s->i = i + 1;
    return at(s, i) == '}' && i > 0 && is_hex(at(s, i - 1));
}

/* The escape at s->i; plain: the letters that are known here beside \p, \x and octal digits. */
static int escape(scan *s, const char *plain)
{
    char c = at(s, s->i + 1);

    if (c == 'p' || c == 'P')
        return property(s);
    if (c == 'x')
        return hex(s);
    if (c >= '1' && c <= '7' && (at(s, s->i + 2) < '0' || at(s, s->i + 2) > '7'))
        return 0; /* a reference */
    if (is_alnum(c) && !(c >= '0' && c <= '7') && !strchr(plain, c))
        return 0;
    s->i += 2;
    return 1;
}

/* [...]; unclosed ones are left to PCRE2. */
static int class(scan *s)
{
    s->i++;
    s->i += at(s, s->i) == '^';
    s->i += at(s, s->i) == ']'; /* the first one stands for itself */
    while (s->i < s->len && s->p[s->i] != ']') {
        if (s->p[s->i] == '\\') {
            if (!escape(s, "dDsSwWafnrtv"))
                return 0;
        } else if (s->p[s->i] == '[' && at(s, s->i + 1) == ':') {
            while (s->i + 1 < s->len && !(s->p[s->i] == ':' && s->p[s->i + 1] == ']'))
                s->i++;
            s->i++;
        } else {
            s->i++;
        }
    }
    s->i++;
    return 1;
}

/* ( and, behind "(?", flags with ":" or ")", or a name. Leaves s->i where the content begins. */
static int group(scan *s)
{
    static const char flags[] = "imsU";
    size_t i = s->i + 2;

    if (at(s, s->i + 1) == '*')
        return 0;
    if (at(s, s->i + 1) != '?') {
        s->i++;
        return 1;
    }
    s->i = i;
    i += at(s, i) == 'P';
    if (at(s, i) == '<')
        return at(s, i + 1) != '=' && at(s, i + 1) != '!';
    if (i != s->i)
        return 0;
    i += strspn(s->p + i, flags);
    if (at(s, i) == '-') {
        size_t off = strspn(s->p + i + 1, flags);
        i += 1 + off;
        if (off == 0)
            return 0;
    }
    s->i = i + 1;
    return at(s, i) == ':' || at(s, i) == ')';
}

/* Length of the repetition at i (without ? behind it), 0 if there is none; *ok: of a size RE2 has.
 */
static size_t repetition(const scan *s, size_t i, int *ok)
{
    unsigned n[2] = {0, 0};
    size_t k = i + 1;

    *ok = 1;
    if (at(s, i) && strchr("*+?", at(s, i)))
        return 1;
    if (at(s, i) != '{' || !is_digit(at(s, k)))
        return 0; /* {,3} is text */
    for (int m = 0; m < 2; m++) {
        for (; is_digit(at(s, k)); k++)
            n[m] = n[m] > MAX_REPEAT ? n[m] : 10 * n[m] + (unsigned)(at(s, k) - '0');
        if (m == 0 && at(s, k) == ',')
            k++;
        else
            break;
    }
    if (at(s, k) != '}')
        return 0;
    *ok = n[0] <= MAX_REPEAT && n[1] <= MAX_REPEAT;
    return k + 1 - i;
}

/* A repetition, which no other may follow directly. */
static int repeat(scan *s, size_t n)
{
    int ok;

    s->i += n;
    s->i += at(s, s->i) == '?';
    return repetition(s, s->i, &ok) == 0;
}

static int step(scan *s)
{
    int ok;
    size_t n = repetition(s, s->i, &ok);

    if (n)
        return ok && repeat(s, n);
    switch (s->p[s->i]) {
    case '\\':
        if (at(s, s->i + 1) != 'Q')
            return escape(s, "AbBCzdDsSwWafnrtv");
        for (s->i += 2; s->i < s->len && !(s->p[s->i] == '\\' && at(s, s->i + 1) == 'E'); s->i++)
            ;
        s->i += 2;
        return 1;
    case '[':
        return class(s);
    case '(':
        return group(s);
    default:
        s->i++;
        return 1;
    }
}

size_t query_re2_beyond(const char *p, size_t len)
{
    scan s = {.p = p, .len = len};

    while (s.i < len) {
        size_t from = s.i;
        if (!step(&s))
            return from;
    }
    return len;
}
