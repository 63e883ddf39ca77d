/* fuzz_base_text.c - every text parser of base on the same bytes; what was read must print back. */
#include "gp/addr.h"
#include "gp/bytes.h"
#include "gp/err.h"
#include "gp/ipproto.h"
#include "gp/mem.h"
#include "gp/num.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
    if (!truth)
        __builtin_trap();
}

static void fuzz_addr(const char *s, size_t len)
{
    gp_addr a, back;
    gp_net net;
    const char *why = NULL;
    char text[GP_ADDR_STRLEN];

    if (gp_addr_parse(s, len, &a)) {
        size_t n = gp_addr_format(&a, text, sizeof text);
        require(n == strlen(text) && n < sizeof text);
        require(gp_addr_parse(text, n, &back));
        /* a mapped IPv6 address prints with a dot, which reads as IPv4 */
        if (a.family == 4 || !strchr(text, '.'))
            require(gp_addr_cmp(&a, &back) == 0);
    }
    if (gp_net_parse(s, len, &net, &why)) {
        require(gp_net_has(&net, &net.addr));
        require(net.prefix <= (net.addr.family == 4 ? 32 : 128));
    } else {
        require(why != NULL);
    }
}

static void fuzz_num(const char *s, size_t len)
{
    uint64_t u;
    int64_t i, back;
    double f;
    char text[64];

    if (gp_num_u64(s, len, 1000, &u))
        require(u <= 1000);
    (void)gp_num_u64(s, len, UINT64_MAX, &u);
    if (gp_num_i64(s, len, &i) && s[0] != '0' && len > 1 && s[1] != '0') /* no octal */
        require(gp_num_i64_prefixed(s, len, &back) && back == i);
    (void)gp_num_i64_prefixed(s, len, &i);
    if (gp_num_f64(s, len, &f))
        require(f - f < 1 && f - f > -1); /* finite */
    (void)gp_num_bytes(s, len, &u);
    if (gp_num_duration_ns(s, len, &i)) {
        (void)gp_num_duration_str(i, text, sizeof text);
        require(gp_num_duration_ns(text, strlen(text), &back) && back == i);
    }
    if (len / 2 <= 16 && gp_unhex(s, len, text, len / 2)) {
        char hex[33];
        gp_hex(text, len / 2, hex);
        require(strlen(hex) == len && strncasecmp(hex, s, len) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gp_err err = {0};

    /* an own block of exactly this size, so that reading past the end is seen */
    char *s = gp_alloc(size, 1);
    require(s != NULL);
    if (size)
        memcpy(s, data, size);
    fuzz_addr(s, size);
    fuzz_num(s, size);
    int number = gp_ipproto_number_strict(s, size);
    if (number >= 0)
        require(strncasecmp(gp_ipproto_name((uint8_t)number), s, size) == 0);
    (void)gp_ipproto_number(s, size);
    (void)gp_fail(&err, GP_EINVAL, size ? (uint8_t)s[0] : 0, "%.*s", (int)size, s);
    for (const char *p = err.msg; *p; p++)
        require((uint8_t)*p >= 0x20 && *p != 0x7F);
    gp_free(s);
    return 0;
}
