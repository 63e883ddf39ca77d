/* syslog_test.c - flows as syslog messages: the format, empty blocks, absent and slow receivers. */
#include "syslog.h"
#include "test.h"

#include "gp/clock.h"

#include <sys/socket.h>
#include <sys/un.h>

static int listen_at(const char *path)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

/* One IPv4 and one IPv6 flow. */
static const uint8_t sip[20] = {10, 0, 0, 1, 0x20, 1, 0x0d, 0xb8, [19] = 1};
static const uint8_t dip[20] = {10, 0, 0, 2, 0x20, 1, 0x0d, 0xb8, [19] = 2};
static const uint8_t proto[2] = {6, 58};
static const uint8_t dport[4] = {1, 0xbb, 0, 0};
static const uint64_t c0[2] = {74, 1}, c1[2] = {148, 2}, c2[2] = {1, 3}, c3[2] = {2, 4};
static const godb_rows two = {.n_v4 = 1,
                              .n_v6 = 1,
                              .sip = sip,
                              .dip = dip,
                              .proto = proto,
                              .dport = dport,
                              .counter = {c0, c1, c2, c3}};

static void test_format(void **state)
{
    (void)state;
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/s", dir);
    agent_syslog *s = NULL;
    gp_err err = {0};
    char buf[1024];
    int l = listen_at(path);

    want_ok_err(&err, agent_syslog_new(path, &s, &err));
    agent_syslog_rows(s, "eth0", 1700000100, &(godb_rows){0}); /* empty: not even a connection */
    agent_syslog_rows(s, "eth0", 1700000100, &two);
    int fd = accept(l, NULL, NULL);
    assert_true(fd >= 0);
    ssize_t n = recv(fd, buf, sizeof buf - 1, 0);
    assert_true(n > 0);
    buf[n] = 0;
    assert_int_equal(strncmp(buf, "<6>", 3), 0);
    const char *first = strstr(buf, " ntm["), *text = strstr(buf, "]: ");
    assert_non_null(first);
    assert_non_null(text);
    static const char want[] = "]: 1700000100,eth0,10.0.0.1,10.0.0.2,443,TCP,bytes: received=74 "
                               "sent=148; packets: received=1 sent=2\n<6>";
    assert_int_equal(strncmp(text, want, strlen(want)), 0);
    assert_non_null(strstr(buf, "]: 1700000100,eth0,2001:db8::1,2001:db8::2,0,IPv6-ICMP,bytes: "
                                "received=1 sent=2; packets: received=3 sent=4\n"));
    agent_syslog_free(s);
    close(fd);
    close(l);
}

/* A receiver that does not read costs a second once, an absent one nothing. */
static void test_bad_receivers(void **state)
{
    (void)state;
    enum { N = 20000 };
    GP_CLEANUP(test_tmpdirp) char *dir = test_tmpdir();
    GP_CLEANUP(gp_freep) char *path = gp_asprintf("%s/s", dir);
    agent_syslog *s = NULL;
    gp_err err = {0};
    uint8_t *zero = gp_calloc(N, 16);
    uint64_t *count = gp_calloc(N, sizeof *count);
    godb_rows many = {.n_v4 = N,
                      .sip = zero,
                      .dip = zero,
                      .proto = zero,
                      .dport = zero,
                      .counter = {count, count, count, count}};

    want_ok_err(&err, agent_syslog_new(path, &s, &err));
    int64_t t0 = gp_mono_ms();
    agent_syslog_rows(s, "eth0", 1, &two);
    assert_true(gp_mono_ms() - t0 < 500);
    agent_syslog_free(s);

    int l = listen_at(path);
    want_ok_err(&err, agent_syslog_new(path, &s, &err));
    t0 = gp_mono_ms();
    agent_syslog_rows(s, "eth0", 1, &many);
    int64_t first = gp_mono_ms() - t0;
    assert_true(first >= 900 && first < 20000);
    t0 = gp_mono_ms();
    agent_syslog_rows(s, "eth0", 1, &many); /* backs off */
    assert_true(gp_mono_ms() - t0 < 500);
    agent_syslog_free(s);
    close(l);
    gp_free(zero);
    gp_free(count);
    GP_CLEANUP(gp_freep) char *longest = gp_calloc(200, 1);
    memset(longest, 'x', 199);
    want_err(GP_EINVAL, &err, "too long", agent_syslog_new(longest, &s, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_bad_receivers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
