/* dnsserver.c - a DNS server of a few fixed records on a loopback port. */
#include "dnsserver.h"

#include "gp/bytes.h"
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>

struct dnsserver {
    int fd;
    int stop;
    pthread_t thread;
};

/* Labels of the question as dotted text; returns the bytes they take, 0 if malformed. */
static size_t read_name(const uint8_t *p, size_t len, char *out, size_t cap)
{
    size_t at = 0, n = 0;
    while (at < len && p[at]) {
        size_t k = p[at++];
        if (k > 63 || at + k > len || n + k + 2 > cap)
            return 0;
        if (n)
            out[n++] = '.';
        memcpy(out + n, p + at, k);
        n += k;
        at += k;
    }
    out[n] = 0;
    return at + 1;
}

static void put_name(gp_buf *b, const char *name)
{
    while (*name) {
        size_t n = strcspn(name, ".");
        gp_buf_addc(b, (char)n);
        gp_buf_add(b, name, n);
        name += n + (name[n] == '.');
    }
    gp_buf_addc(b, 0);
}

static void put16(gp_buf *b, unsigned v)
{
    gp_buf_addc(b, (char)(v >> 8));
    gp_buf_addc(b, (char)v);
}

/* One record; the name is a pointer to the question. */
static void put_record(gp_buf *b, unsigned type, const gp_buf *data)
{
    put16(b, 0xc00c);
    put16(b, type);
    put16(b, 1);
    put16(b, 0);
    put16(b, 60);
    put16(b, (unsigned)data->len);
    gp_buf_add(b, data->data, data->len);
}

static unsigned put_answers(gp_buf *b, const char *name, unsigned type)
{
    unsigned n = 0;
    gp_buf d = {0};
    if (type == 33 && strcasecmp(name, "_goprobe._tcp.zrh.test") == 0) {
        static const char *const hosts[] = {"fw1.zrh.test", "fw2.zrh.test"};
        for (; n < 2; n++) {
            gp_buf_clear(&d);
            put16(&d, 1);
            put16(&d, 1);
            put16(&d, 8145);
            put_name(&d, hosts[n]);
            put_record(b, 33, &d);
        }
    } else if (type == 1 && strcasecmp(name, "pool.zrh.test") == 0) {
        for (; n < 2; n++) {
            gp_buf_clear(&d);
            gp_buf_add(&d, n ? "\x0a\0\0\x09" : "\x0a\0\0\x01", 4);
            put_record(b, 1, &d);
        }
    } else if (type == 28 && strcasecmp(name, "pool6.zrh.test") == 0) {
        for (; n < 2; n++) {
            static const uint8_t addr[16] = {0xfd, [15] = 1};
            gp_buf_clear(&d);
            gp_buf_add(&d, addr, sizeof addr);
            d.data[15] = (uint8_t)(n ? 9 : 1);
            put_record(b, 28, &d);
        }
    }
    gp_buf_free(&d);
    return n;
}

static void answer(int fd, const uint8_t *q, size_t len, const struct sockaddr_in *to)
{
    char name[256];
    gp_buf b = {0};
    if (len < 17)
        return;
    size_t n = read_name(q + 12, len - 12, name, sizeof name);
    if (n == 0 || 12 + n + 4 > len || strcasecmp(name, "silent.zrh.test") == 0)
        return;
    unsigned type = gp_be16(q + 12 + n);
    gp_buf_add(&b, q, 12 + n + 4);
    unsigned count = put_answers(&b, name, type);
    int exists = count || strncasecmp(name, "pool", 4) == 0;
    b.data[2] = 0x85; /* an authoritative answer */
    b.data[3] = exists ? 0x80 : 0x83;
    gp_put_be16(b.data + 4, 1);
    gp_put_be16(b.data + 6, (uint16_t)count);
    gp_put_be32(b.data + 8, 0);
    sendto(fd, b.data, b.len, 0, (const struct sockaddr *)to, sizeof *to);
    gp_buf_free(&b);
}

static void *serve(void *arg)
{
    dnsserver *s = arg;
    while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE)) {
        uint8_t q[1500];
        struct sockaddr_in from;
        socklen_t n = sizeof from;
        ssize_t len = recvfrom(s->fd, q, sizeof q, 0, (struct sockaddr *)&from, &n);
        if (len > 0)
            answer(s->fd, q, (size_t)len, &from);
    }
    return NULL;
}

dnsserver *dnsserver_start(uint16_t *port)
{
    dnsserver *s = gp_calloc(1, sizeof *s);
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof a;
    struct timeval tv = {.tv_usec = 50000};
    assert_non_null(s);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &n), 0);
    *port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
    return s;
}

void dnsserver_stop(dnsserver *s)
{
    __atomic_store_n(&s->stop, 1, __ATOMIC_RELEASE);
    pthread_join(s->thread, NULL);
    close(s->fd);
    gp_free(s);
}
