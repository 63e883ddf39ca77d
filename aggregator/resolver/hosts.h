/* hosts.h - lists of host IDs; private to the room. */
#ifndef RESOLVER_HOSTS_H
#define RESOLVER_HOSTS_H

#include "resolver/resolver.h"

/* Can a host be called so? The selector grammar keeps some characters to itself. */
int resolver_is_host(const char *name);
/* Append a copy. */
gp_status resolver_hosts_add(resolver_hosts *h, const char *name, gp_err *err) GP_MUST_CHECK;
/* Sort bytewise, drop duplicates. */
void resolver_hosts_sort(resolver_hosts *h);
/* Drop those for which keep(ctx, name) is 0. */
void resolver_hosts_filter(resolver_hosts *h, int (*keep)(void *ctx, const char *name), void *ctx);

#endif
