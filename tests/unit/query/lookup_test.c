/* lookup_test.c - name lookup against a small DNS server of our own on loopback. */
#include "lookup_int.h"

#include "gp/bytes.h"
#include "gp/clock.h"
#include "test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

static const int64_t SECOND = 1000000000;

/* A DNS server that answers names by their first letter:
 *   a...  192.0.2.<length of the first label>     b... the same and 2001:db8::<length>
 *   x...  no such name                            s... silence
 */
typedef struct server {
    int fd;
    char address[32]; /* "127.0.0.1:port" */
    pthread_t thread;
    atomic_int stop, queries;
} server;

/* Answer to one query of n bytes in q (512 bytes): its new length, 0 = none. */
static size_t answer(uint8_t *q, size_t n)
{
    size_t p = 12, first = q[12];

    if (n < 17 || q[5] != 1)
        return 0;
    uint8_t kind = q[13];
    while (p < n && q[p])
        p += q[p] + 1u;
    size_t end = p + 5;
    if (end > n || kind == 's')
        return 0;
    unsigned type = (unsigned)q[p + 1] << 8 | q[p + 2];
    int v4 = type == 1 && kind != 'x', v6 = type == 28 && kind == 'b';
    q[2] = 0x84; /* answer, authoritative */
    q[3] = kind == 'x' ? 3 : 0;
    memset(q + 6, 0, 6);
    q[7] = v4 || v6;
    if (v4 || v6) {
        uint8_t rr[28] = {0xC0, 12, 0, (uint8_t)type, 0, 1, 0, 0, 0, 60, 0, v4 ? 4 : 16};
        static const uint8_t a4[3] = {192, 0, 2}, a6[4] = {0x20, 0x01, 0x0d, 0xb8};
        memcpy(rr + 12, v4 ? a4 : a6, v4 ? sizeof a4 : sizeof a6);
        rr[v4 ? 15 : 27] = (uint8_t)first;
        memcpy(q + end, rr, v4 ? 16 : 28);
        end += v4 ? 16 : 28;
    }
    return end;
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
        ssize_t n = recvfrom(s->fd, q, sizeof q - 64, 0, (struct sockaddr *)&from, &len);
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

static void free_addrs(query_addrs *a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        gp_free(a[i].v);
    memset(a, 0, n * sizeof *a);
}

static void test_answers(void **state)
{
    static const char *const names[] = {"a.example.", "bbb.example.", "aa.example."};
    query_addrs out[3] = {{0}};
    char text[GP_ADDR_STRLEN];
    gp_err err = {0};
    server s;

    (void)state;
    start(&s);
    want_ok_err(&err, query_lookup_at(s.address, names, 3, 5 * SECOND, out, &err));
    assert_int_equal(out[0].n, 1);
    gp_addr_format(&out[0].v[0], text, sizeof text);
    assert_string_equal(text, "192.0.2.1");
    assert_int_equal(out[1].n, 2);
    for (size_t i = 0; i < 2; i++) {
        gp_addr_format(&out[1].v[i], text, sizeof text);
        assert_string_equal(text, out[1].v[i].family == 4 ? "192.0.2.3" : "2001:db8::3");
    }
    assert_int_equal(out[2].n, 1);
    free_addrs(out, 3);
    stop(&s);
}

static void test_no_such_name(void **state)
{
    static const char *const names[] = {"a.example.", "x.example."};
    query_addrs out[2] = {{0}};
    gp_err err = {0};
    server s;

    (void)state;
    start(&s);
    want_err(GP_ENOTFOUND, &err, "could not resolve \"x.example.\"",
             query_lookup_at(s.address, names, 2, 5 * SECOND, out, &err));
    free_addrs(out, 2);
    stop(&s);
}

/* One silent name: the call ends at the limit, not later, and says so. */
static void test_limit(void **state)
{
    static const char *const names[] = {"a.example.", "silent.example."};
    query_addrs out[2] = {{0}};
    gp_err err = {0};
    server s;

    (void)state;
    start(&s);
    int64_t from = gp_mono_ms();
    want_status(GP_EDEADLINE, query_lookup_at(s.address, names, 2, SECOND, out, &err));
    int64_t took = gp_mono_ms() - from;
    assert_in_range(took, 900, 2500); /* c-ares would go on for 3.5 s */
    free_addrs(out, 2);
    want_status(GP_EDEADLINE, query_lookup_at(s.address, names, 2, 0, out, &err));
    want_status(GP_EDEADLINE, query_lookup_at(s.address, names, 2, -SECOND, out, &err));
    assert_true(out[0].n == 0 && out[1].n == 0);
    stop(&s);
}

/* All at once: 60 names of one call, each asked for A and AAAA. */
static void test_many(void **state)
{
    enum { N = 60 };
    static char text[N][32];
    const char *names[N];
    query_addrs out[N] = {{0}};
    gp_err err = {0};
    server s;

    (void)state;
    start(&s);
    for (size_t i = 0; i < N; i++) {
        (void)snprintf(text[i], sizeof text[i], "b%zu.example.", i);
        names[i] = text[i];
    }
    want_ok_err(&err, query_lookup_at(s.address, names, N, 20 * SECOND, out, &err));
    for (size_t i = 0; i < N; i++)
        assert_int_equal(out[i].n, 2);
    assert_true(atomic_load(&s.queries) >= 2 * N);
    free_addrs(out, N);
    stop(&s);
}

static void test_nothing_asked(void **state)
{
    (void)state;
    want_ok(query_lookup_at("127.0.0.1:9", NULL, 0, 0, NULL, NULL));
    want_ok(query_lookup_system(NULL, NULL, 0, 0, NULL, NULL));
}

/* The hosts file of the machine, if it has localhost as usual (D95). */
static void test_hosts_file(void **state)
{
    static const char *const names[] = {"localhost", "localhost.", "a.example."};
    query_addrs out[3] = {{0}};
    server s;
    if (access("/etc/hosts", R_OK) != 0)
        skip_because("no /etc/hosts");
    char *hosts = test_slurp("/etc/hosts", NULL);
    int usual = strstr(hosts, "127.0.0.1") && strstr(hosts, "localhost");

    (void)state;
    gp_free(hosts);
    if (!usual)
        skip_because("/etc/hosts does not know localhost");
    start(&s);
    want_ok(query_lookup_at(s.address, names, 3, 5 * SECOND, out, NULL));
    for (size_t k = 0; k < 2; k++) { /* the server would say 192.0.2.9 */
        int found = 0;
        for (size_t i = 0; i < out[k].n; i++)
            found |= out[k].v[i].family == 4 && memcmp(out[k].v[i].bytes, "\x7f\0\0\1", 4) == 0;
        if (!found)
            fail_msg("%s: not from the hosts file", names[k]);
    }
    assert_int_equal(out[2].n, 1); /* and the server is still asked for the others */
    free_addrs(out, 3);
    stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),       cmocka_unit_test(test_no_such_name),
        cmocka_unit_test(test_limit),         cmocka_unit_test(test_many),
        cmocka_unit_test(test_nothing_asked), cmocka_unit_test(test_hosts_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
