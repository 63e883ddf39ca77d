/* hosts.c - lists of host IDs. */
#include "hosts.h"

#include "gp/mem.h"

#include <stdlib.h>
#include <string.h>

void resolver_hosts_clear(resolver_hosts *h)
{
    for (size_t i = 0; i < h->n; i++)
        gp_free(h->v[i]);
    gp_free(h->v);
    *h = (resolver_hosts){0};
}

int resolver_is_host(const char *name)
{
    return *name && strlen(name) <= 255 && !strpbrk(name, " \t,!*?[]@") &&
           strcasecmp(name, "any") != 0;
}

gp_status resolver_hosts_add(resolver_hosts *h, const char *name, gp_err *err)
{
    if (h->n >= RESOLVER_MAX_HOSTS)
        return gp_fail(err, GP_ELIMIT, 0, "more than %d hosts", RESOLVER_MAX_HOSTS);
    if (h->n == h->cap) {
        size_t cap = h->cap ? 2 * h->cap : 64;
        char **v = gp_realloc(h->v, cap, sizeof *v);
        if (!v)
            return gp_fail(err, GP_ENOMEM, 0, "hosts: out of memory");
        h->v = v;
        h->cap = cap;
    }
    h->v[h->n] = gp_strdup(name);
    if (!h->v[h->n])
        return gp_fail(err, GP_ENOMEM, 0, "hosts: out of memory");
    h->n++;
    return GP_OK;
}

static int cmp(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void resolver_hosts_sort(resolver_hosts *h)
{
    size_t k = 0;
    if (h->n < 2)
        return;
    qsort(h->v, h->n, sizeof *h->v, cmp);
    for (size_t i = 0; i < h->n; i++) {
        if (k && strcmp(h->v[k - 1], h->v[i]) == 0)
            gp_free(h->v[i]);
        else
            h->v[k++] = h->v[i];
    }
    h->n = k;
}

void resolver_hosts_filter(resolver_hosts *h, int (*keep)(void *ctx, const char *name), void *ctx)
{
    size_t k = 0;
    for (size_t i = 0; i < h->n; i++) {
        if (keep(ctx, h->v[i]))
            h->v[k++] = h->v[i];
        else
            gp_free(h->v[i]);
    }
    h->n = k;
}
