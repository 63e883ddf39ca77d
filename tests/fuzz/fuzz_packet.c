/* fuzz_packet.c - any bytes as a frame of any known link type; first byte picks type and mode. */
#include "capture/frag.h"

#include <pcap/dlt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 1: a later fragment whose first one an earlier input was. */
static int frags_of(capture_pkt *p, capture_result r)
{
    static capture_frags *frags;

    if (!frags && capture_frags_new(&frags, NULL) != GP_OK)
        return 0;
    if (r == CAPTURE_FLOW && p->frag == CAPTURE_FRAG_FIRST)
        capture_frags_first(frags, p, 0);
    return r == CAPTURE_FRAGMENTED && p->frag == CAPTURE_FRAG_LATER &&
           capture_frags_later(frags, p, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int dlts[8] = {DLT_EN10MB, DLT_RAW,  DLT_LINUX_SLL, DLT_LINUX_SLL2,
                                DLT_NULL,   DLT_LOOP, DLT_IPV4,      DLT_IPV6};
    capture_pkt p;

    if (size < 2)
        return 0;
    capture_parser parser = {.dlt = dlts[data[0] & 7], .compat = data[0] >> 3 & 1};
    uint32_t wire = (uint32_t)data[1] * 8;
    capture_result r = capture_parse(&parser, data + 2, (uint32_t)(size - 2), wire, &p);
    if (r == CAPTURE_FRAGMENTED &&
        p.frag != (parser.compat ? CAPTURE_FRAG_NONE : CAPTURE_FRAG_LATER))
        abort();
    if (frags_of(&p, r))
        r = CAPTURE_FLOW;
    if (r != CAPTURE_FLOW)
        return 0;
    /* invariants of a parsed packet */
    if ((p.family != 4 && p.family != 6) || p.len > wire || p.dir > CAPTURE_OUT)
        abort();
    if ((p.proto != 6 && p.proto != 17) && (p.sport || p.dport))
        abort();
    unsigned sure = capture_evidence(&p), c = capture_classify(&p, parser.compat);
    if (c > 3 || (sure && !(sure & CAPTURE_SURE)) || (sure && !(c & CAPTURE_SURE)))
        abort();
    return 0;
}
