/* live.h - packets of a network interface through libpcap (spec capture.md 1.9, 1.10). */
#ifndef CAPTURE_LIVE_H
#define CAPTURE_LIVE_H

#include "capture/packet.h"
#include "gp/err.h"

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CAPTURE_SNAPLEN = 160,   /* L-4 */
    CAPTURE_EXTRA_MAX = 247, /* instructions of extra_bpf_filters (spec 1.2) */
    CAPTURE_MAX_FDS = 2,
    CAPTURE_RING_MIN = 4 * 256 * 1024, /* bytes of a handle's ring: four blocks (L-3) */
    CAPTURE_SAMPLE_MAX = 1000000,
};

/* A classic BPF instruction. */
typedef struct capture_insn {
    uint16_t op;
    uint8_t jt, jf;
    uint32_t k;
} capture_insn;

/* Settings of an interface (spec 5.2). Plain value without pointers; zero-initialise it, then two
 * are the same if capture_conf_equal() says so. */
typedef struct capture_conf {
    uint8_t promisc;
    uint8_t ignore_vlans;
    uint8_t disable;
    uint32_t sample; /* take one packet in this many, chosen at random, and count it so often; 0, 1
                        = all */
    uint64_t block_size; /* bytes; block_size * num_blocks is the ring memory of the interface */
    uint64_t num_blocks;
    uint32_t n_extra; /* extra_bpf_filters */
    capture_insn extra[CAPTURE_EXTRA_MAX];
} capture_conf;

int capture_conf_equal(const capture_conf *a, const capture_conf *b);

/* Would the kernel take conf->extra? GP_EINVAL with the reason if not; GP_OK also where it cannot
 * be asked. Needs no privileges. */
gp_status capture_conf_check(const capture_conf *conf, gp_err *err) GP_MUST_CHECK;

/* Since opening. received = processed + errors[CAPTURE_FRAGMENTED] + dropped once the
 * rings are empty. On loopback every packet counts twice (L-9). With sampling: sampled packets. */
typedef struct capture_counts {
    uint64_t
        received; /* passed the kernel filter, dropped ones included; as of capture_live_stats();
                     shrinks when frames turn out to be none of ours (tagged ARP) */
    uint64_t dropped; /* the ring was full; as of capture_live_stats() */
    uint64_t processed;
    uint64_t errors[CAPTURE_N_ERRORS];
} capture_counts;

/* One thread. */
typedef struct capture_live capture_live;

/* How an interface is read, beside its settings: or of these. */
enum {
    CAPTURE_COMPAT = 1,    /* capture_parser.compat */
    CAPTURE_FRAGMENTS = 2, /* later fragments go to the flow of the first one (D-43); they stay
                              counted in errors[CAPTURE_FRAGMENTED], not in processed */
};

/* Open iface; how: see above. Fails with GP_ENOTFOUND (no such interface), GP_EUNAVAILABLE (not
 * up), GP_EDENIED (privilege), GP_EUNSUPPORTED (hardware type; ignore_vlans on a VLAN interface),
 * GP_EINVAL (refused filter), GP_EIO. */
gp_status capture_live_open(const char *iface, const capture_conf *conf, unsigned how,
                            capture_live **out, gp_err *err) GP_MUST_CHECK;
void capture_live_close(capture_live *l); /* NULL is fine */

/* Descriptors to poll for input: fills fds, returns how many (1 or 2). */
int capture_live_fds(const capture_live *l, struct pollfd fds[CAPTURE_MAX_FDS]);
/* Longest time to poll before reading anyway, in ms; -1 = any. */
int capture_live_timeout_ms(const capture_live *l);

/* Takes parsed packets, at most 256 at a time, valid during the call. */
typedef void (*capture_sink)(void *ctx, const capture_pkt *pkts, size_t n);

/* Hand what is in the rings to sink, at most about `budget` frames per ring. Never blocks. *rings:
 * which to look at, bit i for the descriptor i of capture_live_fds(), since looking costs a system
 * call; on return those that had more than the budget. Returns frames read, or -1 when the
 * interface is gone or broken for good (*err says how). */
int capture_live_read(capture_live *l, unsigned *rings, int budget, capture_sink sink, void *ctx,
                      gp_err *err);
enum { CAPTURE_ALL_RINGS = (1 << CAPTURE_MAX_FDS) - 1 };

/* Ask the kernel for received and dropped; at least once a minute (32-bit counters, L-10). When it
 * does not answer, the old numbers stay and this returns 0 (D-12). */
int capture_live_stats(capture_live *l);
const capture_counts *capture_live_counts(const capture_live *l);

/* Let no further packet in; what the rings hold stays readable. For an exact end. */
void capture_live_shut(capture_live *l);

/* Ring memory of all handles in bytes, as libpcap lays it out. */
uint64_t capture_live_ring_bytes(const capture_live *l);

#endif
