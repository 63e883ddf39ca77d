/* cases.h - reader of the case tables in tests/data/query-cases. */
/* Tab-separated; \t \n \\ are escapes; lines with '#' are comments. */
#ifndef QUERY_CASES_H
#define QUERY_CASES_H

#include "test.h"

enum { CASE_COLS = 10 };

typedef struct case_table {
    char *text;                    /* whole file; the cells point into it */
    const char *(*row)[CASE_COLS]; /* [n][column]; missing ones "" */
    size_t n;
} case_table;

static inline char *cases_unescape(char *s)
{
    char *to = s, *from = s;

    for (; *from; from++, to++) {
        *to = *from;
        if (*from == '\\' && from[1]) {
            from++;
            *to = *from == 't' ? '\t' : *from == 'n' ? '\n' : *from;
        }
    }
    *to = 0;
    return s;
}

/* Fails the test if the table is missing or has fewer than least rows. */
static inline case_table cases_load(const char *name, size_t least)
{
    char *path = gp_asprintf("%s/query-cases/%s.tsv", TEST_DATA_DIR, name);
    case_table c = {.text = test_slurp(path, NULL)};
    size_t lines = 0;

    gp_free(path);
    for (const char *p = c.text; *p; p++)
        lines += *p == '\n';
    c.row = gp_calloc(lines + 1, sizeof *c.row);
    assert_non_null(c.row);
    for (char *line = c.text, *next; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        if (*line == '#' || *line == 0)
            continue;
        for (int col = 0; col < CASE_COLS; col++) {
            char *tab = line ? strchr(line, '\t') : NULL;
            if (tab)
                *tab++ = 0;
            c.row[c.n][col] = line ? cases_unescape(line) : "";
            line = tab;
        }
        c.n++;
    }
    if (c.n < least)
        fail_msg("%s.tsv: %zu rows, want at least %zu", name, c.n, least);
    return c;
}

static inline void cases_free(case_table *c)
{
    gp_free(c->row);
    gp_free(c->text);
}

#endif
