/* netns.h - a network namespace of the test's own, with veth pairs and raw frames. */
#ifndef TEST_NETNS_H
#define TEST_NETNS_H

#include "test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

extern char **environ;

/* Run a command line of at most 15 words; its exit code, -1 if it could not be started. */
static inline int netns_run(const char *line)
{
    char buf[512], *argv[16] = {0}, *save = NULL;
    int n = 0, status;
    pid_t pid;

    assert_true(strlen(line) < sizeof buf);
    memcpy(buf, line, strlen(line) + 1);
    for (char *w = strtok_r(buf, " ", &save); w && n < 15; w = strtok_r(NULL, " ", &save))
        argv[n++] = w;
    if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) != 0)
        return -1;
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Wait until an interface really carries packets, which is a moment after "up"; at most 5 s. */
static inline void netns_wait_running(const char *iface)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    for (int i = 0; i < 500; i++) {
        struct ifreq r = {0};
        (void)snprintf(r.ifr_name, sizeof r.ifr_name, "%s", iface);
        if (ioctl(fd, SIOCGIFFLAGS, &r) == 0 && (r.ifr_flags & IFF_RUNNING)) {
            close(fd);
            return;
        }
        (void)usleep(10000);
    }
    fail_msg("%s does not come up", iface);
}

/* Move this process (single-threaded still) into a new network namespace with lo up and a veth pair
 * v0 / v1, both up, without IPv6 chatter. 0 = not possible here: the caller exits with 77. */
static inline int netns_enter(void)
{
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        print_message("skipped: no network namespace (%s)\n", strerror(errno));
        return 0;
    }
    static const char *const lines[] = {
        "ip link set lo up",
        "ip link add v0 type veth peer name v1",
        "ip link set v0 addrgenmode none",
        "ip link set v1 addrgenmode none",
        "ip link set v0 up",
        "ip link set v1 up",
    };
    for (size_t i = 0; i < COUNT(lines); i++)
        if (netns_run(lines[i]) != 0) {
            print_message("skipped: \"%s\" fails\n", lines[i]);
            return 0;
        }
    netns_wait_running("v0");
    netns_wait_running("v1");
    return 1;
}

/* A tun device that lasts as long as the descriptor; -1 = not possible here. */
static inline int netns_tun(const char *name)
{
    struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

    (void)snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
    if (fd >= 0 && ioctl(fd, TUNSETIFF, &r) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* A raw socket that sends whole frames on an interface. */
static inline int netns_raw(const char *iface)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(iface)};

    assert_true(fd >= 0);
    ll.sll_protocol = htons(0x0800);
    assert_int_equal(bind(fd, (struct sockaddr *)&ll, sizeof ll), 0);
    return fd;
}

static inline void netns_send(int fd, const void *frame, size_t n)
{
    for (int tries = 0; send(fd, frame, n, 0) != (ssize_t)n; tries++) {
        if (tries > 1000 || (errno != ENOBUFS && errno != EINTR))
            fail_msg("send: %s", strerror(errno));
        (void)usleep(100);
    }
}

#endif
