/* table.h - the endpoint table: which host answers where (fleet.md 3). */
#ifndef FLEET_TABLE_H
#define FLEET_TABLE_H

#include "auth/keys.h"
#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>

#define FLEET_DIAL_IN "dial-in" /* address of hosts that connect to us (behind NAT) */

enum { FLEET_MAX_HOSTS = 65536, FLEET_MAX_GROUPS = 64 };

/* One entry of the file:
 *   fw1.zrh:
 *     addr: 10.0.0.7:8145          host:port, tcp://host:port, unix:/path, ipc:///path, or
 *                                  dial-in: the host connects to us
 *     timeout: 15s                 whole answer of this host (default 30m)
 *     name: fw1.zrh                identity it must show (default: the host ID)
 *     kind: agent                  or aggregator
 *     hosts: "zrh-*"               aggregator: which hosts are reached through it
 *     groups: [zrh, dmz]           for "@zrh" in selectors
 *     disabled: false              keep the entry, never connect; asked when named only
 * scheme, key and log of the reference are read; key has no meaning here (the peer proves its
 * identity). */
typedef struct fleet_endpoint {
    const char *id;    /* host ID: the key of the map */
    const char *addr;  /* normalised: tcp://..., ipc://... or FLEET_DIAL_IN */
    const char *name;  /* expected identity */
    const char *hosts; /* NULL for agents */
    const char *const *groups;
    size_t n_groups;
    int64_t timeout_ms;
    auth_kind kind; /* AUTH_KIND_AGENT or AUTH_KIND_AGGREGATOR */
    int log, disabled;
    unsigned line; /* in the file */
} fleet_endpoint;

/* Read-only after loading; threads may share one. */
typedef struct fleet_table fleet_table;

/* Errors name file, line and key. */
gp_status fleet_table_load(const char *path, fleet_table **out, gp_err *err) GP_MUST_CHECK;
gp_status fleet_table_parse(const char *name, const void *text, size_t len, fleet_table **out,
                            gp_err *err) GP_MUST_CHECK;
void fleet_table_free(fleet_table *t);

size_t fleet_table_count(const fleet_table *t);
const fleet_endpoint *fleet_table_at(const fleet_table *t, size_t i); /* byte order of ids */
const fleet_endpoint *fleet_table_find(const fleet_table *t, const char *id); /* NULL = unknown */
/* By id, else by name: the identity is what agents call themselves and what results show. Of two
 * entries of one name the first by id. NULL = unknown. */
const fleet_endpoint *fleet_table_lookup(const fleet_table *t, const char *host);

#endif
