/* filter.c - classic BPF by hand: packet type, protocol, VLAN, sampling, the user's own
 * instructions.
 *
 *   [packet type] [VLAN tag] [sampling] [protocol in list?] reject [A for the user] [user's] accept
 * reject
 *
 * Only ancillary loads, so one program fits every link type. The kernel cuts frames to what accept
 * returns; without a program it would copy whole frames to the ring. The user's instructions end
 * directly before accept: falling through accepts, the instruction after accept rejects (spec 1.2).
 */
#include "filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    OUTGOING = 4,
    NO_JUMP = 255, /* to the reject after the protocol list; patched once that is placed */
    PROTO_IPV4 = 0x0800,
    PROTO_IPV6 = 0x86dd,
    PROTO_PPPOE = 0x8864,
    PROTO_VLAN = 0x8100,
    PROTO_QINQ = 0x88a8,
    PROTO_QINQ_OLD = 0x9100,
    PPP_AT = 20, /* PPP protocol in an untagged PPPoE frame */
};

typedef struct program {
    capture_insn *v;
    size_t n;
} program;

static void put(program *p, unsigned op, uint8_t jt, uint8_t jf, uint32_t k)
{
    p->v[p->n++] = (capture_insn){.op = (uint16_t)op, .jt = jt, .jf = jf, .k = k};
}

static void load_anc(program *p, int what)
{
    put(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)(SKF_AD_OFF + what));
}

/* Reject when A == k, or (unless) when A != k. Jumps to reject are patched at the end. */
static void reject_if(program *p, uint32_t k, int unless)
{
    put(p, BPF_JMP | BPF_JEQ | BPF_K, unless ? 0 : NO_JUMP, unless ? NO_JUMP : 0, k);
}

/* A = protocol; reject what is neither IP nor may contain it. */
static void check_protocol(program *p, int vlans)
{
    static const uint16_t accepted[] = {PROTO_IPV4, PROTO_IPV6, PROTO_PPPOE,
                                        PROTO_VLAN, PROTO_QINQ, PROTO_QINQ_OLD};
    size_t n = vlans ? 6 : 3;

    load_anc(p, SKF_AD_PROTOCOL);
    for (size_t i = 0; i < n; i++) /* a hit jumps over the rest and the reject */
        put(p, BPF_JMP | BPF_JEQ | BPF_K, (uint8_t)(n - i), 0, accepted[i]);
    size_t reject = p->n;
    put(p, BPF_RET | BPF_K, 0, 0, 0);
    for (size_t i = 0; i < reject; i++) {
        if (p->v[i].jt == NO_JUMP)
            p->v[i].jt = (uint8_t)(reject - i - 1);
        if (p->v[i].jf == NO_JUMP)
            p->v[i].jf = (uint8_t)(reject - i - 1);
    }
}

/* A as the user's instructions expect it (spec 1.2): EtherType, PPP protocol, or version nibble. */
static void load_for_user(program *p, capture_layer layer)
{
    if (layer == CAPTURE_AT_IP) {
        put(p, BPF_LD | BPF_B | BPF_ABS, 0, 0, 0);
        put(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, 0xf0);
        return;
    }
    put(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, PROTO_PPPOE);
    put(p, BPF_LD | BPF_H | BPF_ABS, 0, 0, PPP_AT);
}

size_t capture_filter_build(capture_insn *out, capture_pass pass, capture_layer layer,
                            const capture_conf *conf)
{
    program p = {out, 0};
    int vlans = !(conf->ignore_vlans && layer == CAPTURE_AT_ETHER);

    if (pass == CAPTURE_PASS_NONE) {
        put(&p, BPF_RET | BPF_K, 0, 0, 0);
        return p.n;
    }
    if (pass != CAPTURE_PASS_ANY) {
        load_anc(&p, SKF_AD_PKTTYPE);
        reject_if(&p, OUTGOING, pass == CAPTURE_PASS_OUT);
    }
    if (!vlans) {
        load_anc(&p, SKF_AD_VLAN_TAG_PRESENT);
        reject_if(&p, 0, 1);
    }
    if (conf->sample > 1) {
        load_anc(&p, SKF_AD_RANDOM);
        put(&p, BPF_ALU | BPF_MOD | BPF_K, 0, 0, conf->sample);
        reject_if(&p, 0, 1);
    }
    check_protocol(&p, vlans);
    if (conf->n_extra) {
        load_for_user(&p, layer);
        for (uint32_t i = 0; i < conf->n_extra; i++)
            p.v[p.n++] = conf->extra[i];
    }
    put(&p, BPF_RET | BPF_K, 0, 0, CAPTURE_SNAPLEN);
    put(&p, BPF_RET | BPF_K, 0, 0, 0);
    return p.n;
}

gp_status capture_filter_attach(int fd, capture_pass pass, capture_layer layer,
                                const capture_conf *conf, gp_err *err)
{
    capture_insn built[CAPTURE_FILTER_MAX];
    struct sock_filter code[CAPTURE_FILTER_MAX];

    size_t n = capture_filter_build(built, pass, layer, conf);
    for (size_t i = 0; i < n; i++)
        code[i] = (struct sock_filter){built[i].op, built[i].jt, built[i].jf, built[i].k};
    struct sock_fprog prog = {.len = (unsigned short)n, .filter = code};
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog) == 0)
        return GP_OK;
    if (errno == EINVAL && conf->n_extra)
        return gp_fail(err, GP_EINVAL, 0, "the kernel refuses extra_bpf_filters: not valid BPF");
    return gp_fail(err, GP_EIO, errno, "cannot attach the packet filter");
}

/* Furthest the user's instruction at i jumps: relative to the one behind it. */
static uint32_t reach(const capture_insn *i)
{
    if (BPF_CLASS(i->op) != BPF_JMP)
        return 0;
    return BPF_OP(i->op) == BPF_JA ? i->k : i->jt > i->jf ? i->jt : i->jf;
}

gp_status capture_conf_check(const capture_conf *conf, gp_err *err)
{
    gp_err why = {0};

    for (uint32_t i = 0; i < conf->n_extra; i++) /* n is accept, n + 1 reject */
        if (reach(&conf->extra[i]) > conf->n_extra - i)
            return gp_fail(err, GP_EINVAL, 0,
                           "instruction %u jumps too far: the list may be left for the accept "
                           "behind it (%u) and the reject behind that (%u)",
                           i, conf->n_extra, conf->n_extra + 1);
    int fd = conf->n_extra ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
    if (fd < 0)
        return GP_OK;
    gp_status st = capture_filter_attach(fd, CAPTURE_PASS_IN, CAPTURE_AT_ETHER, conf, &why);
    close(fd);
    return st == GP_EINVAL ? gp_fail(err, st, 0, "%s", why.msg) : GP_OK;
}
