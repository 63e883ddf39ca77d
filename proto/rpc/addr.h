/* addr.h - addresses as users write them: "tcp://host:port", "tcp://[::1]:5151", "ipc:///path". */
#ifndef RPC_ADDR_H
#define RPC_ADDR_H

#include "bounds.h"
#include "gp/err.h"
#include "transport.h"

typedef struct rpc_addr {
    int ipc, numeric; /* numeric: needs no name lookup; always set for ipc */
    char host[RPC_ADDR_MAX], port[8];
    char text[RPC_ADDR_MAX]; /* for the transport, when numeric */
} rpc_addr;

/* GP_EINVAL with a text that says what was expected. Does not look anything up. listening: an empty
 * host or "*" means every IPv4 address, and port 0 is fine. */
gp_status rpc_addr_parse(const char *s, int listening, rpc_addr *out, gp_err *err) GP_MUST_CHECK;

/* Look the name up (blocks, maybe for many seconds): at most MAX_ADDRS numeric transport addresses.
 */
gp_status rpc_addr_resolve(const rpc_addr *a, char out[MAX_ADDRS][RPC_ADDR_MAX], size_t *n,
                           gp_err *err) GP_MUST_CHECK;

#endif
