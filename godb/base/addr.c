/* addr.c - text forms of addresses and networks; see gp/addr.h. */
#include "gp/addr.h"

#include "gp/num.h"

#include <arpa/inet.h>
#include <string.h>

/* One octet and a dot as four characters, so that an IPv4 address is four unconditional stores. */
#define ONE(u)                                                                                     \
    {                                                                                              \
        '0' + (u), '.'                                                                             \
    }
#define TWO(t, u)                                                                                  \
    {                                                                                              \
        '0' + (t), '0' + (u), '.'                                                                  \
    }
#define THREE(ht, u)                                                                               \
    {                                                                                              \
        '0' + (ht) / 10, '0' + (ht) % 10, '0' + (u), '.'                                           \
    }
#define TEN(f, x)                                                                                  \
    f(x, 0), f(x, 1), f(x, 2), f(x, 3), f(x, 4), f(x, 5), f(x, 6), f(x, 7), f(x, 8), f(x, 9)
static const char octet_text[256][4] = {
    ONE(0),         ONE(1),         ONE(2),         ONE(3),         ONE(4),         ONE(5),
    ONE(6),         ONE(7),         ONE(8),         ONE(9),         TEN(TWO, 1),    TEN(TWO, 2),
    TEN(TWO, 3),    TEN(TWO, 4),    TEN(TWO, 5),    TEN(TWO, 6),    TEN(TWO, 7),    TEN(TWO, 8),
    TEN(TWO, 9),    TEN(THREE, 10), TEN(THREE, 11), TEN(THREE, 12), TEN(THREE, 13), TEN(THREE, 14),
    TEN(THREE, 15), TEN(THREE, 16), TEN(THREE, 17), TEN(THREE, 18), TEN(THREE, 19), TEN(THREE, 20),
    TEN(THREE, 21), TEN(THREE, 22), TEN(THREE, 23), TEN(THREE, 24), THREE(25, 0),   THREE(25, 1),
    THREE(25, 2),   THREE(25, 3),   THREE(25, 4),   THREE(25, 5),
};

/* Dotted quad of b at p (16 bytes needed); returns where the NUL went. */
static char *put_v4(char *p, const uint8_t *b)
{
    for (int i = 0; i < 4; i++) {
        memcpy(p, octet_text[b[i]], 4);
        p += 2 + (b[i] >= 10) + (b[i] >= 100);
    }
    *--p = '\0'; /* over the last dot */
    return p;
}

/* One 16-bit group without leading zeros. */
static char *put_group(char *p, unsigned g)
{
    static const char digits[] = "0123456789abcdef";

    if (g > 0xFFF)
        *p++ = digits[g >> 12];
    if (g > 0xFF)
        *p++ = digits[g >> 8 & 15];
    if (g > 0xF)
        *p++ = digits[g >> 4 & 15];
    *p++ = digits[g & 15];
    return p;
}

static int is_mapped(const uint8_t *b)
{
    static const uint8_t prefix[12] = {[10] = 0xFF, [11] = 0xFF};
    return memcmp(b, prefix, sizeof prefix) == 0;
}

/* RFC 5952: the longest run of two or more zero groups, the first of equal ones, becomes "::". */
static char *put_v6(char *p, const uint8_t *b)
{
    if (is_mapped(b)) {
        memcpy(p, "::ffff:", 7);
        return put_v4(p + 7, b + 12);
    }
    unsigned g[8];
    int run = 0, best = 1, best_at = 8;
    for (int i = 0; i < 8; i++) {
        g[i] = (unsigned)b[2 * i] << 8 | b[2 * i + 1];
        run = g[i] ? 0 : run + 1;
        if (run > best) {
            best = run;
            best_at = i + 1 - run;
        }
    }
    for (int i = 0; i < 8; i++) {
        if (i == best_at) {
            *p++ = ':';
            i += best - 1;
            if (i == 7)
                *p++ = ':';
            continue;
        }
        if (i)
            *p++ = ':';
        p = put_group(p, g[i]);
    }
    *p = '\0';
    return p;
}

static size_t format_full(const gp_addr *a, char *buf)
{
    static const char invalid[] = "invalid IP";

    if (a->family == 4)
        return (size_t)(put_v4(buf, a->bytes) - buf);
    if (a->family == 6)
        return (size_t)(put_v6(buf, a->bytes) - buf);
    memcpy(buf, invalid, sizeof invalid);
    return sizeof invalid - 1;
}

size_t gp_addr_format(const gp_addr *a, char *buf, size_t cap)
{
    if (cap >= GP_ADDR_STRLEN)
        return format_full(a, buf);

    char text[GP_ADDR_STRLEN];
    size_t n = format_full(a, text);
    if (cap == 0)
        return 0;
    if (n >= cap)
        n = cap - 1;
    memcpy(buf, text, n);
    buf[n] = '\0';
    return n;
}

/* Four decimal octets without leading zeros, nothing else. */
static int parse_v4(const char *s, size_t len, uint8_t out[4])
{
    size_t i = 0;
    uint8_t b[4];

    for (int part = 0; part < 4; part++) {
        unsigned v = 0;
        size_t start = i;
        if (part && (i >= len || s[i] != '.'))
            return 0;
        if (part)
            start = ++i;
        for (; i < len && i - start < 3 && s[i] >= '0' && s[i] <= '9'; i++)
            v = v * 10 + (unsigned)(s[i] - '0');
        if (i == start || v > 255 || (s[start] == '0' && i - start > 1))
            return 0;
        b[part] = (uint8_t)v;
    }
    if (i != len)
        return 0;
    memcpy(out, b, 4);
    return 1;
}

/* Any text form of IPv6; no zone, because inet_pton() knows none. */
static int parse_v6(const char *s, size_t len, uint8_t out[16])
{
    char text[INET6_ADDRSTRLEN];

    if (len >= sizeof text || memchr(s, '\0', len))
        return 0;
    memcpy(text, s, len);
    text[len] = '\0';
    return inet_pton(AF_INET6, text, out) == 1;
}

int gp_addr_parse(const char *s, size_t len, gp_addr *out)
{
    gp_addr a = {0};

    if (len == 0)
        return 0;
    if (!memchr(s, ':', len)) {
        if (!parse_v4(s, len, a.bytes))
            return 0;
        a.family = 4;
    } else {
        if (!parse_v6(s, len, a.bytes))
            return 0;
        a.family = 6;
        if (is_mapped(a.bytes) && memchr(s, '.', len)) {
            memcpy(a.bytes, a.bytes + 12, 4);
            memset(a.bytes + 4, 0, 12);
            a.family = 4;
        }
    }
    *out = a;
    return 1;
}

int gp_addr_cmp(const gp_addr *a, const gp_addr *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

/* Clear all bits behind the first `bits` of the 16 bytes. */
static void clear_host_bits(uint8_t *bytes, unsigned bits)
{
    for (unsigned i = 0; i < 16; i++) {
        if (bits >= 8 * (i + 1))
            continue;
        unsigned keep = bits > 8 * i ? bits - 8 * i : 0;
        bytes[i] = (uint8_t)(bytes[i] & (0xFF00U >> keep));
    }
}

static int net_fail(const char **why, const char *text)
{
    if (why)
        *why = text;
    return 0;
}

int gp_net_parse(const char *s, size_t len, gp_net *out, const char **why)
{
    const char *slash = len ? memchr(s, '/', len) : NULL;
    gp_net n = {0};
    uint64_t bits;

    if (!slash)
        return net_fail(why, "expected a network as ADDRESS/LENGTH, such as 10.0.0.0/8");
    size_t addr_len = (size_t)(slash - s);
    if (!gp_num_u64(slash + 1, len - addr_len - 1, UINT64_MAX, &bits))
        return net_fail(why, "expected a decimal prefix length after '/', such as 10.0.0.0/8");

    /* Unlike in gp_addr_parse(), a colon decides: "::ffff:10.0.0.0/104" counts bits of IPv6. */
    if (addr_len && memchr(s, ':', addr_len)) {
        if (!parse_v6(s, addr_len, n.addr.bytes))
            return net_fail(why, "could not parse the IPv6 address before '/'");
        if (bits > 128)
            return net_fail(why, "the prefix length of an IPv6 network is 0 to 128");
        n.addr.family = 6;
    } else {
        if (!parse_v4(s, addr_len, n.addr.bytes))
            return net_fail(why, "could not parse the IPv4 address before '/'");
        if (bits > 32)
            return net_fail(why, "the prefix length of an IPv4 network is 0 to 32");
        n.addr.family = 4;
    }
    n.prefix = (uint8_t)bits;
    clear_host_bits(n.addr.bytes, n.prefix);
    *out = n;
    return 1;
}

int gp_net_has(const gp_net *n, const gp_addr *a)
{
    unsigned whole = n->prefix / 8U, rest = n->prefix % 8U;

    if (n->addr.family != a->family || memcmp(n->addr.bytes, a->bytes, whole) != 0)
        return 0;
    return rest == 0 || ((n->addr.bytes[whole] ^ a->bytes[whole]) & (0xFF00U >> rest) & 0xFF) == 0;
}
