/* rogue.h - a client over plain sockets that speaks the protocol as badly as a test wants. */
#ifndef RPC_TEST_ROGUE_H
#define RPC_TEST_ROGUE_H

#include "auth/noise.h"
#include "frame.h"
#include "kit.h"

#include <sys/types.h>

typedef struct rogue {
    int fd; /* -1: none */
    auth_noise *noise;
    gp_buf plain; /* received, not yet read as frames */
} rogue;

/* A TCP connection to "tcp://127.0.0.1:PORT" with receive time-out; fails the test on error. */
int rogue_connect(const char *addr);
/* One record or handshake message with its length; 0 on success. */
int rogue_send_block(int fd, const void *bytes, size_t n);
/* n <= cap bytes of the next one, -1 when the other end closed or nothing came for 5 s. */
ssize_t rogue_recv_block(int fd, uint8_t *out, size_t cap);

/* Connect and shake hands as id (NULL: anonymous) with these versions in the hello. Does not read
 * the welcome. */
void rogue_open(rogue *r, const char *addr, const auth_identity *id, int min, int max);
/* Like rogue_open(), with these bytes as the hello of the third message; channel: whose key the
 * channel has. */
void rogue_open_hello(rogue *r, const char *addr, const auth_identity *channel,
                      const gp_buf *hello);
/* rogue_open() up to and with the welcome, which must be OK. */
void rogue_login(rogue *r, const char *addr, const auth_identity *id);
void rogue_close(rogue *r);

/* Plain bytes as one record. 0 on success. */
int rogue_send(rogue *r, const void *plain, size_t n);
int rogue_send_frame(rogue *r, int type, int code, uint32_t stream, const void *p, size_t n);
int rogue_call(rogue *r, uint32_t stream, const char *method, const void *req, size_t n);
/* Next frame; payload of at most RPC_MAX_PAYLOAD bytes into out. -1 when the connection is over. */
int rogue_recv_frame(rogue *r, rpc_head *h, uint8_t *out);
/* 1 when the other end closes within 5 s, whatever it sends before. */
int rogue_is_closed(rogue *r);

#endif
