/* names.c - reverse DNS for what is shown: addresses are collected, looked up together, found
 * again. */
#include "names.h"

#include "gp/mem.h"
#include "query/reverse.h"

#include <stdlib.h>
#include <string.h>

struct goquery_names {
    gp_addr *addrs; /* sorted, unique */
    char **names;   /* NULL: unknown */
    size_t n;
};

static int cmp(const void *a, const void *b)
{
    return gp_addr_cmp(a, b);
}

static void collect(goquery_names *n, uint8_t family, const uint8_t bytes[16])
{
    if (!family)
        return;
    gp_addr *a = &n->addrs[n->n++];
    *a = (gp_addr){.family = family};
    memcpy(a->bytes, bytes, sizeof a->bytes);
}

static size_t unique(gp_addr *v, size_t n)
{
    size_t kept = 0;
    qsort(v, n, sizeof *v, cmp);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || cmp(&v[kept - 1], &v[i]) != 0)
            v[kept++] = v[i];
    return kept;
}

gp_status goquery_names_new(const result *r, const query_stmt *s, goquery_names **out, gp_err *err)
{
    unsigned mask = s->fields.attr_mask & (1U << QUERY_SIP | 1U << QUERY_DIP);
    size_t rows = r->n_rows;
    *out = NULL;
    if (!mask || !s->dns_enabled || rows == 0)
        return GP_OK;
    if (s->dns_max_rows >= 0 && (uint64_t)s->dns_max_rows < rows)
        rows = (size_t)s->dns_max_rows;
    if (rows > QUERY_MAX_REVERSE / 2)
        rows = QUERY_MAX_REVERSE / 2;
    goquery_names *n = gp_calloc(1, sizeof *n);
    if (n) {
        n->addrs = gp_calloc(2 * rows + 1, sizeof *n->addrs);
        n->names = gp_calloc(2 * rows + 1, sizeof *n->names);
    }
    if (!n || !n->addrs || !n->names) {
        goquery_names_free(n);
        return gp_fail(err, GP_ENOMEM, 0, "reverse lookup: out of memory");
    }
    for (size_t i = 0; i < rows; i++) {
        const result_row *row = &r->rows[i];
        if (mask & 1U << QUERY_SIP)
            collect(n, row->sip_family, row->sip);
        if (mask & 1U << QUERY_DIP)
            collect(n, row->dip_family, row->dip);
    }
    n->n = unique(n->addrs, n->n);
    gp_status st = query_reverse_system(n->addrs, n->n, s->dns_timeout_ns, n->names, err);
    if (st != GP_OK) {
        goquery_names_free(n);
        return st;
    }
    *out = n;
    return GP_OK;
}

void goquery_names_free(goquery_names *n)
{
    if (!n)
        return;
    for (size_t i = 0; n->names && i < n->n; i++)
        gp_free(n->names[i]);
    gp_free(n->names);
    gp_free(n->addrs);
    gp_free(n);
}

const char *goquery_names_get(void *ctx, const gp_addr *a)
{
    const goquery_names *n = ctx;
    const gp_addr *hit = n->n ? bsearch(a, n->addrs, n->n, sizeof *a, cmp) : NULL;
    return hit ? n->names[hit - n->addrs] : NULL;
}
