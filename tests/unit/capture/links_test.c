/* links_test.c - the interfaces of a host, and their changes, in a network namespace. */
#include "capture/links.h"

#include "gp/clock.h"
#include "netns.h"

#include <linux/if_arp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

static const capture_link *find(const capture_link *v, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(v[i].name, name) == 0)
            return &v[i];
    return NULL;
}

static void test_list(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t arphrd;
        int up;
    } want[] = {
        {"lo", ARPHRD_LOOPBACK, 1},
        {"v0", ARPHRD_ETHER, 1},
        {"v1", ARPHRD_ETHER, 1},
        {"w0", ARPHRD_ETHER, 0},
        {"w1-15characters", ARPHRD_ETHER, 0},
    };
    capture_link *v = NULL;
    size_t n = 0;
    gp_err err = {0};

    assert_int_equal(netns_run("ip link add w1-15characters type veth peer name w0"), 0);
    want_ok_err(&err, capture_links_list(&v, &n, &err));
    for (size_t i = 0; i < COUNT(want); i++) {
        const capture_link *l = find(v, n, want[i].name);
        if (!l || l->arphrd != want[i].arphrd || l->up != want[i].up || l->vlan ||
            l->index != if_nametoindex(want[i].name))
            fail_msg("%s: %s", want[i].name, l ? "not as it is" : "not there");
    }
    for (size_t i = 1; i < n; i++)
        assert_true(strcmp(v[i - 1].name, v[i].name) < 0);
    gp_free(v);
    if (netns_run("ip link add link w0 name vl type vlan id 5") == 0) { /* not in every kernel */
        want_ok_err(&err, capture_links_list(&v, &n, &err));
        assert_true(find(v, n, "vl") && find(v, n, "vl")->vlan);
        gp_free(v);
    }
    assert_int_equal(netns_run("ip link del w0"), 0);
}

static int notice(const capture_linkwatch *w)
{
    struct pollfd fd = {.fd = capture_linkwatch_fd(w), .events = POLLIN};
    return poll(&fd, 1, 20000) == 1;
}

/* Coming, going, up and down are told; nothing is when nothing happens. */
static void test_watch(void **state)
{
    (void)state;
    static const char *const changes[] = {
        "ip link add w0 type veth peer name w1",
        "ip link set w0 up",
        "ip link set w0 down",
        "ip link del w0",
    };
    capture_linkwatch *w = NULL;
    gp_err err = {0};

    want_ok_err(&err, capture_linkwatch_open(&w, &err));
    assert_int_equal(capture_linkwatch_read(w), 0);
    for (size_t i = 0; i < COUNT(changes); i++) {
        assert_int_equal(netns_run(changes[i]), 0);
        if (!notice(w) || capture_linkwatch_read(w) != 1)
            fail_msg("%s: not noticed", changes[i]);
        while (capture_linkwatch_read(w)) /* it may have several */
            ;
    }
    capture_linkwatch_close(w);
}

static void *come_and_go(void *stop)
{
    while (!atomic_load((atomic_int *)stop)) {
        int fd = netns_tun("churn");
        if (fd >= 0)
            close(fd);
    }
    return NULL;
}

/* Interfaces come and go while the list is made, which the kernel hands out in parts. */
static void test_churn(void **state)
{
    (void)state;
    enum { LINKS = 60, ROUNDS = 300 };
    int fds[LINKS];
    atomic_int stop = 0;
    pthread_t t;
    gp_err err = {0};

    for (int i = 0; i < LINKS; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "t%03d", i);
        fds[i] = netns_tun(name);
        if (fds[i] < 0)
            skip_because("no /dev/net/tun that may be used");
    }
    assert_int_equal(pthread_create(&t, NULL, come_and_go, &stop), 0);
    for (int i = 0; i < ROUNDS; i++) {
        capture_link *v = NULL;
        size_t n = 0;
        want_ok_err(&err, capture_links_list(&v, &n, &err));
        assert_in_range(n, LINKS + 3, LINKS + 4); /* each of them once */
        gp_free(v);
    }
    atomic_store(&stop, 1);
    pthread_join(t, NULL);
    for (int i = 0; i < LINKS; i++)
        close(fds[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_churn),
    };
    if (!netns_enter())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
