/* info.h - the small unary messages: hosts behind a selector, who answers here, interfaces. */
#ifndef WIRE_INFO_H
#define WIRE_INFO_H

#include "gp/bytes.h"
#include "gp/err.h"
#include "wire/limits.h"

typedef struct wire_host_info {
    const char *host, *state, *address, *detail, *software;
    int64_t rtt_us;  /* -1 = unknown */
    int64_t since_s; /* Unix seconds, 0 = unknown */
} wire_host_info;

void wire_put_hosts_request(gp_buf *out, const char *selector, const char *resolver);
/* *selector and *resolver: new strings, gp_free(). */
gp_status wire_hosts_request_decode(const void *bytes, size_t len, char **selector, char **resolver,
                                    gp_err *err) GP_MUST_CHECK;
void wire_put_hosts(gp_buf *out, const wire_host_info *v, size_t n);
/* A long list comes in several messages: appends to *out, *n and *owner, which start as NULL, 0,
 * NULL and go to wire_hosts_free() in any case. */
gp_status wire_hosts_decode(const void *bytes, size_t len, wire_host_info **out, size_t *n,
                            void **owner, gp_err *err) GP_MUST_CHECK;
void wire_hosts_free(wire_host_info *v, void *owner);

typedef struct wire_info {
    uint32_t protocol, queries_running;
    const char *software, *kind, *host, *host_id;
    int64_t started_s;
} wire_info;
void wire_put_info(gp_buf *out, const wire_info *i);
gp_status wire_info_decode(const void *bytes, size_t len, wire_info *out, void **owner,
                           gp_err *err) GP_MUST_CHECK;
void wire_info_free(void *owner);

void wire_put_ifaces(gp_buf *out, const char *const *ifaces, size_t n);
gp_status wire_ifaces_decode(const void *bytes, size_t len, char *const **out, size_t *n,
                             void **owner, gp_err *err) GP_MUST_CHECK;
void wire_ifaces_free(void *owner);

#endif
