/* live.c - libpcap handles of one interface: direction, rings, loopback, counters.
 *
 * Ethernet and raw links get two handles, because libpcap does not tell the direction of a packet
 * there: one whose kernel program passes only outgoing packets, one that passes the rest (L-5).
 * Cooked links carry the packet type, and on loopback only one of the two copies is wanted: one
 * handle.
 *
 * Packets stamped before the filter was attached passed unfiltered; they are skipped and taken off
 * the kernel's count, so received = processed + fragments + dropped holds exactly.
 */
#include "capture/live.h"

#include "capture/frag.h"
#include "capture/links.h"
#include "filter.h"
#include "gp/clock.h"
#include "gp/mem.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
    BATCH = 256,
    RETIRE_MS = 100,         /* L-2 */
    RING_BLOCK = 256 * 1024, /* libpcap's block size with TPACKET_V3 (L-3) */
    SETTLE_NS = 1000000,     /* packets on the way through the socket while the filter changes */
    SKIP_WINDOW_MS = 2000,   /* how long after opening such packets may still be in the ring */
    RING_MAX = 1 << 30,

    ARPHRD_ETHER_ = 1,
    ARPHRD_PPP_ = 512,
    ARPHRD_IPIP_ = 768,
    ARPHRD_TUNNEL6_ = 769,
    ARPHRD_LOOPBACK_ = 772,
    ARPHRD_SIT_ = 776,
    ARPHRD_GRE_ = 778,
    ARPHRD_GRE6_ = 823,
    ARPHRD_NONE_ = 65534,
};

typedef struct handle {
    pcap_t *pcap;
    capture_live *owner;
    capture_parser parser;
    struct pcap_stat last; /* 32-bit counters at the last reading */
    uint64_t received;     /* their 64-bit sum */
    uint64_t skipped;      /* passed the kernel filter but is not ours: not "received" */
} handle;

struct capture_live {
    char name[CAPTURE_NAME_CAP];
    uint32_t index; /* of the interface */
    handle h[CAPTURE_MAX_FDS];
    int n_handles;
    int twice; /* loopback: each packet counts as sent and as received */
    capture_layer layer;
    capture_frags *frags; /* NULL unless fragments are attributed */
    capture_conf conf;
    int64_t start_us;      /* wall clock: packets before are skipped */
    int64_t skip_until_ms; /* monotonic: from then on nothing is skipped */
    int skipping;
    uint64_t ring_bytes;
    capture_counts counts;
    capture_sink sink; /* during capture_live_read() */
    void *sink_ctx;
    size_t n;
    capture_pkt batch[BATCH];
};

int capture_conf_equal(const capture_conf *a, const capture_conf *b)
{
    if (a->promisc != b->promisc || a->ignore_vlans != b->ignore_vlans ||
        a->disable != b->disable || a->block_size != b->block_size ||
        a->num_blocks != b->num_blocks || a->n_extra != b->n_extra)
        return 0;
    if ((a->sample ? a->sample : 1) != (b->sample ? b->sample : 1))
        return 0;
    for (uint32_t i = 0; i < a->n_extra; i++)
        if (a->extra[i].op != b->extra[i].op || a->extra[i].jt != b->extra[i].jt ||
            a->extra[i].jf != b->extra[i].jf || a->extra[i].k != b->extra[i].k)
            return 0;
    return 1;
}

/* ---- opening ---- */

static gp_status find_link(const char *iface, capture_link *out, gp_err *err)
{
    GP_CLEANUP(gp_freep) capture_link *links = NULL;
    size_t n;

    GP_TRY(capture_links_list(&links, &n, err));
    for (size_t i = 0; i < n; i++)
        if (strcmp(links[i].name, iface) == 0) {
            *out = links[i];
            return GP_OK;
        }
    return gp_fail(err, GP_ENOTFOUND, 0, "no such interface");
}

/* Which hardware types are captured (spec 1.1), before libpcap falls back to cooked mode for
 * anything. */
static gp_status check_link(const capture_link *link, const capture_conf *conf, gp_err *err)
{
    switch (link->arphrd) {
    case ARPHRD_ETHER_:
    case ARPHRD_PPP_:
    case ARPHRD_IPIP_:
    case ARPHRD_TUNNEL6_:
    case ARPHRD_LOOPBACK_:
    case ARPHRD_SIT_:
    case ARPHRD_GRE_:
    case ARPHRD_GRE6_:
    case ARPHRD_NONE_:
        break;
    default:
        return gp_fail(
            err, GP_EUNSUPPORTED, 0,
            "hardware type %u is not supported; Ethernet, loopback, PPP and IP tunnels are",
            link->arphrd);
    }
    if (conf->ignore_vlans && link->vlan)
        return gp_fail(err, GP_EUNSUPPORTED, 0,
                       "ignore_vlans on a VLAN interface would drop everything");
    if (!link->up)
        return gp_fail(err, GP_EUNAVAILABLE, 0, "interface is down");
    return GP_OK;
}

static gp_status activation_error(pcap_t *p, int code, gp_err *err)
{
    switch (code) {
    case PCAP_ERROR_NO_SUCH_DEVICE:
        return gp_fail(err, GP_ENOTFOUND, 0, "no such interface");
    case PCAP_ERROR_IFACE_NOT_UP:
        return gp_fail(err, GP_EUNAVAILABLE, 0, "interface is down");
    case PCAP_ERROR_PERM_DENIED:
    case PCAP_ERROR_PROMISC_PERM_DENIED:
        return gp_fail(err, GP_EDENIED, 0,
                       "not permitted to capture; run as root or with CAP_NET_RAW");
    default:
        return gp_fail(err, GP_EIO, 0, "%s (%s)", pcap_geterr(p), pcap_statustostr(code));
    }
}

static gp_status open_handle(capture_live *l, int promisc, uint64_t ring, pcap_t **out, gp_err *err)
{
    char text[PCAP_ERRBUF_SIZE] = "";
    pcap_t *p = pcap_create(l->name, text);

    if (!p)
        return gp_fail(err, GP_EIO, 0, "%s", text);
    (void)pcap_set_snaplen(p, CAPTURE_SNAPLEN);
    (void)pcap_set_promisc(p, promisc);
    (void)pcap_set_timeout(p, RETIRE_MS);
    (void)pcap_set_buffer_size(p, (int)ring);
    int r = pcap_activate(p); /* above 0: a warning such as "unknown hardware type, cooked" */
    if (r < 0) {
        gp_status st = activation_error(p, r, err);
        pcap_close(p);
        return st;
    }
    if (pcap_setnonblock(p, 1, text) != 0) {
        pcap_close(p);
        return gp_fail(err, GP_EIO, 0, "%s", text);
    }
    *out = p;
    return GP_OK;
}

/* Names mean something else to libpcap where another of its sources answers to them: "any" is all
 * interfaces, "nflog" a queue. Only a socket that is bound to the interface counts. */
static gp_status check_bound(const handle *h, uint32_t index, gp_err *err)
{
    struct sockaddr_ll a = {0};
    socklen_t len = sizeof a;

    if (getsockname(pcap_fileno(h->pcap), (struct sockaddr *)&a, &len) == 0 &&
        a.sll_family == AF_PACKET && a.sll_ifindex == (int)index)
        return GP_OK;
    return gp_fail(err, GP_EUNSUPPORTED, 0,
                   "libpcap does not open the interface of this name; rename it");
}

static gp_status add_handle(capture_live *l, capture_pass pass, uint64_t ring, unsigned how,
                            gp_err *err)
{
    handle *h = &l->h[l->n_handles];

    GP_TRY(open_handle(l, pass != CAPTURE_PASS_OUT && l->conf.promisc, ring, &h->pcap, err));
    l->n_handles++;
    GP_TRY(check_bound(h, l->index, err));
    int dlt = pcap_datalink(h->pcap);
    if (!capture_dlt_known(dlt))
        return gp_fail(err, GP_EUNSUPPORTED, 0, "link type %d is not supported", dlt);
    h->owner = l;
    h->parser = (capture_parser){.dlt = dlt,
                                 .compat = how & CAPTURE_COMPAT,
                                 .dir = pass == CAPTURE_PASS_OUT ? CAPTURE_OUT : CAPTURE_IN};
    l->layer = dlt == DLT_EN10MB ? CAPTURE_AT_ETHER : CAPTURE_AT_IP;
    return capture_filter_attach(pcap_fileno(h->pcap), pass, l->layer, &l->conf, err);
}

static uint64_t ring_of(uint64_t bytes)
{
    if (bytes < CAPTURE_RING_MIN)
        bytes = CAPTURE_RING_MIN;
    if (bytes > RING_MAX)
        bytes = RING_MAX;
    return (bytes + RING_BLOCK - 1) / RING_BLOCK * RING_BLOCK;
}

static int is_cooked(int dlt)
{
    return dlt == DLT_LINUX_SLL || dlt == DLT_LINUX_SLL2;
}

/* One or two handles. Whether the link is cooked is known only after opening the first. */
static gp_status open_handles(capture_live *l, const capture_link *link, unsigned how, gp_err *err)
{
    uint64_t total = l->conf.block_size * l->conf.num_blocks;
    int single = link->arphrd == ARPHRD_LOOPBACK_ || link->arphrd == ARPHRD_PPP_ ||
                 link->arphrd == ARPHRD_TUNNEL6_ || link->arphrd == ARPHRD_GRE_ ||
                 link->arphrd == ARPHRD_GRE6_;
    uint64_t ring = ring_of(single ? total : total / 2);

    l->twice = link->arphrd == ARPHRD_LOOPBACK_;
    GP_TRY(add_handle(l, CAPTURE_PASS_IN, ring, how, err));
    l->ring_bytes = ring;
    if (is_cooked(l->h[0].parser.dlt))
        return capture_filter_attach(pcap_fileno(l->h[0].pcap), CAPTURE_PASS_ANY, l->layer,
                                     &l->conf, err);
    if (l->twice)
        return GP_OK;
    l->ring_bytes += ring;
    return add_handle(l, CAPTURE_PASS_OUT, ring, how, err);
}

gp_status capture_live_open(const char *iface, const capture_conf *conf, unsigned how,
                            capture_live **out, gp_err *err)
{
    capture_link link = {0};
    uint64_t ring;

    if (strlen(iface) >= CAPTURE_NAME_CAP)
        return gp_fail(err, GP_ENOTFOUND, 0, "no such interface (the name is too long)");
    if (__builtin_mul_overflow(conf->block_size, conf->num_blocks, &ring) ||
        ring > 2 * (uint64_t)RING_MAX)
        return gp_fail(err, GP_EINVAL, 0, "ring buffer above 2 GiB");
    if (conf->n_extra > CAPTURE_EXTRA_MAX)
        return gp_fail(err, GP_EINVAL, 0, "more than %d BPF instructions", CAPTURE_EXTRA_MAX);
    GP_TRY(find_link(iface, &link, err));
    GP_TRY(check_link(&link, conf, err));
    capture_live *l = gp_calloc(1, sizeof *l);
    if (!l)
        return gp_fail(err, GP_ENOMEM, 0, "out of memory");
    memcpy(l->name, link.name, sizeof l->name);
    l->index = link.index;
    l->conf = *conf;
    gp_status st = open_handles(l, &link, how, err);
    if (st == GP_OK && (how & CAPTURE_FRAGMENTS) && !(how & CAPTURE_COMPAT))
        st = capture_frags_new(&l->frags, err);
    if (st != GP_OK) {
        capture_live_close(l);
        return st;
    }
    l->start_us = (gp_wall_ns() + SETTLE_NS) / 1000;
    l->skip_until_ms = gp_mono_ms() + SKIP_WINDOW_MS;
    l->skipping = 1;
    *out = l;
    return GP_OK;
}

void capture_live_close(capture_live *l)
{
    if (!l)
        return;
    for (int i = 0; i < l->n_handles; i++)
        pcap_close(l->h[i].pcap);
    capture_frags_free(l->frags);
    gp_free(l);
}

/* ---- reading ---- */

static void flush(capture_live *l)
{
    if (l->n)
        l->sink(l->sink_ctx, l->batch, l->n);
    l->n = 0;
}

static void keep_packet(capture_live *l, const struct pcap_pkthdr *ph)
{
    capture_pkt *p = &l->batch[l->n++];

    p->time_us = (uint32_t)((uint64_t)ph->ts.tv_sec * 1000000 + (uint64_t)ph->ts.tv_usec);
    if (l->twice) {
        capture_pkt *q = &l->batch[l->n++];
        *q = *p;
        p->dir = CAPTURE_OUT;
        q->dir = CAPTURE_IN;
    }
    if (l->n + 2 > BATCH)
        flush(l);
}

static void on_packet(u_char *user, const struct pcap_pkthdr *ph, const u_char *data)
{
    handle *h = (handle *)(void *)user;
    capture_live *l = h->owner;

    if (__builtin_expect(l->skipping, 0) &&
        (int64_t)ph->ts.tv_sec * 1000000 + ph->ts.tv_usec < l->start_us) {
        h->skipped++;
        return;
    }
    capture_result r = capture_parse(&h->parser, data, ph->caplen, ph->len, &l->batch[l->n]);
    unsigned n = l->twice ? 2 : 1;
    if (__builtin_expect(r == CAPTURE_FLOW, 1)) {
        if (__builtin_expect(l->batch[l->n].frag == CAPTURE_FRAG_FIRST && l->frags, 0))
            capture_frags_first(l->frags, &l->batch[l->n], ph->ts.tv_sec);
        l->counts.processed += n;
        keep_packet(l, ph);
        return;
    }
    if (r == CAPTURE_NOT_IP) { /* an EtherType that may hold IP, but did not: as if filtered */
        h->skipped++;
        return;
    }
    l->counts.errors[r] += n;
    l->counts.processed += r != CAPTURE_FRAGMENTED ? n : 0;
    if (r == CAPTURE_FRAGMENTED && l->frags &&
        capture_frags_later(l->frags, &l->batch[l->n], ph->ts.tv_sec))
        keep_packet(l, ph);
}

int capture_live_fds(const capture_live *l, struct pollfd fds[CAPTURE_MAX_FDS])
{
    for (int i = 0; i < l->n_handles; i++)
        fds[i] = (struct pollfd){.fd = pcap_get_selectable_fd(l->h[i].pcap), .events = POLLIN};
    return l->n_handles;
}

int capture_live_timeout_ms(const capture_live *l)
{
    int best = -1;
    for (int i = 0; i < l->n_handles; i++) {
        const struct timeval *tv = pcap_get_required_select_timeout(l->h[i].pcap);
        if (!tv)
            continue;
        int ms = (int)(tv->tv_sec * 1000 + tv->tv_usec / 1000);
        if (best < 0 || ms < best)
            best = ms;
    }
    return best;
}

int capture_live_read(capture_live *l, unsigned *rings, int budget, capture_sink sink, void *ctx,
                      gp_err *err)
{
    int total = 0, failed = 0;
    unsigned look = *rings;

    if (l->skipping && gp_mono_ms() > l->skip_until_ms)
        l->skipping = 0;
    l->sink = sink;
    l->sink_ctx = ctx;
    *rings = 0;
    for (int i = 0; i < l->n_handles && !failed; i++) {
        if (!(look >> i & 1))
            continue;
        int n = pcap_dispatch(l->h[i].pcap, budget, on_packet, (u_char *)(void *)&l->h[i]);
        if (n < 0) {
            (void)gp_fail(err, GP_EIO, 0, "%s", pcap_geterr(l->h[i].pcap));
            failed = 1;
        } else {
            total += n;
            *rings |= n >= budget ? 1u << i : 0;
        }
    }
    flush(l);
    return failed ? -1 : total;
}

/* ---- counters ---- */

int capture_live_stats(capture_live *l)
{
    uint64_t n = l->twice ? 2 : 1, received = 0;

    for (int i = 0; i < l->n_handles; i++) {
        struct pcap_stat now;
        handle *h = &l->h[i];
        if (pcap_stats(h->pcap, &now) != 0)
            return 0;
        h->received += (uint32_t)(now.ps_recv - h->last.ps_recv);
        l->counts.dropped += (uint64_t)(uint32_t)(now.ps_drop - h->last.ps_drop) * n;
        h->last = now;
        received += h->received > h->skipped ? h->received - h->skipped : 0;
    }
    l->counts.received = received * n;
    return 1;
}

const capture_counts *capture_live_counts(const capture_live *l)
{
    return &l->counts;
}

void capture_live_shut(capture_live *l)
{
    gp_err err;

    for (int i = 0; i < l->n_handles; i++)
        if (capture_filter_attach(pcap_fileno(l->h[i].pcap), CAPTURE_PASS_NONE, l->layer, &l->conf,
                                  &err) != GP_OK)
            break; /* the socket is dead: nothing comes any more either */
}

uint64_t capture_live_ring_bytes(const capture_live *l)
{
    return l->ring_bytes;
}
