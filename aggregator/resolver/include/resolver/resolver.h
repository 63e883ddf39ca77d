/* resolver.h - host selectors to host IDs (fleet.md 2; grammar in wire/selector.h). */
#ifndef RESOLVER_RESOLVER_H
#define RESOLVER_RESOLVER_H

#include "gp/err.h"

#include <stddef.h>

enum { RESOLVER_MAX_HOSTS = 65536 };

/* What the endpoint table knows, asked for during one call. */
typedef struct resolver_known {
    void *ctx;
    size_t n;                               /* hosts in the table */
    const char *(*id)(void *ctx, size_t i); /* i-th host ID */
    int (*in_group)(void *ctx, size_t i, const char *group);
    const char *(*address)(void *ctx, size_t i); /* of its endpoint; may be NULL */
} resolver_known;

/* Sorted, unique host IDs; strings owned by the list. */
typedef struct resolver_hosts {
    char **v;
    size_t n, cap;
} resolver_hosts;
void resolver_hosts_clear(resolver_hosts *h);

typedef struct resolver_conf {
    const char *type;   /* string, static, file, dns, command */
    const char *config; /* path of its file; "" = none */
    const char *where;  /* in front of errors: "FILE:LINE: KEY"; may be NULL */
} resolver_conf;

/* The resolvers of a daemon; read-only after making, so threads may share one. */
typedef struct resolver_set resolver_set;
/* The first conf of a type wins; "string" is always there. Errors name type and file. */
gp_status resolver_set_new(const resolver_conf *confs, size_t n, const char *default_type,
                           resolver_set **out, gp_err *err) GP_MUST_CHECK;
void resolver_set_free(resolver_set *s);

/* Turn a selector into hosts. type NULL or "": the default. GP_EINVAL for a malformed or empty
 * selector, GP_ENOTFOUND for an unknown resolver or group (named), GP_ELIMIT above
 * RESOLVER_MAX_HOSTS. No hosts is not an error. */
gp_status resolver_resolve(const resolver_set *s, const char *type, const char *selector,
                           const resolver_known *known, resolver_hosts *out,
                           gp_err *err) GP_MUST_CHECK;
/* 0 for "string", whose selectors also mean hosts that nobody here knows by name: behind other
 * aggregators. */
int resolver_names_only(const resolver_set *s, const char *type);

#endif
