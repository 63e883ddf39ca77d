/* link.c - from a frame to its IP layer, by data link type (spec capture.md 1.1 to 1.3, 1.7). */
#include "capture/packet.h"

#include "gp/bytes.h"

#include <pcap/dlt.h>

enum {
    ETH_HEAD = 14,
    SLL_HEAD = 16,
    SLL2_HEAD = 20,
    NULL_HEAD = 4,
    PPPOE_HEAD = 8, /* version/type, code, session, length, PPP protocol */
    VLAN_TAG = 4,
    MAX_TAGS = 8, /* spec 1.3 */

    TYPE_IPV4 = 0x0800,
    TYPE_IPV6 = 0x86DD,
    TYPE_PPPOE = 0x8864,
    TYPE_VLAN = 0x8100,
    TYPE_QINQ = 0x88A8,
    TYPE_QINQ_OLD = 0x9100,
    PPP_IPV4 = 0x0021,
    PPP_IPV6 = 0x0057,

    PKT_OUTGOING = 4, /* cooked packet type: sent by this host */

    /* cooked captures of these hardware types hold no EtherType in the protocol field */
    ARPHRD_FRAD = 770,
    ARPHRD_RADIOTAP = 803,
    ARPHRD_NETLINK = 824,
};

const char *const capture_error_names[CAPTURE_N_ERRORS] = {"packet fragmented", "invalid IP header",
                                                           "packet truncated"};

/* Where the IP layer starts and what the link adds to the counted length. */
typedef struct ip_at {
    uint32_t off;  /* bytes from the start of the frame */
    uint32_t less; /* bytes of len that are not counted */
} ip_at;

int capture_dlt_known(int dlt)
{
    switch (dlt) {
    case DLT_EN10MB:
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
    case DLT_LINUX_SLL:
    case DLT_LINUX_SLL2:
    case DLT_NULL:
    case DLT_LOOP:
        return 1;
    default:
        return 0;
    }
}

static int is_vlan(unsigned type)
{
    return type == TYPE_VLAN || type == TYPE_QINQ || type == TYPE_QINQ_OLD;
}

/* Follow EtherType `type`, whose payload starts at at->off, through VLAN tags and PPPoE to IP. */
static int ethertype_to_ip(const uint8_t *f, uint32_t n, unsigned type, ip_at *at)
{
    if (is_vlan(type)) {
        at->less += VLAN_TAG; /* the outer tag: the reference's tap does not count it */
        for (int tags = 0; is_vlan(type); tags++) {
            if (tags == MAX_TAGS || n - at->off < VLAN_TAG)
                return 0;
            type = gp_be16(f + at->off + 2);
            at->off += VLAN_TAG;
        }
    }
    if (type == TYPE_PPPOE) {
        const uint8_t *h = f + at->off;
        if (n - at->off < PPPOE_HEAD || h[0] != 0x11 || h[1] != 0)
            return 0;
        unsigned ppp = gp_be16(h + 6);
        at->off += PPPOE_HEAD;
        return ppp == PPP_IPV4 || ppp == PPP_IPV6;
    }
    return type == TYPE_IPV4 || type == TYPE_IPV6;
}

static int eth_to_ip(const uint8_t *f, uint32_t n, ip_at *at)
{
    if (n < ETH_HEAD)
        return 0;
    unsigned type = gp_be16(f + 12);
    *at = (ip_at){ETH_HEAD, 0};
    if (__builtin_expect(type == TYPE_IPV4 || type == TYPE_IPV6, 1))
        return 1;
    return ethertype_to_ip(f, n, type, at);
}

/* Raw links: the version nibble is all there is, and the kernel filter lets only 4 and 6 pass. */
static int raw_to_ip(const uint8_t *f, uint32_t n, ip_at *at)
{
    *at = (ip_at){0, 0};
    return n > 0 && (f[0] >> 4 == 4 || f[0] >> 4 == 6);
}

static int cooked_type_ok(unsigned arphrd)
{
    return arphrd != ARPHRD_NETLINK && arphrd != ARPHRD_RADIOTAP && arphrd != ARPHRD_FRAD;
}

static int sll_to_ip(const uint8_t *f, uint32_t n, ip_at *at, uint8_t *dir)
{
    if (n < SLL_HEAD || !cooked_type_ok(gp_be16(f + 2)))
        return 0;
    *dir = gp_be16(f) == PKT_OUTGOING ? CAPTURE_OUT : CAPTURE_IN;
    *at = (ip_at){SLL_HEAD, SLL_HEAD};
    return ethertype_to_ip(f, n, gp_be16(f + 14), at);
}

static int sll2_to_ip(const uint8_t *f, uint32_t n, ip_at *at, uint8_t *dir)
{
    if (n < SLL2_HEAD || !cooked_type_ok(gp_be16(f + 8)))
        return 0;
    *dir = f[10] == PKT_OUTGOING ? CAPTURE_OUT : CAPTURE_IN;
    *at = (ip_at){SLL2_HEAD, SLL2_HEAD};
    return ethertype_to_ip(f, n, gp_be16(f), at);
}

/* BSD loopback: an address family of 2 is IPv4 everywhere; IPv6 is 24, 28 or 30 by system, and 10
 * on Linux. NULL has the byte order of the machine that wrote the file: accept both. */
static int null_to_ip(const uint8_t *f, uint32_t n, ip_at *at)
{
    if (n < NULL_HEAD)
        return 0;
    uint32_t af = gp_be32(f);
    if (af > 0xffff)
        af = gp_le32(f);
    *at = (ip_at){NULL_HEAD, NULL_HEAD};
    return af == 2 || af == 10 || af == 24 || af == 28 || af == 30;
}

capture_result capture_parse(const capture_parser *p, const uint8_t *frame, uint32_t caplen,
                             uint32_t len, capture_pkt *out)
{
    ip_at at;
    uint8_t dir = p->dir;
    int ip;

    switch (p->dlt) {
    case DLT_EN10MB:
        ip = eth_to_ip(frame, caplen, &at);
        break;
    case DLT_LINUX_SLL:
        ip = sll_to_ip(frame, caplen, &at, &dir);
        break;
    case DLT_LINUX_SLL2:
        ip = sll2_to_ip(frame, caplen, &at, &dir);
        break;
    case DLT_NULL:
    case DLT_LOOP:
        ip = null_to_ip(frame, caplen, &at);
        break;
    default:
        ip = raw_to_ip(frame, caplen, &at);
        break;
    }
    if (!ip)
        return CAPTURE_NOT_IP;
    capture_result r = capture_parse_ip(frame + at.off, caplen - at.off, p->compat, out);
    out->len = len > at.less ? len - at.less : 0;
    out->dir = dir;
    out->time_us = 0;
    return r;
}
