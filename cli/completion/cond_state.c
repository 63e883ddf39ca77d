/* cond_state.c - scan the tokens of an unfinished condition for brackets and direction filters. */
#include "cond_state.h"

#include "gp/ipproto.h"
#include "gp/num.h"
#include "query/suggest.h"

#include <string.h>

static int is_one_of(const char *s, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(s, words[i]) == 0)
            return 1;
    return 0;
}

int cond_is_comparator(const char *s)
{
    static const char *const words[] = {"=", "!=", "<", ">", "<=", ">="};
    return is_one_of(s, words, sizeof words / sizeof *words);
}

int cond_is_filter(const char *s)
{
    return strcmp(s, "dir") == 0 || strcmp(s, "direction") == 0;
}

int cond_is_protocol(const char *s)
{
    return strcmp(s, "proto") == 0 || strcmp(s, "protocol") == 0 || strcmp(s, "ipproto") == 0;
}

int cond_is_filter_value(const char *s)
{
    size_t n;
    const char *const *words = query_dir_values(&n);
    return is_one_of(s, words, n);
}

int cond_is_value(const char *const *token, size_t i)
{
    return i > 0 && cond_is_comparator(token[i - 1]);
}

cond_state cond_scan(const char *const *token, size_t n)
{
    cond_state s = {0};
    for (size_t i = 0; i < n; i++) {
        const char *t = token[i];
        if (cond_is_value(token, i))
            continue;
        if (strcmp(t, "(") == 0) {
            s.open++;
        } else if (strcmp(t, ")") == 0) {
            s.open -= s.open > 0;
        } else if (s.open == 0 && (strcmp(t, "&") == 0 || strcmp(t, "|") == 0)) {
            if (s.ops++ == 0) {
                s.first_op = i;
                s.first_kind = *t;
            }
        } else if (cond_is_filter(t)) {
            s.filters++;
            s.filter_at = i;
            s.misplaced |= i > 0 && !(s.ops == 1 && i == s.first_op + 1);
        }
    }
    return s;
}

int cond_is_hopeless(const cond_state *s)
{
    return s->filters > 1 || s->misplaced ||
           (s->filters == 1 && (s->ops > 1 || s->first_kind == '|'));
}

/* Is token i, a value, one that may end there? A protocol name may still be half typed. */
static int is_whole_value(const char *const *token, size_t i)
{
    const char *v = token[i];
    uint64_t number;
    if (i < 2 || !*v || !cond_is_value(token, i))
        return 0;
    return !cond_is_protocol(token[i - 2]) || gp_num_u64(v, strlen(v), 255, &number) ||
           gp_ipproto_number(v, strlen(v)) >= 0;
}

int cond_is_finished(const char *const *token, size_t n)
{
    cond_state s = cond_scan(token, n);
    size_t f = s.filter_at;
    if (s.filters != 1 || cond_is_hopeless(&s) || s.ops != 1 || s.open || f + 3 > n ||
        strcmp(token[f + 1], "=") != 0 || !cond_is_filter_value(token[f + 2]))
        return 0;
    if (f > 0)
        return f + 3 == n;
    return n > s.first_op + 1 && (strcmp(token[n - 1], ")") == 0 || is_whole_value(token, n - 1));
}
