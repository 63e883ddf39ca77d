/* kinds.h - the kinds of resolvers; private to the room. */
#ifndef RESOLVER_KINDS_H
#define RESOLVER_KINDS_H

#include "hosts.h"
#include "wire/selector.h"

/* One configured resolver. State is read-only after open, so that queries may share it. */
typedef struct resolver_kind {
    const char *type;
    /* config: path of its file, "" = none. */
    gp_status (*open)(const char *config, void **state, gp_err *err);
    gp_status (*resolve)(const void *state, const char *selector, const resolver_known *known,
                         resolver_hosts *out, gp_err *err);
    void (*close)(void *state);
} resolver_kind;

extern const resolver_kind resolver_string, resolver_static, resolver_file, resolver_dns,
    resolver_command;

/* The selector grammar over a set of known hosts: what all kinds but static and command use. */
gp_status resolver_select(const char *selector, const resolver_known *known, resolver_hosts *out,
                          gp_err *err) GP_MUST_CHECK;

#endif
