/* packet.h - one captured frame parsed to what a flow needs (spec capture.md 1, 3). */
#ifndef CAPTURE_PACKET_H
#define CAPTURE_PACKET_H

#include <stddef.h>
#include <stdint.h>

/* What became of a frame. The first three are the error kinds in the order of spec 1.8. */
typedef enum capture_result {
    CAPTURE_FRAGMENTED, /* non-first fragment: no ports, in no flow; not "processed" */
    CAPTURE_INVALID,    /* IP header is none; "processed" */
    CAPTURE_TRUNCATED,  /* too few bytes captured; "processed" */
    CAPTURE_FLOW,       /* *out is filled */
    CAPTURE_NOT_IP,     /* not considered at all, counted nowhere (spec 1.2) */
} capture_result;

enum { CAPTURE_N_ERRORS = 3 };

/* Names of the error kinds, exactly as spec 1.8 gives them (metric labels, headings). */
extern const char *const capture_error_names[CAPTURE_N_ERRORS];

/* Which way a packet crossed the interface. */
typedef enum capture_dir {
    CAPTURE_IN,  /* counts as received: everything that is not known to be outgoing */
    CAPTURE_OUT, /* packet type 4: sent by this host */
} capture_dir;

/* Which part of a fragmented packet; in compat mode always CAPTURE_FRAG_NONE. */
typedef enum capture_frag_kind {
    CAPTURE_FRAG_NONE,
    CAPTURE_FRAG_FIRST, /* more follow */
    CAPTURE_FRAG_LATER, /* family, addresses, protocol and frag_id are set, ports are 0 */
} capture_frag_kind;

/* A parsed packet: everything flow table and classification need. Plain value. */
typedef struct capture_pkt {
    uint32_t len;          /* bytes to count (spec 1.7) */
    uint8_t family;        /* 4 or 6 */
    uint8_t proto;         /* final IP protocol */
    uint8_t aux;           /* TCP flags, or ICMP / ICMPv6 type; else 0 */
    uint8_t dir;           /* capture_dir */
    uint16_t sport, dport; /* key ports, host order; the client's side of a common port is 0 */
    uint8_t frag;          /* capture_frag_kind */
    uint32_t frag_id;      /* identification, when frag is not CAPTURE_FRAG_NONE */
    uint32_t time_us; /* capture time modulo 2^32, orders the packets of two rings; 0 if not set */
    uint8_t src[16], dst[16]; /* network order; IPv4 in the first four bytes, the rest undefined */
} capture_pkt;

/* How frames of one source are to be read. Read-only while in use. */
typedef struct capture_parser {
    int dlt;        /* libpcap data link type */
    uint8_t compat; /* 1: as the reference: no IP options, no extension headers, ports of D-8 */
    uint8_t dir;    /* capture_dir of frames whose link type does not tell */
} capture_parser;

/* 1 if capture_parse() knows the data link type: EN10MB, RAW, IPV4, IPV6, LINUX_SLL, LINUX_SLL2,
 * NULL, LOOP. */
int capture_dlt_known(int dlt);

/* Parse one frame of caplen captured bytes, len bytes on the wire. *out is valid only after
 * CAPTURE_FLOW, and after CAPTURE_FRAGMENTED when its frag is CAPTURE_FRAG_LATER. Never reads
 * beyond caplen; any bytes are fine. */
capture_result capture_parse(const capture_parser *p, const uint8_t *frame, uint32_t caplen,
                             uint32_t len, capture_pkt *out);

/* The IP layer alone (spec 1.4 to 1.6): n bytes from the first byte of the IP header. Fills all of
 * *out but len and dir. */
capture_result capture_parse_ip(const uint8_t *ip, uint32_t n, int compat, capture_pkt *out);

/* Direction of a new flow from its first packet (spec 3). */
typedef enum capture_class {
    CAPTURE_KEEP = 0,    /* the packet's source is the flow's source; weak: ports, or unknown */
    CAPTURE_REVERSE = 1, /* the packet's destination is; weak */
    CAPTURE_SURE = 2,    /* bit: evidence of spec 3.6 (SYN, ICMP type, multicast) */
} capture_class;

/* capture_class of a packet that creates a flow: CAPTURE_KEEP or CAPTURE_REVERSE, perhaps with
 * CAPTURE_SURE. compat: multicast as narrow as in the reference (D-9). */
unsigned capture_classify(const capture_pkt *p, int compat);

/* Only the evidence a later packet can give: CAPTURE_SURE | direction, or 0 for none. */
unsigned capture_evidence(const capture_pkt *p);

#endif
