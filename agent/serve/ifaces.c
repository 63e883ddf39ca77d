/* ifaces.c - which interfaces there are to ask for: those of the database and those captured now.
 */
#include "serve_int.h"

#include "gp/bytes.h"
#include "gp/mem.h"

#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, each name once. */
static gp_status join(serve_ifaces *i, size_t n_stored, gp_err *err)
{
    size_t n = 0, k = 0;

    while (i->live && i->live[n])
        n++;
    i->all = gp_calloc(n_stored + n + 1, sizeof *i->all);
    if (!i->all)
        return gp_fail(err, GP_ENOMEM, 0, "interfaces: out of memory");
    for (size_t s = 0; s < n_stored; s++)
        i->all[k++] = i->stored[s];
    for (size_t l = 0; l < n; l++)
        i->all[k++] = i->live[l];
    if (k)
        qsort(i->all, k, sizeof *i->all, by_name);
    for (size_t a = 0; a < k; a++)
        if (i->n == 0 || strcmp(i->all[i->n - 1], i->all[a]) != 0)
            i->all[i->n++] = i->all[a];
    i->all[i->n] = NULL;
    return GP_OK;
}

gp_status serve_ifaces_get(const serve *s, serve_ifaces *out, gp_err *err)
{
    const exec_live *live = s->o.live;
    serve_ifaces i = {0};
    size_t n = 0;

    godb_db_follow(s->o.db);
    gp_status st = godb_db_ifaces(s->o.db, &i.stored, &n, err);
    n = godb_strv_keep_text(i.stored); /* the others can be asked for */
    if (st == GP_OK && live && s->o.live_ifaces)
        st = s->o.live_ifaces(live->ctx, &i.live, err);
    if (st == GP_OK)
        st = join(&i, n, err);
    if (st != GP_OK) {
        serve_ifaces_clear(&i);
        return st;
    }
    *out = i;
    return GP_OK;
}

void serve_ifaces_clear(serve_ifaces *i)
{
    godb_strv_free(i->stored);
    gp_free(i->live);
    gp_free(i->all);
    *i = (serve_ifaces){0};
}
