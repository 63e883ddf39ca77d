/* bench_packetgen.c - frames from memory onto an interface at a steady rate, through PACKET_TX
 * (sendmmsg).
 *
 *   packetgen IFACE FLOWS RATE SECONDS     RATE in packets/s, 0 = as fast as possible
 *
 * UDP over IPv4 (4 of 5) and IPv6, 100 bytes of frame. Prints packets and bytes sent.
 */
#include "gp/bytes.h"
#include "gp/clock.h"
#include "gp/mem.h"
#include "gp/num.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FRAME = 100, BURST = 64, FRAMES = 1 << 20 };

static void make_frame(uint8_t *f, uint64_t id)
{
    int v6 = id % 5 == 4;
    uint32_t h = (uint32_t)(id * 2654435761u);

    memset(f, 0, FRAME);
    memset(f, 2, 12);
    gp_put_be16(f + 12, v6 ? 0x86dd : 0x0800);
    uint8_t *ip = f + 14, *l4 = ip + (v6 ? 40 : 20);
    ip[0] = v6 ? 0x60 : 0x45;
    ip[v6 ? 6 : 9] = 17;
    gp_put_be16(ip + (v6 ? 4 : 2),
                (uint16_t)(FRAME - (v6 ? 54 : 14))); /* of what follows; of all */
    ip[v6 ? 7 : 8] = 64;
    gp_put_be32(ip + (v6 ? 20 : 12), (uint32_t)id);
    ip[v6 ? 8 : 12] = 10;
    ip[v6 ? 24 : 16] = 11;
    gp_put_be32(ip + (v6 ? 36 : 16), h | 0x0b000000);
    gp_put_be16(l4, (uint16_t)(32768 + (h & 0x7fff)));
    gp_put_be16(l4 + 2, 5000);
    gp_put_be16(l4 + 4, (uint16_t)(f + FRAME - l4));
}

static void pause_until(int64_t when_ns)
{
    int64_t left = when_ns - gp_mono_ns();
    struct timespec ts = {0, 0};

    if (left <= 20000)
        return;
    ts.tv_sec = left / 1000000000;
    ts.tv_nsec = left % 1000000000;
    (void)nanosleep(&ts, NULL);
}

static uint64_t generate(int fd, const uint8_t *frames, uint64_t flows, uint64_t rate, uint64_t s)
{
    struct mmsghdr msgs[BURST];
    struct iovec iov[BURST];
    uint64_t sent = 0, at = 0, n_frames = flows < FRAMES ? flows : FRAMES;
    int64_t start = gp_mono_ns(), end = start + (int64_t)s * 1000000000;

    memset(msgs, 0, sizeof msgs);
    while (gp_mono_ns() < end) {
        for (int i = 0; i < BURST; i++) {
            iov[i] = (struct iovec){(void *)(uintptr_t)(frames + at * FRAME), FRAME};
            msgs[i].msg_hdr.msg_iov = &iov[i];
            msgs[i].msg_hdr.msg_iovlen = 1;
            at = at + 1 == n_frames ? 0 : at + 1;
        }
        int r = sendmmsg(fd, msgs, BURST, 0);
        if (r > 0)
            sent += (uint64_t)r;
        if (rate)
            pause_until(start + (int64_t)((double)sent / (double)rate * 1e9));
    }
    return sent;
}

int main(int argc, char **argv)
{
    uint64_t v[3] = {0};

    if (argc != 5 || !if_nametoindex(argv[1])) {
        fprintf(stderr, "usage: packetgen IFACE FLOWS RATE SECONDS\n");
        return 64;
    }
    for (int i = 0; i < 3; i++)
        if (!gp_num_u64(argv[i + 2], strlen(argv[i + 2]), 1000000000, &v[i]))
            return 64;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(argv[1])};
    uint8_t *frames = gp_alloc(FRAMES, FRAME);
    int one = 1;
    ll.sll_protocol = htons(0x0800);
    if (fd < 0 || !frames || bind(fd, (struct sockaddr *)&ll, sizeof ll) != 0) {
        perror("packetgen");
        return 1;
    }
    (void)setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
    for (uint64_t i = 0; i < FRAMES; i++)
        make_frame(frames + i * FRAME, i);
    uint64_t sent = generate(fd, frames, v[0] ? v[0] : 1, v[1], v[2]);
    printf("%" PRIu64 " %" PRIu64 "\n", sent, sent * FRAME);
    gp_free(frames);
    close(fd);
    return 0;
}
