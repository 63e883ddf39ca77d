/* glob.c - shell-style globs in comma lists: hosts and interfaces a peer may ask about. */
#include "auth/request.h"

#include <string.h>

/* p[0..pn) with '*' and '?' against the whole of s. Linear backtracking to the last star only. */
static int glob_match(const char *p, size_t pn, const char *s)
{
    size_t i = 0, star = SIZE_MAX;
    const char *mark = s;
    while (*s) {
        if (i < pn && p[i] == '*') {
            star = i++;
            mark = s;
        } else if (i < pn && (p[i] == '?' || p[i] == *s)) {
            i++;
            s++;
        } else if (star != SIZE_MAX) {
            i = star + 1;
            s = ++mark;
        } else {
            return 0;
        }
    }
    while (i < pn && p[i] == '*')
        i++;
    return i == pn;
}

int auth_glob_list_match(const char *globs, const char *name)
{
    while (*globs) {
        size_t n = strcspn(globs, ",");
        if (n && glob_match(globs, n, name))
            return 1;
        globs += n + (globs[n] == ',');
    }
    return 0;
}

/* One glob of n bytes against a list. */
static int glob_within(const char *inner, size_t n, const char *outer_list)
{
    char lit[256];
    memcpy(lit, inner, n);
    lit[n] = 0;
    if (!strpbrk(lit, "*?"))
        return auth_glob_list_match(outer_list, lit);
    while (*outer_list) {
        size_t m = strcspn(outer_list, ",");
        if (m == n && memcmp(outer_list, inner, n) == 0)
            return 1;
        size_t star = strcspn(outer_list, "*?");
        if (m && star == m - 1 && outer_list[star] == '*' && n >= star &&
            memcmp(outer_list, inner, star) == 0)
            return 1;
        outer_list += m + (outer_list[m] == ',');
    }
    return 0;
}

int auth_globs_within(const char *inner, const char *outer)
{
    while (*inner) {
        size_t n = strcspn(inner, ",");
        if (n && !glob_within(inner, n, outer))
            return 0;
        inner += n + (inner[n] == ',');
    }
    return 1;
}
