/* classify.c - who is the client: direction of a flow from one packet (spec capture.md 3). */
#include "capture/packet.h"

#include <netinet/in.h>
#include <string.h>

enum {
    TCP_SYN = 0x02,
    TCP_ACK = 0x10,
    EPHEMERAL = 32768, /* first port that servers are not expected on */
};

/* IPv4: 224.0.0.0/4 and 255.255.255.255; the reference knows only 224.0.0.0/24 and 224.0.1.0/24
 * (D-9). IPv6: ff00::/8. */
static int is_multicast(const capture_pkt *p, int compat)
{
    static const uint8_t broadcast[4] = {255, 255, 255, 255};

    if (p->family == 6)
        return p->dst[0] == 0xff;
    if (memcmp(p->dst, broadcast, 4) == 0)
        return 1;
    if (!compat)
        return p->dst[0] >> 4 == 14;
    return p->dst[0] == 224 && p->dst[1] == 0 && p->dst[2] <= 1;
}

/* Port rules of 3.3 on the key's ports. A blanked port (0) counts as ephemeral. */
static unsigned by_ports(unsigned s, unsigned d)
{
    int s_eph = s >= EPHEMERAL || s == 0;
    int d_eph = d >= EPHEMERAL || d == 0;

    if (s_eph != d_eph)
        return s_eph ? CAPTURE_KEEP : CAPTURE_REVERSE;
    return s < d ? CAPTURE_REVERSE : CAPTURE_KEEP;
}

static unsigned by_icmp(unsigned type)
{
    switch (type) {
    case 0:  /* echo reply */
    case 3:  /* unreachable */
    case 11: /* time exceeded */
    case 12: /* parameter problem */
    case 14: /* timestamp reply */
        return CAPTURE_SURE | CAPTURE_REVERSE;
    case 8:  /* echo */
    case 13: /* timestamp */
        return CAPTURE_SURE | CAPTURE_KEEP;
    default:
        return CAPTURE_KEEP;
    }
}

static unsigned by_icmp6(unsigned type)
{
    switch (type) {
    case 129: /* echo reply */
    case 1:   /* unreachable */
    case 3:   /* time exceeded */
    case 4:   /* parameter problem */
        return CAPTURE_SURE | CAPTURE_REVERSE;
    case 128: /* echo */
        return CAPTURE_SURE | CAPTURE_KEEP;
    default:
        return CAPTURE_KEEP;
    }
}

unsigned capture_evidence(const capture_pkt *p)
{
    unsigned c = 0;

    if (p->proto == IPPROTO_TCP) {
        if (!(p->aux & TCP_SYN))
            return 0;
        return CAPTURE_SURE | (p->aux & TCP_ACK ? CAPTURE_REVERSE : CAPTURE_KEEP);
    }
    if (p->proto == IPPROTO_ICMP && p->family == 4)
        c = by_icmp(p->aux);
    else if (p->proto == IPPROTO_ICMPV6 && p->family == 6)
        c = by_icmp6(p->aux);
    return c & CAPTURE_SURE ? c : 0;
}

unsigned capture_classify(const capture_pkt *p, int compat)
{
    int icmp6 = p->proto == IPPROTO_ICMPV6 && p->family == 6;

    if ((p->proto == IPPROTO_UDP || icmp6) && is_multicast(p, compat))
        return CAPTURE_SURE | CAPTURE_KEEP;
    unsigned sure = capture_evidence(p);
    if (sure)
        return sure;
    if (p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP)
        return by_ports(p->sport, p->dport);
    return CAPTURE_KEEP;
}
