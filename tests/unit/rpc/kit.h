/* kit.h - what the rpc tests share: keys, trust, a server with a few methods. */
#ifndef RPC_TEST_KIT_H
#define RPC_TEST_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gp/bytes.h"
#include "rpc/rpc.h"

#include <stdatomic.h>

typedef struct kit {
    auth_identity *agent, *user, *stranger;
    auth_trust *server_trust, *client_trust;
    rpc_runtime *server, *client;
    char addr[256];
    atomic_int running, cancelled; /* handlers of "block" */
} kit;

/* Keys and trust; the runtimes come from kit_server / kit_client. opts may be NULL. */
void kit_keys(kit *k);
void kit_server(kit *k, const char *addr, const rpc_opts *opts);
void kit_client(kit *k, const rpc_opts *opts);
/* All of it, over tcp on a free port. */
void kit_up(kit *k);
void kit_down(kit *k);

/* Dial k->addr with the client runtime; fails the test on error. */
rpc_conn *kit_dial(kit *k);

/* Methods: "echo" answers with the request; "count" streams n messages of size bytes each (request
 * "n size" as two le32), each filled with its number; "block" runs until cancelled; "fail" ends
 * with NOT_FOUND "no such thing"; "who" answers with the peer's name; "write" needs CONFIG_WRITE;
 * "agents" only serves agents. */
extern const rpc_method KIT_METHODS[];
extern const size_t KIT_N_METHODS;

/* Wait until *v >= want, at most 5 s; 1 if so. */
int kit_wait(atomic_int *v, int want);

#endif
