/* throttle.c - one thread, non-blocking sockets with small buffers, a look every TICK_MS. */
#include "throttle.h"

#include "gp/clock.h"
#include "gp/mem.h"
#include "gp/num.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TICK_MS = 2, MAX_CONNS = 64, BUFFER = 16384, SOCKET_BUFFER = 4096 };

struct way {
    int from, to;
    int down, ended;
    uint8_t buf[BUFFER];
    size_t len, off;
    double allowed; /* bytes that may be read now */
};

struct throttle {
    int fd;
    struct sockaddr_in to;
    pthread_t thread;
    int has_thread;
    atomic_int stop;
    atomic_uint rate[2]; /* up, down */
    atomic_uint_fast64_t down;
    struct way *way[2 * MAX_CONNS]; /* pairs */
    size_t n;
};

/* Small, so that what waits does so at the sender. */
static void shrink(int fd)
{
    int size = SOCKET_BUFFER;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

static void take_conn(throttle *t)
{
    int a = accept4(t->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (a < 0)
        return;
    int b = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (b >= 0)
        shrink(b);
    struct way *up = gp_calloc(1, sizeof *up), *down = gp_calloc(1, sizeof *down);
    if (b < 0 || !up || !down || t->n == 2 * MAX_CONNS ||
        connect(b, (const struct sockaddr *)&t->to, sizeof t->to) != 0) {
        close(a);
        if (b >= 0)
            close(b);
        gp_free(up);
        gp_free(down);
        return;
    }
    up->from = down->to = a;
    up->to = down->from = b;
    down->down = 1;
    t->way[t->n++] = up;
    t->way[t->n++] = down;
}

static int would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* One read and one write; 0 when nothing moved. */
static int step(throttle *t, struct way *w)
{
    int moved = 0;
    if (w->len == w->off && w->allowed >= 1) {
        size_t room = w->allowed < BUFFER ? (size_t)w->allowed : BUFFER;
        ssize_t r = recv(w->from, w->buf, room, MSG_DONTWAIT);
        w->ended = r == 0 || (r < 0 && !would_block());
        w->len = r > 0 ? (size_t)r : 0;
        w->off = 0;
        w->allowed -= (double)w->len;
        moved = r > 0;
    }
    if (w->off < w->len) {
        ssize_t s = send(w->to, w->buf + w->off, w->len - w->off, MSG_DONTWAIT | MSG_NOSIGNAL);
        w->ended |= s < 0 && !would_block();
        w->off += s > 0 ? (size_t)s : 0;
        if (s > 0 && w->down)
            atomic_fetch_add(&t->down, (uint64_t)s);
        moved |= s > 0;
    }
    return moved && !w->ended;
}

static void drop_pair(throttle *t, size_t i)
{
    close(t->way[i]->from);
    close(t->way[i]->to);
    gp_free(t->way[i]);
    gp_free(t->way[i + 1]);
    t->n -= 2;
    t->way[i] = t->way[t->n];
    t->way[i + 1] = t->way[t->n + 1];
}

static void *relay(void *arg)
{
    throttle *t = arg;
    int64_t last = gp_mono_ns();
    while (!atomic_load(&t->stop)) {
        struct pollfd pf = {.fd = t->fd, .events = POLLIN};
        if (poll(&pf, 1, TICK_MS) > 0)
            take_conn(t);
        int64_t now = gp_mono_ns();
        for (size_t i = 0; i < t->n; i++) {
            struct way *w = t->way[i];
            unsigned rate = atomic_load(&t->rate[w->down]);
            if (rate == 0)
                w->allowed = 1 << 20;
            else if (w->allowed < BUFFER)
                w->allowed += (double)rate * (double)(now - last) / 1e9;
            while (step(t, w))
                ;
        }
        last = now;
        for (size_t i = 0; i < t->n;) {
            if (t->way[i]->ended || t->way[i + 1]->ended)
                drop_pair(t, i);
            else
                i += 2;
        }
    }
    return NULL;
}

static gp_status open_port(throttle *t, const char *to, char *addr, size_t cap, gp_err *err)
{
    const char *port = strrchr(to, ':');
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    uint64_t v;
    if (!port || !gp_num_u64(port + 1, strlen(port + 1), 65535, &v))
        return gp_fail(err, GP_EINVAL, 0, "throttle: %s", to);
    t->to = a;
    t->to.sin_port = htons((uint16_t)v);
    t->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (t->fd < 0)
        return gp_fail(err, GP_EIO, errno, "throttle: socket");
    shrink(t->fd); /* connections inherit it */
    if (bind(t->fd, (const struct sockaddr *)&a, sizeof a) != 0 || listen(t->fd, MAX_CONNS) != 0 ||
        getsockname(t->fd, (struct sockaddr *)&a, &n) != 0)
        return gp_fail(err, GP_EIO, errno, "throttle: listen");
    snprintf(addr, cap, "tcp://127.0.0.1:%u", ntohs(a.sin_port));
    return GP_OK;
}

gp_status throttle_new(const char *to, unsigned up, unsigned down, throttle **out, char *addr,
                       size_t cap, gp_err *err)
{
    throttle *t = gp_calloc(1, sizeof *t);
    if (!t)
        return gp_fail(err, GP_ENOMEM, 0, "throttle: out of memory");
    t->fd = -1;
    throttle_rates(t, up, down);
    gp_status st = open_port(t, to, addr, cap, err);
    if (st == GP_OK && pthread_create(&t->thread, NULL, relay, t) != 0)
        st = gp_fail(err, GP_ENOMEM, 0, "throttle: no thread");
    t->has_thread = st == GP_OK;
    if (st != GP_OK) {
        throttle_free(t);
        return st;
    }
    *out = t;
    return GP_OK;
}

void throttle_free(throttle *t)
{
    if (!t)
        return;
    atomic_store(&t->stop, 1);
    if (t->has_thread)
        pthread_join(t->thread, NULL);
    while (t->n)
        drop_pair(t, 0);
    if (t->fd >= 0)
        close(t->fd);
    gp_free(t);
}

void throttle_rates(throttle *t, unsigned up, unsigned down)
{
    atomic_store(&t->rate[0], up);
    atomic_store(&t->rate[1], down);
}

uint64_t throttle_down(const throttle *t)
{
    return atomic_load(&t->down);
}
