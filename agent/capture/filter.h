/* filter.h - the kernel's packet filter program, built by hand (spec 1.10 L-4, L-7, L-8). */
#ifndef CAPTURE_FILTER_H
#define CAPTURE_FILTER_H

#include "capture/live.h"

typedef enum capture_pass {
    CAPTURE_PASS_ANY,  /* cooked links: the packet type is in the data */
    CAPTURE_PASS_IN,   /* everything but packets that this host sends */
    CAPTURE_PASS_OUT,  /* only those */
    CAPTURE_PASS_NONE, /* nothing: capture ends */
} capture_pass;

typedef enum capture_layer {
    CAPTURE_AT_ETHER, /* the frame starts with an Ethernet header */
    CAPTURE_AT_IP,    /* raw and cooked links: it starts with IP */
} capture_layer;

/* Attach the program for these settings to a packet socket, in place of any other. GP_EINVAL when
 * the kernel refuses extra_bpf_filters. */
gp_status capture_filter_attach(int fd, capture_pass pass, capture_layer layer,
                                const capture_conf *conf, gp_err *err) GP_MUST_CHECK;

/* The same program, for tests: at most CAPTURE_FILTER_MAX instructions into out; returns how many.
 */
enum { CAPTURE_FILTER_MAX = CAPTURE_EXTRA_MAX + 40 };
size_t capture_filter_build(capture_insn *out, capture_pass pass, capture_layer layer,
                            const capture_conf *conf);

#endif
