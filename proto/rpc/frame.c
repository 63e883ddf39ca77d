/* frame.c - encode and check frame headers and the fixed parts of payloads. */
#include "frame.h"

#include <string.h>

/* Big endian: u8 type, u8 zero, u16 code, u32 stream, u32 length. */
void rpc_head_put(uint8_t out[RPC_FRAME_HEAD], rpc_frame_type type, uint16_t code, uint32_t stream,
                  uint32_t len)
{
    out[0] = (uint8_t)type;
    out[1] = 0;
    gp_put_be16(out + 2, code);
    gp_put_be32(out + 4, stream);
    gp_put_be32(out + 8, len);
}

/* What each type allows: whether it belongs to a stream, and payload bytes. */
static const struct {
    uint32_t min, max;
    uint8_t on_stream; /* 0: stream 0 only, 1: never stream 0, 2: either */
    uint8_t has_code;
} RULES[] = {
    [RPC_F_CALL] = {RPC_CALL_FIXED + 1, RPC_MAX_PAYLOAD, 1, 0},
    [RPC_F_MSG] = {0, RPC_MAX_PAYLOAD, 1, 0},
    [RPC_F_STATUS] = {0, RPC_MAX_STATUS_TEXT, 2, 1},
    [RPC_F_CANCEL] = {0, 0, 1, 0},
    [RPC_F_CREDIT] = {RPC_CREDIT_LEN, RPC_CREDIT_LEN, 1, 0},
    [RPC_F_PING] = {RPC_PING_LEN, RPC_PING_LEN, 0, 0},
    [RPC_F_PONG] = {RPC_PING_LEN, RPC_PING_LEN, 0, 0},
    [RPC_F_GOAWAY] = {RPC_GOAWAY_FIXED, RPC_MAX_SMALL, 0, 1},
};

gp_status rpc_head_parse(const uint8_t in[RPC_FRAME_HEAD], rpc_head *out, gp_err *err)
{
    unsigned type = in[0];
    rpc_head h = {.type = (rpc_frame_type)type,
                  .code = gp_be16(in + 2),
                  .stream = gp_be32(in + 4),
                  .len = gp_be32(in + 8)};
    if (type < RPC_F_CALL || type > RPC_F_GOAWAY || in[1] != 0)
        return gp_fail(err, GP_ECORRUPT, 0, "protocol error: frame of unknown type %u", type);
    if (h.len < RULES[type].min || h.len > RULES[type].max)
        return gp_fail(err, GP_ECORRUPT, 0, "protocol error: frame of type %u with %u bytes", type,
                       h.len);
    if (h.code > (RULES[type].has_code ? RPC_UNAUTHENTICATED : 0))
        return gp_fail(err, GP_ECORRUPT, 0, "protocol error: frame of type %u with code %u", type,
                       h.code);
    if (h.stream > RPC_MAX_STREAM || (RULES[type].on_stream == 0 && h.stream != 0) ||
        (RULES[type].on_stream == 1 && h.stream == 0))
        return gp_fail(err, GP_ECORRUPT, 0, "protocol error: frame of type %u on stream %u", type,
                       h.stream);
    *out = h;
    return GP_OK;
}

gp_status rpc_call_head_parse(const uint8_t *in, size_t in_len, size_t payload_len,
                              rpc_call_head *out, size_t *need, gp_err *err)
{
    *need = RPC_CALL_FIXED;
    if (in_len < RPC_CALL_FIXED)
        return GP_OK;
    size_t n = in[4];
    if (n == 0 || n > RPC_MAX_METHOD || RPC_CALL_FIXED + n > payload_len)
        return gp_fail(err, GP_ECORRUPT, 0, "protocol error: method name of %zu bytes", n);
    *need = RPC_CALL_FIXED + n;
    if (in_len < *need)
        return GP_OK;
    *out = (rpc_call_head){
        .timeout_ms = gp_be32(in), .method = (const char *)in + RPC_CALL_FIXED, .method_len = n};
    return GP_OK;
}

void rpc_text_clean(const uint8_t *in, size_t len, char *out)
{
    if (len > RPC_MAX_STATUS_TEXT)
        len = RPC_MAX_STATUS_TEXT;
    for (size_t i = 0; i < len; i++)
        out[i] = in[i] < ' ' || in[i] == 0x7f ? ' ' : (char)in[i];
    out[len] = 0;
}
