/* rogue.c - handshake and frames over plain blocking sockets, for attacks. */
#include "rogue.h"

#include "auth/hello.h"
#include "gp/mem.h"
#include "gp/num.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int rogue_connect(const char *addr)
{
    const char *colon = strrchr(addr, ':');
    uint64_t port = 0;
    if (!colon || !gp_num_u64(colon + 1, strlen(colon + 1), UINT16_MAX, &port))
        fail_msg("no port in %s", addr);
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval tv = {.tv_sec = 5};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0)
        fail_msg("connect %s: %s", addr, strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static int send_all(int fd, const uint8_t *p, size_t n)
{
    while (n) {
        ssize_t w = send(fd, p, n, MSG_NOSIGNAL);
        if (w <= 0)
            return -1;
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

static int recv_all(int fd, uint8_t *p, size_t n)
{
    while (n) {
        ssize_t r = recv(fd, p, n, 0);
        if (r <= 0)
            return -1;
        p += r;
        n -= (size_t)r;
    }
    return 0;
}

int rogue_send_block(int fd, const void *bytes, size_t n)
{
    uint8_t *b = gp_alloc(n + 2, 1);
    gp_put_be16(b, (uint16_t)n);
    memcpy(b + 2, bytes, n);
    int rv = send_all(fd, b, n + 2);
    gp_free(b);
    return rv;
}

ssize_t rogue_recv_block(int fd, uint8_t *out, size_t cap)
{
    uint8_t len[2];
    if (recv_all(fd, len, 2) != 0)
        return -1;
    size_t n = gp_be16(len);
    if (n > cap || recv_all(fd, out, n) != 0)
        return -1;
    return (ssize_t)n;
}

static void send_hello(rogue *r, const gp_buf *hello)
{
    gp_buf msg = {0};
    assert_int_equal(auth_noise_write(r->noise, hello->data, hello->len, &msg, NULL), GP_OK);
    rogue_send_block(r->fd, msg.data, msg.len);
    gp_buf_free(&msg);
}

static void make_hello(const auth_identity *id, int min, int max, gp_buf *hello)
{
    auth_hello_encode(id, NULL, 0, hello);
    hello->data[4] = (uint8_t)min;
    hello->data[5] = (uint8_t)max;
}

/* The first two messages. */
static void begin(rogue *r, const char *addr, const auth_identity *channel, int min, int max)
{
    uint8_t buf[8192];
    gp_buf hello = {0}, payload = {0};
    *r = (rogue){.fd = rogue_connect(addr)};
    assert_int_equal(auth_noise_new(channel, 1, "fleetprobe-noise-v1", 19, &r->noise, NULL), GP_OK);
    make_hello(NULL, min, max, &hello);
    send_hello(r, &hello);
    ssize_t n = rogue_recv_block(r->fd, buf, sizeof buf);
    assert_true(n > 0);
    assert_int_equal(auth_noise_read(r->noise, buf, (size_t)n, &payload, NULL), GP_OK);
    gp_buf_free(&payload);
    gp_buf_free(&hello);
}

void rogue_open(rogue *r, const char *addr, const auth_identity *id, int min, int max)
{
    gp_buf hello = {0};
    auth_identity *anon = NULL;
    if (!id)
        assert_int_equal(auth_identity_new(AUTH_KIND_USER, "x", &anon, NULL), GP_OK);
    begin(r, addr, id ? id : anon, min, max);
    make_hello(id, min, max, &hello);
    send_hello(r, &hello);
    gp_buf_free(&hello);
    auth_identity_free(anon);
}

void rogue_open_hello(rogue *r, const char *addr, const auth_identity *channel, const gp_buf *hello)
{
    begin(r, addr, channel, 1, 1);
    send_hello(r, hello);
}

void rogue_login(rogue *r, const char *addr, const auth_identity *id)
{
    rpc_head h;
    uint8_t text[RPC_MAX_SMALL];
    rogue_open(r, addr, id, 1, 1);
    assert_int_equal(rogue_recv_frame(r, &h, text), 0);
    assert_int_equal(h.type, RPC_F_STATUS);
    assert_int_equal(h.stream, 0);
    assert_int_equal(h.code, RPC_OK);
}

void rogue_close(rogue *r)
{
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
    auth_noise_free(r->noise);
    r->noise = NULL;
    gp_buf_free(&r->plain);
}

int rogue_send(rogue *r, const void *plain, size_t n)
{
    uint8_t *rec = gp_alloc(n + 16, 1);
    assert_int_equal(auth_noise_encrypt(r->noise, plain, n, rec, NULL), GP_OK);
    int rv = rogue_send_block(r->fd, rec, n + 16);
    gp_free(rec);
    return rv;
}

int rogue_send_frame(rogue *r, int type, int code, uint32_t stream, const void *p, size_t n)
{
    gp_buf b = {0};
    uint8_t head[RPC_FRAME_HEAD];
    int rv = 0;
    rpc_head_put(head, (rpc_frame_type)type, (uint16_t)code, stream, (uint32_t)n);
    gp_buf_add(&b, head, sizeof head);
    if (n)
        gp_buf_add(&b, p, n);
    for (size_t at = 0; at < b.len && rv == 0; at += 60000)
        rv = rogue_send(r, b.data + at, b.len - at < 60000 ? b.len - at : 60000);
    gp_buf_free(&b);
    return rv;
}

int rogue_call(rogue *r, uint32_t stream, const char *method, const void *req, size_t n)
{
    gp_buf b = {0};
    uint8_t head[RPC_CALL_FIXED] = {0};
    head[4] = (uint8_t)strlen(method);
    gp_buf_add(&b, head, sizeof head);
    gp_buf_adds(&b, method);
    if (n)
        gp_buf_add(&b, req, n);
    int rv = rogue_send_frame(r, RPC_F_CALL, 0, stream, b.data, b.len);
    gp_buf_free(&b);
    return rv;
}

/* Have at least n plain bytes. */
static int need(rogue *r, size_t n)
{
    static _Thread_local uint8_t rec[65536];
    while (r->plain.len < n) {
        ssize_t got = rogue_recv_block(r->fd, rec, sizeof rec);
        if (got < 16 || auth_noise_decrypt(r->noise, rec, (size_t)got, rec, NULL) != GP_OK)
            return -1;
        gp_buf_add(&r->plain, rec, (size_t)got - 16);
    }
    return 0;
}

int rogue_recv_frame(rogue *r, rpc_head *h, uint8_t *out)
{
    if (need(r, RPC_FRAME_HEAD) != 0)
        return -1;
    assert_int_equal(rpc_head_parse(r->plain.data, h, NULL), GP_OK);
    size_t all = RPC_FRAME_HEAD + h->len;
    if (need(r, all) != 0)
        return -1;
    memcpy(out, r->plain.data + RPC_FRAME_HEAD, h->len);
    memmove(r->plain.data, r->plain.data + all, r->plain.len - all);
    r->plain.len -= all;
    return 0;
}

int rogue_is_closed(rogue *r)
{
    uint8_t buf[65536];
    for (int i = 0; i < 10000; i++) {
        ssize_t n = recv(r->fd, buf, sizeof buf, 0);
        if (n == 0 || (n < 0 && errno == ECONNRESET))
            return 1;
        if (n < 0)
            return 0;
    }
    return 0;
}
