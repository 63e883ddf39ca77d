/* cond_names.c - host names in conditions: each distinct one is looked up once (spec 3.6). */
#include "cond_int.h"

#include "gp/mem.h"
#include "limits.h"

#include <stdlib.h>
#include <string.h>

typedef struct names {
    cond_node **uses; /* comparisons to resolve, sorted by name */
    size_t n_uses;
    char **v; /* distinct names, sorted */
    size_t n;
    query_addrs *addrs; /* of v[i] */
} names;

static void names_free(names *x)
{
    for (size_t i = 0; i < x->n; i++) {
        gp_free(x->v[i]);
        gp_free(x->addrs[i].v);
    }
    gp_free(x->v);
    gp_free(x->addrs);
    gp_free(x->uses);
}

static int by_name(const void *a, const void *b)
{
    const cond_node *x = *(cond_node *const *)a, *y = *(cond_node *const *)b;
    uint32_t n = x->text_len < y->text_len ? x->text_len : y->text_len;
    int c = memcmp(x->text, y->text, n);

    return c ? c : (x->text_len > y->text_len) - (x->text_len < y->text_len);
}

static int wants_name(const cond_node *n)
{
    return (n->attr == COND_SIP || n->attr == COND_DIP || n->attr == COND_HOST) && n->n_nets == 0;
}

/* Can this text be a host name at all? The resolver library would take 1, 0x7f.1 or 01.2.3.4 for
 * addresses: a name whose last label is a number is none. */
static int is_host_name(const char *s, size_t len)
{
    size_t end = len && s[len - 1] == '.' ? len - 1 : len, last = end;

    if (end == 0 || len > QUERY_MAX_NAME_LEN + 1)
        return 0;
    for (size_t i = 0; i < end; i++) {
        unsigned char c = (unsigned char)s[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
              c == '.' || c >= 0x80))
            return 0;
    }
    while (last > 0 && s[last - 1] != '.')
        last--;
    size_t digits = strspn(s + last, "0123456789");
    if (last == end || digits >= end - last)
        return 0;
    return !(s[last] == '0' && s[last + 1] == 'x' &&
             2 + strspn(s + last + 2, "0123456789abcdef") >= end - last);
}

static gp_status no_memory(cond_ctx *c)
{
    return gp_fail(c->err, GP_ENOMEM, 0, "host names in condition");
}

/* Comparisons with names, sorted; then the distinct names among them. */
static gp_status collect(cond_ctx *c, names *x)
{
    size_t n = 0;

    for (const cond_node *k = c->first_cmp; k; k = k->next_cmp)
        n += (size_t)wants_name(k);
    if (n == 0)
        return GP_OK;
    x->uses = gp_calloc(n, sizeof(cond_node *));
    x->v = gp_calloc(n, sizeof *x->v);
    x->addrs = gp_calloc(n, sizeof *x->addrs);
    if (!x->uses || !x->v || !x->addrs)
        return no_memory(c);
    for (cond_node *k = c->first_cmp; k; k = k->next_cmp) {
        if (!wants_name(k))
            continue;
        if (!is_host_name(k->text, k->text_len))
            return gp_fail(c->err, GP_EINVAL, 0,
                           "could not resolve \"%.*s\": not an IP address and not a host name%s",
                           (int)(k->text_len < 64 ? k->text_len : 64), k->text,
                           memchr(k->text, '/', k->text_len) ? " (for networks use snet, dnet, net)"
                                                             : "");
        x->uses[x->n_uses++] = k;
    }
    qsort(x->uses, n, sizeof(cond_node *), by_name);
    for (size_t i = 0; i < n; i++) {
        if (i && by_name(&x->uses[i - 1], &x->uses[i]) == 0)
            continue;
        if (x->n == QUERY_MAX_NAMES)
            return gp_fail(c->err, GP_EINVAL, 0, "more than %d host names in condition",
                           QUERY_MAX_NAMES);
        x->v[x->n] = gp_strndup(x->uses[i]->text, x->uses[i]->text_len);
        if (!x->v[x->n])
            return no_memory(c);
        x->n++;
    }
    return GP_OK;
}

/* The distinct addresses, IPv4 first, else in the resolver's order. */
static gp_status to_nets(cond_ctx *c, const query_addrs *a, gp_net **out, uint32_t *n_out)
{
    uint32_t n = 0;
    gp_net *nets = gp_arena_alloc(c->arena, a->n, sizeof *nets);

    if (!nets)
        return no_memory(c);
    for (int family = 4; family <= 6; family += 2)
        for (size_t i = 0; i < a->n && n < QUERY_MAX_ADDRS; i++) {
            uint32_t j = 0;
            while (j < n && memcmp(&nets[j].addr, &a->v[i], sizeof a->v[i]) != 0)
                j++;
            if (a->v[i].family == family && j == n)
                nets[n++] = (gp_net){a->v[i], family == 4 ? 32 : 128};
        }
    *out = nets;
    *n_out = n;
    return GP_OK;
}

static gp_status replace(cond_ctx *c, const names *x)
{
    size_t use = 0;

    for (size_t i = 0; i < x->n; i++) {
        gp_net *nets = NULL;
        uint32_t n = 0;
        GP_TRY(to_nets(c, &x->addrs[i], &nets, &n));
        if (n == 0)
            return gp_fail(c->err, GP_EINVAL, 0, "could not resolve \"%.64s\": no addresses",
                           x->v[i]);
        size_t len = strlen(x->v[i]);
        for (; use < x->n_uses && x->uses[use]->text_len == len &&
               memcmp(x->uses[use]->text, x->v[i], len) == 0;
             use++) {
            x->uses[use]->nets = nets;
            x->uses[use]->n_nets = n;
            x->uses[use]->text = NULL; /* printed as addresses from now on */
        }
    }
    return GP_OK;
}

static gp_status look_up(cond_ctx *c, names *x, query_lookup lookup, void *lookup_ctx,
                         int64_t timeout_ns)
{
    gp_err why = {0};

    if (!lookup)
        return gp_fail(c->err, GP_EINVAL, 0, "could not resolve \"%.64s\": only addresses here",
                       x->v[0]);
    gp_status st = lookup(lookup_ctx, (const char *const *)x->v, x->n, timeout_ns, x->addrs, &why);
    if (st == GP_EDEADLINE)
        return gp_fail(c->err, GP_EINVAL, 0, "timeout while resolving hostnames in conditional");
    if (st == GP_ENOMEM)
        return no_memory(c);
    if (st != GP_OK)
        return gp_fail(c->err, GP_EINVAL, 0, "%s", why.code ? why.msg : "name lookup failed");
    return replace(c, x);
}

gp_status query_cond_resolve(cond_ctx *c, query_lookup lookup, void *lookup_ctx, int64_t timeout_ns)
{
    names x = {0};
    gp_status st = collect(c, &x);

    if (st == GP_OK && x.n)
        st = look_up(c, &x, lookup, lookup_ctx, timeout_ns);
    c->n_names = x.n;
    names_free(&x);
    return st;
}
