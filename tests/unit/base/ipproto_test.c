/* ipproto_test.c - protocol names against the tables of query.md 10 and godb-format.md 8.4. */
#include "test.h"

#include "gp/ipproto.h"
#include "gp/num.h"

#include <ctype.h>

/* Spec table of godb-format.md 8.4, as printed there. */
static const char import_table[] =
    "0=hopopt 1=icmp 2=igmp 3=ggp 4=ipv4 5=st 6=tcp 7=cbt 8=egp 9=igp 10=bbn-rcc-mon 11=nvp-ii "
    "12=pup 13=argus 14=emcon 15=xnet 16=chaos 17=udp 18=mux 19=dcn-meas 20=hmp 21=prm "
    "22=xns-idp 23=trunk-1 24=trunk-2 25=leaf-1 26=leaf-2 27=rdp 28=irtp 29=iso-tp4 30=netblt "
    "31=mfe-nsp 32=merit-inp 33=dccp 34=3pc 35=idpr 36=xtp 37=ddp 38=idpr-cmtp 39=tp++ 40=il "
    "41=ipv6 42=sdrp 43=ipv6-route 44=ipv6-frag 45=idrp 46=rsvp 47=gre 48=dsr 49=bna "
    "50=ipsec-esp 51=ipsec-ah 52=i-nlsp 53=swipe 54=narp 55=mobile 56=tlsp 57=skip "
    "58=ipv6-icmp 59=ipv6-nonxt 60=ipv6-opts 62=cftp 64=sat-expak 65=kryptolan 66=rvd 67=ippc "
    "69=sat-mon 70=visa 71=ipcv 72=cpnx 73=cphb 74=wsn 75=pvp 76=br-sat-mon 77=sun-nd "
    "78=wb-mon 79=wb-expak 80=iso-ip 81=vmtp 82=secure-vmtp 83=vines 84=ttp 85=nsfnet-igp "
    "86=dgp 87=tcf 88=eigrp 89=ospfigp 90=sprite-rpc 91=larp 92=mtp 93=ax.25 94=ipip 95=micp "
    "96=scc-sp 97=etherip 98=encap 100=gmtp 101=ifmp 102=pnni 103=pim 104=aris 105=scps "
    "106=qnx 107=a/n 108=ipcomp 109=snp 110=compaq-peer 111=ipx-in-ip 112=vrrp 113=pgm "
    "115=l2tp 116=ddx 117=iatp 118=stp 119=srp 120=uti 121=smp 122=sm 123=ptp 124=isis "
    "125=fire 126=crtp 127=crudp 128=sscopmce 129=iplt 130=sps 131=pipe 132=sctp 133=fc "
    "134=rsvp-e2e-ignore 135=mobility-header 136=udplite 137=mpls-in-ip 138=manet 139=hip "
    "140=shim6 141=wesp 142=rohc 255=unknown";

/* Names of query.md 10 that are not all capitals; the rest is import_table in upper case. */
static const char mixed_case[] =
    "4=IPv4 41=IPv6 43=IPv6-Route 44=IPv6-Frag 58=IPv6-ICMP 59=IPv6-NoNxt 60=IPv6-Opts "
    "90=Sprite-RPC 108=IPComp 110=Compaq-Peer 111=IPX-in-IP 135=Mobility-Header 136=UDPLite "
    "137=MPLS-in-IP 138=manet 140=Shim6";

/* Next "<number>=<name>" of a table: the number, or -1 at its end. */
static int next_entry(const char **p, const char **name, size_t *len)
{
    uint64_t n;
    if (**p == '\0')
        return -1;
    size_t digits = strcspn(*p, "=");
    assert_true(gp_num_u64(*p, digits, 255, &n));
    *name = *p + digits + 1;
    *len = strcspn(*name, " ");
    *p = *name + *len;
    *p += **p == ' ';
    return (int)n;
}

static void test_import_names(void **state)
{
    (void)state;
    const char *p = import_table, *name;
    size_t len;
    int number, count = 0, last = -1;

    while ((number = next_entry(&p, &name, &len)) >= 0) {
        char upper[32];
        assert_true(number > last && len < sizeof upper);
        last = number;
        count++;
        for (size_t i = 0; i <= len; i++)
            upper[i] = (char)toupper((unsigned char)name[i]);
        upper[len] = '\0';
        if (gp_ipproto_number_strict(name, len) != number ||
            gp_ipproto_number(name, len) != number ||
            gp_ipproto_number_strict(upper, len) != number)
            fail_msg("%.*s: want %d", (int)len, name, number);
        const char *shown = gp_ipproto_name((uint8_t)number);
        if (!shown || strlen(shown) != len || strncasecmp(shown, name, len) != 0)
            fail_msg("%d: shown as %s", number, shown ? shown : "nothing");
    }
    assert_int_equal(count, 139);
    for (int n = 0; n < 256; n++)
        count -= gp_ipproto_name((uint8_t)n) != NULL;
    assert_int_equal(count, 0); /* no name that is not in the table */
}

static void test_display_case(void **state)
{
    (void)state;
    const char *mixed = mixed_case, *name = NULL;
    size_t len = 0;
    int next = next_entry(&mixed, &name, &len);

    for (int n = 0; n < 256; n++) {
        const char *shown = gp_ipproto_name((uint8_t)n);
        if (!shown)
            continue;
        if (n == next) {
            if (strncmp(shown, name, len) != 0)
                fail_msg("%d: shown as %s, want %.*s", n, shown, (int)len, name);
            next = next_entry(&mixed, &name, &len);
            continue;
        }
        for (size_t i = 0; shown[i]; i++)
            if (islower((unsigned char)shown[i]))
                fail_msg("%d: %s is not in capitals", n, shown);
    }
    assert_int_equal(next, -1);
}

static void test_input(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int number, strict;
    } cases[] = {
        {"tcp", 6, 6},
        {"Udp", 17, 17},
        {"UDP", 17, 17},
        {"ipv6-icmp", 58, 58},
        {"icmpv6", 58, -1},
        {"ICMP6", 58, -1},
        {"esp", 50, -1},
        {"AH", 51, -1},
        {"ospf", 89, -1},
        {"ospfigp", 89, 89},
        {"unknown", 255, 255},
        {"a/n", 107, 107},
        {"3pc", 34, 34},
        {"tp++", 39, 39},
        {"ax.25", 93, 93},
        {"", -1, -1},
        {"tc", -1, -1},
        {"tcpp", -1, -1},
        {"6", -1, -1},
        {" tcp", -1, -1},
        {"tcp ", -1, -1},
        {"il", 40, 40},
        {"i", -1, -1},
        {"rsvp", 46, 46},
        {"rsvp-", -1, -1},
        {"zzz", -1, -1},
        {"\xFF\xFE", -1, -1},
        {"rsvp-e2e-ignore", 134, 134},
        {"rsvp-e2e-ignored", -1, -1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t len = strlen(cases[i].name);
        int n = gp_ipproto_number(cases[i].name, len);
        int s = gp_ipproto_number_strict(cases[i].name, len);
        if (n != cases[i].number || s != cases[i].strict)
            fail_msg("\"%s\": got %d, strict %d", cases[i].name, n, s);
    }
    assert_int_equal(gp_ipproto_number("tcp\0", 4), -1);
    assert_int_equal(gp_ipproto_number_strict("tcp\0", 4), -1);
    assert_int_equal(gp_ipproto_number("tcpx", 3), 6); /* only len bytes */
}

static void test_format(void **state)
{
    (void)state;
    char buf[24];
    static const int unnamed[] = {61, 63, 68, 99, 114, 143, 200, 254};

    assert_ptr_equal(gp_ipproto_format(6, buf, sizeof buf), buf);
    assert_string_equal(buf, "TCP");
    assert_string_equal(gp_ipproto_format(255, buf, sizeof buf), "UNKNOWN");
    for (size_t i = 0; i < COUNT(unnamed); i++) { /* U29: the number, not nothing */
        char want[4];
        (void)snprintf(want, sizeof want, "%d", unnamed[i]);
        assert_null(gp_ipproto_name((uint8_t)unnamed[i]));
        assert_string_equal(gp_ipproto_format((uint8_t)unnamed[i], buf, sizeof buf), want);
    }
    for (int n = 0; n < 256; n++) /* 24 bytes are enough for all */
        assert_in_range(strlen(gp_ipproto_format((uint8_t)n, buf, sizeof buf)), 1, 22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_import_names),
        cmocka_unit_test(test_display_case),
        cmocka_unit_test(test_input),
        cmocka_unit_test(test_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
