/* server.c - a small server for the client in Python: KEYFILE TRUSTED_KEYS; prints its address,
 * ends when its input closes. */
#include "gp/mem.h"
#include "rpc/rpc.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static rpc_code echo(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text)
{
    (void)ctx, (void)text;
    return rpc_code_from_status(rpc_stream_send(s, req, len, NULL));
}

/* Request: u32 n, u32 size (little endian); n messages of size bytes, each of its number. */
static rpc_code count(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text)
{
    (void)ctx, (void)text;
    if (len != 8 || gp_le32(req + 4) > RPC_MAX_PAYLOAD)
        return RPC_INVALID_ARGUMENT;
    uint32_t n = gp_le32(req), size = gp_le32(req + 4);
    uint8_t *msg = gp_alloc(size + 1, 1);
    gp_status st = msg ? GP_OK : GP_ENOMEM;
    for (uint32_t i = 0; i < n && st == GP_OK; i++) {
        memset(msg, (int)(i & 255), size);
        st = rpc_stream_send(s, msg, size, NULL);
    }
    gp_free(msg);
    return rpc_code_from_status(st);
}

static const rpc_method METHODS[] = {
    {"echo", echo, RPC_MAX_PAYLOAD, 0, 0, NULL},
    {"count", count, 64, 0, 0, NULL},
    {"write", echo, 64, 0, AUTH_ROLE_CONFIG_WRITE, NULL},
};

int main(int argc, char **argv)
{
    auth_identity *id = NULL;
    auth_trust *trust = NULL;
    rpc_runtime *rt = NULL;
    gp_err err = {0};
    char bound[256], c;
    rpc_opts o = {0};
    if (argc != 3 || auth_identity_load(argv[1], &id, &err) || auth_trust_new(&trust, &err) ||
        auth_trust_load(trust, argv[2], &err)) {
        fprintf(stderr, "server: %s\n", err.msg);
        return 1;
    }
    o.identity = id;
    o.trust = trust;
    if (rpc_runtime_new(&o, &rt, &err) ||
        rpc_listen(rt, "tcp://127.0.0.1:0", METHODS, GP_COUNT(METHODS), NULL, bound, sizeof bound,
                   &err)) {
        fprintf(stderr, "server: %s\n", err.msg);
        return 1;
    }
    printf("%s\n", bound);
    fflush(stdout);
    while (read(STDIN_FILENO, &c, 1) > 0)
        ;
    rpc_runtime_free(rt, 100);
    auth_trust_free(trust);
    auth_identity_free(id);
    return 0;
}
