/* frame.h - frames inside the channel: 12-byte header and small payloads (docs/protocol.md). No
 * I/O. */
#ifndef RPC_FRAME_H
#define RPC_FRAME_H

#include "rpc/rpc.h"

typedef enum rpc_frame_type {
    RPC_F_CALL = 1,
    RPC_F_MSG = 2,
    RPC_F_STATUS = 3, /* stream 0: answer to the handshake */
    RPC_F_CANCEL = 4,
    RPC_F_CREDIT = 5,
    RPC_F_PING = 6,
    RPC_F_PONG = 7,
    RPC_F_GOAWAY = 8,
} rpc_frame_type;

enum {
    RPC_FRAME_HEAD = 12,
    RPC_CALL_FIXED = 5, /* u32 time-out in ms, u8 length of the method name */
    RPC_PING_LEN = 8,
    RPC_CREDIT_LEN = 4,
    RPC_GOAWAY_FIXED = 4,  /* u32 last stream that will be served */
    RPC_MSG_OVERHEAD = 64, /* credit that a message costs on top of its bytes */
    RPC_MAX_SMALL = RPC_GOAWAY_FIXED + RPC_MAX_STATUS_TEXT, /* payload of all but CALL and MSG */
};
#define RPC_MAX_STREAM 0x7fffffffu
#define RPC_MAX_CREDIT (1 << 30) /* a peer that grants more breaks the protocol */

typedef struct rpc_head {
    rpc_frame_type type;
    uint16_t code; /* STATUS and GOAWAY: rpc_code; else 0 */
    uint32_t stream;
    uint32_t len; /* bytes of payload, checked against the limit of the type */
} rpc_head;

void rpc_head_put(uint8_t out[RPC_FRAME_HEAD], rpc_frame_type type, uint16_t code, uint32_t stream,
                  uint32_t len);
/* Untrusted header. GP_ECORRUPT with a text unless type, code, stream and length are within the
 * protocol. */
gp_status rpc_head_parse(const uint8_t in[RPC_FRAME_HEAD], rpc_head *out,
                         gp_err *err) GP_MUST_CHECK;

/* Fixed part and method of a CALL. Sets *need to the bytes needed (5 + name) as soon as in_len >=
 * 5; returns GP_OK and fills the rest only when in_len >= *need. *method is borrowed from in. */
typedef struct rpc_call_head {
    uint32_t timeout_ms; /* 0 = none */
    const char *method;  /* not terminated */
    size_t method_len;
} rpc_call_head;
gp_status rpc_call_head_parse(const uint8_t *in, size_t in_len, size_t payload_len,
                              rpc_call_head *out, size_t *need, gp_err *err) GP_MUST_CHECK;

/* Text from a peer for a person: at most RPC_MAX_STATUS_TEXT bytes, control characters become
 * blanks. out holds RPC_MAX_STATUS_TEXT + 1. */
void rpc_text_clean(const uint8_t *in, size_t len, char *out);

#endif
