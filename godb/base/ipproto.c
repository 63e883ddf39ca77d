/* ipproto.c - names of IP protocol numbers, exactly those of the database's import and export. */
#include "gp/ipproto.h"

#include "gp/err.h"

#include <stdio.h>

/* Display names of spec query.md 10. In lower case they are the import names of godb-format.md
 * 8.4 (compared by a test). No entry: 61, 63, 68, 99, 114 and 143 to 254. */
static const char *const names[256] = {
    [0] = "HOPOPT",
    [1] = "ICMP",
    [2] = "IGMP",
    [3] = "GGP",
    [4] = "IPv4",
    [5] = "ST",
    [6] = "TCP",
    [7] = "CBT",
    [8] = "EGP",
    [9] = "IGP",
    [10] = "BBN-RCC-MON",
    [11] = "NVP-II",
    [12] = "PUP",
    [13] = "ARGUS",
    [14] = "EMCON",
    [15] = "XNET",
    [16] = "CHAOS",
    [17] = "UDP",
    [18] = "MUX",
    [19] = "DCN-MEAS",
    [20] = "HMP",
    [21] = "PRM",
    [22] = "XNS-IDP",
    [23] = "TRUNK-1",
    [24] = "TRUNK-2",
    [25] = "LEAF-1",
    [26] = "LEAF-2",
    [27] = "RDP",
    [28] = "IRTP",
    [29] = "ISO-TP4",
    [30] = "NETBLT",
    [31] = "MFE-NSP",
    [32] = "MERIT-INP",
    [33] = "DCCP",
    [34] = "3PC",
    [35] = "IDPR",
    [36] = "XTP",
    [37] = "DDP",
    [38] = "IDPR-CMTP",
    [39] = "TP++",
    [40] = "IL",
    [41] = "IPv6",
    [42] = "SDRP",
    [43] = "IPv6-Route",
    [44] = "IPv6-Frag",
    [45] = "IDRP",
    [46] = "RSVP",
    [47] = "GRE",
    [48] = "DSR",
    [49] = "BNA",
    [50] = "IPSEC-ESP",
    [51] = "IPSEC-AH",
    [52] = "I-NLSP",
    [53] = "SWIPE",
    [54] = "NARP",
    [55] = "MOBILE",
    [56] = "TLSP",
    [57] = "SKIP",
    [58] = "IPv6-ICMP",
    [59] = "IPv6-NoNxt",
    [60] = "IPv6-Opts",
    [62] = "CFTP",
    [64] = "SAT-EXPAK",
    [65] = "KRYPTOLAN",
    [66] = "RVD",
    [67] = "IPPC",
    [69] = "SAT-MON",
    [70] = "VISA",
    [71] = "IPCV",
    [72] = "CPNX",
    [73] = "CPHB",
    [74] = "WSN",
    [75] = "PVP",
    [76] = "BR-SAT-MON",
    [77] = "SUN-ND",
    [78] = "WB-MON",
    [79] = "WB-EXPAK",
    [80] = "ISO-IP",
    [81] = "VMTP",
    [82] = "SECURE-VMTP",
    [83] = "VINES",
    [84] = "TTP",
    [85] = "NSFNET-IGP",
    [86] = "DGP",
    [87] = "TCF",
    [88] = "EIGRP",
    [89] = "OSPFIGP",
    [90] = "Sprite-RPC",
    [91] = "LARP",
    [92] = "MTP",
    [93] = "AX.25",
    [94] = "IPIP",
    [95] = "MICP",
    [96] = "SCC-SP",
    [97] = "ETHERIP",
    [98] = "ENCAP",
    [100] = "GMTP",
    [101] = "IFMP",
    [102] = "PNNI",
    [103] = "PIM",
    [104] = "ARIS",
    [105] = "SCPS",
    [106] = "QNX",
    [107] = "A/N",
    [108] = "IPComp",
    [109] = "SNP",
    [110] = "Compaq-Peer",
    [111] = "IPX-in-IP",
    [112] = "VRRP",
    [113] = "PGM",
    [115] = "L2TP",
    [116] = "DDX",
    [117] = "IATP",
    [118] = "STP",
    [119] = "SRP",
    [120] = "UTI",
    [121] = "SMP",
    [122] = "SM",
    [123] = "PTP",
    [124] = "ISIS",
    [125] = "FIRE",
    [126] = "CRTP",
    [127] = "CRUDP",
    [128] = "SSCOPMCE",
    [129] = "IPLT",
    [130] = "SPS",
    [131] = "PIPE",
    [132] = "SCTP",
    [133] = "FC",
    [134] = "RSVP-E2E-IGNORE",
    [135] = "Mobility-Header",
    [136] = "UDPLite",
    [137] = "MPLS-in-IP",
    [138] = "manet",
    [139] = "HIP",
    [140] = "Shim6",
    [141] = "WESP",
    [142] = "ROHC",
    [255] = "UNKNOWN",
};

/* The named numbers in the order of their lower-case names, for the search (kept by a test). */
static const uint8_t by_name[] = {
    34,  107, 13, 104, 93,  10,  49,  76,  7,   62,  16,  110, 73,  72,  126, 127, 33,  19, 37, 116,
    86,  48,  8,  88,  14,  98,  97,  133, 125, 3,   100, 47,  139, 20,  0,   52,  117, 1,  35, 38,
    45,  101, 2,  9,   40,  108, 71,  94,  129, 67,  51,  50,  4,   41,  44,  58,  59,  60, 43, 111,
    28,  124, 80, 29,  65,  115, 91,  25,  26,  138, 32,  31,  95,  55,  135, 137, 92,  18, 54, 30,
    85,  11,  89, 113, 103, 131, 102, 21,  123, 12,  75,  106, 27,  142, 46,  134, 66,  64, 69, 96,
    105, 132, 42, 82,  140, 57,  122, 121, 109, 90,  130, 119, 128, 5,   118, 77,  53,  87, 6,  56,
    39,  23,  24, 84,  17,  136, 255, 120, 83,  70,  81,  112, 79,  78,  141, 74,  15,  22, 36,
};

/* What people type, besides the names above; accepted in conditions only. */
static const struct alias {
    const char *name;
    uint8_t number;
} aliases[] = {
    {"icmpv6", 58}, {"icmp6", 58}, {"ipv6icmp", 58}, {"esp", 50}, {"ah", 51}, {"ospf", 89},
};

const char *gp_ipproto_name(uint8_t number)
{
    return names[number];
}

/* ASCII only, whatever the locale: 'I' is 'i' in Turkey, too. */
static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c;
}

/* strcasecmp() of name and the len bytes of s. */
static int compare(const char *name, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int d = lower(name[i]) - lower(s[i]);
        if (d != 0)
            return d;
        if (name[i] == '\0')
            return -1; /* s holds a NUL: longer than any name */
    }
    return (unsigned char)name[len];
}

int gp_ipproto_number_strict(const char *name, size_t len)
{
    size_t lo = 0, hi = GP_COUNT(by_name);

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int d = compare(names[by_name[mid]], name, len);
        if (d == 0)
            return by_name[mid];
        if (d < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return -1;
}

int gp_ipproto_number(const char *name, size_t len)
{
    int number = gp_ipproto_number_strict(name, len);

    for (size_t i = 0; number < 0 && i < GP_COUNT(aliases); i++)
        if (compare(aliases[i].name, name, len) == 0)
            number = aliases[i].number;
    return number;
}

char *gp_ipproto_format(uint8_t number, char *buf, size_t cap)
{
    const char *name = names[number];

    if (name)
        (void)snprintf(buf, cap, "%s", name);
    else
        (void)snprintf(buf, cap, "%u", (unsigned)number);
    return buf;
}
