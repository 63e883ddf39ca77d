/* ip.c - IPv4 and IPv6 headers to a flow's key fields (spec capture.md 1.4 to 1.6, D-4 to D-8). */
#include "capture/packet.h"

#include "gp/bytes.h"

#include <netinet/in.h>

enum {
    V4_HEAD = 20,
    V6_HEAD = 40,
    V4_MORE = 0x2000, /* of the fragment field: more fragments */
    V4_OFFSET = 0x1fff,
    V6_MORE = 1, /* the same in IPv6's fragment header */
    V6_OFFSET = 0xfff8,
    MAX_EXT = 8, /* IPv6 extension headers walked (D-6) */

    EXT_HOPOPTS = 0,
    EXT_ROUTING = 43,
    EXT_FRAGMENT = 44,
    EXT_DSTOPTS = 60,
    EXT_MOBILITY = 135,
    EXT_HIP = 139,
    EXT_SHIM6 = 140,

    TCP_NEEDS = 14, /* through the flags byte */
    UDP_NEEDS = 4,  /* ports */
    ICMP_NEEDS = 1, /* type */
};

static inline int common_tcp(unsigned p)
{
    return p == 443 || p == 80 || p == 53 || p == 445 || p == 8080;
}

static inline int common_udp(unsigned p)
{
    return p == 53 || p == 443;
}

/* Key ports: the side that talks to a common port is blanked. When both are common the reference
 * blanks both and loses the service (D-8); we keep both, and classification picks the server. */
static void set_ports(capture_pkt *out, const uint8_t *l4, int s_common, int d_common, int compat)
{
    if (s_common && d_common && !compat)
        s_common = d_common = 0;
    out->sport = d_common ? 0 : gp_be16(l4);
    out->dport = s_common ? 0 : gp_be16(l4 + 2);
}

/* Transport header: n captured bytes from its start. icmp: the ICMP of this address family. */
static inline capture_result parse_l4(const uint8_t *l4, uint32_t n, unsigned icmp, int compat,
                                      capture_pkt *out)
{
    out->aux = 0;
    out->sport = out->dport = 0;
    if (out->proto == IPPROTO_TCP) {
        if (n < TCP_NEEDS)
            return CAPTURE_TRUNCATED;
        out->aux = l4[13];
        set_ports(out, l4, common_tcp(gp_be16(l4)), common_tcp(gp_be16(l4 + 2)), compat);
    } else if (out->proto == IPPROTO_UDP) {
        if (n < UDP_NEEDS)
            return CAPTURE_TRUNCATED;
        set_ports(out, l4, common_udp(gp_be16(l4)), common_udp(gp_be16(l4 + 2)), compat);
    } else if (out->proto == icmp) {
        if (n < ICMP_NEEDS)
            return CAPTURE_TRUNCATED;
        out->aux = l4[0];
    }
    return CAPTURE_FLOW;
}

/* Part of a fragmented packet: offset 0 is its first. */
static void note_fragment(capture_pkt *out, unsigned offset, uint32_t id, int compat)
{
    out->frag = compat ? CAPTURE_FRAG_NONE : offset ? CAPTURE_FRAG_LATER : CAPTURE_FRAG_FIRST;
    out->frag_id = id;
    out->sport = out->dport = 0;
    out->aux = 0;
}

static inline capture_result parse_v4(const uint8_t *ip, uint32_t n, int compat, capture_pkt *out)
{
    if (n < V4_HEAD)
        return CAPTURE_TRUNCATED;
    uint32_t head = compat ? V4_HEAD : (ip[0] & 0x0fU) * 4;
    if (head < V4_HEAD)
        return CAPTURE_INVALID;
    out->family = 4;
    out->proto = ip[9];
    memcpy(out->src, ip + 12, 4);
    memcpy(out->dst, ip + 16, 4);
    unsigned frag = gp_be16(ip + 6) & (V4_MORE | V4_OFFSET);
    if (__builtin_expect(frag != 0, 0)) {
        note_fragment(out, frag & V4_OFFSET, gp_be16(ip + 4), compat);
        if ((frag & V4_OFFSET) && out->proto != IPPROTO_ESP)
            return CAPTURE_FRAGMENTED;
    }
    return parse_l4(ip + head, n > head ? n - head : 0, IPPROTO_ICMP, compat, out);
}

/* Walk extension headers from *off with next header *next (D-6). */
static capture_result skip_ext(const uint8_t *ip, uint32_t n, uint32_t *off, unsigned *next,
                               capture_pkt *out)
{
    for (int i = 0; i < MAX_EXT; i++) {
        uint32_t len;
        switch (*next) {
        case EXT_FRAGMENT:
            if (n - *off < 8)
                return CAPTURE_TRUNCATED;
            *next = ip[*off];
            unsigned frag = gp_be16(ip + *off + 2);
            if (frag & (V6_OFFSET | V6_MORE)) /* else the only one: as if unfragmented */
                note_fragment(out, frag & V6_OFFSET, gp_be32(ip + *off + 4), 0);
            if (frag & V6_OFFSET) /* what follows is the middle of something */
                return *next == IPPROTO_ESP ? CAPTURE_FLOW : CAPTURE_FRAGMENTED;
            *off += 8;
            continue;
        case EXT_HOPOPTS:
        case EXT_ROUTING:
        case EXT_DSTOPTS:
        case EXT_MOBILITY:
        case EXT_HIP:
        case EXT_SHIM6:
            if (n - *off < 8)
                return CAPTURE_TRUNCATED;
            len = (ip[*off + 1] + 1U) * 8;
            *next = ip[*off];
            /* a header that was cut matters only if something behind it is wanted */
            *off += n - *off < len ? n - *off : len;
            continue;
        default:
            return CAPTURE_FLOW;
        }
    }
    return CAPTURE_FLOW;
}

static inline int is_ext(unsigned next)
{
    return next == EXT_FRAGMENT || next == EXT_HOPOPTS || next == EXT_ROUTING ||
           next == EXT_DSTOPTS || next == EXT_MOBILITY || next == EXT_HIP || next == EXT_SHIM6;
}

static inline capture_result parse_v6(const uint8_t *ip, uint32_t n, int compat, capture_pkt *out)
{
    if (n < V6_HEAD)
        return CAPTURE_TRUNCATED;
    uint32_t off = V6_HEAD;
    unsigned next = ip[6];
    capture_result r = CAPTURE_FLOW;
    if (!compat && is_ext(next))
        r = skip_ext(ip, n, &off, &next, out);
    out->family = 6;
    out->proto = (uint8_t)next;
    memcpy(out->src, ip + 8, 16);
    memcpy(out->dst, ip + 24, 16);
    if (__builtin_expect(r != CAPTURE_FLOW, 0))
        return r;
    return parse_l4(ip + off, n - off, IPPROTO_ICMPV6, compat, out);
}

capture_result capture_parse_ip(const uint8_t *ip, uint32_t n, int compat, capture_pkt *out)
{
    out->frag = CAPTURE_FRAG_NONE;
    if (n == 0)
        return CAPTURE_INVALID;
    switch (ip[0] >> 4) {
    case 4:
        return parse_v4(ip, n, compat, out);
    case 6:
        return parse_v6(ip, n, compat, out);
    default:
        return CAPTURE_INVALID;
    }
}
