/* reverse_test.c - host names of addresses, against a small DNS server of our own on loopback. */
#include "lookup_int.h"

#include "test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

static const int64_t SECOND = 1000000000;

/* Answers PTR questions by the first label, which is the last octet (IPv4) or nibble (IPv6):
 * 66 silence, 67 no such name, 251 "single.", 252 three names, otherwise "host-<label>.example." */
typedef struct server {
    int fd;
    char address[32];
    pthread_t thread;
    atomic_int stop, queries;
} server;

/* Append a PTR record of the question's name. */
static size_t add_record(uint8_t *q, size_t end, const char *first, const char *second)
{
    uint8_t *rr = q + end;
    size_t n = strlen(first), at = 12;

    memcpy(rr, (const uint8_t[]){0xC0, 12, 0, 12, 0, 1, 0, 0, 0, 60, 0, 0}, at);
    rr[at++] = (uint8_t)n;
    memcpy(rr + at, first, n);
    at += n;
    n = strlen(second);
    if (n) {
        rr[at++] = (uint8_t)n;
        memcpy(rr + at, second, n);
        at += n;
    }
    rr[at++] = 0;
    rr[11] = (uint8_t)(at - 12);
    q[7]++;
    return end + at;
}

static size_t answer(uint8_t *q, size_t n)
{
    size_t p = 12, len = q[12];
    char label[8] = "";

    if (n < 17 || q[5] != 1 || len >= sizeof label)
        return 0;
    memcpy(label, q + 13, len);
    while (p < n && q[p])
        p += q[p] + 1u;
    size_t end = p + 5;
    if (end > n || strcmp(label, "66") == 0)
        return 0;
    int none = strcmp(label, "67") == 0;
    q[2] = 0x84;
    q[3] = none ? 3 : 0;
    memset(q + 6, 0, 6);
    if (none)
        return end;
    if (strcmp(label, "251") == 0)
        return add_record(q, end, "single", "");
    if (strcmp(label, "252") == 0) {
        end = add_record(q, end, "web", "example");
        end = add_record(q, end, "second", "example");
        return add_record(q, end, "third", "example");
    }
    char host[16];
    (void)snprintf(host, sizeof host, "host-%s", label);
    return add_record(q, end, host, "example");
}

static void *serve(void *arg)
{
    server *s = arg;

    while (!atomic_load(&s->stop)) {
        uint8_t q[512];
        struct sockaddr_in from;
        socklen_t len = sizeof from;
        struct pollfd p = {s->fd, POLLIN, 0};
        if (poll(&p, 1, 20) <= 0)
            continue;
        ssize_t n = recvfrom(s->fd, q, sizeof q - 128, 0, (struct sockaddr *)&from, &len);
        if (n <= 0)
            continue;
        atomic_fetch_add(&s->queries, 1);
        size_t out = answer(q, (size_t)n);
        if (out)
            (void)!sendto(s->fd, q, out, 0, (struct sockaddr *)&from, len);
    }
    return NULL;
}

static void start(server *s)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;

    memset(s, 0, sizeof *s);
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(s->fd >= 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &len), 0);
    (void)snprintf(s->address, sizeof s->address, "127.0.0.1:%u", ntohs(at.sin_port));
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void stop(server *s)
{
    atomic_store(&s->stop, 1);
    pthread_join(s->thread, NULL);
    close(s->fd);
}

static gp_addr addr(const char *text)
{
    gp_addr a = {0};
    assert_true(gp_addr_parse(text, strlen(text), &a));
    return a;
}

/* A late or failed answer leaves the address; what came in time is kept (U34). */
static void test_answers(void **state)
{
    static const struct {
        const char *addr, *name;
    } cases[] = {{"192.0.2.7", "host-7.example."},
                 {"192.0.2.66", NULL},
                 {"192.0.2.67", NULL},
                 {"192.0.2.251", "single."},
                 {"192.0.2.252", "web.example."}, /* the first of three */
                 {"2001:db8::b", "host-b.example."},
                 {"192.0.2.200", "host-200.example."}};
    gp_addr addrs[COUNT(cases)];
    char *names[COUNT(cases)] = {0};
    gp_err err = {0};
    server s;

    (void)state;
    start(&s);
    for (size_t i = 0; i < COUNT(cases); i++)
        addrs[i] = addr(cases[i].addr);
    int64_t t0 = gp_mono_ms();
    want_ok_err(&err, query_reverse_at(s.address, addrs, COUNT(cases), SECOND / 2, names, &err));
    assert_true(gp_mono_ms() - t0 < 5000);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *want = cases[i].name;
        if (want ? !names[i] || strcmp(names[i], want) != 0 : names[i] != NULL)
            fail_msg("%s: got %s, want %s", cases[i].addr, names[i] ? names[i] : "nothing",
                     want ? want : "nothing");
        gp_free(names[i]);
    }
    stop(&s);
}

static void test_nothing(void **state)
{
    gp_addr a[2] = {addr("192.0.2.1")};
    char *names[2] = {NULL, NULL};
    gp_err err = {0};
    server s;

    (void)state;
    start(&s);
    want_ok(query_reverse_at(s.address, a, 0, SECOND, names, &err));
    want_ok(query_reverse_at(s.address, a, 1, 0, names, &err)); /* no time: no question */
    assert_int_equal(atomic_load(&s.queries), 0);
    want_ok(query_reverse_at(s.address, a, 2, SECOND, names, &err)); /* the second is absent */
    assert_string_equal(names[0], "host-1.example.");
    assert_null(names[1]);
    gp_free(names[0]);
    want_status(GP_EINVAL,
                query_reverse_at(s.address, a, (size_t)QUERY_MAX_REVERSE + 1, SECOND, names, &err));
    stop(&s);
}

static void test_many(void **state)
{
    enum { N = 200 };
    gp_addr a[N];
    char *names[N] = {0};
    gp_err err = {0};
    server s;
    unsigned found = 0;

    (void)state;
    start(&s);
    for (unsigned i = 0; i < N; i++) {
        a[i] = addr("198.51.100.0");
        a[i].bytes[3] = (uint8_t)i;
    }
    want_ok(query_reverse_at(s.address, a, N, SECOND, names, &err));
    for (unsigned i = 0; i < N; i++) {
        char want[32];
        (void)snprintf(want, sizeof want, "host-%u.example.", i);
        if (names[i] && strcmp(names[i], want) != 0)
            fail_msg("%u: got %s", i, names[i]);
        found += names[i] != NULL;
        gp_free(names[i]);
    }
    assert_int_equal(found, N - 2);
    stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
