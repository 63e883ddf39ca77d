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
