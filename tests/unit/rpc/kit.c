/* kit.c - keys, trust and a small server for the rpc tests. */
#include "kit.h"

#include "gp/mem.h"

#include <string.h>
#include <time.h>

void kit_keys(kit *k)
{
    gp_err err = {0};
    gp_buf text = {0};
    *k = (kit){0};
    if (auth_identity_new(AUTH_KIND_AGENT, "fw-1", &k->agent, &err) ||
        auth_identity_new(AUTH_KIND_USER, "alice", &k->user, &err) ||
        auth_identity_new(AUTH_KIND_USER, "mallory", &k->stranger, &err) ||
        auth_trust_new(&k->server_trust, &err) || auth_trust_new(&k->client_trust, &err))
        fail_msg("%s", err.msg);
    auth_trust_entry(k->user, "roles=query,status", &text);
    if (auth_trust_parse(k->server_trust, gp_buf_str(&text), text.len, &err))
        fail_msg("%s", err.msg);
    gp_buf_clear(&text);
    auth_trust_entry(k->agent, NULL, &text);
    if (auth_trust_parse(k->client_trust, gp_buf_str(&text), text.len, &err))
        fail_msg("%s", err.msg);
    gp_buf_free(&text);
}

static rpc_code echo(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text)
{
    (void)ctx, (void)text;
    return rpc_code_from_status(rpc_stream_send(s, req, len, NULL));
}

static rpc_code count(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text)
{
    (void)ctx;
    if (len != 8)
        return RPC_INVALID_ARGUMENT;
    uint32_t n = gp_le32(req), size = gp_le32(req + 4);
    uint8_t *msg = gp_alloc(size + 1, 1);
    gp_status st = msg ? GP_OK : GP_ENOMEM;
    gp_err err = {0};
    for (uint32_t i = 0; i < n && st == GP_OK; i++) {
        memset(msg, (int)(i & 0xff), size);
        if (size >= 4)
            gp_put_le32(msg, i);
        st = rpc_stream_send(s, msg, size, &err);
    }
    gp_free(msg);
    gp_buf_adds(text, st ? err.msg : "done");
    return rpc_code_from_status(st);
}

static rpc_code block(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text)
{
    (void)req, (void)len, (void)text;
    kit *k = ctx;
    atomic_fetch_add(&k->running, 1);
    gp_status st = rpc_stream_wait(s, GP_NEVER);
    atomic_fetch_add(&k->cancelled, 1);
    return rpc_code_from_status(st);
}

static rpc_code not_found(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text)
{
    (void)ctx, (void)s, (void)req, (void)len;
    gp_buf_adds(text, "no such thing");
    return RPC_NOT_FOUND;
}

static rpc_code who(void *ctx, rpc_stream *s, const uint8_t *req, size_t len, gp_buf *text)
{
    (void)ctx, (void)req, (void)len, (void)text;
    const char *name = rpc_stream_peer(s)->name;
    return rpc_code_from_status(rpc_stream_send(s, name, strlen(name), NULL));
}

const rpc_method KIT_METHODS[] = {
    {"echo", echo, RPC_MAX_PAYLOAD, 0, AUTH_ROLE_QUERY, NULL},
    {"count", count, 64, 0, 0, NULL},
    {"block", block, 64, 0, 0, NULL},
    {"fail", not_found, 64, 0, 0, NULL},
    {"who", who, 64, 0, 0, NULL},
    {"write", echo, 64, 0, AUTH_ROLE_CONFIG_WRITE, NULL},
    {"agents", echo, 64, 1u << AUTH_KIND_AGENT, 0, NULL},
};
const size_t KIT_N_METHODS = GP_COUNT(KIT_METHODS);

void kit_server(kit *k, const char *addr, const rpc_opts *opts)
{
    gp_err err = {0};
    rpc_opts o = opts ? *opts : (rpc_opts){0};
    o.identity = k->agent;
    o.trust = k->server_trust;
    if (rpc_runtime_new(&o, &k->server, &err) ||
        rpc_listen(k->server, addr, KIT_METHODS, KIT_N_METHODS, k, k->addr, sizeof k->addr, &err))
        fail_msg("%s", err.msg);
}

void kit_client(kit *k, const rpc_opts *opts)
{
    gp_err err = {0};
    rpc_opts o = opts ? *opts : (rpc_opts){.identity = k->user};
    o.trust = k->client_trust;
    if (rpc_runtime_new(&o, &k->client, &err))
        fail_msg("%s", err.msg);
}

void kit_up(kit *k)
{
    kit_keys(k);
    kit_server(k, "tcp://127.0.0.1:0", NULL);
    kit_client(k, NULL);
}

void kit_down(kit *k)
{
    rpc_runtime_free(k->client, 0);
    rpc_runtime_free(k->server, 0);
    auth_trust_free(k->server_trust);
    auth_trust_free(k->client_trust);
    auth_identity_free(k->agent);
    auth_identity_free(k->user);
    auth_identity_free(k->stranger);
}

rpc_conn *kit_dial(kit *k)
{
    gp_err err = {0};
    rpc_conn *c = NULL;
    rpc_dial_opts o = {.addr = k->addr, .deadline = gp_deadline_in_ms(5000)};
    if (rpc_dial(k->client, &o, &c, &err))
        fail_msg("dial %s: %s", k->addr, err.msg);
    return c;
}

int kit_wait(atomic_int *v, int want)
{
    for (int i = 0; i < 5000 && atomic_load(v) < want; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return atomic_load(v) >= want;
}
