/* filter_test.c - the kernel program by interpretation: what passes, for every setting (spec 1.2,
 * L-8). */
#include "filter.h"
#include "test.h"

#include <linux/filter.h>

/* The ancillary data a program may load, and the bytes at the packet's start. */
typedef struct skb {
    uint32_t pkttype, protocol, vlan_present, random;
    uint8_t bytes[64];
} skb;

static uint32_t load(const skb *s, const capture_insn *i)
{
    switch ((int32_t)i->k) {
    case SKF_AD_OFF + SKF_AD_PKTTYPE:
        return s->pkttype;
    case SKF_AD_OFF + SKF_AD_PROTOCOL:
        return s->protocol;
    case SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT:
        return s->vlan_present;
    case SKF_AD_OFF + SKF_AD_RANDOM:
        return s->random;
    default:
        break;
    }
    assert_true(i->k < sizeof s->bytes - 1);
    if ((i->op & 0x18) == BPF_B)
        return s->bytes[i->k];
    return (uint32_t)(s->bytes[i->k] << 8 | s->bytes[i->k + 1]);
}

/* Interpret the few instructions our programs are made of. */
static uint32_t run(const capture_insn *v, size_t n, const skb *s)
{
    uint32_t a = 0;

    for (size_t pc = 0; pc < n; pc++) {
        const capture_insn *i = &v[pc];
        switch (i->op) {
        case BPF_LD | BPF_W | BPF_ABS:
        case BPF_LD | BPF_H | BPF_ABS:
        case BPF_LD | BPF_B | BPF_ABS:
            a = load(s, i);
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= i->k;
            break;
        case BPF_ALU | BPF_MOD | BPF_K:
            a %= i->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            pc += a == i->k ? i->jt : i->jf;
            break;
        case BPF_RET | BPF_K:
            return i->k;
        default:
            fail_msg("instruction %#x", i->op);
        }
    }
    fail_msg("the program runs off its end");
    return 0;
}

static void test_programs(void **state)
{
    (void)state;
#define OUT CAPTURE_PASS_OUT
#define IN  CAPTURE_PASS_IN
#define ANY CAPTURE_PASS_ANY
    static const struct {
        const char *what;
        capture_pass pass;
        int no_vlans;
        skb s;
        int passes;
    } cases[] = {
        {"incoming IPv4", IN, 0, {.pkttype = 0, .protocol = 0x0800}, 1},
        {"incoming IPv6", IN, 0, {.pkttype = 0, .protocol = 0x86dd}, 1},
        {"broadcast", IN, 0, {.pkttype = 1, .protocol = 0x0800}, 1},
        {"multicast", IN, 0, {.pkttype = 2, .protocol = 0x0800}, 1},
        {"third party", IN, 0, {.pkttype = 3, .protocol = 0x0800}, 1},
        {"outgoing on the inbound handle", IN, 0, {.pkttype = 4, .protocol = 0x0800}, 0},
        {"outgoing", OUT, 0, {.pkttype = 4, .protocol = 0x0800}, 1},
        {"incoming on the outbound handle", OUT, 0, {.pkttype = 0, .protocol = 0x0800}, 0},
        {"cooked in", ANY, 0, {.pkttype = 0, .protocol = 0x0800}, 1},
        {"cooked out", ANY, 0, {.pkttype = 4, .protocol = 0x86dd}, 1},
        {"ARP", IN, 0, {.protocol = 0x0806}, 0},
        {"LLC", IN, 0, {.protocol = 0x0004}, 0},
        {"PPPoE session", IN, 0, {.protocol = 0x8864}, 1},
        {"PPPoE discovery", IN, 0, {.protocol = 0x8863}, 0},
        {"tag in the frame", IN, 0, {.protocol = 0x8100}, 1},
        {"QinQ", IN, 0, {.protocol = 0x88a8}, 1},
        {"old QinQ", IN, 0, {.protocol = 0x9100}, 1},
        {"stripped tag", IN, 0, {.protocol = 0x0800, .vlan_present = 1}, 1},
        {"no VLANs: untagged", IN, 1, {.protocol = 0x0800}, 1},
        {"no VLANs: stripped tag", IN, 1, {.protocol = 0x0800, .vlan_present = 1}, 0},
        {"no VLANs: tag in the frame", IN, 1, {.protocol = 0x8100}, 0},
        {"no VLANs: QinQ", IN, 1, {.protocol = 0x88a8}, 0},
        {"the end", CAPTURE_PASS_NONE, 0, {.protocol = 0x0800}, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        capture_insn v[CAPTURE_FILTER_MAX];
        capture_conf conf = {.ignore_vlans = (uint8_t)cases[i].no_vlans};
        size_t n = capture_filter_build(v, cases[i].pass, CAPTURE_AT_ETHER, &conf);
        uint32_t got = run(v, n, &cases[i].s);
        if (got != (cases[i].passes ? (uint32_t)CAPTURE_SNAPLEN : 0))
            fail_msg("%s: %u", cases[i].what, got);
        /* the option is without effect on links that are not Ethernet */
        n = capture_filter_build(v, cases[i].pass, CAPTURE_AT_IP, &conf);
        assert_true(cases[i].no_vlans == 0 || run(v, n, &cases[i].s) != 0);
    }
}

static void test_sampling(void **state)
{
    (void)state;
    capture_insn v[CAPTURE_FILTER_MAX];
    capture_conf conf = {.sample = 10};
    unsigned passed = 0;

    size_t n = capture_filter_build(v, CAPTURE_PASS_IN, CAPTURE_AT_ETHER, &conf);
    for (uint32_t r = 0; r < 1000; r++)
        passed += run(v, n, &(skb){.protocol = 0x0800, .random = r * 7}) != 0;
    assert_int_equal(passed, 100);
}

/* What the accumulator holds for the user's instructions, and both ways out of them. */
static void test_user_code(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        capture_layer layer;
        skb s;
        uint32_t a; /* the value that the user's code rejects */
        int passes;
    } cases[] = {
        {"EtherType", CAPTURE_AT_ETHER, {.protocol = 0x86dd}, 0x86dd, 0},
        {"other EtherType", CAPTURE_AT_ETHER, {.protocol = 0x0800}, 0x86dd, 1},
        {"PPP protocol", CAPTURE_AT_ETHER, {.protocol = 0x8864, .bytes = {[21] = 0x57}}, 0x57, 0},
        {"other PPP", CAPTURE_AT_ETHER, {.protocol = 0x8864, .bytes = {[21] = 0x21}}, 0x57, 1},
        {"raw version", CAPTURE_AT_IP, {.protocol = 0x86dd, .bytes = {0x6f}}, 0x60, 0},
        {"raw other", CAPTURE_AT_IP, {.protocol = 0x0800, .bytes = {0x45}}, 0x60, 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (uint32_t len = 1; len <= CAPTURE_EXTRA_MAX; len += 123) {
            capture_insn v[CAPTURE_FILTER_MAX];
            capture_conf conf = {.n_extra = len};
            for (uint32_t k = 0; k + 1 < len; k++) /* padding that changes nothing */
                conf.extra[k] = (capture_insn){.op = BPF_JMP | BPF_JEQ | BPF_K, .k = 0xdead};
            conf.extra[len - 1] =
                (capture_insn){.op = BPF_JMP | BPF_JEQ | BPF_K, .jt = 1, .k = cases[i].a};
            size_t n = capture_filter_build(v, CAPTURE_PASS_IN, cases[i].layer, &conf);
            assert_true(n <= CAPTURE_FILTER_MAX);
            if ((run(v, n, &cases[i].s) != 0) != cases[i].passes)
                fail_msg("%s with %u instructions", cases[i].what, len);
            /* filters before the user's still hold */
            skb arp = {.protocol = 0x0806};
            assert_int_equal(run(v, n, &arp), 0);
        }
}

/* What the kernel would refuse at opening is refused before (1.2). */
static void test_check(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint32_t n;
        capture_insn last; /* those before do nothing */
        const char *want;  /* NULL: accepted */
    } cases[] = {
        {"none", 0, {0}, NULL},
        {"falls through", 1, {.op = BPF_JMP | BPF_JEQ | BPF_K}, NULL},
        {"to reject", 1, {.op = BPF_JMP | BPF_JEQ | BPF_K, .jt = 1}, NULL},
        {"behind it", 1, {.op = BPF_JMP | BPF_JEQ | BPF_K, .jt = 2}, "instruction 0 jumps"},
        {"behind it, else", 3, {.op = BPF_JMP | BPF_JGT | BPF_K, .jf = 2}, "instruction 2 jumps"},
        {"ja", 2, {.op = BPF_JMP | BPF_JA, .k = 1}, NULL},
        {"ja behind", 2, {.op = BPF_JMP | BPF_JA, .k = UINT32_MAX}, "instruction 1 jumps"},
        {"no jump", 1, {.op = BPF_LD | BPF_IMM, .jt = 9, .k = 9}, NULL},
        {"divides by zero", 1, {.op = BPF_ALU | BPF_DIV | BPF_K}, "kernel refuses"},
        {"no instruction", 1, {.op = 0xffff}, "kernel refuses"},
        {"full", CAPTURE_EXTRA_MAX, {.op = BPF_RET | BPF_K}, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        capture_conf conf = {.n_extra = cases[i].n};
        gp_err err = {0};
        for (uint32_t k = 0; k < cases[i].n; k++)
            conf.extra[k] = (capture_insn){.op = BPF_JMP | BPF_JEQ | BPF_K, .k = 0xdead};
        if (cases[i].n)
            conf.extra[cases[i].n - 1] = cases[i].last;
        gp_status st = capture_conf_check(&conf, &err);
        if (cases[i].want ? st != GP_EINVAL || !strstr(err.msg, cases[i].want) : st != GP_OK)
            fail_msg("%s: %d \"%s\"", cases[i].what, st, err.msg);
    }
}

static void test_conf_equal(void **state)
{
    (void)state;
    const capture_conf base = {.block_size = 1, .num_blocks = 2, .n_extra = 1};
    capture_conf c = base;
    assert_true(capture_conf_equal(&base, &c));
    c.sample = 1;     /* the same as 0 */
    c.extra[1].k = 9; /* beyond n_extra */
    assert_true(capture_conf_equal(&base, &c));
#define DIFFERS(field, value)                                                                      \
    do {                                                                                           \
        c = base;                                                                                  \
        c.field = value;                                                                           \
        assert_false(capture_conf_equal(&base, &c));                                               \
    } while (0)
    DIFFERS(promisc, 1);
    DIFFERS(ignore_vlans, 1);
    DIFFERS(disable, 1);
    DIFFERS(sample, 2);
    DIFFERS(block_size, 2);
    DIFFERS(num_blocks, 1);
    DIFFERS(n_extra, 0);
    DIFFERS(extra[0].k, 1);
    DIFFERS(extra[0].jt, 1);
#undef DIFFERS
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_programs),   cmocka_unit_test(test_sampling),
        cmocka_unit_test(test_user_code),  cmocka_unit_test(test_check),
        cmocka_unit_test(test_conf_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
