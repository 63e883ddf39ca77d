/* strv.c - a growing array of owned strings. */
#include "strv.h"

#include "godb/db.h"
#include "gp/bytes.h"
#include "gp/mem.h"
#include "limits.h"

#include <stdlib.h>
#include <string.h>

static gp_status grow(godb_strv *s)
{
    if (s->n + 1 < s->cap) /* one slot for the NULL at the end */
        return GP_OK;
    size_t cap = s->cap ? 2 * s->cap : 16;
    char **v = gp_realloc(s->v, cap, sizeof *v);
    if (!v)
        return GP_ENOMEM;
    s->v = v;
    s->cap = cap;
    return GP_OK;
}

gp_status godb_strv_add(godb_strv *s, const char *text)
{
    GP_TRY(grow(s));
    char *copy = gp_strdup(text);
    if (!copy)
        return GP_ENOMEM;
    s->v[s->n++] = copy;
    s->v[s->n] = NULL;
    return GP_OK;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

gp_status godb_strv_finish(godb_strv *s)
{
    GP_TRY(grow(s));
    s->v[s->n] = NULL;
    if (s->n > 1)
        qsort(s->v, s->n, sizeof *s->v, by_bytes);
    return GP_OK;
}

size_t godb_strv_keep_text(char **v)
{
    size_t k = 0;

    for (size_t i = 0; v && v[i]; i++) {
        if (gp_text_ok(v[i], GODB_IFACE_NAME_MAX))
            v[k++] = v[i];
        else
            gp_free(v[i]);
    }
    if (v)
        v[k] = NULL;
    return k;
}

void godb_strv_free(char **v)
{
    for (size_t i = 0; v && v[i]; i++)
        gp_free(v[i]);
    gp_free(v);
}
